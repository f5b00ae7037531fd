//! What the client's errors mean.

use std::error::Error;
use std::fmt;

use async_nats::jetstream;
use async_nats::jetstream::context::{CreateStreamError, CreateStreamErrorKind};
use async_nats::{ConnectError, ConnectErrorKind};

use super::tls;
use crate::backend::BackendError;
use crate::backend::place::Place;

/// Longest words that are repeated of an error.
const WORDS_MAX: usize = 300;

/// The messages of an error and of what caused it, each once, in one line.
pub(super) fn words(error: &(dyn Error + 'static)) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let next = error.to_string();
        if !words.contains(&next) {
            words.push_str(": ");
            words.push_str(&next);
        }
        source = error.source();
    }
    words.chars().filter(|character| !character.is_control()).take(WORDS_MAX).collect()
}

/// What JetStream refuses, and will again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal(String);

impl Refusal {
    /// Looks for JetStream's own error among the causes of `error`.
    pub(super) fn of(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if let Some(error) = error.downcast_ref::<jetstream::Error>() {
                return Self::of_jetstream(error);
            }
            cause = error.source();
        }
        None
    }

    /// By error code: <https://github.com/nats-io/nats-server/blob/main/server/errors.json>.
    fn of_jetstream(error: &jetstream::Error) -> Option<Self> {
        let advice = match error.error_code().0 {
            10039 | 10076 => "turn JetStream on for the server and the account",
            10113 => "the account demands a limit: give the most bytes that the bucket may hold",
            10002 | 10023 | 10028 | 10047 | 10077 | 10122 => {
                "it has no room left: raise the account's or the bucket's limit"
            }
            10074 => "it has fewer servers than that: ask for fewer replicas",
            10058 => "a stream of this name was made with other settings: name another bucket",
            10065 => "its subjects belong to another stream: name another bucket",
            _ => return None,
        };
        Some(Self(format!("{error}: {advice}")))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// `scheme` is what the server's address begins with.
pub(super) fn connect_error(place: &Place, scheme: &str, error: &ConnectError) -> BackendError {
    if let Some(advice) = tls::advice(error) {
        return place.refused(advice);
    }
    match error.kind() {
        ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
            place.refused("it does not accept these credentials: check them")
        }
        ConnectErrorKind::ServerParse => place.refused("its address cannot be read: check it"),
        // Anything about the other side's certificate is known by now.
        ConnectErrorKind::Tls => place.refused(format_args!(
            "no encrypted connection ({}): check the certificates of authorities on this machine, `SSL_CERT_FILE` and \
             `SSL_CERT_DIR`",
            words(error)
        )),
        _ => {
            // Whoever wants encryption answers a plain question in a way of its own, and not always.
            let or = if scheme == "ws" { ", or begin its address with `wss://` if it wants encryption" } else { "" };
            let words = words(error);
            place.unavailable(format_args!("it cannot be reached ({words}): check the address and that it runs{or}"))
        }
    }
}

pub(super) fn stream_error(place: &Place, name: &str, error: &CreateStreamError) -> BackendError {
    let is_off = matches!(error.kind(), CreateStreamErrorKind::JetStreamUnavailable);
    let refusal = match error.kind() {
        CreateStreamErrorKind::JetStream(error) => Refusal::of_jetstream(&error),
        _ => Refusal::of(error),
    };
    match refusal {
        Some(refusal) => place.refused(format_args!("it does not make the stream `{name}`: {refusal}")),
        None if is_off => place.refused("JetStream does not answer: turn it on for the server and the account"),
        None => place.unavailable(words(error)),
    }
}
