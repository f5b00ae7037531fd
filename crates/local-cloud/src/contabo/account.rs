//! The account as its holder sees it: every contract that was ever made, what of it was paid, and how it ends.
//!
//! The API tells none of this. Whoever judges a client by what it spends reads it here.

use jiff::Timestamp;

use super::contract;
use super::instance::Instance;
use super::state::State;
use super::status::Status;

/// One contract of the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contract {
    /// The instance's number.
    pub instance: i64,
    /// What the instance is called now, or was called last.
    pub display_name: String,
    /// When it was ordered; the first term begins then.
    pub ordered_at: Timestamp,
    /// How many terms were paid so far. An order that waits for its payment has none.
    pub terms: u32,
    /// How many months a term has.
    pub months: i64,
    /// The end of the last term that was paid.
    pub paid_until: Timestamp,
    /// When it was cancelled.
    pub cancelled_at: Option<Timestamp>,
    /// When it ends or has ended, if it was cancelled.
    pub ends_at: Option<Timestamp>,
    /// How often the instance was installed anew.
    pub wiped: u32,
}

impl Contract {
    /// Whether the instance is there at `now`.
    pub fn runs(&self, now: Timestamp) -> bool {
        self.ordered_at <= now && self.ends_at.is_none_or(|ends_at| now < ends_at)
    }
}

impl State {
    /// Every contract, in the order in which they were made.
    pub(crate) fn contracts(&self, now: Timestamp) -> Vec<Contract> {
        self.instances.values().map(|instance| contract(instance, now)).collect()
    }

    /// Removes an order that was never paid; whether there was one.
    pub(crate) fn remove_unpaid(&mut self, id: i64, now: Timestamp) -> bool {
        let unpaid = |instance: &Instance| instance.timed_status(now) == Status::PendingPayment;
        if !self.instances.get(&id).is_some_and(unpaid) {
            return false;
        }
        self.instances.remove(&id);
        self.owners.retain(|_, owner| *owner != id);
        true
    }
}

fn contract(instance: &Instance, now: Timestamp) -> Contract {
    let ends_at = instance.cancellation.map(|cancellation| cancellation.ends_at);
    let unpaid = instance.timed_status(now) == Status::PendingPayment;
    let until = ends_at.map_or(now, |ends_at| ends_at.min(now));
    let terms = if unpaid { 0 } else { contract::terms_begun(instance.created_at, instance.period, until) };
    let paid_until = if unpaid {
        instance.created_at
    } else {
        contract::renewal(instance.created_at, instance.period, i64::from(terms))
    };
    Contract {
        instance: instance.id,
        display_name: instance.display_name.clone(),
        ordered_at: instance.created_at,
        terms,
        months: instance.period,
        paid_until,
        cancelled_at: instance.cancellation.map(|cancellation| cancellation.at),
        ends_at,
        wiped: instance.wiped,
    }
}
