//! One call as data: what is asked, of what, and what it would mean to lose its answer.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method};
use serde::Serialize;

use crate::counts::CallCounts;
use crate::error::Effect;
use crate::transport::{ANSWER_LIMIT, AnswerLimit, Transport, TransportError};

/// Where an API is, without the final slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl(String);

/// Why a text is no base URL. The text is not shown: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the base URL of an API: write it like `https://api.example.com/v4`, without a query or a password")]
pub struct BadBaseUrl;

impl BaseUrl {
    /// Takes `http://` or `https://`, a host, and a path at will.
    pub fn parse(text: &str) -> Result<Self, BadBaseUrl> {
        let text = text.trim().trim_end_matches('/');
        let uri: http::Uri = text.parse().map_err(|_| BadBaseUrl)?;
        let plain = matches!(uri.scheme_str(), Some("http" | "https"))
            && uri
                .authority()
                .is_some_and(|authority| !authority.as_str().contains('@') && !authority.host().is_empty())
            && uri.query().is_none()
            && !text.contains('#');
        if plain { Ok(Self(text.to_owned())) } else { Err(BadBaseUrl) }
    }

    /// The URL as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One call, not yet bound to a server or an account.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    /// The path with its variables named, for counting: `/zones/{zone}/dns_records`, with the method before it.
    pub(crate) route: &'static str,
    /// The path and query, encoded.
    pub(crate) target: String,
    pub(crate) body: Option<Bytes>,
    /// What is done, such as `create record`.
    pub(crate) operation: &'static str,
    /// To what, in backticks, or nothing.
    pub(crate) subject: String,
    pub(crate) effect: Effect,
    pub(crate) answer_limit: usize,
    /// One that only this call has.
    pub(crate) header: Option<(HeaderName, HeaderValue)>,
}

impl Call {
    pub(crate) fn new(
        effect: Effect,
        method: Method,
        route: &'static str,
        target: String,
        operation: &'static str,
        subject: impl Into<String>,
    ) -> Self {
        let subject = subject.into();
        Self { method, route, target, body: None, operation, subject, effect, answer_limit: ANSWER_LIMIT, header: None }
    }

    /// With `value` as its JSON body.
    pub(crate) fn json(mut self, value: &impl Serialize) -> Self {
        let body = serde_json::to_vec(value).expect("our own requests have text keys only, which JSON can hold");
        self.body = Some(body.into());
        self
    }

    /// With these query parameters; absent values are left out.
    pub(crate) fn query<'a>(mut self, pairs: impl IntoIterator<Item = (&'a str, Option<String>)>) -> Self {
        for (name, value) in pairs {
            if let Some(value) = value {
                self.target.push(if self.target.contains('?') { '&' } else { '?' });
                self.target.push_str(name);
                self.target.push('=');
                self.target.push_str(&encode(&value));
            }
        }
        self
    }

    /// With a header of its own.
    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.header = Some((name, value));
        self
    }

    pub(crate) fn answer_limit(mut self, limit: usize) -> Self {
        self.answer_limit = limit;
        self
    }

    /// The HTTP request. `content-type` goes with a body only: Contabo refuses it without one.
    pub(crate) fn request(
        &self,
        base: &BaseUrl,
        headers: impl IntoIterator<Item = (HeaderName, HeaderValue)>,
    ) -> Result<http::Request<Bytes>, http::Error> {
        let mut request = http::Request::builder()
            .method(self.method.clone())
            .uri(format!("{}{}", base.as_str(), self.target))
            .header(http::header::ACCEPT, "application/json")
            .extension(AnswerLimit(self.answer_limit));
        if self.body.is_some() {
            request = request.header(http::header::CONTENT_TYPE, "application/json");
        }
        for (name, value) in headers.into_iter().chain(self.header.clone()) {
            request = request.header(name, value);
        }
        request.body(self.body.clone().unwrap_or_default())
    }
}

/// `Authorization: Bearer …`, marked so that nothing prints it; none if the token cannot stand in a header.
pub(crate) fn bearer(token: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Percent-encodes all but unreserved characters (RFC 3986 §2.3), fit for paths, queries and forms.
pub(crate) fn encode(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("writing to a string cannot fail");
        }
        encoded
    })
}

/// The transport with its calls counted.
#[derive(Clone)]
pub(crate) struct Wire {
    pub(crate) provider: &'static str,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) counts: CallCounts,
}

impl Wire {
    pub(crate) async fn send(
        &self,
        route: &'static str,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let began = tokio::time::Instant::now();
        let answer = self.transport.send(request).await;
        let status = match &answer {
            Ok(response) => response.status().as_str().to_owned(),
            Err(TransportError::NotSent { .. }) => "not_sent".to_owned(),
            Err(TransportError::Lost { .. }) => "lost".to_owned(),
        };
        let took = began.elapsed();
        self.counts.record(self.provider, route, &status, took);
        tracing::debug!(provider = self.provider, route, status, ?took, "called");
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls_are_checked_and_lose_their_final_slash() {
        assert_eq!(BaseUrl::parse(" https://api.example.com/v4/ ").unwrap().as_str(), "https://api.example.com/v4");
        assert!(BaseUrl::parse("http://127.0.0.1:8787").is_ok());
        for bad in
            ["", "api.example.com", "ftp://a.b", "https://u:p@a.b", "https://a.b?x=1", "https://a.b/#c", "https://"]
        {
            assert_eq!(BaseUrl::parse(bad), Err(BadBaseUrl), "{bad}");
        }
    }

    #[test]
    fn queries_are_encoded_and_absent_values_left_out() {
        let call = Call::new(Effect::Read, Method::GET, "GET /a", "/a".into(), "read", "").query([
            ("x", Some("a b&c=ü/+".into())),
            ("y", None),
            ("z", Some("-._~".into())),
        ]);
        assert_eq!(call.target, "/a?x=a%20b%26c%3D%C3%BC%2F%2B&z=-._~");
    }
}
