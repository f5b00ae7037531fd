//! Telling somebody else's program of what needs a person: warnings and calls for attention, by HTTP POST.
//!
//! Events are sent in their order, each at least once. How far that has come is a value that all replicas share, and
//! whoever sends holds it for a moment, so that one replica sends at a time and the next goes on where it stopped. It is
//! a reader of events and nothing waits for it: a receiver that fails holds up its own events and nothing else.

mod message;
mod place;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use alfred_model::event::Event;
use alfred_model::policy::later;
use alfred_providers::transport::{HttpOptions, Transport};
use alfred_store::StoreError;
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use tokio_util::sync::CancellationToken;

use crate::run::STORE_PAUSE;
use crate::{Engine, measure};
use message::Message;
use place::Place;

/// So often is it looked whether there is something to send.
const LOOK: Duration = Duration::from_secs(1);

/// A receiver that takes longer has failed.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Nobody else sends before this is over; longer than a call.
const HOLD: Duration = Duration::from_secs(30);

/// After this an event is of no use any more, and keeps later ones from being sent.
const GIVE_UP: Duration = Duration::from_hours(24);

/// How a secret begins (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>).
const SECRET_PREFIX: &str = "whsec_";

/// As many bytes as a secret has, by the same specification.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// Where events are sent, and with what they are signed.
pub struct Webhook {
    url: http::Uri,
    key: SecretSlice<u8>,
    transport: Arc<dyn Transport>,
}

/// Why there can be no webhook. The address and the secret are not repeated: either may let somebody in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadWebhook {
    /// The address.
    #[error("a webhook's address is a URL such as `https://example.com/hooks/alfred`, without a user or password")]
    Address,
    /// The secret.
    #[error("a webhook's secret is `whsec_` and 24 to 64 bytes in base64: make one with `openssl rand -base64 32`")]
    Secret,
}

/// What came of one look.
enum Came {
    /// There may be more to do at once.
    Forward,
    /// There is nothing to do for so long.
    Rest(Duration),
}

impl Webhook {
    /// A webhook at `url`, whose messages are signed with `secret`.
    pub fn new(url: &str, secret: &SecretString, transport: Arc<dyn Transport>) -> Result<Self, BadWebhook> {
        let url: http::Uri = url.parse().map_err(|_| BadWebhook::Address)?;
        let is_web = matches!(url.scheme_str(), Some("https" | "http"));
        let has_host = url.host().is_some_and(|host| !host.is_empty());
        if !is_web || !has_host || url.authority().is_none_or(|authority| authority.as_str().contains('@')) {
            return Err(BadWebhook::Address);
        }
        let key = message::key(secret.expose_secret()).ok_or(BadWebhook::Secret)?;
        Ok(Self { url, key, transport })
    }

    /// How a transport behaves that is fit for a webhook: a call takes 10 seconds at most.
    pub fn http_options() -> HttpOptions {
        HttpOptions { call_timeout: CALL_TIMEOUT, ..HttpOptions::from_environment() }
    }

    /// The host alone, for messages: the path may hold a secret.
    pub fn host(&self) -> &str {
        self.url.host().unwrap_or_default()
    }

    /// Whether everybody on the way can read what is sent.
    pub fn is_plain(&self) -> bool {
        self.url.scheme_str() == Some("http")
    }

    /// Sends a message once. A status of 2xx is success; its body is not looked at, nor is a redirect followed.
    async fn send(&self, message: &Message, now: Timestamp) -> Result<(), String> {
        let request = message.request(&self.url, self.key.expose_secret(), now);
        match tokio::time::timeout(CALL_TIMEOUT, self.transport.send(request)).await {
            Ok(Ok(response)) if response.status().is_success() => Ok(()),
            Ok(Ok(response)) => Err(format!("it answered {}", response.status())),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("no answer within {} s", CALL_TIMEOUT.as_secs())),
        }
    }
}

impl Engine {
    /// Sends warnings and calls for attention to `webhook` until `stop` is cancelled. The first time it begins with what
    /// happens from now on.
    pub async fn send_notices(self: Arc<Self>, webhook: Webhook, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let wait = match self.send_next(&webhook, &stop).await {
                Ok(Came::Forward) => continue,
                Ok(Came::Rest(wait)) => wait.min(LOOK),
                Err(error) => {
                    tracing::error!(error = %error, "the store failed while looking for events to send");
                    STORE_PAUSE
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    async fn send_next(&self, webhook: &Webhook, stop: &CancellationToken) -> Result<Came, StoreError> {
        let store = &*self.store;
        let Some((place, version)) = place::read(store).await? else {
            return place::begin(store).await.map(|()| Came::Forward);
        };
        let Some(event) = store.notices(place.after, 1).await?.pop() else { return Ok(Came::Rest(LOOK)) };
        let now = self.clock.now();
        if let Some(wait) = place.wait(&self.settings.worker, now) {
            return Ok(Came::Rest(wait));
        }
        let held = place.held_by(&self.settings.worker, later(now, HOLD));
        if !place::swap(store, &held, version).await? {
            return Ok(Came::Rest(LOOK));
        }
        let version = version + 1;
        let message = self.message(event).await?;
        let sent = tokio::select! {
            biased;
            () = stop.cancelled() => {
                // Whoever comes next need not wait for us; the receiver may get it twice.
                place::swap(store, &place.free(), version).await?;
                return Ok(Came::Rest(LOOK));
            }
            sent = webhook.send(&message, now) => sent,
        };
        let next = self.after(&place, &message.event, sent, webhook);
        // Where somebody else has it by now, our turn took too long, and theirs is what counts.
        place::swap(store, &next, version).await?;
        Ok(Came::Forward)
    }

    async fn message(&self, event: Event) -> Result<Message, StoreError> {
        let environment = self.store.environment(event.environment_id).await?;
        Ok(Message { installation: self.settings.installation, event, environment })
    }

    /// Where the sending stands after an attempt.
    fn after(&self, place: &Place, event: &Event, sent: Result<(), String>, webhook: &Webhook) -> Place {
        let now = self.clock.now();
        let words = match sent {
            Ok(()) => {
                measure::webhook("delivered");
                return Place::past(event.sequence);
            }
            Err(words) => words,
        };
        let (host, sequence, attempt) = (webhook.host(), event.sequence, place.attempts.saturating_add(1));
        if now >= later(event.at, GIVE_UP) {
            measure::webhook("given_up");
            tracing::error!(host, sequence, attempt, error = %words, "the webhook did not take an event for a day: it is given up");
            return Place::past(event.sequence);
        }
        measure::webhook("failed");
        // A receiver that is away for hours is told of now and then, not at each attempt.
        if attempt.is_power_of_two() {
            tracing::warn!(host, sequence, attempt, error = %words, "the webhook did not take an event: trying again");
        }
        let wait = self.settings.policy.backoff(attempt, None, self.random.unit());
        place.again(later(now, wait))
    }
}
