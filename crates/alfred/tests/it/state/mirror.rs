//! Two stores of states, and moving states between stores.

use rustix::process::Signal;
use serde_json::Value;

use super::stage::Stage;

fn content(serial: u64, value: &str) -> Vec<u8> {
    format!(r#"{{"version":4,"serial":{serial},"lineage":"l","outputs":{{}},"x":"{value}"}}"#).into_bytes()
}

/// Looks at the mirror until the secondary store has everything.
fn await_in_step(stage: &Stage) -> Value {
    for _ in 0..400 {
        let mirror = stage.told("state mirror");
        if mirror["behind"].is_null() {
            return mirror;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("the mirror never was in step: {}", stage.up.stderr());
}

#[test]
fn a_state_is_in_both_stores_and_goes_on_in_either() {
    let folder = tempfile::tempdir().unwrap();
    let second = format!("sqlite://{}/second.sqlite", folder.path().display());
    let mut stage = Stage::with(&[("ALFRED_STATE_MIRROR", &second)]);
    let token = stage.administrator();
    let write = |stage: &Stage, serial| stage.ask(&token, "POST", "/tfstate/team/a", &content(serial, "v")).status;
    assert_eq!(write(&stage, 1), 200);
    let mirror = await_in_step(&stage);
    assert!(mirror["primary"].as_str().unwrap().starts_with("folder "), "{mirror}");
    assert!(mirror["secondary"].as_str().unwrap().starts_with("sqlite "), "{mirror}");
    let refused = stage.place.line("state switch");
    assert_eq!(refused.code, 2, "nobody can be asked: {refused:?}");

    let switched = stage.told("state switch --trial 30m --max-errors 20 --yes");
    assert!(switched["primary"].as_str().unwrap().starts_with("sqlite "), "{switched}");
    assert!(switched["trial_until"].is_string() && switched["behind"].is_null(), "{switched}");
    assert_eq!(write(&stage, 2), 200);
    assert_eq!(stage.told("state log")["lines"][1]["action"], "switch");

    // What counts is known to the next process as well, and a store that is no longer configured is named.
    stage.up.signal(Signal::KILL);
    stage.up.wait();
    stage.up = stage.place.start("up --local --instant --listen 127.0.0.1:0");
    stage.url = stage.up.told("url");
    stage.place.set("ALFRED_URL", stage.url.clone());
    assert_eq!(stage.ask(&token, "GET", "/tfstate/team/a", b"").body, content(2, "v"));
    stage.up.signal(Signal::KILL);
    stage.up.wait();
    stage.place.set("ALFRED_STATE_MIRROR", "");
    let alone = stage.place.line("up --local --instant --listen 127.0.0.1:0");
    assert_eq!(alone.code, 2, "the store that follows is not taken for the one that counts: {alone:?}");
    assert!(alone.stderr.contains("second.sqlite"), "{alone:?}");
    stage.place.set("ALFRED_STATE_MIRROR", second);
    stage.up = stage.place.start("up --local --instant --listen 127.0.0.1:0");
    stage.url = stage.up.told("url");
    stage.place.set("ALFRED_URL", stage.url.clone());
    stage.told("state switch --yes");
    assert_eq!(stage.ask(&token, "GET", "/tfstate/team/a", b"").body, content(2, "v"));
    assert_eq!(write(&stage, 3), 200);
    assert_eq!(stage.told("state verify")["states"]["team/a"]["versions"], 3);
}

#[test]
fn without_a_second_store_there_is_no_mirror() {
    let stage = Stage::new();
    for line in ["state mirror", "state switch --yes"] {
        let ended = stage.place.line(line);
        assert_eq!(ended.code, 1, "{line}: {ended:?}");
        assert!(ended.one_line().contains("ALFRED_STATE_MIRROR"), "{line}: {ended:?}");
    }
    let folder = stage.place.data().join("states");
    let mut same = crate::place::Place::new();
    same.set("ALFRED_STATE", folder.display().to_string());
    same.set("ALFRED_STATE_MIRROR", folder.display().to_string());
    let ended = same.line("up --local --instant --listen 127.0.0.1:0");
    assert_eq!(ended.code, 2, "{ended:?}");
    assert!(ended.stderr.contains("are the same"), "{ended:?}");
}

#[test]
fn states_move_with_all_versions_and_terraform_goes_on() {
    if !alfred_testing::terraform::is_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let target = format!("sqlite://{}/moved.sqlite", folder.path().display());
    let mut stage = Stage::new();
    let token = stage.administrator();
    let terraform = stage.terraform("work", "team/a", &token);
    terraform.done("apply -auto-approve");
    terraform.done("apply -auto-approve -var value=two");
    let versions = stage.told("state versions team/a")["versions"].clone();
    let lineage = versions[0]["lineage"].clone();
    stage.up.signal(Signal::TERM);
    stage.up.wait();

    let source = stage.place.data().join("states");
    let line = format!("state migrate {} {target} --json", source.display());
    let moved = stage.done(&line);
    let moved: Value = serde_json::from_str(&moved.stdout).unwrap();
    assert_eq!(moved["states"]["team/a"]["versions"], 2, "{moved}");
    assert_eq!(moved["states"]["team/a"]["copied"], 2, "{moved}");
    let again: Value = serde_json::from_str(&stage.done(&line).stdout).unwrap();
    assert_eq!(again["states"]["team/a"]["copied"], 0, "{again}");

    // The old store takes nothing any more, and says where to look.
    let listen = stage.url.strip_prefix("http://").unwrap().to_owned();
    stage.up = stage.place.start(&format!("up --local --instant --listen {listen}"));
    let closed = stage.ask(&token, "POST", "/tfstate/team/a", &content(9, "v"));
    assert_eq!(closed.status, 503);
    assert!(closed.json()["detail"].as_str().unwrap().contains("moved.sqlite"), "{}", closed.json());
    stage.up.signal(Signal::TERM);
    stage.up.wait();

    stage.place.set("ALFRED_STATE", target);
    stage.up = stage.place.start(&format!("up --local --instant --listen {listen}"));
    assert_eq!(stage.told("state versions team/a")["versions"], versions, "bit for bit the same versions");
    let plan = terraform.run("plan -detailed-exitcode -var value=two");
    assert_eq!(plan.status.code(), Some(0), "{}", super::stage::words(&plan));
    terraform.done("apply -auto-approve -var value=three");
    assert_eq!(stage.told("state show team/a")["newest"]["lineage"], lineage);
}

#[test]
fn single_states_are_taken_in_from_a_file_and_from_an_address() {
    let stage = Stage::new();
    let token = stage.administrator();
    let file = stage.place.file("terraform.tfstate", &String::from_utf8(content(41, "f")).unwrap(), 0o600);
    let target = stage.place.path().join("moved");
    let ended = stage.place.line(&format!("state migrate {} {}", file.display(), target.display()));
    assert_eq!(ended.code, 2, "it needs a name: {ended:?}");
    stage.done(&format!("state migrate {} {} --state from/file", file.display(), target.display()));

    assert_eq!(stage.ask(&token, "POST", "/tfstate/team/a", &content(7, "h")).status, 200);
    let mut place = crate::place::Place::new();
    place.set("TF_HTTP_USERNAME", "alfred");
    place.set("TF_HTTP_PASSWORD", token);
    let source = format!("{}/tfstate/team/a", stage.url);
    let ended = place.line(&format!("state migrate {source} {} --state from/http --json", target.display()));
    assert_eq!(ended.code, 0, "{ended:?}");
    let other = Stage::with(&[("ALFRED_STATE", &target.display().to_string())]);
    let token = other.administrator();
    assert_eq!(other.ask(&token, "GET", "/tfstate/from/file", b"").body, content(41, "f"));
    assert_eq!(other.ask(&token, "GET", "/tfstate/from/http", b"").body, content(7, "h"));
}
