//! What R2 refuses: number, name and HTTP status as clients see them, over S3 and over the REST API.
//!
//! <https://developers.cloudflare.com/r2/api/error-codes/>; texts are those of that page or of public threads, and no
//! client may lean on them.

use std::borrow::Cow;

use http::StatusCode;

/// One refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The number that the REST API and Workers tell.
    pub(crate) number: u32,
    /// The `Code` that S3 tells.
    pub(crate) name: &'static str,
    pub(crate) status: StatusCode,
    pub(crate) text: Cow<'static, str>,
}

impl Refusal {
    const fn new(number: u32, name: &'static str, status: StatusCode, text: &'static str) -> Self {
        Self { number, name, status, text: Cow::Borrowed(text) }
    }

    /// The same with another text.
    pub(crate) fn saying(mut self, text: impl Into<Cow<'static, str>>) -> Self {
        self.text = text.into();
        self
    }

    pub(crate) const INTERNAL: Self = Self::new(
        10_001,
        "InternalError",
        StatusCode::INTERNAL_SERVER_ERROR,
        "We encountered an internal error. Please try again.",
    );
    pub(crate) const UNAUTHORIZED: Self = Self::new(10_002, "Unauthorized", StatusCode::UNAUTHORIZED, "Unauthorized");
    pub(crate) const BUCKET_EXISTS: Self = Self::new(
        10_073,
        "BucketConflict",
        StatusCode::CONFLICT,
        "The bucket you tried to create already exists, and you own it.",
    );
    pub(crate) const INVALID_BUCKET_NAME: Self =
        Self::new(10_005, "InvalidBucketName", StatusCode::BAD_REQUEST, "The specified bucket name is not valid.");
    pub(crate) const NO_SUCH_BUCKET: Self =
        Self::new(10_006, "NoSuchBucket", StatusCode::NOT_FOUND, "The specified bucket does not exist.");
    pub(crate) const NO_SUCH_KEY: Self =
        Self::new(10_007, "NoSuchKey", StatusCode::NOT_FOUND, "The specified key does not exist.");
    pub(crate) const BUCKET_NOT_EMPTY: Self =
        Self::new(10_008, "BucketNotEmpty", StatusCode::CONFLICT, "The bucket you tried to delete is not empty");
    pub(crate) const ENTITY_TOO_SMALL: Self = Self::new(
        10_011,
        "EntityTooSmall",
        StatusCode::BAD_REQUEST,
        "Your proposed upload is smaller than the minimum allowed object size.",
    );
    pub(crate) const METADATA_TOO_LARGE: Self = Self::new(
        10_012,
        "MetadataTooLarge",
        StatusCode::BAD_REQUEST,
        "Your metadata headers exceed the maximum allowed metadata size.",
    );
    pub(crate) const INCOMPLETE_BODY: Self =
        Self::new(10_013, "IncompleteBody", StatusCode::BAD_REQUEST, "The request body terminated unexpectedly.");
    pub(crate) const EXPIRED: Self =
        Self::new(10_018, "ExpiredRequest", StatusCode::BAD_REQUEST, "The request has expired.");
    pub(crate) const INVALID_OBJECT_NAME: Self =
        Self::new(10_020, "InvalidObjectName", StatusCode::BAD_REQUEST, "The specified object name is not valid.");
    pub(crate) const NO_SUCH_UPLOAD: Self =
        Self::new(10_024, "NoSuchUpload", StatusCode::NOT_FOUND, "The specified multipart upload does not exist.");
    pub(crate) const INVALID_PART: Self = Self::new(
        10_025,
        "InvalidPart",
        StatusCode::BAD_REQUEST,
        "One or more of the specified parts could not be found.",
    );
    pub(crate) const PRECONDITION_FAILED: Self = Self::new(
        10_031,
        "PreconditionFailed",
        StatusCode::PRECONDITION_FAILED,
        "At least one of the pre-conditions you specified did not hold.",
    );
    pub(crate) const BAD_DIGEST: Self = Self::new(
        10_037,
        "BadDigest",
        StatusCode::BAD_REQUEST,
        "The checksum you specified did not match what we received.",
    );
    pub(crate) const INVALID_RANGE: Self =
        Self::new(10_039, "InvalidRange", StatusCode::RANGE_NOT_SATISFIABLE, "The requested range is not satisfiable");
    pub(crate) const MALFORMED: Self = Self::new(
        10_040,
        "MalformedXML",
        StatusCode::BAD_REQUEST,
        "The configuration you provided was not well formed.",
    );
    pub(crate) const UNAVAILABLE: Self =
        Self::new(10_043, "ServiceUnavailable", StatusCode::SERVICE_UNAVAILABLE, "Please try again.");
    pub(crate) const UNEQUAL_PARTS: Self =
        Self::new(10_048, "InvalidPart", StatusCode::BAD_REQUEST, "All non-trailing parts must have the same length.");
    pub(crate) const TOO_MANY_REQUESTS: Self = Self::new(
        10_058,
        "TooManyRequests",
        StatusCode::TOO_MANY_REQUESTS,
        "Reduce your concurrent request rate for the same object.",
    );
    pub(crate) const NO_CORS: Self =
        Self::new(10_059, "NoSuchCORSConfiguration", StatusCode::NOT_FOUND, "The CORS configuration does not exist.");
    pub(crate) const LOCKED: Self = Self::new(
        10_069,
        "ObjectLockedByBucketPolicy",
        StatusCode::FORBIDDEN,
        "The object is locked by the bucket policy.",
    );

    // The numbers of these are stand-ins, as are those of `MALFORMED` and `NO_CORS`.
    pub(crate) const INVALID_ARGUMENT: Self =
        Self::new(10_022, "InvalidArgument", StatusCode::BAD_REQUEST, "An argument is not valid.");
    pub(crate) const INVALID_REQUEST: Self =
        Self::new(10_036, "InvalidRequest", StatusCode::BAD_REQUEST, "The request is not valid.");
    pub(crate) const NOT_IMPLEMENTED: Self =
        Self::new(10_044, "NotImplemented", StatusCode::NOT_IMPLEMENTED, "This is not implemented.");
}
