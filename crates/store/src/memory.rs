//! The store in memory: for simulations, which need every run from one seed to be the same.
//!
//! It has no tasks, no timers and no order that depends on hashing. Nothing outlives it.

mod expiry;
mod export;
mod rows;
mod shared;
mod sightings;
mod states;
mod tables;
mod work;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use alfred_model::audit::{FindingKey, Sighting};
use alfred_model::environment::Environment;
use alfred_model::event::Event;
use alfred_model::id::{EnvironmentId, InstallationId, IntentId, TokenId, VmId};
use alfred_model::intent::Intent;
use alfred_model::name::Slug;
use alfred_model::pool::Life;
use alfred_model::state::log::{StateLogEntry, StateLogQuery};
use alfred_model::state::{StateGrant, StatePattern, Subject};
use alfred_model::user::{AccessToken, User, UserName};
use alfred_model::vm::Vm;
use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::{
    Assignment, Changes, Claim, ClaimedEnvironment, CommitMoment, EnvironmentQuery, ExpiryChange, IdempotencyKey,
    IntentQuery, NewEnvironments, SharedValue, Store, StoreError,
};
use tables::Tables;

/// Where a simulation holds a writer up: one that waits here and is dropped has ended at that point, as a process that
/// is killed does.
#[async_trait]
pub trait CommitGate: Send + Sync {
    /// Called on both sides of each [`Store::commit`]; before it with what is asked for, after it with what was written.
    async fn pass(&self, moment: CommitMoment, changes: &Changes);
}

