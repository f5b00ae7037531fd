//! One write a second for each key. <https://developers.cloudflare.com/r2/platform/limits/>
//!
//! What counts is a write that was accepted: a refused one changed nothing, and whether a deletion counts is published
//! nowhere; here it does not.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use super::{bucket::BucketName, refusal::Refusal};

/// Keys that are remembered before old ones are looked for.
const REMEMBERED: usize = 10_000;

/// When keys were last written.
#[derive(Debug, Default)]
pub(crate) struct WriteRate {
    last: HashMap<(BucketName, String), Timestamp>,
}

impl WriteRate {
    /// Counts a write that is about to be made, or refuses it.
    pub(crate) fn take(
        &mut self,
        bucket: &BucketName,
        key: &str,
        interval_ms: u64,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        if interval_ms == 0 {
            return Ok(());
        }
        let interval = SignedDuration::from_millis(i64::try_from(interval_ms).unwrap_or(i64::MAX));
        // A clock that was set back must not lock a key for long.
        let recent = |last: Timestamp| last <= now && now.duration_since(last) < interval;
        if self.last.len() >= REMEMBERED {
            self.last.retain(|_, last| recent(*last));
        }
        match self.last.entry((bucket.clone(), key.to_owned())) {
            std::collections::hash_map::Entry::Occupied(entry) if recent(*entry.get()) => {
                Err(Refusal::TOO_MANY_REQUESTS)
            }
            entry => {
                entry.insert_entry(now);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::r2::options::Jurisdiction;

    #[test]
    fn a_key_takes_one_write_an_interval() {
        let bucket = BucketName { jurisdiction: Jurisdiction::Default, name: "states".into() };
        let at = |ms: i64| Timestamp::from_millisecond(1_000_000 + ms).unwrap();
        let mut rate = WriteRate::default();
        rate.take(&bucket, "k", 1_000, at(0)).unwrap();
        assert_eq!(rate.take(&bucket, "k", 1_000, at(999)).unwrap_err().name, "TooManyRequests");
        rate.take(&bucket, "other", 1_000, at(999)).unwrap();
        rate.take(&bucket, "k", 1_000, at(1_000)).unwrap();
        rate.take(&bucket, "k", 0, at(1_000)).unwrap();
        rate.take(&bucket, "k", 1_000, at(-5_000)).unwrap();
    }

    #[test]
    fn what_is_old_is_forgotten() {
        let bucket = BucketName { jurisdiction: Jurisdiction::Default, name: "states".into() };
        let mut rate = WriteRate::default();
        for number in 0..3 * REMEMBERED {
            let now = Timestamp::from_second(i64::try_from(number).unwrap()).unwrap();
            rate.take(&bucket, &number.to_string(), 1_000, now).unwrap();
        }
        assert!(rate.last.len() <= REMEMBERED);
    }
}
