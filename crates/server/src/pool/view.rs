//! The pool as administrators see it.

use alfred_engine::PoolView;
use alfred_model::id::VmId;
use alfred_model::money::Money;
use alfred_model::policy::Policy;
use alfred_model::pool::{Hold, Lapse, Pause, PoolCounts};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::ledger::IntentView;
use crate::vms::VmView;

/// The pool: what is there, what is done next and why, and what it costs.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Pool)]
pub(crate) struct PoolDocument {
    /// When it was looked at.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// VMs by what they are to the pool.
    counts: CountsView,
    /// How many ready VMs are wanted.
    wanted: u32,
    /// The most environments that had a VM at once in the last four weeks.
    peak: u32,
    /// Since when there have been too few; null, where there are enough.
    #[schema(value_type = Option<String>, format = DateTime)]
    short_since: Option<Timestamp>,
    /// So many VMs are bought at the pool's next turn.
    order: u32,
    /// Why none may be bought, whether or not one is needed; null, where one may be.
    hold: Option<HoldView>,
    /// Who paused the pool; null, where nobody did.
    paused: Option<PauseView>,
    /// VMs that are owned, and orders of which nothing is known.
    owned: u64,
    /// No more may be owned.
    owned_max: u32,
    /// Orders of this calendar month (UTC) that bought a VM, or may have.
    ordered_this_month: u32,
    /// No more may be ordered in a month; null, where there is no cap.
    month_max: Option<u32>,
    /// What a VM costs a month when it is bought now, as configured; null, where nobody did.
    #[schema(value_type = Option<String>)]
    price: Option<Money>,
    /// For how many months a VM is paid at once.
    months: u32,
    /// What renewals cost in each of the next four weeks, one amount for each currency. VMs without a price are not in it.
    #[schema(value_type = Vec<Vec<String>>)]
    weekly_costs: [Vec<Money>; 4],
    /// Contracts that nobody needs and that must be decided about soon, the most urgent first.
    lapse: Vec<LapseView>,
    /// Whether those are cancelled without a person.
    lapses_by_itself: bool,
    /// All VMs whose contract has not ended.
    vms: Vec<PoolVm>,
    /// Orders of which it is not known what came of them.
    unknown_orders: Vec<IntentView>,
}

/// VMs by what they are to the pool.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PoolCounts)]
pub(crate) struct CountsView {
    /// They belong to environments.
    assigned: u32,
    /// They could be assigned now.
    ready: u32,
    /// Ready, and kept from everybody until their old names are forgotten.
    resting: u32,
    /// Being installed or wiped.
    preparing: u32,
    /// Cancelled; given to environments that end before they do.
    retiring: u32,
    /// Kept out until a person acts.
    quarantined: u32,
    /// Understood by nobody, or waiting for a person.
    unknown: u32,
    /// Ready, but of another product or region than is wanted now.
    unfit: u32,
    /// Ordered for the pool, and not there yet.
    ordered: u32,
}

/// Why no VM is bought.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Hold, example = json!({
    "kind": "owned",
    "words": "10 VMs are owned and the limit is 10: delete environments, or raise `ALFRED_VM_LIMIT`",
    "until": null
}))]
pub(crate) struct HoldView {
    /// In one stable word.
    #[schema(schema_with = crate::schema::hold_kind)]
    kind: &'static str,
    /// For people, with what to do.
    words: String,
    /// When it is over by itself, where that is known.
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
}

/// Who paused the pool.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Pause)]
pub(crate) struct PauseView {
    /// Who.
    by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Why, in their words.
    reason: Option<String>,
}

/// A contract that nobody needs.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Lapse)]
pub(crate) struct LapseView {
    /// Whose.
    #[schema(value_type = i64)]
    vm_id: VmId,
    /// By when it must be cancelled.
    #[schema(value_type = String, format = DateTime)]
    decide_by: Timestamp,
    /// From when on it costs nothing then.
    #[schema(value_type = String, format = DateTime)]
    saves_from: Timestamp,
}

/// A VM with what its contract means.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PoolVm {
    #[serde(flatten)]
    vm: VmView,
    /// The first renewal that can still be avoided.
    #[schema(value_type = Option<String>, format = DateTime)]
    avoidable_from: Option<Timestamp>,
    /// Its renewals within the next four weeks.
    #[schema(value_type = Vec<String>)]
    renewals: Vec<Timestamp>,
}

impl PoolDocument {
    /// The pool under these rules.
    pub(super) fn new(view: PoolView, policy: &Policy) -> Self {
        let PoolView { at, plan, state, vms, contracts, weekly_costs, unknown_orders, owned, ordered_this_month } =
            view;
        let with_contract = |(vm, contract)| PoolVm {
            vm: VmView::with_contract(vm, contract),
            avoidable_from: contract.avoidable_from,
            renewals: contract.renewals.clone(),
        };
        Self {
            at,
            counts: plan.counts.into(),
            wanted: plan.wanted,
            peak: plan.peak,
            short_since: plan.short_since,
            order: plan.order,
            hold: plan.hold.as_ref().map(HoldView::from),
            paused: state.paused.map(PauseView::from),
            owned,
            owned_max: policy.orders.owned_max,
            ordered_this_month,
            month_max: policy.orders.month_max,
            price: policy.orders.price,
            months: policy.orders.months,
            weekly_costs,
            lapse: plan.lapse.into_iter().map(LapseView::from).collect(),
            lapses_by_itself: policy.pool.lapse,
            vms: vms.iter().zip(&contracts).map(with_contract).collect(),
            unknown_orders: unknown_orders.into_iter().map(IntentView::from).collect(),
        }
    }
}

impl From<PoolCounts> for CountsView {
    fn from(counts: PoolCounts) -> Self {
        let PoolCounts { assigned, ready, resting, preparing, retiring, quarantined, unknown, unfit, ordered } = counts;
        Self { assigned, ready, resting, preparing, retiring, quarantined, unknown, unfit, ordered }
    }
}

impl From<&Hold> for HoldView {
    fn from(hold: &Hold) -> Self {
        let (kind, until) = match hold {
            Hold::Off => ("off", None),
            Hold::Paused { .. } => ("paused", None),
            Hold::Owned { .. } => ("owned", None),
            Hold::Month { .. } => ("month", None),
            Hold::Failing { until, .. } => ("failing", Some(*until)),
        };
        Self { kind, words: hold.to_string(), until }
    }
}

impl From<Pause> for PauseView {
    fn from(Pause { by, at, reason }: Pause) -> Self {
        Self { by, at, reason }
    }
}

impl From<Lapse> for LapseView {
    fn from(Lapse { vm_id, decide_by, saves_from }: Lapse) -> Self {
        Self { vm_id, decide_by, saves_from }
    }
}
