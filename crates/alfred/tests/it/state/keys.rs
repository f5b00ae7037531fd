//! Encryption at rest, and the keys of it.

use super::stage::{Stage, base64, state};

fn files(folder: &std::path::Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        all.extend(if path.is_dir() { files(&path) } else { std::fs::read(path).unwrap() });
    }
    all
}

#[test]
fn with_a_key_nothing_of_a_content_is_on_the_disk_and_a_missing_key_is_named() {
    let key = base64(&[7; 32]);
    let mut stage = Stage::with(&[("ALFRED_STATE_KEYS", &format!("year-2026:{key}"))]);
    let token = stage.administrator();
    assert_eq!(stage.ask(&token, "POST", "/tfstate/a", &state(1, "l", "the-plain-value")).status, 200);
    assert_eq!(stage.ask(&token, "GET", "/tfstate/a", b"").body, state(1, "l", "the-plain-value"));
    assert!(stage.done("state show a").stdout.contains("encrypted with the key `year-2026`"));
    let stored = files(&stage.place.data().join("states"));
    assert!(!stored.is_empty() && !stored.windows(15).any(|part| part == b"the-plain-value"));

    // Other keys: the new one writes, and what the old one wrote cannot be read and is not taken for lost.
    stage.up.signal(rustix::process::Signal::TERM);
    stage.up.wait();
    stage.place.set("ALFRED_STATE_KEYS", format!("year-2027:{}", base64(&[8; 32])));
    let address = stage.url.strip_prefix("http://").unwrap().to_owned();
    stage.up = stage.place.start(&format!("up --local --instant --listen {address}"));
    let refused = stage.ask(&token, "GET", "/tfstate/a", b"");
    let detail = refused.json()["detail"].as_str().unwrap().to_owned();
    assert_eq!(refused.status, 500);
    assert!(detail.contains("`year-2026`") && detail.contains("ALFRED_STATE_KEYS"), "{detail}");
    let verify = stage.place.line("state verify a");
    assert!(verify.code == 1 && verify.stdout.contains("year-2026"), "{verify:?}");
    assert!(!verify.stdout.contains(&key) && !stage.up.stderr().contains(&key));
}

#[test]
fn keys_are_never_shown_and_bad_ones_are_refused_at_the_start() {
    let key = base64(&[7; 32]);
    let stage = Stage::with(&[("ALFRED_STATE_KEYS", &format!("a:{key}"))]);
    let shown = stage.done("config show --json").stdout;
    assert!(shown.contains("********") && !shown.contains(&key), "{shown}");
    for (name, value, words) in [
        ("ALFRED_STATE_KEYS", "not-a-key-at-all", "entry 1"),
        ("ALFRED_STATE_KEYS", "a:c2hvcnQ=", "openssl rand -base64 32"),
        ("ALFRED_STATE_SIZE_MAX", "a lot", "256MiB"),
        ("ALFRED_STATE_SIZE_MAX", "1", "1KiB"),
        ("ALFRED_STATE", "here/there", "an absolute path"),
        ("ALFRED_STATE_MIRROR", "here/there", "an absolute path"),
        ("ALFRED_STATE_KEEP_VERSIONS", "0", "a number from 1 on"),
        ("ALFRED_STATE_KEEP_DAYS", "week", "a number from 1 on"),
    ] {
        let mut place = crate::place::Place::new();
        place.set(name, value);
        let ended = place.line("up --local --instant --listen 127.0.0.1:0");
        assert_eq!(ended.code, 2, "{name}={value}: {ended:?}");
        let line = ended.stderr.lines().last().unwrap_or_default();
        assert!(line.starts_with("error: ") && line.contains(words) && line.contains(name), "{name}={value}: {line}");
    }
}