/// A store that lives as long as the value.
#[derive(Default)]
pub struct MemoryStore {
    tables: Mutex<Tables>,
    gate: Option<Arc<dyn CommitGate>>,
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("MemoryStore").field("tables", &self.tables).finish_non_exhaustive()
    }
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty store whose commits pass a gate.
    pub fn gated(gate: Arc<dyn CommitGate>) -> Self {
        Self { gate: Some(gate), ..Self::default() }
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        // Every operation decides before it writes, so that tables a panic left behind are still whole.
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn installation(&self, proposed: InstallationId) -> Result<InstallationId, StoreError> {
        Ok(*self.tables().installation.get_or_insert(proposed))
    }

    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn create_environments(&self, new: NewEnvironments) -> Result<Vec<Environment>, StoreError> {
        self.tables().create_environments(new)
    }

    async fn created_before(&self, key: &IdempotencyKey) -> Result<Option<Vec<Environment>>, StoreError> {
        self.tables().created_before(key)
    }

    async fn environment(&self, id: EnvironmentId) -> Result<Option<Environment>, StoreError> {
        Ok(self.tables().environments.get(&id).map(|held| held.row.clone()))
    }

    async fn environment_by_slug(&self, slug: &Slug) -> Result<Option<Environment>, StoreError> {
        Ok(self.tables().environment_by_slug(slug))
    }

    async fn environments(&self, query: EnvironmentQuery) -> Result<Vec<Environment>, StoreError> {
        Ok(self.tables().list_environments(&query))
    }

    async fn wish_absent(
        &self,
        id: EnvironmentId,
        actor: &str,
        now: Timestamp,
    ) -> Result<Option<Environment>, StoreError> {
        Ok(self.tables().wish_absent(id, actor, now))
    }

    async fn change_expiry(&self, change: &ExpiryChange) -> Result<Option<Environment>, StoreError> {
        Ok(self.tables().change_expiry(change))
    }

    async fn expiring(&self, until: Timestamp, limit: usize) -> Result<Vec<Environment>, StoreError> {
        Ok(self.tables().expiring(until, limit))
    }

    async fn live_environments(&self, owner: &UserName) -> Result<u64, StoreError> {
        Ok(self.tables().live_environments(owner))
    }

    async fn claim_environments(&self, claim: &Claim) -> Result<Vec<ClaimedEnvironment>, StoreError> {
        Ok(self.tables().claim_environments(claim))
    }

    async fn claim_vms(&self, claim: &Claim) -> Result<Vec<(Vm, Vec<Intent>)>, StoreError> {
        Ok(self.tables().claim_vms(claim))
    }

    async fn renew_leases(&self, worker: &str, until: Timestamp) -> Result<u64, StoreError> {
        let mut tables = self.tables();
        Ok(tables.environments.renew(worker, until) + tables.vms.renew(worker, until))
    }

    async fn commit(&self, changes: Changes) -> Result<Changes, StoreError> {
        let Some(gate) = &self.gate else { return self.tables().commit(changes) };
        gate.pass(CommitMoment::Before, &changes).await;
        let written = self.tables().commit(changes)?;
        gate.pass(CommitMoment::After, &written).await;
        Ok(written)
    }

    async fn assign_vm(&self, assignment: Assignment) -> Result<Option<(Environment, Vm)>, StoreError> {
        self.tables().assign_vm(&assignment)
    }

    async fn next_wake(&self) -> Result<Option<Timestamp>, StoreError> {
        let tables = self.tables();
        Ok([tables.environments.next_wake(), tables.vms.next_wake()].into_iter().flatten().min())
    }

    async fn vm(&self, id: VmId) -> Result<Option<Vm>, StoreError> {
        Ok(self.tables().vms.get(&id).map(|held| held.row.clone()))
    }

    async fn vms(&self, include_ended: bool) -> Result<Vec<Vm>, StoreError> {
        Ok(self.tables().list_vms(include_ended))
    }

    async fn owned_vms(&self) -> Result<u64, StoreError> {
        Ok(self.tables().owned_vms())
    }

    async fn lives(&self, since: Timestamp) -> Result<Vec<Life>, StoreError> {
        Ok(self.tables().lives(since))
    }

    async fn intent(&self, id: IntentId) -> Result<Option<Intent>, StoreError> {
        Ok(self.tables().intents.get(&id).cloned())
    }

    async fn intents(&self, query: IntentQuery) -> Result<Vec<Intent>, StoreError> {
        Ok(self.tables().list_intents(&query))
    }

    async fn call_home(&self, hash: &str, now: Timestamp) -> Result<Option<Intent>, StoreError> {
        Ok(self.tables().call_home(hash, now))
    }

    async fn events(
        &self,
        environment: Option<EnvironmentId>,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Event>, StoreError> {
        Ok(self.tables().list_events(environment, after, limit))
    }

    async fn notices(&self, after: i64, limit: usize) -> Result<Vec<Event>, StoreError> {
        Ok(self.tables().notices(after, limit))
    }

    async fn last_event(&self) -> Result<i64, StoreError> {
        Ok(self.tables().last_event())
    }

    async fn create_user(&self, user: &User) -> Result<(), StoreError> {
        self.tables().create_user(user)
    }

    async fn user(&self, name: &UserName) -> Result<Option<User>, StoreError> {
        Ok(self.tables().users.get(name).cloned())
    }

    async fn set_quota(&self, name: &UserName, quota: Option<u32>) -> Result<bool, StoreError> {
        Ok(self.tables().users.get_mut(name).map(|user| user.quota = quota).is_some())
    }

    async fn users(&self) -> Result<Vec<User>, StoreError> {
        Ok(self.tables().users.values().cloned().collect())
    }

    async fn create_token(&self, token: &AccessToken) -> Result<(), StoreError> {
        self.tables().create_token(token)
    }

    async fn token_by_hash(&self, hash: &str) -> Result<Option<(AccessToken, User)>, StoreError> {
        Ok(self.tables().token_by_hash(hash))
    }

    async fn tokens(&self) -> Result<Vec<AccessToken>, StoreError> {
        Ok(self.tables().tokens.values().cloned().collect())
    }

    async fn revoke_token(&self, id: TokenId, now: Timestamp) -> Result<bool, StoreError> {
        Ok(self.tables().revoke_token(id, now))
    }

    async fn note_sightings(&self, seen: &[FindingKey], at: Timestamp) -> Result<Vec<Sighting>, StoreError> {
        Ok(self.tables().sightings.note(seen, at))
    }

    async fn sightings(&self) -> Result<Vec<Sighting>, StoreError> {
        Ok(self.tables().sightings.all())
    }

    async fn take_audit_turn(&self, now: Timestamp, next: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.tables().sightings.take_turn(now, next))
    }

    async fn shared_value(&self, name: &str) -> Result<Option<SharedValue>, StoreError> {
        Ok(self.tables().shared_values.get(name).cloned())
    }

    async fn swap_shared_value(&self, name: &str, expected: Option<i64>, text: &str) -> Result<bool, StoreError> {
        Ok(self.tables().swap_shared_value(name, expected, text))
    }

    async fn create_limited_token(&self, token: &AccessToken, grants: &[StateGrant]) -> Result<(), StoreError> {
        self.tables().create_limited_token(token, grants)
    }

    async fn put_state_grant(&self, grant: &StateGrant) -> Result<(), StoreError> {
        self.tables().put_state_grant(grant)
    }

    async fn remove_state_grant(&self, subject: &Subject, pattern: &StatePattern) -> Result<bool, StoreError> {
        Ok(self.tables().states.remove(subject, pattern))
    }

    async fn state_grants_of(&self, user: &UserName, token: TokenId) -> Result<Vec<StateGrant>, StoreError> {
        Ok(self.tables().states.grants_of(user, token))
    }

    async fn state_grants(&self) -> Result<Vec<StateGrant>, StoreError> {
        Ok(self.tables().states.grants())
    }

    async fn log_state(&self, line: &StateLogEntry) -> Result<(), StoreError> {
        self.tables().states.note(line.clone());
        Ok(())
    }

    async fn state_log(&self, query: &StateLogQuery) -> Result<Vec<StateLogEntry>, StoreError> {
        Ok(self.tables().states.log(query))
    }

    async fn export(&self, into: mpsc::Sender<Vec<u8>>) -> Result<u64, StoreError> {
        let tables = self.tables().rows_of_all()?;
        export::export(tables, into).await
    }

    async fn import(&self, from: mpsc::Receiver<Vec<u8>>) -> Result<u64, StoreError> {
        let (brought, rows) = export::import(from).await?;
        let mut tables = self.tables();
        let there = tables.rows_of_all()?;
        // A counter that has counted nothing is no record.
        let has_rows = |(name, _, rows): &&(&str, _, Vec<_>)| *name != "counters" && !rows.is_empty();
        if let Some((table, ..)) = there.iter().find(has_rows) {
            return Err(StoreError::NotEmpty { table });
        }
        *tables = brought;
        Ok(rows)
    }
}
