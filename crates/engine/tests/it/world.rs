//! A world in one process: local cloud, memory store, simulated clock, seeded chance, and engines that come and go.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use alfred_engine::{AuditSchedule, CreateEnvironments, Engine, Parts, Settings, ZoneSettings};
use alfred_local_cloud::{LocalCloud, Options, cloudflare as local_cloudflare, contabo as local_contabo};
use alfred_model::environment::{Environment, OnFailure, Setup, Status, Step};
use alfred_model::id::{InstallationId, ZoneId};
use alfred_model::name::DomainName;
use alfred_model::policy::Policy;
use alfred_model::seam::{Clock, Random};
use alfred_providers::authority::{AnswerState, Authority, AuthorityError, ServerAnswer};
use alfred_providers::budget::Budget;
use alfred_providers::cloudflare::{Cloudflare, CloudflareOptions};
use alfred_providers::contabo::{Contabo, ContaboOptions};
use alfred_providers::counts::CallCounts;
use alfred_providers::reach::Reach;
use alfred_providers::transport::{Transport, TransportError};
use alfred_providers::{BaseUrl, secret};
use alfred_store::{EnvironmentQuery, MemoryStore, Store};
use async_trait::async_trait;
use bytes::Bytes;
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use jiff::{SignedDuration, Timestamp};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use secrecy::ExposeSecret as _;
use tokio_util::sync::CancellationToken;

use crate::view::STRANGERS_TOKEN;

pub(crate) const READINESS_PORT: u16 = 2222;

/// Simulated time: it stands still while there is something to do and jumps while everybody waits.
pub(crate) struct SimulatedClock {
    start: tokio::time::Instant,
}

impl SimulatedClock {
    pub(crate) fn new() -> Self {
        Self { start: tokio::time::Instant::now() }
    }
}

impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        let epoch = Timestamp::from_second(1_800_000_000).expect("a time in 2027");
        epoch + SignedDuration::try_from(self.start.elapsed()).expect("a test is shorter than the age of the universe")
    }
}

pub(crate) struct SeededRandom(Mutex<StdRng>);

impl SeededRandom {
    pub(crate) fn new(random: StdRng) -> Self {
        Self(Mutex::new(random))
    }
}

impl Random for SeededRandom {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().expect("nobody panics while drawing").fill(bytes);
    }
}

/// The real clients' transport, answered by the local cloud's router.
pub(crate) struct Wire {
    pub(crate) cloud: LocalCloud,
}

#[async_trait]
impl Transport for Wire {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
        match tokio::time::timeout(Duration::from_secs(30), self.cloud.call(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(lost)) => Err(TransportError::Lost { words: lost.to_string() }),
            Err(_) => Err(TransportError::Lost { words: "no answer within 30 s".to_owned() }),
        }
    }
}

struct Direct {
    cloud: LocalCloud,
    silence: Arc<Silence>,
    random: Arc<dyn Random>,
}

/// Makes the authoritative servers fail to answer.
#[derive(Default)]
pub(crate) struct Silence {
    /// So many questions from now on get no answer.
    pub(crate) next: AtomicU32,
    /// The share of questions that get none, in thousandths.
    pub(crate) permille: AtomicU32,
    /// How many got none.
    pub(crate) fired: AtomicU32,
    pub(crate) asked: AtomicU32,
}

impl Silence {
    fn falls(&self, random: &dyn Random) -> bool {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let next = self.next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |next| next.checked_sub(1)).is_ok();
        let permille = self.permille.load(Ordering::Relaxed);
        let falls = next || (permille > 0 && random.unit() * 1000.0 < f64::from(permille));
        self.fired.fetch_add(u32::from(falls), Ordering::Relaxed);
        falls
    }
}

