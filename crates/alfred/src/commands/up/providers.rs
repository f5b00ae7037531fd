//! The clients of the platforms, built from the configuration.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use alfred_engine::ZoneSettings;
use alfred_model::id::ZoneId;
use alfred_model::name::DomainName;
use alfred_model::policy::Policy;
use alfred_providers::BaseUrl;
use alfred_providers::authority::{Authorities, Authority, DnsAuthority, Source};
use alfred_providers::budget::{Budget, DEFAULT_SHARE};
use alfred_providers::cloudflare::{Cloudflare, CloudflareOptions, TokenSource};
use alfred_providers::contabo::{Contabo, ContaboOptions, DEFAULT_PAGE_SIZE};
use alfred_providers::counts::CallCounts;
use alfred_providers::reach::{Reach, TcpReach};
use alfred_providers::secret::{ApiPassword, ClientSecret};
use alfred_providers::transport::{HttpOptions, HttpTransport, Transport};
use alfred_store::{SqlStore, Store};
use secrecy::ExposeSecret;

use crate::cloudflare_token;
use crate::config::{Config, Key, Kind};
use crate::error::Failure;
use crate::system::{SystemClock, SystemRandom};

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
    pub(super) zones: Vec<ZoneSettings>,
    pub(super) policy: Policy,
    pub(in crate::commands) readiness_port: u16,
    pub(super) call_home_base: Option<String>,
}

impl Providers {
    /// Clients for what the configuration names. Where `store` is shared, so is the budget of calls.
    pub(super) fn from_config(config: &Config, store: &Arc<SqlStore>) -> Result<Self, Failure> {
        check_needed(config)?;
        let transport = transport()?;
        let zones = zones(config)?;
        let authority = authority(config, &zones)?;
        let cloudflare = cloudflare_options(config)?;
        let contabo_base = base(config, Key::ContaboApiBase)?;
        // A stand-in on this machine needs no patience, and is paid by nobody.
        let policy = if is_loopback(&cloudflare.base) && is_loopback(&contabo_base) {
            Policy::local()
        } else {
            Policy::platform()
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
        let budget = budget(config, store, &cloudflare.token)?;
        let (cloudflare, contabo, counts) = clients(&transport, budget, cloudflare, contabo);
        Ok(Self {
            cloudflare,
            contabo,
            counts,
            authority,
            reach: Arc::new(TcpReach::default()),
            zones,
            policy,
            readiness_port: needed(config, Key::ReadinessPort, "a port")?,
            call_home_base: call_home(config)?,
        })
    }
}

/// The zones, from two lists of the same length: their names and their ids.
pub(in crate::commands) fn zones(config: &Config) -> Result<Vec<ZoneSettings>, Failure> {
    let split = |key: Key| -> Vec<&str> {
        config.text(key).unwrap_or_default().split(',').map(str::trim).filter(|part| !part.is_empty()).collect()
    };
    let (names, ids) = (split(Key::Domain), split(Key::CloudflareZoneId));
    if names.len() != ids.len() {
        let words = format!(
            "`{}` names {} and `{}` has {}",
            Key::Domain.variable(),
            counted(names.len(), "zone"),
            Key::CloudflareZoneId.variable(),
            counted(ids.len(), "id")
        );
        return Err(Failure::usage(words).hint("give one id for each zone, in the same order, separated by commas"));
    }
    let mut zones: Vec<ZoneSettings> = Vec::with_capacity(names.len());
    for (name, id) in names.into_iter().zip(ids) {
        let wrong_name = |_| config.wrong(Key::Domain, "a zone's name, such as `example.com`, or several with commas");
        let name: DomainName = name.parse().map_err(wrong_name)?;
        let id = ZoneId::parse(id).ok_or_else(|| config.wrong(Key::CloudflareZoneId, "a zone's id"))?;
        if zones.iter().any(|zone| zone.name == name || zone.id == id) {
            return Err(Failure::usage(format!("the zone `{name}` is configured twice")));
        }
        zones.push(ZoneSettings { name, id, plan: None });
    }
    if zones.is_empty() {
        return Err(config.wrong(Key::Domain, "a zone's name, such as `example.com`"));
    }
    Ok(zones)
}

fn counted(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

fn authority(config: &Config, zones: &[ZoneSettings]) -> Result<Arc<dyn Authority>, Failure> {
    let random = || Arc::new(SystemRandom);
    if let Some(address) = config.parse(Key::DnsServer, "an address with a port, such as `127.0.0.1:53`")? {
        return Ok(Arc::new(DnsAuthority::new(Source::Fixed(vec![address]), random())));
    }
    let each = zones.iter().map(|zone| {
        let authority: Arc<dyn Authority> = Arc::new(DnsAuthority::new(Source::Zone(zone.name.clone()), random()));
        (zone.name.clone(), authority)
    });
    Ok(Arc::new(Authorities::new(each)))
}

/// What the configuration says of Cloudflare, for commands that need nothing else of it too. The zone is the first of
/// those that are configured.
pub(in crate::commands) fn cloudflare_options(config: &Config) -> Result<CloudflareOptions, Failure> {
    check_set(config, &[Key::CloudflareApiToken, Key::CloudflareZoneId])?;
    let first =
        config.text(Key::CloudflareZoneId).and_then(|ids| ids.split(',').map(str::trim).find(|id| !id.is_empty()));
    Ok(CloudflareOptions {
        base: base(config, Key::CloudflareApiBase)?,
        token: cloudflare_token::source(config),
        zone: first.and_then(ZoneId::parse).ok_or_else(|| config.wrong(Key::CloudflareZoneId, "a zone's id"))?,
        account: config.text(Key::CloudflareAccountId).map(str::to_owned),
    })
}

/// A client for Cloudflare alone.
pub(in crate::commands) fn cloudflare_alone(transport: &Arc<dyn Transport>, options: CloudflareOptions) -> Cloudflare {
    let budget = Budget::new(Arc::new(SystemClock), DEFAULT_SHARE);
    Cloudflare::new(Arc::clone(transport), options, budget, CallCounts::new())
}

/// Both clients, over one transport, and the count of their calls.
pub(super) fn clients(
    transport: &Arc<dyn Transport>,
    budget: Arc<Budget>,
    cloudflare: CloudflareOptions,
    contabo: ContaboOptions,
) -> (Arc<Cloudflare>, Arc<Contabo>, CallCounts) {
    let counts = CallCounts::new();
    let cloudflare = Cloudflare::new(Arc::clone(transport), cloudflare, budget, counts.clone());
    let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom));
    let contabo = Contabo::new(Arc::clone(transport), contabo, clock, random, counts.clone());
    (Arc::new(cloudflare), Arc::new(contabo), counts)
}

