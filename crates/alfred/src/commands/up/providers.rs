//! The clients of the platforms, built from the configuration.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use alfred_model::id::ZoneId;
use alfred_model::name::DomainName;
use alfred_model::policy::Policy;
use alfred_providers::BaseUrl;
use alfred_providers::authority::{Authority, DnsAuthority, Source};
use alfred_providers::budget::Budget;
use alfred_providers::cloudflare::{Cloudflare, CloudflareOptions};
use alfred_providers::contabo::{Contabo, ContaboOptions, DEFAULT_PAGE_SIZE};
use alfred_providers::counts::CallCounts;
use alfred_providers::reach::{Reach, TcpReach};
use alfred_providers::secret::{ApiPassword, ApiToken, ClientSecret};
use alfred_providers::transport::{HttpOptions, HttpTransport, Transport};
use secrecy::ExposeSecret;

use crate::config::{Config, Key, Kind};
use crate::error::Failure;
use crate::system::{SystemClock, SystemRandom};

/// So much of Cloudflare's request budget is ours, in percent; the rest is for people and their other tools.
pub(in crate::commands) const BUDGET_SHARE: u32 = 90;

/// What the control plane cannot do without.
const NEEDED: [Key; 7] = [
    Key::Domain,
    Key::CloudflareApiToken,
    Key::CloudflareZoneId,
    Key::ContaboClientId,
    Key::ContaboClientSecret,
    Key::ContaboApiUser,
    Key::ContaboApiPassword,
];

/// Everything outside that the engine speaks to, and what follows from which one it is.
pub(in crate::commands) struct Providers {
    pub(super) cloudflare: Arc<Cloudflare>,
    pub(super) contabo: Arc<Contabo>,
    pub(in crate::commands) counts: CallCounts,
    pub(in crate::commands) authority: Arc<dyn Authority>,
    pub(in crate::commands) reach: Arc<dyn Reach>,
    pub(super) zone: DomainName,
    pub(super) zone_id: ZoneId,
    pub(super) policy: Policy,
    pub(in crate::commands) readiness_port: u16,
    pub(super) call_home_base: Option<String>,
}

impl Providers {
    /// Clients for what the configuration names.
    pub(super) fn from_config(config: &Config) -> Result<Self, Failure> {
        check_needed(config)?;
        let transport = transport()?;
        let zone: DomainName = needed(config, Key::Domain, "a zone's name, such as `example.com`")?;
        let zone_id = config.text(Key::CloudflareZoneId).and_then(ZoneId::parse);
        let zone_id = zone_id.ok_or_else(|| config.wrong(Key::CloudflareZoneId, "a zone's id"))?;
        let source = match config.parse(Key::DnsServer, "an address with a port, such as `127.0.0.1:53`")? {
            Some(address) => Source::Fixed(vec![address]),
            None => Source::Zone(zone.clone()),
        };
        let cloudflare_base = base(config, Key::CloudflareApiBase)?;
        let contabo_base = base(config, Key::ContaboApiBase)?;
        // A stand-in on this machine needs no patience, and is paid by nobody.
        let policy = if is_loopback(&cloudflare_base) && is_loopback(&contabo_base) {
            Policy::local()
        } else {
            Policy::platform()
        };
        let cloudflare = CloudflareOptions {
            base: cloudflare_base,
            token: ApiToken::new(secret(config, Key::CloudflareApiToken)),
            zone: zone_id.clone(),
            account: config.text(Key::CloudflareAccountId).map(str::to_owned),
        };
        let contabo = ContaboOptions {
            base: contabo_base,
            auth_url: base(config, Key::ContaboAuthUrl)?,
            client_id: config.text(Key::ContaboClientId).unwrap_or_default().to_owned(),
            client_secret: ClientSecret::new(secret(config, Key::ContaboClientSecret)),
            user: config.text(Key::ContaboApiUser).unwrap_or_default().to_owned(),
            password: ApiPassword::new(secret(config, Key::ContaboApiPassword)),
            page_size: DEFAULT_PAGE_SIZE,
        };
        let (cloudflare, contabo, counts) = clients(&transport, cloudflare, contabo);
        Ok(Self {
            cloudflare,
            contabo,
            counts,
            authority: Arc::new(DnsAuthority::new(source, Arc::new(SystemRandom))),
            reach: Arc::new(TcpReach::default()),
            zone,
            zone_id,
            policy,
            readiness_port: needed(config, Key::ReadinessPort, "a port")?,
            call_home_base: call_home(config)?,
        })
    }
}

