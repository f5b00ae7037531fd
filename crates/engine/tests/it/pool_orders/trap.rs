//! Ends a process at a chosen point of an order, as SIGKILL would, and counts what was sent.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use alfred_model::intent::{IntentKind, Outcome};
use alfred_providers::transport::{Transport, TransportError};
use alfred_store::{Changes, CommitGate, CommitMoment};
use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::Notify;

/// Where the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// It lives on.
    Never,
    /// The order's intent is about to be written.
    BeforeIntent,
    /// It is written, and nothing was sent.
    AfterIntent,
    /// The request has left, and is lost on its way.
    Lost,
    /// The request has left, and is carried out.
    Sent,
    /// The answer has arrived.
    Answered,
    /// What came of the order is about to be written.
    BeforeSettle,
    /// It is written.
    AfterSettle,
}

impl Moment {
    pub(super) const ALL: [Self; 8] = [
        Self::Never,
        Self::BeforeIntent,
        Self::AfterIntent,
        Self::Lost,
        Self::Sent,
        Self::Answered,
        Self::BeforeSettle,
        Self::AfterSettle,
    ];
}

/// One order as it was sent.
#[derive(Debug, Clone)]
pub(super) struct Post {
    pub(super) request_id: String,
    /// Whether the answer was 429, which is the provider's word that it did nothing.
    pub(super) refused: bool,
}

pub(super) struct Trap {
    moment: Moment,
    sprung: AtomicBool,
    told: Notify,
    posts: Mutex<Vec<Post>>,
}

impl Trap {
    pub(super) fn new(moment: Moment) -> Arc<Self> {
        Arc::new(Self { moment, sprung: AtomicBool::new(false), told: Notify::new(), posts: Mutex::default() })
    }

    /// Waits until a process has come to the point where it ends.
    pub(super) async fn sprung(&self) {
        self.told.notified().await;
    }

    pub(super) fn posts(&self) -> Vec<Post> {
        self.lock().clone()
    }

    /// How often each request was sent.
    pub(super) fn sent_each(&self) -> HashMap<String, usize> {
        let mut sent = HashMap::new();
        for post in self.posts() {
            *sent.entry(post.request_id).or_default() += 1;
        }
        sent
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Post>> {
        self.posts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_here(&self, here: Moment) -> bool {
        self.moment == here && !self.sprung.swap(true, Ordering::Relaxed)
    }

    async fn come_to(&self, here: Moment) {
        if self.is_here(here) {
            self.stay().await;
        }
    }

    /// Whoever is here stays until it is dropped.
    async fn stay(&self) {
        self.told.notify_one();
        std::future::pending::<()>().await;
    }
}

#[async_trait]
impl CommitGate for Trap {
    async fn pass(&self, moment: CommitMoment, changes: &Changes) {
        let Some(order) = changes.intents.iter().find(|intent| intent.kind == IntentKind::OrderVm) else { return };
        let begins = order.outcome == Outcome::Open;
        self.come_to(match (moment, begins) {
            (CommitMoment::Before, true) => Moment::BeforeIntent,
            (CommitMoment::After, true) => Moment::AfterIntent,
            (CommitMoment::Before, false) => Moment::BeforeSettle,
            (CommitMoment::After, false) => Moment::AfterSettle,
        })
        .await;
    }
}

/// The way of the orders to the cloud.
pub(super) struct Trapped {
    pub(super) wire: Arc<dyn Transport>,
    pub(super) trap: Arc<Trap>,
}

#[async_trait]
impl Transport for Trapped {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
        if request.method() != http::Method::POST || request.uri().path() != "/v1/compute/instances" {
            return self.wire.send(request).await;
        }
        let request_id = request.headers()["x-request-id"].to_str().expect("a UUID is text").to_owned();
        let number = {
            let mut posts = self.trap.lock();
            posts.push(Post { request_id, refused: false });
            posts.len() - 1
        };
        self.trap.come_to(Moment::Lost).await;
        if self.trap.is_here(Moment::Sent) {
            let wire = Arc::clone(&self.wire);
            tokio::spawn(async move { wire.send(request).await });
            self.trap.stay().await;
            return Err(TransportError::Lost { words: "the process has ended".to_owned() });
        }
        let answer = self.wire.send(request).await;
        let refused = answer.as_ref().is_ok_and(|answer| answer.status() == http::StatusCode::TOO_MANY_REQUESTS);
        self.trap.lock()[number].refused = refused;
        self.trap.come_to(Moment::Answered).await;
        answer
    }
}
