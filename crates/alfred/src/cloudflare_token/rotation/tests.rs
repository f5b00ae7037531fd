use std::path::PathBuf;

use alfred_local_cloud::cloudflare::{self as local, DEMO_MANAGER_TOKEN, DEMO_ZONE_ID, Permission, TokenOptions};
use alfred_local_cloud::{LocalCloud, Options};
use alfred_model::id::ZoneId;
use alfred_model::seam::Random;
use alfred_providers::BaseUrl;
use alfred_providers::budget::DEFAULT_SHARE;
use alfred_providers::transport::TransportError;
use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::ExposeSecret as _;

use super::*;
use crate::config::{Config, Key, Sources};
use crate::error::Exit;
use crate::printer::Verbosity;

const ID: &str = "d15d15d15d15d15d15d15d15d15d15d1";
const OLD: &str = "cfut_the-old-value";

struct TokioClock(Instant);

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        "2026-11-21T08:00:00Z".parse::<Timestamp>().unwrap() + self.0.elapsed()
    }
}

struct Counting(std::sync::atomic::AtomicU64);

impl Random for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        for byte in bytes {
            let count = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, std::sync::atomic::Ordering::Relaxed);
            *byte = u8::try_from((count ^ (count >> 29)) >> 40 & 0xff).unwrap();
        }
    }
}

struct Wire(LocalCloud);

#[async_trait]
impl Transport for Wire {
    async fn send(&self, request: http::Request<bytes::Bytes>) -> Result<http::Response<bytes::Bytes>, TransportError> {
        self.0.call(request).await.map_err(|lost| TransportError::Lost { words: lost.to_string() })
    }
}

/// A cloud with a token for its zone, a file that holds the token, and what a rotation needs.
struct World {
    cloud: LocalCloud,
    clock: Arc<TokioClock>,
    directory: tempfile::TempDir,
    stop: CancellationToken,
}

impl World {
    fn new() -> Self {
        Self::with(TokenOptions { zones: Some(vec![DEMO_ZONE_ID.to_owned()]), ..TokenOptions::new(ID, OLD) })
    }

    fn with(token: TokenOptions) -> Self {
        let clock = Arc::new(TokioClock(Instant::now()));
        let mut options = Options::default();
        options.cloudflare.tokens.push(token);
        let cloud = LocalCloud::new(options, Arc::clone(&clock) as Arc<dyn Clock>, Arc::new(Counting(1.into())));
        let world = Self { cloud, clock, directory: tempfile::tempdir().unwrap(), stop: CancellationToken::new() };
        std::fs::write(world.file(), format!("{OLD}\n")).unwrap();
        world
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("token")
    }

    fn beside(&self) -> PathBuf {
        self.directory.path().join("token.rotating")
    }

    fn value(&self) -> String {
        std::fs::read_to_string(self.file()).unwrap().trim().to_owned()
    }

    fn config(&self) -> Config {
        let file = self.file().display().to_string();
        let environment = [("CLOUDFLARE_API_TOKEN_FILE".to_owned(), file)].into();
        Config::load(&Sources { environment, directory: self.directory.path().join("none"), ..Sources::default() })
            .unwrap()
    }

    fn clients(&self) -> Clients {
        Clients {
            transport: Arc::new(Wire(self.cloud.clone())),
            options: CloudflareOptions {
                base: BaseUrl::parse("http://127.0.0.1:1/client/v4").unwrap(),
                token: ApiToken::new("not used").into(),
                zone: ZoneId::parse(DEMO_ZONE_ID).unwrap(),
                account: None,
            },
            budget: Budget::new(Arc::clone(&self.clock) as Arc<dyn Clock>, DEFAULT_SHARE),
        }
    }

    fn rotation(&self, manager: Manager) -> Rotation {
        let place = self.config().place_of(Key::CloudflareApiToken).unwrap();
        Rotation {
            printer: Printer::new(Verbosity::Quiet, false),
            clients: self.clients(),
            manager,
            replacement: Replacement::begin(place).unwrap(),
            known: KnownValues::load(&self.directory.path().join("data")).unwrap(),
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            stop: self.stop.clone(),
        }
    }

