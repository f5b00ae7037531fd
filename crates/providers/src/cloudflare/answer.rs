//! What Cloudflare's answers are wrapped in, and what its codes mean.

use alfred_model::failure::Disposition;
use bytes::Bytes;
use jiff::Timestamp;
use serde::Deserialize;

use crate::error::{Effect, ErrorKind, Refusal, describe_body, retry_after};
use crate::lenient;

/// Most codes that are kept of one answer.
const CODES_MAX: usize = 32;

#[derive(Deserialize)]
pub(super) struct Envelope<T> {
    /// Missing in no answer that was seen; an answer without it is taken by its status.
    #[serde(default = "yes")]
    pub(super) success: bool,
    #[serde(default = "Option::default")]
    pub(super) result: Option<T>,
    #[serde(default)]
    pub(super) result_info: Option<ResultInfo>,
}

impl<T> Envelope<T> {
    /// How many items the whole list has, where the answer says so.
    pub(super) fn total(&self) -> Option<u64> {
        self.result_info.as_ref()?.total_count.and_then(|total| u64::try_from(total).ok())
    }
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
pub(super) struct ResultInfo {
    #[serde(default, deserialize_with = "lenient::integer")]
    pub(super) total_count: Option<i64>,
}

#[derive(Deserialize)]
struct Errors {
    #[serde(default, deserialize_with = "lenient::null_as_default")]
    errors: Vec<ApiError>,
}

#[derive(Deserialize)]
struct ApiError {
    #[serde(default, deserialize_with = "lenient::integer")]
    code: Option<i64>,
    #[serde(default, deserialize_with = "lenient::text")]
    message: Option<String>,
    #[serde(default, deserialize_with = "lenient::null_as_default")]
    error_chain: Vec<Self>,
}

impl ApiError {
    /// Adds this error's code and words, then those of the errors that caused it.
    fn collect(&self, codes: &mut Vec<i64>, words: &mut Vec<String>) {
        if codes.len() >= CODES_MAX || words.len() >= CODES_MAX {
            return;
        }
        codes.extend(self.code);
        let message = self.message.as_deref().unwrap_or("no message").trim_end_matches('.');
        words.push(self.code.map_or_else(|| message.to_owned(), |code| format!("{message} ({code})")));
        for cause in &self.error_chain {
            cause.collect(codes, words);
        }
    }
}

pub(super) fn refusal(answer: &http::Response<Bytes>) -> Refusal {
    let mut codes = Vec::new();
    let mut words = Vec::new();
    let detail = match serde_json::from_slice::<Errors>(answer.body()) {
        Ok(parsed) => {
            for error in &parsed.errors {
                error.collect(&mut codes, &mut words);
            }
            words.join(": ")
        }
        Err(_) => describe_body(answer.body()),
    };
    Refusal { status: answer.status().as_u16(), codes, detail }
}

/// Whether an answer may mean that the token's value is not known: codes as users met them with dead tokens. Some of them
/// also stand for a missing permission.
pub(super) fn refuses_the_token(answer: &http::Response<Bytes>) -> bool {
    match answer.status().as_u16() {
        401 => true,
        400 | 403 => refusal(answer).codes.iter().any(|code| [1_000, 6_003, 6_111, 9_109, 10_000].contains(code)),
        _ => false,
    }
}

pub(super) struct Verdict {
    pub(super) kind: ErrorKind,
    pub(super) hint: Option<&'static str>,
    pub(super) disposition: Disposition,
}

/// Status first, then codes. Codes as users met them; Cloudflare publishes no list of them.
pub(super) fn judge(effect: Effect, refusal: &Refusal, answer: &http::Response<Bytes>, now: Timestamp) -> Verdict {
    let after = retry_after(answer, now);
    let status = refusal.status;
    let kind = kind(status, &refusal.codes);
    let disposition = match kind {
        // Some of the older limits answer with another status than 429.
        ErrorKind::RateLimited if status < 500 => Disposition::Wait { after },
        // `success: false` under a 2xx status: the provider itself says that it was not done.
        _ => effect.refused(status, after),
    };
    Verdict { kind, hint: hint(kind, &refusal.codes), disposition }
}

fn kind(status: u16, codes: &[i64]) -> ErrorKind {
    let has = |wanted: &[i64]| codes.iter().any(|code| wanted.contains(code));
    match status {
        429 => ErrorKind::RateLimited,
        408 | 500.. => ErrorKind::Other,
        _ if has(&[971, 10_100, 10_300, 10_429]) => ErrorKind::RateLimited,
        _ if has(&[81_058]) => ErrorKind::Identical,
        _ if has(&[81_057]) => ErrorKind::AlreadyExists,
        _ if has(&[81_044]) => ErrorKind::NotFound,
        _ if has(&[81_045]) => ErrorKind::QuotaExceeded,
        _ if has(&[81_053, 81_054]) => ErrorKind::NameConflict,
        401 | 403 if !has(&[1_038]) => ErrorKind::Permission,
        _ if has(&[6_003, 6_111, 9_103, 9_109, 10_000]) => ErrorKind::Permission,
        _ if has(&[1_004, 1_038, 7_000, 7_003]) => ErrorKind::Validation,
        _ if codes.iter().any(|code| (9_000..9_999).contains(code)) => ErrorKind::Validation,
        400 | 405 | 413 | 415 | 422 => ErrorKind::Validation,
        _ => ErrorKind::Other,
    }
}

fn hint(kind: ErrorKind, codes: &[i64]) -> Option<&'static str> {
    let has = |wanted: &[i64]| codes.iter().any(|code| wanted.contains(code));
    match kind {
        ErrorKind::Permission if has(&[6_003, 6_111]) => {
            Some("the token is not well-formed: check `CLOUDFLARE_API_TOKEN`")
        }
        ErrorKind::Permission => {
            Some("the token is not valid, or may not do this to the zone: create one with `DNS Write` on it")
        }
        ErrorKind::QuotaExceeded => Some("the zone is full: delete records, or move it to a larger plan"),
        ErrorKind::NameConflict => Some("another record has the name: delete it, or choose another name"),
        ErrorKind::Validation if has(&[7_000, 7_003]) => Some("check `CLOUDFLARE_ZONE_ID`"),
        ErrorKind::Validation if has(&[1_038]) => {
            Some("Cloudflare's API does not serve zones of this top-level domain")
        }
        _ => None,
    }
}
