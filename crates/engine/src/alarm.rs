//! Until when a loop sleeps, and how it is told that something is due before that.
//!
//! A loop reads from the store when the next row is due and sleeps until then. A row that is put back meanwhile, to be
//! looked at again in a moment, must not wait for the end of that sleep.

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::Notify;

/// One loop's alarm.
#[derive(Debug)]
pub(crate) struct Alarm {
    until: Mutex<Timestamp>,
    sooner: Notify,
}

impl Alarm {
    pub(crate) fn new() -> Self {
        Self { until: Mutex::new(Timestamp::MAX), sooner: Notify::new() }
    }

    /// The loop is about to find out when the next row is due. What is told from now on may be too late for its answer,
    /// and rings whenever it is due.
    pub(crate) fn is_being_set(&self) {
        *self.until() = Timestamp::MAX;
    }

    /// The loop sleeps until then.
    pub(crate) fn set(&self, until: Timestamp) {
        *self.until() = until;
    }

    /// A row will be due at this time: rings, if the loop would oversleep it.
    pub(crate) fn due_at(&self, time: Timestamp) {
        if time < *self.until() {
            self.sooner.notify_one();
        }
    }

    /// Waits until it rings. A ring that nobody waited for is kept.
    pub(crate) async fn rings(&self) {
        self.sooner.notified().await;
    }

    fn until(&self) -> MutexGuard<'_, Timestamp> {
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[tokio::test]
    async fn rings_for_what_would_be_overslept_and_for_nothing_else() {
        let alarm = Alarm::new();
        alarm.set(at(10));
        alarm.due_at(at(10));
        alarm.due_at(at(11));
        assert_eq!(alarm.rings().now_or_never(), None);
        alarm.due_at(at(9));
        assert_eq!(alarm.rings().now_or_never(), Some(()));
        assert_eq!(alarm.rings().now_or_never(), None, "it rings once");
    }

    #[tokio::test]
    async fn what_is_told_while_it_is_being_set_is_not_lost() {
        let alarm = Alarm::new();
        alarm.set(at(10));
        alarm.is_being_set();
        alarm.due_at(at(15));
        alarm.set(at(20));
        assert_eq!(alarm.rings().now_or_never(), Some(()));
    }
}
