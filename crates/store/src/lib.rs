//! The records of the control plane: SQLite (the embedded default), PostgreSQL (several replicas) and memory
//! (simulation), behind one trait with one set of contract tests.
//!
//! The store knows how rows are kept, claimed and changed together; it knows nothing of what the rows mean. Decisions
//! are in `alfred-model`; who carries them out is `alfred-engine`.
//!
//! Three rules hold for every implementation:
//! - **A change is all or nothing**: [`Store::commit`] writes all rows of a [`Changes`] or none.
//! - **Fencing**: each row has a version. A claim raises it, a write names the version it read and raises it again;
//!   a worker that lost its lease therefore cannot write any more.
//! - **A wish is never overwritten**: users write [`Wish`](alfred_model::environment::Wish) without touching the
//!   version, the worker's writes leave it alone, and a wish that changed meanwhile makes the row due at once.
//!
//! Times are kept to the microsecond. A NUL character in a text is kept as U+FFFD, because PostgreSQL has none.
//! An idempotency key is kept as long as the store.
//!
//! Where to start: [`Store`]. [`SqlStore`] is SQLite and PostgreSQL, [`MemoryStore`] is for simulations.

mod changes;
mod error;
pub mod export;
mod memory;
mod rule;
mod shared;
mod sql;

pub use changes::{
    Assignment, Changes, Claim, ClaimedEnvironment, EnvironmentQuery, ExpiryChange, IdempotencyKey, IntentQuery, Lease,
    NewEnvironments, PoolFilter,
};
pub use error::StoreError;
pub use memory::{CommitGate, MemoryStore};
pub use shared::SharedValue;
pub use sql::{CommitHook, CommitMoment, SqlOptions, SqlStore, mask_address};

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

