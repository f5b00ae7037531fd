//! Who may do what, and that each try is written down.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use rustix::process::Signal;

use super::stage::{Stage, lock, state};

const STATE: &str = "/tfstate/team/network";

#[test]
fn without_a_token_nobody_gets_in_and_terraform_is_asked_for_a_password() {
    let stage = Stage::new();
    let none = stage.raw("GET", STATE, &[], b"");
    assert_eq!((none.status, none.header("www-authenticate").unwrap()), (401, "Basic realm=\"alfred\"".to_owned()));
    let elsewhere = stage.raw("GET", "/v1/states", &[], b"");
    assert_eq!(
        (elsewhere.status, elsewhere.header("www-authenticate").unwrap()),
        (401, "Bearer realm=\"alfred\"".to_owned())
    );
    for method in ["GET", "POST", "DELETE", "LOCK", "UNLOCK"] {
        assert_eq!(stage.ask("alfred_wrong", method, STATE, b"").status, 401, "{method}");
    }
    // Basic is for Terraform alone: elsewhere a browser would offer to keep the password.
    assert_eq!(stage.ask(&stage.administrator(), "GET", "/v1/states", b"").status, 401);
}

#[test]
fn members_may_do_what_was_granted_and_each_refusal_is_in_the_log() {
    let stage = Stage::new();
    let admin = stage.administrator();
    let ada = stage.token("--user ada --label ada");
    assert_eq!(stage.ask(&admin, "POST", STATE, &state(1, "l", "one")).status, 200);
    for (method, body) in
        [("GET", Vec::new()), ("POST", state(2, "l", "two")), ("LOCK", lock("a")), ("DELETE", Vec::new())]
    {
        let refused = stage.ask(&ada, method, STATE, &body);
        assert_eq!((refused.status, refused.json()["code"].as_str()), (403, Some("state_forbidden")), "{method}");
    }
    // To whom nothing was granted, it is not there.
    assert!(stage.with_token(&ada, "state show team/network").one_line().contains("there is no state"));
    assert!(stage.with_token(&ada, "state list").stdout.is_empty());

    stage.done("state grant team/* --user ada --right read,lock");
    assert_eq!(stage.ask(&ada, "GET", STATE, b"").status, 200);
    assert_eq!(stage.ask(&ada, "LOCK", STATE, &lock("a")).status, 200);
    assert_eq!(stage.ask(&ada, "POST", &format!("{STATE}?ID=a"), &state(2, "l", "two")).status, 403);
    // Another's lock is not one's own by knowing its id.
    assert_eq!(stage.ask(&admin, "LOCK", "/tfstate/team/other", &lock("mine")).status, 200);
    assert_eq!(stage.ask(&ada, "UNLOCK", "/tfstate/team/other", &lock("mine")).status, 403);
    assert_eq!(stage.ask(&ada, "UNLOCK", STATE, &lock("a")).status, 200);
    let refused = stage.with_token(&ada, "state settings team/network --keep-versions 3");
    assert!(refused.code == 1 && refused.one_line().contains("no right to administer"), "{refused:?}");
    let refused = stage.with_token(&ada, "state grant team/network --user ada --right administer");
    assert!(refused.code == 1 && refused.one_line().contains("no right to administer"), "{refused:?}");

    stage.done("state revoke team/* --user ada");
    assert_eq!(stage.ask(&ada, "GET", STATE, b"").status, 403, "at once");
    let log = stage.told("state log --limit 1000");
    let forbidden: Vec<&str> = log["lines"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|line| line["actor"] == "ada" && line["outcome"] == "forbidden")
        .map(|line| line["action"].as_str().unwrap())
        .collect();
    let wanted = ["read", "write", "lock", "delete", "write", "force-unlock", "settings", "grant", "read"];
    assert_eq!(forbidden, wanted, "{log}");
    assert!(log["lines"][0]["remote"] == "127.0.0.1" && log["lines"][0]["token_id"].is_string(), "{log}");
}

