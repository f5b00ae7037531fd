//! What is never touched, and what must be said before much is.

use alfred_local_cloud::cloudflare::{DEMO_ZONE_ID, Plan, ZoneOptions};
use alfred_model::id::{EnvironmentId, InstallationId};
use alfred_model::record::{Mark, OwnershipMark};
use serde_json::{Value, json};

use super::stage::{Stage, ZONE, full, lines, mark, mark_of, ours, stray};

fn environments(label: &str) -> Value {
    let mark = OwnershipMark {
        installation: InstallationId(uuid::Uuid::from_u128(1)),
        environment: EnvironmentId(uuid::Uuid::from_u128(2)),
    };
    let comment = Mark::Environment(mark).comment(&full(label).parse().unwrap());
    json!({"type": "A", "name": full(label), "content": "192.0.2.50", "ttl": 300, "comment": comment})
}

fn of_owner(owner: &str, label: &str) -> Value {
    json!({"type": "A", "name": full(label), "content": "192.0.2.60", "ttl": 300, "comment": mark_of(owner, label)})
}

#[test]
fn what_is_not_ours_is_told_and_left_while_the_rest_is_done() {
    let stage = Stage::new(Plan::Free);
    let copied = json!({"type": "A", "name": full("copied"), "content": "192.0.2.9", "comment": mark("web")});
    stage.plant(&[
        stray("shop", "192.0.2.9"),
        environments("env"),
        of_owner("other", "theirs"),
        copied,
        ours("old", "192.0.2.1"),
    ]);
    let before = stage.held();
    stage.file("all.txt", "shop 192.0.2.1\nenv 192.0.2.1\ntheirs 192.0.2.1\ncopied 192.0.2.1\nweb 192.0.2.1\n");

    let ended = stage.dns("apply all.txt --yes --strict");
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.stderr.contains("nothing was changed"), "{ended:?}");
    assert_eq!(stage.held(), before);

    let ended = stage.dns("apply all.txt --prune --yes");
    assert_eq!(ended.code, 3, "{ended:?}");
    for line in ["! shop A is not ours (A 192.0.2.9)", "`alfred env delete`", "! theirs A belongs to the owner `other`"]
    {
        assert!(ended.stdout.contains(line), "{line}: {ended:?}");
    }
    assert!(ended.stdout.contains("+ web A 192.0.2.1") && ended.stdout.contains("- old A 192.0.2.1"), "{ended:?}");
    let after = stage.held();
    for label in ["shop", "env", "theirs", "copied"] {
        assert_eq!(after[&full(label)], before[&full(label)], "{label} is as it was");
    }
    assert_eq!((stage.at("web"), stage.at("old").len()), (vec!["A 192.0.2.1".to_owned()], 0));

    let ended = stage.dns("apply all.txt --adopt --yes");
    assert_eq!(ended.code, 3, "an environment's record is never adopted: {ended:?}");
    assert_eq!(stage.held()[&full("env")], before[&full("env")]);
    for label in ["shop", "theirs", "copied"] {
        let held = &stage.held()[&full(label)][0];
        assert_eq!((held.content.as_str(), held.comment.clone()), ("192.0.2.1", Some(mark(label))), "{label}");
        assert_eq!(held.id, before[&full(label)][0].id, "the name was never absent");
    }
}

#[test]
fn of_several_records_at_a_name_none_is_adopted() {
    let stage = Stage::new(Plan::Free);
    stage.plant(&[stray("web", "192.0.2.8"), stray("web", "192.0.2.9")]);
    let before = stage.held();
    let ended = stage.dns("set web 192.0.2.1 --adopt");
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.one_line().contains("only a single one can be adopted"), "{ended:?}");
    assert_eq!(stage.held(), before);
}

#[test]
fn owners_do_not_see_each_other() {
    let mut stage = Stage::new(Plan::Free);
    stage.file("one.txt", "web 192.0.2.1\n");
    stage.file("two.txt", "api 192.0.2.2\n");
    assert_eq!(stage.dns("apply one.txt --prune --yes --owner one").code, 0);
    stage.place.set("ALFRED_DNS_OWNER", "two");
    assert_eq!(stage.dns("apply two.txt --prune --yes").code, 0);
    assert_eq!((stage.at("web").len(), stage.at("api").len()), (1, 1));
    let ended = stage.dns("delete web --yes");
    assert_eq!(ended.code, 1);
    assert!(ended.one_line().contains("belongs to the owner `one`: say so with `--owner one`"), "{ended:?}");
    let ended = stage.dns("list --owner Not-One");
    assert_eq!(ended.code, 2);
    assert!(ended.one_line().contains("an owner's name is"), "{ended:?}");
}

