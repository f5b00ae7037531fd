//! The audit and its repair: what is left over goes, what is wrong is mended, and nothing else is ever touched.

use std::time::Duration;

use alfred_engine::{AuditReport, AuditSchedule, RepairOutcome};
use alfred_local_cloud::faults::{Fault, Rule};
use alfred_model::audit::{Action, FindingKind, Limits};
use alfred_model::environment::{Environment, Status, Step, Wish};
use alfred_model::id::{EnvironmentId, InstallationId};
use alfred_model::intent::{IntentKind, Outcome};
use alfred_model::name::DomainName;
use alfred_model::record::OwnershipMark;
use alfred_model::vm::VmState;
use alfred_store::{EnvironmentQuery, IntentQuery, NewEnvironments};
use hickory_proto::rr::RecordType;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::promises;
use crate::view;
use crate::world::{Process, World};

const LONG: Duration = Duration::from_mins(20);
const EVERYTHING: Limits = Limits { max_count: 1000, max_share: 100 };

/// So long, and what was seen before it is ripe when it is seen again.
async fn grace(world: &World) {
    tokio::time::sleep(world.policy.order_grace + world.policy.repair_grace).await;
}

async fn settled(world: &World) {
    assert!(world.settle(LONG).await, "it never came to rest");
    promises::hold(world).await;
}

/// A world with some active environments.
async fn fleet(seed: u64, count: u32) -> (World, Process) {
    let mut world = World::new(seed);
    world.policy.orders.owned_max = 75;
    let process = world.start();
    world.create(&process, count).await;
    settled(&world).await;
    grace(&world).await;
    (world, process)
}

fn name(text: &str) -> DomainName {
    text.parse().expect("a name")
}

fn mark(installation: InstallationId, environment: EnvironmentId) -> OwnershipMark {
    OwnershipMark { installation, environment }
}

/// Puts a record there as if we had written it for this environment.
async fn plant(world: &World, environment: EnvironmentId, domain: &str, content: &str) -> String {
    let comment = mark(world.installation, environment).comment(&name(domain));
    let record = json!({"type": "A", "name": domain, "content": content, "ttl": 300, "comment": comment});
    let planted = view::stranger(&world.cloud, "POST", "", record).await;
    planted["id"].as_str().expect("an id").to_owned()
}

fn nobody(number: u128) -> EnvironmentId {
    EnvironmentId(Uuid::from_u128(number))
}

async fn leak(world: &World, number: u128) -> String {
    plant(world, nobody(number), &format!("leaked-{number}.alfredos.site"), "198.51.100.9").await
}

fn is_there(world: &World, id: &str) -> bool {
    view::records(&world.cloud).iter().any(|record| record.id == id)
}

fn record_of(world: &World, environment: &Environment) -> view::SeenRecord {
    let mut records =
        view::records(&world.cloud).into_iter().filter(|record| record.name == environment.domain.as_str());
    records.next().expect("it has a record")
}

async fn repair(process: &Process, limits: Limits) -> AuditReport {
    process.engine.audit_and_repair(limits, "root").await.expect("the providers answer")
}

/// An audit, the grace, and a repair.
async fn ripe_repair(world: &World, process: &Process, limits: Limits) -> AuditReport {
    process.engine.audit().await.expect("the providers answer");
    grace(world).await;
    repair(process, limits).await
}

fn outcomes(report: &AuditReport) -> Vec<RepairOutcome> {
    report.repair.as_ref().expect("a repair was asked for").repairs.iter().map(|one| one.outcome).collect()
}

fn kinds(report: &AuditReport) -> Vec<(FindingKind, Action)> {
    report.findings.iter().map(|standing| (standing.finding.kind, standing.finding.action)).collect()
}

