//! What keeps `alfred up` from starting: each told in one line with what to do.

use std::sync::Arc;

use alfred_local_cloud::cloudflare::{DEMO_ZONE, DEMO_ZONE_ID, Permission, TokenOptions};
use alfred_local_cloud::{Listen, LocalCloud, Options};
use alfred_model::seam::{Clock, Random};
use jiff::Timestamp;
use rand::Rng as _;
use secrecy::ExposeSecret as _;
use sqlx::{Connection as _, Executor as _, Row as _, SqliteConnection};

use crate::place::Place;

/// Starts and stops once, so that there is a database.
fn started_once(place: &Place) {
    let mut up = place.start("up --local --instant --listen 127.0.0.1:0");
    up.signal(rustix::process::Signal::TERM);
    assert_eq!(up.wait(), Some(0), "{}", up.stderr());
}

async fn database(place: &Place) -> SqliteConnection {
    let path = place.data().join("alfred.sqlite");
    SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap()
}

#[test]
fn a_busy_port() {
    let place = Place::new();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = port.local_addr().unwrap();
    let ended = place.line(&format!("up --local --listen {address}"));
    assert_eq!(ended.code, 1);
    let line = ended.one_line();
    assert!(line.contains(&format!("cannot listen on `{address}`")) && line.contains("--listen"), "{line}");
    assert!(!place.data().join("admin-token").exists(), "no secret was made by a start that failed");
}

#[test]
fn a_data_directory_that_cannot_be_used() {
    let place = Place::new();
    // A file in its place fails for everybody, while permissions do not bind root.
    place.file("data", "not a directory", 0o644);
    let ended = place.line("up --local");
    assert_eq!(ended.code, 1);
    let line = ended.one_line();
    assert!(line.contains("cannot be used") && line.contains("choose another with `--data-dir`"), "{line}");
}

#[test]
fn the_data_directory_and_the_token_are_private() {
    use std::os::unix::fs::MetadataExt as _;
    let place = Place::new();
    let up = place.start("up --local --instant --listen 127.0.0.1:0");
    let mode = |name: &str| place.data().join(name).metadata().unwrap().mode() & 0o777;
    assert_eq!((mode(""), mode("admin-token")), (0o700, 0o600));
    let token = std::fs::read_to_string(place.data().join("admin-token")).unwrap();
    assert!(up.stderr().contains(token.trim()), "the token is shown once: {}", up.stderr());
    drop(up);
    let up = place.start("up --local --instant --listen 127.0.0.1:0");
    assert!(!up.stderr().contains(token.trim()), "and not again: {}", up.stderr());
}

#[test]
fn another_process_on_the_same_data() {
    let place = Place::new();
    let _up = place.start("up --local --instant --listen 127.0.0.1:0");
    let ended = place.line("up --local --listen 127.0.0.1:0");
    assert_eq!(ended.code, 1);
    assert!(ended.one_line().contains("another `alfred up` uses the data directory"), "{ended:?}");
}

#[test]
fn a_database_that_another_process_holds() {
    let (one, mut other) = (Place::new(), Place::new());
    let _up = one.start("up --local --instant --listen 127.0.0.1:0");
    other.set("ALFRED_DATABASE_URL", format!("sqlite://{}", one.data().join("alfred.sqlite").display()));
    let ended = other.line("up --local --listen 127.0.0.1:0");
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.one_line().contains("locked by another process"), "{ended:?}");
}

#[tokio::test]
async fn a_database_of_a_newer_program_is_left_as_it_is() {
    let place = Place::new();
    started_once(&place);
    let mut other = database(&place).await;
    other.execute("INSERT INTO schema_migrations (number) VALUES (9999)").await.unwrap();
    other.close().await.unwrap();
    let ended = place.line("up --local --listen 127.0.0.1:0");
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.one_line().contains("schema version 9999"), "{ended:?}");
    let mut other = database(&place).await;
    let row = other.fetch_one("SELECT max(number) FROM schema_migrations").await.unwrap();
    assert_eq!(row.get::<i64, _>(0), 9999);
}

