use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::*;

struct World {
    directory: tempfile::TempDir,
    sources: Sources,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut sources = Sources { directory: directory.path().to_owned(), ..Sources::default() };
        sources.environment.insert("HOME".to_owned(), "/home/somebody".to_owned());
        Self { directory, sources }
    }

    fn file(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.directory.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    fn variable(&mut self, name: &str, value: &str) {
        self.sources.environment.insert(name.to_owned(), value.to_owned());
    }

    fn load(&self) -> Config {
        Config::load(&self.sources).unwrap()
    }

    fn refused(&self) -> String {
        let failure = Config::load(&self.sources).unwrap_err();
        assert_eq!(failure.exit, crate::error::Exit::Usage);
        failure.to_string()
    }
}

#[test]
fn each_source_goes_before_the_next() {
    let mut world = World::new();
    assert_eq!(world.load().text(Key::Listen), Some("127.0.0.1:7070"));
    assert_eq!(world.load().origin(Key::Listen), Some(&Origin::Default));

    let toml = world.file("alfred.toml", "# ours\nlisten = '127.0.0.1:1'\n", 0o644);
    assert_eq!(world.load().text(Key::Listen), Some("127.0.0.1:1"));
    assert_eq!(world.load().origin(Key::Listen), Some(&Origin::Toml(toml, 2)));

    let file = world.file(".env.server", "\nALFRED_LISTEN=127.0.0.1:2\n", 0o600);
    assert_eq!(world.load().text(Key::Listen), Some("127.0.0.1:2"));
    assert_eq!(world.load().origin(Key::Listen), Some(&Origin::EnvironmentFile(file, 2)));

    world.variable("ALFRED_LISTEN", "127.0.0.1:3");
    assert_eq!(world.load().text(Key::Listen), Some("127.0.0.1:3"));
    assert_eq!(world.load().origin(Key::Listen), Some(&Origin::Environment));

    world.sources.flags.push((Key::Listen, "127.0.0.1:4".to_owned()));
    assert_eq!(world.load().text(Key::Listen), Some("127.0.0.1:4"));
    assert_eq!(world.load().origin(Key::Listen), Some(&Origin::Flag));
}

#[test]
fn some_defaults_follow_from_other_values() {
    let mut world = World::new();
    world.variable("ALFRED_LISTEN", "0.0.0.0:8080");
    world.variable("ALFRED_DATA_DIR", "/srv/alfred");
    let config = world.load();
    assert_eq!(config.text(Key::Url), Some("http://127.0.0.1:8080"));
    assert_eq!(config.text(Key::DatabaseUrl), Some("sqlite:///srv/alfred/alfred.sqlite"));
    world.variable("ALFRED_URL", "https://alfred.example.com");
    assert_eq!(world.load().text(Key::Url), Some("https://alfred.example.com"));
}

#[test]
fn an_empty_variable_counts_as_unset() {
    let mut world = World::new();
    world.variable("ALFRED_LISTEN", "");
    assert_eq!(world.load().origin(Key::Listen), Some(&Origin::Default));
}

#[test]
fn a_secret_may_come_from_a_file_but_not_from_both() {
    let mut world = World::new();
    let path = world.file("token", "from the file\n", 0o600);
    world.variable("CLOUDFLARE_API_TOKEN_FILE", path.to_str().unwrap());
    let config = world.load();
    assert_eq!(config.secret(Key::CloudflareApiToken).unwrap().expose_secret(), "from the file");
    assert_eq!(config.origin(Key::CloudflareApiToken), Some(&Origin::NamedFile(path)));
    world.variable("CLOUDFLARE_API_TOKEN", "direct");
    assert!(world.refused().contains("are both set"));
}