#[async_trait]
impl Authority for Direct {
    async fn ask(&self, name: &DomainName) -> Result<Vec<ServerAnswer>, AuthorityError> {
        if self.silence.falls(&*self.random) {
            let state = AnswerState::Failed("no answer within 2 s".to_owned());
            return Ok(vec![ServerAnswer { server: "local".to_owned(), addresses: Vec::new(), state }]);
        }
        let resolution = self.cloud.resolve(name.as_str(), RecordType::A);
        let addresses: Vec<Ipv4Addr> =
            resolution.answers.iter().filter_map(|answer| answer.value.parse().ok()).collect();
        let state = match (addresses.is_empty(), resolution.code) {
            (false, _) => AnswerState::Answered,
            (true, ResponseCode::NXDomain) => AnswerState::NoSuchName,
            (true, _) => AnswerState::NoData,
        };
        Ok(vec![ServerAnswer { server: "local".to_owned(), addresses, state }])
    }
}

#[async_trait]
impl Reach for Direct {
    async fn accepts(&self, address: Ipv4Addr, port: u16) -> bool {
        self.cloud.contabo().reachable(address, port)
    }
}

/// Puts something between a client and the cloud.
pub(crate) type Through = Arc<dyn Fn(Arc<dyn Transport>) -> Arc<dyn Transport> + Send + Sync>;

pub(crate) struct World {
    pub(crate) cloud: LocalCloud,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) policy: Policy,
    pub(crate) counts: CallCounts,
    pub(crate) installation: InstallationId,
    pub(crate) silence: Arc<Silence>,
    pub(crate) budget: Arc<Budget>,
    /// All zones of the cloud.
    pub(crate) zones: Vec<ZoneSettings>,
    pub(crate) audit: AuditSchedule,
    pub(crate) lease: Duration,
    /// What stands between the engines' Contabo clients and the cloud.
    pub(crate) contabo_through: Option<Through>,
    workers: AtomicU32,
}

/// A running engine; it is gone, as after SIGKILL, when it is dropped.
pub(crate) struct Process {
    pub(crate) engine: Arc<Engine>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Process {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        Self::with(seed, Options { contabo: local_contabo::Options::demo(), ..Options::default() })
    }

    pub(crate) fn with(seed: u64, mut options: Options) -> Self {
        options.contabo.readiness_port = READINESS_PORT;
        let stranger = local_cloudflare::TokenOptions::new("57a57a57a57a57a57a57a57a57a57a57", STRANGERS_TOKEN);
        options.cloudflare.tokens.push(stranger);
        let clock: Arc<dyn Clock> = Arc::new(SimulatedClock::new());
        let random: Arc<dyn Random> = Arc::new(SeededRandom::new(StdRng::seed_from_u64(seed)));
        let zones = options.cloudflare.zones.iter().map(|zone| ZoneSettings {
            name: zone.name.parse().expect("a zone"),
            id: ZoneId::parse(&zone.id).expect("a zone id"),
            plan: None,
        });
        let zones = zones.collect();
        let cloud = LocalCloud::new(options, Arc::clone(&clock), Arc::clone(&random));
        let installation = InstallationId::generate(clock.now(), &*random);
        Self {
            store: Arc::new(MemoryStore::new()),
            budget: Budget::new(Arc::clone(&clock), 90),
            zones,
            cloud,
            clock,
            random,
            policy: Policy::local(),
            counts: CallCounts::new(),
            installation,
            silence: Arc::default(),
            audit: AuditSchedule::default(),
            lease: Duration::from_secs(30),
            contabo_through: None,
            workers: AtomicU32::new(0),
        }
    }

    /// Starts an engine on this world's store and cloud.
    pub(crate) fn start(&self) -> Process {
        self.start_with(Arc::clone(&self.budget))
    }

    /// A client of the demo's zone that takes its calls from `budget`.
    pub(crate) fn cloudflare(&self, budget: Arc<Budget>) -> Cloudflare {
        Cloudflare::new(
            Arc::new(Wire { cloud: self.cloud.clone() }),
            CloudflareOptions {
                base: BaseUrl::parse("http://127.0.0.1:1/client/v4").expect("a base address"),
                token: secret::ApiToken::new(local_cloudflare::DEMO_TOKEN).into(),
                zone: ZoneId::parse(local_cloudflare::DEMO_ZONE_ID).expect("a zone id"),
                account: None,
            },
            budget,
            self.counts.clone(),
        )
    }

