//! The promises of the design, checked against the local cloud's own records.

use std::collections::{HashMap, HashSet};

use alfred_model::environment::{Environment, Status, Wish};
use alfred_model::intent::{IntentKind, Outcome};
use alfred_model::name::DomainName;
use alfred_model::record::OwnershipMark;
use alfred_model::vm::{DISPLAY_NAME_PREFIX, VmState};
use alfred_store::{EnvironmentQuery, IntentQuery};

use crate::view;
use crate::world::{READINESS_PORT, World};

/// Checks everything that must hold whenever nothing moves. Panics with the promise's number.
pub(crate) async fn hold(world: &World) {
    let environments = world
        .store
        .environments(EnvironmentQuery { include_deleted: true, ..EnvironmentQuery::default() })
        .await
        .expect("the store answers");
    let vms = world.store.vms(true).await.expect("the store answers");
    let intents = world.store.intents(IntentQuery::default()).await.expect("the store answers");
    let machines = view::machines(&world.cloud).await;
    let records = view::records(&world.cloud);

    let rows: HashMap<i64, _> = vms.iter().map(|vm| (vm.id.0, vm)).collect();
    for instance in machines.iter().filter(|instance| instance.display_name.starts_with(DISPLAY_NAME_PREFIX)) {
        let ordered = intents.iter().any(|intent| {
            intent.kind == IntentKind::OrderVm
                && matches!(intent.outcome, Outcome::Open | Outcome::Unknown | Outcome::Abandoned)
                && intent.subject == instance.display_name
        });
        assert!(
            rows.contains_key(&instance.id) || ordered,
            "promise 1: VM {} `{}` is paid for and nobody knows it",
            instance.id,
            instance.display_name
        );
    }

    let by_id: HashMap<_, &Environment> = environments.iter().map(|one| (one.id, one)).collect();
    for record in &records {
        let Ok(name) = record.name.parse::<DomainName>() else { continue };
        let Some(mark) = record.comment.as_deref().and_then(|comment| OwnershipMark::read(comment, &name)) else {
            continue;
        };
        let owner = by_id.get(&mark.environment).copied();
        let owner = owner.unwrap_or_else(|| panic!("promise 2: `{name}` belongs to no environment"));
        assert!(owner.status != Status::Deleted, "promise 2: `{name}` outlived its environment");
        let vm = owner.vm_id.and_then(|id| rows.get(&id.0)).expect("promise 4: a record without a VM");
        assert_eq!(vm.environment_id, Some(owner.id), "promise 4: `{name}` points at a VM that left its environment");
        assert_eq!(vm.address.map(|address| address.to_string()), Some(record.content.clone()), "promise 4: `{name}`");
    }

    let mut bought: HashMap<_, usize> = HashMap::new();
    for environment in vms.iter().filter_map(|vm| vm.bought_for) {
        *bought.entry(environment).or_default() += 1;
    }
    for (environment, count) in bought {
        let given_up = intents
            .iter()
            .filter(|intent| intent.kind == IntentKind::OrderVm && intent.environment_id == Some(environment))
            .filter(|intent| matches!(intent.outcome, Outcome::Rejected | Outcome::Abandoned))
            .count();
        // A retry after an error is a request of its own.
        let history = world.store.events(Some(environment), 0, 100_000).await.expect("the store answers");
        let given_up = given_up + history.iter().filter(|event| event.message.starts_with("retry")).count();
        assert!(count <= 1 + given_up, "promise 5: {count} VMs were bought for one environment");
    }
    let unknown = machines.iter().filter(|machine| machine.display_name.starts_with(DISPLAY_NAME_PREFIX));
    let unknown = unknown.filter(|machine| !rows.contains_key(&machine.id)).count();
    let open = intents.iter().filter(|intent| intent.kind == IntentKind::OrderVm);
    let open = open.filter(|intent| matches!(intent.outcome, Outcome::Open | Outcome::Unknown | Outcome::Abandoned));
    assert!(unknown <= open.count(), "promise 5: {unknown} VMs were bought without an order");

    let mut assigned = HashSet::new();
    for vm in vms.iter().filter(|vm| vm.state == VmState::Assigned) {
        assert!(assigned.insert(vm.environment_id), "promise 6: two VMs for one environment");
    }
    for vm in vms.iter().filter(|vm| vm.state == VmState::Ready) {
        assert!(vm.wiped_at.is_some(), "promise 6: VM {} is ready and was not wiped", vm.id);
    }

    for environment in environments.iter().filter(|one| one.status == Status::Active && one.wish == Wish::Present) {
        let address = environment.address.expect("promise 7: active without an address");
        assert!(
            world.cloud.contabo().reachable(address, READINESS_PORT),
            "promise 7: {} is not reachable",
            environment.slug
        );
        let answers = world.cloud.resolve(environment.domain.as_str(), hickory_proto::rr::RecordType::A).answers;
        let values: Vec<&str> = answers.iter().map(|answer| answer.value.as_str()).collect();
        assert_eq!(values, [address.to_string()], "promise 7: {}", environment.domain);
    }

    for environment in environments.iter().filter(|one| one.wish == Wish::Present) {
        assert!(environment.status != Status::Deleted, "promise 9: {} was deleted unasked", environment.slug);
    }
    for intent in &intents {
        assert!(!intent.actor.is_empty(), "promise 12: an intent without an actor");
    }
}
