//! What is asked of the platforms before anything else, so that a wrong credential is one clear line at the start and
//! not an error in every environment. A platform that cannot be reached for the moment keeps nobody from starting.

use alfred_engine::ZoneSettings;
use alfred_model::failure::Disposition;
use alfred_providers::ProviderError;
use alfred_providers::cloudflare::{Cloudflare, MayEdit};
use alfred_providers::contabo::InstanceFilter;
use alfred_providers::error::ErrorKind;

use super::providers::Providers;
use crate::error::Failure;
use crate::printer::Printer;

/// Checks token, permission, zone and login.
pub(super) async fn run(printer: Printer, providers: &Providers) -> Result<(), Failure> {
    token(printer, providers).await?;
    for one in &providers.zones {
        let cloudflare = providers.cloudflare.for_zone(one.id.clone());
        zone(printer, &cloudflare, one).await?;
        permission(printer, &cloudflare, one).await?;
    }
    login(printer, providers).await
}

async fn token(printer: Printer, providers: &Providers) -> Result<(), Failure> {
    let Some(token) = answer(printer, "`CLOUDFLARE_API_TOKEN`", providers.cloudflare.verify_token().await, token_hint)?
    else {
        return Ok(());
    };
    if token.status == "active" {
        printer.detail(format_args!("cloudflare: the token `{}` is active", token.id));
        return Ok(());
    }
    let words = format!("the token in `CLOUDFLARE_API_TOKEN` is {}", token.status);
    Err(Failure::new(words).hint("make a new one at https://dash.cloudflare.com/profile/api-tokens"))
}

async fn zone(printer: Printer, cloudflare: &Cloudflare, zone: &ZoneSettings) -> Result<(), Failure> {
    let result = cloudflare.zone(&zone.id).await;
    if let Err(error) = &result
        && error.kind == ErrorKind::Permission
    {
        // Reading the zone itself takes a permission that editing its records does not.
        printer
            .warning(format_args!("the name of the zone `{}` cannot be checked: the token lacks `Zone Read`", zone.id));
        return Ok(());
    }
    let Some(found) = answer(printer, "`CLOUDFLARE_ZONE_ID`", result, |_| {
        Some("check `CLOUDFLARE_ZONE_ID` on the zone's overview page at https://dash.cloudflare.com")
    })?
    else {
        return Ok(());
    };
    if found.name.eq_ignore_ascii_case(zone.name.as_str()) {
        printer.detail(format_args!("cloudflare: the zone is `{}`", found.name));
        return Ok(());
    }
    let words = format!(
        "the id `{}` of `CLOUDFLARE_ZONE_ID` is the zone `{}`, but `ALFRED_DOMAIN` is `{}`",
        zone.id, found.name, zone.name
    );
    Err(Failure::new(words).hint("correct one of them"))
}

async fn permission(printer: Printer, cloudflare: &Cloudflare, zone: &ZoneSettings) -> Result<(), Failure> {
    let hint = "give it `DNS Write` on the zone at https://dash.cloudflare.com/profile/api-tokens";
    match answer(printer, "`CLOUDFLARE_API_TOKEN`", cloudflare.may_edit().await, token_hint)? {
        Some(MayEdit::No(words)) => {
            let words = format!("the token in `CLOUDFLARE_API_TOKEN` may not edit the zone `{}`: {words}", zone.name);
            Err(Failure::new(words).hint(hint))
        }
        Some(MayEdit::Yes) => {
            printer.detail(format_args!("cloudflare: the token may edit the zone `{}`", zone.name));
            Ok(())
        }
        None => Ok(()),
    }
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

fn token_hint(error: &ProviderError) -> Option<&'static str> {
    // Where the permission is missing, the client's own words already say which.
    let hint = "check its value, or make a new one at https://dash.cloudflare.com/profile/api-tokens";
    (error.kind != ErrorKind::Permission).then_some(hint)
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