async fn works(world: &World, id: EnvironmentId) {
    let row = world.environment(id).await;
    assert_eq!((row.status, row.step), (Status::Active, Step::Settled), "{row:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_leaked_record_is_withdrawn_after_the_second_sighting_and_no_sooner() {
    let (world, process) = fleet(100, 2).await;
    let leaked = leak(&world, 1).await;
    for _ in 0..3 {
        let report = repair(&process, Limits::default()).await;
        assert_eq!(kinds(&report), [(FindingKind::RecordWithoutEnvironment, Action::WithdrawRecord)]);
        assert!(!report.findings[0].ripe && report.findings[0].ripe_from > report.at, "{report:#?}");
        assert!(outcomes(&report).is_empty() && is_there(&world, &leaked), "seen often, and not long enough");
    }
    grace(&world).await;
    let report = process.engine.audit().await.expect("the providers answer");
    assert!(report.findings[0].ripe && report.repair.is_none() && is_there(&world, &leaked), "dry unless told");
    let report = repair(&process, Limits::default()).await;
    assert_eq!(outcomes(&report), [RepairOutcome::Done]);
    assert_eq!(report.repair.expect("a repair").unrepaired, 0);
    assert!(!is_there(&world, &leaked));
    let ledger = world.store.intents(IntentQuery::default()).await.expect("the store answers");
    let line = ledger.iter().find(|line| line.subject == "leaked-1.alfredos.site").expect("promise 12");
    assert_eq!((line.kind, line.outcome, line.actor.as_str()), (IntentKind::WithdrawRecord, Outcome::Done, "root"));
    assert!(repair(&process, Limits::default()).await.findings.is_empty());
    settled(&world).await;
}

#[tokio::test(start_paused = true)]
async fn what_was_gone_in_between_begins_anew() {
    let (world, process) = fleet(101, 2).await;
    let leaked = leak(&world, 1).await;
    process.engine.audit().await.expect("the providers answer");
    let record = view::stranger(&world.cloud, "GET", &format!("/{leaked}"), Value::Null).await;
    view::stranger(&world.cloud, "PATCH", &format!("/{leaked}"), json!({"comment": "hidden"})).await;
    grace(&world).await;
    process.engine.audit().await.expect("the providers answer");
    let back = json!({"comment": record["comment"]});
    view::stranger(&world.cloud, "PATCH", &format!("/{leaked}"), back).await;
    let report = repair(&process, Limits::default()).await;
    assert_eq!((report.findings[0].times, report.findings[0].ripe), (1, false));
    assert!(is_there(&world, &leaked));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_ours_is_never_touched() {
    let (world, process) = fleet(102, 3).await;
    view::plant_foreign(&world.cloud).await;
    let active = world.with_status(Status::Active).await;
    let post = async |record: Value| view::stranger(&world.cloud, "POST", "", record).await;
    let copied = mark(world.installation, nobody(7)).comment(&name("elsewhere.alfredos.site"));
    post(json!({"type": "A", "name": "copied", "content": "198.51.100.1", "ttl": 300, "comment": copied})).await;
    let other = mark(InstallationId(Uuid::from_u128(9)), nobody(8)).comment(&name("theirs.alfredos.site"));
    post(json!({"type": "A", "name": "theirs", "content": "198.51.100.2", "ttl": 300, "comment": other})).await;
    // Of `alfred dns`: a mark of another kind.
    post(json!({"type": "A", "name": "tool", "content": "198.51.100.3", "ttl": 300, "comment": "alfred:dns:v1:x"}))
        .await;
    let own = record_of(&world, &active[0]).id;
    view::stranger(
        &world.cloud,
        "PATCH",
        &format!("/{own}"),
        json!({"comment": "mine now", "content": "198.51.100.4"}),
    )
    .await;
    // The mark of a living environment at another name is not understood, and kept.
    let strayed = plant(&world, active[1].id, "strayed.alfredos.site", "198.51.100.5").await;
    let before = view::records(&world.cloud);
    for _ in 0..3 {
        let report = ripe_repair(&world, &process, EVERYTHING).await;
        assert_eq!(report.findings.len(), 4, "{:#?}", report.findings);
        assert!(report.findings.iter().all(|one| one.finding.foreign && one.finding.action == Action::None));
        assert!(outcomes(&report).is_empty());
    }
    assert!(is_there(&world, &strayed));
    assert_eq!(view::records(&world.cloud), before, "promise 3");
    assert!(view::machines(&world.cloud).await.iter().any(|machine| machine.display_name == "somebody-elses-vm"));
}

/// Between the list and the last look a person gives the record another comment.
#[tokio::test(start_paused = true)]
async fn the_last_look_saves_a_record_that_was_changed_since() {
    let (world, process) = fleet(103, 2).await;
    let leaked = leak(&world, 1).await;
    process.engine.audit().await.expect("the providers answer");
    grace(&world).await;
    let slow = Fault::Delay { ms: 5_000, after: false };
    world.cloud.faults().add(Rule { route: Some("cloudflare.records.get".to_owned()), ..Rule::new(slow) });
    let change = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        view::stranger(&world.cloud, "PATCH", &format!("/{leaked}"), json!({"comment": "mine"})).await;
    };
    let (report, ()) = tokio::join!(repair(&process, Limits::default()), change);
    assert_eq!(outcomes(&report), [RepairOutcome::Kept]);
    let told = report.repair.expect("a repair");
    assert!(told.repairs[0].words.contains("not ours any more") && told.unrepaired == 1, "{told:?}");
    assert!(is_there(&world, &leaked));
}

/// The records were read, and only then its environment comes to be known.
#[tokio::test(start_paused = true)]
async fn an_environment_that_came_back_keeps_its_record() {
    let (world, process) = fleet(104, 2).await;
    let leaked = leak(&world, 1).await;
    process.engine.audit().await.expect("the providers answer");
    grace(&world).await;
    let slow = Fault::Delay { ms: 5_000, after: true };
    world.cloud.faults().add(Rule { route: Some("cloudflare.records.list".to_owned()), ..Rule::new(slow) });
    let mut row = world.with_status(Status::Active).await.remove(0);
    row.id = nobody(1);
    (row.slug, row.domain) = ("leaked-1".parse().expect("a slug"), name("leaked-1.alfredos.site"));
    row.version = 0;
    let restored = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let new = NewEnvironments { environments: vec![row], events: Vec::new(), idempotency: None, quota: None };
        world.store.create_environments(new).await.expect("the row is good");
    };
    let (report, ()) = tokio::join!(repair(&process, Limits::default()), restored);
    assert!(outcomes(&report).is_empty(), "{report:#?}");
    assert!(is_there(&world, &leaked));
}

