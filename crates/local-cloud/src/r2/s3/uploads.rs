//! Uploads in parts over S3.

use std::collections::BTreeMap;

use s3s::{
    S3Request, S3Result,
    dto::{
        AbortMultipartUploadInput, AbortMultipartUploadOutput, CompleteMultipartUploadInput,
        CompleteMultipartUploadOutput, CreateMultipartUploadInput, CreateMultipartUploadOutput, ETag,
        ListMultipartUploadsInput, ListMultipartUploadsOutput, ListPartsInput, ListPartsOutput, MultipartUpload,
        Part as S3Part, StorageClass, UploadPartInput, UploadPartOutput,
    },
};

use super::{
    input::{body, bucket_name, etag, page_limit, said, sum, timestamp},
    listing::text,
};
use crate::r2::{
    Core, Refusal,
    checksum::{Algorithm, md5_hex},
    conditions::Conditions,
    limits,
    object::{Part, Upload},
};

pub(super) fn create(
    core: &Core,
    mut request: S3Request<CreateMultipartUploadInput>,
) -> S3Result<CreateMultipartUploadOutput> {
    let name = bucket_name(&request, &request.input.bucket);
    let conditions = Conditions::of(&request.headers, "")?;
    let class = core.world().bucket(&name)?.storage_class;
    let description = said!(request.input).description(class)?;
    let (key, id) = (request.input.key, core.random_hex(32));
    let upload = Upload { key: key.clone(), started: core.now(), description, parts: BTreeMap::new() };
    core.world().begin_upload(&name, id.clone(), upload, &conditions)?;
    core.note_change();
    Ok(CreateMultipartUploadOutput {
        bucket: Some(name.name),
        key: Some(key),
        upload_id: Some(id),
        checksum_algorithm: request.input.checksum_algorithm,
        checksum_type: request.input.checksum_type,
        ..CreateMultipartUploadOutput::default()
    })
}

/// The number of a part, if there may be one with it.
pub(super) fn checked_number(number: i32) -> Result<i32, Refusal> {
    if (1..=limits::PARTS).contains(&number) {
        Ok(number)
    } else {
        Err(Refusal::INVALID_ARGUMENT.saying("Part number must be an integer between 1 and 10000, inclusive."))
    }
}

pub(super) async fn put_part(core: &Core, mut request: S3Request<UploadPartInput>) -> S3Result<UploadPartOutput> {
    let name = bucket_name(&request, &request.input.bucket);
    let number = checked_number(request.input.part_number)?;
    core.world().upload(&name, &request.input.key, &request.input.upload_id)?;
    let (given, length) = (request.input.body.take(), request.input.content_length);
    let (bytes, checksums) = body(&request, given, length).await?;
    let etag_text = md5_hex(&bytes);
    let content = core.keep(bytes).await?;
    let sums = checksums.clone();
    let part = Part { etag: etag_text.clone(), modified: core.now(), checksums, contents: vec![content] };
    let written = core.world().put_part(&name, &request.input.key, &request.input.upload_id, number, part);
    core.note_change();
    written?;
    Ok(UploadPartOutput {
        e_tag: Some(etag(&etag_text)),
        checksum_crc32: sum(&sums, Algorithm::Crc32),
        checksum_crc32c: sum(&sums, Algorithm::Crc32c),
        checksum_crc64nvme: sum(&sums, Algorithm::Crc64nvme),
        checksum_sha1: sum(&sums, Algorithm::Sha1),
        checksum_sha256: sum(&sums, Algorithm::Sha256),
        ..UploadPartOutput::default()
    })
}

pub(super) fn complete(
    core: &Core,
    request: S3Request<CompleteMultipartUploadInput>,
) -> S3Result<CompleteMultipartUploadOutput> {
    let name = bucket_name(&request, &request.input.bucket);
    let conditions = Conditions::of(&request.headers, "")?;
    let input = request.input;
    let asked = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
    let mut wanted = Vec::with_capacity(asked.len());
    for part in asked {
        let number = part.part_number.ok_or(Refusal::MALFORMED)?;
        wanted.push((number, part.e_tag.map(ETag::into_value).ok_or(Refusal::MALFORMED)?));
    }
    let now = core.now();
    let object = core.world().complete_upload(&name, &input.key, &input.upload_id, &wanted, &conditions, now)?;
    core.note_change();
    let sums = &object.checksums;
    Ok(CompleteMultipartUploadOutput {
        location: Some(format!("/{}/{}", name.name, input.key)),
        bucket: Some(name.name),
        key: Some(input.key),
        e_tag: Some(etag(&object.etag)),
        checksum_crc32: sum(sums, Algorithm::Crc32),
        checksum_crc32c: sum(sums, Algorithm::Crc32c),
        checksum_sha1: sum(sums, Algorithm::Sha1),
        checksum_sha256: sum(sums, Algorithm::Sha256),
        ..CompleteMultipartUploadOutput::default()
    })
}

