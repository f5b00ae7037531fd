//! Stands between the engines and Contabo, and looks at each write in the moment in which it is sent: whether it may be.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use alfred_local_cloud::LocalCloud;
use alfred_model::environment::Status;
use alfred_model::id::VmId;
use alfred_model::intent::IntentKind;
use alfred_model::lifecycle::ACTOR;
use alfred_model::policy::{Policy, later};
use alfred_model::pool::PoolState;
use alfred_model::seam::Clock;
use alfred_model::vm::VmState;
use alfred_providers::transport::{Transport, TransportError};
use alfred_store::{IntentQuery, Store};
use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;

const INSTANCES: &str = "/v1/compute/instances";

/// So long may lie between the decision to write and the write: a login that is tried again, a lost answer to it.
const LEEWAY: Duration = Duration::from_mins(3);

/// An order as it was sent.
#[derive(Debug, Clone)]
struct Sent {
    request_id: String,
    at: Timestamp,
    answered_at: Option<Timestamp>,
    bought: bool,
}

#[derive(Debug, Default)]
struct Log {
    orders: Vec<Sent>,
    resumed_at: Option<Timestamp>,
    wishes: HashSet<VmId>,
    cancelled: HashSet<VmId>,
    /// What must not have been sent.
    wrongs: Vec<String>,
}

impl Log {
    /// A panic here would end one of the engine's tasks and nothing else: it is told later.
    fn must(&mut self, right: bool, words: impl FnOnce() -> String) {
        if !right {
            self.wrongs.push(words());
        }
    }
}

pub(super) struct Guard {
    cloud: LocalCloud,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    policy: Policy,
    log: Mutex<Log>,
}

impl Guard {
    pub(super) fn new(cloud: LocalCloud, store: Arc<dyn Store>, clock: Arc<dyn Clock>, policy: Policy) -> Arc<Self> {
        Arc::new(Self { cloud, store, clock, policy, log: Mutex::default() })
    }

    pub(super) fn through(self: &Arc<Self>) -> crate::world::Through {
        let guard = Arc::clone(self);
        Arc::new(move |wire| Arc::new(Guarded { wire, guard: Arc::clone(&guard) }))
    }

    /// A person wants this VM's contract to end.
    pub(super) fn wished(&self, id: VmId) {
        self.log().wishes.insert(id);
    }

    pub(super) fn resumed(&self) {
        self.log().resumed_at = Some(self.clock.now());
    }

    pub(super) fn orders(&self) -> usize {
        self.log().orders.len()
    }

    pub(super) fn cancelled(&self) -> usize {
        self.log().cancelled.len()
    }

