//! The bench behind `cargo xtask bench environments`: a fleet of environments from a warm pool.
//!
//! A local cloud without delays runs in a process of its own; the control plane here is the real one: SQLite on disk,
//! HTTP and DNS over sockets. The pool is filled by real orders beforehand; then all environments are asked for at
//! once, and the time runs until the last one is active. Figures are of the control plane's process alone.
//!
//! `cargo xtask bench environments [COUNT ...]`, by default 250 and 1000: what one environment costs must not grow with
//! their number.

#![expect(clippy::print_stdout, reason = "figures are what a bench is for")]

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;

use alfred_engine::{AuditSchedule, CreateEnvironments, Engine, Parts, Settings, ZoneSettings};
use alfred_local_cloud::cloudflare::{DEMO_TOKEN, DEMO_ZONE, DEMO_ZONE_ID, Plan, ZoneOptions};
use alfred_local_cloud::{Listen, LocalCloud, Options, contabo as local_contabo};
use alfred_model::environment::{OnFailure, Setup, Status};
use alfred_model::id::{InstallationId, ZoneId};
use alfred_model::policy::Policy;
use alfred_model::seam::{Clock, Random};
use alfred_model::vm::{Vm, VmState, VmStep, pool_display_name};
use alfred_providers::BaseUrl;
use alfred_providers::authority::{DnsAuthority, Source};
use alfred_providers::budget::Budget;
use alfred_providers::cloudflare::{Cloudflare, CloudflareOptions};
use alfred_providers::contabo::{Contabo, ContaboOptions, InstanceFilter, OrderRequest, RequestId};
use alfred_providers::counts::CallCounts;
use alfred_providers::reach::TcpReach;
use alfred_providers::secret::{ApiPassword, ApiToken, ClientSecret};
use alfred_providers::transport::{HttpOptions, HttpTransport};
use alfred_store::{Changes, EnvironmentQuery, SqlOptions, SqlStore, Store};
use futures::StreamExt as _;
use jiff::Timestamp;
use rand::Rng as _;
use secrecy::ExposeSecret as _;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

const PRODUCT: &str = "V153";
const REGION: &str = "EU";
const IMAGE: &str = "d64d5c6c-9dda-4e38-8174-0ee282474d8a";

struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "a bench runs in real time")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

struct SystemRandom;

impl Random for SystemRandom {
    #[expect(clippy::disallowed_methods, reason = "a bench needs no seed")]
    fn fill(&self, bytes: &mut [u8]) {
        rand::rng().fill_bytes(bytes);
    }
}

type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime starts");
    let result = if arguments.first().is_some_and(|word| word == "cloud") {
        runtime.block_on(cloud(&arguments[1]))
    } else {
        runtime.block_on(bench(&arguments))
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn delays(count: u32) -> local_contabo::Options {
    local_contabo::Options { instance_cap: count + 10, ..local_contabo::Options::instant() }
}

/// The child: a local cloud until its input ends.
async fn cloud(count: &str) -> Result<(), Failure> {
    let count: u32 = count.parse()?;
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let raised = rustix::process::Rlimit { current: limit.maximum, maximum: limit.maximum };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, raised)?;
    let mut options = Options { contabo: delays(count), ..Options::default() };
    options.cloudflare.zones = vec![ZoneOptions::new(DEMO_ZONE_ID, DEMO_ZONE, Plan::Pro)];
    let cloud = LocalCloud::new(options, Arc::new(SystemClock), Arc::new(SystemRandom));
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let running = cloud.serve(Listen { http: any, dns: any }).await?;
    println!("{} {}", running.http_address, running.dns_address);
    tokio::task::spawn_blocking(|| std::io::stdin().lines().last()).await?;
    running.stop().await;
    Ok(())
}

async fn bench(arguments: &[String]) -> Result<(), Failure> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    if let [count] = arguments {
        return one(count.parse()?).await;
    }
    let counts = if arguments.is_empty() { vec!["250".to_owned(), "1000".to_owned()] } else { arguments.to_vec() };
    println!(
        "{:>12} {:>9} {:>8} {:>8} {:>12} {:>10} {:>12} {:>14}",
        "environments", "seconds", "per s", "CPU s", "CPU ms each", "peak MiB", "calls each", "DNS writes"
    );
    for count in counts {
        // A process for each size: peak memory only grows.
        let status = Command::new(std::env::current_exe()?).arg(&count).status()?;
        if !status.success() {
            return Err(format!("the run with {count} environments failed").into());
        }
    }
    Ok(())
}

