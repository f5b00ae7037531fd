//! Where values come from, as `alfred config show` tells it, and what is refused.

use serde_json::Value;

use crate::place::Place;

fn shown(place: &Place, flags: &str) -> Value {
    let ended = place.line(&format!("{flags} config show --json"));
    assert_eq!(ended.code, 0, "{ended:?}");
    serde_json::from_str(&ended.stdout).unwrap()
}

#[test]
fn flags_go_before_the_environment_before_files_before_defaults() {
    let mut place = Place::new();
    assert_eq!(shown(&place, "")["url"]["value"], "http://127.0.0.1:7070");
    assert_eq!(shown(&place, "")["url"]["origin"], "default");
    place.file("alfred.toml", "region = 'US-east'\nurl = 'http://toml'\n", 0o644);
    assert_eq!(shown(&place, "")["url"]["value"], "http://toml");
    assert!(shown(&place, "")["url"]["origin"].as_str().unwrap().ends_with("alfred.toml:2"));
    place.file(".env.server", "ALFRED_URL=http://file\n", 0o600);
    assert_eq!(shown(&place, "")["url"]["value"], "http://file");
    assert!(shown(&place, "")["url"]["origin"].as_str().unwrap().ends_with(".env.server:1"));
    place.set("ALFRED_URL", "http://environment");
    assert_eq!(shown(&place, "")["url"]["value"], "http://environment");
    assert_eq!(shown(&place, "")["url"]["origin"], "environment");
    assert_eq!(shown(&place, "--url http://flag")["url"]["value"], "http://flag");
    assert_eq!(shown(&place, "--url http://flag")["url"]["origin"], "flag");
    assert_eq!(shown(&place, "")["region"]["value"], "US-east");
}

#[test]
fn secrets_are_masked_in_both_forms() {
    let mut place = Place::new();
    place.file("password", "hunter2\n", 0o600);
    place.set("CLOUDFLARE_API_TOKEN", "hunter2");
    place.set("CONTABO_API_PASSWORD_FILE", "password");
    place.set("ALFRED_DATABASE_URL", "postgres://alfred:hunter2@db.internal/alfred");
    for line in ["config show", "config show --json", "config show --verbose"] {
        let ended = place.line(line);
        assert_eq!(ended.code, 0);
        assert!(!ended.stdout.contains("hunter2") && !ended.stderr.contains("hunter2"), "{ended:?}");
        assert!(ended.stdout.contains("********") && ended.stdout.contains("db.internal"), "{ended:?}");
    }
    assert_eq!(shown(&place, "")["contabo_api_password"]["origin"], "file password");
}

#[test]
fn a_file_of_secrets_that_others_may_read_is_refused_with_the_cure() {
    let place = Place::new();
    place.file(".env.server", "CLOUDFLARE_API_TOKEN=hunter2\n", 0o644);
    let ended = place.line("config show");
    assert_eq!(ended.code, 2);
    assert!(ended.one_line().contains("has mode 0644") && ended.one_line().contains("chmod 600"), "{ended:?}");
    assert!(!ended.stderr.contains("hunter2"));
}

#[test]
fn a_token_file_that_others_may_read_is_refused() {
    let place = Place::new();
    place.file("token", "hunter2", 0o640);
    let ended = place.line("--token-file token env list");
    assert_eq!(ended.code, 2);
    assert!(ended.one_line().contains("has mode 0640"), "{ended:?}");
}

#[test]
fn an_unknown_key_is_named_with_its_line() {
    let place = Place::new();
    place.file("alfred.toml", "domain = 'alfredos.site'\n\nlisen = '127.0.0.1:1'\n", 0o644);
    let ended = place.line("env list");
    assert_eq!(ended.code, 2);
    let words = "alfred.toml:3: unknown key `lisen`: did you mean `listen`?";
    assert!(ended.one_line().contains(words), "{ended:?}");
}

#[test]
fn a_secret_in_alfred_toml_is_refused_without_repeating_it() {
    let place = Place::new();
    place.file("alfred.toml", "cloudflare_api_token = 'hunter2'\n", 0o600);
    let ended = place.line("config show");
    assert_eq!(ended.code, 2);
    assert!(ended.one_line().contains("holds a secret, which does not belong in this file"), "{ended:?}");
    assert!(!ended.stderr.contains("hunter2"));
}
