//! What the tests share: an environment's life, and looking at the cloud as a stranger does.

use std::time::Duration;

use alfred_engine::CreateEnvironments;
use alfred_local_cloud::faults::{Fault, Rule};
use alfred_local_cloud::journal::{Entry, Outcome};
use alfred_local_cloud::{Options, contabo};
use alfred_model::audit::Standing;
use alfred_model::environment::{Environment, Status, Step};
use alfred_model::id::EnvironmentId;
use alfred_model::policy::Policy;
use alfred_model::vm::DISPLAY_NAME_PREFIX;
use bytes::Bytes;
use secrecy::ExposeSecret as _;
use serde_json::Value;

use crate::promises;
use crate::view::{self, SeenMachine};
use crate::world::{Process, World, request};

const LONG: Duration = Duration::from_hours(2);

/// The call that spends money.
const ORDER: &str = "contabo.instances.create";

pub(super) struct Life {
    pub(super) world: World,
    pub(super) process: Process,
}

impl Life {
    /// A world with these options of Contabo's side, and an engine in it.
    pub(super) fn begin(options: contabo::Options) -> Self {
        Self::begin_with(options, |_| {})
    }

    /// The same, with a policy of its own.
    pub(super) fn begin_with(options: contabo::Options, adjust: impl FnOnce(&mut Policy)) -> Self {
        let mut world = World::with(400, Options { contabo: options, ..Options::default() });
        // Quirks last longer here than anything of the local cloud does of itself.
        world.policy.order_grace = Duration::from_mins(2);
        world.policy.vm_deadline = Duration::from_hours(1);
        world.policy.step_deadline = Duration::from_hours(1);
        adjust(&mut world.policy);
        let process = world.start();
        Self { world, process }
    }

    /// Adds a fault, written as for `--fault`.
    pub(super) fn fault(&self, rule: &str) {
        self.add(rule.parse().unwrap());
    }

    pub(super) fn add(&self, rule: Rule) {
        assert!(self.world.cloud.faults().add(rule));
    }

    /// Asks for one environment and waits for nothing.
    pub(super) async fn ask(&self, asked: CreateEnvironments) -> EnvironmentId {
        self.process.engine.create(asked).await.unwrap().remove(0).id
    }

    pub(super) async fn row(&self, id: EnvironmentId) -> Environment {
        self.world.environment(id).await
    }

    /// Waits until nothing moves any more, and checks the promises.
    pub(super) async fn rest(&self) {
        assert!(self.world.settle(LONG).await, "it never came to rest");
        promises::hold(&self.world).await;
    }

    /// Waits until it works.
    pub(super) async fn active(&self, id: EnvironmentId) -> Environment {
        self.rest().await;
        let row = self.row(id).await;
        assert_eq!(row.status, Status::Active, "{:?}", row.reason);
        row
    }

    /// As [`Self::active`], where nobody may know what came of the order: then a person looks, and says so.
    pub(super) async fn active_with_a_person(&self, id: EnvironmentId) -> Environment {
        self.rest().await;
        let row = self.row(id).await;
        if row.step == Step::OrderVm && row.attention {
            // What is carried out late has happened by now.
            tokio::time::sleep(Duration::from_mins(3)).await;
            if self.bought().await.is_empty() {
                self.process.engine.retry(id, true, &row.owner).await.unwrap();
            }
        }
        self.active(id).await
    }

    /// Creates an environment that works at once.
    pub(super) async fn create(&self) -> Environment {
        let id = self.ask(request(1)).await;
        self.active(id).await
    }

    /// The end of its life: deleted, one VM bought in all, nothing left over, each fault met.
    pub(super) async fn end(self, id: EnvironmentId) {
        let findings = self.end_with(id, 1).await;
        assert!(findings.is_empty(), "{findings:#?}");
    }

