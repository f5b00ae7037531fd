//! The transport that speaks over real sockets.

use std::error::Error as _;
use std::net::IpAddr;
use std::sync::Once;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};

use super::{ANSWER_LIMIT, AnswerLimit, Transport, TransportError};

/// How an [`HttpTransport`] behaves.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// How long a connection may take to stand, TLS included.
    pub connect_timeout: Duration,
    /// How long a call may take in all, from the first byte sent to the last byte read.
    pub call_timeout: Duration,
    /// The proxy for `https` requests to hosts other than this machine, as a URL.
    pub proxy: Option<String>,
    /// Hosts that are reached without the proxy, as in `NO_PROXY`.
    pub no_proxy: Option<String>,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            call_timeout: Duration::from_secs(30),
            proxy: None,
            no_proxy: None,
        }
    }
}

impl HttpOptions {
    /// The defaults, with the proxy that `HTTPS_PROXY` and `NO_PROXY` name. `HTTP_PROXY` is not read: every provider
    /// is spoken to over `https`, and plain `http` is for the local cloud.
    pub fn from_environment() -> Self {
        let variable = |names: [&str; 2]| {
            names.into_iter().find_map(|name| std::env::var(name).ok()).filter(|value| !value.trim().is_empty())
        };
        Self {
            proxy: variable(["HTTPS_PROXY", "https_proxy"]),
            no_proxy: variable(["NO_PROXY", "no_proxy"]),
            ..Self::default()
        }
    }
}

/// Why the HTTP client cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum CannotStart {
    /// `HTTPS_PROXY` is no URL. Its text is not shown, since it may hold a password.
    #[error("the proxy in `HTTPS_PROXY` is no URL such as `http://proxy.example:3128`")]
    Proxy,
    /// The TLS set-up failed, mostly for want of root certificates.
    #[error("the HTTP client cannot start; are the system's root certificates installed?")]
    Client(#[source] reqwest::Error),
}

/// Sends requests over TCP and TLS. Follows no redirect and never sends a request twice.
#[derive(Debug, Clone)]
pub struct HttpTransport {
    client: reqwest::Client,
}

impl HttpTransport {
    /// A transport with its own connections.
    pub fn new(options: &HttpOptions) -> Result<Self, CannotStart> {
        install_cryptography();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("alfred/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(options.connect_timeout)
            .timeout(options.call_timeout)
            .redirect(reqwest::redirect::Policy::none())
            // The default sends a request again when HTTP/2 refuses its stream. That is meant to be safe, but it
            // would hide a second call from the budget and from the ledger.
            .retry(reqwest::retry::never())
            .no_proxy();
        if let Some(proxy) = &options.proxy {
            let url = reqwest::Url::parse(proxy).map_err(|_| CannotStart::Proxy)?;
            let chosen = move |target: &reqwest::Url| {
                (target.scheme() == "https" && !is_this_machine(target)).then(|| url.clone())
            };
            let exceptions = options.no_proxy.as_deref().and_then(reqwest::NoProxy::from_string);
            builder = builder.proxy(reqwest::Proxy::custom(chosen).no_proxy(exceptions));
        }
        Ok(Self { client: builder.build().map_err(CannotStart::Client)? })
    }
}

#[async_trait]
impl Transport for HttpTransport {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
        let limit = request.extensions().get::<AnswerLimit>().map_or(ANSWER_LIMIT, |limit| limit.0);
        let request = reqwest::Request::try_from(request).map_err(|error| transport_error(error, Before::Sending))?;
        let mut answer = self.client.execute(request).await.map_err(|error| transport_error(error, Before::Answer))?;
        let mut response = http::Response::new(Bytes::new());
        *response.status_mut() = answer.status();
        std::mem::swap(response.headers_mut(), answer.headers_mut());
        let mut body = BytesMut::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| transport_error(error, Before::End))? {
            if body.len() + chunk.len() > limit {
                return Err(TransportError::Lost { words: format!("the answer is larger than {limit} bytes") });
            }
            body.extend_from_slice(&chunk);
        }
        *response.body_mut() = body.freeze();
        Ok(response)
    }
}

/// How far a call had come when it failed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Sending,
    Answer,
    End,
}

fn transport_error(error: reqwest::Error, before: Before) -> TransportError {
    let unsent = before == Before::Sending || (before == Before::Answer && (error.is_connect() || error.is_builder()));
    // The URL may hold an account's ids; the caller names the operation anyway.
    let error = error.without_url();
    let mut words = if error.is_timeout() { "timed out".to_owned() } else { error.to_string() };
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_words = cause.to_string();
        if !words.contains(&cause_words) {
            words = format!("{words}: {cause_words}");
        }
        source = cause.source();
    }
    if unsent { TransportError::NotSent { words } } else { TransportError::Lost { words } }
}

fn is_this_machine(url: &reqwest::Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Sets the process's TLS cryptography once. An earlier choice, made by the binary, stands.
fn install_cryptography() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

#[cfg(test)]
mod tests;
