//! What goes wrong, drawn from the seed.

use std::time::Duration;

use alfred_local_cloud::contabo::{Delay, NameMatch, OrderOutcome, ZeroRows};
use alfred_local_cloud::faults::{Fault, Rule};
use alfred_local_cloud::{Options, contabo};
use rand::RngExt as _;
use rand::rngs::StdRng;

/// The longest time from a change in the zone to its answers.
pub(super) const PUBLICATION_MAX: Duration = Duration::from_secs(4);

const ROUTES: &[&str] = &[
    "contabo.*",
    "contabo.token",
    "contabo.instances.create",
    "contabo.instances.list",
    "contabo.instances.get",
    "contabo.instances.rename",
    "contabo.instances.reinstall",
    "contabo.instances.cancel",
    "contabo.instances.audits",
    "cloudflare.*",
    "cloudflare.records.batch",
    "cloudflare.records.list",
];

pub(super) fn below(dice: &mut StdRng, end: u64) -> u64 {
    dice.random_range(0..end)
}

pub(super) fn chance(dice: &mut StdRng, percent: u64) -> bool {
    below(dice, 100) < percent
}

fn delay(dice: &mut StdRng, most_ms: u64) -> Delay {
    let part = |dice: &mut StdRng| i64::try_from(below(dice, most_ms)).expect("a small number");
    Delay::millis(part(dice), part(dice))
}

/// A cloud with delays and quirks of its own.
pub(super) fn cloud(dice: &mut StdRng) -> Options {
    let mut options = Options { contabo: contabo::Options::demo(), ..Options::default() };
    let contabo = &mut options.contabo;
    contabo.provisioning = delay(dice, 3_000);
    contabo.installing = delay(dice, 5_000);
    contabo.reinstalling = delay(dice, 8_000);
    contabo.boot = delay(dice, 2_000);
    contabo.unreadable_after_create = delay(dice, 4_000);
    contabo.unlisted_after_create = delay(dice, 4_000);
    contabo.audit_lag = delay(dice, 3_000);
    contabo.cancel_date_delay = delay(dice, 3_000);
    contabo.duplicate_pages = chance(dice, 30);
    contabo.name_match = if chance(dice, 50) { NameMatch::Substring } else { NameMatch::Exact };
    contabo.zero_rows = match below(dice, 4) {
        0 => ZeroRows::Extra,
        1 => ZeroRows::Instead,
        _ => ZeroRows::Never,
    };
    let outcomes = below(dice, 6);
    contabo.next_orders =
        (0..outcomes).map(|_| if chance(dice, 15) { OrderOutcome::Error } else { OrderOutcome::Normal }).collect();
    options.cloudflare.publication_delay_ms = if chance(dice, 50) {
        below(dice, u64::try_from(PUBLICATION_MAX.as_millis()).expect("a small number"))
    } else {
        0
    };
    options
}

/// Something that goes wrong with a share of the calls.
pub(super) fn fault(dice: &mut StdRng) -> Rule {
    let route = ROUTES[dice.random_range(0..ROUTES.len())].to_owned();
    let status = |status, after| Fault::Status { status, retry_after: None, body: None, after };
    let fault = match below(dice, 14) {
        0 => Fault::LostBefore,
        1 | 2 => Fault::LostAfter,
        3 => Fault::Status { status: 429, retry_after: Some(below(dice, 6)), body: None, after: false },
        4 => status(500, false),
        5 => status(502, true),
        6 => status(503, false),
        // A call that is carried out so late stays within what a client waits for, or within a dead worker's lease.
        7 => Fault::Delay { ms: below(dice, 20_000), after: false },
        8 => Fault::Delay { ms: below(dice, 60_000), after: true },
        9 => Fault::CutBody,
        10 => Fault::Html { status: 200, after: true },
        11 => Fault::Html { status: 502, after: false },
        12 => status([400, 403, 404, 409][dice.random_range(0..4)], false),
        _ => status(429, false),
    };
    let share = [0.02, 0.1, 0.3, 0.6][dice.random_range(0..4)];
    Rule { route: Some(route), probability: Some(share), seed: below(dice, 1_000_000), ..Rule::new(fault) }
}

/// An instance that stays in a status until this is taken back.
pub(super) fn stuck(dice: &mut StdRng, instance: i64) -> Rule {
    let words = ["provisioning", "installing", "stopped", "unknown", "other", "rescue", "manual_provisioning"];
    let status = words[dice.random_range(0..words.len())].to_owned();
    Rule::new(Fault::Stuck { status, instance: Some(instance) })
}
