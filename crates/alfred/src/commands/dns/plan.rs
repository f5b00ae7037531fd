//! `alfred dns plan`, and what `alfred dns apply` does before it changes anything: read the file, read the zone, compare.

use std::time::Duration;

use alfred_model::dns::file::WantedRecord;
use alfred_model::dns::limit::DeleteLimit;
use alfred_model::dns::plan::{Leave, Plan, Planner};
use alfred_providers::cloudflare::{FREE_BATCH_LIMIT, RecordFilter};

use super::super::Context;
use super::zone::{PATIENCE, PER_PAGE, Patience, Zone, glance, seen};
use super::{file, show};
use crate::cli::FileArguments;
use crate::error::{Exit, Failure};

/// The fewest records that any zone may hold: up to here nobody need be asked
/// (<https://developers.cloudflare.com/dns/manage-dns-records/>).
const SMALLEST_QUOTA: u64 = 200;

/// The fewest records that a zone with a paid plan may hold.
const SMALLEST_PAID_QUOTA: u64 = 3_500;

/// Shows what would be done.
pub(super) async fn run(context: &Context, arguments: &FileArguments) -> Result<Exit, Failure> {
    let (mut zone, wanted) = prepare(context, arguments).await?;
    let plan = compare(context, &zone, &wanted, leave(arguments), PATIENCE).await?;
    show::plan(context, &zone, &plan, arguments.all)?;
    for failure in [over_limit(&plan, arguments.max_delete), over_quota(&mut zone, &plan).await].into_iter().flatten() {
        context.printer.warning(format_args!("`alfred dns apply` would refuse this: {failure}"));
    }
    Ok(if plan.conflicts.is_empty() { Exit::Done } else { Exit::Partly })
}

/// Reads the file and opens the zone. Where the zone's name is configured, a bad file costs no call.
pub(super) async fn prepare(
    context: &Context,
    arguments: &FileArguments,
) -> Result<(Zone, Vec<WantedRecord>), Failure> {
    let bytes = file::bytes(arguments)?;
    let zone = Zone::open(context, arguments.access.owner.as_ref()).await?;
    let wanted = file::wanted(context, arguments, &bytes, &zone.name)?;
    Ok((zone, wanted))
}

/// What may be done beyond what is ours and wanted.
pub(super) fn leave(arguments: &FileArguments) -> Leave {
    Leave { adopt: arguments.adopt, prune: arguments.prune }
}

/// Reads the zone once and compares it with what is wanted.
pub(super) async fn compare<'a>(
    context: &Context,
    zone: &Zone,
    wanted: &'a [WantedRecord],
    leave: Leave,
    patience: Duration,
) -> Result<Plan<'a>, Failure> {
    let mut patience = Patience::new(context, patience);
    let filter = RecordFilter::all();
    loop {
        // A list that failed half-way is read from its beginning, by a planner that has seen nothing.
        let mut planner = Planner::new(wanted, &zone.owner, leave);
        let mut stranger = None;
        let listed = zone.cloudflare.each_record(&filter, PER_PAGE, |view| {
            if stranger.is_none() && !zone.holds(&view.name) {
                stranger = Some(view.name.to_string());
            }
            planner.see(&glance(view), || view.to_record().map(seen));
        });
        match listed.await {
            Ok(_) => {
                return match stranger {
                    None => Ok(planner.finish()),
                    Some(name) => Err(Failure::usage(format!(
                        "the zone `{}` holds `{name}`, which is not below `ALFRED_DOMAIN` (`{}`)",
                        zone.cloudflare.zone_id(),
                        zone.name
                    ))
                    .hint("set `ALFRED_DOMAIN` to the name of this zone")),
                };
            }
            Err(error) => patience.wait(error).await?,
        }
    }
}

/// Why so much must not be deleted at once, if it must not.
pub(super) fn over_limit(plan: &Plan<'_>, limit: Option<DeleteLimit>) -> Option<Failure> {
    let limit = limit.unwrap_or_default();
    let (deletions, most) = (plan.deletions(), limit.of(plan.owned));
    (deletions > most).then(|| {
        Failure::new(format!(
            "the plan deletes {deletions} of this owner's {} records, and at most {most} may go ({limit})",
            plan.owned
        ))
        .hint(format!("nothing was changed; if it is meant, add `--max-delete {deletions}`"))
    })
}

/// Why the zone has no room for what would be created, if it has none. It is asked only where that is in doubt.
pub(super) async fn over_quota(zone: &mut Zone, plan: &Plan<'_>) -> Option<Failure> {
    let creations = plan.creations();
    let after = (plan.total + creations).saturating_sub(plan.deletions());
    if creations == 0 || after <= SMALLEST_QUOTA {
        return None;
    }
    if plan.steps.len() > FREE_BATCH_LIMIT {
        // The writer wants to know it too.
        zone.learn_plan().await;
    }
    if after <= SMALLEST_PAID_QUOTA && zone.plan.as_ref().is_some_and(alfred_providers::cloudflare::Plan::has_tags) {
        return None;
    }
    let usage = match zone.cloudflare.usage().await {
        Ok(usage) => usage,
        Err(error) => {
            tracing::debug!(%error, "the zone's usage could not be read");
            return None;
        }
    };
    let quota = usage.quota.filter(|quota| after > *quota)?;
    let words = format!(
        "the zone may hold {quota} records and has {}: {creations} more do not fit beside {} that go",
        plan.total,
        plan.deletions()
    );
    Some(Failure::new(words).hint("nothing was changed; delete records that are not needed, or choose a larger plan"))
}