/// Both clients, over one transport, and the count of their calls.
pub(super) fn clients(
    transport: &Arc<dyn Transport>,
    cloudflare: CloudflareOptions,
    contabo: ContaboOptions,
) -> (Arc<Cloudflare>, Arc<Contabo>, CallCounts) {
    let counts = CallCounts::new();
    let budget = Budget::new(Arc::new(SystemClock), BUDGET_SHARE);
    let cloudflare = Cloudflare::new(Arc::clone(transport), cloudflare, budget, counts.clone());
    let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom));
    let contabo = Contabo::new(Arc::clone(transport), contabo, clock, random, counts.clone());
    (Arc::new(cloudflare), Arc::new(contabo), counts)
}

/// The transport over real sockets.
pub(in crate::commands) fn transport() -> Result<Arc<dyn Transport>, Failure> {
    let transport = HttpTransport::new(&HttpOptions::from_environment());
    let transport = transport.map_err(|error| Failure::because("cannot reach the platforms", &error))?;
    let transport: Arc<dyn Transport> = Arc::new(transport);
    #[cfg(debug_assertions)]
    if let Some(points) = crate::crash_points::CrashPoints::from_environment() {
        return Ok(points.around(transport));
    }
    Ok(transport)
}

fn check_needed(config: &Config) -> Result<(), Failure> {
    let missing = NEEDED.iter().filter(|key| match key.kind() {
        Kind::Secret => config.secret(**key).is_none(),
        Kind::Plain | Kind::Url => config.text(**key).is_none(),
    });
    let missing: Vec<String> = missing.map(|key| format!("`{}`", key.variable())).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure::usage(format!("not configured: {}", missing.join(", ")))
        .hint("set them in the environment or in `.env.server`, or try `alfred up --local`, which needs none"))
}

fn needed<T: std::str::FromStr>(config: &Config, key: Key, expected: &str) -> Result<T, Failure> {
    config.parse(key, expected)?.ok_or_else(|| config.wrong(key, expected))
}

pub(in crate::commands) fn secret(config: &Config, key: Key) -> &str {
    config.secret(key).map(ExposeSecret::expose_secret).unwrap_or_default()
}

pub(in crate::commands) fn base(config: &Config, key: Key) -> Result<BaseUrl, Failure> {
    let text = config.text(key).unwrap_or_default();
    BaseUrl::parse(text).map_err(|_| config.wrong(key, "a URL such as `https://api.example.com`"))
}

fn call_home(config: &Config) -> Result<Option<String>, Failure> {
    let Some(text) = config.text(Key::CallHomeUrl) else { return Ok(None) };
    let expected = "a URL such as `https://alfred.example.com`";
    let url = BaseUrl::parse(text).map_err(|_| config.wrong(Key::CallHomeUrl, expected))?;
    Ok(Some(url.as_str().trim_end_matches('/').to_owned()))
}

fn is_loopback(base: &BaseUrl) -> bool {
    let authority = base.as_str().split_once("://").map_or("", |(_, rest)| rest);
    let authority = authority.split('/').next().unwrap_or_default();
    let address = authority.parse::<SocketAddr>().map(|address| address.ip()).or_else(|_| authority.parse::<IpAddr>());
    address.is_ok_and(|address| address.is_loopback())
}
