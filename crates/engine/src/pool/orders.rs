//! Buying for the pool. An intent is stored before the call; an order of which nothing is known is settled by reading the
//! provider, and never sent again (promise 5).

use std::collections::HashSet;
use std::sync::Mutex;
use std::time::Duration;

use alfred_model::failure::{Disposition, Failure};
use alfred_model::id::{IntentId, VmId};
use alfred_model::intent::{Intent, IntentKind, Outcome};
use alfred_model::lifecycle::ACTOR;
use alfred_model::policy::later;
use alfred_model::pool::{self, Hold, Spending};
use alfred_model::vm::{DISPLAY_NAME_PREFIX, SeenInstance};
use alfred_providers::contabo::{AuditAction, AuditFilter};
use alfred_store::{Changes, IntentQuery, StoreError};
use futures::StreamExt as _;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::order::{Came, earliest};
use crate::{Engine, measure};

/// So many orders are under way at once.
const AT_ONCE: usize = 4;

/// An order that another process sent is not looked for before: its answer may still come.
const ANSWER_MAX: Duration = Duration::from_mins(2);

/// Lines of the provider's audit log are joined to orders that are not older.
const JOINED_FOR: jiff::SignedDuration = jiff::SignedDuration::from_hours(7 * 24);

/// Orders that this process is sending right now.
#[derive(Default)]
pub(crate) struct InFlight(Mutex<HashSet<IntentId>>);

impl InFlight {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashSet<IntentId>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Says that an order is being sent for as long as it exists.
struct Sending<'a>(&'a InFlight, IntentId);

impl<'a> Sending<'a> {
    fn new(in_flight: &'a InFlight, id: IntentId) -> Self {
        in_flight.lock().insert(id);
        Self(in_flight, id)
    }
}

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        self.0.lock().remove(&self.1);
    }
}

/// A VM that was bought for the pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderedVm {
    /// The VM.
    pub vm_id: VmId,
    /// The order's line of the ledger.
    pub intent: IntentId,
}

