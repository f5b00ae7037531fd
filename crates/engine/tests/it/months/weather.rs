//! What goes wrong over the months, drawn from the seed: for hours at a time, and then it is over.

use std::time::Duration;

use alfred_local_cloud::LocalCloud;
use alfred_local_cloud::contabo::{self, Delay, NameMatch, OrderOutcome, Region, SoldOut, Stock, ZeroRows};
use alfred_local_cloud::faults::{Fault, Rule};
use alfred_model::policy::later;
use jiff::{SignedDuration, Timestamp};
use rand::RngExt as _;
use rand::rngs::StdRng;

/// What is bought, and so what is sold out.
const PRODUCT: &str = "V153";

pub(super) fn chance(dice: &mut StdRng, percent: u32) -> bool {
    dice.random_range(0..100) < percent
}

fn delay(dice: &mut StdRng, least: i64, most: i64) -> Delay {
    let base = dice.random_range(least..=most);
    Delay::seconds(base, dice.random_range(0..=most))
}

/// A cloud as slow as the platform, with quirks of its own.
pub(super) fn cloud(dice: &mut StdRng) -> contabo::Options {
    let mut options = contabo::Options::demo();
    options.provisioning = delay(dice, 120, 300);
    options.installing = delay(dice, 60, 300);
    options.reinstalling = delay(dice, 180, 420);
    options.boot = delay(dice, 10, 90);
    options.unreadable_after_create = delay(dice, 0, 20);
    options.unlisted_after_create = delay(dice, 0, 20);
    options.audit_lag = delay(dice, 0, 60);
    options.cancel_date_delay = if chance(dice, 30) { delay(dice, 60, 6 * 3600) } else { delay(dice, 0, 30) };
    options.cancel_notice = SignedDuration::from_hours(if chance(dice, 75) { 28 * 24 } else { 24 });
    options.staff = Some(delay(dice, 3600, 20 * 3600));
    options.duplicate_pages = chance(dice, 30);
    options.name_match = if chance(dice, 50) { NameMatch::Substring } else { NameMatch::Exact };
    options.zero_rows = match dice.random_range(0..4) {
        0 => ZeroRows::Extra,
        1 => ZeroRows::Instead,
        _ => ZeroRows::Never,
    };
    options
}

/// One kind of trouble at a time.
#[derive(Default)]
pub(super) struct Weather {
    until: Option<Timestamp>,
}

impl Weather {
    /// Begins or ends what goes wrong.
    pub(super) fn pass(&mut self, dice: &mut StdRng, cloud: &LocalCloud, now: Timestamp) {
        if self.until.is_some_and(|until| until <= now) {
            self.clear(cloud);
        }
        if self.until.is_none() && dice.random_range(0..160) == 0 {
            let hours = if chance(dice, 85) { dice.random_range(1..9) } else { dice.random_range(9..60) };
            self.until = Some(later(now, Duration::from_hours(hours)));
            Self::strike(dice, cloud);
        }
        if dice.random_range(0..250) == 0 {
            cloud.contabo().next_order(outcome(dice));
        }
        if dice.random_range(0..100) == 0 {
            cloud.contabo().revoke_tokens();
        }
    }

    pub(super) fn is_fair(&self) -> bool {
        self.until.is_none()
    }

    pub(super) fn clear(&mut self, cloud: &LocalCloud) {
        self.until = None;
        cloud.faults().clear();
        cloud.contabo().adjust(|options| options.stock.clear());
    }

    fn strike(dice: &mut StdRng, cloud: &LocalCloud) {
        let status = |status, after| Fault::Status { status, retry_after: None, body: None, after };
        let (kind, seed) = (dice.random_range(0..12), dice.random_range(0..1_000_000));
        let put = |route: &str, share: f64, fault: Fault| {
            let rule = Rule { route: Some(route.to_owned()), probability: Some(share), seed, ..Rule::new(fault) };
            cloud.faults().add(rule);
        };
        match kind {
            0 => sold_out(cloud, SoldOut::Refuse),
            1 => sold_out(cloud, SoldOut::Accept),
            2 | 3 => put("contabo.instances.create", 1.0, status(500, false)),
            4 => {
                put("contabo.instances.create", 0.5, Fault::LostAfter);
                put("contabo.instances.create", 0.5, Fault::LostBefore);
            }
            5 => {
                put("contabo.*", 0.15, Fault::LostAfter);
                put("contabo.*", 0.15, status(502, true));
                put("contabo.*", 0.1, Fault::Delay { ms: 60_000, after: false });
            }
            6 => put("contabo.token", 0.9, status(401, false)),
            7 => put("contabo.*", 0.7, status(429, false)),
            8 => {
                put("cloudflare.*", 0.2, Fault::LostAfter);
                put("cloudflare.*", 0.2, status(500, false));
            }
            9 => put("contabo.instances.audits", 0.8, status(503, false)),
            10 => put("contabo.instances.reinstall", 0.6, Fault::Delay { ms: 60_000, after: false }),
            _ => stuck(dice, cloud),
        }
    }
}

fn sold_out(cloud: &LocalCloud, how: SoldOut) {
    cloud.contabo().adjust(|options| {
        options.stock = vec![Stock { product: PRODUCT.to_owned(), region: Region::Eu, count: 0 }];
        options.sold_out = how;
    });
}

/// Some VMs show a status that is not theirs.
fn stuck(dice: &mut StdRng, cloud: &LocalCloud) {
    let words = ["provisioning", "installing", "stopped", "unknown", "other", "rescue", "error", "manual_provisioning"];
    for contract in cloud.contabo().contracts() {
        if chance(dice, 30) {
            let status = words[dice.random_range(0..words.len())].to_owned();
            cloud.faults().add(Rule::new(Fault::Stuck { status, instance: Some(contract.instance) }));
        }
    }
}

fn outcome(dice: &mut StdRng) -> OrderOutcome {
    match dice.random_range(0..10) {
        0 => OrderOutcome::PendingPayment,
        1..3 => OrderOutcome::VerificationRequired,
        3..5 => OrderOutcome::ManualProvisioning,
        5 => OrderOutcome::ProductNotAvailable,
        _ => OrderOutcome::Error,
    }
}
