//! What a receiver of events gets, from replicas that come and go and on a network that fails.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use alfred_engine::{CreateEnvironments, Webhook};
use alfred_model::event::{Event, EventKind};
use alfred_model::lifecycle;
use alfred_providers::transport::{Transport, TransportError};
use alfred_store::Changes;
use async_trait::async_trait;
use bytes::Bytes;
use http::StatusCode;
use jiff::SignedDuration;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::world::{Process, World, request};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Takes requests, and answers as it is told: with a status, or not at all.
#[derive(Default)]
struct Receiver {
    answers: Mutex<VecDeque<Option<StatusCode>>>,
    /// What is answered where nothing is told.
    usual: Mutex<Option<StatusCode>>,
    got: Mutex<Vec<(jiff::Timestamp, http::Request<Bytes>)>>,
}

struct Line {
    receiver: Arc<Receiver>,
    clock: Arc<dyn alfred_model::seam::Clock>,
}

#[async_trait]
impl Transport for Line {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
        self.receiver.got.lock().unwrap().push((self.clock.now(), request));
        let told = self.receiver.answers.lock().unwrap().pop_front();
        let answer =
            told.unwrap_or_else(|| Some(self.receiver.usual.lock().unwrap().unwrap_or(StatusCode::NO_CONTENT)));
        let Some(status) = answer else { return std::future::pending().await };
        let mut response = http::Response::new(Bytes::new());
        *response.status_mut() = status;
        Ok(response)
    }
}

impl Receiver {
    /// The messages, in the order in which they came.
    fn messages(&self) -> Vec<String> {
        let got = self.got.lock().unwrap();
        let message = |(_, request): &(_, http::Request<Bytes>)| {
            let body: Value = serde_json::from_slice(request.body()).expect("the body is JSON");
            body["data"]["event"]["message"].as_str().expect("a message").to_owned()
        };
        got.iter().map(message).collect()
    }
}

/// Sends what `process` has to tell, as `alfred up` does.
fn send(
    world: &World,
    process: &Process,
    receiver: &Arc<Receiver>,
) -> (tokio::task::JoinHandle<()>, CancellationToken) {
    let line = Line { receiver: Arc::clone(receiver), clock: Arc::clone(&world.clock) };
    let webhook =
        Webhook::new("https://example.com/hooks", &SECRET.to_owned().into(), Arc::new(line)).expect("it fits");
    let stop = CancellationToken::new();
    (tokio::spawn(Arc::clone(&process.engine).send_notices(webhook, stop.clone())), stop)
}

/// Writes events that ask something of somebody, and one that does not.
async fn tell(world: &World, environment: &alfred_model::environment::Environment, messages: &[&str]) {
    let event = |message: &&str| {
        let event = lifecycle::event(environment, world.clock.now(), "alfred", *message);
        let kind = if message.starts_with('-') { EventKind::Progress } else { EventKind::Attention };
        Event { kind, ..event }
    };
    let changes = Changes { events: messages.iter().map(event).collect(), ..Changes::default() };
    world.store.commit(changes).await.expect("the store answers");
}

#[tokio::test(start_paused = true)]
async fn a_receiver_gets_warnings_signed_and_with_what_it_must_know() {
    let world = World::new(1);
    let process = world.start();
    let receiver = Arc::new(Receiver::default());
    let (_task, _stop) = send(&world, &process, &receiver);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let asked = CreateEnvironments { life: Some(Duration::from_mins(10)), ..request(1) };
    let made = process.engine.create(asked).await.unwrap().remove(0);
    tokio::time::sleep(Duration::from_mins(9) + Duration::from_secs(10)).await;
    let got = receiver.got.lock().unwrap();
    assert_eq!(got.len(), 1);
    let request = &got[0].1;
    let header = |name: &str| request.headers()[name].to_str().unwrap().to_owned();
    let id = header("webhook-id");
    assert!(id.starts_with(&format!("{}-", world.installation)) && !id.contains('.'), "{id}");
    assert!(header("webhook-signature").starts_with("v1,") && header("content-type") == "application/json");
    assert!(header("webhook-timestamp").parse::<i64>().is_ok());
    let body: Value = serde_json::from_slice(request.body()).unwrap();
    assert_eq!(
        (body["type"].as_str(), body["data"]["event"]["kind"].as_str()),
        (Some("environment.warning"), Some("warning"))
    );
    let about = &body["data"]["environment"];
    assert_eq!(about["slug"], made.slug.as_str());
    assert_eq!((about["owner"].as_str(), about["status"].as_str()), (Some("alice"), Some("active")));
    assert_eq!(about["expires_at"], made.expires_at.unwrap().to_string());
    assert!(about.get("setup").is_none(), "a script may hold secrets");
}

