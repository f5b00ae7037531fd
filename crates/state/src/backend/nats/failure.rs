//! What the client's errors mean.

use std::error::Error;
use std::fmt;

use async_nats::jetstream::context::{CreateStreamError, CreateStreamErrorKind};
use async_nats::jetstream::{self, ErrorCode};
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
pub(super) struct Refusal {
    words: String,
    /// Whether it need not be asked for something else, if its servers are only about to start.
    may_pass: bool,
}

impl Refusal {
    /// Looks for JetStream's own error among the causes of `error`.
    pub(super) fn of(error: &(dyn Error + 'static)) -> Option<Self> {
        jetstream_error(error).and_then(Self::of_jetstream)
    }

    /// By error code: <https://github.com/nats-io/nats-server/blob/main/server/errors.json>.
    fn of_jetstream(error: &jetstream::Error) -> Option<Self> {
        let code = error.error_code().0;
        let advice = match code {
            10039 | 10076 => "turn JetStream on for the server and the account",
            10113 => "the account demands a limit: add one to the address, such as `?max_bytes=1GiB`",
            10002 | 10023 | 10028 | 10047 | 10077 | 10122 => {
                "it has no room left: raise the account's or the bucket's limit"
            }
            10074 => "it has fewer servers than that: ask for fewer replicas",
            10005 => "it has fewer servers than that, or not all of them run: start them, or ask for fewer replicas",
            10058 => "a stream of this name was made with other settings: name another bucket",
            10065 => "its subjects belong to another stream: name another bucket",
            _ => return None,
        };
        Some(Self { words: format!("{error}: {advice}"), may_pass: code == 10005 })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.words)
    }
}

/// JetStream's own error among the causes of `error`.
fn jetstream_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a jetstream::Error> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref() {
            return Some(error);
        }
        cause = error.source();
    }
    None
}

/// Whether a message was not taken because the servers of a cluster are about to take another one of its subject. They do
/// not say which sequence that will have, and the client does not know this error.
pub(super) fn is_overtaken(error: &(dyn Error + 'static)) -> bool {
    jetstream_error(error).is_some_and(|error| error.error_code() == ErrorCode::STREAM_WRONG_LAST_SEQUENCE_CONSTANT)
}

/// `scheme` is what the server's address begins with.
pub(super) fn connect_error(place: &Place, scheme: &str, error: &ConnectError) -> BackendError {
    if let Some(advice) = tls::advice(error) {
        return place.refused(advice);
    }
    match error.kind() {
        ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
            place.refused("it does not accept these credentials: check them, and whether they have run out")
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

/// Why a stream was not made, and whether that may pass by itself.
pub(super) fn stream_error(place: &Place, name: &str, error: &CreateStreamError) -> (BackendError, bool) {
    let is_off = matches!(error.kind(), CreateStreamErrorKind::JetStreamUnavailable);
    let refusal = match error.kind() {
        CreateStreamErrorKind::JetStream(error) => Refusal::of_jetstream(&error),
        _ => Refusal::of(error),
    };
    match refusal {
        Some(refusal) => {
            let may_pass = refusal.may_pass;
            (place.refused(format_args!("it does not make the stream `{name}`: {refusal}")), may_pass)
        }
        None if is_off => {
            (place.refused("JetStream does not answer: turn it on for the server and the account"), false)
        }
        None => (place.unavailable(words(error)), true),
    }
}
