//! The store in SQLite and PostgreSQL: one code path, one SQL, two schemas.
//!
//! Everything that changes rows goes through one task (`writer`), everything that only asks goes past it (`reader`).
//! Both databases agree on TEXT and BIGINT; nothing else is used.

mod address;
mod assign;
mod claim;
mod commit;
mod connection;
mod create;
mod dialect;
mod expiry;
mod export;
mod failure;
mod import;
pub(crate) mod migration;
mod quota;
mod reader;
pub(crate) mod row;
mod session;
mod shared;
pub(crate) mod sightings;
mod signal;
pub(crate) mod statement;
pub(crate) mod states;
mod update;
mod user;
mod writer;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

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
use tokio::task::JoinHandle;

use crate::{
    Assignment, Changes, Claim, ClaimedEnvironment, EnvironmentQuery, ExpiryChange, IdempotencyKey, IntentQuery,
    NewEnvironments, SharedValue, Store, StoreError,
};
pub use address::mask_address;
use connection::Connector;
use reader::Reader;
use session::Session;
use writer::Writer;

/// Which side of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitMoment {
    /// The transaction is still open: if the process ends here, nothing of it is written.
    Before,
    /// It is durable, and no caller knows yet.
    After,
}

/// Told of each commit.
pub type CommitHook = Arc<dyn Fn(CommitMoment) + Send + Sync>;

/// How a database is opened.
#[derive(Clone)]
pub struct SqlOptions {
    /// Called on the writer's task around each commit that changes rows (other than shared values alone), with the
    /// transaction still open and again once it is durable; for tests that end the process there.
    pub on_commit: Option<CommitHook>,
    /// So many connections read at the same time; at least one.
    pub readers: u32,
    /// At most so many pieces of work are committed together; at least one.
    pub group: usize,
    /// The SQLite file may not grow beyond so many pages (of 4 KiB); without limit, where absent.
    pub max_pages: Option<u32>,
}

impl std::fmt::Debug for SqlOptions {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("SqlOptions")
            .field("readers", &self.readers)
            .field("group", &self.group)
            .field("max_pages", &self.max_pages)
            .finish_non_exhaustive()
    }
}

impl Default for SqlOptions {
    fn default() -> Self {
        Self { on_commit: None, readers: 4, group: 256, max_pages: None }
    }
}

/// The store in a SQLite file (one process) or in PostgreSQL (several).
///
/// It needs a tokio runtime to live in. After it is dropped, what was handed to it is still written.
pub struct SqlStore {
    writer: Mutex<Option<Arc<Writer>>>,
    task: Mutex<Option<JoinHandle<()>>>,
    reader: Reader,
    statements: Arc<AtomicU64>,
    /// Makes the connection on which records are taken in. It holds the lock of a file, so that it ends with the store.
    connector: Mutex<Option<Connector>>,
}

impl SqlStore {
    /// Opens `sqlite://PATH` (made for this user alone, if it is missing) or `postgres://…`, and brings its schema up
    /// to date.
    ///
    /// A SQLite file is opened by one process at a time: [`StoreError::Locked`] for the second.
    pub async fn open(address: &str, options: SqlOptions) -> Result<Self, StoreError> {
        let connector = Connector::new(address, &options)?;
        let connection = connector.prepare().await?;
        let reader = Reader::new(connector.readers(options.readers), connector.dialect);
        let statements = Arc::new(AtomicU64::new(0));
        let session = Session::new(connection, connector.dialect, Arc::clone(&statements), connector.on_commit.clone());
        let (writer, task) = Writer::start(connector.clone(), session, Arc::clone(&statements), options.group);
        let (writer, task) = (Mutex::new(Some(Arc::new(writer))), Mutex::new(Some(task)));
        Ok(Self { writer, task, reader, statements, connector: Mutex::new(Some(connector)) })
    }

    /// Writes what was handed in, ends all connections and lets go of the file. Whatever is asked afterwards fails.
    pub async fn close(&self) {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.connector.lock().unwrap_or_else(PoisonError::into_inner).take();
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Readers first: the writer's connection is then the last, and SQLite folds its log into the file.
        self.reader.close().await;
        if let Some(Err(error)) = async { Some(task?.await) }.await {
            tracing::error!(%error, "the store's writer did not end in order");
        }
    }

