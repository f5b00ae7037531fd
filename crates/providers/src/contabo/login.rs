//! The token: had once for all callers, renewed before it ends.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use alfred_model::failure::Disposition;
use alfred_model::policy::later;
use alfred_model::seam::Clock;
use bytes::Bytes;
use http::Method;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::ContaboOptions;
use super::answer::{kind, refusal};
use crate::call::{Call, Wire, encode};
use crate::error::{Blame, Effect, ErrorKind, Provider, ProviderError, retry_after};
use crate::lenient;
use crate::secret::Redactor;

/// How long before its end a token is renewed, so that none ends on its way.
const EARLY: Duration = Duration::from_secs(30);

/// How long a token is good that does not say: what Contabo's tokens have been.
const LIFETIME: i64 = 300;

/// The login has answered `invalid_grant` to good credentials under load; a second try after this was taken.
const SECOND_TRY_AFTER: Duration = Duration::from_millis(1_500);

/// No `retry-after` holds up all callers longer than this.
const LONGEST_HOLD: Duration = Duration::from_mins(5);

pub(super) struct Login {
    wire: Wire,
    options: Arc<ContaboOptions>,
    clock: Arc<dyn Clock>,
    /// Counts the logins that have ended, so that those who waited for one that failed do not try each in turn.
    ended: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    token: Option<(Token, Timestamp)>,
    failed: Option<Failed>,
}

/// A login that failed, for those who waited for it and, until the provider's `retry-after` has passed, for all.
struct Failed {
    /// Which of the logins it was, counted from 1.
    number: u64,
    error: ProviderError,
    until: Timestamp,
}

impl Failed {
    /// The failure as it is for whoever asks at `now`.
    fn error(&self, now: Timestamp) -> ProviderError {
        let left = Duration::try_from(self.until.duration_since(now)).ok().filter(|left| !left.is_zero());
        ProviderError { disposition: Disposition::Wait { after: left }, ..self.error.clone() }
    }
}

/// A token; never shown.
#[derive(Clone)]
pub(super) struct Token(Arc<SecretString>);

