//! Rows and stores to test with.

use std::sync::Arc;

use alfred_model::environment::{Environment, OnFailure, Setup, Status, Step, Wish};
use alfred_model::event::{Event, EventKind};
use alfred_model::expiry::Expiry;
use alfred_model::id::{EnvironmentId, IntentId, TokenId, VmId};
use alfred_model::intent::{Intent, IntentKind, Outcome};
use alfred_model::user::{AccessToken, Role, User};
use alfred_model::vm::{Contract, Vm, VmState, VmStep};
use alfred_store::{
    Assignment, Changes, Claim, ClaimedEnvironment, ExpiryChange, Lease, MemoryStore, NewEnvironments, PoolFilter,
    SqlOptions, SqlStore, Store,
};
use jiff::Timestamp;
use uuid::Uuid;

/// A moment, in seconds from an arbitrary one.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

pub(crate) fn id(number: u128) -> EnvironmentId {
    EnvironmentId(Uuid::from_u128(number))
}

/// A new environment that is due at 0 seconds.
pub(crate) fn environment(number: u128) -> Environment {
    let slug = format!("brave-tiger-{number}");
    Environment {
        id: id(number),
        domain: format!("{slug}.alfredos.site").parse().unwrap(),
        slug: slug.parse().unwrap(),
        status: Status::Provisioning,
        step: Step::AssignVm,
        wish: Wish::Present,
        owner: "anna".parse().unwrap(),
        vm_id: None,
        address: None,
        record_id: None,
        setup: Setup { ssh_keys: vec!["ssh-ed25519 AAAA anna".to_owned()], ..Setup::default() },
        on_failure: OnFailure::Pool,
        attempts: 0,
        step_since: at(0),
        assigned_at: Some(at(-5)),
        released_at: None,
        wake_at: Some(at(0)),
        reason: None,
        attention: false,
        expires_at: None,
        warn_at: None,
        warned_at: None,
        expiry_bound: None,
        batch: None,
        created_at: at(0),
        updated_at: at(0),
        version: 0,
    }
}

/// One whose owner is warned, and which ends, at these times.
pub(crate) fn ending(number: u128, warn: i64, end: i64) -> Environment {
    Environment { expires_at: Some(at(end)), warn_at: Some(at(warn)), ..environment(number) }
}

/// Another end for a row that was read.
pub(crate) fn expiry_change(read: &Environment, becomes: Expiry, seconds: i64) -> ExpiryChange {
    ExpiryChange {
        id: read.id,
        expected: read.expiry(),
        becomes,
        is_over: false,
        event: Event { at: at(seconds), kind: EventKind::Warning, ..event(read, "its end changes") },
        now: at(seconds),
    }
}

pub(crate) fn event(environment: &Environment, message: &str) -> Event {
    Event {
        sequence: 0,
        environment_id: environment.id,
        at: at(0),
        status: environment.status,
        step: environment.step,
        kind: EventKind::Progress,
        actor: "anna".to_owned(),
        message: message.to_owned(),
    }
}

/// A ready VM that may be assigned from 0 seconds on.
pub(crate) fn vm(number: i64) -> Vm {
    Vm {
        id: VmId(number),
        display_name: format!("alfredos-pool-{number}"),
        product: "V153".to_owned(),
        region: "EU".to_owned(),
        address: Some([192, 0, 2, 1].into()),
        state: VmState::Ready,
        step: VmStep::Settled,
        environment_id: None,
        bought_for: Some(EnvironmentId(Uuid::from_u128(7001))),
        released_by: Some(EnvironmentId(Uuid::from_u128(7002))),
        assignable_at: Some(at(0)),
        wiped_at: Some(at(-10)),
        install_seen: true,
        cancel_date: None,
        contract: Contract { began_at: Some(at(-20)), months: Some(12), price: Some("5.50 EUR".parse().unwrap()) },
        reinstalls: 1,
        attempts: 0,
        step_since: at(-10),
        wake_at: None,
        reason: None,
        attention: false,
        created_at: at(-20),
        updated_at: at(-10),
        version: 0,
    }
}

