//! Any sequence of operations has the same outcomes in memory and in SQLite.

use std::fmt::Debug;

use alfred_model::environment::{Environment, Status, Step};
use alfred_model::expiry::Expiry;
use alfred_model::id::VmId;
use alfred_model::intent::Outcome;
use alfred_model::vm::{Vm, VmState, VmStep};
use alfred_store::{
    Assignment, Changes, Claim, EnvironmentQuery, ExpiryChange, IdempotencyKey, IntentQuery, Lease, MemoryStore,
    NewEnvironments, PoolFilter, SqlOptions, Store, StoreError,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::fixture::{assignment, at, environment, event, expiry_change, id, intent, new, open_sqlite, user, vm};

/// One call. Numbers are small, so that calls meet the same rows.
#[derive(Debug, Clone)]
enum Operation {
    Create { numbers: Vec<u8>, slug: u8, key: Option<(u8, u8)>, quota: Option<u8>, ends: Option<u8> },
    ChangeExpiry { number: u8, stale: bool, warned: bool, end: Option<u8>, is_over: bool },
    SetQuota { quota: Option<u8> },
    WishAbsent { number: u8 },
    Claim { worker: u8, limit: usize },
    ClaimVms { worker: u8, limit: usize },
    Renew { worker: u8 },
    Write { number: u8, stale: bool, keep: bool, step: usize, deleted: bool, wake: Option<u8> },
    WriteVm { number: u8, keep: bool, state: usize, settled: bool, wake: Option<u8> },
    AddVms { numbers: Vec<u8>, assignable: Option<u8>, last_day: Option<i8> },
    Assign { number: u8, keep: bool, other_product: bool, expires: Option<u8> },
    Intent { number: u8, environment: Option<u8>, vm: Option<u8>, outcome: usize, hash: bool },
    Wake { numbers: Vec<u8> },
    CallHome { number: u8 },
    Wait { seconds: u8 },
}

fn operation() -> impl Strategy<Value = Operation> {
    let number = || 0..6_u8;
    let maybe = || prop::option::of(0..50_u8);
    prop_oneof![
        (
            vec(number(), 1..3),
            number(),
            prop::option::of((0..2_u8, 0..2_u8)),
            prop::option::weighted(0.2, 0..5_u8),
            maybe()
        )
            .prop_map(|(numbers, slug, key, quota, ends)| Operation::Create {
                numbers,
                slug,
                key,
                quota,
                ends
            }),
        (number(), prop::bool::weighted(0.2), any::<bool>(), maybe(), prop::bool::weighted(0.3)).prop_map(
            |(number, stale, warned, end, is_over)| Operation::ChangeExpiry { number, stale, warned, end, is_over }
        ),
        prop::option::weighted(0.3, 0..6_u8).prop_map(|quota| Operation::SetQuota { quota }),
        number().prop_map(|number| Operation::WishAbsent { number }),
        (0..2_u8, 0..4_usize).prop_map(|(worker, limit)| Operation::Claim { worker, limit }),
        (0..2_u8, 0..4_usize).prop_map(|(worker, limit)| Operation::ClaimVms { worker, limit }),
        (0..2_u8).prop_map(|worker| Operation::Renew { worker }),
        (number(), prop::bool::weighted(0.2), any::<bool>(), 0..Step::ALL.len(), prop::bool::weighted(0.2), maybe())
            .prop_map(|(number, stale, keep, step, deleted, wake)| Operation::Write {
                number,
                stale,
                keep,
                step,
                deleted,
                wake
            }),
        (number(), any::<bool>(), 0..VmState::ALL.len(), any::<bool>(), maybe())
            .prop_map(|(number, keep, state, settled, wake)| Operation::WriteVm { number, keep, state, settled, wake }),
        (vec(number(), 1..3), maybe(), prop::option::of(1..9_i8))
            .prop_map(|(numbers, assignable, last_day)| { Operation::AddVms { numbers, assignable, last_day } }),
        (number(), any::<bool>(), any::<bool>(), prop::option::of(0..8_u8)).prop_map(
            |(number, keep, other_product, expires)| Operation::Assign { number, keep, other_product, expires }
        ),
        (number(), prop::option::of(number()), prop::option::of(number()), 0..Outcome::ALL.len(), any::<bool>())
            .prop_map(|(number, environment, vm, outcome, hash)| Operation::Intent {
                number,
                environment,
                vm,
                outcome,
                hash
            }),
        vec(number(), 0..4).prop_map(|numbers| Operation::Wake { numbers }),
        number().prop_map(|number| Operation::CallHome { number }),
        (0..40_u8).prop_map(|seconds| Operation::Wait { seconds }),
    ]
}

/// What a call answered, in words that can be compared.
fn words<T: Debug>(outcome: Result<T, StoreError>) -> String {
    match outcome {
        Ok(answer) => format!("{answer:?}"),
        Err(error) => error.to_string(),
    }
}

async fn row(store: &dyn Store, number: u8) -> Option<Environment> {
    store.environment(id(number.into())).await.unwrap()
}

async fn vm_row(store: &dyn Store, number: u8) -> Option<Vm> {
    store.vm(VmId(number.into())).await.unwrap()
}

/// Does one operation at `now` seconds.
async fn apply(store: &dyn Store, operation: &Operation, now: i64) -> String {
    let lease = |keep: bool| if keep { Lease::Keep } else { Lease::Release };
    let seconds = |seconds: Option<u8>| seconds.map(|seconds| at(now + i64::from(seconds) - 10));
    let claim = |worker: u8, limit| Claim { worker: worker.to_string(), now: at(now), until: at(now + 30), limit };
    match operation.clone() {
        Operation::Create { numbers, slug, key, quota, ends } => {
            let mut request = create(&numbers, slug, key, now);
            request.quota = quota.map(u32::from);
            for row in &mut request.environments {
                row.set_expiry(Expiry { at: seconds(ends), warn_at: ends.map(|_| at(now)), ..Expiry::default() });
            }
            words(store.create_environments(request).await)
        }
        Operation::ChangeExpiry { number, stale, warned, end, is_over } => {
            let mut read = row(store, number).await.unwrap_or_else(|| environment(number.into()));
            if stale {
                read.expires_at = Some(at(-1));
            }
            let (at_end, warned_at) = (seconds(end), warned.then(|| at(now)));
            let becomes = Expiry { at: at_end, warn_at: end.map(|_| at(now)), warned_at, bound: None };
            words(store.change_expiry(&ExpiryChange { is_over, ..expiry_change(&read, becomes, now) }).await)
        }
        Operation::SetQuota { quota } => words(store.set_quota(&"anna".parse().unwrap(), quota.map(u32::from)).await),
        Operation::WishAbsent { number } => words(store.wish_absent(id(number.into()), "anna", at(now)).await),
        Operation::Claim { worker, limit } => words(store.claim_environments(&claim(worker, limit)).await),
        Operation::ClaimVms { worker, limit } => words(store.claim_vms(&claim(worker, limit)).await),
        Operation::Renew { worker } => words(store.renew_leases(&worker.to_string(), at(now + 45)).await),
        Operation::Write { number, stale, keep, step, deleted, wake } => {
            let mut row = row(store, number).await.unwrap_or_else(|| environment(number.into()));
            row.version -= i64::from(stale);
            row.step = Step::ALL[step];
            row.status = if deleted { Status::Deleted } else { Status::Active };
            row.wake_at = seconds(wake);
            row.updated_at = at(now);
            words(store.commit(with_event_and_wake(row, lease(keep))).await)
        }
        Operation::WriteVm { number, keep, state, settled, wake } => {
            let mut row = vm_row(store, number).await.unwrap_or_else(|| vm(number.into()));
            row.state = VmState::ALL[state];
            row.step = if settled { VmStep::Settled } else { VmStep::Wipe };
            row.wake_at = seconds(wake);
            row.updated_at = at(now);
            words(store.commit(Changes { vms: vec![(row, lease(keep))], ..Changes::default() }).await)
        }
        Operation::AddVms { numbers, assignable, last_day } => {
            let rows = numbers.iter().map(|number| Vm {
                assignable_at: seconds(assignable),
                cancel_date: last_day.map(|day| at(i64::from(day) * 86_400).to_zoned(jiff::tz::TimeZone::UTC).date()),
                ..vm((*number).into())
            });
            words(store.commit(Changes { new_vms: rows.collect(), ..Changes::default() }).await)
        }
        Operation::Assign { number, keep, other_product, expires } => {
            let row = row(store, number).await.unwrap_or_else(|| environment(number.into()));
            let filter = PoolFilter {
                product: other_product.then(|| "V45".to_owned()),
                region: None,
                expires_at: expires.map(|days| at(i64::from(days) * 86_400)),
            };
            words(store.assign_vm(Assignment { lease: lease(keep), filter, ..assignment(&row, now) }).await)
        }
        Operation::Intent { number, environment, vm, outcome, hash } => {
            let mut line = intent(number.into(), environment.map(|number| id(number.into())));
            line.vm_id = vm.map(|number| VmId(number.into()));
            line.outcome = Outcome::ALL[outcome];
            line.call_home_hash = hash.then(|| number.to_string());
            words(store.commit(Changes { intents: vec![line], ..Changes::default() }).await)
        }
        Operation::Wake { numbers } => {
            let wake = numbers.iter().map(|number| id((*number).into())).collect();
            words(store.commit(Changes { wake, wake_at_time: Some(at(now)), ..Changes::default() }).await)
        }
        Operation::CallHome { number } => words(store.call_home(&number.to_string(), at(now)).await),
        Operation::Wait { .. } => String::new(),
    }
}

/// Environments whose slugs may be taken; the first has the slug of another number.
fn create(numbers: &[u8], slug: u8, key: Option<(u8, u8)>, now: i64) -> NewEnvironments {
    let mut request = new(numbers.iter().map(|number| {
        let mut row = environment((*number).into());
        row.wake_at = Some(at(now));
        row
    }));
    request.environments[0].slug = environment(slug.into()).slug;
    request.events = request.environments.iter().map(|row| event(row, "asked for")).collect();
    request.idempotency = key.map(|(key, hash)| IdempotencyKey {
        user: "anna".parse().unwrap(),
        key: key.to_string(),
        request_hash: hash.to_string(),
        at: at(now),
    });
    request
}

/// Writes a row, tells of it, and wakes it and another at the time it waits for.
fn with_event_and_wake(row: Environment, lease: Lease) -> Changes {
    Changes {
        events: vec![event(&row, "written")],
        wake: vec![row.id, id(1)],
        wake_at_time: row.wake_at,
        environments: vec![(row, lease)],
        ..Changes::default()
    }
}

/// Everything that can be read.
async fn everything(store: &dyn Store) -> Vec<String> {
    let all = EnvironmentQuery { include_deleted: true, ..EnvironmentQuery::default() };
    let mut words = vec![
        words(store.environments(all).await),
        words(
            store.environments(EnvironmentQuery { status: Some(Status::Active), ..EnvironmentQuery::default() }).await,
        ),
        words(store.vms(true).await),
        words(store.intents(IntentQuery::default()).await),
        words(store.intents(IntentQuery { only_open: true, ..IntentQuery::default() }).await),
        words(store.events(None, 0, usize::MAX).await),
        words(store.last_event().await),
        words(store.next_wake().await),
        words(store.expiring(at(40), 3).await),
        words(store.notices(2, 5).await),
        words(store.live_environments(&"anna".parse().unwrap()).await),
    ];
    for number in 0..6 {
        words.push(format!("{:?}", store.environment_by_slug(&environment(number).slug).await));
    }
    words
}

async fn compare(operations: Vec<Operation>) -> Result<(), TestCaseError> {
    let memory = MemoryStore::new();
    let folder = tempfile::tempdir().unwrap();
    let sqlite = open_sqlite(&folder, SqlOptions::default()).await;
    for store in [&memory as &dyn Store, &sqlite] {
        store.create_user(&user("anna")).await.unwrap();
    }
    let mut now = 0;
    for operation in operations {
        if let Operation::Wait { seconds } = operation {
            now += i64::from(seconds);
        }
        let expected = apply(&memory, &operation, now).await;
        let found = apply(&sqlite, &operation, now).await;
        prop_assert_eq!(expected, found, "{:?} at {}", operation, now);
        prop_assert_eq!(everything(&memory).await, everything(&sqlite).await, "after {:?} at {}", operation, now);
    }
    sqlite.close().await;
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, rng_seed: RngSeed::Fixed(20_261_121), ..ProptestConfig::default() })]

    #[test]
    fn memory_and_sqlite_agree(operations in vec(operation(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(compare(operations))?;
    }
}
