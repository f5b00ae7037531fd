//! Reads, locks and overwrites environments and VMs, many at a time.

use std::collections::{BTreeMap, BTreeSet};

use alfred_model::environment::Environment;
use alfred_model::expiry::Expiry;
use alfred_model::id::{BatchId, EnvironmentId};
use alfred_model::name::{DomainName, Slug};
use alfred_model::user::UserName;
use alfred_model::vm::Vm;
use jiff::Timestamp;

use super::row::{Row, expiry_bound, setup_value};
use super::session::Session;
use super::statement::{CHUNK, Statement, Value};
use crate::rule::{self, StoredEnvironment, StoredVm};
use crate::{Lease, StoreError};

/// An environment as it is stored, as far as a write must know it.
struct StoredIdentity {
    stored: StoredEnvironment,
    slug: Slug,
    domain: DomainName,
    owner: UserName,
    batch: Option<BatchId>,
    created_at: Timestamp,
}

/// Environments that were read and locked; one that cannot be understood fails only whoever writes it.
pub(super) struct StoredEnvironments(BTreeMap<EnvironmentId, Result<StoredIdentity, StoreError>>);

impl StoredEnvironments {
    /// The environment as it is after `given` was written; refused, if it is not the first to write this row.
    pub(super) fn written(
        &mut self,
        given: &Environment,
        lease: Lease,
        is_first: bool,
    ) -> Result<Environment, StoreError> {
        if let Some(Err(error)) =
            self.0.extract_if(given.id..=given.id, |_, found| found.is_err()).map(|(_, found)| found).next()
        {
            return Err(error);
        }
        let found = self.0.get(&given.id).and_then(|found| found.as_ref().ok()).filter(|_| is_first);
        let written = rule::environment_written(given, lease, found.map(|found| &found.stored))?;
        Ok(match found {
            Some(found) => Environment {
                slug: found.slug.clone(),
                domain: found.domain.clone(),
                owner: found.owner.clone(),
                batch: found.batch,
                created_at: found.created_at,
                ..written
            },
            None => written,
        })
    }
}

/// Reads and locks environments in the order of their ids, so that replicas do not wait for each other in a circle.
pub(super) async fn lock_environments(
    session: &mut Session,
    ids: &BTreeSet<EnvironmentId>,
) -> Result<StoredEnvironments, StoreError> {
    let ids: Vec<Value> = ids.iter().map(Value::shown).collect();
    let mut found = BTreeMap::new();
    for chunk in ids.chunks(CHUNK) {
        let select = Statement::new(
            "SELECT id, slug, domain, owner, batch, created_at, version, wish, status, woken, expires_at, warn_at, \
             warned_at, expiry_bound, expiry_bound_reason FROM environments WHERE id IN ",
        )
        .list(chunk.to_vec())
        .text(" ORDER BY id")
        .text(session.dialect.for_update());
        for row in &session.read("reading environments to be written", select).await? {
            let row = Row::new(row, "environments");
            found.insert(row.parsed("id")?, identity(&row));
        }
    }
    Ok(StoredEnvironments(found))
}

fn identity(row: &Row<'_>) -> Result<StoredIdentity, StoreError> {
    Ok(StoredIdentity {
        stored: StoredEnvironment {
            version: row.number("version")?,
            wish: row.parsed("wish")?,
            status: row.parsed("status")?,
            woken: row.boolean("woken")?,
            expiry: Expiry {
                at: row.maybe_time("expires_at")?,
                warn_at: row.maybe_time("warn_at")?,
                warned_at: row.maybe_time("warned_at")?,
                bound: expiry_bound(row)?,
            },
        },
        slug: row.parsed("slug")?,
        domain: row.parsed("domain")?,
        owner: row.parsed("owner")?,
        batch: row.maybe_parsed("batch")?,
        created_at: row.time("created_at")?,
    })
}

/// Reads and locks VMs in the order of their ids.
pub(super) async fn lock_vms(
    session: &mut Session,
    ids: &BTreeSet<i64>,
) -> Result<BTreeMap<i64, StoredVm>, StoreError> {
    let ids: Vec<Value> = ids.iter().copied().map(Value::from).collect();
    let mut found = BTreeMap::new();
    for chunk in ids.chunks(CHUNK) {
        let select = Statement::new("SELECT id, version, woken FROM vms WHERE id IN ")
            .list(chunk.to_vec())
            .text(" ORDER BY id")
            .text(session.dialect.for_update());
        for row in &session.read("reading VMs to be written", select).await? {
            let row = Row::new(row, "vms");
            let stored = StoredVm { version: row.number("version")?, woken: row.boolean("woken")? };
            found.insert(row.number("id")?, stored);
        }
    }
    Ok(found)
}

/// Column 1 is the id, 2 the version that was read, 3 whether the lease ends.
const LEASE_END: &str = ", version = target.version + 1, \
     lease_worker = CASE WHEN new.column3 = 1 THEN NULL ELSE target.lease_worker END, \
     lease_until = CASE WHEN new.column3 = 1 THEN NULL ELSE target.lease_until END, \
     woken = CASE WHEN new.column3 = 1 THEN 0 ELSE target.woken END FROM ";