/// The budget of the token: with PostgreSQL the one of all replicas. A SQLite file has one process, which counts by
/// itself.
fn budget(config: &Config, store: &Arc<SqlStore>, token: &TokenSource) -> Result<Arc<Budget>, Failure> {
    let share = api_share(config)?;
    let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom));
    if store.is_shared() {
        return Ok(alfred_engine::shared_budget(
            Arc::clone(store) as Arc<dyn Store>,
            &token.current(),
            share,
            clock,
            random,
        ));
    }
    Ok(Budget::new(clock, share))
}

/// How much of the limit is ours, in percent.
pub(in crate::commands) fn api_share(config: &Config) -> Result<u32, Failure> {
    let expected = "a percentage from 1 to 100";
    let share: u32 = needed(config, Key::ApiShare, expected)?;
    if (1..=100).contains(&share) { Ok(share) } else { Err(config.wrong(Key::ApiShare, expected)) }
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
    match missing(config, &NEEDED) {
        None => Ok(()),
        Some(failure) => {
            let hint = "set them in the environment or in `.env.server`, or try `alfred up --local`, which needs none";
            Err(failure.hint(hint))
        }
    }
}

fn check_set(config: &Config, keys: &[Key]) -> Result<(), Failure> {
    let failure = missing(config, keys);
    failure.map_or(Ok(()), |failure| Err(failure.hint("set them in the environment or in `.env.server`")))
}

fn missing(config: &Config, keys: &[Key]) -> Option<Failure> {
    let missing = keys.iter().filter(|key| match key.kind() {
        Kind::Secret => config.secret(**key).is_none(),
        Kind::Plain | Kind::Url => config.text(**key).is_none(),
    });
    let missing: Vec<String> = missing.map(|key| format!("`{}`", key.variable())).collect();
    (!missing.is_empty()).then(|| Failure::usage(format!("not configured: {}", missing.join(", "))))
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

#[cfg(test)]
mod tests {
    use crate::config::Sources;

    use super::*;

    #[test]
    fn a_share_is_a_percentage() {
        let share = |text: &str| {
            let environment = [("ALFRED_API_SHARE", text), ("HOME", "/nowhere")];
            let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
            let sources = Sources { environment, directory: "/nowhere".into(), ..Sources::default() };
            api_share(&Config::load(&sources).unwrap()).map_err(|failure| failure.to_string())
        };
        assert_eq!([share("1"), share("45"), share("100"), share("")], [Ok(1), Ok(45), Ok(100), Ok(90)]);
        for wrong in ["0", "101", "-5", "4.5", "90 %", "much"] {
            let words = share(wrong).unwrap_err();
            assert!(words.contains("`ALFRED_API_SHARE`") && words.contains("a percentage from 1 to 100"), "{words}");
        }
    }
}
