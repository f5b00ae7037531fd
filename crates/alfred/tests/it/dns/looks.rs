//! Reading: what is there, whose it is, and what the servers answer.

use alfred_local_cloud::cloudflare::Plan;
use serde_json::{Value, json};

use super::stage::{Stage, full, mark_of, ours, stray};
use crate::place::Place;

#[test]
fn records_are_listed_with_their_owners() {
    let stage = Stage::new(Plan::Free);
    assert_eq!(stage.dns("list").stdout, "");
    stage.plant(&[
        ours("web", "192.0.2.1"),
        stray("shop", "192.0.2.2"),
        json!({"type": "TXT", "name": full("note"), "content": "\"x\""}),
        json!({"type": "A", "name": full("theirs"), "content": "192.0.2.3", "comment": mark_of("other", "theirs")}),
        json!({"type": "A", "name": full("copied"), "content": "192.0.2.4", "comment": mark_of("dns", "web")}),
    ]);
    let ended = stage.dns("list");
    assert_eq!(ended.stdout, "NAME  TYPE  CONTENT    TTL  OWNER\nweb   A     192.0.2.1  300  dns\n");
    let ended = stage.dns("list --all");
    let owners: Vec<(&str, &str)> = ended
        .stdout
        .lines()
        .skip(1)
        .map(|line| (line.split_whitespace().next().unwrap(), line.split_whitespace().last().unwrap()))
        .collect();
    assert_eq!(owners, [("copied", "-"), ("shop", "-"), ("theirs", "other"), ("web", "dns")]);
    let (_, listed) = stage.json("list");
    assert_eq!(listed["records"][0]["owner"], json!({"kind": "owner", "name": "dns"}));
    let (code, got) = stage.json("get note");
    assert_eq!((code, got["records"][0]["type"].as_str()), (0, Some("TXT")));
    assert!(stage.dns("get web.example.com.").stdout.contains("owner    dns"));
    let ended = stage.dns("get nothing");
    assert_eq!(ended.code, 1);
    assert!(ended.one_line().contains("`nothing.example.com` has no record"), "{ended:?}");
}

#[test]
fn records_are_set_changed_and_deleted_by_hand() {
    let stage = Stage::new(Plan::Free);
    let ended = stage.dns("set web 192.0.2.1 --ttl 600");
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.stdout.contains("+ web A 192.0.2.1 600s") && ended.stdout.contains("1 created"), "{ended:?}");
    let id = stage.held()[&full("web")][0].id.clone();
    let ended = stage.dns("set web.example.com other.example.net");
    assert!(ended.stdout.contains("~ web A 192.0.2.1 -> CNAME other.example.net, 600s -> 300s"), "{ended:?}");
    assert_eq!(stage.held()[&full("web")][0].id, id, "the name was never absent");
    assert_eq!(stage.at("web"), ["CNAME other.example.net"]);
    for (line, words) in [
        ("set web 2001:db8::1", "only A and CNAME records are kept"),
        ("set web web.example.com", "CNAME to itself"),
        ("set @ 192.0.2.1", "is not kept here"),
        ("set web.example.org 192.0.2.1", "is not in the zone"),
        ("set web 192.0.2.1 --ttl 1", "60..=86400"),
        ("get web.example.org", "is not in the zone"),
        ("delete * --yes", "is a wildcard"),
    ] {
        let ended = stage.dns(line);
        assert_eq!(ended.code, 2, "{line}: {ended:?}");
        assert!(ended.one_line().contains(words), "{line}: {ended:?}");
    }
    assert_eq!(stage.dns("set api 192.0.2.2").code, 0);
    let ended = stage.dns("delete web api nothing --yes");
    assert_eq!(ended.code, 3, "{ended:?}");
    assert!(ended.stderr.contains("`nothing.example.com` has no record"), "{ended:?}");
    assert!(stage.held().is_empty());
    assert_eq!(stage.dns("delete web --yes").code, 1);
}

