//! The envelope around every answer.
//!
//! <https://developers.cloudflare.com/fundamentals/api/how-to/make-api-calls/>

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    budget::Standing,
    error::{ApiError, Message},
    options::RateOptions,
    query::Page,
};

#[derive(Serialize)]
struct Envelope<'a, T> {
    result: &'a T,
    success: bool,
    errors: [(); 0],
    messages: &'a [Value],
    #[serde(skip_serializing_if = "Option::is_none")]
    result_info: Option<&'a Value>,
}

/// Where a page lies in its list.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct ResultInfo {
    page: usize,
    per_page: usize,
    count: usize,
    total_count: usize,
    total_pages: usize,
}

impl ResultInfo {
    pub(crate) fn new(page: Page, count: usize, total_count: usize) -> Self {
        Self {
            page: page.number,
            per_page: page.size,
            count,
            total_count,
            total_pages: total_count.div_ceil(page.size),
        }
    }
}

/// A success.
pub(crate) fn success<T: Serialize>(result: &T) -> Response<Bytes> {
    enveloped(result, &[], None)
}

/// A success with a remark, as the verification of a token has.
pub(crate) fn success_with_messages<T: Serialize>(result: &T, messages: &[Value]) -> Response<Bytes> {
    enveloped(result, messages, None)
}

/// A page of a list.
pub(crate) fn list<T: Serialize>(result: &T, info: ResultInfo) -> Response<Bytes> {
    success_with_info(result, &json!(info))
}

/// A part of a list whose place is told in another way than by page.
pub(crate) fn success_with_info<T: Serialize>(result: &T, info: &Value) -> Response<Bytes> {
    enveloped(result, &[], Some(info))
}

fn enveloped<T: Serialize>(result: &T, messages: &[Value], result_info: Option<&Value>) -> Response<Bytes> {
    let envelope = Envelope { result, success: true, errors: [], messages, result_info };
    let body = serde_json::to_vec(&envelope).expect("answers have text keys and finite numbers only");
    json_response(StatusCode::OK, body)
}

/// A refusal.
pub(crate) fn failure(error: &ApiError) -> Response<Bytes> {
    let errors: Vec<Value> = error.errors.iter().map(Message::to_json).collect();
    let body = json!({"result": null, "success": false, "errors": errors, "messages": []});
    let mut response = json_response(error.status, body.to_string().into_bytes());
    if let Some(seconds) = error.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// Plain text, as an export is.
pub(crate) fn text(body: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

fn json_response(status: StatusCode, body: Vec<u8>) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Puts the headers on that every answer has.
/// <https://developers.cloudflare.com/fundamentals/api/reference/limits/>
pub(crate) fn dress(response: &mut Response<Bytes>, ray: &str, rate: RateOptions, standing: Option<Standing>) {
    let standing = standing.unwrap_or(Standing {
        remaining: rate.quota,
        reset_seconds: u64::from(rate.window_seconds),
        blocked_seconds: None,
    });
    let limit = format!("\"default\";r={};t={}", standing.remaining, standing.reset_seconds);
    let policy = format!("\"default\";q={};w={}", rate.quota, rate.window_seconds);
    let headers = response.headers_mut();
    for (name, value) in [("cf-ray", format!("{ray}-LOC")), ("ratelimit", limit), ("ratelimit-policy", policy)] {
        let value = HeaderValue::try_from(value).expect("digits, letters and quotation marks are visible ASCII");
        headers.insert(name, value);
    }
}
