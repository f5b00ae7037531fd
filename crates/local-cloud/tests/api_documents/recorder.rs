//! The transport that keeps what went over it, and the cloud behind it.

use std::sync::{Arc, Mutex};

use alfred_local_cloud::LocalCloud;
use alfred_providers::transport::{Transport, TransportError};
use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};

/// One request and its answer.
#[derive(Clone)]
pub(crate) struct Exchange {
    /// Whether one of our clients sent it.
    pub(crate) by_client: bool,
    pub(crate) method: Method,
    /// The path with its query.
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) status: StatusCode,
    pub(crate) answer_headers: HeaderMap,
    pub(crate) answer: Bytes,
}

impl Exchange {
    pub(crate) fn path(&self) -> &str {
        self.target.split_once('?').map_or(&self.target, |(path, _)| path)
    }

    pub(crate) fn query(&self) -> Option<&str> {
        self.target.split_once('?').map(|(_, query)| query)
    }
}

/// The local cloud's router behind the clients' transport. Clones share what was recorded.
#[derive(Clone)]
pub(crate) struct Recorder {
    cloud: LocalCloud,
    exchanges: Arc<Mutex<Vec<Exchange>>>,
}

impl Recorder {
    pub(crate) fn new(cloud: LocalCloud) -> Self {
        Self { cloud, exchanges: Arc::default() }
    }

    /// Everything so far.
    pub(crate) fn exchanges(&self) -> Vec<Exchange> {
        self.exchanges.lock().unwrap().clone()
    }

    /// Sends a request that no client of ours would send.
    pub(crate) async fn stranger(&self, request: http::Request<Bytes>) -> http::Response<Bytes> {
        self.exchange(request, false).await.expect("there are no faults here")
    }

    async fn exchange(
        &self,
        request: http::Request<Bytes>,
        by_client: bool,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let (parts, body) = request.into_parts();
        let target = parts.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
        let (method, headers) = (parts.method.clone(), parts.headers.clone());
        let sent = body.clone();
        let answered = self.cloud.call(http::Request::from_parts(parts, body)).await;
        let answer = answered.map_err(|lost| TransportError::Lost { words: lost.to_string() })?;
        self.exchanges.lock().unwrap().push(Exchange {
            by_client,
            method,
            target,
            headers,
            body: sent,
            status: answer.status(),
            answer_headers: answer.headers().clone(),
            answer: answer.body().clone(),
        });
        Ok(answer)
    }
}

#[async_trait]
impl Transport for Recorder {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
        self.exchange(request, true).await
    }
}