/// Why an order for the pool bought nothing, as far as is known.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// It may not be bought now.
    #[error("no VM is bought: {0}")]
    Held(Hold),
    /// It was refused, or could not be sent.
    #[error("the order was not carried out: {0}")]
    Failed(String),
    /// It was sent, and no answer says what came of it.
    #[error(
        "it is not known whether the order (request id {request_id}) bought a VM: {words}; it is looked for in the \
         provider's audits and not sent again, see `alfred vm pool`"
    )]
    Unknown {
        /// By which the provider knows the request.
        request_id: uuid::Uuid,
        /// What happened.
        words: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Engine {
    /// Why no VM may be bought now. `own` is the order that is about to be sent, if it is in the store.
    pub(crate) async fn hold(&self, own: Option<IntentId>) -> Result<Option<Hold>, StoreError> {
        let now = self.clock.now();
        let orders = self.orders_lately(now).await?;
        let owned = self.store.owned_vms().await?;
        let (state, _) = self.pool_state().await?;
        let spending = Spending { orders: &orders, owned, own };
        Ok(pool::hold(&self.settings.policy.orders, &state, &spending, now))
    }

    /// Buys so many VMs by the plan.
    pub(super) async fn order_for_pool(&self, count: u32) {
        for result in self.order_vms(count, ACTOR).await {
            match result {
                Ok(ordered) => tracing::info!(vm = %ordered.vm_id, "a VM was bought for the pool"),
                Err(error) => tracing::warn!(error = %error, "a VM for the pool was not bought"),
            }
        }
    }

    /// Buys VMs for the pool, each under an intent of its own, a few at once; a result for each.
    pub async fn order_vms(&self, count: u32, actor: &str) -> Vec<Result<OrderedVm, OrderError>> {
        let orders = (0..count).map(|_| self.order_vm(actor));
        let results: Vec<Result<OrderedVm, OrderError>> =
            futures::stream::iter(orders).buffered(AT_ONCE).collect().await;
        if results.iter().any(Result::is_ok)
            && let Err(error) = self.look_soon().await
        {
            tracing::warn!(error = %error, "what was bought is looked at later than it could be: the store failed");
        }
        results
    }

    async fn order_vm(&self, actor: &str) -> Result<OrderedVm, OrderError> {
        let gate = self.order_gate.lock().await;
        if let Some(hold) = self.hold(None).await? {
            return Err(OrderError::Held(hold));
        }
        let prepared = self.with_call_home(self.new_order(actor));
        let intent = prepared.row.clone();
        let _sending = Sending::new(&self.in_flight, intent.id);
        self.store.commit(Changes { intents: vec![intent.clone()], ..Changes::default() }).await?;
        drop(gate);
        // Counted once more with the order in the store: of several replicas, at least one sees the other's.
        if let Some(hold) = self.hold(Some(intent.id)).await? {
            self.close_order(&intent, Outcome::NotSent, hold.to_string(), false).await?;
            return Err(OrderError::Held(hold));
        }
        self.call_home_tokens.remember(&prepared);
        let data = self.pool_user_data(&intent.subject, Some(&intent));
        match self.buy(intent.subject.clone(), data, Some(&intent)).await {
            Ok(instance) => {
                self.take_in(&intent, &instance).await?;
                Ok(OrderedVm { vm_id: instance.id, intent: intent.id })
            }
            Err(failure) => Err(self.order_failed(&intent, failure).await?),
        }
    }

    async fn order_failed(&self, intent: &Intent, failure: Failure) -> Result<OrderError, StoreError> {
        let Failure { disposition, words, refused } = failure;
        let outcome = match disposition {
            Disposition::Wait { .. } => Outcome::NotSent,
            Disposition::Definite => Outcome::Rejected,
            Disposition::Unknown => Outcome::Unknown,
        };
        self.close_order(intent, outcome, words.clone(), refused).await?;
        Ok(match outcome {
            Outcome::Unknown => OrderError::Unknown { request_id: intent.request_id, words },
            _ => OrderError::Failed(words),
        })
    }

    /// The name tells the order, and with it the installation: it is found again by it, and nobody else's is like it.
    fn new_order(&self, actor: &str) -> Intent {
        let mut intent = self.new_intent(&crate::intents::NewIntent {
            kind: IntentKind::OrderVm,
            environment: None,
            vm_id: None,
            subject: String::new(),
        });
        intent.subject = format!("{DISPLAY_NAME_PREFIX}pool.{}", intent.id);
        actor.clone_into(&mut intent.actor);
        intent
    }

    /// The order bought this VM: from now on a row accounts for it (promise 1).
    async fn take_in(&self, intent: &Intent, instance: &SeenInstance) -> Result<(), StoreError> {
        let now = self.clock.now();
        let orders = &self.settings.policy.orders;
        let mut settled = settled(intent, Outcome::Done, format!("instance {}", instance.id), now);
        settled.vm_id = Some(instance.id);
        // Two replicas may have looked for the same order.
        let known = self.store.vm(instance.id).await?.is_some();
        let new_vms = if known { vec![] } else { vec![pool::bought(instance, orders.price, orders.months, now)] };
        self.store.commit(Changes { new_vms, intents: vec![settled], ..Changes::default() }).await?;
        self.vms_due.notify_one();
        self.moved();
        Ok(())
    }

    async fn close_order(
        &self,
        intent: &Intent,
        outcome: Outcome,
        words: String,
        refused: bool,
    ) -> Result<(), StoreError> {
        let mut settled = settled(intent, outcome, words, self.clock.now());
        settled.refused |= refused;
        self.store.commit(Changes { intents: vec![settled], ..Changes::default() }).await.map(drop)
    }

    /// Looks for what came of orders for the pool that have no answer. Those that are not found within the grace wait for a
    /// person, and are looked for again only when `all` are.
    pub(super) async fn settle_pool_orders(&self, all: bool) -> Result<(), StoreError> {
        let open = IntentQuery { kind: Some(IntentKind::OrderVm), only_open: true, ..IntentQuery::default() };
        let now = self.clock.now();
        let grace = self.settings.policy.order_grace;
        for intent in self.store.intents(open).await?.into_iter().filter(|one| one.environment_id.is_none()) {
            let answered = intent.outcome == Outcome::Unknown || now >= later(intent.created_at, ANSWER_MAX);
            let in_grace = now < later(intent.created_at, grace);
            if answered && (in_grace || all) && !self.in_flight.lock().contains(&intent.id) {
                self.settle_pool_order(&intent, now, in_grace).await?;
            }
        }
        Ok(())
    }

    async fn settle_pool_order(&self, intent: &Intent, now: Timestamp, in_grace: bool) -> Result<(), StoreError> {
        match self.what_came(intent).await? {
            Came::Found(instance) => self.take_in(intent, &instance).await,
            Came::NotReadable(failure) => {
                tracing::warn!(words = %failure.words, "the provider could not be read for what came of an order");
                Ok(())
            }
            Came::NotFound { matches: 0 } if !in_grace && intent.refused => {
                let words = "the provider refused the order for now, and its audits know of no VM";
                self.close_order(intent, Outcome::Rejected, words.to_owned(), true).await
            }
            Came::NotFound { matches } => {
                if !in_grace {
                    let since = now.duration_since(intent.created_at);
                    tracing::error!(
                        request_id = %intent.request_id, matches, ?since,
                        "it is not known whether an order bought a VM; it is not sent again, see `alfred vm pool`"
                    );
                    measure::unknown_order();
                }
                if intent.outcome == Outcome::Unknown {
                    return Ok(());
                }
                let words = intent.answer.clone().unwrap_or_else(|| "no answer is known".to_owned());
                self.close_order(intent, Outcome::Unknown, words, false).await
            }
        }
    }

    /// Joins orders to the lines of the provider's own audit log, so that the ledger can be compared with its invoices.
    pub(super) async fn join_provider_audits(&self) -> Result<(), StoreError> {
        let since = self.clock.now().saturating_sub(JOINED_FOR).unwrap_or(Timestamp::MIN);
        let query = IntentQuery { kind: Some(IntentKind::OrderVm), since: Some(since), ..IntentQuery::default() };
        let mut lacking = self.store.intents(query).await?;
        lacking.retain(|order| order.outcome == Outcome::Done && order.audit_id.is_none());
        let Some(oldest) = lacking.iter().map(earliest).min() else { return Ok(()) };
        let filter = AuditFilter { start: Some(oldest.to_zoned(TimeZone::UTC).date()), ..AuditFilter::default() };
        let audits = match self.contabo.instance_audits(&filter).await {
            Ok(audits) => audits,
            Err(error) => {
                tracing::warn!(error = %error, "the provider's audits could not be read");
                return Ok(());
            }
        };
        let audit_of = |order: &Intent| {
            let of_it = audits.iter().filter(|audit| audit.request_id == Some(order.request_id));
            of_it
                .filter(|audit| audit.action == AuditAction::Created && audit.instance_id == order.vm_id)
                .map(|a| a.id)
                .next()
        };
        let joined: Vec<Intent> = lacking
            .into_iter()
            .filter_map(|order| Some(Intent { audit_id: Some(audit_of(&order)?), ..order }))
            .collect();
        if !joined.is_empty() {
            self.store.commit(Changes { intents: joined, ..Changes::default() }).await?;
        }
        Ok(())
    }

    /// A person gives up an order for the pool of which nothing is known, on their word that no VM came of it.
    pub async fn abandon_order(&self, id: IntentId, actor: &str) -> Result<Option<Intent>, StoreError> {
        let open = self.store.intent(id).await?.filter(|order| {
            order.kind == IntentKind::OrderVm && order.environment_id.is_none() && order.outcome.is_open()
        });
        let Some(intent) = open.filter(|order| !self.in_flight.lock().contains(&order.id)) else { return Ok(None) };
        let given_up = settled(&intent, Outcome::Abandoned, format!("abandoned by {actor}"), self.clock.now());
        let written = self.store.commit(Changes { intents: vec![given_up], ..Changes::default() }).await?;
        Ok(written.intents.into_iter().next())
    }
}

fn settled(intent: &Intent, outcome: Outcome, answer: String, now: Timestamp) -> Intent {
    Intent { outcome, answer: Some(answer), settled_at: (!outcome.is_open()).then_some(now), ..intent.clone() }
}