#[test]
fn a_token_for_states_is_good_for_nothing_else() {
    let stage = Stage::new();
    let ci = stage.token("--label ci --state team/* --right read,write,lock");
    assert_eq!(stage.ask(&ci, "POST", STATE, &state(1, "l", "one")).status, 200);
    assert_eq!(stage.ask(&ci, "GET", "/tfstate/other", b"").status, 403);
    assert_eq!(stage.with_token(&ci, "state versions team/network").code, 0);
    for line in ["env list", "token list", "token create --label more", "vm list"] {
        let refused = stage.with_token(&ci, line);
        assert!(refused.code == 1 && refused.one_line().contains("good for states alone"), "{line}: {refused:?}");
    }
    for line in ["state log", "state grant * --user admin --right read", "state settings team/network --keep-days 1"] {
        let refused = stage.with_token(&ci, line);
        assert!(refused.code == 1 && refused.one_line().contains("no right"), "{line}: {refused:?}");
    }
    let refused = stage.place.line("state delete team/network --purge --yes");
    assert!(refused.code == 1 && refused.one_line().contains("not deleted"), "{refused:?}");
}

#[test]
fn rights_on_a_name_end_with_the_state_and_are_not_inherited_by_the_next_one() {
    let stage = Stage::new();
    let admin = stage.administrator();
    let (ada, ci) =
        (stage.token("--user ada --label ada"), stage.token("--label ci --state team/network --right read"));
    for (pattern, rights) in [
        ("team/network", "administer"),
        ("team/network/*", "read"),
        ("team/network-2", "read"),
        ("team/*", "write"),
        ("*", "lock"),
    ] {
        stage.done(&format!("state grant {pattern} --user ada --right {rights}"));
    }
    let patterns = || {
        let told = stage.told("state rights");
        let grants = told["grants"].as_array().unwrap();
        let mut patterns: Vec<String> =
            grants.iter().map(|grant| grant["pattern"].as_str().unwrap().to_owned()).collect();
        patterns.sort();
        patterns
    };
    assert_eq!(stage.ask(&admin, "POST", STATE, &state(1, "l", "one")).status, 200);
    let before = patterns();
    assert_eq!(before.iter().filter(|pattern| *pattern == "team/network").count(), 2, "{before:?}");

    // What is not purged keeps its rights.
    let refused = stage.with_token(&ada, "state delete team/network --purge --yes");
    assert!(refused.code == 1 && refused.one_line().contains("not deleted"), "{refused:?}");
    stage.done("state delete team/network --yes");
    assert_eq!(stage.ask(&admin, "LOCK", STATE, &lock("a")).status, 200);
    let refused = stage.with_token(&ada, "state delete team/network --purge --yes");
    assert!(refused.code == 1 && refused.one_line().contains("locked"), "{refused:?}");
    assert_eq!(stage.ask(&admin, "UNLOCK", STATE, &lock("a")).status, 200);
    assert_eq!(patterns(), before);

    assert_eq!(stage.with_token(&ada, "state delete team/network --purge --yes").code, 0);
    assert_eq!(patterns(), ["*", "team/*", "team/network-2", "team/network/*"]);
    let log = stage.told("state log team/network --limit 1000");
    let revoked = log["lines"].as_array().unwrap().iter().filter(|line| line["action"] == "revoke");
    assert!(revoked.clone().count() == 2 && revoked.clone().all(|line| line["actor"] == "ada"), "{log}");

    assert_eq!(stage.ask(&admin, "POST", STATE, &state(1, "m", "another")).status, 200);
    assert_eq!(stage.ask(&ci, "GET", STATE, b"").status, 403);
    assert_eq!(stage.ask(&ada, "GET", STATE, b"").status, 403);
}

