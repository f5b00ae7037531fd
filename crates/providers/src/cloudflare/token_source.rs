//! The value of the token that is in use, and where a newer one may be found.
//!
//! A value dies the moment the token is rolled, and whoever rolls it keeps the new one where the old one was. A client
//! that is refused looks there before it believes the refusal. It must not know what that place is: it is given a
//! function that reads it.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::secret::{ApiToken, Redactor};

/// The place is looked at no more often; who is refused sooner waits. It is not believed at once, because many refusals
/// are about a permission and say nothing of the value, which may be rolled a moment later.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// While a token is being rolled, its place is looked at so often…
const UNDER_WAY_PAUSE: Duration = Duration::from_millis(500);

/// …and a refused call waits this many pauses at most.
const UNDER_WAY_LOOKS: u32 = 10;

/// What the place of a token holds.
#[derive(Debug, Clone)]
pub struct KeptToken {
    /// The value.
    pub value: ApiToken,
    /// What is known of the value that comes after it.
    pub next: NextToken,
}

/// What is known of the value that comes after the one that is kept.
#[derive(Debug, Clone)]
pub enum NextToken {
    /// Nobody is rolling the token.
    None,
    /// The token is being rolled; its new value is not known yet.
    UnderWay,
    /// It was rolled, and this is its new value, not proved yet. The kept one is dead by then, so this one is no worse.
    Value(ApiToken),
}

/// Reads the place of a token; an error is words for the log, without the token.
pub type ReadToken = Arc<dyn Fn() -> Result<KeptToken, String> + Send + Sync>;

/// The value in use. Clones share it.
#[derive(Clone)]
pub struct TokenSource {
    shared: Arc<Shared>,
}

struct Shared {
    values: Mutex<Values>,
    read: Option<ReadToken>,
    looked: tokio::sync::Mutex<Option<Look>>,
}

/// The last look that found nothing new.
#[derive(Clone, Copy)]
struct Look {
    began: Instant,
    /// Whether the token was being rolled.
    under_way: bool,
}

struct Values {
    used: ApiToken,
    /// What the place held when it was last read.
    kept: ApiToken,
    /// Knows all values that were ever used: an answer to the old one may arrive after the new one is there.
    redactor: Redactor,
}

/// What a refused call may do.
#[derive(Debug)]
pub(super) enum Renewal {
    /// Try again with this value.
    Value(ApiToken),
    /// Wait: the token is being rolled.
    UnderWay,
    /// Believe it.
    Nothing,
}

impl From<ApiToken> for TokenSource {
    /// A value that stays.
    fn from(value: ApiToken) -> Self {
        Self::new(value, None)
    }
}

impl TokenSource {
    /// A value that `read` can read again. `read` may block for as long as reading a file takes.
    pub fn reloading(value: ApiToken, read: ReadToken) -> Self {
        Self::new(value, Some(read))
    }

    fn new(value: ApiToken, read: Option<ReadToken>) -> Self {
        let redactor = Redactor::new([value.expose()]);
        let values = Mutex::new(Values { used: value.clone(), kept: value, redactor });
        Self { shared: Arc::new(Shared { values, read, looked: tokio::sync::Mutex::new(None) }) }
    }

    /// The value in use.
    pub fn current(&self) -> ApiToken {
        self.values().used.clone()
    }

    /// Reads the place of the token, and uses its value if that is another than when it was last read. Says whether
    /// the value in use is another one now.
    pub async fn refresh(&self) -> bool {
        let Some(kept) = self.read().await else { return false };
        let mut values = self.values();
        // What is in use may be newer than what is kept, while a rolling is under way: only a change is followed.
        let is_new = !same(&kept.value, &values.kept);
        values.kept = kept.value.clone();
        is_new && values.adopt(&kept.value)
    }

    /// What a call may do that was refused with the value `used`. All that are refused at a time look once.
    pub(super) async fn after_refusal(&self, used: &ApiToken) -> Renewal {
        if self.shared.read.is_none() {
            return Renewal::Nothing;
        }
        let refused_at = Instant::now();
        let mut looked = self.shared.looked.lock().await;
        let current = self.current();
        if !same(&current, used) {
            return Renewal::Value(current);
        }
        if let Some(last) = *looked {
            if last.began >= refused_at {
                return if last.under_way { Renewal::UnderWay } else { Renewal::Nothing };
            }
            tokio::time::sleep_until(last.began + LOOK_AGAIN).await;
        }
        let began = Instant::now();
        let mut renewal = self.look(used).await;
        for _ in 0..UNDER_WAY_LOOKS {
            if !matches!(renewal, Renewal::UnderWay) {
                break;
            }
            tokio::time::sleep(UNDER_WAY_PAUSE).await;
            renewal = self.look(used).await;
        }
        *looked = match renewal {
            Renewal::Value(_) => None,
            Renewal::UnderWay => Some(Look { began, under_way: true }),
            Renewal::Nothing => Some(Look { began, under_way: false }),
        };
        renewal
    }

    /// Replaces what is not to be shown in a provider's words: every value that was ever used.
    pub(super) fn redactor(&self) -> Redactor {
        self.values().redactor.clone()
    }

    async fn look(&self, used: &ApiToken) -> Renewal {
        let Some(kept) = self.read().await else { return Renewal::Nothing };
        let mut values = self.values();
        values.kept = kept.value.clone();
        let found = match kept.next {
            _ if !same(&kept.value, used) => kept.value,
            NextToken::Value(next) if !same(&next, used) => next,
            NextToken::UnderWay => return Renewal::UnderWay,
            NextToken::None | NextToken::Value(_) => return Renewal::Nothing,
        };
        values.adopt(&found);
        Renewal::Value(found)
    }

    async fn read(&self) -> Option<KeptToken> {
        let read = Arc::clone(self.shared.read.as_ref()?);
        match tokio::task::spawn_blocking(move || read()).await {
            Ok(Ok(kept)) => Some(kept),
            Ok(Err(words)) => {
                tracing::warn!("the Cloudflare token cannot be read again, and its value stays as it is: {words}");
                None
            }
            Err(error) => {
                tracing::error!(%error, "reading the Cloudflare token again ended badly");
                None
            }
        }
    }

    fn values(&self) -> MutexGuard<'_, Values> {
        // Each change under the lock is whole: a panic elsewhere leaves nothing half done.
        self.shared.values.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Values {
    fn adopt(&mut self, value: &ApiToken) -> bool {
        if same(value, &self.used) {
            return false;
        }
        self.redactor.learn(value.expose());
        self.used = value.clone();
        tracing::info!("the Cloudflare token has a new value; it is used from now on");
        true
    }
}

fn same(left: &ApiToken, right: &ApiToken) -> bool {
    left.expose() == right.expose()
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reloads = self.shared.read.is_some();
        formatter.debug_struct("TokenSource").field("reloads", &reloads).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
