//! The real Terraform.

use std::thread;

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;

use super::stage::{Stage, words};

fn serials(stage: &Stage, name: &str) -> Vec<u64> {
    let versions = stage.told(&format!("state versions {name}"));
    versions["versions"].as_array().unwrap().iter().map(|version| version["serial"].as_u64().unwrap()).collect()
}

#[test]
fn a_whole_life_from_init_to_destroy() {
    if !alfred_testing::terraform::is_there() {
        return;
    }
    let stage = Stage::new();
    let token = stage.token("--label terraform --state team/*");
    let terraform = stage.terraform("work", "team/network", &token);
    terraform.done("apply -auto-approve");
    terraform.done("apply -auto-approve -var value=two -var hidden=another-hidden");
    let plan = terraform.run("plan -detailed-exitcode -var value=two -var hidden=another-hidden");
    assert_eq!(plan.status.code(), Some(0), "{}", words(&plan));
    assert_eq!(serials(&stage, "team/network"), [2, 1]);

    let shown = stage.done("state diff team/network").stdout;
    assert!(shown.contains("~ terraform_data.thing[\"x\"]"), "{shown}");
    assert!(shown.contains("input.plain: \"one\" -> \"two\"") && shown.contains("input.password: (hidden)"), "{shown}");
    assert!(!shown.contains("hidden-value") && !shown.contains("another-hidden"), "{shown}");

    // What was downloaded is what Terraform pulls, and an older one cannot be pushed over a newer.
    let pulled: Value = serde_json::from_str(&terraform.done("state pull")).unwrap();
    stage.done("state download team/network --output two.tfstate");
    let downloaded = std::fs::read(stage.place.path().join("two.tfstate")).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&downloaded).unwrap(), pulled);
    stage.done("state download team/network 1 --output one.tfstate");
    let pushed = terraform.run("state push ../one.tfstate");
    assert!(!pushed.status.success() && words(&pushed).contains("serial"), "{}", words(&pushed));

    // Back to the first, which Terraform then sees as a change.
    stage.done("state roll-back team/network 1 --yes");
    assert_eq!(serials(&stage, "team/network"), [3, 2, 1]);
    let plan = terraform.run("plan -detailed-exitcode");
    assert_eq!(plan.status.code(), Some(0), "{}", words(&plan));
    terraform.done("destroy -auto-approve");
    assert_eq!(stage.told("state show team/network")["newest"]["serial"], 4);
    assert!(stage.done("state verify team/network").stdout.contains("team/network  4 "));

    let log = stage.told("state log team/network --limit 1000");
    for action in ["read", "lock", "write", "unlock", "roll-back", "verify"] {
        let count = log["lines"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|line| line["action"] == action && line["outcome"] == "done")
            .count();
        assert!(count > 0, "{action}: {log}");
    }
    assert!(!log.to_string().contains("hidden-value"));
}

#[test]
fn of_many_at_once_one_writes_at_a_time_and_none_is_lost() {
    const COUNT: usize = 12;
    // Terraform asks for a lock that it waits for after 1, 2, 4, 8 and 16 seconds.
    const PATIENT: usize = 3;
    if !alfred_testing::terraform::is_there() {
        return;
    }
    let stage = Stage::new();
    let token = stage.administrator();
    let all: Vec<_> = (0..COUNT).map(|number| stage.terraform(&format!("work-{number}"), "shared", &token)).collect();
    let apply = |count: usize, options: &str| -> Vec<_> {
        thread::scope(|scope| {
            let running: Vec<_> = all
                .iter()
                .take(count)
                .enumerate()
                .map(|(number, terraform)| {
                    scope.spawn(move || {
                        terraform.run(&format!("apply -auto-approve -var value={options}{number} {options}"))
                    })
                })
                .collect();
            running.into_iter().map(|one| one.join().unwrap()).collect()
        })
    };
    // Those who do not wait are told who has the lock; each who got it has written a version.
    let outputs = apply(COUNT, "-lock-timeout=0s");
    let done = outputs.iter().filter(|output| output.status.success()).count();
    for output in outputs.iter().filter(|output| !output.status.success()) {
        assert!(words(output).contains("Error acquiring the state lock"), "{}", words(output));
    }
    assert!(done > 0);
    assert_eq!(serials(&stage, "shared").len(), done);
    // Those who wait all write.
    let outputs = apply(PATIENT, "-lock-timeout=300s");
    for output in &outputs {
        assert!(output.status.success(), "{}", words(output));
    }
    assert_eq!(serials(&stage, "shared").len(), done + PATIENT);
    assert!(stage.told("state show shared")["lock"].is_null());
}