impl Token {
    pub(super) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl Login {
    pub(super) fn new(wire: Wire, options: Arc<ContaboOptions>, clock: Arc<dyn Clock>) -> Self {
        Self { wire, options, clock, ended: AtomicU64::new(0), state: Mutex::default() }
    }

    pub(super) fn retry_after(&self, answer: &http::Response<Bytes>) -> Option<Duration> {
        retry_after(answer, self.clock.now())
    }

    /// A token for `call`. Its failure means that the call was not sent, whatever went wrong: it may be tried again.
    pub(super) async fn token(&self, call: &Call) -> Result<Token, ProviderError> {
        let ended_before = self.ended.load(Ordering::SeqCst);
        let mut state = self.state.lock().await;
        let now = self.clock.now();
        if let Some((token, until)) = &state.token
            && now < *until
        {
            return Ok(token.clone());
        }
        let failed = state.failed.take_if(|failed| failed.number <= ended_before && failed.until <= now);
        drop(failed);
        if let Some(failed) = &state.failed {
            return Err(not_sent(failed.error(now), call));
        }
        let outcome = self.log_in().await;
        let number = self.ended.fetch_add(1, Ordering::SeqCst) + 1;
        match outcome {
            Ok((token, until)) => {
                state.token = Some((token.clone(), until));
                state.failed = None;
                Ok(token)
            }
            Err(error) => {
                let now = self.clock.now();
                let held = match error.disposition {
                    Disposition::Wait { after } => after.unwrap_or_default().min(LONGEST_HOLD),
                    Disposition::Definite | Disposition::Unknown => Duration::ZERO,
                };
                state.token = None;
                state.failed = Some(Failed { number, error: error.clone(), until: later(now, held) });
                Err(not_sent(error, call))
            }
        }
    }

    /// Drops a token that was not taken, unless somebody has a newer one already.
    pub(super) async fn forget(&self, token: &Token) {
        self.state.lock().await.token.take_if(|(current, _)| Arc::ptr_eq(&current.0, &token.0));
    }

    async fn log_in(&self) -> Result<(Token, Timestamp), ProviderError> {
        match self.try_log_in().await {
            Err((error, true)) => {
                tracing::debug!(%error, "the login is tried a second time");
                tokio::time::sleep(SECOND_TRY_AFTER).await;
                self.try_log_in().await.map_err(|(error, _)| error)
            }
            outcome => outcome.map_err(|(error, _)| error),
        }
    }

    /// The second part of an error says whether it was `invalid_grant`.
    async fn try_log_in(&self) -> Result<(Token, Timestamp), (ProviderError, bool)> {
        let options = &self.options;
        let redactor = Redactor::new([options.client_secret.expose(), options.password.expose()]);
        let call = login_call(options);
        let blame = Blame { provider: Provider::Contabo, call: &call, redactor: Cow::Borrowed(&redactor) };
        let request = login_request(options, &call).map_err(|error| (blame.unbuildable(&error.to_string()), false))?;
        // Before sending: the lifetime counts from when the server made the token, not from when we have it.
        let asked = self.clock.now();
        let answer = self.wire.send(call.route, request).await.map_err(|error| (blame.transport(&error), false))?;
        let status = answer.status();
        if !status.is_success() {
            let refusal = refusal(&answer);
            let bad_grant = matches!(status.as_u16(), 400 | 401)
                && serde_json::from_slice::<Refused>(answer.body()).is_ok_and(|body| body.error == "invalid_grant");
            let hint = matches!(status.as_u16(), 400 | 401 | 403).then_some(
                "check `CONTABO_CLIENT_ID`, `CONTABO_CLIENT_SECRET`, `CONTABO_API_USER` and `CONTABO_API_PASSWORD`",
            );
            let kind = if hint.is_some() { ErrorKind::Permission } else { kind(status.as_u16()) };
            let disposition = Disposition::Wait { after: self.retry_after(&answer) };
            return Err((blame.refused(refusal, kind, hint, disposition), bad_grant));
        }
        // The body holds the token, so nothing of it goes into words.
        let unreadable = || (blame.unreadable(status.as_u16(), "it holds no token"), false);
        let granted: Granted = serde_json::from_slice(answer.body()).map_err(|_| unreadable())?;
        let value = granted.access_token.expose_secret();
        if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(unreadable());
        }
        let lifetime = Duration::from_secs(granted.expires_in.unwrap_or(LIFETIME).clamp(1, 86_400).unsigned_abs());
        let good_for = lifetime.saturating_sub(EARLY).max(lifetime / 2);
        let until = asked.checked_add(good_for).unwrap_or(Timestamp::MAX);
        Ok((Token(Arc::new(granted.access_token)), until))
    }
}

#[derive(Deserialize)]
struct Granted {
    #[serde(deserialize_with = "secret")]
    access_token: SecretString,
    #[serde(default, deserialize_with = "lenient::integer")]
    expires_in: Option<i64>,
}

#[derive(Deserialize)]
struct Refused {
    error: String,
}

fn secret<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}

fn login_call(options: &ContaboOptions) -> Call {
    let form = [
        ("grant_type", "password"),
        ("client_id", &options.client_id),
        ("client_secret", options.client_secret.expose()),
        ("username", &options.user),
        ("password", options.password.expose()),
    ];
    let form: Vec<String> = form.into_iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    let call = Call::new(Effect::Read, Method::POST, "POST token", String::new(), "log in", "");
    Call { body: Some(form.join("&").into()), ..call }
}

fn login_request(options: &ContaboOptions, call: &Call) -> Result<http::Request<Bytes>, http::Error> {
    let mut request = call.request(&options.auth_url, [])?;
    let form = http::HeaderValue::from_static("application/x-www-form-urlencoded");
    request.headers_mut().insert(http::header::CONTENT_TYPE, form);
    Ok(request)
}

/// The failed login as the failure of `call`.
fn not_sent(error: ProviderError, call: &Call) -> ProviderError {
    let after = match error.disposition {
        Disposition::Wait { after } => after,
        Disposition::Definite | Disposition::Unknown => None,
    };
    let Call { operation, subject, .. } = call;
    let object = if subject.is_empty() { String::new() } else { format!(" {subject}") };
    let words = format!("{operation}{object} was not sent, since the login failed: {}", error.words);
    ProviderError { operation, disposition: Disposition::Wait { after }, words, ..error }
}
