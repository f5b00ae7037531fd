//! Objects over S3: put, get, head, delete.

use std::sync::Arc;

use bytes::Bytes;
use s3s::{
    S3Error, S3ErrorCode, S3Request, S3Response, S3Result,
    dto::{
        ChecksumMode, ChecksumType, DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput,
        DeletedObject, Error, GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput, PutObjectInput,
        PutObjectOutput, Range, StorageClass, StreamingBlob,
    },
};

use super::input::{body, bucket_name, etag, said, sum, timestamp};
use crate::r2::{
    Core, Refusal,
    checksum::{Algorithm, Checksums, md5_hex},
    conditions::{Conditions, Reading},
    limits,
    object::Object,
};

pub(super) async fn put(core: &Core, mut request: S3Request<PutObjectInput>) -> S3Result<PutObjectOutput> {
    let name = bucket_name(&request, &request.input.bucket);
    let conditions = Conditions::of(&request.headers, "")?;
    let class = core.world().bucket(&name)?.storage_class;
    let description = said!(request.input).description(class)?;
    let (given, length) = (request.input.body.take(), request.input.content_length);
    let (bytes, checksums) = body(&request, given, length).await?;
    let etag_text = md5_hex(&bytes);
    let content = core.keep(bytes).await?;
    let now = core.now();
    let object = Object { etag: etag_text, modified: now, description, checksums, contents: vec![content] };
    let written = core.world().put(&name, request.input.key, object, &conditions, now);
    // A refusal too: the file that was kept in vain goes with the next save.
    core.note_change();
    let object = written?;
    let sums = &object.checksums;
    Ok(PutObjectOutput {
        e_tag: Some(etag(&object.etag)),
        checksum_crc32: sum(sums, Algorithm::Crc32),
        checksum_crc32c: sum(sums, Algorithm::Crc32c),
        checksum_crc64nvme: sum(sums, Algorithm::Crc64nvme),
        checksum_sha1: sum(sums, Algorithm::Sha1),
        checksum_sha256: sum(sums, Algorithm::Sha256),
        ..PutObjectOutput::default()
    })
}

/// An object that the conditions of a read let through.
fn readable(core: &Core, request: &S3Request<impl Sized>, bucket: &str, key: &str) -> S3Result<Arc<Object>> {
    let conditions = Conditions::of(&request.headers, "")?;
    let object = core.world().object(&bucket_name(request, bucket), key)?;
    match conditions.read(&object) {
        Reading::Given => Ok(object),
        Reading::NotModified => {
            let mut error = S3Error::new(S3ErrorCode::NotModified);
            let mut headers = http::HeaderMap::new();
            if let Ok(value) = etag(&object.etag).to_http_header() {
                headers.insert(http::header::ETAG, value);
            }
            error.set_headers(headers);
            Err(error)
        }
        Reading::Failed => Err(Refusal::PRECONDITION_FAILED.into()),
    }
}

/// The part of an object that is asked for: first byte, end, and the range as the answer tells it.
fn extent(object: &Object, range: Option<&Range>, part: Option<i32>) -> S3Result<(u64, u64, Option<String>)> {
    let size = object.size();
    if let Some(number) = part {
        let place = usize::try_from(number).ok().filter(|place| (1..=object.contents.len()).contains(place));
        let place = place.ok_or(Refusal { name: "InvalidPartNumber", ..Refusal::INVALID_RANGE })?;
        let first: u64 = object.contents[..place - 1].iter().map(|content| content.length()).sum();
        let end = first + object.contents[place - 1].length();
        let told = (end > first).then(|| format!("bytes {first}-{}/{size}", end - 1));
        return Ok((first, end, told));
    }
    let Some(range) = range else { return Ok((0, size, None)) };
    let range = range.check(size).map_err(|_| Refusal::INVALID_RANGE)?;
    if range.is_empty() {
        return Ok((0, size, None));
    }
    let told = format!("bytes {}-{}/{size}", range.start, range.end - 1);
    Ok((range.start, range.end, Some(told)))
}

/// Checksums are told to whom asks, and only for the whole.
fn told(object: &Object, mode: Option<&ChecksumMode>, whole: bool) -> (Checksums, Option<ChecksumType>) {
    if !whole || mode.is_none_or(|mode| mode.as_str() != ChecksumMode::ENABLED) || object.checksums.is_empty() {
        return (Checksums::new(), None);
    }
    let kind = if object.parts() > 0 { ChecksumType::COMPOSITE } else { ChecksumType::FULL_OBJECT };
    (object.checksums.clone(), Some(ChecksumType::from_static(kind)))
}

fn length(bytes: u64) -> Option<i64> {
    i64::try_from(bytes).ok()
}