struct CloudProcess(Child);

impl Drop for CloudProcess {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

async fn one(count: u32) -> Result<(), Failure> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["cloud", &count.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().ok_or("the cloud has no output")?).read_line(&mut line)?;
    let _cloud = CloudProcess(child);
    let (http, dns) = line.trim().split_once(' ').ok_or("the cloud did not start")?;
    let folder = tempfile::tempdir()?;
    let database = format!("sqlite://{}", folder.path().join("bench.sqlite").display());
    let store = Arc::new(SqlStore::open(&database, SqlOptions::default()).await?);
    let counts = CallCounts::new();
    let engine = engine(Arc::clone(&store) as Arc<dyn Store>, http, dns.parse()?, &counts, count).await?;
    let filled = fill_pool(&engine.contabo, &*store, count).await?;
    if filled != count {
        return Err(format!("the pool holds {filled} VMs, not {count}").into());
    }
    let stop = CancellationToken::new();
    let running = tokio::spawn(Arc::clone(&engine.engine).run(stop.clone()));
    let calls_before = counts.total();
    let cpu_before = cpu_seconds()?;
    let began = Instant::now();
    engine.engine.create(request(count)).await?;
    wait_until_active(&*store, count).await?;
    let seconds = began.elapsed().as_secs_f64();
    let cpu = cpu_seconds()? - cpu_before;
    let calls = counts.total() - calls_before;
    println!(
        "{count:>12} {seconds:>9.2} {:>8.0} {cpu:>8.2} {:>12.2} {:>10.1} {:>12.2} {:>14}",
        f64::from(count) / seconds,
        cpu * 1000.0 / f64::from(count),
        peak_mebibytes()?,
        whole(calls) / f64::from(count),
        counts.of("POST /zones/{zone}/dns_records/batch"),
    );
    stop.cancel();
    running.await?;
    store.close().await;
    Ok(())
}

struct Plane {
    engine: Arc<Engine>,
    contabo: Arc<Contabo>,
}

async fn engine(
    store: Arc<dyn Store>,
    http: &str,
    dns: SocketAddr,
    counts: &CallCounts,
    count: u32,
) -> Result<Plane, Failure> {
    let (clock, random): (Arc<dyn Clock>, Arc<dyn Random>) = (Arc::new(SystemClock), Arc::new(SystemRandom));
    let transport = Arc::new(HttpTransport::new(&HttpOptions::from_environment())?);
    let cloudflare = CloudflareOptions {
        base: BaseUrl::parse(&format!("http://{http}/client/v4"))?,
        token: ApiToken::new(DEMO_TOKEN).into(),
        zone: ZoneId::parse(DEMO_ZONE_ID).ok_or("a bad zone id")?,
        account: None,
    };
    let budget = Budget::new(Arc::clone(&clock), 90);
    let cloudflare = Cloudflare::new(transport.clone(), cloudflare, budget, counts.clone());
    let local = delays(count);
    let contabo = ContaboOptions {
        base: BaseUrl::parse(&format!("http://{http}"))?,
        auth_url: BaseUrl::parse(&format!("http://{http}/auth/realms/contabo/protocol/openid-connect/token"))?,
        client_id: local.client_id.clone(),
        client_secret: ClientSecret::new(local.client_secret.expose_secret()),
        user: local.user.clone(),
        password: ApiPassword::new(local.password.expose_secret()),
        page_size: 100,
    };
    let contabo = Arc::new(Contabo::new(transport, contabo, Arc::clone(&clock), Arc::clone(&random), counts.clone()));
    let installation = store.installation(InstallationId::generate(clock.now(), &*random)).await?;
    let engine = Engine::new(
        Parts {
            store,
            cloudflare: Arc::new(cloudflare),
            contabo: Arc::clone(&contabo),
            authority: Arc::new(DnsAuthority::new(Source::Fixed(vec![dns]), Arc::clone(&random))),
            reach: Arc::new(TcpReach::default()),
            clock,
            random,
        },
        Settings {
            policy: Policy::local(),
            zones: vec![ZoneSettings {
                name: DEMO_ZONE.parse()?,
                id: ZoneId::parse(DEMO_ZONE_ID).ok_or("a bad zone id")?,
                plan: None,
            }],
            installation,
            worker: "bench".to_owned(),
            readiness_port: local.readiness_port,
            product: PRODUCT.to_owned(),
            region: REGION.to_owned(),
            image: IMAGE.to_owned(),
            call_home_base: None,
            concurrency: 256,
            lease: Duration::from_secs(30),
            audit: AuditSchedule::default(),
        },
    );
    Ok(Plane { engine, contabo })
}

