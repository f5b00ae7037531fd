//! Reading what clients send: bounded in size and time, and refused in the form of a problem.

use std::error::Error;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use http_body_util::LengthLimitError;
use serde::de::DeserializeOwned;

use crate::problem::{Code, Problem};

/// The longest body that a route with JSON takes, in bytes.
pub(crate) const BODY_MAX: usize = 1 << 20;

/// A body must have arrived after so long.
const BODY_TIME: Duration = Duration::from_secs(10);

/// Error texts repeat what was sent; so many characters of it are enough.
const WORDS_MAX: usize = 300;

/// A body of JSON.
pub(crate) struct JsonBody<T>(pub(crate) T);

/// A body of JSON, or none at all.
pub(crate) struct OptionalJsonBody<T>(pub(crate) T);

/// The parameters after the `?`.
pub(crate) struct Parameters<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        check_media_type(&parts.headers)?;
        let bytes = read(&parts.headers, body, BODY_MAX).await?;
        parse(&bytes).map(Self)
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for OptionalJsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let bytes = read(&parts.headers, body, BODY_MAX).await?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        check_media_type(&parts.headers)?;
        parse(&bytes).map(Self)
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Parameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let read = Query::try_from_uri(&parts.uri);
        read.map(|Query(parameters)| Self(parameters)).map_err(|error| {
            // The rejection's own text is general; its source names the parameter.
            let words = error.source().map_or_else(|| error.to_string(), ToString::to_string);
            bad_parameter(&words)
        })
    }
}

/// Refuses a parameter for the reason given.
pub(crate) fn bad_parameter(words: &str) -> Problem {
    Problem::new(Code::BadParameter, shortened(words))
}

/// Reads a whole body of at most `limit` bytes.
pub(crate) async fn read(headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes, Problem> {
    let too_large = || {
        Problem::new(Code::TooLarge, format!("the body has more than {limit} bytes"))
            .hint(format!("send at most {limit} bytes"))
    };
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit as u64) {
        return Err(too_large());
    }
    match tokio::time::timeout(BODY_TIME, axum::body::to_bytes(body, limit)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if error.source().is_some_and(<dyn std::error::Error>::is::<LengthLimitError>) => {
            Err(too_large())
        }
        Ok(Err(_)) => Err(Problem::new(Code::BadRequest, "the body broke off")),
        Err(_) => {
            let seconds = BODY_TIME.as_secs();
            Err(Problem::new(Code::RequestTooSlow, format!("the body did not arrive within {seconds} seconds")))
        }
    }
}

fn check_media_type(headers: &HeaderMap) -> Result<(), Problem> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let words = match essence {
        "" => "the body has no `content-type`".to_owned(),
        essence => format!("the body is `{}`", shortened(essence)),
    };
    Err(Problem::new(Code::UnsupportedMediaType, words))
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|error| Problem::new(Code::BadJson, shortened(&error.to_string())))
}

/// A text of the client, short enough to be sent back.
pub(crate) fn shortened(words: &str) -> String {
    match words.char_indices().nth(WORDS_MAX) {
        Some((end, _)) => format!("{}…", &words[..end]),
        None => words.to_owned(),
    }
}