#[test]
fn many_names_are_deleted_with_one_list_and_one_write() {
    let stage = Stage::new(Plan::Free);
    stage.plant(&(0..6).map(|number| ours(&format!("own-{number}"), "192.0.2.1")).collect::<Vec<Value>>());
    let ended = stage.dns("delete own-0 own-1 own-2 own-3 own-4 --yes");
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(stage.calls().values().sum::<u64>(), 2);
    assert_eq!(stage.held().len(), 1);
}

#[test]
fn a_long_plan_is_cut_unless_all_of_it_is_asked_for() {
    let stage = Stage::new(Plan::Free);
    stage.file("a.txt", &super::stage::lines("new", 0..80, "192.0.2.1"));
    let ended = stage.dns("plan a.txt");
    assert_eq!(ended.stdout.lines().filter(|line| line.starts_with('+')).count(), 50);
    assert!(ended.stdout.contains("… and 30 more: add `--all` to see them"), "{ended:?}");
    assert!(ended.stdout.contains("80 to create, 0 unchanged"), "{ended:?}");
    let ended = stage.dns("plan a.txt --all");
    assert_eq!(ended.stdout.lines().filter(|line| line.starts_with('+')).count(), 80);
    assert!(!ended.stdout.contains('\u{1b}'), "no colour where nobody sees it");
}

#[test]
fn each_server_is_asked_what_it_answers() {
    let stage = Stage::new(Plan::Free);
    stage.plant(&[
        ours("web", "192.0.2.1"),
        json!({"type": "CNAME", "name": full("www"), "content": full("web"), "ttl": 300}),
        json!({"type": "A", "name": full("proxied"), "content": "192.0.2.9", "proxied": true}),
    ]);
    for (line, code, words) in [
        ("verify web", 0, "A 192.0.2.1"),
        ("verify www", 0, "CNAME web.example.com"),
        ("verify proxied", 0, "yes"),
        ("verify nothing", 0, "no such name"),
        ("verify web --expect 192.0.2.1", 0, "yes"),
        ("verify web --expect 192.0.2.2", 1, "no"),
        ("verify www --expect 192.0.2.1", 1, "CNAME web.example.com"),
        ("verify www --expect WEB.example.com.", 0, "yes"),
        ("verify nothing --expect 192.0.2.2 --wait 1s", 1, "no such name"),
    ] {
        let ended = stage.dns(line);
        assert_eq!(ended.code, code, "{line}: {ended:?}");
        assert!(ended.stdout.contains(words) && ended.stdout.contains(&stage.dns), "{line}: {ended:?}");
    }
    let (code, told) = stage.json("verify web --expect 192.0.2.2");
    assert_eq!((code, &told["servers"][0]["right"]), (1, &Value::Bool(false)));

    let mut bare = Place::new();
    bare.set("ALFRED_DOMAIN", "example.com");
    bare.set("ALFRED_DNS_SERVER", stage.dns.clone());
    assert_eq!(bare.line("dns verify web --expect 192.0.2.1").code, 0, "no token is needed for this");
}

#[test]
fn verify_waits_until_the_servers_show_it() {
    let stage = Stage::new(Plan::Free);
    stage.cloud.cloudflare().set_publication_delay(1_500);
    assert_eq!(stage.dns("set web 192.0.2.1").code, 0);
    assert_eq!(stage.dns("verify web --wait 1m").code, 0);
}

#[test]
fn what_is_not_configured_is_named() {
    let place = Place::new();
    for line in ["dns list", "dns get web", "dns set web 192.0.2.1", "dns delete web --yes", "dns verify web"] {
        let ended = place.line(line);
        assert_eq!(ended.code, 2, "{line}: {ended:?}");
        let words = "not configured: `CLOUDFLARE_API_TOKEN`, `CLOUDFLARE_ZONE_ID`";
        assert!(ended.one_line().contains(words), "{line}: {ended:?}");
    }
    assert!(!place.data().exists(), "no data directory is made");
}

#[test]
fn a_wrong_token_is_told_in_one_line() {
    let mut stage = Stage::new(Plan::Free);
    stage.place.set("CLOUDFLARE_API_TOKEN", "wrong-and-secret");
    let ended = stage.dns("list");
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.one_line().contains("was refused") && !ended.stderr.contains("wrong-and-secret"), "{ended:?}");
}
