//! `alfred up`: the control plane in one process.
//!
//! Order matters here. The data directory and the store come first, so that a second process on the same data stops
//! before it speaks to anybody; then the port is taken, so that a busy one is told at once; then the providers are
//! checked; then the first administrator's token is made; and only then requests are answered and the reconcilers run.

mod backups;
mod checks;
pub(super) mod first_token;
pub(super) mod local;
mod owner;
pub(super) mod providers;
mod schedule;
mod spending;
pub(super) mod states;
mod store;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use alfred_engine::{Engine, Parts, Settings};
use alfred_local_cloud::Running;
use alfred_local_cloud::r2::{DEMO_ACCESS_KEY_ID, DEMO_SECRET_ACCESS_KEY};
use alfred_model::id::InstallationId;
use alfred_model::policy::Policy;
use alfred_model::seam::{Clock as _, Random as _};
use alfred_server::{Server, ServerParts};
use alfred_store::{SqlStore, Store};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::Context;
use crate::cli::UpArguments;
use crate::cloudflare_token::watch::Watch;
use crate::config::{Config, Key};
use crate::error::{Exit, Failure};
use crate::stop::Stop;
use crate::system::{SystemClock, SystemRandom};
use crate::ttl::Ttl;
use crate::{files, logging};

use providers::Providers;

/// So many environments are worked on at once; each holds little but waits a lot.
const CONCURRENCY: usize = 256;

/// A worker that died is replaced after this; it renews four times as often.
const LEASE: Duration = Duration::from_secs(30);

/// The same on a local cloud, where nobody wants to wait.
const LOCAL_LEASE: Duration = Duration::from_secs(3);

/// Runs until a signal asks it to stop.
pub(super) async fn run(context: &Context, arguments: UpArguments) -> Result<Exit, Failure> {
    logging::start(context.printer);
    let stop = Stop::on_signals()?;
    let data_dir = context.config.data_dir()?;
    files::private_directory(data_dir)?;
    let _owner = owner::claim(data_dir, arguments.local)?;
    let store = store::open(&context.config).await?;
    let result = with_store(context, &arguments, &store, &stop).await;
    // What was handed to the store is written before the process ends.
    store.close().await;
    result
}

async fn with_store(
    context: &Context,
    arguments: &UpArguments,
    store: &Arc<SqlStore>,
    stop: &Stop,
) -> Result<Exit, Failure> {
    // The port is taken before the local cloud starts, whose machines must know it, and before any check that takes
    // time, so that a busy port is told at once. Nobody is answered before the reconcilers run.
    let listener = listen(context).await?;
    let (cloud, providers, watch) = if arguments.local {
        let (local, providers) = local::start(context, arguments, &listener).await?;
        (Some(local), providers, None)
    } else {
        let mut providers = Providers::from_config(&context.config, store)?;
        let data_dir = context.config.data_dir()?;
        let token = tokio::select! {
            biased;
            () = stop.gently.cancelled() => return Ok(Exit::Done),
            result = checks::run(context.printer, &mut providers, data_dir) => result?,
        };
        let watch = Watch::new(&providers.cloudflare, data_dir.to_owned(), token);
        (None, providers, Some(watch))
    };
    let records = Arc::clone(store) as Arc<dyn Store>;
    let outside = Outside { providers, cloud: cloud.as_ref(), watch };
    let result = with_providers(context, records, outside, listener, stop).await;
    if let Some(cloud) = cloud {
        cloud.stop().await;
    }
    result
}

/// What the control plane has to do with outside of it.
struct Outside<'a> {
    providers: Providers,
    /// The local cloud, if there is one.
    cloud: Option<&'a Running>,
    /// Care for the Cloudflare token, if it is a real one.
    watch: Option<Watch>,
}

async fn with_providers(
    context: &Context,
    store: Arc<dyn Store>,
    outside: Outside<'_>,
    listener: TcpListener,
    stop: &Stop,
) -> Result<Exit, Failure> {
    let Outside { providers, cloud, watch } = outside;
    let metrics = record_metrics()?;
    let webhook = webhook::from_config(context)?;
    let states = states::open(&context.config, Arc::clone(&store)).await?;
    let tended = Arc::clone(&states.states);
    let settings = settings(context, &providers, &*store).await?;
    if !settings.policy.orders.allowed {
        let words = "buying is off: environments take VMs of the pool alone, and wait where it has none";
        context.printer.note(format_args!("{words}; `{}=on` allows orders", Key::Buy.variable()));
    }
    let backups = backups::open(&context.config, Arc::clone(&store), &tended, settings.installation).await?;
    let engine = engine(Arc::clone(&store), providers, settings);
    first_token::make(context, &*store).await?;
    let (ready, is_ready) = watch::channel(true);
    let router = Server::new(ServerParts {
        engine: Arc::clone(&engine),
        states: Some(states),
        backups: backups.clone(),
        metrics: Some(metrics),
        ready: is_ready,
    })
    .router();
    say_addresses(context, &listener, cloud)?;
    let served = tokio::spawn(alfred_server::serve(listener, router, stop.gently.clone()));
    let told = webhook.map(|webhook| tokio::spawn(Arc::clone(&engine).send_notices(webhook, stop.gently.clone())));
    // What it leaves in the middle is gone on with by the next process.
    tokio::spawn(alfred_server::tend_states(tended, stop.gently.clone()));
    // One that is interrupted leaves nothing that counts; the turn is given back.
    let backed_up = backups.map(|backups| tokio::spawn(alfred_server::tend_backups(backups, stop.gently.clone())));
    let reconciled = tokio::spawn(engine.run(stop.gently.clone()));
    if let Some(watch) = watch {
        // It holds nothing that must be brought to an end.
        tokio::spawn(watch.run(stop.gently.clone()));
    }
    stop.gently.cancelled().await;
    context.printer.note("stopping: what is being done is brought to a resting point; a second signal ends at once");
    ready.send_replace(false);
    let drained = async {
        let ended = tokio::join!(served, reconciled);
        if let Some(told) = told {
            // It leaves what it was sending to the next process; there is nothing to be done about how it ends.
            let _ = told.await;
        }
        if let Some(backed_up) = backed_up {
            let _ = backed_up.await;
        }
        ended
    };
    tokio::select! {
        biased;
        () = stop.at_once.cancelled() => {
            let failure = Failure::new("ended at once by a second signal");
            Err(failure.hint("nothing is lost, the next start goes on from the records"))
        }
        (served, reconciled) = drained => match served.and(reconciled) {
            Ok(()) => Ok(Exit::Done),
            Err(error) => Err(Failure::because("a part of the server ended badly", &error)),
        },
    }
}