#[tokio::test(start_paused = true)]
async fn events_come_in_order_once_from_whichever_replica() {
    let world = World::new(2);
    let (one, other) = (world.start(), world.start());
    let receiver = Arc::new(Receiver::default());
    let _sending = (send(&world, &one, &receiver), send(&world, &other, &receiver));
    tokio::time::sleep(Duration::from_secs(2)).await;
    let made = world.create(&one, 1).await.remove(0);
    tell(&world, &made, &["a", "-", "b", "-", "c"]).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    tell(&world, &made, &["d"]).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(receiver.messages(), ["a", "b", "c", "d"]);
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_fails_gets_the_same_again_and_holds_nothing_else_up() {
    let world = World::new(3);
    let process = world.start();
    let receiver = Arc::new(Receiver::default());
    let (_task, _stop) = send(&world, &process, &receiver);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let trouble = [Some(StatusCode::INTERNAL_SERVER_ERROR), None, Some(StatusCode::FOUND), Some(StatusCode::OK)];
    receiver.answers.lock().unwrap().extend(trouble);
    let made = world.create(&process, 5).await;
    tell(&world, &made[0], &["a", "b"]).await;
    assert!(world.settle(Duration::from_secs(20)).await, "nobody waits for a receiver");
    tokio::time::sleep(Duration::from_mins(2)).await;
    assert_eq!(receiver.messages(), ["a", "a", "a", "a", "b"]);
    let got = receiver.got.lock().unwrap();
    let ids: Vec<_> = got.iter().map(|(_, request)| request.headers()["webhook-id"].clone()).collect();
    assert!(ids[..4].iter().all(|id| *id == ids[0]) && ids[4] != ids[0], "each attempt has the event's id: {ids:?}");
}

#[tokio::test(start_paused = true)]
async fn an_event_is_given_up_after_a_day_and_the_next_is_sent() {
    let world = World::new(4);
    let process = world.start();
    let receiver = Arc::new(Receiver::default());
    let (_task, _stop) = send(&world, &process, &receiver);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let made = world.create(&process, 1).await.remove(0);
    *receiver.usual.lock().unwrap() = Some(StatusCode::BAD_GATEWAY);
    // It has been tried for most of a day, by replicas that came and went.
    let nearly_a_day = Duration::from_hours(23) + Duration::from_mins(50);
    let told_at = world.clock.now() - SignedDuration::try_from(nearly_a_day).unwrap();
    let old = Event { at: told_at, kind: EventKind::Attention, ..lifecycle::event(&made, told_at, "alfred", "a") };
    world.store.commit(Changes { events: vec![old], ..Changes::default() }).await.unwrap();
    tell(&world, &made, &["b"]).await;
    tokio::time::sleep(Duration::from_mins(9)).await;
    assert!(receiver.messages().iter().all(|message| message == "a"), "in order");
    tokio::time::sleep(Duration::from_mins(2)).await;
    *receiver.usual.lock().unwrap() = None;
    tokio::time::sleep(Duration::from_mins(2)).await;
    let messages = receiver.messages();
    let given_up = messages.iter().position(|message| message == "b").expect("the next one is sent");
    assert!(messages[given_up..].iter().all(|message| message == "b"), "{messages:?}");
    tokio::time::sleep(Duration::from_mins(5)).await;
    assert_eq!(receiver.messages().len(), messages.len(), "what was taken is done");
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_stops_while_it_sends_leaves_the_event_to_the_next() {
    let world = World::new(5);
    let process = world.start();
    let receiver = Arc::new(Receiver::default());
    let (task, stop) = send(&world, &process, &receiver);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let made = world.create(&process, 1).await.remove(0);
    receiver.answers.lock().unwrap().push_back(None);
    tell(&world, &made, &["a"]).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(receiver.messages(), ["a"]);
    stop.cancel();
    task.await.unwrap();
    let next = world.start();
    let (_task, _stop) = send(&world, &next, &receiver);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(receiver.messages(), ["a", "a"], "at once, and not when the first one's turn is over");
}
