//! Creating, changing and deleting single records.

use serde_json::{Value, json};

use crate::{
    bench::{Bench, codes},
    cloudflare::Plan,
};

fn a(name: &str, content: &str) -> Value {
    json!({"type": "A", "name": name, "content": content, "ttl": 300})
}

async fn refused(bench: &Bench, body: Value, status: u16, code: u64, cause: Option<u64>) -> Value {
    let (answered, answer) = bench.records("POST", "", body.clone()).await;
    assert_eq!((answered, codes(&answer)), (status, (code, cause)), "{body} {answer}");
    answer["errors"][0].clone()
}

#[tokio::test]
async fn a_created_record_has_the_shape_of_the_platform() {
    let bench = Bench::with_plan(Plan::Free);
    let (status, answer) = bench.records("POST", "", a("Brave-Tiger", "198.51.100.4")).await;
    assert_eq!(status, 200);
    assert_eq!(answer["success"], true);
    assert_eq!(answer["errors"], json!([]));
    assert_eq!(answer["messages"], json!([]));
    assert!(answer.get("result_info").is_none());
    let id = answer["result"]["id"].as_str().unwrap().to_owned();
    assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let created_on = "2026-09-21T14:13:20.123000Z";
    assert_eq!(
        answer["result"],
        json!({
            "id": id, "name": "brave-tiger.alfredos.site", "type": "A", "content": "198.51.100.4",
            "proxiable": true, "proxied": false, "ttl": 300, "settings": {}, "meta": {}, "comment": null, "tags": [],
            "created_on": created_on, "modified_on": created_on,
        })
    );
    let (_, got) = bench.records("GET", &format!("/{id}"), Value::Null).await;
    assert_eq!(got["result"], answer["result"]);
}

#[tokio::test]
async fn a_record_with_a_comment_tells_when_it_was_changed() {
    let bench = Bench::with_plan(Plan::Pro);
    let mut body = a("x", "198.51.100.4");
    body["comment"] = "mine".into();
    body["tags"] = json!(["team:blue"]);
    let (_, answer) = bench.records("POST", "", body).await;
    let first = answer["result"]["comment_modified_on"].clone();
    assert_eq!(first, answer["result"]["created_on"]);
    assert_eq!(answer["result"]["tags_modified_on"], first);
    let path = format!("/{}", answer["result"]["id"].as_str().unwrap());
    bench.clock.advance_ms(1_000);
    let (_, edited) = bench.records("PATCH", &path, json!({"ttl": 600})).await;
    assert_eq!(edited["result"]["comment_modified_on"], first);
    assert_ne!(edited["result"]["modified_on"], first);
    let (_, edited) = bench.records("PATCH", &path, json!({"comment": "ours"})).await;
    assert_eq!(edited["result"]["comment_modified_on"], edited["result"]["modified_on"]);
    let (_, edited) = bench.records("PATCH", &path, json!({"comment": "", "tags": []})).await;
    assert!(edited["result"].get("comment_modified_on").is_none());
    assert!(edited["result"].get("tags_modified_on").is_none());
}

#[tokio::test]
async fn ttl_is_one_or_within_the_plans_bounds() {
    let free = Bench::with_plan(Plan::Free);
    for ttl in [json!(0), json!(2), json!(59), json!(86_401), json!(300.5), json!("300"), json!(-1)] {
        let mut body = a("x", "198.51.100.4");
        body["ttl"] = ttl;
        let error = refused(&free, body, 400, 1004, Some(9021)).await;
        assert_eq!(error["message"], "DNS Validation Error");
        assert_eq!(error["error_chain"][0]["message"], "TTL must be between 60 and 86400 seconds, or 1 for Automatic.");
    }
    for (name, ttl) in [("one", json!(1)), ("least", json!(60)), ("most", json!(86_400.0))] {
        let mut body = a(name, "198.51.100.4");
        body["ttl"] = ttl;
        assert_eq!(free.records("POST", "", body).await.0, 200, "{name}");
    }
    let enterprise = Bench::with_plan(Plan::Enterprise);
    let mut body = a("x", "198.51.100.4");
    body["ttl"] = 30.into();
    assert_eq!(enterprise.records("POST", "", body).await.0, 200);
}

