//! What S3 requests say, in our words.

use bytes::Bytes;
use futures::TryStreamExt as _;
use http::{HeaderMap, header};
use jiff::Timestamp as Instant;
use s3s::{
    S3Error, S3Request, S3Result, TrailingHeaders,
    dto::{ETag, Metadata, StorageClass as S3StorageClass, StreamingBlob, Timestamp, TimestampFormat},
};

use crate::r2::{
    BucketName, Jurisdiction, Refusal, StorageClass,
    checksum::{self, Algorithm, Checksums},
    limits,
    object::Description,
};

/// The bucket that a request names, in the jurisdiction of its endpoint.
pub(super) fn bucket_name<T>(request: &S3Request<T>, name: &str) -> BucketName {
    BucketName { jurisdiction: jurisdiction(request), name: name.to_owned() }
}

pub(super) fn jurisdiction<T>(request: &S3Request<T>) -> Jurisdiction {
    let host = request.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    Jurisdiction::of_host(host.unwrap_or_default())
}

/// A body and the checksums that it came with, all of which match.
pub(super) async fn body<T>(
    request: &S3Request<T>,
    body: Option<StreamingBlob>,
    length: Option<i64>,
) -> S3Result<(Bytes, Checksums)> {
    // Reading to the end also checks the signed digest.
    let chunks: Vec<Bytes> = match body {
        None => Vec::new(),
        Some(body) => body.try_collect().await.map_err(|error| {
            tracing::debug!(%error, "the body of an S3 call could not be read");
            S3Error::from(Refusal::BAD_DIGEST.saying("The body is not what was signed."))
        })?,
    };
    let bytes = match <[Bytes; 1]>::try_from(chunks) {
        Ok([one]) => one,
        Err(chunks) => Bytes::from(chunks.concat()),
    };
    if length.is_some_and(|length| u64::try_from(length) != Ok(bytes.len() as u64)) {
        return Err(Refusal::INCOMPLETE_BODY.into());
    }
    let trailers: Option<HeaderMap> = request.trailing_headers.as_ref().and_then(TrailingHeaders::take);
    let checksums = checksum::check(&request.headers, trailers.as_ref(), &bytes)?;
    Ok((bytes, checksums))
}

/// What headers say about an object.
pub(super) struct Said {
    pub(super) content_type: Option<String>,
    pub(super) content_encoding: Option<String>,
    pub(super) content_disposition: Option<String>,
    pub(super) content_language: Option<String>,
    pub(super) cache_control: Option<String>,
    pub(super) expires: Option<Timestamp>,
    pub(super) metadata: Option<Metadata>,
    pub(super) storage_class: Option<S3StorageClass>,
}

/// Takes the headers of an object out of an input.
macro_rules! said {
    ($input:expr) => {
        $crate::r2::s3::input::Said {
            content_type: $input.content_type.take(),
            content_encoding: $input.content_encoding.take(),
            content_disposition: $input.content_disposition.take(),
            content_language: $input.content_language.take(),
            cache_control: $input.cache_control.take(),
            expires: $input.expires.take(),
            metadata: $input.metadata.take(),
            storage_class: $input.storage_class.take(),
        }
    };
}
pub(super) use said;

impl Said {
    /// The description of an object in a bucket with this storage class.
    pub(super) fn description(self, default: StorageClass) -> Result<Description, Refusal> {
        let storage_class = match &self.storage_class {
            None => default,
            Some(class) => StorageClass::of_s3(class.as_str()).ok_or_else(|| {
                Refusal { name: "InvalidStorageClass", ..Refusal::INVALID_ARGUMENT }
                    .saying("The storage class you specified is not valid.")
            })?,
        };
        // Chunks are how a body came, not what it is.
        let encoding = self.content_encoding.map(|encoding| {
            let kept = encoding.split(',').map(str::trim).filter(|word| *word != "aws-chunked");
            kept.collect::<Vec<_>>().join(", ")
        });
        let description = Description {
            content_type: self.content_type,
            content_encoding: encoding.filter(|encoding| !encoding.is_empty()),
            content_disposition: self.content_disposition,
            content_language: self.content_language,
            cache_control: self.cache_control,
            expires: self.expires.as_ref().map(instant),
            metadata: self.metadata.unwrap_or_default().into_iter().collect(),
            storage_class,
        };
        if description.metadata_bytes() > limits::METADATA_BYTES {
            return Err(Refusal::METADATA_TOO_LARGE);
        }
        Ok(description)
    }
}

/// A time as we have it. That crate shows its own only as text.
pub(super) fn instant(time: &Timestamp) -> Instant {
    let mut text = Vec::new();
    let written = time.format(TimestampFormat::DateTime, &mut text);
    let parsed = std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok());
    written.ok().and(parsed).unwrap_or(Instant::UNIX_EPOCH)
}

pub(super) fn timestamp(time: Instant) -> Timestamp {
    Timestamp::from(std::time::SystemTime::from(time))
}

pub(super) fn etag(object: &str) -> ETag {
    ETag::Strong(object.to_owned())
}

/// One checksum in the form of an answer.
pub(super) fn sum(checksums: &Checksums, algorithm: Algorithm) -> Option<String> {
    checksums.get(&algorithm).cloned()
}

/// How many items a page may have.
pub(super) fn page_limit(asked: Option<i32>) -> Result<usize, Refusal> {
    let asked = asked.map(usize::try_from).transpose();
    let asked = asked.map_err(|_| Refusal::INVALID_ARGUMENT.saying("The size of a page cannot be negative."))?;
    Ok(asked.unwrap_or(limits::PAGE).min(limits::PAGE))
}
