//! The story that is interrupted: one environment is asked for, becomes active, is deleted, and its VM is back.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use crate::control_plane::{ControlPlane, Crash};
use crate::place;
use crate::promises;
use crate::stage::Stage;

/// Nothing takes this long; a story that does is stuck.
const LIMIT: Duration = Duration::from_mins(2);

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Story {
    /// One process on SQLite; after the kill it is started again.
    Sqlite,
    /// Two processes on one PostgreSQL database; the killed one stays dead.
    TwoReplicas,
}

impl Story {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite, one process",
            Self::TwoReplicas => "PostgreSQL, two replicas",
        }
    }
}

/// What came of one run.
pub(crate) struct Outcome {
    pub(crate) killed_at: Option<String>,
    pub(crate) person_was_asked: bool,
}

/// The story without a kill; how many places it passed.
pub(crate) async fn rehearse(story: Story) -> usize {
    let (places, asked) = play(story, None).await;
    assert!(!asked, "a person was asked although nothing went wrong");
    places.len()
}

/// The story with a kill at one place.
pub(crate) async fn kill_at(story: Story, number: u64) -> Outcome {
    let (places, person_was_asked) = play(story, Some(number)).await;
    let killed_at = places.into_iter().find(|place| place.starts_with(&format!("{number} ")));
    if person_was_asked {
        let kind = killed_at.as_deref().map(place::kind).unwrap_or_default();
        // Only where the intent was written and the order perhaps not sent can nobody know what became of it.
        assert!(
            matches!(kind.as_str(), "after a commit" | "before POST /v1/compute/instances"),
            "a person was asked after a kill {kind}"
        );
    }
    Outcome { killed_at, person_was_asked }
}

async fn play(story: Story, kill_at: Option<u64>) -> (Vec<String>, bool) {
    let database = match story {
        Story::Sqlite => None,
        Story::TwoReplicas => {
            let server = alfred_testing::postgres::Server::shared().expect("PostgreSQL can be started");
            Some(server.create_database().expect("a database can be made"))
        }
    };
    let stage = Stage::new(kill_at.unwrap_or(0), database).await;
    promises::plant_foreign(&stage).await;
    let log = stage.data.path().join("places");
    let crash = Crash { at: kill_at, log: Some(log.clone()) };
    let mut run = Run::start(story, stage, crash).await;
    let asked = tokio::time::timeout(LIMIT, run.tell()).await;
    let asked = asked.unwrap_or_else(|_| panic!("{}: stuck after a kill at {kill_at:?}", story.name()));
    let (vms, audit) = (run.get("/v1/vms").await, run.get("/v1/audit").await);
    promises::hold(&run.stage, &vms, &audit).await;
    for process in run.processes.drain(..) {
        process.stop().await;
    }
    let places = std::fs::read_to_string(&log).unwrap_or_default();
    (places.lines().map(str::to_owned).collect(), asked)
}

struct Run {
    story: Story,
    stage: Stage,
    processes: Vec<ControlPlane>,
    http: reqwest::Client,
    data_dir: PathBuf,
}

impl Run {
    async fn start(story: Story, stage: Stage, crash: Crash) -> Self {
        let data_dir = stage.data.path().join("first");
        let mut processes = Vec::new();
        if story == Story::TwoReplicas {
            // The one that stays makes the schema and the administrator, so that the kill finds both at work.
            let other = ControlPlane::start(&stage, &data_dir, &Crash::default()).await;
            processes.push(other.expect("it is not killed"));
            let second = stage.data.path().join("second");
            processes.extend(ControlPlane::start(&stage, &second, &crash).await);
        } else {
            let first = ControlPlane::start(&stage, &data_dir, &crash).await;
            if first.is_none() {
                let again = ControlPlane::start(&stage, &data_dir, &Crash::default()).await;
                processes.push(again.expect("it is not killed"));
            }
            processes.extend(first);
        }
        // The client cannot be built without one; a second installation is refused and changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { story, stage, processes, http: reqwest::Client::new(), data_dir }
    }

    /// Plays the story to its end; whether a person was asked what became of an order.
    async fn tell(&mut self) -> bool {
        let made = self.call("POST", "/v1/environments", Some(json!({}))).await;
        let id = made["environments"][0]["id"].as_str().expect("an environment").to_owned();
        let path = format!("/v1/environments/{id}");
        let mut asked = self.follow(&path, "active").await;
        let environment = self.get(&path).await;
        promises::works(&self.stage, &environment).await;
        self.call("DELETE", &path, None).await;
        asked |= self.follow(&path, "deleted").await;
        asked
    }

    async fn follow(&mut self, path: &str, goal: &str) -> bool {
        let mut asked = false;
        loop {
            let environment = self.call("GET", path, None).await;
            let status = environment["status"].as_str().unwrap_or_default();
            if status == goal {
                return asked;
            }
            assert!(status != "error", "an interruption is no error: {environment:#}");
            if environment["attention"] == true && environment["step"] == "order_vm" {
                asked = true;
                self.call("POST", &format!("{path}/retry"), Some(json!({"abandon_order": true}))).await;
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    async fn get(&mut self, path: &str) -> Value {
        self.call("GET", path, None).await
    }

    /// A call as a patient client makes it: again and again, with the same idempotency key, until it is answered.
    async fn call(&mut self, method: &str, path: &str, body: Option<Value>) -> Value {
        loop {
            self.revive().await;
            let process = self.processes.last().expect("one is alive");
            let token = std::fs::read_to_string(self.data_dir.join("admin-token")).unwrap_or_default();
            let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
            let mut request = self
                .http
                .request(method, format!("{}{path}", process.url))
                .bearer_auth(token.trim())
                .header("idempotency-key", "the-story");
            if let Some(body) = &body {
                request = request.header("content-type", "application/json").body(body.to_string());
            }
            let answer = async {
                let response = request.send().await.ok()?;
                let status = response.status();
                let text = response.text().await.ok()?;
                let value: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
                let again = status.is_server_error() || value["code"] == "conflict";
                assert!(again || status.is_success(), "{path} answered {status}: {text}");
                (!again).then_some(value)
            };
            if let Some(value) = answer.await {
                return value;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn revive(&mut self) {
        self.processes.retain_mut(|process| !process.is_dead());
        if self.processes.is_empty() {
            assert!(self.story == Story::Sqlite, "both replicas are dead");
            let again = ControlPlane::start(&self.stage, &self.data_dir, &Crash::default()).await;
            self.processes.push(again.expect("it is not killed"));
        }
    }
}
