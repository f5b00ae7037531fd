//! VMs: the store against the provider, and environments against VMs.

use std::collections::VecDeque;

use foldhash::HashMap;

use super::index::{Home, Index, Machine};
use super::{Comparison, Extent, Finding, FindingKind, World};
use crate::id::{IntentId, VmId};
use crate::intent::{Intent, IntentKind};
use crate::printable::printable;
use crate::vm::{DISPLAY_NAME_PREFIX, SeenInstance, Vm, VmState};

pub(super) fn compare(world: &World<'_>, index: &Index<'_>, comparison: &mut Comparison, extent: &mut Extent) {
    let mut strangers = Vec::new();
    for (instance, _) in world.instances.iter().zip(&index.known).filter(|(_, known)| !**known) {
        if index.user(instance.id).is_some() {
            // The environment that names it is reported, and the VM with it.
        } else if is_named_as_ours(instance) {
            strangers.push(instance);
        } else {
            comparison.foreign_vms += 1;
        }
    }
    orders_and_strangers(world, strangers, index, comparison);
    for machine in &index.machines {
        comparison.findings.extend(machine.instance.and_then(|instance| known(machine.vm, instance, index)));
        let expected = is_expected(machine.vm, index);
        extent.vms_expected += usize::from(expected);
        extent.vms_found += usize::from(expected && machine.instance.is_some());
        let missing = (expected && machine.instance.is_none()).then(|| missing(machine.vm));
        comparison.findings.extend(missing.or_else(|| unused(machine, index)));
    }
    for home in index.homes.iter().filter(|home| index.vm_expected(home.environment)) {
        comparison.findings.extend(without_vm(home, index));
    }
}

fn is_named_as_ours(instance: &SeenInstance) -> bool {
    instance.display_name.starts_with(DISPLAY_NAME_PREFIX)
}

/// An instance that the store knows.
fn known(vm: &Vm, instance: &SeenInstance, index: &Index<'_>) -> Option<Finding> {
    let foreign = !is_named_as_ours(instance);
    let id = vm.id;
    let finding = |kind, words| Some(Finding::new(kind, &instance.display_name, words).vm(id).foreign(foreign));
    match vm.state {
        VmState::Ended if instance.cancel_date.is_some() || index.is_young(vm.updated_at) => None,
        VmState::Ended => finding(
            FindingKind::VmWithoutEnvironment,
            format!(
                "VM {id} has ended by the store, and the provider shows it with no end date: it may still be paid; \
                 look in the provider's panel, and cancel it there"
            ),
        ),
        VmState::Unknown => finding(FindingKind::VmWithoutEnvironment, adopt_or_cancel(id)),
        VmState::Assigned | VmState::Ready | VmState::Preparing | VmState::Retiring | VmState::Quarantined => {
            let differs = instance.display_name != vm.display_name;
            if !differs || index.is_young(vm.updated_at) || index.being_named.contains(&id) {
                return None;
            }
            let words = format!(
                "VM {id} is called `{}` at the provider and we gave it the name `{}`: give it that name again in the \
                 provider's panel",
                printable(&instance.display_name, 64),
                printable(&vm.display_name, 64)
            );
            Some(finding(FindingKind::VmNameUnknown, words)?.environment(vm.environment_id))
        }
    }
}

fn adopt_or_cancel(id: VmId) -> String {
    format!(
        "VM {id} is paid and nothing accounts for it: unless another installation uses this account, `alfred vm adopt {id}` \
         wipes it and takes it into the pool; or cancel it in the provider's panel"
    )
}

/// Open orders, and instances that are named as ours are and not in the store. An order accounts for at most one
/// instance of its name: the one with the lowest number.
fn orders_and_strangers(
    world: &World<'_>,
    mut strangers: Vec<&SeenInstance>,
    index: &Index<'_>,
    comparison: &mut Comparison,
) {
    let is_open_order = |intent: &&Intent| intent.kind == IntentKind::OrderVm && intent.outcome.is_open();
    let mut orders: Vec<&Intent> = world.open_intents.iter().filter(is_open_order).collect();
    orders.sort_unstable_by_key(|order| (order.created_at, order.id));
    orders.dedup_by_key(|order| order.id);
    let mut waiting: HashMap<&str, VecDeque<IntentId>> = HashMap::default();
    for order in &orders {
        waiting.entry(order.subject.as_str()).or_default().push_back(order.id);
    }
    strangers.sort_unstable_by_key(|instance| instance.id);
    strangers.dedup_by_key(|instance| instance.id);
    let mut bought: HashMap<IntentId, VmId> = HashMap::default();
    for instance in strangers {
        match waiting.get_mut(instance.display_name.as_str()).and_then(VecDeque::pop_front) {
            Some(order) => {
                bought.insert(order, instance.id);
            }
            None => comparison.findings.push(
                Finding::new(FindingKind::VmWithoutEnvironment, &instance.display_name, adopt_or_cancel(instance.id))
                    .vm(instance.id),
            ),
        }
    }
    for order in orders.into_iter().filter(|order| !index.is_young(order.created_at)) {
        comparison.findings.push(unknown_order(order, order.vm_id.or(bought.get(&order.id).copied())));
    }
}

