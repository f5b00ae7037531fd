//! Requests to one bucket: sent again where that is safe, bounded in time, with the few answers that matter.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use alfred_model::seam::Random;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::list::{PaginatedListOptions, PaginatedListStore as _};
use object_store::multipart::MultipartStore as _;
use object_store::path::Path;
use object_store::{
    ClientOptions, HeaderMap, HeaderValue, ObjectStore as _, ObjectStoreExt as _, PutMode, PutOptions, PutPayload,
    RetryConfig,
};
use secrecy::ExposeSecret as _;

use super::failure::Failure;
use super::parts::{PART_LEN, is_same, parts};
use super::{Patience, S3Options};
use crate::backend::place::Place;
use crate::backend::{BackendError, Blob};

/// So many parts go up at the same time; each is in memory anyway.
const PARTS_AT_ONCE: usize = 4;

/// A slower line than this, in bytes a second, is not waited for.
const SLOWEST: u64 = 64 << 10;

/// At most so many keys come with one list: what S3 allows.
const PAGE: usize = 1_000;

/// Requests to one bucket.
pub(super) struct Client {
    pub(super) place: Place,
    bucket: String,
    store: AmazonS3,
    /// The same, with `If-None-Match: *` on each request: completing parts has no option for it.
    creating: AmazonS3,
    random: Arc<dyn Random>,
    patience: Patience,
}

/// What creating an object came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Created {
    /// It is there now. Its ETag.
    Now(String),
    /// There was one already, with other content.
    Before,
}

/// An object in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) e_tag: String,
    pub(super) size: u64,
    /// By the service's clock.
    pub(super) modified_at: Timestamp,
}