/// Purges a state at a server that may end while it does, which the command would wait for to come back.
fn is_purged(host: &str, token: &str, state: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect(host) else { return false };
    let path = state.replace('/', "%2F");
    let head = format!("DELETE /v1/states/{path}?purge=true HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}");
    let mut answer = String::new();
    let told = write!(stream, "{head}\r\nconnection: close\r\n\r\n").and_then(|()| stream.read_to_string(&mut answer));
    told.is_ok() && answer.starts_with("HTTP/1.1 204")
}

/// Wherever a server ends that purges a state: once the state is gone, nobody has rights on just its name.
#[test]
fn rights_never_outlive_a_purge_that_was_killed() {
    let mut stage = Stage::new();
    let admin = stage.administrator();
    let listen = stage.url.strip_prefix("http://").unwrap().to_owned();
    stage.token("--user ada --label ada");
    let start = |stage: &mut Stage, crash_at: &str| {
        stage.up.signal(Signal::KILL);
        stage.up.wait();
        stage.place.set("ALFRED_CRASH_AT", crash_at);
        stage.up = stage.place.start(&format!("up --local --instant --listen {listen}"));
    };
    let log = stage.place.path().join("places");
    stage.place.set("ALFRED_CRASH_LOG", log.display().to_string());
    start(&mut stage, "");
    let passed_at_start = std::fs::read_to_string(&log).unwrap_or_default().lines().count();
    stage.place.set("ALFRED_CRASH_LOG", "");

    let (mut kills, mut kept, mut gone) = (0, 0, 0);
    for number in 1.. {
        let name = format!("team/n{number}");
        assert_eq!(stage.ask(&admin, "POST", &format!("/tfstate/{name}"), &state(1, "l", "one")).status, 200);
        stage.done(&format!("state grant {name} --user ada --right read"));
        stage.token(&format!("--label ci --state {name} --right read"));
        stage.done(&format!("state delete {name} --yes"));

        start(&mut stage, &(passed_at_start + number).to_string());
        let is_purged = is_purged(&listen, &admin, &name);
        start(&mut stage, "");
        let names = |told: serde_json::Value, list: &str, field: &str| {
            told[list].as_array().unwrap().iter().filter(|one| one[field] == *name).count()
        };
        let is_there = names(stage.told("state list --all"), "states", "name") == 1;
        let rights = names(stage.told("state rights"), "grants", "pattern");
        assert!(is_there || rights == 0, "place {number}: the state is gone, and {rights} rights on it are not");
        if is_purged {
            assert!(!is_there, "place {number}");
            break;
        }
        kills += 1;
        *(if is_there { &mut kept } else { &mut gone }) += 1;
        // An administrator ends what was begun.
        if is_there {
            stage.done(&format!("state delete {name} --purge --yes"));
            assert_eq!(names(stage.told("state rights"), "grants", "pattern"), 0, "place {number}");
        }
    }
    assert!(kills >= 8 && kept >= 4 && gone >= 1, "{kills} kills, before the purge {kept}, after it {gone}");
}

#[test]
fn members_hand_on_what_they_have_and_no_more() {
    let stage = Stage::new();
    let ada = stage.token("--user ada --label ada");
    stage.done("state grant team/* --user ada --right read,write");
    let refused = stage.with_token(&ada, "token create --label ci --state team/network --right read,lock");
    assert!(refused.code == 1 && refused.one_line().contains("cannot hand that on"), "{refused:?}");
    let refused = stage.with_token(&ada, "token create --label ci --state * --right read");
    assert!(refused.code == 1, "{refused:?}");
    let made = stage.with_token(&ada, "token create --label ci --state team/network --right read");
    let ci = made.stdout.trim();
    assert_eq!(stage.ask(ci, "GET", STATE, b"").status, 404, "it may look, and there is nothing");
    // What was handed on ends with what it came from.
    stage.done("state revoke team/* --user ada");
    assert_eq!(stage.ask(ci, "GET", STATE, b"").status, 403);
}
