//! The commands against a control plane of their own, with a local cloud beside or inside it.

use rustix::process::Signal;
use serde_json::Value;

use crate::place::{Ended, Place, Running};

/// A control plane on the local cloud, and a place from which commands find it.
fn up() -> (Place, Running) {
    let mut place = Place::new();
    let running = place.start("up --local --instant --listen 127.0.0.1:0");
    place.set("ALFRED_URL", running.told("url"));
    (place, running)
}

fn json(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:?}"))
}

#[test]
fn an_environment_is_created_shown_and_deleted() {
    let (place, _up) = up();
    let ended = place.line("env create --slug brave-tiger --wait --json");
    assert_eq!(ended.code, 0, "{ended:?}");
    let made = &json(&ended)["environments"][0];
    assert_eq!((made["slug"].as_str(), made["status"].as_str()), (Some("brave-tiger"), Some("active")));
    assert!(
        ended.stderr.contains("brave-tiger") && ended.stderr.contains("active"),
        "progress is told on stderr: {ended:?}"
    );

    let ended = place.line("env show brave-tiger");
    assert_eq!(ended.code, 0);
    assert!(ended.stdout.contains("domain   brave-tiger.alfredos.site"), "{}", ended.stdout);
    assert!(ended.stdout.contains("asked for") && ended.stdout.contains("DNS record written"), "{}", ended.stdout);

    let listed = json(&place.line("env list --json"));
    assert_eq!(listed["environments"].as_array().unwrap().len(), 1);
    let vms = json(&place.line("vm list --json"));
    assert_eq!(vms["vms"][0]["state"], "assigned");

    let ended = place.line("env delete brave-tiger --wait");
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(json(&place.line("env list --json"))["environments"].as_array().unwrap().is_empty());
    assert_eq!(json(&place.line("env list --all --json"))["environments"][0]["status"], "deleted");
    assert_eq!(json(&place.line("vm pool --json"))["vms"].as_array().unwrap().len(), 1);
    let audit = json(&place.line("audit --json"));
    assert_eq!(audit["findings"], Value::Array(Vec::new()), "{audit}");
}

#[test]
fn several_are_created_at_once() {
    let (place, _up) = up();
    let ended = place.line("env create --count 5 --wait --quiet");
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.stderr.is_empty(), "quiet is quiet: {ended:?}");
    assert_eq!(ended.stdout.lines().filter(|line| line.contains(" active ")).count(), 5, "{}", ended.stdout);
}

#[test]
fn a_taken_slug_and_an_unknown_one_are_told_by_the_server() {
    let (place, _up) = up();
    assert_eq!(place.line("env create --slug brave-tiger").code, 0);
    let ended = place.line("env create --slug brave-tiger");
    assert_eq!(ended.code, 1);
    assert!(ended.one_line().contains("`brave-tiger` is taken"), "{ended:?}");
    let ended = place.line("env show calm-owl");
    assert_eq!(ended.code, 1);
    assert!(ended.one_line().contains("`alfred env list --all` shows yours"), "{ended:?}");
    let ended = place.line("env delete brave-tiger calm-owl --yes");
    assert_eq!(ended.code, 3, "one was deleted, one was not: {ended:?}");
    assert!(ended.stderr.contains("`calm-owl`"), "{ended:?}");
    let ended = place.line("env delete calm-owl quick-fox --yes");
    assert_eq!(ended.code, 1, "{ended:?}");
}

#[test]
fn what_fails_for_good_is_told_with_its_reason() {
    let mut place = Place::new();
    let up = place.start_with_fault("POST /v1/compute/instances status=402 count=1000");
    place.set("ALFRED_URL", up.told("url"));
    let ended = place.line("env create --slug brave-tiger --wait");
    assert_eq!(ended.code, 1, "{ended:?}");
    let last = ended.stderr.lines().last().unwrap_or_default();
    assert!(last.starts_with("error: 0 of 1 are active; `brave-tiger` is not: "), "{ended:?}");
}

#[test]
fn tokens_are_made_used_and_withdrawn() {
    let (mut place, _up) = up();
    let ended = place.line("token create --user ada --label laptop --days 2");
    assert_eq!(ended.code, 0, "{ended:?}");
    let secret = ended.stdout.trim().to_owned();
    assert!(secret.starts_with("alfred_") && !ended.stderr.contains(&secret), "{ended:?}");
    let listed = json(&place.line("token list --json"));
    let token = listed["tokens"].as_array().unwrap().iter().find(|token| token["user"] == "ada").unwrap().clone();
    assert!(token["expires_at"].is_string(), "{token}");

    let administrator = place.data().join("admin-token").display().to_string();
    place.set("ALFRED_TOKEN", secret);
    assert_eq!(place.line("env create --slug her-own").code, 0);
    assert_eq!(json(&place.line("env list --json"))["environments"][0]["owner"], "ada");
    let ended = place.line("audit");
    assert_eq!(ended.code, 1);
    assert!(ended.one_line().contains("administrator"), "{ended:?}");

    let revoke = format!("--token-file {administrator} token revoke {}", token["id"].as_str().unwrap());
    assert_eq!(place.line(&revoke).code, 0);
    let ended = place.line("env list");
    assert_eq!(ended.code, 1);
    assert!(ended.one_line().contains("give a token with `ALFRED_TOKEN` or `--token-file`"), "{ended:?}");
}

#[test]
fn a_restart_meets_the_same_world() {
    let (mut place, mut first) = up();
    assert_eq!(place.line("env create --slug brave-tiger --wait").code, 0);
    first.signal(Signal::INT);
    assert_eq!(first.wait(), Some(0), "{}", first.stderr());
    assert!(first.stderr().contains("stopping"), "{}", first.stderr());
    let second = place.start("up --local --instant --listen 127.0.0.1:0");
    place.set("ALFRED_URL", second.told("url"));
    let listed = json(&place.line("env list --json"));
    assert_eq!(listed["environments"][0]["status"], "active", "{listed}");
    let audit = json(&place.line("audit --json"));
    assert_eq!((audit["records"].as_u64(), audit["instances"].as_u64()), (Some(1), Some(1)), "{audit}");
    assert_eq!(audit["findings"], Value::Array(Vec::new()), "{audit}");
}

/// The same commands with credentials and endpoints from the environment, as for the real platforms.
#[test]
fn the_local_cloud_alone_serves_a_control_plane_with_credentials() {
    let cloud = Place::new();
    let running =
        cloud.start("cloud --instant --listen 127.0.0.1:0 --dns 127.0.0.1:0 --r2 127.0.0.1:0 --state world.json");
    let mut place = Place::new();
    place.point_at(&running);
    let mut up = place.start("up --listen 127.0.0.1:0 --verbose");
    let said = up.stderr();
    assert!(said.contains("the token may edit the zone") && said.contains("contabo: the login works"), "{said}");
    up.signal(Signal::TERM);
    assert_eq!(up.wait(), Some(0));

    for (name, value, words) in [
        ("CLOUDFLARE_API_TOKEN", "wrong", "`CLOUDFLARE_API_TOKEN` does not work"),
        ("CONTABO_API_PASSWORD", "wrong", "Contabo's login does not work"),
        ("ALFRED_DOMAIN", "example.com", "is the zone `alfredos.site`, but `ALFRED_DOMAIN` is `example.com`"),
    ] {
        let right = running.told(name);
        place.set(name, value);
        let ended = place.line("up --listen 127.0.0.1:0");
        assert_eq!(ended.code, 1, "{name}: {ended:?}");
        assert!(ended.one_line().contains(words), "{name}: {ended:?}");
        place.set(name, right);
    }
}
