//! Many environments of one request: what is told of each, and what an interruption costs.

use rustix::process::Signal;
use serde_json::Value;

use crate::place::{Ended, Place, Running};

fn json(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:?}"))
}

fn statuses(document: &Value) -> Vec<&str> {
    let environments = document["environments"].as_array().unwrap();
    environments.iter().map(|environment| environment["status"].as_str().unwrap()).collect()
}

/// The batch that was told in `alfred env watch --batch ID`.
fn batch(told: &str) -> String {
    let id: String = told.split("--batch ").nth(1).unwrap_or_else(|| panic!("{told}")).chars().take(36).collect();
    id
}

#[test]
fn a_batch_is_made_listed_and_watched_by_its_id() {
    let (place, _up) = up();
    let ended = place.line("env create --count 12 --wait --json");
    assert_eq!(ended.code, 0, "{ended:?}");
    let made = json(&ended);
    assert_eq!(statuses(&made), ["active"; 12]);
    let id = made["batch"].as_str().unwrap();
    for environment in made["environments"].as_array().unwrap() {
        assert_eq!(environment["batch"], id);
        assert!(
            environment["slug"].is_string() && environment["address"].is_string() && environment["reason"].is_null()
        );
        let slug = environment["slug"].as_str().unwrap();
        assert!(ended.stderr.contains(slug), "progress of each is told: {ended:?}");
    }
    assert_eq!(place.line("env create --slug another --wait --quiet").code, 0);
    let listed = json(&place.line(&format!("env list --batch {id} --json")));
    assert_eq!(listed["environments"].as_array().unwrap().len(), 12);
    let again = place.line(&format!("env watch --batch {id} --json"));
    assert_eq!((again.code, statuses(&json(&again))), (0, vec!["active"; 12]), "what is done is told at once");
    let unknown = place.line("env watch --batch 01926f3c-7a1b-7c3d-9e4f-5a6b7c8d9e00");
    assert_eq!(unknown.code, 1);
    assert!(unknown.one_line().contains("there are no environments of the request"), "{unknown:?}");
}

