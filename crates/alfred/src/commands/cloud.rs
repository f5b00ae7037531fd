//! `alfred cloud`: the local cloud alone.

use std::sync::Arc;

use alfred_local_cloud::cloudflare::{
    self, DEMO_ACCOUNT_ID, DEMO_MANAGER_TOKEN, DEMO_TOKEN, DEMO_ZONE_ID, ZoneOptions,
};
use alfred_local_cloud::faults::Rule;
use alfred_local_cloud::r2::{DEMO_ACCESS_KEY_ID, DEMO_SECRET_ACCESS_KEY};
use alfred_local_cloud::{Listen, LocalCloud, Options, Running, contabo};
use alfred_model::name::DomainName;
use secrecy::ExposeSecret as _;

use super::Context;
use crate::cli::{CloudArguments, Plan};
use crate::config::{Config, Key, Origin};
use crate::error::{Exit, Failure};
use crate::logging;
use crate::stop::Stop;
use crate::system::{SystemClock, SystemRandom};

/// Runs until interrupted.
pub(super) async fn run(context: &Context, arguments: CloudArguments) -> Result<Exit, Failure> {
    logging::start(context.printer);
    let stop = Stop::on_signals()?;
    let mut options = options(&arguments)?;
    set_readiness_port(&mut options.contabo, &context.config)?;
    let contabo = options.contabo.clone();
    let cloud = open(options)?;
    let running = serve(&cloud, Listen { http: arguments.listen, dns: arguments.dns, r2: arguments.r2 }).await?;
    let variables = variables(&running, &contabo, &arguments.zone);
    if context.printer.json() {
        let map: serde_json::Map<String, serde_json::Value> =
            variables.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        context.printer.document_line(&map)?;
    } else {
        let lines: Vec<String> = variables.iter().map(|(name, value)| format!("export {name}={value}")).collect();
        context.printer.data(lines.join("\n"))?;
    }
    context.printer.note(format_args!(
        "the local cloud answers on http://{}, for S3 on http://{} and for DNS on {}; faults, journal and state are \
         below /_admin; Ctrl-C ends",
        running.http_address, running.r2_address, running.dns_address
    ));
    stop.gently.cancelled().await;
    tokio::select! {
        biased;
        () = stop.at_once.cancelled() => Err(Failure::new("ended at once by a second signal")),
        () = running.stop() => Ok(Exit::Done),
    }
}

/// Lets the machines accept connections on the configured port, if there is one.
pub(super) fn set_readiness_port(options: &mut contabo::Options, config: &Config) -> Result<(), Failure> {
    if config.origin(Key::ReadinessPort) != Some(&Origin::Default)
        && let Some(port) = config.parse(Key::ReadinessPort, "a port")?
    {
        options.readiness_port = port;
    }
    Ok(())
}

/// A cloud that goes on from its state file.
pub(super) fn open(options: Options) -> Result<LocalCloud, Failure> {
    LocalCloud::open(options, Arc::new(SystemClock), Arc::new(SystemRandom))
        .map_err(|error| Failure::because("the local cloud cannot start", &error))
}

/// Starts listening.
pub(super) async fn serve(cloud: &LocalCloud, listen: Listen) -> Result<Running, Failure> {
    cloud.serve(listen).await.map_err(|error| Failure::because("the local cloud cannot start", &error))
}

/// Fault rules from flags.
pub(super) fn rules(texts: &[String]) -> Result<Vec<Rule>, Failure> {
    let rule = |text: &String| text.parse().map_err(|error| Failure::usage(format!("`--fault {text}`: {error}")));
    texts.iter().map(rule).collect()
}