    /// The same with a budget of its own, as replicas have them.
    pub(crate) fn start_with(&self, budget: Arc<Budget>) -> Process {
        let wire: Arc<dyn Transport> = Arc::new(Wire { cloud: self.cloud.clone() });
        let wire =
            self.contabo_through.as_ref().map_or_else(|| Arc::clone(&wire), |through| through(Arc::clone(&wire)));
        let base = |path: &str| BaseUrl::parse(&format!("http://127.0.0.1:1{path}")).expect("a base address");
        let cloudflare = self.cloudflare(budget);
        let credentials = local_contabo::Options::demo();
        let contabo = Contabo::new(
            wire,
            ContaboOptions {
                base: base(""),
                auth_url: base("/auth/realms/contabo/protocol/openid-connect/token"),
                client_id: credentials.client_id,
                client_secret: secret::ClientSecret::new(credentials.client_secret.expose_secret()),
                user: credentials.user,
                password: secret::ApiPassword::new(credentials.password.expose_secret()),
                page_size: 100,
            },
            Arc::clone(&self.clock),
            Arc::clone(&self.random),
            self.counts.clone(),
        );
        let direct = Arc::new(Direct {
            cloud: self.cloud.clone(),
            silence: Arc::clone(&self.silence),
            random: Arc::clone(&self.random),
        });
        let worker = self.workers.fetch_add(1, Ordering::Relaxed);
        let engine = Engine::new(
            Parts {
                store: Arc::clone(&self.store),
                cloudflare: Arc::new(cloudflare),
                contabo: Arc::new(contabo),
                authority: direct.clone(),
                reach: direct,
                clock: Arc::clone(&self.clock),
                random: Arc::clone(&self.random),
            },
            Settings {
                policy: self.policy.clone(),
                zones: self.zones.clone(),
                installation: self.installation,
                worker: format!("worker-{worker}"),
                readiness_port: READINESS_PORT,
                product: "V153".to_owned(),
                region: "EU".to_owned(),
                image: "d64d5c6c-9dda-4e38-8174-0ee282474d8a".to_owned(),
                call_home_base: None,
                concurrency: 256,
                lease: self.lease,
                audit: self.audit.clone(),
            },
        );
        let task = tokio::spawn(Arc::clone(&engine).run(CancellationToken::new()));
        Process { engine, task }
    }

    /// Asks for environments as `alice`.
    pub(crate) async fn create(&self, process: &Process, count: u32) -> Vec<Environment> {
        process.engine.create(request(count)).await.expect("the request is good")
    }

    /// Waits until no environment moves any more, in simulated time; whether that came to pass.
    pub(crate) async fn settle(&self, limit: Duration) -> bool {
        let end = tokio::time::Instant::now() + limit;
        loop {
            let all = self.store.environments(EnvironmentQuery::default()).await.expect("the store answers");
            let vms = self.store.vms(false).await.expect("the store answers");
            let rests = |environment: &Environment| {
                environment.wake_at.is_none() || (environment.attention && environment.step == Step::OrderVm)
            };
            let vms_rest = vms.iter().all(|vm| vm.wake_at.is_none());
            if all.iter().all(rests) && vms_rest {
                return true;
            }
            if tokio::time::Instant::now() >= end {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    pub(crate) async fn environment(&self, id: alfred_model::id::EnvironmentId) -> Environment {
        self.store.environment(id).await.expect("the store answers").expect("a row is never removed")
    }

    pub(crate) async fn with_status(&self, status: Status) -> Vec<Environment> {
        let all = EnvironmentQuery { include_deleted: true, ..EnvironmentQuery::default() };
        let all = self.store.environments(all).await.expect("the store answers");
        all.into_iter().filter(|environment| environment.status == status).collect()
    }
}

pub(crate) fn request(count: u32) -> CreateEnvironments {
    CreateEnvironments {
        slug: None,
        count,
        owner: "alice".parse().expect("a name"),
        actor: "alice".parse().expect("a name"),
        setup: Setup::default(),
        on_failure: OnFailure::Pool,
        life: None,
        idempotency: None,
    }
}
