//! What changes environments, VMs and the ledger together.

use std::collections::BTreeSet;

use alfred_model::environment::{Environment, Status, Wish};
use alfred_model::id::EnvironmentId;
use alfred_model::intent::{Intent, IntentKind};
use alfred_model::pool::{self, Life};
use alfred_model::vm::{Vm, VmState};
use jiff::Timestamp;

use super::tables::{Tables, UsedKey};
use crate::rule::{self, StoredEnvironment, StoredVm};
use crate::{
    Assignment, Changes, Claim, ClaimedEnvironment, IdempotencyKey, Lease, NewEnvironments, PoolFilter, StoreError,
};

impl Tables {
    pub(super) fn create_environments(&mut self, new: NewEnvironments) -> Result<Vec<Environment>, StoreError> {
        if let Some(key) = &new.idempotency
            && let Some(before) = self.created_before(key)?
        {
            return Ok(before);
        }
        let (mut slugs, mut ids) = (BTreeSet::new(), BTreeSet::new());
        for environment in &new.environments {
            if self.live_slugs.contains_key(&environment.slug) || !slugs.insert(&environment.slug) {
                return Err(StoreError::SlugTaken { slug: environment.slug.to_string() });
            }
            if self.environments.get(&environment.id).is_some() || !ids.insert(environment.id) {
                return Err(rule::environment_conflict(environment));
            }
        }
        self.refuse_over_quota(&new)?;
        if let Some(key) = new.idempotency {
            let environments = new.environments.iter().map(|environment| environment.id).collect();
            self.used_keys
                .insert((key.user, key.key), UsedKey { request_hash: key.request_hash, environments, at: key.at });
        }
        for environment in &new.environments {
            self.put_environment(environment.clone(), Lease::Release);
        }
        for mut event in new.events {
            self.add_event(&mut event);
        }
        Ok(new.environments)
    }

    pub(super) fn created_before(&self, key: &IdempotencyKey) -> Result<Option<Vec<Environment>>, StoreError> {
        let Some(used) = self.used_keys.get(&(key.user.clone(), key.key.clone())) else {
            return Ok(None);
        };
        if used.request_hash != key.request_hash {
            return Err(StoreError::KeyReused);
        }
        let rows = used.environments.iter().filter_map(|id| self.environments.get(id));
        Ok(Some(rows.map(|held| held.row.clone()).collect()))
    }

    pub(super) fn wish_absent(&mut self, id: EnvironmentId, actor: &str, now: Timestamp) -> Option<Environment> {
        let mut environment = self.environments.get(&id)?.row.clone();
        if environment.wish == Wish::Absent || environment.status == Status::Deleted {
            return Some(environment);
        }
        environment.wish = Wish::Absent;
        environment.wake_at = Some(rule::earlier(environment.wake_at, now));
        environment.updated_at = now;
        self.put_environment(environment.clone(), Lease::Keep);
        self.add_event(&mut rule::wish_event(&environment, actor, now));
        Some(environment)
    }

    pub(super) fn claim_environments(&mut self, claim: &Claim) -> Vec<ClaimedEnvironment> {
        let claimed = self.environments.claim(claim);
        let with_company = |environment: Environment| {
            let vm = environment.vm_id.and_then(|id| self.vms.get(&id)).map(|held| held.row.clone());
            let open_intents = self.open_intents(|intent| intent.environment_id == Some(environment.id));
            ClaimedEnvironment { environment, vm, open_intents }
        };
        claimed.into_iter().map(with_company).collect()
    }

    pub(super) fn claim_vms(&mut self, claim: &Claim) -> Vec<(Vm, Vec<Intent>)> {
        let claimed = self.vms.claim(claim);
        let with_company = |vm: Vm| {
            let intents = self.open_intents(|intent| intent.environment_id.is_none() && intent.vm_id == Some(vm.id));
            (vm, intents)
        };
        claimed.into_iter().map(with_company).collect()
    }

    pub(super) fn owned_vms(&self) -> u64 {
        let vms = self.vms.all().filter(|vm| vm.state != VmState::Ended).count();
        let orders = self.open_intents(|intent| intent.kind == IntentKind::OrderVm).len();
        u64::try_from(vms + orders).unwrap_or(u64::MAX)
    }

    pub(super) fn lives(&self, since: Timestamp) -> Vec<Life> {
        let life = |row: &Environment| {
            let to = match row.status {
                Status::Deleted if row.updated_at < since => return None,
                Status::Deleted => Some(row.released_at.unwrap_or(row.updated_at)),
                Status::Error if row.vm_id.is_none() => Some(row.updated_at),
                _ => None,
            };
            Some(Life { from: row.created_at, to })
        };
        self.environments.all().filter_map(life).collect()
    }

    fn open_intents(&self, fits: impl Fn(&Intent) -> bool) -> Vec<Intent> {
        self.open_intents.iter().filter_map(|id| self.intents.get(id)).filter(|intent| fits(intent)).cloned().collect()
    }