    /// One run of the command.
    async fn rotate(&self) -> Result<(), Failure> {
        self.rotate_by(Manager::Other(ApiToken::new(DEMO_MANAGER_TOKEN))).await
    }

    async fn rotate_by(&self, manager: Manager) -> Result<(), Failure> {
        let mut rotation = self.rotation(manager);
        let plan = rotation.look().await?;
        rotation.carry_out(plan).await
    }

    async fn works(&self, value: &str) -> bool {
        self.clients().with(ApiToken::new(value)).verify_token().await.is_ok()
    }

    fn rolls(&self) -> u64 {
        self.cloud.faults().rules().iter().filter(|rule| rule.text.contains("tokens.roll")).map(|rule| rule.seen).sum()
    }

    fn fault(&self, rule: &str) {
        assert!(self.cloud.faults().add(rule.parse().unwrap()));
    }
}

#[tokio::test(start_paused = true)]
async fn the_value_is_replaced_proved_and_remembered() {
    let world = World::new();
    world.rotate().await.unwrap();
    let new = world.value();
    assert!(new != OLD && world.works(&new).await && !world.works(OLD).await);
    assert!(!world.beside().exists());
    let known = KnownValues::load(&world.directory.path().join("data")).unwrap();
    let remembered = known.of(&ApiToken::new(&new)).unwrap();
    assert_eq!((remembered.id.as_str(), remembered.first_seen), (ID, world.clock.now()));
    world.rotate().await.unwrap();
    assert_ne!(world.value(), new, "and once more");
}

/// Whatever goes wrong once with a rolling or with a proof, one run or the next one ends with a value that works.
#[tokio::test(start_paused = true)]
async fn each_fault_on_each_call_ends_with_a_working_value() {
    let routes = ["tokens.verify", "tokens.get", "tokens.roll", "records.delete", "records.list"];
    let faults = [
        "lost-before",
        "lost-after",
        "status=429",
        "status=429 retry-after=300",
        "status=500",
        "status=500 after",
        "cut-body",
        "html",
        "status=403",
    ];
    for route in routes {
        for fault in faults {
            for nth in 1..=3 {
                let world = World::new();
                world.fault(&format!("cloudflare.{route} nth={nth} {fault}"));
                let first = world.rotate().await;
                if let Err(failure) = &first {
                    assert!(world.beside().exists() || world.works(OLD).await, "{route} {fault} {nth}: {failure}");
                    world
                        .rotate()
                        .await
                        .unwrap_or_else(|again| panic!("{route} {fault} {nth}: {failure}, then {again}"));
                }
                world.cloud.faults().clear();
                let value = world.value();
                assert!(value != OLD && world.works(&value).await, "{route} {fault} {nth}");
                assert!(!world.beside().exists(), "{route} {fault} {nth}");
            }
        }
    }
}

/// The process ends at each place where it matters; the next run goes on from there.
#[tokio::test(start_paused = true)]
async fn after_a_crash_the_next_run_goes_on() {
    // Before the rolling: all is as it was, but for the second file.
    let world = World::new();
    world.rotation(Manager::Nobody).replacement.rehearse().unwrap();
    assert_eq!((world.value(), world.beside().exists()), (OLD.to_owned(), true));
    world.rotate().await.unwrap();
    assert!(world.works(&world.value()).await && !world.beside().exists());

    // Between the rolling and its answer: the value is lost, and the token is known by its old value.
    let world = World::new();
    let mut rotation = world.rotation(Manager::Other(ApiToken::new(DEMO_MANAGER_TOKEN)));
    let plan = rotation.look().await.unwrap();
    rotation.replacement.rehearse().unwrap();
    rotation.roll(plan.token(), true).await.unwrap();
    drop(rotation);
    assert!(!world.works(OLD).await);
    world.rotate().await.unwrap();
    assert!(world.works(&world.value()).await);

    // After the value was kept: nobody is needed to roll, and nothing is rolled.
    let world = World::new();
    let mut rotation = world.rotation(Manager::Other(ApiToken::new(DEMO_MANAGER_TOKEN)));
    let plan = rotation.look().await.unwrap();
    rotation.replacement.rehearse().unwrap();
    let kept = rotation.roll(plan.token(), true).await.unwrap();
    rotation.replacement.keep(kept.expose()).unwrap();
    drop(rotation);
    world.rotate_by(Manager::Nobody).await.unwrap();
    assert_eq!(world.value(), kept.expose());
    assert!(!world.beside().exists());
}

