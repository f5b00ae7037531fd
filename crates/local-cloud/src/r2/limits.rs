//! R2's limits. <https://developers.cloudflare.com/r2/platform/limits/>

/// Bytes of all names and values of `x-amz-meta-*` together.
pub(crate) const METADATA_BYTES: usize = 8_192;
/// The least bytes of every part but the last.
pub(crate) const PART_BYTES: u64 = 5 * 1024 * 1024;
/// The highest number of a part.
pub(crate) const PARTS: i32 = 10_000;
/// Keys, parts or uploads in one page of a list, and keys in one `DeleteObjects`.
pub(crate) const PAGE: usize = 1_000;
/// Rules of one kind in a bucket.
pub(crate) const RULES: usize = 1_000;
/// Buckets of an account. The platform's is far beyond what one process should hold.
pub(crate) const BUCKETS: usize = 10_000;
/// Multipart uploads that are open in one bucket; a stand-in.
pub(crate) const UPLOADS: usize = 10_000;