    pub(super) fn commit(&mut self, mut changes: Changes) -> Result<Changes, StoreError> {
        let mut touched = BTreeSet::new();
        for (environment, lease) in &mut changes.environments {
            let stored = self.stored_environment(environment.id).filter(|_| touched.insert(environment.id));
            *environment = rule::environment_written(environment, *lease, stored.as_ref())?;
            self.keep_identity(environment);
        }
        let mut touched = BTreeSet::new();
        for (vm, lease) in &mut changes.vms {
            let stored = self.stored_vm(vm).filter(|_| touched.insert(vm.id));
            *vm = rule::vm_written(vm, *lease, stored.as_ref())?;
        }
        for vm in &changes.new_vms {
            if self.vms.get(&vm.id).is_some() || !touched.insert(vm.id) {
                return Err(rule::vm_conflict(vm));
            }
        }
        self.write(&mut changes);
        Ok(changes)
    }

    /// Writes what was found to be free of conflicts.
    fn write(&mut self, changes: &mut Changes) {
        for (environment, lease) in &changes.environments {
            self.put_environment(environment.clone(), *lease);
        }
        for (vm, lease) in &changes.vms {
            self.vms.put(vm.clone(), *lease);
        }
        for vm in &changes.new_vms {
            self.vms.put(vm.clone(), Lease::Release);
        }
        for intent in &mut changes.intents {
            *intent = self.put_intent(intent);
        }
        for event in &mut changes.events {
            self.add_event(event);
        }
        if let Some(time) = changes.wake_at_time {
            for id in &changes.wake {
                self.environments.wake(*id, time);
            }
        }
        for (environment, _) in &mut changes.environments {
            if let Some(held) = self.environments.get(&environment.id) {
                environment.clone_from(&held.row);
            }
        }
    }

    pub(super) fn assign_vm(&mut self, assignment: &Assignment) -> Result<Option<(Environment, Vm)>, StoreError> {
        let Assignment { environment, lease, filter, now, event } = assignment;
        let stored = self.stored_environment(environment.id);
        let mut written = rule::environment_written(environment, *lease, stored.as_ref())?;
        let Some(vm) = self.pool_vm(filter, *now) else { return Ok(None) };
        self.keep_identity(&mut written);
        written.vm_id = Some(vm.id);
        written.address = vm.address;
        let vm = rule::vm_assigned(&vm, &written, *now);
        self.put_environment(written.clone(), *lease);
        self.vms.put(vm.clone(), Lease::Release);
        self.add_event(&mut event.clone());
        Ok(Some((written, vm)))
    }

    /// The VM of the pool whose contract ends soonest, or that has been assignable for longest.
    fn pool_vm(&self, filter: &PoolFilter, now: Timestamp) -> Option<Vm> {
        let fits = |vm: &&Vm| {
            pool::fits(vm, filter.expires_at, now)
                && filter.product.as_ref().is_none_or(|product| vm.product == *product)
                && filter.region.as_ref().is_none_or(|region| vm.region == *region)
        };
        let ending_first = |vm: &&Vm| match vm.cancel_date {
            Some(last_day) => (false, Some(last_day), None, vm.id),
            None => (true, None, vm.assignable_at, vm.id),
        };
        self.vms.all().filter(fits).min_by_key(ending_first).cloned()
    }

    pub(super) fn call_home(&mut self, hash: &str, now: Timestamp) -> Option<Intent> {
        let fits = |intent: &&mut Intent| intent.call_home_hash.as_deref() == Some(hash);
        let intent = self.intents.values_mut().rev().find(fits)?;
        if intent.called_home_at.is_some() {
            return None;
        }
        intent.called_home_at = Some(now);
        let intent = intent.clone();
        if let Some(id) = intent.environment_id {
            self.environments.wake(id, now);
        }
        if let Some(id) = intent.vm_id {
            self.vms.wake(id, now);
        }
        Some(intent)
    }

    pub(super) fn put_environment(&mut self, environment: Environment, lease: Lease) {
        if environment.status == Status::Deleted {
            if self.live_slugs.get(&environment.slug) == Some(&environment.id) {
                self.live_slugs.remove(&environment.slug);
            }
        } else {
            self.live_slugs.insert(environment.slug.clone(), environment.id);
        }
        self.environments.put(environment, lease);
    }

    fn put_intent(&mut self, given: &Intent) -> Intent {
        let stored_call = self.intents.get(&given.id).and_then(|intent| intent.called_home_at);
        let written = rule::intent_written(given, stored_call);
        if written.outcome.is_open() {
            self.open_intents.insert(written.id);
        } else {
            self.open_intents.remove(&written.id);
        }
        self.intents.insert(written.id, written.clone());
        written
    }

    /// What is given once and never changed.
    fn keep_identity(&self, environment: &mut Environment) {
        if let Some(held) = self.environments.get(&environment.id) {
            environment.slug = held.row.slug.clone();
            environment.domain = held.row.domain.clone();
            environment.owner = held.row.owner.clone();
            environment.batch = held.row.batch;
            environment.created_at = held.row.created_at;
        }
    }

    fn stored_environment(&self, id: EnvironmentId) -> Option<StoredEnvironment> {
        self.environments.get(&id).map(|held| StoredEnvironment {
            version: held.row.version,
            wish: held.row.wish,
            status: held.row.status,
            woken: held.woken,
            expiry: held.row.expiry(),
        })
    }

    fn stored_vm(&self, vm: &Vm) -> Option<StoredVm> {
        self.vms.get(&vm.id).map(|held| StoredVm { version: held.row.version, woken: held.woken })
    }
}
