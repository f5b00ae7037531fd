//! What Contabo's answers are wrapped in, and what its statuses mean.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

use crate::error::{ErrorKind, Refusal, describe_body};
use crate::lenient;

/// `data` is always a list, also for one object; `_links` is not needed and its fields have been empty.
#[derive(Deserialize)]
pub(super) struct Envelope<T> {
    pub(super) data: Vec<T>,
    #[serde(rename = "_pagination", default)]
    pub(super) pagination: Option<Pagination>,
}

#[derive(Deserialize)]
pub(super) struct Pagination {
    #[serde(rename = "totalElements", default, deserialize_with = "lenient::integer")]
    pub(super) total_elements: Option<i64>,
}

/// The message may be a text or a list of texts.
pub(super) fn refusal(answer: &http::Response<Bytes>) -> Refusal {
    let detail = match serde_json::from_slice::<Value>(answer.body()) {
        Ok(body) => match body.get("message").or_else(|| body.get("error_description")).or_else(|| body.get("error")) {
            Some(Value::String(message)) => message.clone(),
            Some(Value::Array(messages)) => messages.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
            _ => String::new(),
        },
        Err(_) => describe_body(answer.body()),
    };
    Refusal { status: answer.status().as_u16(), codes: Vec::new(), detail }
}

pub(super) fn kind(status: u16) -> ErrorKind {
    match status {
        400 | 405 | 413 | 415 | 422 => ErrorKind::Validation,
        401 | 403 => ErrorKind::Permission,
        402 => ErrorKind::Payment,
        404 => ErrorKind::NotFound,
        409 => ErrorKind::NameConflict,
        429 => ErrorKind::RateLimited,
        _ => ErrorKind::Other,
    }
}

pub(super) fn hint(refusal: &Refusal) -> Option<&'static str> {
    match refusal.status {
        400 if refusal.detail.contains("No offer was found") => {
            Some("the product is not sold any more: choose another one")
        }
        401 | 403 => Some("the API user may not do this: check its role in Contabo's panel"),
        402 => Some("settle the payment in Contabo's panel"),
        _ => None,
    }
}
