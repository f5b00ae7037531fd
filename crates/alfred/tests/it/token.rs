//! Care for the Cloudflare token: the real binary on a local cloud with a token of its own.

use std::io::{Read as _, Write as _};
use std::sync::Arc;

use alfred_local_cloud::cloudflare::{
    DEMO_MANAGER_TOKEN, DEMO_TOKEN, DEMO_ZONE, DEMO_ZONE_ID, Plan, TokenOptions, ZoneOptions,
};
use alfred_local_cloud::{Listen, LocalCloud, Options, Running, contabo};
use secrecy::ExposeSecret as _;
use serde_json::Value;

use crate::place::{Ended, Place};
use crate::up::{Noise, Now};

const ID: &str = "d15d15d15d15d15d15d15d15d15d15d1";
const OLD: &str = "cfut_the-first-value";
const READINESS_PORT: u16 = 2_324;

/// The crash point behind the rolling: the probe for the right to edit has the first two, the rolling the next.
const AFTER_THE_ROLLING: &str = "4";

/// A cloud beside a place whose `.env.server` holds a token for the cloud's zone.
struct World {
    cloud: LocalCloud,
    running: Running,
    place: Place,
}

impl World {
    async fn new() -> Self {
        Self::with(TokenOptions { zones: Some(vec![DEMO_ZONE_ID.to_owned()]), ..TokenOptions::new(ID, OLD) }).await
    }

    async fn with(token: TokenOptions) -> Self {
        let mut options = Options { contabo: contabo::Options::instant(), ..Options::default() };
        options.contabo.readiness_port = READINESS_PORT;
        options.cloudflare.zones.push(ZoneOptions::new("0".repeat(31) + "2", "another.example", Plan::Free));
        options.cloudflare.tokens.push(token);
        let login = options.contabo.clone();
        let cloud = LocalCloud::new(options, Arc::new(Now), Arc::new(Noise));
        let running = cloud.serve(Listen::default()).await.unwrap();
        let mut place = Place::new();
        let http = format!("http://{}", running.http_address);
        for (name, value) in [
            ("ALFRED_DOMAIN", DEMO_ZONE.to_owned()),
            ("ALFRED_DNS_SERVER", running.dns_address.to_string()),
            ("ALFRED_READINESS_PORT", READINESS_PORT.to_string()),
            ("CLOUDFLARE_API_BASE", format!("{http}/client/v4")),
            ("CLOUDFLARE_ZONE_ID", DEMO_ZONE_ID.to_owned()),
            ("CLOUDFLARE_TOKEN_MANAGER", DEMO_MANAGER_TOKEN.to_owned()),
            ("CONTABO_API_BASE", http.clone()),
            ("CONTABO_AUTH_URL", format!("{http}/auth/realms/contabo/protocol/openid-connect/token")),
            ("CONTABO_CLIENT_ID", login.client_id.clone()),
            ("CONTABO_CLIENT_SECRET", login.client_secret.expose_secret().to_owned()),
            ("CONTABO_API_USER", login.user.clone()),
            ("CONTABO_API_PASSWORD", login.password.expose_secret().to_owned()),
        ] {
            place.set(name, value);
        }
        place.file(".env.server", &format!("# the zone's\nexport CLOUDFLARE_API_TOKEN='{OLD}'\n\nOTHER=1\n"), 0o600);
        Self { cloud, running, place }
    }

    /// The value in `.env.server`, after checking that all else in it is as it was.
    fn value(&self) -> String {
        let text = std::fs::read_to_string(self.place.path().join(".env.server")).unwrap();
        let rest = text.strip_prefix("# the zone's\nexport CLOUDFLARE_API_TOKEN='").unwrap();
        rest.strip_suffix("'\n\nOTHER=1\n").unwrap().to_owned()
    }

    fn fault(&self, rule: &str) {
        assert!(self.cloud.faults().add(rule.parse().unwrap()));
    }

