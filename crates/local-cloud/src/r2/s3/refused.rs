//! Refusals as S3 writes them, and what R2 refuses whatever else a request says.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use s3s::{S3Error, S3ErrorCode};

use crate::r2::Refusal;

impl From<Refusal> for S3Error {
    fn from(refusal: Refusal) -> Self {
        let code = S3ErrorCode::from_bytes(refusal.name.as_bytes()).unwrap_or(S3ErrorCode::InternalError);
        let mut error = Self::with_message(code, refusal.text);
        error.set_status_code(refusal.status);
        error
    }
}

/// Headers that ask for what R2 does not have: access lists, encryption keys of others, tags, object lock, redirection.
/// <https://developers.cloudflare.com/r2/api/s3/api/#object-level-operations>. Encryption with a client's own key is R2's,
/// but not covered here.
const REFUSED: [&str; 6] = [
    "x-amz-acl",
    "x-amz-expected-bucket-owner",
    "x-amz-request-payer",
    "x-amz-source-expected-bucket-owner",
    "x-amz-tagging",
    "x-amz-website-redirect-location",
];
const REFUSED_BEGINNINGS: [&str; 4] =
    ["x-amz-copy-source-server-side-encryption", "x-amz-grant-", "x-amz-object-lock-", "x-amz-server-side-encryption"];

/// The refusal of a request that asks for what R2 does not have.
pub(super) fn at_once<B>(request: &Request<B>) -> Option<Refusal> {
    let query = request.uri().query().unwrap_or_default();
    if query.split('&').any(|pair| pair.starts_with("AWSAccessKeyId=")) {
        return Some(second_version());
    }
    by_header(request.headers())
}

/// R2 knows signatures of version 4 alone, the crate in front of it also those of version 2.
fn second_version() -> Refusal {
    Refusal::UNAUTHORIZED.saying("Please use AWS4-HMAC-SHA256.")
}

fn by_header(headers: &HeaderMap) -> Option<Refusal> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    if headers.get(header::AUTHORIZATION).is_some_and(|value| value.as_bytes().starts_with(b"AWS ")) {
        return Some(second_version());
    }
    // Bodies in signed chunks: soto-project/soto#643, bitfoundation/bitplatform#13362 and
    // <https://developers.cloudflare.com/r2/examples/aws/aws-sdk-net/>.
    let hash = headers.get("x-amz-content-sha256").map(text).unwrap_or_default();
    if hash.starts_with("STREAMING-AWS4-") {
        return Some(Refusal::NOT_IMPLEMENTED.saying(format!("{hash} not implemented")));
    }
    // Of checksums over a whole object in parts there is CRC64NVME alone.
    let value = |name: &str| headers.get(name).map(text).unwrap_or_default();
    if value("x-amz-checksum-type") == "FULL_OBJECT" && value("x-amz-checksum-algorithm") != "CRC64NVME" {
        let text = "Header 'x-amz-checksum-type' with value 'FULL_OBJECT' not implemented";
        return Some(Refusal::NOT_IMPLEMENTED.saying(text));
    }
    let refused =
        |name: &str| REFUSED.contains(&name) || REFUSED_BEGINNINGS.iter().any(|beginning| name.starts_with(beginning));
    let (name, value) = headers.iter().find(|(name, _)| refused(name.as_str()))?;
    let shown: String = text(value).chars().take(64).collect();
    Some(Refusal::NOT_IMPLEMENTED.saying(format!("Header '{name}' with value '{shown}' not implemented")))
}

/// What R2 calls a refusal that the crate in front gives another name.
/// <https://developers.cloudflare.com/r2/api/error-codes/>
pub(super) fn in_our_words(status: StatusCode, body: &Bytes) -> Option<Refusal> {
    if !status.is_client_error() {
        return None;
    }
    let text = std::str::from_utf8(body).ok()?;
    if text.contains("<Code>KeyTooLongError</Code>") {
        Some(Refusal::INVALID_OBJECT_NAME)
    } else if text.contains("<Code>AccessDenied</Code><Message>Request has expired</Message>") {
        Some(Refusal::EXPIRED)
    } else {
        None
    }
}

/// A refusal as the whole answer.
pub(super) fn answer(refusal: &Refusal) -> Response<Bytes> {
    let mut response = Response::new(body(refusal.name, &refusal.text));
    *response.status_mut() = refusal.status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    response
}

/// The document that tells an error.
pub(in crate::r2) fn body(name: &str, text: &str) -> Bytes {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{name}</Code><Message>{escaped}</Message></Error>")
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_r2_does_not_have_is_refused_by_name() {
        for (name, value, refused) in [
            ("x-amz-acl", "public-read", true),
            ("x-amz-server-side-encryption", "AES256", true),
            ("x-amz-server-side-encryption-customer-key", "k", true),
            ("x-amz-object-lock-mode", "GOVERNANCE", true),
            ("x-amz-tagging", "a=b", true),
            ("x-amz-checksum-type", "FULL_OBJECT", true),
            ("x-amz-checksum-type", "COMPOSITE", false),
            ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", true),
            ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", true),
            ("x-amz-content-sha256", "UNSIGNED-PAYLOAD", false),
            ("x-amz-meta-acl", "public-read", false),
        ] {
            let headers = [(http::HeaderName::from_static(name), value.parse().unwrap())].into_iter().collect();
            let refusal = by_header(&headers);
            assert_eq!(refusal.is_some(), refused, "{name}: {value}");
            if let Some(refusal) = refusal {
                assert_eq!((refusal.name, refusal.status.as_u16()), ("NotImplemented", 501));
            }
        }
    }

    #[test]
    fn names_of_codes_stay_as_they_are() {
        for refusal in
            [Refusal::LOCKED, Refusal::TOO_MANY_REQUESTS, Refusal::PRECONDITION_FAILED, Refusal::UNAUTHORIZED]
        {
            let (name, status) = (refusal.name, refusal.status);
            let error = S3Error::from(refusal);
            assert_eq!((error.code().as_str(), error.status_code()), (name, Some(status)));
        }
    }
}
