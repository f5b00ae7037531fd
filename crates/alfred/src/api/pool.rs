//! What the server says of the pool, of orders, and of requests about VMs.

use alfred_model::money::Money;
use jiff::Timestamp;
use serde::Deserialize;

/// The pool and its plan.
#[derive(Debug, Deserialize)]
pub(crate) struct Pool {
    pub(crate) at: Timestamp,
    pub(crate) counts: Counts,
    pub(crate) wanted: u32,
    pub(crate) peak: u32,
    pub(crate) short_since: Option<Timestamp>,
    pub(crate) order: u32,
    pub(crate) hold: Option<Hold>,
    pub(crate) paused: Option<Pause>,
    pub(crate) owned: u64,
    pub(crate) owned_max: u32,
    pub(crate) ordered_this_month: u32,
    pub(crate) month_max: Option<u32>,
    pub(crate) price: Option<Money>,
    pub(crate) weekly_costs: Vec<Vec<Money>>,
    pub(crate) lapse: Vec<Lapse>,
    pub(crate) lapses_by_itself: bool,
    pub(crate) vms: Vec<PoolVm>,
    pub(crate) unknown_orders: Vec<Order>,
}

/// VMs by what they are to the pool.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Counts {
    pub(crate) assigned: u32,
    pub(crate) ready: u32,
    pub(crate) resting: u32,
    pub(crate) preparing: u32,
    pub(crate) retiring: u32,
    pub(crate) quarantined: u32,
    pub(crate) unknown: u32,
    pub(crate) unfit: u32,
    pub(crate) ordered: u32,
}

/// Why nothing is bought.
#[derive(Debug, Deserialize)]
pub(crate) struct Hold {
    pub(crate) words: String,
}

/// Who paused it.
#[derive(Debug, Deserialize)]
pub(crate) struct Pause {
    pub(crate) by: String,
    pub(crate) at: Timestamp,
    pub(crate) reason: Option<String>,
}

/// A contract that nobody needs.
#[derive(Debug, Deserialize)]
pub(crate) struct Lapse {
    pub(crate) vm_id: i64,
    pub(crate) decide_by: Timestamp,
    pub(crate) saves_from: Timestamp,
}

/// A VM with its contract.
#[derive(Debug, Deserialize)]
pub(crate) struct PoolVm {
    pub(crate) id: i64,
    pub(crate) display_name: String,
    pub(crate) state: String,
    pub(crate) assignable_at: Option<Timestamp>,
    pub(crate) paid_until: Option<Timestamp>,
    pub(crate) ends: bool,
    pub(crate) decide_by: Option<Timestamp>,
    pub(crate) price: Option<Money>,
    pub(crate) reason: Option<String>,
    #[serde(default)]
    pub(crate) attention: bool,
    #[serde(default)]
    pub(crate) renewals: Vec<Timestamp>,
}

/// An order of which nothing is known: a line of the ledger.
#[derive(Debug, Deserialize)]
pub(crate) struct Order {
    pub(crate) id: String,
    pub(crate) environment_id: Option<String>,
    pub(crate) request_id: String,
    pub(crate) subject: String,
    pub(crate) actor: String,
    pub(crate) outcome: String,
    pub(crate) created_at: Timestamp,
}

/// What came of orders, or would.
#[derive(Debug, Deserialize)]
pub(crate) struct Ordered {
    pub(crate) price: Option<Money>,
    pub(crate) months: u32,
    pub(crate) orders: Vec<OneOrder>,
}

/// What came of one order, or would.
#[derive(Debug, Deserialize)]
pub(crate) struct OneOrder {
    pub(crate) outcome: String,
    pub(crate) vm_id: Option<i64>,
    pub(crate) intent_id: Option<String>,
    pub(crate) cost: Option<Money>,
    pub(crate) problem: Option<super::Problem>,
}

/// A request about a VM, as it was taken or would be.
#[derive(Debug, Deserialize)]
pub(crate) struct VmRequest {
    pub(crate) vm: PoolVm,
    pub(crate) gives_up: String,
}

/// What the use of a VM has cost an environment.
#[derive(Debug, Deserialize)]
pub(crate) struct Cost {
    pub(crate) vm_id: i64,
    pub(crate) price: Money,
    pub(crate) hours: f64,
    pub(crate) amount: Money,
}