    fn check(&self) -> (Ended, Value) {
        let ended = self.place.line("token check --json");
        let document = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:?}"));
        (ended, document)
    }

    /// Waits, however long it takes: what never becomes active hangs the test, what fails for good ends it.
    async fn becomes_active(&self, slug: &str) {
        loop {
            let shown: Value =
                serde_json::from_str(&self.place.line(&format!("env show {slug} --json")).stdout).unwrap();
            match shown["status"].as_str().unwrap_or_else(|| panic!("{shown}")) {
                "active" => return,
                "provisioning" => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
                _ => panic!("{shown}"),
            }
        }
    }

    async fn stop(self) {
        self.running.stop().await;
    }
}

fn levels(document: &Value) -> Vec<(&str, &str)> {
    let findings = document["findings"].as_array().unwrap();
    findings.iter().map(|one| (one["check"].as_str().unwrap(), one["level"].as_str().unwrap())).collect()
}

fn shows_no_value(ended: &Ended, values: &[&str]) {
    for value in values.iter().chain(&[OLD, DEMO_MANAGER_TOKEN]) {
        assert!(!ended.stdout.contains(value) && !ended.stderr.contains(value), "{ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_does_its_work_and_no_more() {
    let world = World::new().await;
    let ended = world.place.line("token check");
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{ended:?}");
    for words in [
        &format!("the token `{ID}` in `CLOUDFLARE_API_TOKEN` is active"),
        "the token has no end",
        "the token's value was first seen here 0 hours ago",
        "the token may edit the zone `alfredos.site`",
        "the token sees no zone but those that are configured",
        "the token may not read API tokens",
    ] {
        assert!(ended.stdout.lines().any(|line| line.starts_with("ok ") && line.contains(words)), "{words}: {ended:?}");
    }
    shows_no_value(&ended, &[]);
    let (ended, document) = world.check();
    assert_eq!((ended.code, &document["works"], &document["id"]), (0, &true.into(), &ID.into()));
    assert_eq!(document["zones"][0]["name"], DEMO_ZONE);
    assert!(document["age_seconds"].as_i64().unwrap() >= 0 && document["expires_on"].is_null(), "{document}");
    let remembered = world.place.data().join("cloudflare-token.json");
    assert!(!std::fs::read_to_string(remembered).unwrap().contains(OLD));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_may_do_too_much_is_warned_of_by_the_check_and_at_the_start() {
    let end = jiff::Timestamp::from_second(now() + 3 * 86_400).unwrap();
    let wide = TokenOptions { may_roll_tokens: true, expires_on: Some(end), ..TokenOptions::new(ID, OLD) };
    let world = World::with(wide).await;
    let (ended, document) = world.check();
    assert_eq!(ended.code, 0, "{ended:?}");
    let wanted = [
        ("status", "ok"),
        ("end", "warning"),
        ("age", "ok"),
        ("edit", "ok"),
        ("zones", "warning"),
        ("tokens", "warning"),
    ];
    assert_eq!(levels(&document), wanted);
    assert!(document["findings"][4]["words"].as_str().unwrap().contains("`another.example`"), "{document}");
    let up = world.place.start("up --listen 127.0.0.1:0");
    let said = up.stderr();
    for words in
        ["the token ends on", "the token sees 1 zone that is not configured: `another.example`", "may read API tokens"]
    {
        assert!(said.lines().any(|line| line.starts_with("warning: ") && line.contains(words)), "{words}: {said}");
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_does_not_work_fails_the_check() {
    let read_only = alfred_local_cloud::cloudflare::Permission::Read;
    let world = World::with(TokenOptions { permission: read_only, ..TokenOptions::new(ID, OLD) }).await;
    let (ended, document) = world.check();
    assert_eq!((ended.code, &document["works"]), (1, &false.into()));
    assert!(ended.one_line().contains("does not work"), "{ended:?}");
    assert_eq!(levels(&document)[3], ("edit", "problem"));
    world.fault("cloudflare.tokens.verify status=500");
    let (ended, document) = world.check();
    assert_eq!((ended.code, levels(&document)[0]), (1, ("status", "unknown")));
    world.stop().await;
    let world = World::with(TokenOptions::new(ID, "cfut_another")).await;
    let ended = world.place.line("token check");
    assert_eq!(ended.code, 1);
    assert!(ended.stdout.lines().any(|line| line.starts_with("problem ")), "{ended:?}");
    shows_no_value(&ended, &[]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_new_value_cannot_be_stored_or_rolled_nothing_is_done() {
    let mut world = World::new().await;
    let ended = world.place.line("token rotate");
    assert_eq!(ended.code, 2);
    assert!(ended.one_line().contains("needs a yes: add `--yes`"), "{ended:?}");
    world.place.set("CLOUDFLARE_TOKEN_MANAGER", "");
    let ended = world.place.line("token rotate --yes");
    assert_eq!(ended.code, 2);
    assert!(ended.one_line().contains("`CLOUDFLARE_TOKEN_MANAGER` is not set"), "{ended:?}");
    world.place.set("CLOUDFLARE_TOKEN_MANAGER", DEMO_MANAGER_TOKEN);
    world.place.set("CLOUDFLARE_API_TOKEN", OLD);
    let ended = world.place.line("token rotate --yes");
    assert_eq!(ended.code, 2);
    let line = ended.one_line();
    assert!(line.contains("comes from the environment") && line.contains("`CLOUDFLARE_API_TOKEN_FILE`"), "{line}");
    assert_eq!(world.value(), OLD);
    assert_eq!(world.check().0.code, 0, "the old value works");
    assert!(!world.place.path().join(".env.server.rotating").exists());
    world.stop().await;
}

/// The service runs all the time, and creates an environment after each rotation.
#[tokio::test(flavor = "multi_thread")]
async fn a_running_control_plane_takes_each_new_value_up() {
    use std::os::unix::fs::MetadataExt as _;
    let mut world = World::new().await;
    let up = world.place.start("up --listen 127.0.0.1:0");
    world.place.set("ALFRED_URL", up.told("url"));
    let create = |world: &World, slug: &str| {
        let ended = world.place.line(&format!("env create --slug {slug} --wait"));
        assert_eq!(ended.code, 0, "{slug}: {ended:?} {}", up.stderr());
    };
    create(&world, "before-all");
    let ended = world.place.line("token rotate --yes --json");
    assert_eq!(ended.code, 0, "{ended:?}");
    let first = world.value();
    assert_ne!(first, OLD);
    shows_no_value(&ended, &[&first]);
    let document: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((&document["id"], &document["rolled"], &document["proved"]), (&ID.into(), &true.into(), &true.into()));
    assert_eq!(world.place.path().join(".env.server").metadata().unwrap().mode() & 0o7777, 0o600);
    create(&world, "after-one");

    // The process ends between the rolling and the storing: the value is lost, the service waits, the next run mends it.
    world.place.set("ALFRED_CRASH_AT", AFTER_THE_ROLLING);
    assert!(world.place.killed("token rotate --yes"), "there is a crash point behind the rolling");
    world.place.set("ALFRED_CRASH_AT", "");
    assert_eq!(world.value(), first);
    assert_eq!(world.check().0.code, 1, "the value in the file is dead");
    assert_eq!(world.place.line("env create --slug in-between").code, 0);
    let ended = world.place.line("token rotate --yes");
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_ne!(world.value(), first);
    assert_eq!(world.check().0.code, 0);
    world.becomes_active("in-between").await;
    create(&world, "after-crash");
    let said = up.stderr();
    assert!(!said.contains(OLD) && !said.contains(&first) && !said.contains(&world.value()), "{said}");
    let metrics = metrics(&up.told("url"), &world.place);
    assert!(metrics.contains("alfred_cloudflare_token_age_seconds "), "{metrics}");
    assert!(metrics.contains("alfred_cloudflare_token_expires_seconds inf"), "{metrics}");
    world.stop().await;
}

/// SIGKILL before and after each write; the next run ends with a value that works.
#[tokio::test(flavor = "multi_thread")]
async fn killed_at_each_place_the_next_run_goes_on() {
    let mut killed = 0;
    for place in 1.. {
        let mut world = World::new().await;
        world.place.set("ALFRED_CRASH_AT", place.to_string());
        if !world.place.killed("token rotate --yes") {
            world.stop().await;
            break;
        }
        killed += 1;
        world.place.set("ALFRED_CRASH_AT", "");
        let ended = world.place.line("token rotate --yes");
        assert_eq!(ended.code, 0, "{place}: {ended:?}");
        assert_ne!(world.value(), OLD, "{place}");
        assert_eq!(world.check().0.code, 0, "{place}");
        assert!(!world.place.path().join(".env.server.rotating").exists(), "{place}");
        world.stop().await;
    }
    assert_eq!(killed, 6, "before and after the rolling, and the probes in front of it and behind");
}

/// Answers that are lost, late or wrong: afterwards, in one run or in two, the file holds a value that works.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_lost_the_file_ends_with_a_working_value() {
    for rule in [
        "cloudflare.tokens.roll count=1 lost-before",
        "cloudflare.tokens.roll count=1 lost-after",
        "cloudflare.tokens.roll count=1 status=429 retry-after=1",
        "cloudflare.tokens.roll count=1 status=500",
        "cloudflare.tokens.roll count=1 cut-body",
        "cloudflare.tokens.verify nth=2 lost-before",
        "cloudflare.tokens.verify nth=2 status=429 retry-after=1",
        "cloudflare.records.list count=1 status=500",
        "cloudflare.records.delete nth=2 lost-after",
    ] {
        let world = World::new().await;
        world.fault(rule);
        let ended = world.place.line("token rotate --yes");
        if ended.code != 0 {
            let again = world.place.line("token rotate --yes");
            assert_eq!(again.code, 0, "{rule}: {ended:?}, then {again:?}");
        }
        assert_eq!(world.cloud.faults().rules()[0].fired, 1, "{rule}");
        assert_ne!(world.value(), OLD, "{rule}");
        assert_eq!(world.check().0.code, 0, "{rule}: {ended:?}");
        assert!(!world.place.path().join(".env.server.rotating").exists(), "{rule}");
        world.stop().await;
    }
}

/// The variables that `alfred cloud` prints are enough to rotate its token in a file.
#[test]
fn the_local_cloud_alone_lets_its_token_be_rotated() {
    let cloud = Place::new();
    let running = cloud.start("cloud --instant --listen 127.0.0.1:0 --dns 127.0.0.1:0 --r2 127.0.0.1:0");
    let mut place = Place::new();
    for name in ["CLOUDFLARE_API_BASE", "CLOUDFLARE_ZONE_ID", "CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_TOKEN_MANAGER"] {
        place.set(name, running.told(name));
    }
    let file = place.file("token", &format!("{DEMO_TOKEN}\n"), 0o600);
    place.set("CLOUDFLARE_API_TOKEN_FILE", file.display().to_string());
    let ended = place.line("token rotate --yes");
    assert_eq!(ended.code, 0, "{ended:?}");
    let value = std::fs::read_to_string(&file).unwrap();
    assert!(value.starts_with("cfut_") && value.ends_with('\n') && value.trim() != DEMO_TOKEN);
    assert_eq!(place.line("token check").code, 0);
}

#[expect(clippy::disallowed_methods, reason = "the binary lives in real time, and so does its token")]
fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

fn metrics(url: &str, place: &Place) -> String {
    let address = url.strip_prefix("http://").unwrap();
    let token = std::fs::read_to_string(place.data().join("admin-token")).unwrap();
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let head = format!("GET /metrics HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    write!(stream, "{head}authorization: Bearer {}\r\n\r\n", token.trim()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
