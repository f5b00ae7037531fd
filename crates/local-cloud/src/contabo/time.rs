//! Time as the platform writes it.

use jiff::{SignedDuration, Timestamp};

/// `time` plus `duration`, or the end of time.
pub(crate) fn after(time: Timestamp, duration: SignedDuration) -> Timestamp {
    time.checked_add(duration).unwrap_or(Timestamp::MAX)
}

/// ISO 8601 in UTC with milliseconds.
pub(crate) fn wire(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}