#[tokio::test]
async fn proxied_records_have_automatic_ttl() {
    let bench = Bench::with_plan(Plan::Free);
    let mut body = a("x", "198.51.100.4");
    body["proxied"] = true.into();
    let (_, answer) = bench.records("POST", "", body).await;
    assert_eq!(answer["result"]["ttl"], 1);
    let text = json!({"type": "TXT", "name": "t", "content": "x", "proxied": true});
    refused(&bench, text, 400, 1004, Some(9004)).await;
    let mut body = a("y", "198.51.100.4");
    body["proxied"] = "yes".into();
    refused(&bench, body, 400, 1004, Some(9003)).await;
}

#[tokio::test]
async fn addresses_must_be_addresses() {
    let bench = Bench::with_plan(Plan::Free);
    for content in ["", "1.2.3", "1.2.3.4.5", "2001:db8::1", "host", "1.2.3.400"] {
        let error = refused(&bench, a("x", content), 400, 1004, Some(9005)).await;
        assert_eq!(error["error_chain"][0]["message"], "Content for A record must be a valid IPv4 address.");
    }
    let six = json!({"type": "AAAA", "name": "x", "content": "198.51.100.4"});
    refused(&bench, six, 400, 1004, Some(9006)).await;
    let six = json!({"type": "AAAA", "name": "x", "content": "2001:DB8:0::1"});
    assert_eq!(bench.records("POST", "", six).await.1["result"]["content"], "2001:db8::1");
}

#[tokio::test]
async fn comments_and_tags_are_limited_by_plan() {
    for (plan, limit) in [(Plan::Free, 100), (Plan::Pro, 500)] {
        let bench = Bench::with_plan(plan);
        let mut body = a("x", "198.51.100.4");
        body["comment"] = "ü".repeat(limit + 1).into();
        refused(&bench, body.clone(), 400, 1004, Some(9301)).await;
        body["comment"] = "two\nlines".into();
        refused(&bench, body.clone(), 400, 1004, Some(9302)).await;
        body["comment"] = "ü".repeat(limit).into();
        assert_eq!(bench.records("POST", "", body).await.0, 200);
    }
    let free = Bench::with_plan(Plan::Free);
    let mut body = a("x", "198.51.100.4");
    body["tags"] = json!(["team:blue"]);
    let error = refused(&free, body.clone(), 400, 1004, Some(9300)).await;
    assert_eq!(error["error_chain"][0]["message"], "DNS record has 1 tags, exceeding the quota of 0.");
    let paid = Bench::with_plan(Plan::Business);
    body["tags"] = (0..21).map(|number| json!(format!("t{number}:v"))).collect();
    refused(&paid, body.clone(), 400, 1004, Some(9300)).await;
    for tag in ["a b:c", ":v", "n:\n", &format!("{}:v", "n".repeat(33)), &format!("n:{}", "v".repeat(101))] {
        body["tags"] = json!([tag]);
        refused(&paid, body.clone(), 400, 1004, Some(9305)).await;
    }
}

#[tokio::test]
async fn an_identical_record_is_refused_whatever_its_ttl() {
    let bench = Bench::with_plan(Plan::Free);
    bench.create("x", "198.51.100.4").await;
    let mut body = a("X.alfredos.site", "198.51.100.4");
    body["ttl"] = 600.into();
    body["comment"] = "other".into();
    let error = refused(&bench, body, 400, 81058, None).await;
    assert_eq!(error["message"], "An identical record already exists.");
    bench.create("x", "198.51.100.5").await;
    let older = Bench::with(|options| options.older_duplicate_code = true);
    older.create("x", "198.51.100.4").await;
    let error = refused(&older, a("x", "198.51.100.4"), 400, 81057, None).await;
    assert_eq!(error["message"], "Record already exists.");
}

