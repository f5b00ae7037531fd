//! Leases: claiming what is due, and prolonging.

use std::collections::BTreeMap;

use alfred_model::environment::Environment;
use alfred_model::intent::Intent;
use alfred_model::vm::Vm;
use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::any::AnyRow;

use super::row::{ENVIRONMENT, INTENT, Record, VM};
use super::session::Session;
use super::statement::{CHUNK, Statement, Value};
use super::writer::Work;
use crate::{Claim, ClaimedEnvironment, StoreError};

/// Claims environments.
pub(super) struct ClaimEnvironments(pub(super) Claim);

#[async_trait]
impl Work for ClaimEnvironments {
    type Answer = Vec<ClaimedEnvironment>;

    async fn run(&self, session: &mut Session) -> Result<Vec<ClaimedEnvironment>, StoreError> {
        let rows = claim(session, "environments", ENVIRONMENT, &self.0).await?;
        let mut environments = understood::<Environment>(&rows);
        environments.sort_by_key(|row| (row.wake_at, row.id));
        let vm_ids: Vec<Value> = environments.iter().filter_map(|row| row.vm_id).map(|id| id.0.into()).collect();
        let vms = vms(session, &vm_ids).await?;
        let ids: Vec<Value> = environments.iter().map(|row| Value::shown(&row.id)).collect();
        let mut intents: BTreeMap<_, Vec<Intent>> = BTreeMap::new();
        for intent in open_intents(session, "environment_id", &ids).await? {
            intents.entry(intent.environment_id).or_default().push(intent);
        }
        let with_company = |environment: Environment| ClaimedEnvironment {
            vm: environment.vm_id.and_then(|id| vms.get(&id.0)).cloned(),
            open_intents: intents.remove(&Some(environment.id)).unwrap_or_default(),
            environment,
        };
        Ok(environments.into_iter().map(with_company).collect())
    }
}

/// Claims VMs.
pub(super) struct ClaimVms(pub(super) Claim);

#[async_trait]
impl Work for ClaimVms {
    type Answer = Vec<(Vm, Vec<Intent>)>;

    async fn run(&self, session: &mut Session) -> Result<Vec<(Vm, Vec<Intent>)>, StoreError> {
        let rows = claim(session, "vms", VM, &self.0).await?;
        let mut vms = understood::<Vm>(&rows);
        vms.sort_by_key(|row| (row.wake_at, row.id));
        let ids: Vec<Value> = vms.iter().map(|row| row.id.0.into()).collect();
        let mut intents: BTreeMap<_, Vec<Intent>> = BTreeMap::new();
        for intent in open_intents(session, "environment_id IS NULL AND vm_id", &ids).await? {
            intents.entry(intent.vm_id).or_default().push(intent);
        }
        let with_company = |vm: Vm| {
            let intents = intents.remove(&Some(vm.id)).unwrap_or_default();
            (vm, intents)
        };
        Ok(vms.into_iter().map(with_company).collect())
    }
}

/// Leases rows that are due and free. The list of ids is made first and as a whole (`MATERIALIZED`): as a subquery it
/// could be run again while rows are written, and take more than `limit`.
async fn claim(
    session: &mut Session,
    table: &'static str,
    columns: &'static str,
    claim: &Claim,
) -> Result<Vec<AnyRow>, StoreError> {
    if claim.limit == 0 {
        return Ok(Vec::new());
    }
    let update = Statement::new(format!("WITH due AS MATERIALIZED (SELECT id FROM {table} WHERE wake_at <= "))
        .value(Value::time(claim.now))
        .text(" AND (lease_until IS NULL OR lease_until <= ")
        .value(Value::time(claim.now))
        .text(") ORDER BY wake_at, id LIMIT ")
        .value(Value::count(claim.limit))
        .text(session.dialect.skip_locked())
        .text(") UPDATE ")
        .text(table)
        .text(" SET version = version + 1, woken = 0, lease_worker = ")
        .value(claim.worker.as_str())
        .text(", lease_until = ")
        .value(Value::time(claim.until))
        .text(" WHERE id IN (SELECT id FROM due) RETURNING ")
        .text(columns);
    session.write_and_read("claiming rows", update).await
}

/// The rows that can be understood; the others stay leased until the claim ends, and are logged.
pub(super) fn understood<T: Record>(rows: &[AnyRow]) -> Vec<T> {
    let log = |error: &StoreError| tracing::error!(%error, "a due row is left out");
    rows.iter().filter_map(|row| T::from_row(row).inspect_err(log).ok()).collect()
}

async fn vms(session: &mut Session, ids: &[Value]) -> Result<BTreeMap<i64, Vm>, StoreError> {
    let mut found = BTreeMap::new();
    for chunk in ids.chunks(CHUNK) {
        let select = Statement::new(format!("SELECT {VM} FROM vms WHERE id IN ")).list(chunk.to_vec());
        for row in &session.read("reading VMs of claimed environments", select).await? {
            let vm = Vm::from_row(row)?;
            found.insert(vm.id.0, vm);
        }
    }
    Ok(found)
}

/// Open intents whose `column` is one of `ids`, oldest first.
async fn open_intents(session: &mut Session, column: &'static str, ids: &[Value]) -> Result<Vec<Intent>, StoreError> {
    let mut found = Vec::new();
    for chunk in ids.chunks(CHUNK) {
        let select = Statement::new(format!("SELECT {INTENT} FROM intents WHERE {column} IN "))
            .list(chunk.to_vec())
            .text(" AND outcome IN ('open', 'unknown') ORDER BY id");
        for row in &session.read("reading open intents of claimed rows", select).await? {
            found.push(Intent::from_row(row)?);
        }
    }
    Ok(found)
}

/// Prolongs leases.
pub(super) struct Renew {
    pub(super) worker: String,
    pub(super) until: Timestamp,
}

#[async_trait]
impl Work for Renew {
    type Answer = u64;

    async fn run(&self, session: &mut Session) -> Result<u64, StoreError> {
        let mut renewed = 0;
        for table in ["environments", "vms"] {
            let update = Statement::new(format!("UPDATE {table} SET lease_until = CASE WHEN lease_until > "))
                .value(Value::time(self.until))
                .text(" THEN lease_until ELSE ")
                .value(Value::time(self.until))
                .text(" END WHERE lease_until IS NOT NULL AND lease_worker = ")
                .value(self.worker.as_str());
            renewed += session.write("renewing leases", update).await?;
        }
        Ok(renewed)
    }
}
