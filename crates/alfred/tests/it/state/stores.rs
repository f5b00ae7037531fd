//! The same life of a state on each kind of store, with the real Terraform and a server that is killed in between.

use std::path::Path;
use std::thread;

use rustix::process::Signal;
use serde_json::Value;

use super::stage::{Stage, request, words};
use crate::place::Place;

/// So many apply at the same time.
const RIVALS: usize = 6;

fn live(variables: &[(&str, &str)]) {
    if !alfred_testing::terraform::is_there() {
        return;
    }
    let mut stage = Stage::with(variables);
    let token = stage.administrator();
    let all: Vec<_> = (0..RIVALS).map(|number| stage.terraform(&format!("work-{number}"), "team/a", &token)).collect();
    all[0].done("apply -auto-approve");
    let outputs: Vec<_> = thread::scope(|scope| {
        let run = |number: usize| {
            let terraform = &all[number];
            move || terraform.run(&format!("apply -auto-approve -var value=rival-{number}"))
        };
        let running: Vec<_> = (0..RIVALS).map(|number| scope.spawn(run(number))).collect();
        running.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let done = outputs.iter().filter(|output| output.status.success()).count();
    for output in outputs.iter().filter(|output| !output.status.success()) {
        assert!(words(output).contains("Error acquiring the state lock"), "{}", words(output));
    }
    assert!(done > 0);
    stage.done("state lock team/a --reason maintenance");

    stage.up.signal(Signal::KILL);
    stage.up.wait();
    let address = stage.url.strip_prefix("http://").unwrap().to_owned();
    stage.up = stage.place.start(&format!("up --local --instant --listen {address}"));
    assert!(words(&all[0].run("plan")).contains("already locked"));
    stage.done("state force-unlock team/a --yes");
    stage.done("state roll-back team/a 1 --yes");
    let plan = all[0].run("plan -detailed-exitcode");
    assert_eq!(plan.status.code(), Some(0), "{}", words(&plan));
    all[0].done("destroy -auto-approve");

    let versions = stage.told("state versions team/a");
    let versions = versions["versions"].as_array().unwrap();
    assert_eq!(versions.len(), 1 + done + 2, "{versions:?}");
    for version in versions {
        let (serial, sha256) = (&version["serial"], version["sha256"].as_str().unwrap());
        let content: Value =
            serde_json::from_str(&stage.done(&format!("state download team/a {serial}-{sha256}")).stdout).unwrap();
        assert_eq!(content["serial"], *serial);
    }
    let verified = stage.told("state verify");
    assert_eq!(verified["states"]["team/a"]["versions"], versions.len());
    stage.done("state delete team/a --yes");
    stage.done("state delete team/a --purge --yes");
    assert_eq!(stage.told("state list --all")["states"], Value::Array(Vec::new()));
}

#[test]
fn in_a_folder_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    live(&[("ALFRED_STATE", &format!("file://{}/states", folder.path().display()))]);
}

#[test]
fn in_a_sqlite_file() {
    let folder = tempfile::tempdir().unwrap();
    live(&[("ALFRED_STATE", &format!("sqlite://{}/states.sqlite", folder.path().display()))]);
}

#[test]
fn in_postgresql() {
    let server = alfred_testing::postgres::Server::shared().unwrap_or_else(|words| panic!("{words}"));
    live(&[("ALFRED_STATE", &server.create_database().unwrap())]);
}

#[test]
fn in_nats() {
    let Some(program) = alfred_testing::nats::server("state::stores::in_nats") else { return };
    let settings = alfred_testing::nats::Settings::default();
    let server = alfred_testing::nats::Server::start(Path::new(&program), &settings).unwrap();
    live(&[("ALFRED_STATE", &format!("{}/states", server.url()))]);
}

#[test]
fn in_r2() {
    let place = Place::new();
    let cloud = place.start("cloud --instant --listen 127.0.0.1:0 --dns 127.0.0.1:0 --r2 127.0.0.1:0");
    let api = cloud.told("CLOUDFLARE_API_BASE");
    let (host, base) = api.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let body = br#"{"name":"states"}"#;
    let login = format!("Bearer {}", cloud.told("CLOUDFLARE_API_TOKEN"));
    let path = format!("/{base}/accounts/{}/r2/buckets", cloud.told("CLOUDFLARE_ACCOUNT_ID"));
    let length = body.len().to_string();
    let headers =
        [("authorization", login.as_str()), ("content-type", "application/json"), ("content-length", &length)];
    let made = request(host, "POST", &path, &headers, body);
    assert_eq!(made.status, 200, "{}", made.json());
    live(&[
        ("ALFRED_STATE", "r2://states/terraform"),
        ("R2_ENDPOINT", &cloud.told("R2_ENDPOINT")),
        ("AWS_ACCESS_KEY_ID", &cloud.told("AWS_ACCESS_KEY_ID")),
        ("AWS_SECRET_ACCESS_KEY", &cloud.told("AWS_SECRET_ACCESS_KEY")),
    ]);
}
