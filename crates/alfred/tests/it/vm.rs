//! `alfred vm` against a control plane of its own: the plan, orders, the end of contracts, VMs that nobody accounts for.

mod stage;

use serde_json::json;

use crate::place::Place;
use stage::{Http, admin_token, await_it, await_state, done, fits_the_screen, json, only_vm, up, up_with, vms};

#[test]
fn an_order_says_what_it_costs_and_buys_only_when_told_to() {
    let (place, running) = up();
    let ended = place.line("vm order --count 2 --dry-run");
    assert_eq!(ended.code, 0, "{ended:?}");
    let words = "2 VMs would be ordered: 11.00 EUR for a month, paid at once";
    assert!(ended.stdout.contains(words), "{ended:?}");
    fits_the_screen(&ended);
    let previewed = done(&place, "vm order --count 2 --dry-run");
    assert_eq!(previewed["orders"][1]["outcome"], "would_order", "{previewed}");
    assert!(vms(&place).is_empty(), "a dry run bought something");

    let ended = place.line("vm order --count 2");
    assert_eq!(ended.code, 2, "nobody can be asked: {ended:?}");
    assert!(vms(&place).is_empty());

    let ended = place.line("vm order --count 2 --yes");
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(ended.stdout.lines().filter(|line| line.starts_with("ordered  ")).count(), 2, "{ended:?}");
    assert!(ended.stderr.contains("11.00 EUR"), "{ended:?}");
    for vm in vms(&place) {
        let ready = await_state(&place, &running, vm["id"].as_i64().unwrap(), "ready");
        assert_eq!(
            (&ready["price"], &ready["ends"], &ready["reinstalls"]),
            (&json!("5.50 EUR"), &json!(false), &json!(0))
        );
        assert!(ready["paid_until"].is_string() && ready["decide_by"].is_string(), "{ready}");
    }
    let listed = place.line("vm list");
    assert!(listed.stdout.starts_with("ID  ") && listed.stdout.contains("PAID UNTIL"), "{listed:?}");
    fits_the_screen(&listed);

    let ledger = Http::new().api(&running, &admin_token(&place), "/v1/ledger?kind=order_vm", None).1;
    let orders = ledger["intents"].as_array().unwrap();
    assert_eq!(orders.len(), 2, "{ledger}");
    assert!(orders.iter().all(|order| order["actor"] == "admin" && order["outcome"] == "done"), "{ledger}");
    // The provider's own audit log is read soon after something was bought.
    let joined = await_it(&running, "the line of the provider's audit log", || {
        let ledger = Http::new().api(&running, &admin_token(&place), "/v1/ledger?kind=order_vm", None).1;
        let joined = ledger["intents"].as_array().unwrap().iter().all(|order| order["audit_id"].is_i64());
        joined.then_some(ledger)
    });
    assert!(joined["intents"][0]["audit_id"].as_i64() != joined["intents"][1]["audit_id"].as_i64(), "{joined}");
}

#[test]
fn the_plan_tells_what_is_there_what_it_costs_and_what_to_decide() {
    let (place, running) = up_with(&[("ALFRED_POOL_READY", "1"), ("ALFRED_VM_LIMIT", "5")]);
    let id = await_it(&running, "the VM that is wanted", || vms(&place).first().and_then(|vm| vm["id"].as_i64()));
    await_state(&place, &running, id, "ready");
    let ended = place.line("vm pool");
    assert_eq!(ended.code, 0, "{ended:?}");
    fits_the_screen(&ended);
    for part in [
        "VMs      1 of at most 5: 1 ready\n",
        "wanted   1 ready; 1 are ready or on their way\n",
        "buying   nothing needed now; 1 ordered this month\n",
        "a new VM costs 5.50 EUR a month\n",
        "DECIDE BY (UTC)",
        &format!("{id}  alfredos-pool."),
    ] {
        assert!(ended.stdout.contains(part), "{part}: {ended:?}");
    }
    let document = done(&place, "vm pool");
    assert_eq!((&document["wanted"], &document["owned"], &document["owned_max"]), (&json!(1), &json!(1), &json!(5)));
    assert_eq!(document["vms"][0]["id"], id, "{document}");
    assert_eq!(document["weekly_costs"].as_array().unwrap().len(), 4, "{document}");
}

