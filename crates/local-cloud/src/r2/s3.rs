//! S3 in front of R2's rules: the `s3s` crate reads requests, checks signatures and writes answers.
//!
//! What R2 does not implement is left at that crate's default, which answers 501 `NotImplemented`; features that are asked
//! for by header are refused here, by name. <https://developers.cloudflare.com/r2/api/s3/api/>

mod auth;
mod buckets;
mod copying;
mod input;
mod listing;
mod objects;
mod refused;
mod settings;
mod uploads;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt as _;
#[allow(clippy::wildcard_imports, reason = "the trait names about eighty types of this module")]
use s3s::dto::*;
use s3s::{
    S3, S3Request, S3Response, S3Result,
    service::{S3Service, S3ServiceBuilder},
};

use super::{Core, Refusal};

pub(super) use auth::Account;
pub(super) use refused::body as error_body;

/// The operations that R2 has.
struct Backend {
    core: Arc<Core>,
}

pub(super) fn service(core: Arc<Core>, account: Account) -> S3Service {
    let mut builder = S3ServiceBuilder::new(Backend { core });
    builder.set_auth(account);
    builder.build()
}

/// Answers a request whose body was read whole.
pub(super) async fn answer(service: &S3Service, request: Request<Bytes>) -> Response<Bytes> {
    if let Some(refusal) = refused::at_once(&request) {
        return refused::answer(&refusal);
    }
    let response = match service.call(request.map(s3s::Body::from)).await {
        Ok(response) => response,
        Err(error) => {
            tracing::error!(?error, "an S3 call failed");
            return refused::answer(&Refusal::INTERNAL);
        }
    };
    let (parts, body) = response.into_parts();
    match body.collect().await {
        Ok(body) => {
            let body = body.to_bytes();
            match refused::in_our_words(parts.status, &body) {
                Some(refusal) => refused::answer(&refusal),
                None => Response::from_parts(parts, body),
            }
        }
        Err(error) => {
            tracing::error!(%error, "an S3 answer could not be read");
            refused::answer(&Refusal::INTERNAL)
        }
    }
}

type Answer<T> = S3Result<S3Response<T>>;

#[async_trait]
impl S3 for Backend {
    async fn list_buckets(&self, request: S3Request<ListBucketsInput>) -> Answer<ListBucketsOutput> {
        Ok(S3Response::new(buckets::list(&self.core, &request)))
    }

    async fn create_bucket(&self, request: S3Request<CreateBucketInput>) -> Answer<CreateBucketOutput> {
        Ok(S3Response::new(buckets::create(&self.core, &request)?))
    }

    async fn head_bucket(&self, request: S3Request<HeadBucketInput>) -> Answer<HeadBucketOutput> {
        Ok(S3Response::new(buckets::head(&self.core, &request)?))
    }

    async fn delete_bucket(&self, request: S3Request<DeleteBucketInput>) -> Answer<DeleteBucketOutput> {
        Ok(S3Response::new(buckets::delete(&self.core, &request)?))
    }

    async fn get_bucket_location(&self, request: S3Request<GetBucketLocationInput>) -> Answer<GetBucketLocationOutput> {
        Ok(S3Response::new(buckets::location(&self.core, &request)?))
    }

    async fn get_bucket_encryption(
        &self,
        request: S3Request<GetBucketEncryptionInput>,
    ) -> Answer<GetBucketEncryptionOutput> {
        Ok(S3Response::new(buckets::encryption(&self.core, &request)?))
    }

    async fn get_bucket_cors(&self, request: S3Request<GetBucketCorsInput>) -> Answer<GetBucketCorsOutput> {
        Ok(S3Response::new(settings::get_cors(&self.core, &request)?))
    }

    async fn put_bucket_cors(&self, request: S3Request<PutBucketCorsInput>) -> Answer<PutBucketCorsOutput> {
        Ok(S3Response::new(settings::put_cors(&self.core, request)?))
    }

    async fn delete_bucket_cors(&self, request: S3Request<DeleteBucketCorsInput>) -> Answer<DeleteBucketCorsOutput> {
        Ok(S3Response::new(settings::delete_cors(&self.core, &request)?))
    }

    async fn get_bucket_lifecycle_configuration(
        &self,
        request: S3Request<GetBucketLifecycleConfigurationInput>,
    ) -> Answer<GetBucketLifecycleConfigurationOutput> {
        Ok(S3Response::new(settings::get_lifecycle(&self.core, &request)?))
    }

    async fn put_bucket_lifecycle_configuration(
        &self,
        request: S3Request<PutBucketLifecycleConfigurationInput>,
    ) -> Answer<PutBucketLifecycleConfigurationOutput> {
        Ok(S3Response::new(settings::put_lifecycle(&self.core, request)?))
    }

    async fn list_objects(&self, request: S3Request<ListObjectsInput>) -> Answer<ListObjectsOutput> {
        Ok(S3Response::new(listing::version_1(&self.core, request)?))
    }

    async fn list_objects_v2(&self, request: S3Request<ListObjectsV2Input>) -> Answer<ListObjectsV2Output> {
        Ok(S3Response::new(listing::version_2(&self.core, request)?))
    }

    async fn put_object(&self, request: S3Request<PutObjectInput>) -> Answer<PutObjectOutput> {
        Ok(S3Response::new(objects::put(&self.core, request).await?))
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> Answer<GetObjectOutput> {
        Ok(S3Response::new(objects::get(&self.core, request).await?))
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> Answer<HeadObjectOutput> {
        objects::head(&self.core, &request)
    }

    /// Uploads from HTML forms are not R2's; that crate would make them of `put_object`.
    async fn post_object(&self, _: S3Request<PostObjectInput>) -> Answer<PostObjectOutput> {
        Err(Refusal::NOT_IMPLEMENTED.saying("PostObject is not implemented").into())
    }

    async fn delete_object(&self, request: S3Request<DeleteObjectInput>) -> Answer<DeleteObjectOutput> {
        Ok(S3Response::new(objects::delete(&self.core, &request)?))
    }

    async fn delete_objects(&self, request: S3Request<DeleteObjectsInput>) -> Answer<DeleteObjectsOutput> {
        Ok(S3Response::new(objects::delete_many(&self.core, request)?))
    }

    async fn copy_object(&self, request: S3Request<CopyObjectInput>) -> Answer<CopyObjectOutput> {
        Ok(S3Response::new(copying::copy(&self.core, request)?))
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> Answer<CreateMultipartUploadOutput> {
        Ok(S3Response::new(uploads::create(&self.core, request)?))
    }

    async fn upload_part(&self, request: S3Request<UploadPartInput>) -> Answer<UploadPartOutput> {
        Ok(S3Response::new(uploads::put_part(&self.core, request).await?))
    }

    async fn upload_part_copy(&self, request: S3Request<UploadPartCopyInput>) -> Answer<UploadPartCopyOutput> {
        Ok(S3Response::new(copying::copy_part(&self.core, request).await?))
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> Answer<CompleteMultipartUploadOutput> {
        Ok(S3Response::new(uploads::complete(&self.core, request)?))
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> Answer<AbortMultipartUploadOutput> {
        Ok(S3Response::new(uploads::abort(&self.core, &request)?))
    }

    async fn list_parts(&self, request: S3Request<ListPartsInput>) -> Answer<ListPartsOutput> {
        Ok(S3Response::new(uploads::list_parts(&self.core, request)?))
    }

    async fn list_multipart_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> Answer<ListMultipartUploadsOutput> {
        Ok(S3Response::new(uploads::list(&self.core, request)?))
    }
}
