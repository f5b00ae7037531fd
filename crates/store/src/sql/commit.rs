//! Writes the changes of any number of callers with few statements: read and lock what they name, decide in memory who
//! is right, write what those want.

use std::collections::{BTreeMap, BTreeSet};

use alfred_model::environment::{Environment, Step};
use alfred_model::id::{EnvironmentId, IntentId};
use alfred_model::intent::Intent;
use alfred_model::vm::Vm;
use jiff::Timestamp;

use super::row::{INTENT, Row, VM, intent_values, vm_values};
use super::session::Session;
use super::statement::{CHUNK, Statement, Value, new_columns};
use super::update::{
    StoredEnvironments, lock_environments, lock_vms, update_environments, update_vms, wake_environments,
};
use crate::rule::{self, StoredVm};
use crate::{Changes, Lease, StoreError};

/// Commits each of `all`, or refuses it. Events of the answers carry their place among the session's events, from 1.
pub(super) async fn run(
    session: &mut Session,
    all: &[&Changes],
) -> Result<Vec<Result<Changes, StoreError>>, StoreError> {
    if all.is_empty() {
        return Ok(Vec::new());
    }
    let mut decision = Decision::read(session, all).await?;
    let mut outcomes: Vec<_> = all.iter().map(|changes| decision.decide(changes)).collect();
    let accepted = || outcomes.iter().flatten();
    let environments: Vec<(&Environment, Lease)> =
        accepted().flat_map(|changes| &changes.environments).map(|(row, lease)| (row, *lease)).collect();
    update_environments(session, &environments).await?;
    let vms: Vec<(&Vm, Lease)> =
        accepted().flat_map(|changes| &changes.vms).map(|(row, lease)| (row, *lease)).collect();
    update_vms(session, &vms).await?;
    insert_vms(session, &accepted().flat_map(|changes| &changes.new_vms).collect::<Vec<_>>()).await?;
    let calls = write_intents(session, accepted().flat_map(|changes| &changes.intents)).await?;
    wake_environments(session, &wakes(accepted())).await?;
    for changes in outcomes.iter_mut().flatten() {
        for intent in &mut changes.intents {
            intent.called_home_at = intent.called_home_at.or(calls.get(&intent.id).copied().flatten());
        }
        for event in &mut changes.events {
            event.sequence = i64::try_from(session.push_event(event.clone())).unwrap_or(i64::MAX - 1) + 1;
        }
    }
    Ok(outcomes)
}

/// What is stored of the rows that the callers name, and which of them are spoken for.
struct Decision {
    stored_environments: StoredEnvironments,
    stored_vms: BTreeMap<i64, StoredVm>,
    environments: BTreeSet<EnvironmentId>,
    vms: BTreeSet<i64>,
}

impl Decision {
    async fn read(session: &mut Session, all: &[&Changes]) -> Result<Self, StoreError> {
        let environments = all.iter().flat_map(|changes| &changes.environments).map(|(row, _)| row.id).collect();
        let written = all.iter().flat_map(|changes| &changes.vms).map(|(row, _)| row.id.0);
        let added = all.iter().flat_map(|changes| &changes.new_vms).map(|row| row.id.0);
        let vms = written.chain(added).collect();
        Ok(Self {
            stored_environments: lock_environments(session, &environments).await?,
            stored_vms: lock_vms(session, &vms).await?,
            environments: BTreeSet::new(),
            vms: BTreeSet::new(),
        })
    }

    /// The changes as they will be written. Of two callers who read the same version, the second is refused.
    fn decide(&mut self, changes: &Changes) -> Result<Changes, StoreError> {
        let (mut environments, mut vms) = (BTreeSet::new(), BTreeSet::new());
        let mut written = changes.clone();
        for (row, lease) in &mut written.environments {
            let is_first = !self.environments.contains(&row.id) && environments.insert(row.id);
            *row = self.stored_environments.written(row, *lease, is_first)?;
        }
        for (row, lease) in &mut written.vms {
            let is_first = !self.vms.contains(&row.id.0) && vms.insert(row.id.0);
            let stored = self.stored_vms.get(&row.id.0).filter(|_| is_first);
            *row = rule::vm_written(row, *lease, stored)?;
        }
        for row in &written.new_vms {
            let is_first = !self.vms.contains(&row.id.0) && vms.insert(row.id.0);
            if !is_first || self.stored_vms.contains_key(&row.id.0) {
                return Err(rule::vm_conflict(row));
            }
        }
        self.environments.extend(environments);
        self.vms.extend(vms);
        if let Some(time) = written.wake_at_time {
            for (row, _) in &mut written.environments {
                if written.wake.contains(&row.id) && row.step != Step::Settled {
                    row.wake_at = Some(rule::earlier(row.wake_at, time));
                }
            }
        }
        Ok(written)
    }
}

/// The earliest wake-up of each environment.
fn wakes<'c>(accepted: impl Iterator<Item = &'c Changes>) -> BTreeMap<EnvironmentId, Timestamp> {
    let mut wakes = BTreeMap::new();
    for changes in accepted {
        let Some(time) = changes.wake_at_time else { continue };
        for id in &changes.wake {
            wakes.entry(*id).and_modify(|earliest: &mut Timestamp| *earliest = time.min(*earliest)).or_insert(time);
        }
    }
    wakes
}

async fn insert_vms(session: &mut Session, vms: &[&Vm]) -> Result<(), StoreError> {
    for chunk in vms.chunks(CHUNK) {
        let insert = Statement::new(format!("INSERT INTO vms ({VM}) SELECT {} FROM ", new_columns(26)))
            .rows(chunk.iter().map(|vm| vm_values(vm)).collect())
            .text(" WHERE new.column1 IS NOT NULL");
        session.write("adding VMs", insert).await?;
    }
    Ok(())
}

/// Adds or overwrites lines of the ledger; where several callers write one line, the last wins. Answers when the VMs
/// of those lines called home.
async fn write_intents<'c>(
    session: &mut Session,
    intents: impl Iterator<Item = &'c Intent>,
) -> Result<BTreeMap<IntentId, Option<Timestamp>>, StoreError> {
    let mut last: BTreeMap<IntentId, Intent> = BTreeMap::new();
    for intent in intents {
        let before = last.get(&intent.id).and_then(|intent| intent.called_home_at);
        last.insert(intent.id, rule::intent_written(intent, before));
    }
    let rows: Vec<Vec<Value>> = last.values().map(intent_values).collect();
    let columns = INTENT.split(", ").map(str::trim).filter(|column| *column != "id" && *column != "called_home_at");
    let overwrite = columns.map(|column| format!("{column} = excluded.{column}")).collect::<Vec<_>>().join(", ");
    let mut calls = BTreeMap::new();
    for chunk in rows.chunks(CHUNK) {
        let upsert = Statement::new(format!("INSERT INTO intents ({INTENT}) SELECT {} FROM ", new_columns(15)))
            .rows(chunk.to_vec())
            .text(" WHERE new.column1 IS NOT NULL ON CONFLICT (id) DO UPDATE SET ")
            .text(&overwrite)
            .text(", called_home_at = COALESCE(excluded.called_home_at, intents.called_home_at)")
            .text(" RETURNING id, called_home_at");
        for row in &session.write_and_read("writing the ledger", upsert).await? {
            let row = Row::new(row, "intents");
            calls.insert(row.parsed("id")?, row.maybe_time("called_home_at")?);
        }
    }
    Ok(calls)
}