    /// Panics if anything was sent that must not be.
    pub(super) fn judge(&self) {
        let log = self.log();
        assert!(log.wrongs.is_empty(), "{:#?}", log.wrongs);
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn before_order(&self, request_id: &str) {
        let now = self.clock.now();
        let state = self.store.shared_value("pool").await.expect("the store answers");
        let state: PoolState = state.map(|value| serde_json::from_str(&value.text).expect("JSON")).unwrap_or_default();
        let paused_at = state.paused.map(|pause| pause.at);
        let mut log = self.log();
        log.must(paused_at.is_none_or(|at| now < later(at, LEEWAY)), || {
            format!("an order was sent at {now} and the pool was paused at {paused_at:?}")
        });
        let again = log.orders.iter().any(|order| order.request_id == request_id);
        log.must(!again, || format!("promise 5: {request_id} was sent twice"));
        self.breaker_holds(&mut log, now);
        log.orders.push(Sent { request_id: request_id.to_owned(), at: now, answered_at: None, bought: false });
    }

    /// Orders that fail one after the other stop the next ones for longer and longer.
    fn breaker_holds(&self, log: &mut Log, now: Timestamp) {
        let rules = &self.policy.orders;
        let known = |order: &&Sent| order.answered_at.is_some_and(|at| later(at, LEEWAY) <= now);
        if log.orders.iter().any(|order| order.bought && order.answered_at.is_some() && !known(&order)) {
            return;
        }
        let forgiven = |order: &Sent| log.resumed_at.is_some_and(|at| order.at < at);
        let mut answered: Vec<&Sent> = log.orders.iter().filter(known).collect();
        answered.sort_by_key(|order| order.answered_at);
        let failed: Vec<&Sent> =
            answered.into_iter().rev().take_while(|order| !order.bought && !forgiven(order)).collect();
        let failures = u32::try_from(failed.len()).expect("few orders fail");
        if failures < rules.failures {
            return;
        }
        let last = failed.iter().map(|order| order.at).max().expect("some have failed");
        let stop = rules.stop.saturating_mul(1 << (failures - rules.failures).min(20)).min(rules.stop_max);
        let soon = now < later(last, stop);
        let in_flight = |order: &Sent| order.answered_at.is_none() && now < later(order.at, Duration::from_secs(30));
        let trying = log.orders.iter().any(|order| in_flight(order) && order.at > last);
        log.must(!soon, || format!("{failures} orders have failed, the last of {last}, and one was sent at {now}"));
        log.must(!trying, || format!("{failures} orders have failed, and two were tried at once at {now}"));
    }

    /// A token that has ended is refused before anything is done: the order is sent once more with another one.
    fn forget(&self, request_id: &str) {
        self.log().orders.retain(|order| order.request_id != request_id);
    }

    fn after_order(&self, request_id: &str, display_name: &str) {
        let bought = self.cloud.contabo().contracts().iter().any(|contract| contract.display_name == display_name);
        let now = self.clock.now();
        let mut log = self.log();
        let order = log.orders.iter_mut().rev().find(|order| order.request_id == request_id).expect("it was sent");
        order.answered_at = Some(now);
        order.bought = bought;
    }

    /// Only what nobody has is cancelled, and only for a reason.
    async fn before_cancel(&self, id: VmId) {
        let vm = self.store.vm(id).await.expect("the store answers");
        let open = IntentQuery { kind: Some(IntentKind::CancelVm), only_open: true, ..IntentQuery::default() };
        let intents = self.store.intents(open).await.expect("the store answers");
        let actor = intents.iter().find(|intent| intent.vm_id == Some(id)).map(|intent| intent.actor.as_str());
        let mut log = self.log();
        let free = vm.as_ref().is_some_and(|vm| vm.state == VmState::Retiring && vm.environment_id.is_none());
        log.must(free, || format!("it was cancelled and somebody has it: {vm:#?}"));
        let right = match actor {
            Some(ACTOR) => self.policy.pool.lapse,
            Some(_) => log.wishes.contains(&id),
            None => false,
        };
        log.must(right, || format!("VM {id} was cancelled by {actor:?} and nobody wished that"));
        log.cancelled.insert(id);
    }

    /// Only what nobody has is wiped, or what its environment is only just being made on.
    async fn before_wipe(&self, id: VmId) {
        let vm = self.store.vm(id).await.expect("the store answers");
        let user = vm.as_ref().and_then(|vm| vm.environment_id);
        let user = match user {
            Some(user) => self.store.environment(user).await.expect("the store answers"),
            None => None,
        };
        let state = vm.as_ref().map(|vm| vm.state);
        let right = match &user {
            None => state == Some(VmState::Preparing),
            Some(user) => state == Some(VmState::Assigned) && user.status == Status::Provisioning,
        };
        self.log().must(right, || format!("VM {id} was wiped: {vm:#?}\n{user:#?}"));
    }
}

struct Guarded {
    wire: Arc<dyn Transport>,
    guard: Arc<Guard>,
}

#[async_trait]
impl Transport for Guarded {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
        let path = request.uri().path().to_owned();
        let Some(below) = path.strip_prefix(INSTANCES) else { return self.wire.send(request).await };
        let id = |text: &str| VmId(text.parse().expect("an instance's number"));
        match (request.method().as_str(), below.trim_start_matches('/').split_once('/')) {
            ("POST", None) if below.is_empty() => {
                let request_id = request.headers()["x-request-id"].to_str().expect("a UUID is text").to_owned();
                let body: Value = serde_json::from_slice(request.body()).expect("an order is JSON");
                let name = body["displayName"].as_str().expect("every VM of ours has a name").to_owned();
                self.guard.before_order(&request_id).await;
                let answer = self.wire.send(request).await;
                match &answer {
                    Ok(answer) if answer.status() == http::StatusCode::UNAUTHORIZED => self.guard.forget(&request_id),
                    _ => self.guard.after_order(&request_id, &name),
                }
                return answer;
            }
            ("POST", Some((number, "cancel"))) => self.guard.before_cancel(id(number)).await,
            ("PUT", None) => self.guard.before_wipe(id(below.trim_start_matches('/'))).await,
            _ => {}
        }
        self.wire.send(request).await
    }
}