#[test]
fn a_cap_holds_some_of_the_orders() {
    let (place, _running) = up_with(&[("ALFRED_ORDERS_PER_MONTH", "2")]);
    let ended = place.line("vm order --count 3 --dry-run");
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.stdout.contains("2 VMs would be ordered") && ended.stdout.contains("1 VM would not"), "{ended:?}");
    let ended = place.line("vm order --count 3 --yes --json");
    assert_eq!(ended.code, 3, "{ended:?}");
    let answer = json(&ended);
    let held = answer["orders"].as_array().unwrap().iter().find(|order| order["outcome"] == "held").unwrap();
    assert_eq!((&held["problem"]["code"], &held["problem"]["status"]), (&json!("order_held"), &json!(409)), "{held}");
    assert!(ended.stderr.contains("2 of 3 VMs were ordered; ") && ended.stderr.contains("`ALFRED_ORDERS_PER_MONTH`"));
    let ended = place.line("vm order --yes");
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.one_line().contains("2 VMs were ordered this month and the limit is 2"), "{ended:?}");
    assert_eq!(vms(&place).len(), 2);
}

#[test]
fn where_buying_is_off_an_environment_waits_and_says_why() {
    let (place, running) = up_with(&[("ALFRED_BUY", "off"), ("ALFRED_POOL_READY", "2")]);
    let off = "buying is off: delete environments, or allow orders with `ALFRED_BUY=on`";
    assert!(running.stderr().contains("`ALFRED_BUY=on` allows orders"), "{}", running.stderr());
    let ended = place.line("vm order --yes");
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.one_line().contains(off), "{ended:?}");
    assert_eq!(done(&place, "vm pool")["hold"]["kind"], "off");
    assert_eq!(place.line("env create --slug brave-tiger").code, 0);
    await_it(&running, "the reason", || {
        done(&place, "env show brave-tiger")["reason"].as_str().is_some_and(|reason| reason.contains(off)).then_some(())
    });
    assert!(vms(&place).is_empty());
}

#[test]
fn paused_it_buys_nothing_until_it_is_resumed() {
    let (place, running) = up_with(&[("ALFRED_POOL_READY", "1")]);
    let first = await_it(&running, "the first VM", || vms(&place).first().and_then(|vm| vm["id"].as_i64()));
    await_state(&place, &running, first, "ready");
    let ended = place.run(["vm", "pool", "pause", "--reason", "the invoice is looked at"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.stdout.contains("paused   by admin since") && ended.stdout.contains(": the invoice is looked at"));
    fits_the_screen(&ended);
    let ended = place.line("vm order --yes");
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.one_line().contains("paused by admin (the invoice is looked at)"), "{ended:?}");
    // What was ready is used; nothing replaces it.
    assert_eq!(place.line("env create --slug brave-tiger --wait").code, 0);
    await_it(&running, "the shortage", || done(&place, "vm pool")["short_since"].is_string().then_some(()));
    assert_eq!(only_vm(&place), first);
    let long = "x".repeat(201);
    let ended = place.run(["vm", "pool", "pause", "--reason", &long]);
    assert!(ended.code == 1 && ended.one_line().contains("at most 200 characters"), "{ended:?}");

    let ended = place.line("vm pool resume");
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(!ended.stdout.contains("paused"), "{ended:?}");
    await_it(&running, "another VM", || (vms(&place).len() == 2).then_some(()));
}

#[test]
fn a_contract_ends_only_for_who_knows_the_name() {
    let (place, running) = up();
    assert_eq!(place.line("vm order --yes").code, 0);
    let id = only_vm(&place);
    let ready = await_state(&place, &running, id, "ready");
    let name = ready["display_name"].as_str().unwrap();

    let ended = place.line(&format!("vm cancel {id} --dry-run"));
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.stdout.contains("it cannot be undone") && ended.stdout.contains("5.50 EUR a month"), "{ended:?}");
    fits_the_screen(&ended);
    let ended = place.line(&format!("vm cancel {id}"));
    assert_eq!(ended.code, 2, "{ended:?}");
    let ended = place.line(&format!("vm cancel {id} --name brave-tiger --quiet"));
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.one_line().contains(&format!("is called `{name}`: give that name to confirm")), "{ended:?}");
    assert_eq!(vms(&place)[0]["state"], "ready", "nothing changed so far");

    let ended = place.line(&format!("vm cancel {id} --name {name}"));
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.stderr.contains("it cannot be undone") && ended.stderr.contains("is being cancelled"), "{ended:?}");
    let cancelled = await_it(&running, "the last day", || {
        vms(&place).into_iter().find(|vm| vm["state"] == "retiring" && vm["cancel_date"].is_string())
    });
    assert_eq!(cancelled["ends"], true, "{cancelled}");
    let day = cancelled["cancel_date"].as_str().unwrap();
    let listed = place.line("vm list");
    let row = listed.stdout.lines().find(|line| line.starts_with(&id.to_string())).unwrap();
    assert!(row.contains("retiring") && row.contains(&format!("{day}  yes")), "{row}");
    let ended = place.line(&format!("vm cancel {id} --dry-run"));
    assert!(ended.code == 1 && ended.one_line().contains("is cancelled already and ends on"), "{ended:?}");
    let ended = place.line("vm cancel 7 --dry-run");
    assert!(ended.code == 1 && ended.one_line().contains("there is no VM 7"), "{ended:?}");
}