pub(crate) fn intent(number: u128, environment: Option<EnvironmentId>) -> Intent {
    Intent {
        id: IntentId(Uuid::from_u128(number)),
        kind: IntentKind::InstallVm,
        environment_id: environment,
        vm_id: None,
        request_id: Uuid::from_u128(number),
        subject: "alfredos-brave-tiger".to_owned(),
        actor: "alfred".to_owned(),
        outcome: Outcome::Open,
        audit_id: Some(7_000_000_000),
        answer: None,
        refused: false,
        call_home_hash: None,
        called_home_at: None,
        created_at: at(0),
        settled_at: None,
    }
}

pub(crate) fn user(name: &str) -> User {
    User { name: name.parse().unwrap(), role: Role::Member, quota: None, created_at: at(0) }
}

pub(crate) fn token(number: u128, user: &str) -> AccessToken {
    AccessToken {
        id: TokenId(Uuid::from_u128(number)),
        user: user.parse().unwrap(),
        label: "laptop".to_owned(),
        hash: format!("{number:064x}"),
        created_at: at(0),
        expires_at: Some(at(60)),
        states_only: false,
        revoked_at: None,
    }
}

pub(crate) fn new(environments: impl IntoIterator<Item = Environment>) -> NewEnvironments {
    NewEnvironments {
        environments: environments.into_iter().collect(),
        events: Vec::new(),
        idempotency: None,
        quota: None,
    }
}

/// A claim at `seconds` that holds for a minute.
pub(crate) fn claim(worker: &str, seconds: i64) -> Claim {
    Claim { worker: worker.to_owned(), now: at(seconds), until: at(seconds + 60), limit: 100 }
}

pub(crate) fn write(environment: Environment, lease: Lease) -> Changes {
    Changes { environments: vec![(environment, lease)], ..Changes::default() }
}

pub(crate) fn assignment(environment: &Environment, seconds: i64) -> Assignment {
    Assignment {
        environment: environment.clone(),
        lease: Lease::Keep,
        filter: PoolFilter::default(),
        now: at(seconds),
        event: event(environment, "a VM of the pool was assigned"),
    }
}

/// Adds an environment and claims it.
pub(crate) async fn claimed(store: &dyn Store, number: u128) -> Environment {
    store.create_environments(new([environment(number)])).await.unwrap();
    let mut claimed = store.claim_environments(&claim("worker", 1)).await.unwrap();
    let position = claimed.iter().position(|claimed| claimed.environment.id == id(number)).unwrap();
    let ClaimedEnvironment { environment, .. } = claimed.swap_remove(position);
    environment
}

pub(crate) async fn add_vms(store: &dyn Store, vms: impl IntoIterator<Item = Vm>) {
    store.commit(Changes { new_vms: vms.into_iter().collect(), ..Changes::default() }).await.unwrap();
}

/// The row as it is stored.
pub(crate) async fn stored(store: &dyn Store, number: u128) -> Environment {
    store.environment(id(number)).await.unwrap().unwrap()
}

/// A store, and what it lives in.
pub(crate) struct Opened {
    pub(crate) store: Arc<dyn Store>,
    _folder: Option<tempfile::TempDir>,
}

pub(crate) async fn memory() -> Opened {
    Opened { store: Arc::new(MemoryStore::new()), _folder: None }
}

pub(crate) async fn sqlite() -> Opened {
    let folder = tempfile::tempdir().unwrap();
    let store = open_sqlite(&folder, SqlOptions::default()).await;
    Opened { store: Arc::new(store), _folder: Some(folder) }
}

pub(crate) async fn open_sqlite(folder: &tempfile::TempDir, options: SqlOptions) -> SqlStore {
    SqlStore::open(&sqlite_address(folder), options).await.unwrap()
}

pub(crate) fn sqlite_address(folder: &tempfile::TempDir) -> String {
    format!("sqlite://{}/alfred.sqlite", folder.path().display())
}

pub(crate) async fn postgres() -> Opened {
    let store = SqlStore::open(&postgres_address(), SqlOptions::default()).await.unwrap();
    Opened { store: Arc::new(store), _folder: None }
}

/// The address of a new, empty database.
pub(crate) fn postgres_address() -> String {
    let server = alfred_testing::postgres::Server::shared().unwrap_or_else(|words| panic!("{words}"));
    server.create_database().unwrap()
}
