//! From a secret to its user, with a memory of a few seconds so that a poll does not reach the store each time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use alfred_model::id::TokenId;
use alfred_model::seam::Clock;
use alfred_model::user::{AccessToken, User};
use alfred_store::Store;
use jiff::{SignedDuration, Timestamp};
use subtle::ConstantTimeEq;

use super::{Caller, secret, unauthorized};
use crate::problem::Problem;

/// For so long a token is believed without asking: a token that another replica withdrew works no longer than this.
const MEMORY: SignedDuration = SignedDuration::from_secs(5);

/// So many tokens are remembered. Only valid ones are, so that guesses cannot fill the memory.
const REMEMBERED_MAX: usize = 4096;

/// Tells callers by their tokens.
pub(crate) struct Gate {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    remembered: Mutex<HashMap<String, Remembered>>,
}

struct Remembered {
    caller: Caller,
    since: Timestamp,
}

impl Gate {
    pub(crate) fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock, remembered: Mutex::default() }
    }

    /// Whose secret this is; refused, if it is nobody's or no longer valid.
    pub(crate) async fn caller(&self, presented: &str) -> Result<Caller, Problem> {
        if !secret::has_form(presented) {
            return Err(unauthorized("this is no access token of ours"));
        }
        self.caller_by_hash(&secret::hash(presented)).await
    }

    /// The same for a secret of which only the hash was kept.
    pub(crate) async fn caller_by_hash(&self, hash: &str) -> Result<Caller, Problem> {
        let now = self.clock.now();
        let caller = match self.recall(hash, now) {
            Some(caller) => caller,
            None => self.ask(hash, now).await?,
        };
        if caller.expires_at.is_some_and(|end| end <= now) {
            return Err(unauthorized("the access token has expired"));
        }
        Ok(caller)
    }

    /// Forgets a token that was withdrawn here, so that it stops working at once.
    pub(crate) fn forget(&self, token: TokenId) {
        self.lock().retain(|_, remembered| remembered.caller.token != token);
    }

    fn recall(&self, hash: &str, now: Timestamp) -> Option<Caller> {
        self.lock().get(hash).filter(|remembered| remembered.is_fresh(now)).map(|remembered| remembered.caller.clone())
    }

    async fn ask(&self, hash: &str, now: Timestamp) -> Result<Caller, Problem> {
        let Some((token, user)) = self.store.token_by_hash(hash).await? else {
            return Err(unauthorized("the access token is unknown"));
        };
        // The store finds by equality, which may stop at the first difference; the decision is made here, in a time
        // that does not depend on where two hashes differ.
        if !bool::from(token.hash.as_bytes().ct_eq(hash.as_bytes())) {
            return Err(unauthorized("the access token is unknown"));
        }
        if token.revoked_at.is_some() {
            return Err(unauthorized("the access token was withdrawn"));
        }
        let caller = caller(token, user);
        self.remember(hash, &caller, now);
        Ok(caller)
    }

    fn remember(&self, hash: &str, caller: &Caller, now: Timestamp) {
        let mut remembered = self.lock();
        if remembered.len() >= REMEMBERED_MAX {
            remembered.retain(|_, entry| entry.is_fresh(now));
        }
        if remembered.len() < REMEMBERED_MAX {
            remembered.insert(hash.to_owned(), Remembered { caller: caller.clone(), since: now });
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Remembered>> {
        // Each change of the map is one call that cannot stop half-way; a panic elsewhere does not spoil it.
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Remembered {
    fn is_fresh(&self, now: Timestamp) -> bool {
        let age = now.duration_since(self.since);
        // A clock that was set back must not prolong it.
        !age.is_negative() && age < MEMORY
    }
}

fn caller(token: AccessToken, user: User) -> Caller {
    Caller {
        user: user.name,
        role: user.role,
        token: token.id,
        states_only: token.states_only,
        expires_at: token.expires_at,
        hash: token.hash,
    }
}
