//! Copies within R2: of objects, and into parts of uploads.

use std::sync::Arc;

use s3s::{
    S3Request, S3Result,
    dto::{
        CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopyPartResult, CopySource, MetadataDirective, Range,
        UploadPartCopyInput, UploadPartCopyOutput,
    },
};

use super::{
    input::{bucket_name, etag, said, timestamp},
    uploads::checked_number,
};
use crate::r2::{
    Core, Refusal,
    checksum::{Checksums, md5_hex},
    conditions::{Conditions, Reading},
    object::{Object, Part},
};

/// The object that a copy is made from, if its conditions let it through: a condition that does not hold is 412 here,
/// whichever it is.
fn source<T>(core: &Core, request: &S3Request<T>, source: &CopySource) -> S3Result<Arc<Object>> {
    let CopySource::Bucket { bucket, key, version_id: None } = source else {
        return Err(Refusal::NOT_IMPLEMENTED.saying("Objects are copied from buckets, and have no versions.").into());
    };
    let object = core.world().object(&bucket_name(request, bucket), key)?;
    match Conditions::of(&request.headers, "x-amz-copy-source-")?.read(&object) {
        Reading::Given => Ok(object),
        Reading::NotModified | Reading::Failed => Err(Refusal::PRECONDITION_FAILED.into()),
    }
}

pub(super) fn copy(core: &Core, mut request: S3Request<CopyObjectInput>) -> S3Result<CopyObjectOutput> {
    let from = source(core, &request, &request.input.copy_source)?;
    let name = bucket_name(&request, &request.input.bucket);
    let conditions = Conditions::of(&request.headers, "cf-copy-destination-")?;
    let class = core.world().bucket(&name)?.storage_class;
    let replace = request.input.metadata_directive.as_ref();
    let replace = replace.is_some_and(|directive| directive.as_str() == MetadataDirective::REPLACE);
    let named_class = request.input.storage_class.is_some();
    let said = said!(request.input).description(class)?;
    let description = if replace {
        said
    } else {
        let mut kept = from.description.clone();
        kept.storage_class = if named_class { said.storage_class } else { class };
        kept
    };
    let now = core.now();
    let object = Object { modified: now, description, ..Object::clone(&from) };
    let object = core.world().put(&name, request.input.key, object, &conditions, now)?;
    core.note_change();
    Ok(CopyObjectOutput {
        copy_object_result: Some(CopyObjectResult {
            e_tag: Some(etag(&object.etag)),
            last_modified: Some(timestamp(object.modified)),
            ..CopyObjectResult::default()
        }),
        ..CopyObjectOutput::default()
    })
}

pub(super) async fn copy_part(core: &Core, request: S3Request<UploadPartCopyInput>) -> S3Result<UploadPartCopyOutput> {
    let from = source(core, &request, &request.input.copy_source)?;
    let name = bucket_name(&request, &request.input.bucket);
    let input = request.input;
    let number = checked_number(input.part_number)?;
    core.world().upload(&name, &input.key, &input.upload_id)?;
    let whole = core.read(&from.contents).await?;
    let bytes = match input.copy_source_range.as_deref().map(Range::parse) {
        None => whole,
        Some(Ok(range)) => {
            let range = range.check(whole.len() as u64).map_err(|_| Refusal::INVALID_RANGE)?;
            let place = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(whole.len());
            whole.slice(place(range.start)..place(range.end))
        }
        Some(Err(_)) => return Err(Refusal::INVALID_ARGUMENT.saying("The range of the source is no range.").into()),
    };
    let etag_text = md5_hex(&bytes);
    let content = core.keep(bytes).await?;
    let now = core.now();
    let part = Part { etag: etag_text.clone(), modified: now, checksums: Checksums::new(), contents: vec![content] };
    let written = core.world().put_part(&name, &input.key, &input.upload_id, number, part);
    core.note_change();
    written?;
    let result =
        CopyPartResult { e_tag: Some(etag(&etag_text)), last_modified: Some(timestamp(now)), ..Default::default() };
    Ok(UploadPartCopyOutput { copy_part_result: Some(result), ..UploadPartCopyOutput::default() })
}
