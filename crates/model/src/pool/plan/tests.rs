//! What is bought, what is let lapse, and when neither is.

use super::*;
use crate::id::EnvironmentId;
use crate::intent::{Intent, IntentKind, Outcome};
use crate::pool::tests::{intent, vm};
use crate::vm::{Contract, VmStep};

fn now() -> Timestamp {
    "2026-03-20T12:00:00Z".parse().unwrap()
}

fn days_ago(days: i64) -> Timestamp {
    now() - SignedDuration::from_hours(24 * days)
}

fn rules(ready: u32) -> PoolRules {
    PoolRules {
        ready: Wanted::Fixed(ready),
        lapse: true,
        slack: 1,
        lead: Duration::from_mins(20),
        patience: Duration::from_mins(10),
        interval: Duration::from_mins(1),
        look_interval: Duration::from_mins(15),
    }
}

fn orders() -> OrderRules {
    OrderRules {
        allowed: true,
        owned_max: 20,
        month_max: None,
        failures: 3,
        stop: Duration::from_mins(1),
        stop_max: Duration::from_hours(1),
        price: None,
        months: 1,
    }
}

/// A VM that was bought so many days ago.
fn owned(number: i64, state: VmState, days: i64) -> Vm {
    let began_at = days_ago(days);
    Vm {
        id: VmId(number),
        environment_id: (state == VmState::Assigned).then(|| EnvironmentId(uuid::Uuid::from_u128(1))),
        contract: Contract { began_at: Some(began_at), months: Some(1), price: None },
        created_at: began_at,
        wiped_at: Some(began_at),
        ..vm(state, VmStep::Settled)
    }
}

struct Case {
    vms: Vec<Vm>,
    lives: Vec<Life>,
    orders: Vec<Intent>,
    ordered: u32,
    state: PoolState,
}

impl Case {
    fn new(vms: Vec<Vm>) -> Self {
        Self { vms, lives: Vec::new(), orders: Vec::new(), ordered: 0, state: PoolState::default() }
    }

    fn short_for(mut self, minutes: i64) -> Self {
        self.state.short_since = Some(now() - SignedDuration::from_mins(minutes));
        self
    }

    fn plan(&self, rules: &PoolRules, orders: &OrderRules) -> PoolPlan {
        let owned = u64::try_from(self.vms.len()).unwrap() + u64::from(self.ordered);
        let situation = PoolSituation {
            vms: &self.vms,
            ordered: self.ordered,
            lives: &self.lives,
            state: &self.state,
            spending: Spending { orders: &self.orders, owned, own: None },
            product: "V153",
            region: "EU",
        };
        plan(&situation, rules, orders, now())
    }
}

#[test]
fn too_few_ready_vms_are_bought_after_a_while() {
    let empty = || Case::new(vec![]);
    let first = empty().plan(&rules(2), &orders());
    assert_eq!((first.order, first.short_since), (0, Some(now())), "a moment is no reason to pay a month");
    assert_eq!(empty().short_for(9).plan(&rules(2), &orders()).order, 0);
    let after = empty().short_for(10).plan(&rules(2), &orders());
    assert_eq!(after.order, 2);
    assert_eq!(empty().short_for(10).plan(&rules(0), &orders()).order, 0);
    let enough = Case::new(vec![owned(1, VmState::Ready, 1), owned(2, VmState::Ready, 1)]).short_for(10);
    assert_eq!(enough.plan(&rules(2), &orders()).short_since, None, "the shortage is over");
}

#[test]
fn what_comes_soon_is_not_bought_again() {
    let resting = Vm { assignable_at: Some(now() + SignedDuration::from_mins(5)), ..owned(2, VmState::Ready, 1) };
    let mut case = Case::new(vec![owned(1, VmState::Preparing, 1), resting]).short_for(60);
    case.ordered = 1;
    let planned = case.plan(&rules(4), &orders());
    assert_eq!((planned.order, planned.wanted), (1, 4));
    assert_eq!((planned.counts.preparing, planned.counts.resting, planned.counts.ordered), (1, 1, 1));
}

