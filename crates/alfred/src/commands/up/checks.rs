//! What is asked of the platforms before anything else, so that a wrong credential is one clear line at the start and
//! not an error in every environment. A platform that cannot be reached for the moment keeps nobody from starting.

use std::path::Path;

use alfred_engine::ZoneSettings;
use alfred_model::failure::Disposition;
use alfred_model::id::ZoneId;
use alfred_model::seam::Clock as _;
use alfred_providers::ProviderError;
use alfred_providers::cloudflare::{Cloudflare, Plan, TokenStatus};
use alfred_providers::contabo::InstanceFilter;
use alfred_providers::error::ErrorKind;

use super::providers::Providers;
use crate::cloudflare_token::findings::{self, Finding, Level};
use crate::cloudflare_token::known_values::KnownValues;
use crate::error::Failure;
use crate::printer::Printer;
use crate::system::SystemClock;

/// Checks token, permission, zones and login, and then whether there is something to be warned of. Answers what
/// Cloudflare said of the token, if it did.
pub(super) async fn run(
    printer: Printer,
    providers: &mut Providers,
    data_dir: &Path,
) -> Result<Option<TokenStatus>, Failure> {
    let asked = providers.cloudflare.verify_token().await;
    say(printer, &findings::status(&asked))?;
    for one in &mut providers.zones {
        let cloudflare = providers.cloudflare.for_zone(one.id.clone());
        one.plan = zone(printer, &cloudflare, one).await?;
        say(printer, &findings::edit(&cloudflare.may_edit().await, one.name.as_str()))?;
    }
    login(printer, providers).await?;
    let status = asked.ok();
    if let Some(status) = &status {
        care(printer, providers, data_dir, status).await?;
    }
    Ok(status)
}

/// What does not keep anybody from starting: an end that is near, an old value, more permissions than needed.
async fn care(printer: Printer, providers: &Providers, data_dir: &Path, status: &TokenStatus) -> Result<(), Failure> {
    let now = SystemClock.now();
    let cloudflare = &providers.cloudflare;
    let noted = KnownValues::load(data_dir)
        .and_then(|mut known| known.note(&cloudflare.token().current(), status, now))
        .inspect_err(|failure| printer.warning(format_args!("the age of the token's value is not kept: {failure}")));
    say(printer, &findings::end(status.expires_on, now))?;
    if let Ok(first_seen) = noted {
        say(printer, &findings::age(Some(first_seen), now))?;
    }
    let zones = cloudflare.visible_zones().await;
    let own: Vec<ZoneId> = providers.zones.iter().map(|zone| zone.id.clone()).collect();
    say(printer, &findings::zones(&zones, &own))?;
    say(printer, &findings::tokens(&cloudflare.may_read_tokens().await))
}

/// A problem keeps from starting; what could not be asked does not.
fn say(printer: Printer, finding: &Finding) -> Result<(), Failure> {
    match finding.level {
        Level::Ok => printer.detail(format_args!("cloudflare: {}", finding.words)),
        Level::Warning => printer.warning(finding.line()),
        Level::Unknown => printer.warning(format_args!("{}; starting all the same", finding.words)),
        Level::Problem => {
            let failure = Failure::new(finding.words.as_str());
            return Err(match &finding.mend {
                Some(mend) => failure.hint(mend.as_str()),
                None => failure,
            });
        }
    }
    Ok(())
}

/// Checks the zone's name, and answers its plan.
async fn zone(printer: Printer, cloudflare: &Cloudflare, zone: &ZoneSettings) -> Result<Option<Plan>, Failure> {
    let result = cloudflare.zone(&zone.id).await;
    if let Err(error) = &result
        && error.kind == ErrorKind::Permission
    {
        // Reading the zone itself takes a permission that editing its records does not.
        printer
            .warning(format_args!("the name of the zone `{}` cannot be checked: the token lacks `Zone Read`", zone.id));
        return Ok(None);
    }
    let Some(found) = answer(printer, "`CLOUDFLARE_ZONE_ID`", result, |_| {
        Some("check `CLOUDFLARE_ZONE_ID` on the zone's overview page at https://dash.cloudflare.com")
    })?
    else {
        return Ok(None);
    };
    if found.name.eq_ignore_ascii_case(zone.name.as_str()) {
        printer.detail(format_args!("cloudflare: the zone is `{}`", found.name));
        return Ok(Some(found.plan));
    }
    let words = format!(
        "the id `{}` of `CLOUDFLARE_ZONE_ID` is the zone `{}`, but `ALFRED_DOMAIN` is `{}`",
        zone.id, found.name, zone.name
    );
    Err(Failure::new(words).hint("correct one of them"))
}

async fn login(printer: Printer, providers: &Providers) -> Result<(), Failure> {
    // A name that nobody has: the answer is short, and it takes a login to get it.
    let filter = InstanceFilter::display_name("alfredos-start-up-check");
    let result = providers.contabo.instances(&filter).await;
    // The client's own words already name the four variables.
    let answer = answer(printer, "Contabo's login", result, |_| None)?;
    if answer.is_some() {
        printer.detail("contabo: the login works");
    }
    Ok(())
}

/// The answer; nothing and a warning, if the platform cannot be asked now; a failure, if it said no.
fn answer<T>(
    printer: Printer,
    what: &str,
    result: Result<T, ProviderError>,
    hint: impl Fn(&ProviderError) -> Option<&'static str>,
) -> Result<Option<T>, Failure> {
    match result {
        Ok(value) => Ok(Some(value)),
        // A login that was refused is put off, for those who were in the middle of something. Here it is an answer.
        Err(error) if error.disposition == Disposition::Definite || matches!(error.status, Some(400..=403)) => {
            let failure = Failure::new(format!("{what} does not work: {}", error.words));
            Err(match hint(&error) {
                Some(hint) => failure.hint(hint),
                None => failure,
            })
        }
        Err(error) => {
            printer.warning(format_args!("{what} cannot be checked now: {}; starting all the same", error.words));
            Ok(None)
        }
    }
}