    /// Whether several processes may have this database open: PostgreSQL, and not a SQLite file.
    pub fn is_shared(&self) -> bool {
        self.reader.dialect() == dialect::Dialect::Postgres
    }

    /// How many statements the writer has sent since the store was opened.
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    fn writer(&self) -> Result<Arc<Writer>, StoreError> {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).clone();
        writer.ok_or_else(|| StoreError::Database { doing: "writing", source: "the store was closed".into() })
    }
}

#[async_trait]
impl Store for SqlStore {
    async fn installation(&self, proposed: InstallationId) -> Result<InstallationId, StoreError> {
        self.writer()?.run(create::Install(proposed)).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.reader.ping().await
    }

    async fn create_environments(&self, new: NewEnvironments) -> Result<Vec<Environment>, StoreError> {
        self.writer()?.run(new).await
    }

    async fn created_before(&self, key: &IdempotencyKey) -> Result<Option<Vec<Environment>>, StoreError> {
        self.writer()?.run(create::CreatedBefore(key.clone())).await
    }

    async fn environment(&self, id: EnvironmentId) -> Result<Option<Environment>, StoreError> {
        self.reader.environment(id).await
    }

    async fn environment_by_slug(&self, slug: &Slug) -> Result<Option<Environment>, StoreError> {
        self.reader.environment_by_slug(slug).await
    }

    async fn environments(&self, query: EnvironmentQuery) -> Result<Vec<Environment>, StoreError> {
        self.reader.environments(&query).await
    }

    async fn wish_absent(
        &self,
        id: EnvironmentId,
        actor: &str,
        now: Timestamp,
    ) -> Result<Option<Environment>, StoreError> {
        self.writer()?.run(signal::WishAbsent { id, actor: actor.to_owned(), now }).await
    }

    async fn change_expiry(&self, change: &ExpiryChange) -> Result<Option<Environment>, StoreError> {
        self.writer()?.run(change.clone()).await
    }

    async fn expiring(&self, until: Timestamp, limit: usize) -> Result<Vec<Environment>, StoreError> {
        self.reader.expiring(until, limit).await
    }

    async fn live_environments(&self, owner: &UserName) -> Result<u64, StoreError> {
        self.reader.live_environments(owner).await
    }

    async fn claim_environments(&self, claim: &Claim) -> Result<Vec<ClaimedEnvironment>, StoreError> {
        self.writer()?.run(claim::ClaimEnvironments(claim.clone())).await
    }

    async fn claim_vms(&self, claim: &Claim) -> Result<Vec<(Vm, Vec<Intent>)>, StoreError> {
        self.writer()?.run(claim::ClaimVms(claim.clone())).await
    }

    async fn renew_leases(&self, worker: &str, until: Timestamp) -> Result<u64, StoreError> {
        self.writer()?.run(claim::Renew { worker: worker.to_owned(), until }).await
    }

    async fn commit(&self, changes: Changes) -> Result<Changes, StoreError> {
        self.writer()?.commit(changes).await
    }

    async fn assign_vm(&self, assignment: Assignment) -> Result<Option<(Environment, Vm)>, StoreError> {
        self.writer()?.assign(assignment).await
    }

    async fn next_wake(&self) -> Result<Option<Timestamp>, StoreError> {
        self.reader.next_wake().await
    }

    async fn vm(&self, id: VmId) -> Result<Option<Vm>, StoreError> {
        self.reader.vm(id).await
    }

    async fn vms(&self, include_ended: bool) -> Result<Vec<Vm>, StoreError> {
        self.reader.vms(include_ended).await
    }

    async fn owned_vms(&self) -> Result<u64, StoreError> {
        self.reader.owned_vms().await
    }

    async fn lives(&self, since: Timestamp) -> Result<Vec<Life>, StoreError> {
        self.reader.lives(since).await
    }

    async fn intent(&self, id: IntentId) -> Result<Option<Intent>, StoreError> {
        self.reader.intent(id).await
    }

    async fn intents(&self, query: IntentQuery) -> Result<Vec<Intent>, StoreError> {
        self.reader.intents(&query).await
    }

    async fn call_home(&self, hash: &str, now: Timestamp) -> Result<Option<Intent>, StoreError> {
        self.writer()?.run(signal::CallHome { hash: hash.to_owned(), now }).await
    }

