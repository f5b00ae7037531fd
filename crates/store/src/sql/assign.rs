//! Gives VMs of the pool to environments, many at a time.

use std::collections::BTreeSet;

use alfred_model::environment::Environment;
use alfred_model::id::EnvironmentId;
use alfred_model::pool;
use alfred_model::vm::Vm;

use super::row::{Record, VM};
use super::session::Session;
use super::statement::{Statement, Value};
use super::update::{lock_environments, update_environments, update_vms};
use crate::{Assignment, Lease, PoolFilter, StoreError, rule};
use jiff::Timestamp;

/// So many VMs whose contract ends are looked at; each is seldom needed, and locked while it is looked at.
const ENDING_MAX: usize = 100;

type Outcome = Result<Option<(Environment, Vm)>, StoreError>;

/// Assigns a VM for each of `all`, finds none, or refuses.
pub(super) async fn run(session: &mut Session, all: &[&Assignment]) -> Result<Vec<Outcome>, StoreError> {
    if all.is_empty() {
        return Ok(Vec::new());
    }
    let ids: BTreeSet<EnvironmentId> = all.iter().map(|assignment| assignment.environment.id).collect();
    let mut stored = lock_environments(session, &ids).await?;
    let mut spoken_for = BTreeSet::new();
    let written: Vec<Result<Environment, StoreError>> = all
        .iter()
        .map(|Assignment { environment, lease, .. }| {
            let is_first = spoken_for.insert(environment.id);
            stored.written(environment, *lease, is_first)
        })
        .collect();
    let mut vms = choose(session, all, &written).await?;
    let outcomes: Vec<Outcome> = all
        .iter()
        .zip(written)
        .zip(vms.iter_mut())
        .map(|((assignment, written), vm)| {
            let mut environment = written?;
            let Some(vm) = vm.take() else { return Ok(None) };
            environment.vm_id = Some(vm.id);
            environment.address = vm.address;
            let vm = rule::vm_assigned(&vm, &environment, assignment.now);
            Ok(Some((environment, vm)))
        })
        .collect();
    write(session, all, &outcomes).await?;
    Ok(outcomes)
}

async fn write(session: &mut Session, all: &[&Assignment], outcomes: &[Outcome]) -> Result<(), StoreError> {
    let given = || {
        let pairs = all.iter().zip(outcomes);
        pairs.filter_map(|(assignment, outcome)| outcome.as_ref().ok()?.as_ref().map(|pair| (assignment, pair)))
    };
    let environments: Vec<_> = given().map(|(assignment, (row, _))| (row, assignment.lease)).collect();
    update_environments(session, &environments).await?;
    let vms: Vec<_> = given().map(|(_, (_, vm))| (vm, Lease::Release)).collect();
    update_vms(session, &vms).await?;
    for (assignment, _) in given() {
        session.push_event(assignment.event.clone());
    }
    Ok(())
}

/// A VM for each assignment that may have one: those whose contract ends first, then the longest assignable, none twice.
async fn choose(
    session: &mut Session,
    all: &[&Assignment],
    written: &[Result<Environment, StoreError>],
) -> Result<Vec<Option<Vm>>, StoreError> {
    let mut taken = BTreeSet::new();
    let mut chosen: Vec<Option<Vm>> = all.iter().map(|_| None).collect();
    let mut waiting: Vec<usize> = (0..all.len()).filter(|index| written[*index].is_ok()).collect();
    while let Some(&first) = waiting.first() {
        let filter = &all[first].filter;
        let like_first = |other: &PoolFilter| (&other.product, &other.region) == (&filter.product, &filter.region);
        let (alike, others): (Vec<usize>, Vec<usize>) =
            waiting.into_iter().partition(|index| like_first(&all[*index].filter));
        waiting = others;
        let latest = alike.iter().map(|index| all[*index].now).max().unwrap_or(all[first].now);
        let soonest = alike.iter().filter_map(|index| all[*index].filter.expires_at).min();
        let mut vms = match soonest {
            Some(soonest) => ending_vms(session, filter, soonest).await?,
            None => Vec::new(),
        };
        // Those taken for another filter may be among the answers: they are not written yet.
        vms.extend(pool_vms(session, filter, latest, alike.len() + taken.len()).await?);
        vms.retain(|vm| !taken.contains(&vm.id));
        for index in alike {
            let fits = |vm: &Vm| pool::fits(vm, all[index].filter.expires_at, all[index].now);
            chosen[index] = vms.iter().position(fits).map(|place| vms.remove(place));
        }
        taken.extend(chosen.iter().flatten().map(|vm| vm.id));
    }
    Ok(chosen)
}

/// VMs whose contract ends, but not too soon.
async fn ending_vms(session: &mut Session, filter: &PoolFilter, expires_at: Timestamp) -> Result<Vec<Vm>, StoreError> {
    let first = pool::first_fitting_day(expires_at);
    let select = Statement::new(format!(
        "SELECT {VM} FROM vms WHERE cancel_date IS NOT NULL AND state IN ('ready', 'retiring') AND step = 'settled' \
         AND wiped_at IS NOT NULL AND cancel_date >= "
    ));
    let select = fitting(select.value(Value::shown(&first)), filter).text(" ORDER BY cancel_date, id LIMIT ");
    chosen_vms(session, select, ENDING_MAX).await
}

/// VMs whose contract goes on.
async fn pool_vms(
    session: &mut Session,
    filter: &PoolFilter,
    now: Timestamp,
    count: usize,
) -> Result<Vec<Vm>, StoreError> {
    let select = Statement::new(format!("SELECT {VM} FROM vms WHERE state = 'ready' AND (assignable_at <= "))
        .value(Value::time(now))
        .text(" OR assignable_at IS NULL) AND cancel_date IS NULL");
    let select = fitting(select, filter).text(" ORDER BY assignable_at NULLS FIRST, id LIMIT ");
    chosen_vms(session, select, count).await
}

fn fitting(mut select: Statement, filter: &PoolFilter) -> Statement {
    if let Some(product) = &filter.product {
        select = select.text(" AND product = ").value(product.as_str());
    }
    if let Some(region) = &filter.region {
        select = select.text(" AND region = ").value(region.as_str());
    }
    select
}

async fn chosen_vms(session: &mut Session, select: Statement, count: usize) -> Result<Vec<Vm>, StoreError> {
    let select = select.value(Value::count(count)).text(session.dialect.skip_locked());
    let mut vms = Vec::new();
    for row in &session.read("choosing VMs of the pool", select).await? {
        match Vm::from_row(row) {
            Ok(vm) => vms.push(vm),
            Err(error) => tracing::error!(%error, "a VM of the pool is left out"),
        }
    }
    Ok(vms)
}