const SAME_VERSION: &str = " WHERE target.id = new.column1 AND target.version = new.column2";

/// Overwrites locked environments; each has the version after the write.
pub(super) async fn update_environments(
    session: &mut Session,
    environments: &[(&Environment, Lease)],
) -> Result<(), StoreError> {
    const COLUMNS: [&str; 15] = [
        "status",
        "step",
        "vm_id",
        "address",
        "record_id",
        "setup",
        "on_failure",
        "attempts",
        "step_since",
        "released_at",
        "wake_at",
        "reason",
        "attention",
        "updated_at",
        "assigned_at",
    ];
    for chunk in environments.chunks(CHUNK) {
        let rows = chunk.iter().map(|(row, lease)| written_values(row, *lease)).collect::<Result<_, _>>()?;
        let update = update("environments", &COLUMNS).rows(rows).text(SAME_VERSION);
        let written = session.write("writing environments", update).await?;
        all_written("environments", written, chunk.len())?;
    }
    Ok(())
}

fn written_values(row: &Environment, lease: Lease) -> Result<Vec<Value>, StoreError> {
    Ok(vec![
        Value::shown(&row.id),
        (row.version - 1).into(),
        (lease == Lease::Release).into(),
        row.status.as_str().into(),
        row.step.as_str().into(),
        Value::Number(row.vm_id.map(|id| id.0)),
        Value::maybe_shown(row.address),
        Value::maybe_shown(row.record_id.as_ref()),
        setup_value(row)?,
        row.on_failure.as_str().into(),
        i64::from(row.attempts).into(),
        Value::time(row.step_since),
        Value::time(row.released_at),
        Value::time(row.wake_at),
        row.reason.as_deref().into(),
        row.attention.into(),
        Value::time(row.updated_at),
        Value::time(row.assigned_at),
    ])
}

/// Overwrites locked VMs; each has the version after the write.
pub(super) async fn update_vms(session: &mut Session, vms: &[(&Vm, Lease)]) -> Result<(), StoreError> {
    const COLUMNS: [&str; 24] = [
        "display_name",
        "product",
        "region",
        "address",
        "state",
        "step",
        "environment_id",
        "bought_for",
        "released_by",
        "assignable_at",
        "wiped_at",
        "install_seen",
        "cancel_date",
        "attempts",
        "step_since",
        "wake_at",
        "reason",
        "attention",
        "created_at",
        "updated_at",
        "contract_began_at",
        "contract_months",
        "price",
        "reinstalls",
    ];
    for chunk in vms.chunks(CHUNK) {
        let rows = chunk.iter().map(|(row, lease)| {
            let mut values = super::row::vm_values(row);
            let content = values.drain(1..=COLUMNS.len());
            let head = [row.id.0.into(), (row.version - 1).into(), (*lease == Lease::Release).into()];
            head.into_iter().chain(content).collect()
        });
        let update = update("vms", &COLUMNS).rows(rows.collect()).text(SAME_VERSION);
        let written = session.write("writing VMs", update).await?;
        all_written("vms", written, chunk.len())?;
    }
    Ok(())
}

fn update(table: &str, columns: &[&str]) -> Statement {
    let set = columns.iter().zip(4..).map(|(column, place)| format!("{column} = new.column{place}"));
    let set = set.collect::<Vec<_>>().join(", ");
    Statement::new(format!("UPDATE {table} AS target SET {set}{LEASE_END}"))
}

/// The rows were locked and compared before; if one is missing now, the group must not be committed.
fn all_written(what: &'static str, written: u64, wanted: usize) -> Result<(), StoreError> {
    if usize::try_from(written) == Ok(wanted) { Ok(()) } else { Err(StoreError::Conflict { what: what.to_owned() }) }
}

/// Wakes environments that are not settled.
pub(super) async fn wake_environments(
    session: &mut Session,
    wakes: &BTreeMap<EnvironmentId, Timestamp>,
) -> Result<(), StoreError> {
    let rows = wakes.iter().map(|(id, time)| vec![Value::shown(id), Value::time(*time)]).collect();
    wake(session, "environments", rows).await
}

/// Wakes rows of `table` that are not settled; each of `rows` is an id and a time. A row that somebody has is marked,
/// so that the wake-up is not lost when they write it.
pub(super) async fn wake(session: &mut Session, table: &'static str, rows: Vec<Vec<Value>>) -> Result<(), StoreError> {
    for chunk in rows.chunks(CHUNK) {
        let update = Statement::new(format!(
            "UPDATE {table} AS target SET wake_at = CASE WHEN target.wake_at IS NULL OR target.wake_at > new.column2 \
             THEN new.column2 ELSE target.wake_at END, \
             woken = CASE WHEN target.lease_until IS NULL THEN 0 ELSE 1 END FROM "
        ))
        .rows(chunk.to_vec())
        .text(" WHERE target.id = new.column1 AND target.step <> 'settled'");
        session.write("waking rows", update).await?;
    }
    Ok(())
}
