//! The local cloud inside the control plane: its world is kept in the data directory, and the clients that speak to
//! it are the same, over the same sockets, as those for the real platforms.

use std::sync::Arc;
use std::time::Duration;

use alfred_engine::ZoneSettings;
use alfred_local_cloud::cloudflare::{DEMO_TOKEN, DEMO_ZONE, DEMO_ZONE_ID};
use alfred_local_cloud::{Listen, LocalCloud, Options, Running, contabo};
use alfred_model::id::ZoneId;
use alfred_model::policy::Policy;
use alfred_providers::BaseUrl;
use alfred_providers::authority::{DnsAuthority, Source};
use alfred_providers::budget::{Budget, DEFAULT_SHARE};
use alfred_providers::cloudflare::CloudflareOptions;
use alfred_providers::contabo::{ContaboOptions, DEFAULT_PAGE_SIZE};
use alfred_providers::reach::MappedReach;
use alfred_providers::secret::{ApiPassword, ApiToken, ClientSecret};
use secrecy::ExposeSecret as _;
use tokio::net::TcpListener;

use super::providers::{Providers, clients, transport};
use crate::cli::UpArguments;
use crate::commands::{Context, cloud};
use crate::error::Failure;
use crate::system::{SystemClock, SystemRandom};

/// A machine on this machine answers at once or not at all.
const REACH_TIMEOUT: Duration = Duration::from_secs(1);

/// Starts the local cloud and makes clients for it.
pub(super) async fn start(
    context: &Context,
    arguments: &UpArguments,
    listener: &TcpListener,
) -> Result<(Running, Providers), Failure> {
    let mut delays = if arguments.instant { contabo::Options::instant() } else { contabo::Options::demo() };
    cloud::set_readiness_port(&mut delays, &context.config)?;
    let options = Options {
        contabo: delays.clone(),
        faults: cloud::rules(&arguments.fault)?,
        state_file: Some(context.config.data_dir()?.join("local-cloud.json")),
        ..Options::default()
    };
    let cloud = cloud::open(options)?;
    let listen = Listen { http: arguments.cloud_listen, dns: arguments.cloud_dns, r2: arguments.cloud_r2 };
    let running = cloud::serve(&cloud, listen).await?;
    let providers = providers(&cloud, &running, &delays, listener)?;
    Ok((running, providers))
}

/// The clients for a local cloud that listens.
pub(in crate::commands) fn providers(
    cloud: &LocalCloud,
    running: &Running,
    delays: &contabo::Options,
    listener: &TcpListener,
) -> Result<Providers, Failure> {
    let http = format!("http://{}", running.http_address);
    // This cloud is in this process, and so is all that speaks to it.
    let budget = Budget::new(Arc::new(SystemClock), DEFAULT_SHARE);
    let (cloudflare, contabo, counts) =
        clients(&transport()?, budget, cloudflare_options(&http)?, contabo_options(&http, delays)?);
    let machines = cloud.contabo().clone();
    Ok(Providers {
        cloudflare,
        contabo,
        counts,
        authority: Arc::new(DnsAuthority::new(Source::Fixed(vec![running.dns_address]), Arc::new(SystemRandom))),
        reach: Arc::new(MappedReach { timeout: REACH_TIMEOUT, route: move |address| machines.dial(address) }),
        zones: vec![ZoneSettings {
            name: DEMO_ZONE.parse().map_err(|error| Failure::because("the local cloud's zone", &error))?,
            id: zone_id()?,
            plan: None,
        }],
        policy: Policy::local(),
        readiness_port: delays.readiness_port,
        call_home_base: call_home(listener),
    })
}

fn zone_id() -> Result<ZoneId, Failure> {
    ZoneId::parse(DEMO_ZONE_ID).ok_or_else(|| Failure::new("the local cloud's zone has no proper id"))
}

fn cloudflare_options(http: &str) -> Result<CloudflareOptions, Failure> {
    Ok(CloudflareOptions {
        base: base(&format!("{http}/client/v4"))?,
        token: ApiToken::new(DEMO_TOKEN).into(),
        zone: zone_id()?,
        account: None,
    })
}

fn contabo_options(http: &str, local: &contabo::Options) -> Result<ContaboOptions, Failure> {
    Ok(ContaboOptions {
        base: base(http)?,
        auth_url: base(&format!("{http}/auth/realms/contabo/protocol/openid-connect/token"))?,
        client_id: local.client_id.clone(),
        client_secret: ClientSecret::new(local.client_secret.expose_secret()),
        user: local.user.clone(),
        password: ApiPassword::new(local.password.expose_secret()),
        page_size: DEFAULT_PAGE_SIZE,
    })
}

fn base(url: &str) -> Result<BaseUrl, Failure> {
    BaseUrl::parse(url).map_err(|error| Failure::because(format!("`{url}`"), &error))
}

/// The local machines call home over loopback only. Where the server listens on all addresses, that includes it.
fn call_home(listener: &TcpListener) -> Option<String> {
    let address = listener.local_addr().ok()?;
    let ip = address.ip();
    if ip.is_unspecified() {
        Some(format!("http://127.0.0.1:{}", address.port()))
    } else {
        ip.is_loopback().then(|| format!("http://{address}"))
    }
}
