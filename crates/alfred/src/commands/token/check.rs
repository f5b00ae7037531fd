//! `alfred token check`: what the Cloudflare token may do, and for how long.

use alfred_model::id::ZoneId;
use alfred_model::seam::Clock as _;
use alfred_providers::cloudflare::{TokenStatus, VisibleZones};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::super::Context;
use super::super::up::providers;
use crate::cloudflare_token::findings::{self, Finding, Level};
use crate::cloudflare_token::known_values::KnownValues;
use crate::config::{Config, Key};
use crate::error::{Exit, Failure};
use crate::system::SystemClock;
use crate::table;

/// Looks and tells; changes nothing at Cloudflare.
pub(super) async fn run(context: &Context) -> Result<Exit, Failure> {
    let options = providers::cloudflare_options(&context.config)?;
    let zones = zones(&context.config, &options.zone)?;
    let cloudflare = providers::cloudflare_alone(&providers::transport()?, options);
    let now = SystemClock.now();
    let asked = cloudflare.verify_token().await;
    let mut report = Report { findings: vec![findings::status(&asked)], ..Report::default() };
    if let Ok(status) = &asked {
        report.first_seen = remember(context, &cloudflare.token().current(), status, now);
        report.findings.push(findings::end(status.expires_on, now));
        report.findings.push(findings::age(report.first_seen, now));
    }
    // A token that is dead is refused everything else for the same reason.
    if report.works() {
        for (id, name) in &zones {
            let may_edit = cloudflare.for_zone(id.clone()).may_edit().await;
            report.findings.push(findings::edit(&may_edit, name));
        }
        let seen = cloudflare.visible_zones().await;
        let ids: Vec<ZoneId> = zones.into_iter().map(|(id, _)| id).collect();
        report.findings.push(findings::zones(&seen, &ids));
        report.findings.push(findings::tokens(&cloudflare.may_read_tokens().await));
        report.zones = seen.ok();
    }
    report.status = asked.ok();
    report.tell(context, now)
}

/// The configured zones with what they are called; a zone without a configured name by its id.
fn zones(config: &Config, first: &ZoneId) -> Result<Vec<(ZoneId, String)>, Failure> {
    if config.text(Key::Domain).is_none() {
        return Ok(vec![(first.clone(), first.to_string())]);
    }
    let zones = providers::zones(config)?;
    Ok(zones.into_iter().map(|zone| (zone.id, zone.name.to_string())).collect())
}

fn remember(
    context: &Context,
    value: &alfred_providers::secret::ApiToken,
    status: &TokenStatus,
    now: Timestamp,
) -> Option<Timestamp> {
    let noted =
        context.config.data_dir().and_then(KnownValues::load).and_then(|mut known| known.note(value, status, now));
    noted
        .inspect_err(|failure| {
            context.printer.warning(format_args!("the age of the token's value is not kept: {failure}"));
        })
        .ok()
}

#[derive(Default)]
struct Report {
    status: Option<TokenStatus>,
    first_seen: Option<Timestamp>,
    zones: Option<VisibleZones>,
    findings: Vec<Finding>,
}

impl Report {
    /// Whether nothing says that the token does not do its work.
    fn works(&self) -> bool {
        self.findings.iter().all(|finding| finding.level != Level::Problem)
    }

    /// Whether the token was seen to do its work.
    fn is_proved(&self) -> bool {
        let good = |check: &str| self.findings.iter().any(|one| one.check == check && one.level == Level::Ok);
        self.works() && good("status") && good("edit")
    }

    fn tell(&self, context: &Context, now: Timestamp) -> Result<Exit, Failure> {
        if context.printer.json() {
            context.printer.document(&self.document(now))?;
        } else {
            let mut table = table::table(&["", "CLOUDFLARE TOKEN"]);
            for finding in &self.findings {
                table.add_row([finding.level.as_str(), &crate::error::one_line(&finding.line())]);
            }
            context.printer.data(table::text(&table))?;
        }
        match (self.works(), self.is_proved()) {
            (_, true) => Ok(Exit::Done),
            (false, _) => Err(Failure::new("the Cloudflare token does not work")),
            (true, false) => Err(Failure::new("the Cloudflare token could not be checked").hint("try again later")),
        }
    }

    fn document(&self, now: Timestamp) -> Value {
        let status = self.status.as_ref();
        let end = status.and_then(|status| status.expires_on);
        let seconds = |span: SignedDuration| span.as_secs();
        let zones = self.zones.as_ref().map(|seen| {
            let zone = |zone: &alfred_providers::cloudflare::Zone| {
                json!({"id": zone.id.as_str(), "name": zone.name, "permissions": zone.permissions})
            };
            seen.zones.iter().map(zone).collect::<Vec<_>>()
        });
        json!({
            "works": self.is_proved(),
            "id": status.map(|status| &status.id),
            "status": status.map(|status| &status.status),
            "expires_on": end,
            "expires_in_seconds": end.map(|end| seconds(end.duration_since(now))),
            "first_seen": self.first_seen,
            "age_seconds": self.first_seen.map(|first| seconds(now.duration_since(first))),
            "zones": zones,
            "findings": self.findings,
        })
    }
}
