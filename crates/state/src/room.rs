//! Memory for contents: together they never take more than was set aside, and whoever comes later waits.
//!
//! It knows lengths and nothing of what has them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Room is counted in so many bytes.
const UNIT: usize = 64 << 10;

/// Whoever has somebody waiting waits no longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Room for contents.
#[derive(Debug, Clone)]
pub struct Room {
    free: Arc<Semaphore>,
    units: usize,
}

/// Room that was taken. It is free again when this is dropped.
#[derive(Debug)]
pub struct Taken {
    _permit: OwnedSemaphorePermit,
}

/// A content and its room.
struct Housed {
    content: Bytes,
    _taken: Taken,
}

impl AsRef<[u8]> for Housed {
    fn as_ref(&self) -> &[u8] {
        &self.content
    }
}

impl Room {
    /// For so many bytes.
    pub fn new(bytes: usize) -> Self {
        let units = bytes.div_ceil(UNIT).clamp(1, u32::MAX as usize).min(Semaphore::MAX_PERMITS);
        Self { free: Arc::new(Semaphore::new(units)), units }
    }

    /// Waits for so much room; nothing, if there was none for half a minute. What is larger than all of it is alone there.
    pub async fn take(&self, bytes: u64) -> Option<Taken> {
        tokio::time::timeout(PATIENCE, self.wait(bytes)).await.ok()?
    }

    /// The same for work that nobody waits for: it waits as long as it takes, and always gets it, since the room is never
    /// closed.
    pub(crate) async fn wait(&self, bytes: u64) -> Option<Taken> {
        let wanted = usize::try_from(bytes).unwrap_or(usize::MAX).div_ceil(UNIT).clamp(1, self.units);
        let taken = Arc::clone(&self.free).acquire_many_owned(u32::try_from(wanted).unwrap_or(u32::MAX));
        taken.await.ok().map(|permit| Taken { _permit: permit })
    }
}

impl Default for Room {
    /// As much as anybody wants.
    fn default() -> Self {
        Self::new(usize::MAX)
    }
}

impl Taken {
    /// A content that takes up the room for as long as anybody has any of it.
    pub fn hold(self, content: Bytes) -> Bytes {
        Bytes::from_owner(Housed { content, _taken: self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_comes_later_waits_until_the_last_piece_is_gone() {
        let room = Room::new(4 * UNIT);
        let content = room.take(3 * UNIT as u64).await.unwrap().hold(Bytes::from_static(b"three units"));
        let small = room.take(1).await.unwrap();
        let later = tokio::spawn({
            let room = room.clone();
            async move { room.take(UNIT as u64 + 1).await.is_some() }
        });
        let piece = content.slice(6..11);
        drop(content);
        tokio::time::sleep(Duration::from_secs(20)).await;
        assert!(!later.is_finished());
        assert_eq!(piece, "units");
        drop(piece);
        assert!(later.await.unwrap());
        drop(small);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_ever_and_the_largest_is_alone() {
        let room = Room::new(2 * UNIT);
        let all = room.take(u64::MAX).await.unwrap();
        assert!(room.take(0).await.is_none());
        drop(all);
        assert!(room.take(0).await.is_some());
        let anybody = Room::default();
        let _large = anybody.take(1 << 40).await.unwrap();
        assert!(anybody.take(1 << 30).await.is_some());
    }
}
