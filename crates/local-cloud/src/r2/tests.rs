//! R2 as its clients meet it: signed S3 calls and the REST API, through faults and journal, without a socket.

mod faults;
mod gaps;
mod object_store;
mod objects;
mod races;
mod rest;
mod restart;
mod signing;
mod uploads;

use bytes::Bytes;
use http::{Request, Response};
use serde_json::Value;

use crate::{Options, bench::Bench, cloudflare::DEMO_ACCOUNT_ID};
use signing::Signer;

/// A cloud with the bucket `states`, whose keys may be written as often as one likes.
struct Stage {
    bench: Bench,
    signer: Signer,
}

/// An answer, read.
struct Answered {
    status: u16,
    headers: http::HeaderMap,
    body: Bytes,
}

impl Answered {
    /// The text of the first element with this name.
    fn element(&self, name: &str) -> Option<&str> {
        let text = std::str::from_utf8(&self.body).ok()?;
        let rest = text.split_once(&format!("<{name}>"))?.1;
        Some(rest.split_once(&format!("</{name}>"))?.0)
    }

    /// The texts of all elements with this name.
    fn elements(&self, name: &str) -> Vec<&str> {
        let text = std::str::from_utf8(&self.body).unwrap();
        let (begin, end) = (format!("<{name}>"), format!("</{name}>"));
        text.split(&begin).skip(1).map(|part| part.split(&end).next().unwrap()).collect()
    }

    /// Status and error code.
    fn refusal(&self) -> (u16, &str) {
        (self.status, self.element("Code").unwrap_or_default())
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Stage {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut Options)) -> Self {
        let mut options = Options::default();
        options.r2.write_interval_ms = 0;
        change(&mut options);
        let stage = Self { bench: Bench::new(options), signer: Signer::default() };
        assert_eq!(stage.s3("PUT", "/states", &[], "").await.status, 200);
        stage
    }

    fn signed(&self, method: &str, uri: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Request<Bytes> {
        self.signer.sign(method, uri, headers, body.into())
    }

    async fn send(&self, request: Request<Bytes>) -> Answered {
        let response: Response<Bytes> = self.bench.cloud.call_r2(request).await.unwrap();
        let (parts, body) = response.into_parts();
        Answered { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    async fn s3(&self, method: &str, uri: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answered {
        self.send(self.signed(method, uri, headers, body)).await
    }

    /// A REST call below the account's buckets.
    async fn rest(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        self.bench.call(method, &format!("/accounts/{DEMO_ACCOUNT_ID}/r2/buckets{path}"), body).await
    }
}