pub(super) fn engine(store: Arc<dyn Store>, providers: Providers, settings: Settings) -> Arc<Engine> {
    let Providers { cloudflare, contabo, authority, reach, .. } = providers;
    let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom));
    Engine::new(Parts { store, cloudflare, contabo, authority, reach, clock, random }, settings)
}

pub(super) async fn settings(context: &Context, providers: &Providers, store: &dyn Store) -> Result<Settings, Failure> {
    let config = &context.config;
    let proposed = InstallationId::generate(SystemClock.now(), &SystemRandom);
    let installation = store.installation(proposed).await;
    let installation = installation.map_err(|error| Failure::because("cannot read the database", &error))?;
    let text = |key: Key| config.text(key).unwrap_or_default().to_owned();
    let mut policy = spending::policy(config, &providers.policy)?;
    policy.quota = config.parse(Key::Quota, "a number of environments")?;
    policy.expiry.usual = life(config, Key::TtlDefault, &policy)?;
    policy.expiry.most = life(config, Key::TtlMax, &policy)?;
    let lease = if providers.policy == Policy::platform() { LEASE } else { LOCAL_LEASE };
    Ok(Settings {
        policy,
        zones: providers.zones.clone(),
        installation,
        worker: SystemRandom.uuid().to_string(),
        readiness_port: providers.readiness_port,
        product: text(Key::Product),
        region: text(Key::Region),
        image: text(Key::Image),
        call_home_base: providers.call_home_base.clone(),
        concurrency: CONCURRENCY,
        lease,
        audit: schedule::schedule(config)?,
    })
}

/// A time to live of the configuration.
fn life(config: &Config, key: Key, policy: &Policy) -> Result<Option<Duration>, Failure> {
    let expected = "a time such as `8h`, `7d` or `30d`, or `never`";
    let life = config.parse(key, expected)?.and_then(|Ttl(life)| life);
    let bounds = policy.expiry.shortest..=alfred_model::expiry::LONGEST;
    if life.is_none_or(|life| bounds.contains(&life)) {
        return Ok(life);
    }
    let spoken = alfred_model::expiry::spoken;
    Err(config.wrong(key, &format!("from {} to {}", spoken(*bounds.start()), spoken(*bounds.end()))))
}

async fn listen(context: &Context) -> Result<TcpListener, Failure> {
    let address = context.config.listen()?;
    TcpListener::bind(address).await.map_err(|error| {
        let hint = match error.kind() {
            std::io::ErrorKind::AddrInUse => "stop what listens there, or choose another port with `--listen`",
            _ => "choose another address with `--listen`",
        };
        Failure::because(format!("cannot listen on `{address}`"), &error).hint(hint)
    })
}

fn say_addresses(context: &Context, listener: &TcpListener, cloud: Option<&Running>) -> Result<(), Failure> {
    let address = listener.local_addr().map_err(|error| Failure::because("cannot tell the address", &error))?;
    let url = format!("http://{address}");
    if context.printer.json() {
        context.printer.document_line(&json!({
            "url": url,
            "data_dir": context.config.text(Key::DataDir),
            "cloud_url": cloud.map(|cloud| format!("http://{}", cloud.http_address)),
            "dns_server": cloud.map(|cloud| cloud.dns_address.to_string()),
            "r2_endpoint": cloud.map(super::cloud::r2_endpoint),
        }))?;
    }
    if let Some(cloud) = cloud {
        context.printer.note(format_args!("local cloud:  http://{}, DNS on {}", cloud.http_address, cloud.dns_address));
        // Its secret is published with this program and opens nothing else.
        context.printer.note(format_args!(
            "its R2:       R2_ENDPOINT={} AWS_ACCESS_KEY_ID={DEMO_ACCESS_KEY_ID} \
             AWS_SECRET_ACCESS_KEY={DEMO_SECRET_ACCESS_KEY}",
            super::cloud::r2_endpoint(cloud)
        ));
    }
    context.printer.note(format_args!("alfred is up: {url}"));
    if Some(url.as_str()) != context.config.text(Key::Url) {
        context.printer.note(format_args!("commands in other terminals need `ALFRED_URL={url}`"));
    }
    Ok(())
}

fn record_metrics() -> Result<PrometheusHandle, Failure> {
    PrometheusBuilder::new().install_recorder().map_err(|error| Failure::because("cannot collect metrics", &error))
}