fn unknown_order(order: &Intent, vm_id: Option<VmId>) -> Finding {
    let candidate = vm_id.map_or_else(
        || "the provider shows no VM of that name".to_owned(),
        |id| format!("VM {id} has that name and may be it"),
    );
    let words = format!(
        "it is not known whether the order for `{}` (request {}) bought a VM; {candidate}: look for the request in the \
         provider's panel, then adopt the VM or abandon the order",
        printable(&order.subject, 64),
        order.request_id
    );
    let finding = Finding::new(FindingKind::OrderUnknown, &order.subject, words).intent(order.id);
    finding.environment(order.environment_id).vm(vm_id)
}

/// Whether the provider should show this VM, and should have for a while: its contract is not over.
fn is_expected(vm: &Vm, index: &Index<'_>) -> bool {
    let over = vm.state == VmState::Ended || vm.cancel_date.is_some_and(|last_day| last_day < index.today);
    !over && !index.is_young(vm.created_at)
}

/// A VM of the store that the provider does not show.
fn missing(vm: &Vm) -> Finding {
    let words = format!(
        "the provider does not show VM {}, which is {} by the store: look for it in the provider's panel; if it is \
         gone, delete the environment that uses it",
        vm.id, vm.state
    );
    let finding = Finding::new(FindingKind::VmNotAtProvider, &vm.display_name, words);
    finding.vm(vm.id).environment(vm.environment_id)
}

/// A VM that is assigned to an environment that does not use it.
fn unused(machine: &Machine<'_>, index: &Index<'_>) -> Option<Finding> {
    let vm = machine.vm;
    if vm.state != VmState::Assigned || index.is_young(vm.updated_at) {
        return None;
    }
    let why = match vm.environment_id.map(|id| (id, machine.environment)) {
        None => "to no environment".to_owned(),
        Some((id, None)) => format!("to the environment {id}, which is not in the store"),
        Some((_, Some(environment))) if index.has_left_vm(environment) => {
            format!("to the environment `{}`, which is {}", environment.slug, environment.status)
        }
        Some((_, Some(environment))) if index.is_young(environment.step_since) => return None,
        Some((_, Some(environment))) => match environment.vm_id {
            Some(used) if used != vm.id => format!("to the environment `{}`, which uses VM {used}", environment.slug),
            None if index.looks_for_vm(environment) => {
                format!("to the environment `{}`, which still looks for one", environment.slug)
            }
            _ => return None,
        },
    };
    let words = format!(
        "VM {0} is assigned {why}: it is paid and unused; delete the environment, or cancel the VM in the provider's panel",
        vm.id
    );
    let environment_id = vm.environment_id.or_else(|| index.user(vm.id));
    Some(Finding::new(FindingKind::VmUnusedAssigned, &vm.display_name, words).vm(vm.id).environment(environment_id))
}

/// An environment that should have a VM and names none, or one that is not its own.
fn without_vm(home: &Home<'_>, index: &Index<'_>) -> Option<Finding> {
    let environment = home.environment;
    let slug = &environment.slug;
    let (vm_id, what) = match (environment.vm_id, home.vm) {
        (None, _) => match index.assigned(environment.id) {
            Some(id) => (Some(id), format!("names no VM, though VM {id} is assigned to it")),
            None => (None, "has no VM".to_owned()),
        },
        (Some(id), None) if home.instance.is_some() => {
            (Some(id), format!("uses VM {id}, which the provider shows and the store does not know"))
        }
        (Some(id), None) => (Some(id), format!("uses VM {id}, which neither the store nor the provider knows")),
        (Some(_), Some(vm)) if vm.state == VmState::Assigned && vm.environment_id == Some(environment.id) => {
            return None;
        }
        // Such a VM is a finding by itself.
        (Some(_), Some(vm)) if vm.state == VmState::Assigned && vm.environment_id.is_none() => return None,
        (Some(id), Some(vm)) => (Some(id), format!("uses VM {id}, which is {} and not its own", vm.state)),
    };
    let words = format!(
        "the environment `{slug}` is {} and {what}: delete it and create it anew, or correct the row",
        environment.status
    );
    Some(Finding::new(FindingKind::EnvironmentWithoutVm, slug.as_str(), words).environment(environment.id).vm(vm_id))
}