/// Where all records are. The truth that the providers are checked against.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Which installation this store belongs to: `proposed` the first time, the same for ever after.
    async fn installation(&self, proposed: InstallationId) -> Result<InstallationId, StoreError>;

    /// Whether the store answers; used by readiness checks.
    async fn ping(&self) -> Result<(), StoreError>;

    /// Adds environments, all or none, with their first events.
    ///
    /// With an idempotency key that was used before by the same user: the environments of that time are answered and
    /// nothing is added, if the request was the same; [`StoreError::KeyReused`] if not.
    /// [`StoreError::SlugTaken`] names the first slug that an environment not deleted already has.
    /// [`StoreError::OverQuota`] if an owner would then have more than their quota: it is counted in the transaction
    /// that adds them, and requests for one owner are counted one after the other.
    async fn create_environments(&self, new: NewEnvironments) -> Result<Vec<Environment>, StoreError>;

    /// The environments that the request with this key made, if one did; [`StoreError::KeyReused`] if it was another
    /// request. Writes nothing.
    async fn created_before(&self, key: &IdempotencyKey) -> Result<Option<Vec<Environment>>, StoreError>;

    /// One environment, also a deleted one.
    async fn environment(&self, id: EnvironmentId) -> Result<Option<Environment>, StoreError>;

    /// The environment that has this slug now; the newest deleted one, if none has.
    async fn environment_by_slug(&self, slug: &Slug) -> Result<Option<Environment>, StoreError>;

    /// Environments in order of their ids (that is of their age), oldest first.
    async fn environments(&self, query: EnvironmentQuery) -> Result<Vec<Environment>, StoreError>;

    /// Sets the wish to absent and makes the row due at `now`, whoever holds its lease; the version stays. Adds an
    /// event by `actor`. Answers the row as it is now; nothing, if there is none. A second wish, or one for an
    /// environment that is deleted, changes nothing and adds no event.
    async fn wish_absent(
        &self,
        id: EnvironmentId,
        actor: &str,
        now: Timestamp,
    ) -> Result<Option<Environment>, StoreError>;

    /// Gives an environment another end, if its end is still as it was read and nobody wishes it absent: of an extension
    /// and the deletion that it prevents, one is carried out. Like a wish this leaves the version alone. Answers the row
    /// as it is now; nothing, and writes nothing, if it is not as expected.
    async fn change_expiry(&self, change: &ExpiryChange) -> Result<Option<Environment>, StoreError>;

    /// Environments nobody wishes absent whose end has something due (see
    /// [`Expiry::next_at`](alfred_model::expiry::Expiry::next_at)) no later than `until`, soonest first, at most `limit`.
    /// A row that cannot be understood is left out and logged.
    async fn expiring(&self, until: Timestamp, limit: usize) -> Result<Vec<Environment>, StoreError>;

    /// How many environments this user has that are not deleted.
    async fn live_environments(&self, owner: &UserName) -> Result<u64, StoreError>;

    /// Leases environments whose `wake_at` has come and whose lease is free or over (a worker does not get its own rows
    /// again before), oldest `wake_at` first, each with its VM and its open intents. A row that cannot be understood is
    /// left out and logged, so that it does not keep the others from being served.
    async fn claim_environments(&self, claim: &Claim) -> Result<Vec<ClaimedEnvironment>, StoreError>;

    /// Leases VMs that are due, as [`Store::claim_environments`], each with its open intents that belong to no
    /// environment.
    async fn claim_vms(&self, claim: &Claim) -> Result<Vec<(Vm, Vec<Intent>)>, StoreError>;

    /// Prolongs every lease that `worker` still holds, without raising versions, and counts them. One that is over
    /// counts until somebody else has the row; none becomes shorter.
    async fn renew_leases(&self, worker: &str, until: Timestamp) -> Result<u64, StoreError>;

    /// Writes all of `changes` or, if one row is not as it was read, none: [`StoreError::Conflict`].
    /// Rows come back as they are now (new versions; for environments, the wish and `wake_at` as stored) in the same
    /// order, events with their sequence.
    async fn commit(&self, changes: Changes) -> Result<Changes, StoreError>;

    /// Gives a ready VM of the pool to an environment, in one transaction; two callers never get the same VM.
    /// The VM fits by [`alfred_model::pool::fits`] and matches the filter. Those whose contract ends come first, the soonest
    /// to end before the others; then those without `assignable_at` (no name ever pointed at them), then the longest
    /// assignable. Its own lease ends. It becomes
    /// `assigned` to the environment with step `settled`, loses `assignable_at`, `wake_at` and `wiped_at`, and the
    /// environment's row is written as given with `vm_id` and `address` set to the VM's.
    /// Answers nothing, and writes nothing, if the pool has no such VM; [`StoreError::Conflict`] if the environment is
    /// not as it was read.
    async fn assign_vm(&self, assignment: Assignment) -> Result<Option<(Environment, Vm)>, StoreError>;

    /// The earliest time at which a claim could find an environment or VM: its `wake_at` or, if that is later, the end
    /// of the lease on it. For the timer.
    async fn next_wake(&self) -> Result<Option<Timestamp>, StoreError>;

    /// One VM.
    async fn vm(&self, id: VmId) -> Result<Option<Vm>, StoreError>;

    /// All VMs in order of their ids, also ended ones if asked for.
    async fn vms(&self, include_ended: bool) -> Result<Vec<Vm>, StoreError>;

    /// VMs that are not ended, and orders of which it is not known what came of them: what the limit counts.
    async fn owned_vms(&self) -> Result<u64, StoreError>;

    /// When environments had VMs: those that exist, and those that ended at `since` or later.
    async fn lives(&self, since: Timestamp) -> Result<Vec<Life>, StoreError>;

    /// One line of the ledger.
    async fn intent(&self, id: IntentId) -> Result<Option<Intent>, StoreError>;

    /// Lines of the ledger, newest first: by falling id or, where only those since a time are asked for, by falling time.
    async fn intents(&self, query: IntentQuery) -> Result<Vec<Intent>, StoreError>;

    /// Notes that the VM of the installation with this token hash called home, wakes its environment and VM (if they
    /// are not settled), and answers the intent. Only once: nothing, if it is unknown or called before.
    async fn call_home(&self, hash: &str, now: Timestamp) -> Result<Option<Intent>, StoreError>;

    /// Events after `after`, oldest first: of one environment or of all; at most `limit`. Whoever has seen an event
    /// has seen, or can read, every one with a smaller sequence: none turns up later.
    async fn events(
        &self,
        environment: Option<EnvironmentId>,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Event>, StoreError>;

    /// Events after `after` that ask something of their reader (their kind is not `progress`), oldest first, of all
    /// environments; at most `limit`. The same holds of their order as for [`Store::events`].
    async fn notices(&self, after: i64, limit: usize) -> Result<Vec<Event>, StoreError>;

    /// The newest event's sequence; zero, if there is none.
    async fn last_event(&self) -> Result<i64, StoreError>;

    /// Adds a user; [`StoreError::UserExists`].
    async fn create_user(&self, user: &User) -> Result<(), StoreError>;

    /// One user.
    async fn user(&self, name: &UserName) -> Result<Option<User>, StoreError>;

    /// Gives a user a quota of their own, or takes it away; whether there is such a user.
    async fn set_quota(&self, name: &UserName, quota: Option<u32>) -> Result<bool, StoreError>;

    /// All users by name.
    async fn users(&self) -> Result<Vec<User>, StoreError>;

    /// Adds an access token; [`StoreError::Conflict`] if there is no such user, or a token with this id or hash.
    async fn create_token(&self, token: &AccessToken) -> Result<(), StoreError>;

    /// The token with this hash and its user, also if it has expired or was withdrawn.
    async fn token_by_hash(&self, hash: &str) -> Result<Option<(AccessToken, User)>, StoreError>;

    /// All tokens, oldest first.
    async fn tokens(&self) -> Result<Vec<AccessToken>, StoreError>;

    /// Withdraws a token; whether there was one to withdraw.
    async fn revoke_token(&self, id: TokenId, now: Timestamp) -> Result<bool, StoreError>;

    /// Notes the findings of a complete audit that was made at `at`, and forgets those it did not see any more. Answers
    /// every sighting by its key. An audit that is not newer than the last one that was noted changes nothing.
    async fn note_sightings(&self, seen: &[FindingKey], at: Timestamp) -> Result<Vec<Sighting>, StoreError>;

    /// Every sighting by its key.
    async fn sightings(&self) -> Result<Vec<Sighting>, StoreError>;

    /// Takes the turn to make the scheduled audit, if it is due: nobody else gets one before `next`. Answers nothing to
    /// the one who has it, and to others when the next is due.
    async fn take_audit_turn(&self, now: Timestamp, next: Timestamp) -> Result<Option<Timestamp>, StoreError>;

    /// A small value that all replicas share; nothing, if nobody ever wrote it.
    async fn shared_value(&self, name: &str) -> Result<Option<SharedValue>, StoreError>;

    /// Replaces a shared value if its version is still the `expected` one, or creates it if none is expected and there
    /// is none. Whether it did; of several callers who expect the same, one does. After a lost connection a swap that
    /// was carried out may be answered with no: read again.
    ///
    /// This is for values of a few kilobytes that may be written many times a second. It belongs to no environment's
    /// story, so [`SqlOptions::on_commit`] is not told of it.
    async fn swap_shared_value(&self, name: &str, expected: Option<i64>, text: &str) -> Result<bool, StoreError>;

    /// Adds an access token that is good for states alone, with its rights on them, all or nothing; refused as by
    /// [`Store::create_token`].
    async fn create_limited_token(&self, token: &AccessToken, grants: &[StateGrant]) -> Result<(), StoreError>;

    /// Gives rights on states, instead of those that the same user or token had on the same pattern;
    /// [`StoreError::Conflict`] if there is no such user or token.
    async fn put_state_grant(&self, grant: &StateGrant) -> Result<(), StoreError>;

    /// Takes the rights away that somebody has on a pattern; whether there were any.
    async fn remove_state_grant(&self, subject: &Subject, pattern: &StatePattern) -> Result<bool, StoreError>;

    /// What was granted to this user, and to this token.
    async fn state_grants_of(&self, user: &UserName, token: TokenId) -> Result<Vec<StateGrant>, StoreError>;

    /// All rights on states, by pattern.
    async fn state_grants(&self) -> Result<Vec<StateGrant>, StoreError>;

    /// Adds a line to the log of states.
    async fn log_state(&self, line: &StateLogEntry) -> Result<(), StoreError>;

    /// Lines of the log of states, newest first.
    async fn state_log(&self, query: &StateLogQuery) -> Result<Vec<StateLogEntry>, StoreError>;

    /// Everything that is kept, as it is at one moment, in lines of JSON that every implementation can take in ([`export`]).
    /// It is handed over in parts, each of a thousand rows of a table at most and no longer than a few MiB, so that little
    /// is held at once, and most parts of a table that only grows stay what they were. Answers the number of rows;
    /// [`StoreError::ExportUnwanted`] if nobody takes the parts any more.
    async fn export(&self, into: mpsc::Sender<Vec<u8>>) -> Result<u64, StoreError>;

    /// Takes in what was exported, all of it or nothing, and answers the number of rows. [`StoreError::NotEmpty`] if there
    /// is anything yet; [`StoreError::BadExport`] if it is not a whole export, or a later version's.
    async fn import(&self, from: mpsc::Receiver<Vec<u8>>) -> Result<u64, StoreError>;
}