/// An environment that failed for good, and whose record is back.
#[tokio::test(start_paused = true)]
async fn a_failed_environment_withdraws_again_and_a_retry_at_the_same_moment_wins() {
    for retried in [false, true] {
        let (world, process) = fleet(105, 3).await;
        let refused = Fault::Status { status: 402, retry_after: None, body: None, after: false };
        world.cloud.faults().add(Rule { route: Some("contabo.instances.create".to_owned()), ..Rule::new(refused) });
        let failed = world.create(&process, 1).await.remove(0);
        assert!(world.settle(LONG).await);
        world.cloud.faults().clear();
        let row = world.environment(failed.id).await;
        assert_eq!((row.status, row.step), (Status::Error, Step::Settled), "{row:#?}");
        let back = plant(&world, failed.id, failed.domain.as_str(), "198.51.100.9").await;
        grace(&world).await;
        process.engine.audit().await.expect("the providers answer");
        grace(&world).await;
        let slow = Fault::Delay { ms: 5_000, after: false };
        world.cloud.faults().add(Rule { route: Some("cloudflare.records.get".to_owned()), ..Rule::new(slow) });
        let retry = async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            if retried {
                process.engine.retry(failed.id, false, &failed.owner).await.expect("it can be retried");
            }
        };
        let (report, ()) = tokio::join!(repair(&process, Limits::default()), retry);
        assert_eq!(kinds(&report), [(FindingKind::RecordWithoutEnvironment, Action::WithdrawRecord)]);
        world.cloud.faults().clear();
        if retried {
            assert_eq!(outcomes(&report), [RepairOutcome::Kept], "{:#?}", report.repair);
            settled(&world).await;
            works(&world, failed.id).await;
        } else {
            assert_eq!(outcomes(&report), [RepairOutcome::Started], "{:#?}", report.repair);
            settled(&world).await;
            assert!(!is_there(&world, &back));
            let row = world.environment(failed.id).await;
            assert_eq!((row.status, row.step, row.attention), (Status::Error, Step::Settled, true));
            assert!(row.reason.is_some(), "it still says why it failed");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn over_a_cap_nothing_is_done() {
    let (world, process) = fleet(106, 5).await;
    for number in 0..30 {
        leak(&world, number).await;
    }
    let before = view::records(&world.cloud);
    for (limits, allowed) in [
        (Limits::default(), 3),
        (Limits { max_count: 29, max_share: 100 }, 29),
        (Limits { max_count: 100, max_share: 80 }, 28),
        (Limits { max_count: 0, max_share: 100 }, 0),
    ] {
        let told = ripe_repair(&world, &process, limits).await.repair.expect("a repair");
        assert_eq!((told.ripe, told.allowed, told.unrepaired, told.repairs.len()), (30, allowed, 30, 0));
        let why = told.refused.expect("it says why");
        assert!(why.contains("30 findings") && why.contains(&format!("at most {allowed}")), "{why}");
    }
    assert_eq!(view::records(&world.cloud), before);
    let batches = world.counts.of("POST /zones/{zone}/dns_records/batch");
    let report = repair(&process, EVERYTHING).await;
    assert_eq!(outcomes(&report), [RepairOutcome::Done; 30]);
    let batches = world.counts.of("POST /zones/{zone}/dns_records/batch") - batches;
    assert!(batches <= 3, "{batches} batches for 30 withdrawals");
    assert_eq!(view::records(&world.cloud).len(), 5);
    settled(&world).await;
}

#[tokio::test(start_paused = true)]
async fn a_list_that_failed_or_shrank_takes_nothing_away_and_forgets_nothing() {
    let (world, process) = fleet(107, 5).await;
    let leaked = leak(&world, 1).await;
    process.engine.audit().await.expect("the providers answer");
    grace(&world).await;
    let known = world.store.sightings().await.expect("the store answers");
    assert_eq!(known.len(), 1);
    for route in ["cloudflare.records.list", "contabo.instances.list"] {
        for fault in [Fault::LostBefore, Fault::CutBody, Fault::Html { status: 200, after: true }] {
            world.cloud.faults().add(Rule { route: Some(route.to_owned()), ..Rule::new(fault) });
            process.engine.audit_and_repair(EVERYTHING, "root").await.expect_err("a read that failed is no report");
            world.cloud.faults().clear();
        }
    }
    assert_eq!(world.store.sightings().await.expect("the store answers"), known, "promise 9");
    assert!(is_there(&world, &leaked));

    // Three of five records vanish: on such a list nothing is taken away, and what is missing is written again.
    let active = world.with_status(Status::Active).await;
    for row in &active[..3] {
        let id = record_of(&world, row).id;
        view::stranger(&world.cloud, "DELETE", &format!("/{id}"), Value::Null).await;
    }
    let report = ripe_repair(&world, &process, EVERYTHING).await;
    assert_eq!(outcomes(&report), [RepairOutcome::Started; 3], "{:#?}", report.repair);
    let told = report.repair.expect("a repair");
    assert_eq!((told.ripe, told.unrepaired), (4, 1));
    assert!(world.settle(LONG).await, "it never came to rest");
    assert!(is_there(&world, &leaked), "promise 9");
    assert_eq!(view::records(&world.cloud).len(), 6);

    // All are back, and the list is believed again.
    let report = ripe_repair(&world, &process, EVERYTHING).await;
    assert_eq!(outcomes(&report), [RepairOutcome::Done], "{:#?}", report.repair);
    assert!(!is_there(&world, &leaked));
    assert_eq!(view::records(&world.cloud).len(), 5);

    for record in view::records(&world.cloud) {
        view::stranger(&world.cloud, "DELETE", &format!("/{}", record.id), Value::Null).await;
    }
    // Nothing of ours is there, so that the share allows one: five are too many to be true.
    let told = ripe_repair(&world, &process, EVERYTHING).await.repair.expect("a repair");
    assert!(told.refused.expect("it says why").contains("at most 1 may be repaired at once"));
    assert!(view::records(&world.cloud).is_empty());
}

/// Each way in which the record of an environment that works can be wrong. It stays active all the while.
#[tokio::test(start_paused = true)]
async fn a_wrong_record_is_mended_through_the_lifecycle() {
    for damage in ["address", "type", "duplicate", "missing"] {
        let (world, process) = fleet(108, 3).await;
        let row = world.with_status(Status::Active).await.remove(1);
        let before = record_of(&world, &row);
        let path = format!("/{}", before.id);
        match damage {
            "address" => view::stranger(&world.cloud, "PATCH", &path, json!({"content": "198.51.100.9"})).await,
            "type" => {
                let record = json!({
                    "type": "CNAME", "name": before.name, "content": "example.com", "ttl": 300, "comment": before.comment,
                });
                view::stranger(&world.cloud, "PUT", &path, record).await
            }
            "duplicate" => {
                plant(&world, row.id, row.domain.as_str(), "198.51.100.9").await;
                Value::Null
            }
            _ => view::stranger(&world.cloud, "DELETE", &path, Value::Null).await,
        };
        let report = ripe_repair(&world, &process, Limits::default()).await;
        assert_eq!(outcomes(&report), [RepairOutcome::Started], "{damage}: {:#?}", report.findings);
        settled(&world).await;
        works(&world, row.id).await;
        let after = record_of(&world, &row);
        assert_eq!(after.content, row.address.expect("an address").to_string(), "{damage}");
        assert_eq!(view::records(&world.cloud).len(), 3, "{damage}");
        let ledger = world.store.intents(IntentQuery::default()).await.expect("the store answers");
        let line = ledger.iter().find(|line| line.actor == "root").expect("promise 12");
        assert_eq!((line.kind, line.outcome), (IntentKind::WriteRecord, Outcome::Done), "{damage}");
        grace(&world).await;
        let report = process.engine.audit().await.expect("the providers answer");
        assert!(report.findings.is_empty(), "{damage}: {:#?}", report.findings);
    }
}

/// Nothing that goes wrong with a repair may cost an environment its VM.
#[tokio::test(start_paused = true)]
async fn a_repair_that_fails_leaves_the_environment_as_it_was() {
    let status = |status| Fault::Status { status, retry_after: None, body: None, after: false };
    for fault in [status(400), status(403), status(500), Fault::LostBefore] {
        let (world, process) = fleet(109, 3).await;
        let row = world.with_status(Status::Active).await.remove(1);
        let id = record_of(&world, &row).id;
        view::stranger(&world.cloud, "PATCH", &format!("/{id}"), json!({"content": "198.51.100.9"})).await;
        let route = Some("cloudflare.records.batch".to_owned());
        world.cloud.faults().add(Rule { route, ..Rule::new(fault.clone()) });
        let report = ripe_repair(&world, &process, Limits::default()).await;
        assert_eq!(outcomes(&report), [RepairOutcome::Started], "{fault:?}");
        assert!(world.settle(LONG).await, "{fault:?}: it gives up some day");
        works(&world, row.id).await;
        let vm = world.store.vm(row.vm_id.expect("a VM")).await.expect("the store answers").expect("a row");
        assert_eq!((vm.state, vm.environment_id), (VmState::Assigned, Some(row.id)), "{fault:?}");
        world.cloud.faults().clear();
        grace(&world).await;
        let report = ripe_repair(&world, &process, Limits::default()).await;
        assert_eq!(outcomes(&report), [RepairOutcome::Started], "{fault:?}: the next audit tries again");
        settled(&world).await;
        works(&world, row.id).await;
    }
}

/// A deletion that is asked for during a repair wins.
#[tokio::test(start_paused = true)]
async fn a_deletion_during_a_repair_leaves_nothing() {
    for delay in [0, 3, 20, 200, 2_000] {
        let (world, process) = fleet(110, 3).await;
        let row = world.with_status(Status::Active).await.remove(0);
        let id = record_of(&world, &row).id;
        view::stranger(&world.cloud, "PATCH", &format!("/{id}"), json!({"content": "198.51.100.9"})).await;
        ripe_repair(&world, &process, Limits::default()).await;
        tokio::time::sleep(Duration::from_millis(delay)).await;
        process.engine.delete(row.id, &row.owner).await.expect("a wish is never refused");
        settled(&world).await;
        assert_eq!(world.environment(row.id).await.status, Status::Deleted, "after {delay} ms");
        assert_eq!(view::records(&world.cloud).len(), 2, "after {delay} ms");
    }
}

/// Promise 4: whoever gets the VM next must not get the visitors of a name that led to it.
#[tokio::test(start_paused = true)]
async fn a_vm_of_the_pool_rests_when_a_name_led_to_it() {
    for orphan in [true, false] {
        let (world, process) = fleet(111, 3).await;
        let gone = world.with_status(Status::Active).await.remove(2);
        process.engine.delete(gone.id, &gone.owner).await.expect("the wish is taken");
        settled(&world).await;
        tokio::time::sleep(world.policy.name_rest).await;
        let vm = world.store.vm(gone.vm_id.expect("a VM")).await.expect("the store answers").expect("a row");
        assert!(vm.state == VmState::Ready && vm.assignable_at.is_some_and(|at| at <= world.clock.now()));
        let address = vm.address.expect("an address").to_string();
        if orphan {
            plant(&world, gone.id, gone.domain.as_str(), &address).await;
        } else {
            let row = world.with_status(Status::Active).await.remove(0);
            let id = record_of(&world, &row).id;
            view::stranger(&world.cloud, "PATCH", &format!("/{id}"), json!({"content": address})).await;
        }
        let report = ripe_repair(&world, &process, Limits::default()).await;
        assert_eq!(outcomes(&report).len(), 1, "{report:#?}");
        settled(&world).await;
        let forgotten = alfred_model::policy::later(world.clock.now(), world.policy.name_rest);
        let vm = world.store.vm(vm.id).await.expect("the store answers").expect("a row");
        assert!(vm.state == VmState::Ready && vm.assignable_at.is_some_and(|at| at >= forgotten), "{vm:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_that_leads_to_a_vm_the_store_does_not_know_is_kept() {
    let (world, process) = fleet(112, 2).await;
    view::plant_vm(&world.cloud, "alfredos-lost-one").await;
    tokio::time::sleep(LONG).await;
    let report = process.engine.audit().await.expect("the providers answer");
    assert_eq!(kinds(&report), [(FindingKind::VmWithoutEnvironment, Action::None)]);
    assert!(report.findings[0].cost.contains("price is not known"), "no price is made up");
    let machine = report.findings[0].finding.vm_id.expect("a VM");
    let state = serde_json::to_value(world.cloud.contabo().state()).expect("it is JSON");
    let owners = state["owners"].as_object().expect("addresses and whose they are");
    let (address, _) = owners.iter().find(|(_, owner)| **owner == machine.0).expect("it has an address");
    let record = plant(&world, nobody(5), "lost-one.alfredos.site", address).await;
    let report = ripe_repair(&world, &process, EVERYTHING).await;
    let finding = report.findings.iter().find(|one| one.finding.kind == FindingKind::RecordWithoutEnvironment);
    let finding = &finding.expect("it is reported").finding;
    assert!(finding.action == Action::None && finding.because.contains("older than the zone"), "{finding:#?}");
    assert!(is_there(&world, &record));
}

#[tokio::test(start_paused = true)]
async fn replicas_take_turns_by_the_schedule() {
    let mut world = World::new(113);
    let every = Duration::from_mins(10);
    world.audit = AuditSchedule { first: Duration::from_mins(1), every: Some(every), repair: Some(Limits::default()) };
    let processes = [world.start(), world.start(), world.start()];
    world.create(&processes[0], 2).await;
    settled(&world).await;
    let lists = || world.counts.of("GET /zones/{zone}/dns_records");
    let before = lists();
    tokio::time::sleep(Duration::from_hours(5)).await;
    let audits = lists() - before;
    assert!((20..=42).contains(&audits), "{audits} audits in five hours, one in ten minutes or so");
    let leaked = leak(&world, 1).await;
    tokio::time::sleep(Duration::from_hours(1)).await;
    assert!(!is_there(&world, &leaked), "it repairs, since it was told so");
    let ledger = world.store.intents(IntentQuery::default()).await.expect("the store answers");
    assert!(ledger.iter().any(|line| line.actor == "audit" && line.kind == IntentKind::WithdrawRecord), "promise 12");
    settled(&world).await;
}

/// Every name of an environment that is active and wanted answers with its address.
async fn nobody_misses_a_record(world: &World) {
    let rows = world.store.environments(EnvironmentQuery::default()).await.expect("the store answers");
    for row in rows.iter().filter(|row| row.status == Status::Active && row.wish == Wish::Present) {
        let answers = world.cloud.resolve(row.domain.as_str(), RecordType::A).answers;
        let values: Vec<&str> = answers.iter().map(|answer| answer.value.as_str()).collect();
        assert_eq!(values, [row.address.expect("an address").to_string()], "promise 7: {}", row.domain);
    }
}

#[tokio::test(start_paused = true)]
async fn audits_that_repair_all_the_time_never_take_a_live_record() {
    for seed in 120..122 {
        let mut world = World::new(seed);
        // No grace at all: only the last look and the fences are left.
        (world.policy.order_grace, world.policy.repair_grace) = (Duration::ZERO, Duration::ZERO);
        let every = Some(Duration::from_millis(400));
        world.audit = AuditSchedule { first: Duration::ZERO, every, repair: Some(EVERYTHING) };
        let processes = [world.start(), world.start()];
        let mut leaks = 0;
        for turn in 0_u64..80 {
            let process = &processes[usize::from(turn % 2 == 0)];
            match world.random.unit() {
                draw if draw < 0.3 => drop(world.create(process, 1).await),
                draw if draw < 0.6 => {
                    let rows = world.store.environments(EnvironmentQuery::default()).await.expect("the store answers");
                    if let Some(row) = rows.first() {
                        process.engine.delete(row.id, &row.owner).await.expect("a wish is never refused");
                    }
                }
                draw if draw < 0.7 => {
                    leaks += 1;
                    leak(&world, u128::from(turn)).await;
                }
                _ => {}
            }
            for _ in 0..20 {
                tokio::time::sleep(Duration::from_millis(50)).await;
                nobody_misses_a_record(&world).await;
            }
        }
        assert!(leaks > 0);
        tokio::time::sleep(Duration::from_mins(1)).await;
        settled(&world).await;
        let active = world.with_status(Status::Active).await;
        assert_eq!(view::records(&world.cloud).len(), active.len(), "seed {seed}: every leak is mended");
        let ledger = world.store.intents(IntentQuery::default()).await.expect("the store answers");
        let repairs = ledger.iter().filter(|line| line.actor == "audit" && line.outcome == Outcome::Done).count();
        assert!(repairs >= leaks, "seed {seed}: {repairs} repairs for {leaks} leaks");
    }
}

/// A fleet of one whose record is gone shows none of what it should: its record is written again all the same, since
/// that takes nothing away.
#[tokio::test(start_paused = true)]
async fn the_only_environment_gets_its_record_back() {
    let (world, process) = fleet(116, 1).await;
    let row = world.with_status(Status::Active).await.remove(0);
    let before = record_of(&world, &row);
    view::stranger(&world.cloud, "DELETE", &format!("/{}", before.id), Value::Null).await;
    let report = ripe_repair(&world, &process, Limits::default()).await;
    assert_eq!(outcomes(&report), [RepairOutcome::Started], "{:#?}", report.findings);
    settled(&world).await;
    works(&world, row.id).await;
    assert_eq!(record_of(&world, &row).content, before.content);
}