#[test]
fn the_lock_of_a_killed_terraform_is_shown_and_taken_away_by_whoever_may() {
    if !alfred_testing::terraform::is_there() {
        return;
    }
    let stage = Stage::new();
    let token = stage.token("--label ci --state work --right read,write,lock");
    let terraform = stage.terraform("work", "work", &token);
    let mut killed = terraform.start("apply -auto-approve -var wait=600");
    let lock = loop {
        // Nothing is there before the lock is; a test that never sees one hangs, and is ended by the runner.
        let ended = stage.place.line("state show work --json");
        let lock = serde_json::from_str::<Value>(&ended.stdout).map(|state| state["lock"].clone()).unwrap_or_default();
        if !lock.is_null() {
            break lock;
        }
    };
    kill_process_group(Pid::from_child(&killed), Signal::KILL).unwrap();
    killed.wait().unwrap();
    assert_eq!((&lock["operation"], &lock["written_at"]), (&"OperationTypeApply".into(), &Value::Null));
    let list = stage.done("state list").stdout;
    assert!(list.contains("no write yet"), "{list}");

    let plan = terraform.run("plan");
    let id = lock["id"].as_str().unwrap();
    assert!(!plan.status.success() && words(&plan).contains(id), "{}", words(&plan));

    // Terraform's own force-unlock sends no id: it needs the right, and each try is written down.
    let refused = terraform.run(&format!("force-unlock -force {id}"));
    assert!(!refused.status.success() && words(&refused).contains("403"), "{}", words(&refused));
    let tokens = stage.told("token list");
    let ci = tokens["tokens"].as_array().unwrap().iter().find(|token| token["label"] == "ci").unwrap();
    let ci = ci["id"].as_str().unwrap();
    stage.done(&format!("state grant work --token {ci} --right read,write,lock,force-unlock"));
    terraform.done(&format!("force-unlock -force {id}"));
    assert!(stage.told("state show work")["lock"].is_null());
    terraform.done("apply -auto-approve");
    let log = stage.told("state log work --limit 1000");
    let outcomes: Vec<_> = log["lines"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|line| line["action"] == "force-unlock")
        .map(|line| line["outcome"].as_str().unwrap())
        .collect();
    assert_eq!(outcomes, ["forbidden", "done"]);
}

#[test]
fn a_server_that_is_killed_and_started_again_has_every_version_and_the_lock() {
    if !alfred_testing::terraform::is_there() {
        return;
    }
    let mut stage = Stage::new();
    let token = stage.administrator();
    let terraform = stage.terraform("work", "work", &token);
    terraform.done("apply -auto-approve");
    stage.done("state lock work --reason maintenance");
    stage.up.signal(Signal::KILL);
    stage.up.wait();
    let address = stage.url.strip_prefix("http://").unwrap().to_owned();
    stage.up = stage.place.start(&format!("up --local --instant --listen {address}"));
    assert_eq!(serials(&stage, "work"), [1]);
    let shown = stage.told("state show work");
    assert_eq!(shown["lock"]["info"], "maintenance", "{shown}");
    assert!(!terraform.run("plan").status.success());
    stage.done("state force-unlock work --yes");
    terraform.done("apply -auto-approve -var value=two");
}