#[tokio::test(start_paused = true)]
async fn a_value_that_is_not_proved_is_kept_beside_and_used_by_a_running_service() {
    let world = World::new();
    let service = super::super::source(&world.config());
    let client = Cloudflare::new(
        Arc::new(Wire(world.cloud.clone())),
        CloudflareOptions { token: service, ..world.clients().options },
        world.clients().budget,
        CallCounts::new(),
    );
    client.verify_token().await.unwrap();
    world.fault("cloudflare.records.list status=500");
    let failure = world.rotate().await.unwrap_err();
    assert_eq!(failure.exit, Exit::Partly);
    let words = failure.to_string();
    assert!(words.contains("token.rotating`") && words.contains("run `alfred token rotate` again"), "{words}");
    assert_eq!(world.value(), OLD);
    let kept = std::fs::read_to_string(world.beside()).unwrap();
    assert!(world.works(kept.trim()).await && !words.contains(kept.trim()), "{words}");
    client.verify_token().await.expect("the service goes on with the value that is kept");
    world.cloud.faults().clear();
    world.rotate().await.unwrap();
    assert_eq!(world.value(), kept.trim());
    client.verify_token().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_rolling_that_never_succeeds_leaves_the_old_value_or_says_that_it_is_not_known() {
    let world = World::new();
    world.fault("cloudflare.tokens.roll status=429");
    let failure = world.rotate().await.unwrap_err();
    assert_eq!(failure.exit, Exit::Failed);
    assert!(failure.to_string().contains("has its old value still"), "{failure}");
    assert!(world.works(&world.value()).await && !world.beside().exists());
    assert!(world.rolls() > 1, "it was tried again");

    let world = World::new();
    world.fault("cloudflare.tokens.roll lost-after");
    let failure = world.rotate().await.unwrap_err();
    assert_eq!(failure.exit, Exit::Partly);
    assert!(failure.to_string().contains("is not known"), "{failure}");
    assert!(world.beside().exists(), "a running service waits");
    // Refused for good the next time: the old value is dead by now, so the service goes on waiting.
    world.cloud.faults().clear();
    world.fault("cloudflare.tokens.roll status=403");
    let failure = world.rotate().await.unwrap_err();
    assert_eq!(failure.exit, Exit::Partly);
    assert!(failure.to_string().contains("is not known") && world.beside().exists(), "{failure}");
    world.cloud.faults().clear();
    world.rotate().await.unwrap();
    assert!(world.works(&world.value()).await);
}

#[tokio::test(start_paused = true)]
async fn a_stop_keeps_what_was_rolled() {
    let world = World::new();
    world.fault("cloudflare.records.list status=500");
    world.stop.cancel();
    let failure = world.rotate().await.unwrap_err();
    assert_eq!(failure.exit, Exit::Partly);
    assert!(world.works(std::fs::read_to_string(world.beside()).unwrap().trim()).await);
}

#[tokio::test(start_paused = true)]
async fn what_could_not_end_well_is_refused_before_anything_is_done() {
    let read_only = TokenOptions { permission: Permission::Read, ..TokenOptions::new(ID, OLD) };
    let disabled = TokenOptions { status: local::TokenStatus::Disabled, ..TokenOptions::new(ID, OLD) };
    let managing = TokenOptions { may_roll_tokens: true, ..TokenOptions::new(ID, OLD) };
    let plain = || TokenOptions::new(ID, OLD);
    let manager = || Manager::Other(ApiToken::new(DEMO_MANAGER_TOKEN));
    for (token, manager, words) in [
        (read_only, manager(), "the token may not edit the zone"),
        (disabled, manager(), "is disabled, and a new value would not change that"),
        (plain(), Manager::Nobody, "`CLOUDFLARE_TOKEN_MANAGER` is not set, and the token may not roll itself"),
        (plain(), Manager::Itself, "the token in `CLOUDFLARE_API_TOKEN` may not manage the token"),
        (
            plain(),
            Manager::Other(ApiToken::new("cfut_nobody")),
            "the token in `CLOUDFLARE_TOKEN_MANAGER` may not manage",
        ),
        (managing, Manager::Nobody, "or take the risk with `--self`"),
        (TokenOptions::new(ID, "cfut_another"), manager(), "which token it belonged to is not known here"),
    ] {
        let world = World::with(token);
        world.fault("cloudflare.tokens.roll status=500");
        let words_said = world.rotate_by(manager).await.unwrap_err().to_string();
        assert!(words_said.contains(words), "{words}: {words_said}");
        assert_eq!((world.rolls(), world.value().as_str(), world.beside().exists()), (0, OLD, false), "{words}");
    }
    let world = World::new();
    world.fault("cloudflare.tokens.verify status=500");
    let words = world.rotate().await.unwrap_err().to_string();
    assert!(words.starts_with("nothing was changed: "), "{words}");
    let held = world.rotation(Manager::Nobody);
    let place = world.config().place_of(Key::CloudflareApiToken).unwrap();
    let words = Replacement::begin(place).unwrap_err().to_string();
    assert!(words.contains("another `alfred token rotate` works on"), "{words}");
    drop(held);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_rolls_itself_is_lost_with_its_answer_and_says_so() {
    let itself = || TokenOptions { may_roll_tokens: true, ..TokenOptions::new(ID, OLD) };
    for (fault, lost) in [("lost-before", false), ("lost-after", true), ("status=500", false)] {
        let world = World::with(itself());
        world.fault(&format!("cloudflare.tokens.roll count=1 {fault}"));
        let result = world.rotate_by(Manager::Itself).await;
        if lost {
            let words = result.unwrap_err().to_string();
            assert!(words.contains("its new value is lost") && words.contains("dash.cloudflare.com"), "{words}");
            // With another token to manage it, it is not.
            world.rotate().await.unwrap();
        } else {
            result.unwrap();
        }
        assert!(world.works(&world.value()).await, "{fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_that_cannot_be_replaced_is_found_out_before_the_rolling() {
    for obstacle in ["token.new", "token.rotating.new"] {
        let world = World::new();
        world.fault("cloudflare.tokens.roll status=500");
        // A directory where the temporary file would be: for root, too, this cannot be written.
        std::fs::create_dir(world.directory.path().join(obstacle)).unwrap();
        let words = world.rotate().await.unwrap_err().to_string();
        assert!(words.contains("could not be stored in") && words.contains("so nothing was done"), "{words}");
        assert_eq!((world.rolls(), world.value().as_str(), world.beside().exists()), (0, OLD, false), "{obstacle}");
        assert!(world.works(OLD).await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_link_stays_a_link_and_the_mode_stays() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let world = World::new();
    let real = world.directory.path().join("real-token");
    std::fs::rename(world.file(), &real).unwrap();
    std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink(&real, world.file()).unwrap();
    world.rotate().await.unwrap();
    assert!(world.file().symlink_metadata().unwrap().is_symlink());
    assert_eq!(real.metadata().unwrap().mode() & 0o777, 0o640);
    assert!(world.works(&world.value()).await);
}

#[tokio::test(start_paused = true)]
async fn what_others_write_into_the_file_meanwhile_stays() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new();
    let path = world.directory.path().join(".env.server");
    std::fs::write(&path, format!("# ours\nCLOUDFLARE_API_TOKEN='{OLD}'\nA=1\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let sources = Sources { directory: world.directory.path().to_owned(), ..Sources::default() };
    let place = Config::load(&sources).unwrap().place_of(Key::CloudflareApiToken).unwrap();
    let replacement = Replacement::begin(place.clone()).unwrap();
    replacement.rehearse().unwrap();
    replacement.keep("new").unwrap();
    assert_eq!(place.read_beside().unwrap().unwrap().expose_secret(), "new");
    std::fs::write(&path, format!("CLOUDFLARE_API_TOKEN='{OLD}'\nA=2\n")).unwrap();
    replacement.put("new").unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "CLOUDFLARE_API_TOKEN='new'\nA=2\n");
}
