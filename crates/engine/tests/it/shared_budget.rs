//! Several replicas on one store and one token, in front of the local cloud's real rate limit.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use alfred_engine::shared_budget;
use alfred_local_cloud::cloudflare::DEMO_TOKEN;
use alfred_local_cloud::journal::{Entry, Outcome, Service};
use alfred_local_cloud::{Options, contabo};
use alfred_model::environment::Status;
use alfred_providers::budget::{Budget, Priority};
use alfred_providers::cloudflare::{Batch, Cloudflare, NewRecord, RecordFilter};
use alfred_providers::secret::ApiToken;
use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::world::{Process, World};

const LIMIT: usize = 1_200;
const WINDOW: SignedDuration = SignedDuration::from_mins(5);

/// How long callers waited.
#[derive(Clone, Default)]
struct Waits(Arc<Mutex<Vec<Duration>>>);

impl Waits {
    fn add(&self, since: Instant) {
        self.0.lock().unwrap().push(since.elapsed());
    }

    fn summary(&self) -> Summary {
        let mut all = self.0.lock().unwrap().clone();
        all.sort_unstable();
        let mean = all.iter().sum::<Duration>() / u32::try_from(all.len()).unwrap();
        Summary { number: all.len(), mean, median: all[all.len() / 2], longest: all[all.len() - 1] }
    }
}

#[derive(Debug)]
struct Summary {
    number: usize,
    mean: Duration,
    median: Duration,
    longest: Duration,
}

/// A replica: an engine, and callers on the same budget who make one call for each wish, as a fleet whose changes do
/// not meet in one batch.
struct Replica {
    process: Process,
    budget: Arc<Budget>,
    client: Cloudflare,
}

impl Replica {
    fn start(world: &World) -> Self {
        let token = ApiToken::new(DEMO_TOKEN);
        let (clock, random) = (Arc::clone(&world.clock), Arc::clone(&world.random));
        let budget = shared_budget(Arc::clone(&world.store), &token, 90, clock, random);
        let process = world.start_with(Arc::clone(&budget));
        let client = world.cloudflare(Arc::clone(&budget));
        Self { process, budget, client }
    }
}

fn world(seed: u64) -> World {
    let mut options = Options { contabo: contabo::Options::demo(), ..Options::default() };
    options.contabo.instance_cap = 100;
    World::with(seed, options)
}

fn record(name: &str) -> NewRecord {
    NewRecord {
        name: format!("{name}.alfredos.site"),
        kind: "A".into(),
        content: "198.51.100.4".into(),
        ttl: 300,
        proxied: false,
        comment: None,
        tags: Vec::new(),
    }
}

/// The calls of our token, oldest first.
fn calls(world: &World) -> Vec<Entry> {
    world.cloud.journal().entries().into_iter().filter(|entry| entry.service == Service::Cloudflare).collect()
}

/// The foreign tool's calls can be told by their path.
fn is_foreign(call: &Entry) -> bool {
    call.path.contains("foreign")
}

fn is_429(call: &Entry) -> bool {
    call.outcome == Outcome::Answered(429)
}

fn fullest_window(times: &[Timestamp]) -> usize {
    let (mut first, mut fullest) = (0, 0);
    for (last, time) in times.iter().enumerate() {
        while time.duration_since(times[first]) >= WINDOW {
            first += 1;
        }
        fullest = fullest.max(last - first + 1);
    }
    fullest
}

/// One call of a tool that is not ours, on the same token.
async fn foreign_call(world: &World) {
    let request = http::Request::get("http://127.0.0.1:1/client/v4/zones?name=foreign.example")
        .header("authorization", format!("Bearer {DEMO_TOKEN}"))
        .body(bytes::Bytes::new())
        .unwrap();
    let _ = world.cloud.call(request).await.unwrap();
}

/// A name that comes and goes, one call each, for ever.
async fn come_and_go(client: Cloudflare, name: String, waits: Waits) {
    loop {
        let since = Instant::now();
        let turn = client.turn(Priority::NewName).await;
        waits.add(since);
        let batch = Batch { posts: vec![record(&name)], ..Batch::default() };
        let created = client.batch_in(turn, &batch).await.unwrap();
        client.delete(&created.posts[0].id).await.unwrap();
    }
}

async fn read_on(client: Cloudflare, name: String) {
    loop {
        client.records(&RecordFilter::name(format!("{name}.alfredos.site")), 100).await.unwrap();
    }
}