impl Client {
    pub(super) fn new(
        place: Place,
        bucket: &str,
        options: &S3Options,
        random: Arc<dyn Random>,
    ) -> Result<Self, BackendError> {
        // It fails if there is one already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let build = |headers: HeaderMap| {
            let http = ClientOptions::new()
                .with_default_headers(headers)
                .with_connect_timeout(Duration::from_secs(10))
                .with_read_timeout(Duration::from_secs(30))
                .with_timeout_disabled()
                .with_allow_http(options.endpoint.as_ref().is_some_and(|endpoint| endpoint.starts_with("http://")));
            let mut builder = AmazonS3Builder::new()
                .with_bucket_name(bucket)
                .with_region(&options.region)
                .with_access_key_id(options.access_key_id.expose_secret())
                .with_secret_access_key(options.secret_access_key.expose_secret())
                .with_client_options(http)
                .with_disable_bulk_delete(true)
                // It is done here, where a lost answer to a creation is told from a rival.
                .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() });
            if let Some(endpoint) = &options.endpoint {
                builder = builder.with_endpoint(endpoint);
            }
            builder.build()
        };
        let mut only_new = HeaderMap::new();
        only_new.insert("if-none-match", HeaderValue::from_static("*"));
        let unfit = |error: object_store::Error| place.refused(format_args!("its address is of no use: {error}"));
        let (store, creating) = (build(HeaderMap::new()).map_err(unfit)?, build(only_new).map_err(unfit)?);
        Ok(Self { place, bucket: bucket.to_owned(), store, creating, random, patience: options.patience })
    }

    /// Creates an object, whole, if there is none of this key. If the first try finds one, somebody else wrote it; a later
    /// try compares its content.
    pub(super) async fn create(&self, key: &str, content: &Blob) -> Result<Created, BackendError> {
        if content.len() > PART_LEN {
            self.create_in_parts(key, content).await
        } else {
            self.create_whole(key, content, false).await
        }
    }

    /// The same for content that no other writer ever has, so that it is always worth comparing: the service's own machines
    /// repeat requests, too.
    pub(super) async fn create_unique(&self, key: &str, content: &Blob) -> Result<Created, BackendError> {
        self.create_whole(key, content, true).await
    }

    async fn create_whole(&self, key: &str, content: &Blob, is_unique: bool) -> Result<Created, BackendError> {
        let path = Path::from(key);
        let payload = content.0.iter().cloned().collect::<PutPayload>();
        let mut attempts = Attempts::new(self);
        loop {
            let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
            let sent = self.store.put_opts(&path, payload.clone(), options);
            let words = match self.outcome(content.len(), sent).await {
                Ok(put) => return Ok(Created::Now(self.e_tag(put.e_tag)?)),
                Err(Failure::Exists) if attempts.made == 0 && !is_unique => return Ok(Created::Before),
                // An earlier try whose answer was lost meets itself like this
                // (<https://github.com/opentofu/opentofu/issues/4405>).
                Err(Failure::Exists) => match self.get(key).await? {
                    Some((found, e_tag)) if is_same(&found, content) => return Ok(Created::Now(e_tag)),
                    Some(_) => return Ok(Created::Before),
                    // Whoever was writing it gave up, or it is deleted again.
                    None => "another request for the same key is under way".to_owned(),
                },
                Err(Failure::Temporary(words)) => words,
                Err(failure) => return Err(self.error(failure, key)),
            };
            attempts.pause(words).await?;
        }
    }

    async fn create_in_parts(&self, key: &str, content: &Blob) -> Result<Created, BackendError> {
        let path = Path::from(key);
        let upload = self.request(key, 0, || self.store.create_multipart(&path)).await?;
        let sent = futures::stream::iter(parts(content).into_iter().enumerate())
            .map(|(number, part)| {
                let (path, upload) = (&path, &upload);
                async move {
                    let length = part.content_length();
                    self.request(key, length, || self.store.put_part(path, upload, number, part.clone())).await
                }
            })
            .buffered(PARTS_AT_ONCE);
        let created = match sent.try_collect::<Vec<_>>().await {
            Ok(parts) => self.complete(key, &path, &upload, parts, content).await,
            Err(error) => Err(error),
        };
        if !matches!(created, Ok(Created::Now(_))) {
            // Otherwise the service forgets the parts after a week.
            let _ = self.outcome(0, self.store.abort_multipart(&path, &upload)).await;
        }
        created
    }

    async fn complete(
        &self,
        key: &str,
        path: &Path,
        upload: &String,
        parts: Vec<object_store::multipart::PartId>,
        content: &Blob,
    ) -> Result<Created, BackendError> {
        let mut attempts = Attempts::new(self);
        loop {
            let sent = self.creating.complete_multipart(path, upload, parts.clone());
            // The service puts the parts together before it answers.
            let words = match self.outcome(content.len(), sent).await {
                Ok(put) => return Ok(Created::Now(self.e_tag(put.e_tag)?)),
                Err(Failure::Exists) if attempts.made == 0 => return Ok(Created::Before),
                // The upload is gone once it is complete: a try whose answer was lost leaves no other trace.
                Err(failure @ (Failure::Exists | Failure::Missing)) => match self.get(key).await? {
                    Some((found, e_tag)) if is_same(&found, content) => return Ok(Created::Now(e_tag)),
                    Some(_) => return Ok(Created::Before),
                    None if failure == Failure::Missing => {
                        return Err(self
                            .place
                            .unavailable(format_args!("the upload of `{key}` was given up by the service")));
                    }
                    None => "another request for the same key is under way".to_owned(),
                },
                Err(Failure::Temporary(words)) => words,
                Err(failure) => return Err(self.error(failure, key)),
            };
            attempts.pause(words).await?;
        }
    }

    /// An object with its ETag.
    pub(super) async fn get(&self, key: &str) -> Result<Option<(Bytes, String)>, BackendError> {
        self.get_within(key, u64::MAX).await
    }

    /// The same; refused, before it is read, if it has more than `size_max` bytes.
    pub(super) async fn get_within(&self, key: &str, size_max: u64) -> Result<Option<(Bytes, String)>, BackendError> {
        let path = Path::from(key);
        let mut attempts = Attempts::new(self);
        loop {
            let words = match self.outcome(0, self.store.get(&path)).await {
                Ok(found) if found.meta.size > size_max => {
                    let size = found.meta.size;
                    return Err(self.place.refused(format_args!("`{key}` has {size} bytes, more than {size_max}")));
                }
                Ok(found) => {
                    let e_tag = self.e_tag(found.meta.e_tag.clone())?;
                    let (length, patience) = (found.meta.size, self.patience_for(found.meta.size));
                    match tokio::time::timeout(patience, found.bytes()).await {
                        Ok(Ok(content)) if content.len() as u64 == length => return Ok(Some((content, e_tag))),
                        Ok(Ok(_)) => "the content ended early".to_owned(),
                        Ok(Err(error)) => format!("the content broke off: {error}"),
                        Err(_) => "the content came too slowly".to_owned(),
                    }
                }
                Err(Failure::Missing) => return Ok(None),
                Err(Failure::Temporary(words)) => words,
                Err(failure) => return Err(self.error(failure, key)),
            };
            attempts.pause(words).await?;
        }
    }

    /// The ETag of an object, if there is one.
    pub(super) async fn head(&self, key: &str) -> Result<Option<String>, BackendError> {
        let path = Path::from(key);
        let mut attempts = Attempts::new(self);
        loop {
            let words = match self.outcome(0, self.store.head(&path)).await {
                Ok(found) => return self.e_tag(found.e_tag).map(Some),
                Err(Failure::Missing) => return Ok(None),
                Err(Failure::Temporary(words)) => words,
                Err(failure) => return Err(self.error(failure, key)),
            };
            attempts.pause(words).await?;
        }
    }

    /// Deletes an object; it need not be there.
    pub(super) async fn delete(&self, key: &str) -> Result<(), BackendError> {
        let path = Path::from(key);
        let mut attempts = Attempts::new(self);
        loop {
            let words = match self.outcome(0, self.store.delete(&path)).await {
                Ok(()) | Err(Failure::Missing) => return Ok(()),
                Err(Failure::Temporary(words)) => words,
                Err(failure) => return Err(self.error(failure, key)),
            };
            attempts.pause(words).await?;
        }
    }

    /// The first keys that begin with `prefix` and come after `after`, in order: at most `limit`, of which one list brings
    /// 1,000.
    pub(super) async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Entry>, BackendError> {
        let options = PaginatedListOptions {
            offset: after.map(str::to_owned),
            max_keys: Some(limit.min(PAGE)),
            ..PaginatedListOptions::default()
        };
        let list = || self.store.list_paginated(Some(prefix), options.clone());
        let page = self.request(prefix, 0, list).await?;
        let entries = page.result.objects.into_iter().map(|object| {
            Ok(Entry {
                key: object.location.to_string(),
                e_tag: self.e_tag(object.e_tag)?,
                size: object.size,
                modified_at: Timestamp::from_microsecond(object.last_modified.timestamp_micros()).unwrap_or_default(),
            })
        });
        entries.collect()
    }

    /// All keys that begin with `prefix` and come after `after`, in order.
    pub(super) async fn list_all(&self, prefix: &str, after: Option<&str>) -> Result<Vec<Entry>, BackendError> {
        let mut entries = self.list(prefix, after, PAGE).await?;
        let mut read = entries.len();
        while read == PAGE {
            let page = self.list(prefix, entries.last().map(|entry| &*entry.key), PAGE).await?;
            read = page.len();
            entries.extend(page);
        }
        Ok(entries)
    }

    /// A request that may be sent as often as one likes, with so many bytes of content.
    async fn request<T, F>(&self, key: &str, length: usize, mut send: impl FnMut() -> F) -> Result<T, BackendError>
    where
        F: Future<Output = object_store::Result<T>>,
    {
        let mut attempts = Attempts::new(self);
        loop {
            match self.outcome(length, send()).await {
                Ok(answer) => return Ok(answer),
                Err(Failure::Temporary(words)) => attempts.pause(words).await?,
                Err(failure) => return Err(self.error(failure, key)),
            }
        }
    }

    async fn outcome<T>(
        &self,
        length: usize,
        sent: impl Future<Output = object_store::Result<T>>,
    ) -> Result<T, Failure> {
        match tokio::time::timeout(self.patience_for(length as u64), sent).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(Failure::of(&error, &self.bucket)),
            Err(_) => Err(Failure::Temporary("it did not answer in time".to_owned())),
        }
    }

    fn patience_for(&self, length: u64) -> Duration {
        self.patience.answer + Duration::from_secs(length / SLOWEST)
    }

    fn error(&self, failure: Failure, key: &str) -> BackendError {
        match failure {
            Failure::Refused(words) => self.place.refused(words),
            Failure::Temporary(words) => self.place.unavailable(words),
            Failure::Missing => self.place.unavailable(format_args!("`{key}` was not found where it must be")),
            Failure::Exists => self.place.unavailable(format_args!("`{key}` is being written by another request")),
        }
    }

    /// ETags are compared between requests, some of which may mark them as weak.
    fn e_tag(&self, e_tag: Option<String>) -> Result<String, BackendError> {
        let e_tag =
            e_tag.ok_or_else(|| self.place.refused("it gives no ETags, which are needed: use another service"))?;
        Ok(e_tag.trim_start_matches("W/").trim_matches('"').to_owned())
    }
}

/// Counts the tries of one request.
struct Attempts<'a> {
    client: &'a Client,
    made: u32,
}

impl<'a> Attempts<'a> {
    const fn new(client: &'a Client) -> Self {
        Self { client, made: 0 }
    }

    /// Waits before the next try; an error, if there were enough of them. `words` say what became of the last.
    async fn pause(&mut self, words: String) -> Result<(), BackendError> {
        let patience = self.client.patience;
        self.made += 1;
        if self.made >= patience.attempts {
            return Err(self.client.place.unavailable(words));
        }
        let pause = patience.first_pause.saturating_mul(1 << (self.made - 1).min(10)).min(patience.longest_pause);
        // Those who were turned away together do not come back together.
        tokio::time::sleep(pause.mul_f64(0.5 + self.client.random.unit() / 2.0)).await;
        Ok(())
    }
}