fn options(arguments: &CloudArguments) -> Result<Options, Failure> {
    let plan = match arguments.plan {
        Plan::Free => cloudflare::Plan::Free,
        Plan::Pro => cloudflare::Plan::Pro,
        Plan::Business => cloudflare::Plan::Business,
        Plan::Enterprise => cloudflare::Plan::Enterprise,
    };
    let zones = arguments.zone.iter().zip(zone_ids()).map(|(name, id)| ZoneOptions {
        record_quota: arguments.quota.map(u64::from),
        ..ZoneOptions::new(id, name.as_str(), plan)
    });
    let zones: Vec<ZoneOptions> = zones.collect();
    if zones.len() < arguments.zone.len() {
        return Err(Failure::usage(format!(
            "{} zones are more than the {} that fit",
            arguments.zone.len(),
            zones.len()
        )));
    }
    if let Some(twice) = arguments.zone.iter().enumerate().find(|(place, zone)| arguments.zone[..*place].contains(zone))
    {
        return Err(Failure::usage(format!("the zone `{}` is named twice", twice.1)));
    }
    let mut contabo = if arguments.instant { contabo::Options::instant() } else { contabo::Options::demo() };
    contabo.instance_cap = arguments.instances.unwrap_or(contabo.instance_cap);
    Ok(Options {
        cloudflare: cloudflare::Options { zones, ..cloudflare::Options::default() },
        contabo,
        faults: rules(&arguments.fault)?,
        state_file: arguments.state.clone(),
        ..Options::default()
    })
}

/// Ids for zones, the demo's first: they differ in their last two digits.
fn zone_ids() -> impl Iterator<Item = String> {
    let beginning = DEMO_ZONE_ID.strip_suffix("00").unwrap_or(DEMO_ZONE_ID);
    (0..=u8::MAX).map(move |number| format!("{beginning}{number:02x}"))
}

/// Where S3 is spoken, without a bucket.
pub(super) fn r2_endpoint(running: &Running) -> String {
    format!("http://{}", running.r2_address)
}

/// The variables that point clients at the cloud: ours, Cloudflare's own SDKs (`CLOUDFLARE_BASE_URL`), octoDNS, and the AWS
/// SDKs and command line with the settings that R2 wants.
fn variables(running: &Running, contabo: &contabo::Options, zones: &[DomainName]) -> Vec<(&'static str, String)> {
    let http = format!("http://{}", running.http_address);
    let names: Vec<&str> = zones.iter().map(DomainName::as_str).collect();
    let ids: Vec<String> = zone_ids().take(zones.len()).collect();
    vec![
        ("CLOUDFLARE_API_BASE", format!("{http}/client/v4")),
        ("CLOUDFLARE_BASE_URL", format!("{http}/client/v4")),
        ("CLOUDFLARE_API_TOKEN", DEMO_TOKEN.to_owned()),
        ("CLOUDFLARE_TOKEN", DEMO_TOKEN.to_owned()),
        ("CLOUDFLARE_TOKEN_MANAGER", DEMO_MANAGER_TOKEN.to_owned()),
        ("CLOUDFLARE_ZONE_ID", ids.join(",")),
        ("CLOUDFLARE_ACCOUNT_ID", DEMO_ACCOUNT_ID.to_owned()),
        ("R2_ENDPOINT", r2_endpoint(running)),
        ("AWS_ACCESS_KEY_ID", DEMO_ACCESS_KEY_ID.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", DEMO_SECRET_ACCESS_KEY.to_owned()),
        ("AWS_ENDPOINT_URL_S3", r2_endpoint(running)),
        ("AWS_REGION", "auto".to_owned()),
        ("AWS_DEFAULT_REGION", "auto".to_owned()),
        ("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required".to_owned()),
        ("AWS_RESPONSE_CHECKSUM_VALIDATION", "when_required".to_owned()),
        ("CONTABO_API_BASE", http.clone()),
        ("CONTABO_AUTH_URL", format!("{http}/auth/realms/contabo/protocol/openid-connect/token")),
        ("CONTABO_CLIENT_ID", contabo.client_id.clone()),
        ("CONTABO_CLIENT_SECRET", contabo.client_secret.expose_secret().to_owned()),
        ("CONTABO_API_USER", contabo.user.clone()),
        ("CONTABO_API_PASSWORD", contabo.password.expose_secret().to_owned()),
        ("ALFRED_DOMAIN", names.join(",")),
        ("ALFRED_DNS_SERVER", running.dns_address.to_string()),
        ("ALFRED_READINESS_PORT", contabo.readiness_port.to_string()),
    ]
}