#[test]
fn too_many_deletions_change_nothing_at_all() {
    let stage = Stage::new(Plan::Free);
    stage.plant(&(0..40).map(|number| ours(&format!("own-{number}"), "192.0.2.1")).collect::<Vec<_>>());
    let before = stage.held();
    stage.file("short.txt", &format!("{}new 192.0.2.1\n", lines("own", 0..20, "192.0.2.2")));
    for (flags, most) in
        [("", "at most 12 may go"), ("--max-delete 19", "at most 19"), ("--max-delete 49%", "at most 19")]
    {
        let ended = stage.dns(&format!("apply short.txt --prune --yes {flags}"));
        assert_eq!(ended.code, 1, "{flags}: {ended:?}");
        assert!(ended.stderr.contains("the plan deletes 20 of this owner's 40 records"), "{flags}: {ended:?}");
        assert!(ended.stderr.contains(most) && ended.stderr.contains("`--max-delete 20`"), "{flags}: {ended:?}");
        assert_eq!(stage.held(), before, "{flags}");
    }
    let ended = stage.dns("plan short.txt --prune");
    assert!(ended.code == 0 && ended.stderr.contains("`alfred dns apply` would refuse this"), "{ended:?}");
    assert_eq!(stage.dns("apply short.txt --prune --yes --max-delete 50%").code, 0);
    assert_eq!(stage.held().len(), 21);
}

#[test]
fn a_checksum_lets_exactly_the_plan_pass_that_was_seen() {
    let stage = Stage::new(Plan::Free);
    stage.plant(&[ours("web", "192.0.2.1")]);
    stage.file("a.txt", "web 192.0.2.2\n");
    let (code, plan) = stage.json("plan a.txt");
    assert_eq!(code, 0);
    let checksum = plan["checksum"].as_str().unwrap().to_owned();
    assert_eq!(plan["changes"][0]["action"], "update");
    assert!(stage.dns("plan a.txt").stdout.contains(&format!("checksum {checksum}")));

    stage.file("b.txt", "web 192.0.2.3\n");
    let ended = stage.dns(&format!("apply b.txt --checksum {checksum}"));
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.stderr.contains("the plan is not the one that was approved"), "{ended:?}");
    stage.call("DELETE", &format!("/{}", stage.held()[&full("web")][0].id), &Value::Null);
    assert_eq!(stage.dns(&format!("apply a.txt --checksum {checksum}")).code, 1, "the record is another by now");
    assert!(stage.at("web").is_empty());

    let (_, plan) = stage.json("plan a.txt");
    let checksum = plan["checksum"].as_str().unwrap();
    assert_eq!(stage.dns(&format!("apply a.txt --checksum {checksum}")).code, 0);
    assert_eq!(stage.at("web"), ["A 192.0.2.2"]);
}

#[test]
fn without_a_yes_nothing_is_asked_of_anybody() {
    let stage = Stage::new(Plan::Free);
    stage.file("a.txt", "web 192.0.2.2\n");
    for (line, words) in [("apply a.txt", "add `--yes`, or `--checksum`"), ("delete web", "add `--yes`")] {
        let ended = stage.dns(line);
        assert_eq!(ended.code, 2, "{line}: {ended:?}");
        assert!(ended.one_line().contains(words), "{line}: {ended:?}");
    }
    assert!(stage.calls().is_empty());
}

#[test]
fn a_zone_without_room_is_told_before_anything_is_written() {
    let stage = Stage::with(ZoneOptions::new(DEMO_ZONE_ID, ZONE, Plan::Free));
    stage.plant(&(0..198).map(|number| stray(&format!("theirs-{number}"), "192.0.2.1")).collect::<Vec<_>>());
    stage.file("a.txt", &lines("new", 0..3, "192.0.2.1"));
    let ended = stage.dns("apply a.txt --yes");
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.stderr.contains("the zone may hold 200 records and has 198: 3 more do not fit"), "{ended:?}");
    assert_eq!(stage.calls().get("cloudflare.records.batch"), None);
    stage.file("a.txt", &lines("new", 0..2, "192.0.2.1"));
    assert_eq!(stage.dns("apply a.txt --yes").code, 0);
}

#[test]
fn a_zone_of_another_name_is_not_written_to() {
    let mut stage = Stage::new(Plan::Free);
    stage.plant(&[stray("web", "192.0.2.1")]);
    stage.place.set("ALFRED_DOMAIN", "example.org");
    stage.file("a.txt", "api 192.0.2.1\n");
    let ended = stage.dns("apply a.txt --yes");
    assert_eq!(ended.code, 2, "{ended:?}");
    assert!(ended.stderr.contains("holds `web.example.com`, which is not below `ALFRED_DOMAIN`"), "{ended:?}");
    assert_eq!(stage.held().len(), 1);
}