#[test]
fn a_vm_in_use_is_not_cancelled_or_adopted() {
    let (place, _running) = up();
    assert_eq!(place.line("env create --slug brave-tiger --wait").code, 0);
    let id = only_vm(&place);
    let ended = place.line(&format!("vm cancel {id} --name alfredos-brave-tiger --quiet"));
    assert!(ended.code == 1 && ended.one_line().contains("belongs to an environment: delete that first"), "{ended:?}");
    let ended = place.line(&format!("vm adopt {id} --name alfredos-brave-tiger --quiet"));
    assert!(ended.code == 1 && ended.one_line().contains("is assigned: there is nothing to adopt"), "{ended:?}");
    assert_eq!(vms(&place)[0]["state"], "assigned");
}

#[test]
fn what_an_environment_costs_is_told_with_all_that_led_to_it() {
    let (mut place, running) = up();
    assert_eq!(place.line("env create --slug brave-tiger --wait").code, 0);
    let shown = place.line("env show brave-tiger");
    assert!(shown.stdout.contains("which costs 5.50 EUR a month"), "{shown:?}");
    let http = Http::new();
    let (status, cost) = http.api(&running, &admin_token(&place), "/v1/environments/brave-tiger/cost", None);
    assert_eq!(status, 200, "{cost}");
    assert_eq!((&cost["slug"], &cost["vm"]["price"]), (&json!("brave-tiger"), &json!("5.50 EUR")), "{cost}");
    assert_eq!((&cost["cost"]["amount"], &cost["cost"]["to"]), (&json!("0.00 EUR"), &json!(null)), "{cost}");
    assert_eq!(cost["cost"]["vm_id"], cost["vm"]["id"], "{cost}");
    let intents = cost["intents"].as_array().unwrap();
    let order = intents.iter().find(|intent| intent["kind"] == "order_vm").unwrap();
    assert_eq!((&order["outcome"], &order["vm_id"]), (&json!("done"), &cost["vm"]["id"]), "{order}");
    assert!(order["request_id"].is_string() && intents.iter().any(|intent| intent["kind"] == "write_record"), "{cost}");

    assert_eq!(place.line("env delete brave-tiger --wait").code, 0);
    let cost = http.api(&running, &admin_token(&place), "/v1/environments/brave-tiger/cost", None).1;
    assert!(cost["cost"]["to"].is_string(), "it costs nothing more: {cost}");
    let secret = place.line("token create --user ada --label laptop").stdout.trim().to_owned();
    place.set("ALFRED_TOKEN", &secret);
    assert_eq!(place.line("env create --slug calm-owl").code, 0);
    let (status, problem) = http.api(&running, &secret, "/v1/environments/calm-owl/cost", None);
    assert_eq!((status, &problem["code"]), (403, &json!("administrator_only")), "{problem}");
}