pub(super) fn abort(
    core: &Core,
    request: &S3Request<AbortMultipartUploadInput>,
) -> S3Result<AbortMultipartUploadOutput> {
    let input = &request.input;
    core.world().abort_upload(&bucket_name(request, &input.bucket), &input.key, &input.upload_id)?;
    core.note_change();
    Ok(AbortMultipartUploadOutput::default())
}

pub(super) fn list_parts(core: &Core, request: S3Request<ListPartsInput>) -> S3Result<ListPartsOutput> {
    let name = bucket_name(&request, &request.input.bucket);
    let input = request.input;
    let limit = page_limit(input.max_parts)?;
    let world = core.world();
    let upload = world.upload(&name, &input.key, &input.upload_id)?;
    let behind = input.part_number_marker.unwrap_or_default();
    let mut parts: Vec<S3Part> = upload
        .parts
        .iter()
        .filter(|(number, _)| **number > behind)
        .take(limit + 1)
        .map(|(number, part)| S3Part {
            part_number: Some(*number),
            e_tag: Some(etag(&part.etag)),
            last_modified: Some(timestamp(part.modified)),
            size: i64::try_from(part.size()).ok(),
            ..S3Part::default()
        })
        .collect();
    let more = parts.len() > limit;
    parts.truncate(limit);
    Ok(ListPartsOutput {
        bucket: Some(name.name),
        is_truncated: Some(more),
        max_parts: i32::try_from(limit).ok(),
        next_part_number_marker: more.then(|| parts.last().and_then(|part| part.part_number)).flatten(),
        part_number_marker: input.part_number_marker,
        parts: Some(parts),
        storage_class: Some(StorageClass::from(upload.description.storage_class.s3().to_owned())),
        key: Some(input.key),
        upload_id: Some(input.upload_id),
        ..ListPartsOutput::default()
    })
}

pub(super) fn list(core: &Core, request: S3Request<ListMultipartUploadsInput>) -> S3Result<ListMultipartUploadsOutput> {
    let name = bucket_name(&request, &request.input.bucket);
    let input = request.input;
    if input.delimiter.is_some() {
        return Err(Refusal::NOT_IMPLEMENTED.saying("Uploads are listed without delimiter here.").into());
    }
    let limit = page_limit(input.max_uploads)?;
    let prefix = input.prefix.unwrap_or_default();
    let url = input.encoding_type.as_ref().is_some_and(|kind| kind.as_str() == "url");
    let world = core.world();
    let mut found: Vec<(&str, &str, &Upload)> = world
        .bucket(&name)?
        .uploads
        .iter()
        .map(|(id, upload)| (upload.key.as_str(), id.as_str(), upload))
        .filter(|(key, _, _)| key.starts_with(&prefix))
        .filter(|(key, id, _)| match (&input.key_marker, &input.upload_id_marker) {
            (Some(marker), None) => *key > marker.as_str(),
            (Some(marker), Some(behind)) => (*key, *id) > (marker.as_str(), behind.as_str()),
            (None, _) => true,
        })
        .collect();
    found.sort_unstable_by_key(|(key, id, _)| (*key, *id));
    let more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().filter(|_| more);
    let shown = |(key, id, upload): &(&str, &str, &Upload)| MultipartUpload {
        key: Some(text(key, url)),
        upload_id: Some((*id).to_owned()),
        initiated: Some(timestamp(upload.started)),
        storage_class: Some(StorageClass::from(upload.description.storage_class.s3().to_owned())),
        ..MultipartUpload::default()
    };
    Ok(ListMultipartUploadsOutput {
        bucket: Some(name.name.clone()),
        is_truncated: Some(more),
        max_uploads: i32::try_from(limit).ok(),
        next_key_marker: last.map(|(key, _, _)| text(key, url)),
        next_upload_id_marker: last.map(|(_, id, _)| (*id).to_owned()),
        uploads: Some(found.iter().map(shown).collect()),
        prefix: Some(text(&prefix, url)),
        key_marker: input.key_marker,
        upload_id_marker: input.upload_id_marker,
        encoding_type: input.encoding_type,
        ..ListMultipartUploadsOutput::default()
    })
}
