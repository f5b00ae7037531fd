//! What all replicas share about the pool: one small value that is compared before it is replaced.

use alfred_model::pool::{Pause, PoolState};
use alfred_store::StoreError;

use crate::Engine;

const NAME: &str = "pool";

/// So often is a value read again that somebody else replaced meanwhile.
const ATTEMPTS: usize = 20;

impl Engine {
    /// The state and its version; a new one, where nobody ever wrote one.
    pub(super) async fn pool_state(&self) -> Result<(PoolState, Option<i64>), StoreError> {
        let Some(value) = self.store.shared_value(NAME).await? else {
            return Ok((PoolState::default(), None));
        };
        let state = serde_json::from_str(&value.text)
            .map_err(|error| StoreError::Damaged { table: "shared_values", words: format!("`{NAME}`: {error}") })?;
        Ok((state, Some(value.version)))
    }

    /// Changes the state; `change` answers whether there is anything to write.
    pub(super) async fn change_pool_state(
        &self,
        mut change: impl FnMut(&mut PoolState) -> bool,
    ) -> Result<PoolState, StoreError> {
        for _ in 0..ATTEMPTS {
            let (mut state, version) = self.pool_state().await?;
            if !change(&mut state) {
                return Ok(state);
            }
            let text = serde_json::to_string(&state)
                .map_err(|error| StoreError::Database { doing: "writing the pool's state", source: error.into() })?;
            if self.store.swap_shared_value(NAME, version, &text).await? {
                return Ok(state);
            }
        }
        Err(StoreError::Conflict { what: "the pool's state".to_owned() })
    }

    /// Nothing is bought and nothing is let lapse until somebody resumes. VMs go on being wiped and assigned.
    pub async fn pause_pool(&self, actor: &str, reason: Option<String>) -> Result<PoolState, StoreError> {
        let at = self.clock.now();
        tracing::info!(actor, "the pool is paused");
        self.change_pool_state(|state| {
            state.paused = Some(Pause { by: actor.to_owned(), at, reason: reason.clone() });
            true
        })
        .await
    }

    /// Buying is possible again, and failures of the past are forgiven.
    pub async fn resume_pool(&self, actor: &str) -> Result<PoolState, StoreError> {
        let at = self.clock.now();
        tracing::info!(actor, "the pool is resumed");
        let state = self
            .change_pool_state(|state| {
                state.paused = None;
                state.resumed_at = Some(at);
                true
            })
            .await?;
        self.poke();
        Ok(state)
    }
}
