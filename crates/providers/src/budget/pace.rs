//! Cloudflare's other limit: 200 calls in a second from one address
//! (<https://developers.cloudflare.com/fundamentals/api/reference/limits/>).

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// Calls an address may make within a [`SPAN`].
const MOST: usize = 200;

const SPAN: Duration = Duration::from_secs(1);

/// The calls of the last second.
#[derive(Default)]
pub(super) struct Pace {
    made: VecDeque<Instant>,
}

impl Pace {
    /// How many calls may be made now; or, if none, from when on one may.
    pub(super) fn room(&mut self, now: Instant) -> Result<u32, Instant> {
        while self.made.pop_front_if(|made| *made + SPAN <= now).is_some() {}
        match MOST.saturating_sub(self.made.len()) {
            0 => Err(self.made.front().map_or(now, |oldest| *oldest + SPAN)),
            room => Ok(u32::try_from(room).unwrap_or(u32::MAX)),
        }
    }

    pub(super) fn count(&mut self, now: Instant) {
        self.made.push_back(now);
    }
}