    /// The same after so many orders; answers what the audit then finds.
    pub(super) async fn end_with(self, id: EnvironmentId, orders: usize) -> Vec<Standing> {
        let row = self.row(id).await;
        self.process.engine.delete(id, &row.owner).await.unwrap();
        self.rest().await;
        let row = self.row(id).await;
        assert_eq!(row.status, Status::Deleted, "{:?}", row.reason);
        for rule in self.world.cloud.faults().rules().iter().filter(|rule| !is_stuck(&rule.rule)) {
            assert!(rule.fired >= 1, "the fault never struck, so this test shows nothing: {:?}", rule.rule);
        }
        let bought = self.bought().await;
        assert_eq!(bought.len(), orders, "promise 5: {bought:#?}");
        tokio::time::sleep(Duration::from_mins(2)).await;
        self.process.engine.audit().await.unwrap().findings
    }

    /// The VMs that the engine bought.
    pub(super) async fn bought(&self) -> Vec<SeenMachine> {
        let mut machines = view::machines(&self.world.cloud).await;
        machines.retain(|machine| machine.display_name.starts_with(DISPLAY_NAME_PREFIX));
        machines
    }

    /// The calls of a route so far.
    pub(super) fn calls(&self, route: &str) -> Vec<Entry> {
        let entries = self.world.cloud.journal().entries();
        entries.into_iter().filter(|entry| entry.route == route).collect()
    }

    /// How the calls of a route were answered: their statuses, and nothing where the answer was lost.
    pub(super) fn statuses(&self, route: &str) -> Vec<Option<u16>> {
        let status = |entry: Entry| if let Outcome::Answered(status) = entry.outcome { Some(status) } else { None };
        self.calls(route).into_iter().map(status).collect()
    }

    /// How many orders were sent.
    pub(super) fn orders(&self) -> usize {
        self.calls(ORDER).len()
    }

    /// A call by somebody else with the account's credentials: its status and body. A body of `null` is none.
    pub(super) async fn stranger(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let request = self.request(method, path).await.header("x-request-id", "04e0f898-37b4-48bc-a794-1a57abe6aa31");
        if body.is_null() {
            return self.send(request, Bytes::new()).await;
        }
        self.send(request.header("content-type", "application/json"), Bytes::from(body.to_string())).await
    }

    /// A request by somebody who is logged in, to which nothing else was added yet.
    pub(super) async fn request(&self, method: &str, path: &str) -> http::request::Builder {
        let options = contabo::Options::demo();
        let form = format!(
            "grant_type=password&client_id={}&client_secret={}&username={}&password={}",
            options.client_id,
            options.client_secret.expose_secret(),
            options.user,
            options.password.expose_secret(),
        );
        let login = http::Request::post("/auth/realms/contabo/protocol/openid-connect/token")
            .header("content-type", "application/x-www-form-urlencoded");
        let (_, login) = self.send(login, Bytes::from(form)).await;
        let bearer = format!("Bearer {}", login["access_token"].as_str().unwrap());
        http::Request::builder().method(method).uri(path).header("authorization", bearer)
    }

    pub(super) async fn send(&self, request: http::request::Builder, body: Bytes) -> (u16, Value) {
        let answer = self.world.cloud.call(request.body(body).unwrap()).await.unwrap();
        (answer.status().as_u16(), serde_json::from_slice(answer.body()).unwrap_or(Value::Null))
    }

    /// The only VM of ours, as the list shows it to a stranger.
    pub(super) async fn shown(&self) -> Value {
        let path = format!("/v1/compute/instances?displayName={DISPLAY_NAME_PREFIX}");
        let (_, listed) = self.stranger("GET", &path, Value::Null).await;
        assert_eq!(listed["data"].as_array().map(Vec::len), Some(1), "{listed}");
        listed["data"][0].clone()
    }
}

pub(super) fn is_stuck(rule: &Rule) -> bool {
    matches!(rule.fault, Fault::Stuck { .. })
}

/// The delays of the demonstration, where each call's effect is seen within seconds.
pub(super) fn demo() -> contabo::Options {
    contabo::Options::demo()
}