/// A look at everything with nothing between but a short pause.
async fn audit_on(client: Cloudflare, waits: Waits) {
    loop {
        let since = Instant::now();
        client.for_audit().records(&RecordFilter::all(), 5_000).await.unwrap();
        waits.add(since);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The fleet of one replica's engine, created and deleted for ever; counts the engine's own audits that ended.
async fn live(replica: &Replica, world: &World, audits: &Mutex<u32>) {
    let fleet = async {
        loop {
            world.create(&replica.process, 3).await;
            tokio::time::sleep(Duration::from_secs(20)).await;
            for environment in world.with_status(Status::Active).await {
                replica.process.engine.delete(environment.id, &environment.owner).await.unwrap();
            }
            tokio::time::sleep(Duration::from_secs(20)).await;
        }
    };
    let auditing = async {
        loop {
            replica.process.engine.audit().await.unwrap();
            *audits.lock().unwrap() += 1;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::join!(fleet, auditing);
}

struct Storm {
    names: Waits,
    audits: Waits,
    engine_audits: u32,
    ours: usize,
    foreign: usize,
}

async fn storm(seed: u64, length: Duration) -> Storm {
    let world = world(seed);
    let replicas = [Replica::start(&world), Replica::start(&world), Replica::start(&world)];
    let (names, audits) = (Waits::default(), Waits::default());
    let mut tasks = JoinSet::new();
    for (number, replica) in replicas.iter().enumerate() {
        let client = || replica.client.clone();
        for name in 0..8 {
            tasks.spawn(come_and_go(client(), format!("storm-{number}-{name}"), names.clone()));
        }
        for name in 0..4 {
            tasks.spawn(read_on(client(), format!("storm-{number}-{name}")));
        }
        for _ in 0..2 {
            tasks.spawn(audit_on(client(), audits.clone()));
        }
    }
    let foreign = async {
        loop {
            // A tenth of the limit, in bursts.
            for _ in 0..12 {
                foreign_call(&world).await;
            }
            tokio::time::sleep(Duration::from_secs(30) + Duration::from_secs(3).mul_f64(world.random.unit())).await;
        }
    };
    let engine_audits = Mutex::new(0);
    let lives = futures::future::join_all(replicas.iter().map(|replica| live(replica, &world, &engine_audits)));
    let all = async { tokio::join!(foreign, lives) };
    assert!(tokio::time::timeout(length, all).await.is_err(), "it storms until it is over");
    assert!(tasks.try_join_next().is_none(), "no caller was told of an error");
    let calls = calls(&world);
    let refused = calls.iter().filter(|call| is_429(call)).count();
    assert_eq!(refused, 0, "seed {seed}: calls refused with 429");
    let times: Vec<Timestamp> = calls.iter().map(|call| call.time).collect();
    assert!(times.is_sorted() && times.len() < 190_000, "the journal has them all");
    let fullest = fullest_window(&times);
    assert!(fullest <= LIMIT, "seed {seed}: {fullest} calls within five minutes");
    let foreign = calls.iter().filter(|call| is_foreign(call)).count();
    let ours = calls.len() - foreign;
    let engine_audits = *engine_audits.lock().unwrap();
    Storm { names, audits, engine_audits, ours, foreign }
}

fn simulated<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(work)
}

#[test]
fn three_replicas_in_a_storm_stay_within_the_limit_and_new_names_go_before_audits() {
    let windows = 4;
    for seed in [1, 2, 3] {
        let Storm { names, audits, engine_audits, ours, foreign } =
            simulated(storm(seed, Duration::from_mins(5 * windows)));
        let (names, audits) = (names.summary(), audits.summary());
        println!("seed {seed}: {ours} calls of ours, {foreign} of others; the engines ended {engine_audits} audits");
        println!("names waited: {names:.1?}\naudits waited: {audits:.1?}");
        // All of the budget is used: the wish is for far more than there is.
        assert!(ours > 1_000 * (usize::try_from(windows).unwrap() - 1), "{ours}");
        assert!(foreign > 100 * (usize::try_from(windows).unwrap() - 1), "{foreign}");
        assert!(engine_audits >= 10 && audits.number >= 20);
        assert!(names.median <= audits.median);
        assert!(names.mean * 3 < audits.mean, "most names do not wait, most audits do");
        // Both may wait for the same slot to end; replicas then come up to a quarter of a second apart.
        assert!(names.longest <= audits.longest + Duration::from_millis(250));
    }
}

/// Somebody else uses the token up. Whoever of us notices tells the others, all stand still, and go on by themselves.
#[test]
fn a_block_that_others_caused_stops_all_replicas_until_it_is_over() {
    for seed in [1, 2] {
        simulated(async {
            let world = world(seed);
            let replicas = [Replica::start(&world), Replica::start(&world), Replica::start(&world)];
            for replica in &replicas {
                replica.client.records(&RecordFilter::all(), 100).await.unwrap();
            }
            for _ in 0..LIMIT {
                foreign_call(&world).await;
            }
            let blocked = calls(&world).into_iter().find(is_429).expect("the limit is used up");
            // The first call of ours that meets the block.
            assert!(replicas[0].client.records(&RecordFilter::all(), 100).await.is_err());
            tokio::time::sleep(Duration::from_secs(1)).await;
            let over = blocked.time + WINDOW;
            let waiting: Vec<_> = replicas
                .iter()
                .map(|replica| {
                    let client = replica.client.clone();
                    tokio::spawn(async move { client.records(&RecordFilter::all(), 100).await.is_ok() })
                })
                .collect();
            world.create(&replicas[1].process, 2).await;
            for waiting in waiting {
                assert!(waiting.await.unwrap(), "it waited, and was not refused");
            }
            assert!(replicas.iter().all(|replica| replica.budget.blocked_until().is_none()));
            assert!(world.settle(Duration::from_mins(10)).await);
            assert_eq!(world.with_status(Status::Active).await.len(), 2, "environments go on as if nothing had been");
            let ours: Vec<Entry> = calls(&world).into_iter().filter(|call| !is_foreign(call)).collect();
            let during = ours.iter().filter(|call| call.sequence > blocked.sequence && call.time < over).count();
            assert_eq!(during, 1, "one call met the block, and no other was made before it was over");
            assert_eq!(ours.iter().filter(|call| is_429(call)).count(), 1);
        });
    }
}
