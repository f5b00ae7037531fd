//! The seams through which time and randomness enter.
//!
//! The two other seams, the store and the transport, are defined by the crates that own them.

use jiff::Timestamp;

/// Tells the time. The binary gives the system's clock; a simulation gives its own.
pub trait Clock: Send + Sync + 'static {
    /// The current time.
    fn now(&self) -> Timestamp;
}

/// Gives random numbers. The binary gives the system's source; a simulation gives one that starts from a seed.
pub trait Random: Send + Sync + 'static {
    /// Fills `bytes`; in the binary these are fit for secrets.
    fn fill(&self, bytes: &mut [u8]);

    /// A number in `0.0..1.0`, for jitter and for choosing.
    fn unit(&self) -> f64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
        let numerator = (u64::from_le_bytes(bytes) >> 11) as f64;
        numerator / 9_007_199_254_740_992.0
    }

    /// A random (version 4) UUID.
    fn uuid(&self) -> uuid::Uuid {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }
}
