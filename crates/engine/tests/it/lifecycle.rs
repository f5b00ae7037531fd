//! Create, delete, retry, replicas and crashes without faults in between.

use std::time::Duration;

use alfred_local_cloud::faults::{Fault, Rule};
use alfred_model::environment::{Setup, Status};
use alfred_model::vm::VmState;

use crate::promises;
use crate::view;
use crate::world::{World, request};

const LONG: Duration = Duration::from_mins(10);

#[tokio::test(start_paused = true)]
async fn an_environment_is_made_works_and_leaves_its_vm_in_the_pool() {
    let world = World::new(1);
    let process = world.start();
    let made = world.create(&process, 1).await.remove(0);
    assert!(world.settle(LONG).await);
    promises::hold(&world).await;
    let active = world.environment(made.id).await;
    assert_eq!(active.status, Status::Active, "{active:#?}");

    process.engine.delete(made.id, &made.owner).await.unwrap();
    assert!(world.settle(LONG).await);
    promises::hold(&world).await;
    let gone = world.environment(made.id).await;
    assert_eq!(gone.status, Status::Deleted, "{gone:#?}");
    let vms = world.store.vms(false).await.unwrap();
    assert_eq!(vms.len(), 1);
    assert_eq!(vms[0].state, VmState::Ready);
    assert!(
        vms[0].assignable_at.unwrap() > vms[0].wiped_at.unwrap(),
        "the VM rests until the name is forgotten: {vms:#?}"
    );
    let report = process.engine.audit().await.unwrap();
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
}

#[tokio::test(start_paused = true)]
async fn a_vm_of_the_pool_is_used_again_once_its_old_name_is_forgotten() {
    let world = World::new(2);
    let process = world.start();
    let first = world.create(&process, 1).await.remove(0);
    assert!(world.settle(LONG).await);
    process.engine.delete(first.id, &first.owner).await.unwrap();
    assert!(world.settle(LONG).await);
    tokio::time::sleep(world.policy.name_rest).await;
    let second = world.create(&process, 1).await.remove(0);
    assert!(world.settle(LONG).await);
    promises::hold(&world).await;
    let second = world.environment(second.id).await;
    assert_eq!(second.status, Status::Active);
    assert_eq!(second.vm_id, world.environment(first.id).await.vm_id, "the VM was bought once");
    assert_eq!(world.counts.of("POST /v1/compute/instances"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_vm_of_the_pool_gets_its_owner_s_keys_by_an_installation() {
    let world = World::new(3);
    let process = world.start();
    let first = world.create(&process, 1).await.remove(0);
    assert!(world.settle(LONG).await);
    process.engine.delete(first.id, &first.owner).await.unwrap();
    assert!(world.settle(LONG).await);
    tokio::time::sleep(world.policy.name_rest).await;
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBqWBJgKXcVQdbPMQdmmnkVFVBLYQqVUVKbYbvLJ6YYb alice";
    let mut personal = request(1);
    personal.setup = Setup { ssh_keys: vec![key.to_owned()], ..Setup::default() };
    let second = process.engine.create(personal).await.unwrap().remove(0);
    assert!(world.settle(LONG).await);
    promises::hold(&world).await;
    let second = world.environment(second.id).await;
    assert_eq!(second.status, Status::Active, "{second:#?}");
    let data = view::user_data(&world.cloud, second.vm_id.unwrap().0).await;
    assert!(data.contains(key) && data.contains(second.slug.as_str()), "{data}");
}

#[tokio::test(start_paused = true)]
async fn two_replicas_share_the_work_and_one_of_them_dies() {
    let world = World::new(4);
    let first = world.start();
    let second = world.start();
    world.create(&first, 20).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    drop(first);
    assert!(world.settle(LONG).await);
    promises::hold(&world).await;
    assert_eq!(world.with_status(Status::Active).await.len(), 20);
    for environment in world.with_status(Status::Active).await {
        second.engine.delete(environment.id, &environment.owner).await.unwrap();
    }
    assert!(world.settle(LONG).await);
    promises::hold(&world).await;
    assert_eq!(world.with_status(Status::Deleted).await.len(), 20);
}

#[tokio::test(start_paused = true)]
async fn a_deletion_asked_for_during_a_creation_wins() {
    for delay in [0, 1, 50, 300, 1000, 2000, 3000, 4000, 5000] {
        let world = World::new(5 + delay);
        let process = world.start();
        let made = world.create(&process, 1).await.remove(0);
        tokio::time::sleep(Duration::from_millis(delay)).await;
        process.engine.delete(made.id, &made.owner).await.unwrap();
        assert!(world.settle(LONG).await, "after {delay} ms");
        promises::hold(&world).await;
        assert_eq!(world.environment(made.id).await.status, Status::Deleted, "after {delay} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_while_a_worker_has_the_row_does_not_leave_it_to_nobody() {
    for delay in [1, 500, 1_000, 2_000, 3_000, 4_000, 5_000] {
        let world = World::new(600 + delay);
        let slow = Rule::new(Fault::Delay { ms: 1_500, after: true });
        world.cloud.faults().add(slow);
        let process = world.start();
        let made = world.create(&process, 1).await.remove(0);
        tokio::time::sleep(Duration::from_millis(delay)).await;
        let retried = process.engine.retry(made.id, false, &made.owner).await;
        assert!(retried.is_ok(), "after {delay} ms: {retried:?}");
        assert!(world.settle(LONG).await, "after {delay} ms");
        promises::hold(&world).await;
        assert_eq!(world.environment(made.id).await.status, Status::Active, "after {delay} ms");
    }
}
