//! What callers hand to the store and get back.

use alfred_model::environment::{Environment, Status};
use alfred_model::event::Event;
use alfred_model::expiry::Expiry;
use alfred_model::id::{BatchId, EnvironmentId};
use alfred_model::intent::{Intent, IntentKind};
use alfred_model::user::UserName;
use alfred_model::vm::Vm;
use jiff::Timestamp;

/// What becomes of a row's lease when it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lease {
    /// The worker goes on with the row.
    Keep,
    /// The worker is done with the row for now.
    #[default]
    Release,
}

/// Rows that change together.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// Environments as they shall be; `version` is the one that was read. Their wish is not written, but compared:
    /// where it is another one by now, `wake_at` becomes the row's `updated_at`, so that the new wish is seen at once.
    /// A row that was woken while a worker had it, and is released unsettled, is due no later than its `updated_at`.
    /// Slug, domain, owner, batch and `created_at` were given once and are not written; a deleted row stays deleted.
    /// Nor is when it expires: see [`Store::change_expiry`](crate::Store::change_expiry).
    pub environments: Vec<(Environment, Lease)>,
    /// VMs as they shall be; `version` is the one that was read. One that called home meanwhile is due as above.
    pub vms: Vec<(Vm, Lease)>,
    /// VMs that are not in the store yet; [`StoreError::Conflict`](crate::StoreError::Conflict) if one is.
    pub new_vms: Vec<Vm>,
    /// Lines of the ledger: added, or overwritten where the id is there already; only a call home that the store
    /// has noted is kept, whatever the line says.
    pub intents: Vec<Intent>,
    /// Events to add; their sequence is given by the store.
    pub events: Vec<Event>,
    /// Environments that have something new to look at: their `wake_at` becomes `wake_at_time` if it is later or
    /// absent and they are not settled; their version stays. Those that are written too are written first.
    pub wake: Vec<EnvironmentId>,
    /// The time for [`Changes::wake`].
    pub wake_at_time: Option<Timestamp>,
}

/// A request to lease due rows.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Who claims.
    pub worker: String,
    /// The current time.
    pub now: Timestamp,
    /// Until when the lease holds if it is not renewed.
    pub until: Timestamp,
    /// At most so many rows.
    pub limit: usize,
}

/// An environment with what its next step needs to know.
#[derive(Debug, Clone)]
pub struct ClaimedEnvironment {
    /// The row, with the version that the claim gave it.
    pub environment: Environment,
    /// Its VM, if it has one.
    pub vm: Option<Vm>,
    /// Its intents whose outcome is open or unknown, oldest first.
    pub open_intents: Vec<Intent>,
}

/// Environments to add.
#[derive(Debug, Clone)]
pub struct NewEnvironments {
    /// The rows, with version 0.
    pub environments: Vec<Environment>,
    /// Their first events.
    pub events: Vec<Event>,
    /// Makes a repeated request harmless.
    pub idempotency: Option<IdempotencyKey>,
    /// How many environments that are not deleted an owner may have who has no quota of their own; any number, where
    /// absent.
    pub quota: Option<u32>,
}

/// Another end for an environment.
#[derive(Debug, Clone)]
pub struct ExpiryChange {
    /// Which environment.
    pub id: EnvironmentId,
    /// Its end as it was read.
    pub expected: Expiry,
    /// Its end as it shall be.
    pub becomes: Expiry,
    /// Whether it is over now: the wish becomes absent, and the row is due.
    pub is_over: bool,
    /// What its owner is told.
    pub event: Event,
    /// The current time.
    pub now: Timestamp,
}

/// A client's own name for a request, so that it can repeat it.
#[derive(Debug, Clone)]
pub struct IdempotencyKey {
    /// Whose key; users cannot see each other's.
    pub user: UserName,
    /// The key, at most 255 characters.
    pub key: String,
    /// A hash of the request: the same key with another request is refused.
    pub request_hash: String,
    /// When it was used.
    pub at: Timestamp,
}

/// Which VMs of the pool fit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PoolFilter {
    /// Only this product.
    pub product: Option<String>,
    /// Only this region.
    pub region: Option<String>,
    /// For whom it is: until when they need it. VMs whose contract ends serve only those who end before; they go first, the
    /// soonest to end before the others.
    pub expires_at: Option<Timestamp>,
}

/// An environment that wants a VM of the pool.
#[derive(Debug, Clone)]
pub struct Assignment {
    /// The row as it shall be, with the version that was read.
    pub environment: Environment,
    /// Whether the worker goes on with it.
    pub lease: Lease,
    /// Which VMs fit.
    pub filter: PoolFilter,
    /// The current time.
    pub now: Timestamp,
    /// The event to add if a VM was found.
    pub event: Event,
}

/// Which environments to list.
#[derive(Debug, Clone, Default)]
pub struct EnvironmentQuery {
    /// Only this owner's.
    pub owner: Option<UserName>,
    /// Only those of this request.
    pub batch: Option<BatchId>,
    /// Only with this status, as stored.
    pub status: Option<Status>,
    /// Also the deleted ones; asking for the status `deleted` shows them too.
    pub include_deleted: bool,
    /// Only those after this one.
    pub after: Option<EnvironmentId>,
    /// At most so many; all, where zero.
    pub limit: usize,
}

impl EnvironmentQuery {
    /// Whether deleted environments are among the answers.
    pub(crate) fn shows_deleted(&self) -> bool {
        self.include_deleted || self.status == Some(Status::Deleted)
    }
}

/// Which lines of the ledger to list.
#[derive(Debug, Clone, Default)]
pub struct IntentQuery {
    /// Only this environment's.
    pub environment: Option<EnvironmentId>,
    /// Only this kind.
    pub kind: Option<IntentKind>,
    /// Only those whose outcome is open or unknown.
    pub only_open: bool,
    /// Only those written down at this time or later.
    pub since: Option<Timestamp>,
    /// At most so many; all, where zero.
    pub limit: usize,
}