#[tokio::test]
async fn a_cname_shares_its_name_with_no_address() {
    let bench = Bench::with_plan(Plan::Free);
    let cname = |name: &str, target: &str| json!({"type": "CNAME", "name": name, "content": target});
    bench.create("address", "198.51.100.4").await;
    refused(&bench, cname("address", "t.example"), 400, 81053, None).await;
    assert_eq!(bench.records("POST", "", cname("alias", "T.Example.")).await.1["result"]["content"], "t.example");
    refused(&bench, a("alias", "198.51.100.4"), 400, 81054, None).await;
    refused(&bench, cname("alias", "other.example"), 400, 81053, None).await;
    refused(&bench, cname("alias", "t.example"), 400, 81058, None).await;
    refused(&bench, cname("self", "self.alfredos.site"), 400, 1004, Some(9039)).await;
    refused(&bench, cname("bad", "not a host"), 400, 1004, Some(9007)).await;
    let text = json!({"type": "TXT", "name": "alias", "content": "beside"});
    assert_eq!(bench.records("POST", "", text).await.0, 200);
}

#[tokio::test]
async fn name_servers_share_their_name_with_nothing_below_the_apex() {
    let bench = Bench::with_plan(Plan::Free);
    let servers = |name: &str| json!({"type": "NS", "name": name, "content": "ns.example.org"});
    bench.create("address", "198.51.100.4").await;
    refused(&bench, servers("address"), 400, 81056, None).await;
    assert_eq!(bench.records("POST", "", servers("sub")).await.0, 200);
    refused(&bench, a("sub", "198.51.100.4"), 400, 81056, None).await;
    bench.create("@", "198.51.100.4").await;
    assert_eq!(bench.records("POST", "", servers("@")).await.0, 200);
}

#[tokio::test]
async fn the_quota_is_the_plans_and_can_be_set() {
    let bench = Bench::with(|options| options.zones[0].record_quota = Some(2));
    let first = bench.create("a", "198.51.100.1").await;
    bench.create("b", "198.51.100.1").await;
    refused(&bench, a("c", "198.51.100.1"), 400, 81045, None).await;
    bench.records("DELETE", &format!("/{first}"), Value::Null).await;
    bench.create("c", "198.51.100.1").await;
    let enterprise = Bench::with(|options| {
        options.zones[0].plan = Plan::Enterprise;
        options.account_quota = 1;
    });
    enterprise.create("a", "198.51.100.1").await;
    refused(&enterprise, a("b", "198.51.100.1"), 400, 81045, None).await;
}

#[tokio::test]
async fn patch_keeps_what_it_does_not_name_and_put_does_not() {
    let bench = Bench::with_plan(Plan::Free);
    let mut body = a("x", "198.51.100.4");
    body["comment"] = "mark".into();
    let (_, created) = bench.records("POST", "", body).await;
    let path = format!("/{}", created["result"]["id"].as_str().unwrap());
    bench.clock.advance_ms(5);
    let (_, patched) = bench.records("PATCH", &path, json!({"content": "198.51.100.5"})).await;
    let result = &patched["result"];
    assert_eq!(
        (&result["content"], &result["comment"], &result["ttl"], &result["id"]),
        (&json!("198.51.100.5"), &json!("mark"), &json!(300), &created["result"]["id"])
    );
    assert_eq!(result["created_on"], created["result"]["created_on"]);
    let (_, put) = bench.records("PUT", &path, json!({"type": "A", "name": "x", "content": "198.51.100.6"})).await;
    assert_eq!((&put["result"]["comment"], &put["result"]["ttl"]), (&Value::Null, &json!(1)));
    let (status, answer) = bench.records("PUT", &path, json!({"content": "198.51.100.6"})).await;
    assert_eq!((status, codes(&answer)), (400, (1004, Some(9002))));
}

