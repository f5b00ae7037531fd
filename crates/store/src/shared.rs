//! Small values that replicas share, each with a version to compare.

/// A shared value as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedValue {
    /// The value.
    pub text: String,
    /// Rises with each swap; what the next swap has to expect.
    pub version: i64,
}