#[test]
fn a_named_file_must_be_there_and_hold_something() {
    let mut world = World::new();
    world.variable("ALFRED_TOKEN_FILE", "/nonexistent/token");
    assert!(world.refused().contains("`/nonexistent/token`, which does not exist"));
    let path = world.file("token", "\n", 0o600);
    world.variable("ALFRED_TOKEN_FILE", path.to_str().unwrap());
    assert!(world.refused().contains("is empty"));
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_nearest_known_one() {
    let world = World::new();
    world.file("alfred.toml", "domain = 'alfredos.site'\nlisen = 'x'\n", 0o644);
    let words = world.refused();
    assert!(words.contains("alfred.toml:2: unknown key `lisen`: did you mean `listen`?"), "{words}");
    world.file("alfred.toml", "[completely.different]\nx = 1", 0o644);
    assert!(world.refused().contains("alfred.toml:1: unknown key `completely`"));
}

#[test]
fn a_secret_in_alfred_toml_is_refused_without_repeating_it() {
    let world = World::new();
    world.file("alfred.toml", "\n\ncontabo_client_secret = 'hunter2'\n", 0o644);
    let words = world.refused();
    assert!(words.contains("alfred.toml:3: `contabo_client_secret` holds a secret"), "{words}");
    assert!(!words.contains("hunter2"), "{words}");
    world.file("alfred.toml", "database_url = 'postgres://alfred:hunter2@db/alfred'", 0o644);
    let words = world.refused();
    assert!(words.contains("`database_url` holds a secret") && !words.contains("hunter2"), "{words}");
}

#[test]
fn broken_toml_and_wrong_types_are_told_with_their_line() {
    let world = World::new();
    world.file("alfred.toml", "domain = 'a.b'\nlisten = = 3\n", 0o644);
    assert!(world.refused().contains("alfred.toml:2: "));
    world.file("alfred.toml", "listen = ['a', 'b']\n", 0o644);
    assert!(world.refused().contains("alfred.toml:1: `listen` must be a text or a number"));
    world.file("alfred.toml", "vm_limit = 1_000\n", 0o644);
    assert_eq!(world.load().parse::<u32>(Key::VmLimit, "a number").unwrap(), Some(1_000));
}

#[test]
fn a_missing_file_is_an_error_only_if_it_was_asked_for() {
    let mut world = World::new();
    world.load();
    world.sources.toml = Some(world.directory.path().join("other.toml"));
    assert!(world.refused().contains("there is no configuration file"));
}

#[test]
fn env_server_must_be_private_and_understood() {
    let world = World::new();
    world.file(".env.server", "ALFRED_TOKEN=x", 0o644);
    assert!(world.refused().contains("chmod 600"));
    world.file(".env.server", "export ALFRED_TOKEN=\"a b#c\"\n# comment\nOTHER=1\n", 0o600);
    assert_eq!(world.load().secret(Key::Token).unwrap().expose_secret(), "a b#c");
    world.file(".env.server", "ALFRED_TOKEN=a\nhunter2\n", 0o600);
    let words = world.refused();
    assert!(words.contains(".env.server:2: a line must be `NAME=value`") && !words.contains("hunter2"), "{words}");
    world.file(".env.server", "CLOUDFLARE_TOKEN=a\n", 0o600);
    assert!(world.refused().contains("unknown variable `CLOUDFLARE_TOKEN`"));
    world.file(".env.server", "ALFRED_TOKEN=a\nALFRED_TOKEN=b\n", 0o600);
    assert!(world.refused().contains("is there twice"));
    world.file(".env.server", "ALFRED_TOKEN='a\n", 0o600);
    assert!(world.refused().contains("a quote that does not end"));
}

#[test]
fn a_wrong_value_is_told_with_its_origin() {
    let mut world = World::new();
    world.variable("ALFRED_LISTEN", "nowhere");
    let words = world.refused();
    assert_eq!(
        words,
        "`ALFRED_LISTEN` (environment) is `nowhere`, which is not an address with a port, such as `127.0.0.1:7070`"
    );
}

#[test]
fn secrets_are_masked_wherever_they_stand() {
    let mut world = World::new();
    world.variable("CONTABO_API_PASSWORD", "hunter2");
    world.variable("ALFRED_DATABASE_URL", "postgres://alfred:hunter2/@x@db:5432/alfred");
    let config = world.load();
    assert_eq!(config.shown(Key::ContaboApiPassword).as_deref(), Some("********"));
    assert_eq!(config.shown(Key::DatabaseUrl).as_deref(), Some("postgres://alfred:***@db:5432/alfred"));
    assert!(!format!("{config:?}").contains("hunter2"));
    for key in Key::ALL {
        assert!(!config.shown(*key).unwrap_or_default().contains("hunter2"), "{key:?}");
    }
}

#[test]
fn addresses_of_stores_are_shown_without_what_lets_anybody_in() {
    for (address, shown) in [
        ("/var/lib/states", "/var/lib/states"),
        ("r2://bucket/prefix", "r2://bucket/prefix"),
        ("sqlite:///var/lib/states.sqlite", "sqlite:///var/lib/states.sqlite"),
        ("nats://ada:hunter2@host:4222/states", "nats://ada:***@host:4222/states"),
        ("nats://hunter2@host:4222/states", "nats://***@host:4222/states"),
        ("wss://hunter2@host/path", "wss://***@host/path"),
        ("hunter2", "…"),
    ] {
        let mut world = World::new();
        world.variable("ALFRED_STATE", address);
        let config = world.load();
        assert_eq!(config.shown(Key::State).as_deref(), Some(shown));
        assert!(!config.wrong(Key::State, "a place").to_string().contains("hunter2"));
        world.file("alfred.toml", &format!("state = '{address}'"), 0o644);
        if shown.contains("***") {
            assert!(!world.refused().contains("hunter2"), "{address}");
        }
    }
}

#[test]
fn names_and_variables_of_keys_are_unique() {
    let names: std::collections::HashSet<_> = Key::ALL.iter().map(|key| key.name()).collect();
    let variables: std::collections::HashSet<_> = Key::ALL.iter().map(|key| key.variable()).collect();
    assert_eq!((names.len(), variables.len()), (Key::ALL.len(), Key::ALL.len()));
}
