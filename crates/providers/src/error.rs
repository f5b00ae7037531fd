//! What a client says of a failure: what happened, and what may be done about it.
//!
//! The rule goes by the HTTP status first and by the provider's own codes second. A write whose answer is missing or
//! unreadable is [`Disposition::Unknown`], whether or not repeating it would be harmless: reading costs one call, and
//! a late first write could otherwise undo a newer one.

use std::borrow::Cow;
use std::time::Duration;

use alfred_model::failure::{Disposition, Failure};
use bytes::Bytes;
use jiff::Timestamp;
use jiff::fmt::rfc2822;

use crate::call::Call;
use crate::secret::Redactor;
use crate::transport::TransportError;

/// Longest wait that a provider can impose on us; more is a mistake on its side, and reading again costs one call.
const WAIT_MAX: Duration = Duration::from_hours(24);

/// Whose API it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Provider {
    /// DNS records.
    Cloudflare,
    /// VMs.
    Contabo,
}

impl Provider {
    /// The name as people write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cloudflare => "Cloudflare",
            Self::Contabo => "Contabo",
        }
    }

    /// The name as metrics carry it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Cloudflare => "cloudflare",
            Self::Contabo => "contabo",
        }
    }
}

/// What kind of refusal it is, for those who act on one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// A record of that name and type is there already (Cloudflare 81057).
    AlreadyExists,
    /// Exactly this record is there already (Cloudflare 81058).
    Identical,
    /// There is no such thing (Cloudflare 81044, Contabo 404).
    NotFound,
    /// The zone holds as many records as it may (Cloudflare 81045).
    QuotaExceeded,
    /// Something else has the name (Cloudflare 81053 and 81054, Contabo 409).
    NameConflict,
    /// The credentials are wrong or may not do this.
    Permission,
    /// The provider wants to be paid first (Contabo 402).
    Payment,
    /// The request is not acceptable as it is.
    Validation,
    /// Too many calls.
    RateLimited,
    /// Anything else, lost answers included.
    Other,
}

/// A call that did not do what it should. It never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{words}")]
pub struct ProviderError {
    /// Whose API.
    pub provider: Provider,
    /// What was asked, such as `create record`.
    pub operation: &'static str,
    /// What may be done about it.
    pub disposition: Disposition,
    /// The kind of refusal.
    pub kind: ErrorKind,
    /// The HTTP status, where there was an answer.
    pub status: Option<u16>,
    /// The provider's codes, outermost first; only Cloudflare has them.
    pub codes: Vec<i64>,
    /// What happened, to what, in the provider's own words where it had any, and what to do where that is known.
    pub words: String,
}

impl ProviderError {
    /// The failure as the decisions see it.
    pub fn failure(&self) -> Failure {
        Failure { disposition: self.disposition, words: self.words.clone(), refused: self.status == Some(429) }
    }
}

impl From<ProviderError> for Failure {
    fn from(error: ProviderError) -> Self {
        error.failure()
    }
}

/// What a call does at the provider, and so what its missing answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing: it can be repeated at will.
    Read,
    /// A change.
    Write,
    /// An order that costs money: only the statuses that surely reject it are a rejection.
    Order,
}

impl Effect {
    /// After an answer with a status other than success.
    pub(crate) fn refused(self, status: u16, after: Option<Duration>) -> Disposition {
        match (self, status) {
            (Self::Order, 400..=405 | 415 | 422) => Disposition::Definite,
            (Self::Order, _) | (Self::Write, 500..) => Disposition::Unknown,
            (_, 408 | 429) | (Self::Read, 500..) => Disposition::Wait { after },
            (Self::Read | Self::Write, _) => Disposition::Definite,
        }
    }

    /// After a request that may have arrived, without an answer that can be read.
    pub(crate) fn lost(self) -> Disposition {
        match self {
            Self::Read => Disposition::Wait { after: None },
            Self::Write | Self::Order => Disposition::Unknown,
        }
    }
}

/// Builds the errors of one call.
pub(crate) struct Blame<'a> {
    pub(crate) provider: Provider,
    pub(crate) call: &'a Call,
    pub(crate) redactor: Cow<'a, Redactor>,
}