#[test]
fn a_vm_that_nobody_accounts_for_is_found_adopted_and_used() {
    let (place, running) = up();
    let http = Http::new();
    let id = http.order_behind(&running, "alfredos-calm-owl");
    let foreign = http.order_behind(&running, "mail-server");
    let findings = done(&place, "audit")["findings"].as_array().unwrap().clone();
    let found = findings.iter().find(|finding| finding["kind"] == "vm_without_environment").unwrap();
    assert!(found["words"].as_str().unwrap().contains(&id.to_string()), "{found}");
    assert!(!json!(findings).to_string().contains(&foreign.to_string()), "it is nobody's business");

    let ended = place.line(&format!("vm adopt {id} --dry-run"));
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.stdout.contains("all data on VM") && ended.stdout.contains("erased for ever"), "{ended:?}");
    fits_the_screen(&ended);
    assert!(vms(&place).is_empty(), "a dry run took it");
    let ended = place.line(&format!("vm adopt {id} --name alfredos-quick-fox --quiet"));
    assert!(ended.code == 1 && ended.one_line().contains("is called `alfredos-calm-owl`"), "{ended:?}");
    let ended = place.line(&format!("vm adopt {foreign} --name mail-server --quiet"));
    assert!(ended.code == 1 && ended.one_line().contains("is no name that alfred gives"), "{ended:?}");
    assert!(ended.one_line().contains("`--foreign`"), "{ended:?}");
    assert!(vms(&place).is_empty(), "a refusal took it");

    let ended = place.line(&format!("vm adopt {id} --name alfredos-calm-owl"));
    assert_eq!(ended.code, 0, "{ended:?}");
    let ready = await_state(&place, &running, id, "ready");
    assert_eq!(ready["display_name"], format!("alfredos-pool.{id}"), "{ready}");
    assert!(ready["wiped_at"].is_string() && ready["price"] == "5.50 EUR", "{ready}");
    assert_eq!(done(&place, "audit")["findings"], json!([]), "it is accounted for");

    assert_eq!(place.line(&format!("vm adopt {foreign} --foreign --name mail-server")).code, 0);
    await_state(&place, &running, foreign, "ready");
    assert_eq!(place.line("env create --count 2 --wait").code, 0);
    assert_eq!(vms(&place).len(), 2, "both are used, and none is bought");
}

#[test]
fn an_order_of_which_nothing_is_known_is_shown_and_can_be_given_up() {
    let mut place = Place::new();
    let running = place.start_with_fault("POST /v1/compute/instances lost-before count=1");
    place.set("ALFRED_URL", running.told("url"));
    let ended = place.line("vm order --yes");
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.stderr.contains("it is not known whether the order"), "{ended:?}");
    let document = done(&place, "vm pool");
    let order = &document["unknown_orders"][0];
    let id = order["id"].as_str().unwrap();
    assert_eq!((&order["outcome"], &document["owned"]), (&json!("unknown"), &json!(1)), "it counts: {document}");
    let shown = place.line("vm pool");
    assert!(shown.stdout.contains(&format!("`alfred vm order --abandon {id}`")), "{shown:?}");
    assert!(shown.stdout.contains(order["request_id"].as_str().unwrap()), "{shown:?}");
    fits_the_screen(&shown);

    let ended = place.line(&format!("vm order --abandon {id}"));
    assert_eq!(ended.code, 0, "{ended:?}");
    let document = done(&place, "vm pool");
    assert_eq!((&document["unknown_orders"], &document["owned"]), (&json!([]), &json!(0)), "{document}");
    let ended = place.line(&format!("vm order --abandon {id}"));
    assert!(ended.code == 1 && ended.one_line().contains("it is known what came of the order"), "{ended:?}");
    let ended = place.line("vm order --abandon 0198c1de-7b0a-7000-8000-2f1d3c5b7a99");
    assert!(ended.code == 1 && ended.one_line().contains("the ledger has no line"), "{ended:?}");
    assert_eq!(place.line("vm order --yes").code, 0, "and it can buy again");
}

#[test]
fn a_member_may_do_none_of_it() {
    let (mut place, running) = up();
    assert_eq!(place.line("vm order --yes").code, 0);
    let id = only_vm(&place);
    let secret = place.line("token create --user ada --label laptop").stdout.trim().to_owned();
    place.set("ALFRED_TOKEN", &secret);
    for line in [
        "vm pool",
        "vm pool pause",
        "vm pool resume",
        "vm order --dry-run",
        "vm order --yes",
        "vm order --abandon 0198c1de-7b0a-7000-8000-2f1d3c5b7a99",
        &format!("vm cancel {id} --dry-run"),
        &format!("vm adopt {id} --dry-run"),
    ] {
        let ended = place.line(line);
        assert_eq!(ended.code, 1, "{line}: {ended:?}");
        assert!(ended.one_line().contains("`ada` is no administrator"), "{line}: {ended:?}");
    }
    assert!(vms(&place).is_empty(), "a member sees the VMs of their environments alone");
    let http = Http::new();
    for (path, body) in [
        ("/v1/pool", None),
        ("/v1/pool/pause", Some(json!({}))),
        ("/v1/pool/resume", Some(json!({}))),
        ("/v1/vms/orders", Some(json!({ "count": 1 }))),
        (&format!("/v1/vms/{id}/cancel"), Some(json!({ "display_name": "x" }))),
        (&format!("/v1/vms/{id}/adopt"), Some(json!({ "display_name": "x" }))),
        ("/v1/ledger/0198c1de-7b0a-7000-8000-2f1d3c5b7a99/abandon", Some(json!({}))),
    ] {
        let (status, problem) = http.api(&running, &secret, path, body.as_ref());
        assert_eq!((status, &problem["code"]), (403, &json!("administrator_only")), "{path}: {problem}");
    }
}

