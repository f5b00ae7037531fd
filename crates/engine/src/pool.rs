//! The pool as a whole: how many VMs are ready, which are bought, which contracts end.
//!
//! One VM's way through the pool is driven by its row, in `vms.rs`. Here one replica at a time takes a turn, reads what is
//! there, lets the model plan, and carries the plan out. A turn holds nothing up: environments take ready VMs, and buy
//! where there are none, without it. A turn that is lost in a crash is made up for by the next.

mod look;
mod orders;
mod preview;
mod request;
mod state;

use std::sync::Arc;
use std::time::Duration;

use alfred_model::intent::{Intent, IntentKind};
use alfred_model::money::Money;
use alfred_model::policy::later;
use alfred_model::pool::demand::MEMORY;
use alfred_model::pool::{self, ContractView, PoolPlan, PoolSituation, PoolState};
use alfred_model::vm::Vm;
use alfred_store::{IntentQuery, StoreError};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::{Engine, measure};

pub(crate) use orders::InFlight;
pub use orders::{OrderError, OrderedVm};
pub use preview::OrderPreview;
pub use request::{PoolRequestError, VmPreview};

/// Orders from so long before this month are read too: failures do not end with a month.
const FAILURES_SEEN: jiff::SignedDuration = jiff::SignedDuration::from_hours(7 * 24);

/// The pool as people see it.
#[derive(Debug, Clone)]
pub struct PoolView {
    /// When it was looked at.
    pub at: Timestamp,
    /// What is done next, and why.
    pub plan: PoolPlan,
    /// What a person decided.
    pub state: PoolState,
    /// All VMs whose contract has not ended.
    pub vms: Vec<Vm>,
    /// What is paid for each, in the same order.
    pub contracts: Vec<ContractView>,
    /// What renewals cost in each of the next four weeks, by currency.
    pub weekly_costs: [Vec<Money>; 4],
    /// Orders of which it is not known what came of them.
    pub unknown_orders: Vec<Intent>,
    /// VMs that are owned, and orders of which nothing is known.
    pub owned: u64,
    /// Orders of this month that bought a VM, or may have.
    pub ordered_this_month: u32,
}

/// Everything that is read before a plan is made.
struct Facts {
    vms: Vec<Vm>,
    open_orders: Vec<Intent>,
    orders: Vec<Intent>,
    owned: u64,
    lives: Vec<pool::Life>,
    state: PoolState,
}

impl Engine {
    /// Takes turns at the pool until `stop` is cancelled.
    pub(crate) async fn pool_loop(self: Arc<Self>, stop: CancellationToken) {
        let interval = self.settings.policy.pool.interval;
        let mut wait = self.jittered(interval.min(Duration::from_secs(1)));
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
            wait = match self.take_pool_turn().await {
                Ok(None) => {
                    // A turn that is left in the middle leaves intents that the next one settles.
                    if let Err(error) = self.pool_turn().await {
                        tracing::error!(error = %error, "the store failed while the pool was looked at");
                    }
                    interval
                }
                Ok(Some(due)) => Duration::try_from(due.duration_since(self.clock.now())).unwrap_or_default(),
                Err(error) => {
                    tracing::error!(error = %error, "the turn at the pool could not be taken");
                    interval
                }
            }
            .clamp(Duration::from_millis(10), interval);
        }
    }

    /// Nothing, if the turn is ours; otherwise when the next one is due.
    async fn take_pool_turn(&self) -> Result<Option<Timestamp>, StoreError> {
        let now = self.clock.now();
        let mut due = None;
        self.change_pool_state(|state| {
            due = state.next_turn.filter(|next| *next > now);
            if due.is_some() {
                return false;
            }
            state.next_turn = Some(later(now, self.settings.policy.pool.interval));
            true
        })
        .await?;
        Ok(due)
    }

    async fn pool_turn(&self) -> Result<(), StoreError> {
        let looks = self.look_is_due().await?;
        if looks {
            self.look_at_instances().await?;
        }
        self.settle_pool_orders(looks).await?;
        let facts = self.pool_facts().await?;
        let plan = self.pool_plan(&facts, self.clock.now());
        measure::pool(&plan);
        if plan.short_since != facts.state.short_since {
            self.change_pool_state(|state| {
                let news = state.short_since != plan.short_since;
                state.short_since = plan.short_since;
                news
            })
            .await?;
        }
        self.order_for_pool(plan.order).await;
        if self.settings.policy.pool.lapse && facts.state.paused.is_none() {
            for lapse in &plan.lapse {
                self.let_lapse(lapse.vm_id).await?;
            }
        }
        if looks {
            self.join_provider_audits().await?;
        }
        Ok(())
    }

    async fn pool_facts(&self) -> Result<Facts, StoreError> {
        let now = self.clock.now();
        // The intents are read before they are counted: one that comes between is counted, not overlooked.
        let orders = self.orders_lately(now).await?;
        let open = IntentQuery { kind: Some(IntentKind::OrderVm), only_open: true, ..IntentQuery::default() };
        Ok(Facts {
            orders,
            open_orders: self.store.intents(open).await?,
            owned: self.store.owned_vms().await?,
            vms: self.store.vms(false).await?,
            lives: self.store.lives(now.saturating_sub(MEMORY).unwrap_or(Timestamp::MIN)).await?,
            state: self.pool_state().await?.0,
        })
    }

    async fn orders_lately(&self, now: Timestamp) -> Result<Vec<Intent>, StoreError> {
        let since = pool::month_of(now).saturating_sub(FAILURES_SEEN).unwrap_or(Timestamp::MIN);
        let query = IntentQuery { kind: Some(IntentKind::OrderVm), since: Some(since), ..IntentQuery::default() };
        self.store.intents(query).await
    }

    fn pool_plan(&self, facts: &Facts, now: Timestamp) -> PoolPlan {
        let ordered = facts.open_orders.iter().filter(|order| order.environment_id.is_none()).count();
        let situation = PoolSituation {
            vms: &facts.vms,
            ordered: u32::try_from(ordered).unwrap_or(u32::MAX),
            lives: &facts.lives,
            state: &facts.state,
            spending: facts.spending(),
            product: &self.settings.product,
            region: &self.settings.region,
        };
        let policy = &self.settings.policy;
        pool::plan(&situation, &policy.pool, &policy.orders, now)
    }

    /// The pool, what it does next, and what it costs. Reads the store alone.
    pub async fn pool(&self) -> Result<PoolView, StoreError> {
        let facts = self.pool_facts().await?;
        let now = self.clock.now();
        let plan = self.pool_plan(&facts, now);
        let ordered_this_month = facts.spending().bought_since_month(now);
        let Facts { vms, open_orders, owned, state, .. } = facts;
        Ok(PoolView {
            at: now,
            plan,
            state,
            contracts: vms.iter().map(|vm| pool::contract(vm, now)).collect(),
            weekly_costs: pool::weekly_costs(&vms, now),
            vms,
            unknown_orders: open_orders,
            owned,
            ordered_this_month,
        })
    }
}

impl Facts {
    fn spending(&self) -> pool::Spending<'_> {
        pool::Spending { orders: &self.orders, owned: self.owned, own: None }
    }
}