#[tokio::test]
async fn the_type_of_a_record_can_change_in_place() {
    let bench = Bench::with_plan(Plan::Free);
    let id = bench.create("x", "198.51.100.4").await;
    let (_, answer) = bench.records("PATCH", &format!("/{id}"), json!({"type": "CNAME", "content": "t.example"})).await;
    assert_eq!((&answer["result"]["type"], &answer["result"]["id"]), (&json!("CNAME"), &json!(id)));
    let (status, answer) = bench.records("PATCH", &format!("/{id}"), json!({"type": "A"})).await;
    assert_eq!((status, codes(&answer)), (400, (1004, Some(9005))));
}

#[tokio::test]
async fn deleting_answers_the_id_once() {
    let bench = Bench::with_plan(Plan::Free);
    let id = bench.create("x", "198.51.100.4").await;
    let path = format!("/{id}");
    let (status, answer) = bench.records("DELETE", &path, Value::Null).await;
    assert_eq!((status, &answer["result"]), (200, &json!({"id": id})));
    for method in ["DELETE", "GET", "PATCH", "PUT"] {
        let (status, answer) = bench.records(method, &path, a("x", "198.51.100.4")).await;
        assert_eq!((status, codes(&answer)), (404, (81044, None)), "{method}");
        assert_eq!(answer["errors"][0]["message"], "Record does not exist.");
    }
}

#[tokio::test]
async fn types_with_components_keep_data_and_content_in_step() {
    let bench = Bench::with_plan(Plan::Free);
    let service = json!({"type": "SRV", "name": "_http._tcp", "data": {"priority": 1.0, "weight": 2, "port": 80, "target": "h.example"}});
    let (_, answer) = bench.records("POST", "", service).await;
    assert_eq!(answer["result"]["content"], "1 2 80 h.example");
    assert_eq!(answer["result"]["proxiable"], false);
    let path = format!("/{}", answer["result"]["id"].as_str().unwrap());
    let (_, answer) = bench.records("PATCH", &path, json!({"content": "5 6 443 i.example"})).await;
    assert_eq!(answer["result"]["data"], json!({"priority": 5, "weight": 6, "port": 443, "target": "i.example"}));
    let authority = json!({"type": "CAA", "name": "@", "data": {"flags": 0, "tag": "issue", "value": "ca.example"}});
    let (_, answer) = bench.records("POST", "", authority).await;
    assert_eq!(answer["result"]["content"], "0 issue \"ca.example\"");
    refused(&bench, json!({"type": "SRV", "name": "s"}), 400, 1004, Some(9103)).await;
    refused(&bench, json!({"type": "CAA", "name": "s", "data": {"flags": 0}}), 400, 1004, Some(9103)).await;
    refused(&bench, json!({"type": "MX", "name": "s", "content": "m.example"}), 400, 1004, Some(9101)).await;
    let mail = json!({"type": "MX", "name": "s", "content": "m.example.", "priority": 10});
    assert_eq!(bench.records("POST", "", mail).await.1["result"]["priority"], 10);
}

#[tokio::test]
async fn nonsense_is_refused_and_never_panics() {
    let bench = Bench::with_plan(Plan::Free);
    for body in [json!([]), json!("x"), json!(1), Value::Null] {
        let (status, answer) = bench.records("POST", "", body).await;
        assert_eq!((status, codes(&answer)), (400, (6007, None)));
    }
    refused(&bench, json!({}), 400, 1004, Some(9002)).await;
    refused(&bench, json!({"type": "a", "name": "x", "content": "1.2.3.4"}), 400, 1004, Some(9002)).await;
    refused(&bench, json!({"type": "A", "content": "1.2.3.4"}), 400, 1004, Some(9000)).await;
    refused(&bench, json!({"type": "A", "name": "a..b", "content": "1.2.3.4"}), 400, 1004, Some(9000)).await;
    refused(&bench, json!({"type": "TXT", "name": "x", "content": "x".repeat(5_000)}), 400, 1004, Some(9008)).await;
    let mut body = a("x", "1.2.3.4");
    body["settings"] = json!({"ipv4_only": "yes"});
    refused(&bench, body, 400, 1004, Some(9310)).await;
}
