//! The bench behind `cargo xtask bench environments`: a fleet of environments from a warm pool.
//!
//! A local cloud without delays runs in a process of its own; the control plane here is the real one: SQLite on disk,
//! HTTP and DNS over sockets. The pool is filled by real orders beforehand; then all environments are asked for at
//! once, and the time runs until the last one is active. Figures are of the control plane's process alone.
//!
//! `cargo xtask bench environments [COUNT ...]`, by default 250 and 1000: what one environment costs must not grow with
//! their number.

#![expect(clippy::print_stdout, reason = "figures are what a bench is for")]

#[path = "common/pool.rs"]
mod pool;

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
use alfred_providers::BaseUrl;
use alfred_providers::authority::{DnsAuthority, Source};
use alfred_providers::budget::Budget;
use alfred_providers::cloudflare::{Cloudflare, CloudflareOptions};
use alfred_providers::contabo::Contabo;
use alfred_providers::counts::CallCounts;
use alfred_providers::reach::TcpReach;
use alfred_providers::secret::ApiToken;
use alfred_providers::transport::{HttpOptions, HttpTransport};
use alfred_store::{EnvironmentQuery, SqlOptions, SqlStore, Store};
use pool::{Failure, SystemClock, SystemRandom};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

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
    let running = cloud.serve(Listen { http: any, dns: any, r2: any }).await?;
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
    let filled = pool::fill(&engine.contabo, &*store, count).await?;
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
    let contabo = Arc::new(pool::contabo(http, transport, &local, counts)?);
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
            product: pool::PRODUCT.to_owned(),
            region: pool::REGION.to_owned(),
            image: pool::IMAGE.to_owned(),
            call_home_base: None,
            concurrency: 256,
            lease: Duration::from_secs(30),
            audit: AuditSchedule::default(),
        },
    );
    Ok(Plane { engine, contabo })
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