/// Buys `count` VMs and enters them as wiped and ready.
async fn fill_pool(contabo: &Contabo, store: &dyn Store, count: u32) -> Result<u32, Failure> {
    let orders = futures::stream::iter(0..count).map(async |number| {
        let order = OrderRequest {
            request_id: RequestId::random(&SystemRandom),
            display_name: format!("alfredos-pool.{number}"),
            product: PRODUCT.to_owned(),
            region: REGION.to_owned(),
            image: IMAGE.to_owned(),
            period: 1,
            ssh_keys: Vec::new(),
            root_password: None,
            user_data: None,
            default_user: None,
        };
        contabo.create_instance(&order).await
    });
    let orders: Vec<_> = orders.buffer_unordered(16).collect().await;
    for order in orders {
        order?;
    }
    let mut ready = 0;
    for instance in contabo.instances(&InstanceFilter::all()).await? {
        let address = instance.address.ok_or("an instance has no address")?;
        let vm = ready_vm(instance.id, address);
        store.commit(Changes { new_vms: vec![vm], ..Changes::default() }).await?;
        ready += 1;
    }
    Ok(ready)
}

fn ready_vm(id: alfred_model::id::VmId, address: Ipv4Addr) -> Vm {
    let now = SystemClock.now();
    Vm {
        id,
        display_name: pool_display_name(id),
        product: PRODUCT.to_owned(),
        region: REGION.to_owned(),
        address: Some(address),
        state: VmState::Ready,
        step: VmStep::Settled,
        environment_id: None,
        bought_for: None,
        released_by: None,
        assignable_at: Some(now),
        wiped_at: Some(now),
        install_seen: true,
        cancel_date: None,
        attempts: 0,
        step_since: now,
        wake_at: None,
        reason: None,
        attention: false,
        created_at: now,
        updated_at: now,
        version: 0,
    }
}

fn request(count: u32) -> CreateEnvironments {
    CreateEnvironments {
        slug: None,
        count,
        owner: "bench".parse().expect("five letters"),
        actor: "bench".parse().expect("five letters"),
        setup: Setup::default(),
        on_failure: OnFailure::Pool,
        life: None,
        idempotency: None,
    }
}

async fn wait_until_active(store: &dyn Store, count: u32) -> Result<(), Failure> {
    let end = Instant::now() + Duration::from_mins(5);
    while Instant::now() < end {
        let provisioning =
            EnvironmentQuery { status: Some(Status::Provisioning), limit: 1, ..EnvironmentQuery::default() };
        if store.environments(provisioning).await?.is_empty() {
            let active = EnvironmentQuery { status: Some(Status::Active), ..EnvironmentQuery::default() };
            let active = store.environments(active).await?.len();
            let wanted = usize::try_from(count)?;
            return if active == wanted { Ok(()) } else { Err(format!("{active} of {count} are active").into()) };
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Err("not all are active after five minutes".into())
}

/// User and system time of this process so far.
fn cpu_seconds() -> Result<f64, Failure> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit_once(')').ok_or("an odd /proc/self/stat")?.1.split_whitespace().collect();
    let ticks: f64 = fields.get(11).ok_or("no user time")?.parse::<f64>()?
        + fields.get(12).ok_or("no system time")?.parse::<f64>()?;
    Ok(ticks / 100.0)
}

fn peak_mebibytes() -> Result<f64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no peak memory")?;
    let kibibytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kibibytes / 1024.0)
}

#[expect(clippy::cast_precision_loss, reason = "counts of calls are far below 2^53")]
fn whole(number: u64) -> f64 {
    number as f64
}
