//! The fault matrix: each fault on each kind of call that creation and deletion make. The end must be right, nothing
//! doubled, nothing foreign touched, and the calls bounded.

use std::time::Duration;

use alfred_local_cloud::faults::{Fault, Rule};
use alfred_local_cloud::{Options, contabo};
use alfred_model::environment::{Status, Step};

use crate::promises;
use crate::view;
use crate::world::World;

const LONG: Duration = Duration::from_secs(3600);

/// Every kind of call that an environment's life makes.
const ROUTES: &[&str] = &[
    "contabo.token",
    "contabo.instances.create",
    "contabo.instances.list",
    "contabo.instances.rename",
    "contabo.instances.reinstall",
    "cloudflare.records.batch",
    "cloudflare.records.list",
];

fn faults() -> Vec<(&'static str, Fault)> {
    let status = |status, retry_after| Fault::Status { status, retry_after, body: None, after: false };
    vec![
        ("lost before", Fault::LostBefore),
        ("lost after commit", Fault::LostAfter),
        ("429 with retry-after", status(429, Some(2))),
        ("429 without retry-after", status(429, None)),
        ("500", status(500, None)),
        ("502", status(502, None)),
        ("500 after commit", Fault::Status { status: 500, retry_after: None, body: None, after: true }),
        ("too slow", Fault::Delay { ms: 60_000, after: true }),
        ("cut body", Fault::CutBody),
        ("HTML body", Fault::Html { status: 200, after: true }),
        ("HTML body instead", Fault::Html { status: 502, after: false }),
    ]
}

/// Whether the fault may leave an order of which nobody can know anything: then a person is called, and nothing else
/// may happen.
fn order_may_stay_unknown(route: &str, fault: &Fault) -> bool {
    route == "contabo.instances.create"
        && match fault {
            Fault::LostBefore | Fault::Html { after: false, .. } => true,
            Fault::Status { status, after: false, .. } => *status != 429,
            _ => false,
        }
}

async fn live(route: &str, name: &str, fault: &Fault, count: u64, seed: u64) {
    let what = format!("{name} × {count} on {route}");
    let mut world = World::with(seed, Options { contabo: contabo::Options::demo(), ..Options::default() });
    // A 429 without a word on how long means Cloudflare's block of five minutes.
    world.policy.step_deadline = Duration::from_mins(30);
    view::plant_foreign(&world.cloud).await;
    let foreign_before = view::foreign(&world.cloud).await;
    world.cloud.faults().add(Rule { route: Some(route.to_owned()), count: Some(count), ..Rule::new(fault.clone()) });
    let process = world.start();
    let made = world.create(&process, 1).await.remove(0);
    assert!(world.settle(LONG).await, "{what}: the creation never came to rest");
    promises::hold(&world).await;
    let mut row = world.environment(made.id).await;
    while row.step == Step::OrderVm && row.attention {
        assert!(order_may_stay_unknown(route, fault), "{what}: {:?}", row.reason);
        assert_eq!(view::machines(&world.cloud).await.len(), 1, "{what}: nothing but the foreign VM");
        process.engine.retry(made.id, true, &made.owner).await.unwrap();
        assert!(world.settle(LONG).await, "{what}: the retry never came to rest");
        promises::hold(&world).await;
        row = world.environment(made.id).await;
    }
    assert_eq!(row.status, Status::Active, "{what}: {:?}", row.reason);
    assert_eq!(view::machines(&world.cloud).await.len(), 2, "{what}: one VM was bought");

    process.engine.delete(made.id, &made.owner).await.unwrap();
    assert!(world.settle(LONG).await, "{what}: the deletion never came to rest");
    promises::hold(&world).await;
    assert_eq!(world.environment(made.id).await.status, Status::Deleted, "{what}");
    assert_eq!(view::foreign(&world.cloud).await, foreign_before, "promise 3: {what}: something foreign was touched");
    let fired: u64 = world.cloud.faults().rules().iter().map(|rule| rule.fired).sum();
    assert!(fired >= 1, "{what}: the fault never struck, so this case shows nothing");
    let calls = world.cloud.journal().entries().len();
    assert!(calls < 400, "{what}: {calls} calls");
    let report = process.engine.audit().await.unwrap();
    assert!(report.findings.is_empty(), "{what}: {:#?}", report.findings);
}

#[tokio::test(start_paused = true)]
async fn each_fault_on_each_kind_of_call_ends_right() {
    let mut tried = 0;
    for (seed, route) in ROUTES.iter().enumerate() {
        for (name, fault) in faults() {
            for count in [1, 3] {
                live(route, name, &fault, count, 100 + seed as u64).await;
                tried += 1;
            }
        }
    }
    println!("fault matrix: {tried} cases, {} routes × {} faults × 2 counts", ROUTES.len(), faults().len());
}