#[test]
fn a_batch_that_fails_in_part_tells_each_and_ends_with_3() {
    let mut place = Place::new();
    place.set("ALFRED_VM_LIMIT", "2");
    let running = place.start_with_fault("POST /v1/compute/instances status=422 nth=2");
    place.set("ALFRED_URL", running.told("url"));
    let ended = place.line("env create --count 2 --wait --json");
    assert_eq!(ended.code, 3, "{ended:?}");
    let made = json(&ended);
    let mut found = statuses(&made);
    found.sort_unstable();
    assert_eq!(found, ["active", "error"]);
    let failed = made["environments"].as_array().unwrap().iter().find(|one| one["status"] == "error").unwrap();
    assert!(failed["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{failed}");
    let last = ended.stderr.lines().last().unwrap_or_default();
    assert!(last.starts_with("error: 1 of 2 are active; "), "{ended:?}");
    let again = place.line(&format!("env watch --batch {}", made["batch"].as_str().unwrap()));
    assert_eq!(again.code, 3, "whoever watches again gets the same answer: {again:?}");
    let lines = |word: &str| again.stdout.lines().filter(|line| line.contains(word)).count();
    assert_eq!((lines(" active "), lines(" error ")), (1, 1), "{}", again.stdout);
}

#[test]
fn an_interruption_loses_nothing_and_says_how_to_go_on() {
    let mut place = Place::new();
    // Nothing is ready before the server is told that there may be VMs.
    place.set("ALFRED_VM_LIMIT", "0");
    let mut running = place.start("up --local --instant --listen 127.0.0.1:0");
    place.set("ALFRED_URL", running.told("url"));
    let mut creating = place.start_in_background("env create --count 3 --wait");
    let waits = || creating.stderr().matches("taking a VM from the pool").count() >= 3;
    assert!(eventually(waits), "{}", creating.stderr());
    creating.signal(Signal::INT);
    assert_eq!(creating.wait(), Some(3), "{}", creating.stderr());
    let said = creating.stderr();
    assert!(said.contains("nothing is lost") && said.contains("`alfred env watch --batch "), "{said}");
    let id = batch(&said);

    running.signal(Signal::INT);
    assert_eq!(running.wait(), Some(0));
    place.set("ALFRED_VM_LIMIT", "10");
    let second = place.start("up --local --instant --listen 127.0.0.1:0");
    place.set("ALFRED_URL", second.told("url"));
    let ended = place.line(&format!("env watch --batch {id} --json"));
    assert_eq!((ended.code, statuses(&json(&ended))), (0, vec!["active"; 3]), "{ended:?}");
}

#[test]
fn several_are_watched_until_they_are_gone() {
    let (place, _up) = up();
    for slug in ["brave-tiger", "calm-owl", "quick-fox"] {
        assert_eq!(place.line(&format!("env create --slug {slug} --wait --quiet")).code, 0);
    }
    let mut watching = place.start_in_background("env watch brave-tiger calm-owl");
    let told = || watching.stderr().matches("Ctrl-C ends").count() == 2;
    assert!(eventually(told), "{}", watching.stderr());
    assert_eq!(place.line("env delete quick-fox brave-tiger --yes --wait --quiet").code, 0);
    assert_eq!(place.line("env delete calm-owl --wait --quiet").code, 0);
    assert_eq!(watching.wait(), Some(0), "{}", watching.stderr());
}

#[test]
fn a_quota_is_told_before_it_hurts_and_then_refuses_all_or_none() {
    let mut place = Place::new();
    place.set("ALFRED_QUOTA", "5");
    let running = place.start("up --local --instant --listen 127.0.0.1:0");
    place.set("ALFRED_URL", running.told("url"));
    let quiet = place.line("env create --count 3");
    assert!(quiet.code == 0 && !quiet.stderr.contains("are used"), "{quiet:?}");
    let near = place.line("env create --json");
    assert!(near.stderr.contains("4 of 5 environments of `admin` are used"), "{near:?}");
    assert_eq!((json(&near)["quota"]["used"].as_u64(), json(&near)["quota"]["limit"].as_u64()), (Some(4), Some(5)));
    let over = place.line("env create --count 2");
    assert_eq!(over.code, 1);
    assert!(over.one_line().contains("`admin` has 4 of 5 environments and asked for 2 more"), "{over:?}");
    let listed = place.line("env list");
    assert_eq!(listed.stdout.lines().count(), 5, "a header and four: {listed:?}");
    assert!(listed.stderr.contains("4 of 5"), "{listed:?}");

    assert_eq!(place.line("env quota admin --set 6").code, 0);
    assert_eq!(place.line("env create --count 2").code, 0);
    let shown = json(&place.line("env quota --json"));
    assert_eq!(
        (shown["used"].as_u64(), shown["limit"].as_u64(), shown["own"].as_bool()),
        (Some(6), Some(6), Some(true))
    );
    let cleared = place.line("env quota admin --clear");
    assert!(cleared.stdout.contains("admin: 6 of 5 environments (the quota of all)"), "{cleared:?}");
    assert!(place.line("env quota nobody").one_line().contains("there is no user `nobody`"));

    let token = place.line("token create --user ada --label laptop");
    place.set("ALFRED_TOKEN", token.stdout.trim());
    assert!(place.line("env quota").stdout.contains("ada: 0 of 5 environments"));
    for refused in ["env quota admin", "env quota ada --set 50"] {
        let ended = place.line(refused);
        assert!(ended.code == 1 && ended.one_line().contains("administrator"), "{ended:?}");
    }
}

fn up() -> (Place, Running) {
    let mut place = Place::new();
    let running = place.start("up --local --instant --listen 127.0.0.1:0");
    place.set("ALFRED_URL", running.told("url"));
    (place, running)
}

/// Whether something comes true before nobody would wait any more.
fn eventually(mut is_so: impl FnMut() -> bool) -> bool {
    for _ in 0..1_200 {
        if is_so() {
            return true;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    false
}
