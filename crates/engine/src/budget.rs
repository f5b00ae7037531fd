//! The API budget that replicas share, kept in the store.
//!
//! It stands here because the engine is the lowest crate that knows both sides: providers count calls and know no store,
//! the store keeps texts and does not know what they mean.

use std::sync::Arc;

use alfred_model::seam::{Clock, Random};
use alfred_providers::budget::{Allowance, Budget, SharedLedger, SharedText, VersionedText};
use alfred_providers::secret::ApiToken;
use alfred_store::{Store, StoreError};
use async_trait::async_trait;

use crate::intents::secret_hash;

/// Hexadecimal digits of the token's hash in the ledger's name: enough to tell tokens apart, and nothing to find one by.
const NAME_DIGITS: usize = 16;

/// A budget of one token that all replicas on `store` share. `share` is how much of Cloudflare's limit they use
/// together, in percent. While the store fails, calls wait.
pub fn shared_budget(
    store: Arc<dyn Store>,
    token: &ApiToken,
    share: u32,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
) -> Arc<Budget> {
    let place = Arc::new(Place { store, name: ledger_name(token) });
    let ledger = SharedLedger::new(place, Arc::clone(&clock), random, Allowance::of_share(share));
    Budget::over(clock, Arc::new(ledger))
}

/// What the ledger of a token is called in the store: replicas on different tokens do not mix, and the token is not
/// in it.
fn ledger_name(token: &ApiToken) -> String {
    let hash = secret_hash(token.expose());
    format!("api_budget:{}", &hash[..NAME_DIGITS])
}

/// One ledger's place in the store.
struct Place {
    store: Arc<dyn Store>,
    name: String,
}

impl Place {
    fn words(&self, error: &StoreError) -> String {
        let source = std::error::Error::source(error).map(|source| format!(": {source}")).unwrap_or_default();
        format!("the shared value `{}`: {error}{source}", self.name)
    }
}

#[async_trait]
impl SharedText for Place {
    async fn read(&self) -> Result<Option<VersionedText>, String> {
        let value = self.store.shared_value(&self.name).await.map_err(|error| self.words(&error))?;
        Ok(value.map(|value| VersionedText { text: value.text, version: value.version }))
    }

    async fn swap(&self, expected: Option<i64>, text: &str) -> Result<bool, String> {
        self.store.swap_shared_value(&self.name, expected, text).await.map_err(|error| self.words(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_is_named_after_its_token_without_telling_it() {
        let (one, other) = (ApiToken::new("cfut_one-token"), ApiToken::new("cfut_other-token"));
        assert_eq!(ledger_name(&one), ledger_name(&ApiToken::new(" cfut_one-token\n")));
        assert_ne!(ledger_name(&one), ledger_name(&other));
        assert_eq!(ledger_name(&one).len(), "api_budget:".len() + NAME_DIGITS);
        assert!(!ledger_name(&one).contains("token"));
    }
}