#[test]
fn what_fits_nobody_or_ends_is_no_ready_vm() {
    let ends = Vm { cancel_date: Some(jiff::civil::date(2026, 4, 1)), ..owned(1, VmState::Ready, 1) };
    let unfit = Vm { product: "V45".to_owned(), ..owned(2, VmState::Ready, 1) };
    let elsewhere = Vm { region: "SIN".to_owned(), ..owned(3, VmState::Preparing, 1) };
    let stuck = Vm { attention: true, ..owned(4, VmState::Preparing, 1) };
    let vms = vec![
        ends,
        unfit,
        elsewhere,
        stuck,
        owned(5, VmState::Quarantined, 1),
        owned(6, VmState::Retiring, 1),
        owned(7, VmState::Unknown, 1),
        owned(8, VmState::Assigned, 1),
    ];
    let planned = Case::new(vms).short_for(60).plan(&rules(1), &orders());
    assert_eq!(planned.order, 1);
    let expected =
        PoolCounts { assigned: 1, retiring: 2, quarantined: 1, unknown: 2, unfit: 2, ..PoolCounts::default() };
    assert_eq!(planned.counts, expected);
}

#[test]
fn caps_and_holds_bound_what_is_bought() {
    let short = || Case::new(vec![owned(1, VmState::Assigned, 1)]).short_for(60);
    assert_eq!(short().plan(&rules(9), &OrderRules { owned_max: 4, ..orders() }).order, 3);
    let month = OrderRules { month_max: Some(2), ..orders() };
    assert_eq!(short().plan(&rules(9), &month).order, 2);
    let mut failed = short();
    failed.orders =
        vec![Intent { outcome: Outcome::Rejected, settled_at: Some(days_ago(1)), ..intent(1, IntentKind::OrderVm) }];
    assert_eq!(failed.plan(&rules(9), &orders()).order, 1, "after a failure one by one");
    let off = short().plan(&rules(9), &OrderRules { allowed: false, ..orders() });
    assert_eq!((off.order, off.hold), (0, Some(Hold::Off)));
    assert!(off.short_since.is_some(), "it is short all the same");
}

#[test]
fn a_contract_lapses_only_if_the_busiest_hour_could_do_without_it() {
    // Bought 29 days ago in March: decided by the day after tomorrow.
    let near = |number| owned(number, VmState::Ready, 1);
    let old = owned(99, VmState::Assigned, 40);
    let quiet = Case::new(vec![old.clone(), near(1), near(2), near(3)]);
    let planned = quiet.plan(&rules(0), &orders());
    let due: Vec<VmId> = planned.lapse.iter().map(|lapse| lapse.vm_id).collect();
    assert_eq!(due, [VmId(1), VmId(2), VmId(3)], "four VMs, one is kept to be sure");
    for lapse in &planned.lapse {
        assert!(lapse.decide_by >= now() && lapse.decide_by <= now() + LAPSE_WINDOW);
        assert!(lapse.saves_from > lapse.decide_by);
    }
    let mut busy = Case::new(vec![old.clone(), near(1), near(2), near(3)]);
    let life = |from: i64, to: i64| Life { from: days_ago(from), to: Some(days_ago(to)) };
    busy.lives = vec![life(20, 10), life(19, 11), Life { from: days_ago(40), to: None }];
    assert_eq!(busy.plan(&rules(0), &orders()).lapse, [], "three were needed at once ten days ago, and one is kept");
    let wanted = quiet.plan(&rules(2), &orders());
    assert_eq!(wanted.lapse.len(), 1, "ready ones are wanted");
}

#[test]
fn nothing_lapses_early_or_without_a_history() {
    let old = owned(99, VmState::Assigned, 40);
    // Seventeen days into its month the notice for it has passed, and the next decision is two weeks away.
    let case = Case::new(vec![old.clone(), owned(1, VmState::Ready, 17), owned(2, VmState::Ready, 17)]);
    assert_eq!(case.plan(&rules(0), &orders()).lapse, []);
    let young = Case::new(vec![owned(1, VmState::Ready, 1), owned(2, VmState::Ready, 1), owned(3, VmState::Ready, 1)]);
    assert_eq!(young.plan(&rules(0), &orders()).lapse, [], "two weeks have not been seen yet");
    let busy = Case::new(vec![old, owned(1, VmState::Assigned, 1), owned(2, VmState::Assigned, 1)]);
    assert_eq!(busy.plan(&rules(0), &orders()).lapse, [], "nobody's VM is taken away");
}

#[test]
fn what_fits_nobody_lapses_first() {
    let old = owned(99, VmState::Assigned, 40);
    let unfit = Vm { product: "V45".to_owned(), ..owned(1, VmState::Ready, 1) };
    let planned = Case::new(vec![old, unfit]).plan(&rules(0), &orders());
    assert_eq!(planned.lapse.iter().map(|lapse| lapse.vm_id).collect::<Vec<_>>(), [VmId(1)]);
}