pub(super) async fn get(core: &Core, request: S3Request<GetObjectInput>) -> S3Result<GetObjectOutput> {
    let object = readable(core, &request, &request.input.bucket, &request.input.key)?;
    let input = request.input;
    let (first, end, range) = extent(&object, input.range.as_ref(), input.part_number)?;
    let whole = core.read(&object.contents).await?;
    let place = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(whole.len());
    let bytes: Bytes = whole.slice(place(first)..place(end));
    let (sums, kind) = told(&object, input.checksum_mode.as_ref(), range.is_none());
    let description = &object.description;
    Ok(GetObjectOutput {
        accept_ranges: Some("bytes".to_owned()),
        body: Some(StreamingBlob::from(s3s::Body::from(bytes))),
        cache_control: description.cache_control.clone(),
        checksum_crc32: sum(&sums, Algorithm::Crc32),
        checksum_crc32c: sum(&sums, Algorithm::Crc32c),
        checksum_crc64nvme: sum(&sums, Algorithm::Crc64nvme),
        checksum_sha1: sum(&sums, Algorithm::Sha1),
        checksum_sha256: sum(&sums, Algorithm::Sha256),
        checksum_type: kind,
        content_disposition: description.content_disposition.clone(),
        content_encoding: description.content_encoding.clone(),
        content_language: description.content_language.clone(),
        content_length: length(end - first),
        content_range: range,
        content_type: Some(content_type(&object)),
        e_tag: Some(etag(&object.etag)),
        expires: description.expires.map(timestamp),
        last_modified: Some(timestamp(object.modified)),
        metadata: Some(description.metadata.clone().into_iter().collect()),
        parts_count: parts_count(&object, input.part_number),
        storage_class: Some(StorageClass::from(description.storage_class.s3().to_owned())),
        ..GetObjectOutput::default()
    })
}

fn content_type(object: &Object) -> String {
    object.description.content_type.clone().unwrap_or_else(|| "application/octet-stream".to_owned())
}

fn parts_count(object: &Object, part: Option<i32>) -> Option<i32> {
    part.and_then(|_| i32::try_from(object.parts()).ok()).filter(|parts| *parts > 0)
}

pub(super) fn head(core: &Core, request: &S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
    let input = &request.input;
    let object = readable(core, request, &input.bucket, &input.key)?;
    let (first, end, range) = extent(&object, input.range.as_ref(), input.part_number)?;
    let (sums, kind) = told(&object, input.checksum_mode.as_ref(), range.is_none());
    let description = &object.description;
    let partial = range.is_some();
    let output = HeadObjectOutput {
        accept_ranges: Some("bytes".to_owned()),
        cache_control: description.cache_control.clone(),
        checksum_crc32: sum(&sums, Algorithm::Crc32),
        checksum_crc32c: sum(&sums, Algorithm::Crc32c),
        checksum_crc64nvme: sum(&sums, Algorithm::Crc64nvme),
        checksum_sha1: sum(&sums, Algorithm::Sha1),
        checksum_sha256: sum(&sums, Algorithm::Sha256),
        checksum_type: kind,
        content_disposition: description.content_disposition.clone(),
        content_encoding: description.content_encoding.clone(),
        content_language: description.content_language.clone(),
        content_length: length(end - first),
        content_range: range,
        content_type: Some(content_type(&object)),
        e_tag: Some(etag(&object.etag)),
        expires: description.expires.map(timestamp),
        last_modified: Some(timestamp(object.modified)),
        metadata: Some(description.metadata.clone().into_iter().collect()),
        parts_count: parts_count(&object, input.part_number),
        storage_class: Some(StorageClass::from(description.storage_class.s3().to_owned())),
        ..HeadObjectOutput::default()
    };
    let status = if partial { http::StatusCode::PARTIAL_CONTENT } else { http::StatusCode::OK };
    Ok(S3Response::with_status(output, status))
}

/// Deletes whatever any condition says: R2 documents none for deletions.
/// <https://developers.cloudflare.com/r2/api/s3/extensions/>
pub(super) fn delete(core: &Core, request: &S3Request<DeleteObjectInput>) -> S3Result<DeleteObjectOutput> {
    let name = bucket_name(request, &request.input.bucket);
    core.world().delete(&name, &request.input.key, core.now())?;
    core.note_change();
    Ok(DeleteObjectOutput::default())
}

pub(super) fn delete_many(core: &Core, request: S3Request<DeleteObjectsInput>) -> S3Result<DeleteObjectsOutput> {
    let name = bucket_name(&request, &request.input.bucket);
    let asked = request.input.delete;
    if asked.objects.is_empty() || asked.objects.len() > limits::PAGE {
        return Err(Refusal::MALFORMED.saying("Between 1 and 1,000 keys can be deleted at once.").into());
    }
    let now = core.now();
    let mut world = core.world();
    world.bucket(&name)?;
    let (mut deleted, mut errors) = (Vec::new(), Vec::new());
    for wanted in asked.objects {
        let key = Some(wanted.key.clone());
        match world.delete(&name, &wanted.key, now) {
            Ok(()) => deleted.push(DeletedObject { key, ..DeletedObject::default() }),
            Err(refusal) => errors.push(Error {
                code: Some(refusal.name.to_owned()),
                key,
                message: Some(refusal.text.into_owned()),
                version_id: None,
            }),
        }
    }
    drop(world);
    core.note_change();
    Ok(DeleteObjectsOutput {
        deleted: (!asked.quiet.unwrap_or_default()).then_some(deleted),
        errors: (!errors.is_empty()).then_some(errors),
        ..DeleteObjectsOutput::default()
    })
}