    async fn events(
        &self,
        environment: Option<EnvironmentId>,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Event>, StoreError> {
        self.reader.events(environment, after, limit).await
    }

    async fn notices(&self, after: i64, limit: usize) -> Result<Vec<Event>, StoreError> {
        self.reader.notices(after, limit).await
    }

    async fn last_event(&self) -> Result<i64, StoreError> {
        self.reader.last_event().await
    }

    async fn create_user(&self, user: &User) -> Result<(), StoreError> {
        self.writer()?.run(user::NewUser(user.clone())).await
    }

    async fn user(&self, name: &UserName) -> Result<Option<User>, StoreError> {
        self.reader.user(name).await
    }

    async fn set_quota(&self, name: &UserName, quota: Option<u32>) -> Result<bool, StoreError> {
        self.writer()?.run(quota::SetQuota { name: name.clone(), quota }).await
    }

    async fn users(&self) -> Result<Vec<User>, StoreError> {
        self.reader.users().await
    }

    async fn create_token(&self, token: &AccessToken) -> Result<(), StoreError> {
        self.writer()?.run(user::NewToken(token.clone())).await
    }

    async fn token_by_hash(&self, hash: &str) -> Result<Option<(AccessToken, User)>, StoreError> {
        self.reader.token_by_hash(hash).await
    }

    async fn tokens(&self) -> Result<Vec<AccessToken>, StoreError> {
        self.reader.tokens().await
    }

    async fn revoke_token(&self, id: TokenId, now: Timestamp) -> Result<bool, StoreError> {
        self.writer()?.run(user::RevokeToken { id, now }).await
    }

    async fn note_sightings(&self, seen: &[FindingKey], at: Timestamp) -> Result<Vec<Sighting>, StoreError> {
        self.writer()?.run(sightings::Note::new(seen, at)).await
    }

    async fn sightings(&self) -> Result<Vec<Sighting>, StoreError> {
        self.reader.sightings().await
    }

    async fn take_audit_turn(&self, now: Timestamp, next: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        self.writer()?.run(sightings::Turn { now, next }).await
    }

    async fn shared_value(&self, name: &str) -> Result<Option<SharedValue>, StoreError> {
        self.reader.shared_value(name).await
    }

    async fn swap_shared_value(&self, name: &str, expected: Option<i64>, text: &str) -> Result<bool, StoreError> {
        self.writer()?.swap(shared::Swap { name: name.to_owned(), expected, text: text.to_owned() }).await
    }

    async fn create_limited_token(&self, token: &AccessToken, grants: &[StateGrant]) -> Result<(), StoreError> {
        let token = user::NewToken(token.clone());
        self.writer()?.run(states::NewLimitedToken { token, grants: grants.to_vec() }).await
    }

    async fn put_state_grant(&self, grant: &StateGrant) -> Result<(), StoreError> {
        self.writer()?.run(states::PutGrant(grant.clone())).await
    }

    async fn remove_state_grant(&self, subject: &Subject, pattern: &StatePattern) -> Result<bool, StoreError> {
        let (subject, pattern) = (subject.clone(), pattern.clone());
        self.writer()?.run(states::RemoveGrant { subject, pattern }).await
    }

    async fn state_grants_of(&self, user: &UserName, token: TokenId) -> Result<Vec<StateGrant>, StoreError> {
        self.reader.state_grants_of(user, token).await
    }

    async fn state_grants(&self) -> Result<Vec<StateGrant>, StoreError> {
        self.reader.state_grants().await
    }

    async fn log_state(&self, line: &StateLogEntry) -> Result<(), StoreError> {
        self.writer()?.run(states::LogLine(line.clone())).await
    }

    async fn state_log(&self, query: &StateLogQuery) -> Result<Vec<StateLogEntry>, StoreError> {
        self.reader.state_log(query).await
    }

    async fn export(&self, into: mpsc::Sender<Vec<u8>>) -> Result<u64, StoreError> {
        self.reader.export(into).await
    }

    async fn import(&self, from: mpsc::Receiver<Vec<u8>>) -> Result<u64, StoreError> {
        let connector = self.connector.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let closed = || StoreError::Database { doing: "taking records in", source: "the store was closed".into() };
        import::run(&connector.ok_or_else(closed)?, from).await
    }
}
