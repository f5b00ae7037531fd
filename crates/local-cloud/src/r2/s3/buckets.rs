//! Buckets over S3.

use s3s::{
    S3Request, S3Result,
    dto::{
        Bucket, BucketLocationConstraint, CreateBucketInput, CreateBucketOutput, DeleteBucketInput, DeleteBucketOutput,
        GetBucketEncryptionInput, GetBucketEncryptionOutput, GetBucketLocationInput, GetBucketLocationOutput,
        HeadBucketInput, HeadBucketOutput, ListBucketsInput, ListBucketsOutput, ServerSideEncryption,
        ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration, ServerSideEncryptionRule,
    },
};

use super::input::{bucket_name, jurisdiction, timestamp};
use crate::r2::{Core, Location, Refusal, StorageClass};

pub(super) fn list(core: &Core, request: &S3Request<ListBucketsInput>) -> ListBucketsOutput {
    let jurisdiction = jurisdiction(request);
    let prefix = request.input.prefix.as_deref().unwrap_or_default();
    let world = core.world();
    let buckets = world.buckets.values();
    let buckets = buckets
        .filter(|bucket| bucket.name.jurisdiction == jurisdiction && bucket.name.name.starts_with(prefix))
        .map(|bucket| Bucket {
            name: Some(bucket.name.name.clone()),
            creation_date: Some(timestamp(bucket.created)),
            ..Bucket::default()
        })
        .collect();
    ListBucketsOutput { buckets: Some(buckets), ..ListBucketsOutput::default() }
}

pub(super) fn create(core: &Core, request: &S3Request<CreateBucketInput>) -> S3Result<CreateBucketOutput> {
    let wanted = request.input.create_bucket_configuration.as_ref();
    let constraint = wanted.and_then(|wanted| wanted.location_constraint.as_ref());
    let hint = match constraint.map(BucketLocationConstraint::as_str) {
        None | Some("" | "auto" | "us-east-1") => None,
        Some(text) => Some(Location::parse(text).ok_or_else(|| {
            Refusal { name: "InvalidLocationConstraint", ..Refusal::INVALID_ARGUMENT }
                .saying("The specified location constraint is not valid.")
        })?),
    };
    let name = bucket_name(request, &request.input.bucket);
    let id = core.random_hex(16);
    core.world().create_bucket(name, id, hint, StorageClass::default(), core.now())?;
    core.note_change();
    Ok(CreateBucketOutput { location: Some(format!("/{}", request.input.bucket)) })
}

pub(super) fn head(core: &Core, request: &S3Request<HeadBucketInput>) -> S3Result<HeadBucketOutput> {
    core.world().bucket(&bucket_name(request, &request.input.bucket))?;
    Ok(HeadBucketOutput { bucket_region: Some("auto".to_owned()), ..HeadBucketOutput::default() })
}

pub(super) fn delete(core: &Core, request: &S3Request<DeleteBucketInput>) -> S3Result<DeleteBucketOutput> {
    core.world().delete_bucket(&bucket_name(request, &request.input.bucket))?;
    core.note_change();
    Ok(DeleteBucketOutput::default())
}

pub(super) fn location(core: &Core, request: &S3Request<GetBucketLocationInput>) -> S3Result<GetBucketLocationOutput> {
    let location = core.world().bucket(&bucket_name(request, &request.input.bucket))?.location;
    let constraint = BucketLocationConstraint::from(location.as_str().to_ascii_uppercase());
    Ok(GetBucketLocationOutput { location_constraint: Some(constraint) })
}

/// All that R2 keeps is encrypted, with keys of its own.
/// <https://developers.cloudflare.com/r2/reference/data-security/>
pub(super) fn encryption(
    core: &Core,
    request: &S3Request<GetBucketEncryptionInput>,
) -> S3Result<GetBucketEncryptionOutput> {
    core.world().bucket(&bucket_name(request, &request.input.bucket))?;
    let by_default = ServerSideEncryptionByDefault {
        kms_master_key_id: None,
        sse_algorithm: ServerSideEncryption::from_static(ServerSideEncryption::AES256),
    };
    let rule = ServerSideEncryptionRule {
        apply_server_side_encryption_by_default: Some(by_default),
        bucket_key_enabled: Some(true),
    };
    let configuration = ServerSideEncryptionConfiguration { rules: vec![rule] };
    Ok(GetBucketEncryptionOutput { server_side_encryption_configuration: Some(configuration) })
}