impl Blame<'_> {
    /// There is no answer.
    pub(crate) fn transport(&self, error: &TransportError) -> ProviderError {
        match error {
            TransportError::NotSent { words } => {
                let words = format!("could not be sent: {words}");
                self.build(Disposition::Wait { after: None }, ErrorKind::Other, None, Vec::new(), &words, None)
            }
            TransportError::Lost { words } => {
                let words = format!("got no whole answer: {words}");
                self.build(self.call.effect.lost(), ErrorKind::Other, None, Vec::new(), &words, None)
            }
        }
    }

    /// The answer says success and cannot be understood.
    pub(crate) fn unreadable(&self, status: u16, why: &str) -> ProviderError {
        let words = format!("got an answer that cannot be read (status {status}): {why}");
        self.build(self.call.effect.lost(), ErrorKind::Other, Some(status), Vec::new(), &words, None)
    }

    /// The call cannot even be built; nothing was sent.
    pub(crate) fn unbuildable(&self, why: &str) -> ProviderError {
        let words = format!("could not be built: {why}");
        self.build(Disposition::Definite, ErrorKind::Validation, None, Vec::new(), &words, None)
    }

    /// The provider said no.
    pub(crate) fn refused(
        &self,
        refusal: Refusal,
        kind: ErrorKind,
        hint: Option<&'static str>,
        disposition: Disposition,
    ) -> ProviderError {
        let verb = match disposition {
            Disposition::Wait { .. } => "was put off",
            Disposition::Definite => "was refused",
            Disposition::Unknown => "failed",
        };
        let detail = if refusal.detail.is_empty() { "no reason given" } else { &refusal.detail };
        let words =
            format!("{verb} with status {}: {}", refusal.status, self.redactor.clean(detail).trim_end_matches('.'));
        self.build(disposition, kind, Some(refusal.status), refusal.codes, &words, hint)
    }

    fn build(
        &self,
        disposition: Disposition,
        kind: ErrorKind,
        status: Option<u16>,
        codes: Vec<i64>,
        what_happened: &str,
        hint: Option<&'static str>,
    ) -> ProviderError {
        let Call { operation, subject, .. } = self.call;
        let object = if subject.is_empty() { String::new() } else { format!(" {}", self.redactor.clean(subject)) };
        let what_happened = self.redactor.clean(what_happened);
        let mut words = format!("{operation}{object} at {} {what_happened}", self.provider.as_str());
        if disposition == Disposition::Unknown {
            words.push_str("; whether it was done is not known");
        }
        if let Some(hint) = hint {
            words.push_str("; ");
            words.push_str(hint);
        }
        ProviderError { provider: self.provider, operation, disposition, kind, status, codes, words }
    }
}

/// What can be taken from an answer that says no.
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) codes: Vec<i64>,
    /// The provider's own words.
    pub(crate) detail: String,
}

/// What a body that is no JSON looks like, for an error.
pub(crate) fn describe_body(body: &[u8]) -> String {
    let beginning = String::from_utf8_lossy(&body[..body.len().min(2_000)]);
    let beginning = beginning.trim();
    if beginning.is_empty() {
        return "the body is empty".to_owned();
    }
    if beginning.starts_with('<') {
        let title = beginning.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>"));
        return match title {
            Some((title, _)) => format!("a web page titled `{}`", title.trim()),
            None => "a web page instead of JSON".to_owned(),
        };
    }
    format!("`{beginning}`")
}

/// How long the provider wants us to wait: the `retry-after` header in seconds or as a date, or `retry_after` in the
/// body where the header is missing or zero, as Cloudflare's edge has sent it
/// (<https://github.com/NaturalCycles/js-libs/issues/148>). At most a day.
pub(crate) fn retry_after(answer: &http::Response<Bytes>, now: Timestamp) -> Option<Duration> {
    let header = answer.headers().get(http::header::RETRY_AFTER).and_then(|value| value.to_str().ok()).map(str::trim);
    let from_header = header.and_then(|text| seconds(text).or_else(|| until(text, now)));
    let from_body = || {
        let body: serde_json::Value = serde_json::from_slice(answer.body()).ok()?;
        match body.get("retry_after")? {
            serde_json::Value::String(text) => seconds(text),
            value => value.as_f64().and_then(whole_seconds),
        }
    };
    let wait = from_header.filter(|wait| !wait.is_zero()).or_else(from_body).or(from_header)?;
    Some(wait.min(WAIT_MAX))
}

fn seconds(text: &str) -> Option<Duration> {
    text.trim().parse().ok().and_then(whole_seconds)
}

/// Rounded up: a wait that ends early is punished with another.
fn whole_seconds(seconds: f64) -> Option<Duration> {
    let fits = seconds.is_finite() && seconds >= 0.0;
    fits.then(|| Duration::try_from_secs_f64(seconds.ceil()).unwrap_or(WAIT_MAX))
}

fn until(text: &str, now: Timestamp) -> Option<Duration> {
    let date = rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(Duration::try_from(date.duration_since(now)).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests;