#[test]
fn each_refusal_has_a_status_and_a_code() {
    let (place, running) = up();
    assert_eq!(place.line("vm order --yes").code, 0);
    let id = only_vm(&place);
    let (http, token) = (Http::new(), admin_token(&place));
    let cancel = format!("/v1/vms/{id}/cancel");
    for (path, body, status, code) in [
        ("/v1/vms/orders", json!({ "count": 0 }), 422, "bad_count"),
        ("/v1/vms/orders", json!({ "count": 21, "dry_run": true }), 422, "bad_count"),
        ("/v1/vms/orders", json!({ "number": 1 }), 400, "bad_json"),
        (cancel.as_str(), json!({}), 422, "vm_name_wrong"),
        (cancel.as_str(), json!({ "display_name": "alfredos-ox" }), 422, "vm_name_wrong"),
        ("/v1/vms/7/cancel", json!({ "dry_run": true }), 404, "vm_not_found"),
        ("/v1/vms/seven/cancel", json!({ "dry_run": true }), 400, "bad_parameter"),
        ("/v1/vms/99999999999999999999/adopt", json!({}), 400, "bad_parameter"),
        ("/v1/vms/7/adopt", json!({ "dry_run": true }), 404, "vm_not_found"),
        ("/v1/pool/pause", json!({ "reason": "two\nlines" }), 422, "bad_reason"),
        ("/v1/ledger/7/abandon", json!({}), 400, "bad_parameter"),
        ("/v1/ledger/0198c1de-7b0a-7000-8000-2f1d3c5b7a99/abandon", json!({}), 404, "intent_not_found"),
    ] {
        let (answered, problem) = http.api(&running, &token, path, Some(&body));
        assert_eq!((answered, &problem["code"]), (status, &json!(code)), "{path} {body}: {problem}");
        assert!(problem["hint"].is_string() && problem["instance"].is_string(), "{problem}");
    }
    let intents = http.api(&running, &token, "/v1/ledger?kind=order_vm", None).1;
    let order = intents["intents"][0]["id"].as_str().unwrap();
    let (status, problem) = http.api(&running, &token, &format!("/v1/ledger/{order}/abandon"), Some(&json!({})));
    assert_eq!((status, &problem["code"]), (409, &json!("abandon_refused")), "{problem}");
    let described = http.api(&running, &token, "/openapi.json", None).1;
    for (path, method) in [
        ("/v1/pool", "get"),
        ("/v1/pool/pause", "post"),
        ("/v1/pool/resume", "post"),
        ("/v1/vms/orders", "post"),
        ("/v1/vms/{vm}/cancel", "post"),
        ("/v1/vms/{vm}/adopt", "post"),
        ("/v1/ledger/{intent}/abandon", "post"),
        ("/v1/environments/{environment}/cost", "get"),
    ] {
        let responses = &described["paths"][path][method]["responses"];
        let refusal = &responses["403"]["content"]["application/problem+json"]["schema"]["$ref"];
        assert_eq!(refusal, "#/components/schemas/Problem", "{path}: {responses}");
        assert!(responses["200"]["content"]["application/json"]["schema"].is_object(), "{path}: {responses}");
    }
}

/// What is wrong is told in one line before anything else happens.
#[test]
fn bad_rules_for_money_keep_it_from_starting() {
    for (name, value, words) in [
        ("ALFRED_BUY", "yes", "which is not `on` or `off`"),
        ("ALFRED_ORDERS_PER_MONTH", "many", "which is not a number of orders"),
        ("ALFRED_VM_PRICE", "5,50", "such as `5.50 EUR`"),
        ("ALFRED_POOL_READY", "auto:5-1", "`auto:MIN-MAX`"),
        ("ALFRED_POOL_LAPSE", "maybe", "which is not `on` or `off`"),
    ] {
        let mut place = Place::new();
        place.set(name, value);
        let ended = place.line("up --local --instant --listen 127.0.0.1:0");
        assert_eq!(ended.code, 2, "{name}: {ended:?}");
        let line = ended.stderr.lines().last().unwrap_or_default();
        assert!(line.starts_with(&format!("error: `{name}` (environment) is `{value}`")), "{ended:?}");
        assert!(line.contains(words), "{ended:?}");
    }
}