#[test]
fn a_file_that_is_no_database() {
    let place = Place::new();
    std::fs::create_dir(place.data()).unwrap();
    std::fs::write(place.data().join("alfred.sqlite"), "this is no database, only a text of some length\n").unwrap();
    let ended = place.line("up --local --listen 127.0.0.1:0");
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.one_line().contains("alfred.sqlite"), "{ended:?}");
}

#[test]
fn a_database_address_that_is_none() {
    let mut place = Place::new();
    place.set("ALFRED_DATABASE_URL", "mysql://alfred:hunter2@db/alfred");
    let ended = place.line("up --local --listen 127.0.0.1:0");
    assert_eq!(ended.code, 1, "{ended:?}");
    let line = ended.one_line();
    assert!(line.contains("is no database address") && !line.contains("hunter2"), "{line}");
}

#[test]
fn without_credentials_it_names_all_that_are_missing() {
    let mut place = Place::new();
    place.set("ALFRED_DOMAIN", "alfredos.site");
    let ended = place.line("up --listen 127.0.0.1:0");
    assert_eq!(ended.code, 2, "{ended:?}");
    let line = ended.one_line();
    assert!(line.contains("`CLOUDFLARE_API_TOKEN`, `CLOUDFLARE_ZONE_ID`, `CONTABO_CLIENT_ID`"), "{line}");
    assert!(line.contains("try `alfred up --local`") && !line.contains("ALFRED_DOMAIN"), "{line}");
}

#[test]
fn records_of_the_local_cloud_are_not_used_for_real_vms() {
    let place = Place::new();
    started_once(&place);
    let ended = place.line("up --listen 127.0.0.1:0");
    assert_eq!(ended.code, 2, "{ended:?}");
    assert!(ended.one_line().contains("are about the local cloud"), "{ended:?}");
}

pub(crate) struct Now;

impl Clock for Now {
    #[expect(clippy::disallowed_methods, reason = "the binary lives in real time, and so must its cloud")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

pub(crate) struct Noise;

impl Random for Noise {
    #[expect(clippy::disallowed_methods, reason = "nothing here is repeated from a seed")]
    fn fill(&self, bytes: &mut [u8]) {
        rand::rng().fill_bytes(bytes);
    }
}

/// The token is good and may read the zone: only an attempt to write tells that it may not.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_may_not_edit() {
    let mut options = Options::default();
    let reader = TokenOptions { permission: Permission::Read, ..TokenOptions::new("5".repeat(32), "a-reader-s-token") };
    options.cloudflare.tokens.push(reader);
    let login = options.contabo.clone();
    let cloud = LocalCloud::new(options, Arc::new(Now), Arc::new(Noise));
    let running = cloud.serve(Listen::default()).await.unwrap();
    let mut place = Place::new();
    let http = format!("http://{}", running.http_address);
    for (name, value) in [
        ("ALFRED_DOMAIN", DEMO_ZONE.to_owned()),
        ("ALFRED_DNS_SERVER", running.dns_address.to_string()),
        ("CLOUDFLARE_API_BASE", format!("{http}/client/v4")),
        ("CLOUDFLARE_API_TOKEN", "a-reader-s-token".to_owned()),
        ("CLOUDFLARE_ZONE_ID", DEMO_ZONE_ID.to_owned()),
        ("CONTABO_API_BASE", http.clone()),
        ("CONTABO_AUTH_URL", format!("{http}/auth/realms/contabo/protocol/openid-connect/token")),
        ("CONTABO_CLIENT_ID", login.client_id.clone()),
        ("CONTABO_CLIENT_SECRET", login.client_secret.expose_secret().to_owned()),
        ("CONTABO_API_USER", login.user.clone()),
        ("CONTABO_API_PASSWORD", login.password.expose_secret().to_owned()),
    ] {
        place.set(name, value);
    }
    let up = move || place.line("up --listen 127.0.0.1:0");
    let ended = tokio::task::spawn_blocking(up).await.unwrap();
    assert_eq!(ended.code, 1);
    let line = ended.one_line();
    assert!(line.contains("may not edit the zone `alfredos.site`") && line.contains("`DNS Write`"), "{line}");
    let zones = cloud.cloudflare().state().zones;
    assert!(zones.iter().all(|zone| zone.records.is_empty()), "finding out wrote nothing");
}
