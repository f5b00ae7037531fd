//! What changes cost, in calls. A regression here is money: a token may make 1,200 calls in five minutes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use alfred_engine::Look;
use alfred_local_cloud::cloudflare::Plan;
use alfred_local_cloud::journal::Outcome;
use alfred_model::failure::Disposition;
use alfred_model::record::{DesiredRecord, Target};

use super::*;

const BATCH: &str = "POST /zones/{zone}/dns_records/batch";
const LIST: &str = "GET /zones/{zone}/dns_records";
const CHANGES: u32 = 1_000;

fn all_done(outcomes: &[ChangeOutcome]) {
    let failed = outcomes.iter().find(|outcome| outcome.is_err());
    assert_eq!(failed, None);
}

fn ours(place: &Place) -> Vec<view::SeenRecord> {
    view::records(&place.cloud).into_iter().filter(|record| record.comment.is_some()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_thousand_changes_in_a_free_zone_of_ten_thousand_records_cost_at_most_six_calls() {
    let place = Place::new(1, Plan::Free, Some(20_000));
    place.plant(10_000).await;
    let writer = place.writer();
    let mut made = 0;

    all_done(&submit(&writer, (0..CHANGES).map(|number| write(number, 1, Look::Nowhere))).await);
    let calls = place.calls(&mut made);
    println!("create 1,000: {calls} calls");
    assert!(calls <= 6, "create: {calls} calls");
    assert_eq!(place.counts.of(LIST), 0, "a new name costs no list");

    all_done(&submit(&writer, (0..CHANGES).map(|number| write(number, 2, Look::Ours))).await);
    let calls = place.calls(&mut made);
    println!("update 1,000: {calls} calls");
    assert!(calls <= 6, "update: {calls} calls");
    assert!(ours(&place).iter().all(|record| record.content.starts_with("10.2.")));

    all_done(&submit(&writer, (0..CHANGES).map(|number| write(number, 2, Look::Ours))).await);
    let calls = place.calls(&mut made);
    println!("nothing to do for 1,000: {calls} calls");
    assert!(calls <= 3, "nothing to do: {calls} calls");

    all_done(&submit(&writer, (0..CHANGES).map(withdraw)).await);
    let calls = place.calls(&mut made);
    println!("delete 1,000: {calls} calls");
    assert!(calls <= 6, "delete: {calls} calls");
    assert_eq!(ours(&place), []);
    assert_eq!(view::records(&place.cloud).len(), 10_000, "what is not ours stays");
}

#[tokio::test(start_paused = true)]
async fn a_thousand_changes_in_a_paid_zone_are_one_write() {
    for plan in [Plan::Pro, Plan::Business, Plan::Enterprise] {
        let place = Place::new(2, plan, Some(20_000));
        place.plant(10_000).await;
        let writer = place.writer();
        for (change, lists) in [
            ((0..CHANGES).map(|number| write(number, 1, Look::Nowhere)).collect::<Vec<_>>(), 0),
            ((0..CHANGES).map(|number| write(number, 2, Look::Ours)).collect(), 1),
            ((0..CHANGES).map(withdraw).collect(), 1),
        ] {
            let (batches, reads) = (place.counts.of(BATCH), place.counts.of(LIST));
            all_done(&submit(&writer, change).await);
            assert_eq!(place.counts.of(BATCH) - batches, 1, "{plan:?}");
            assert_eq!(place.counts.of(LIST) - reads, lists, "{plan:?}");
        }
        assert_eq!(place.counts.total(), 6, "{plan:?}: its plan was asked for once");
    }
}

/// A token that may only edit records cannot read the plan: the first refusal tells.
#[tokio::test(start_paused = true)]
async fn the_size_of_a_batch_is_learnt_from_the_first_refusal_where_the_plan_cannot_be_read() {
    use alfred_local_cloud::faults::{Fault, Rule};
    for (plan, create, update) in [(Plan::Free, 7, 6), (Plan::Pro, 2, 2)] {
        let place = Place::new(3, plan, Some(20_000));
        let body =
            r#"{"success":false,"errors":[{"code":9109,"message":"Unauthorized to access requested resource"}]}"#;
        let fault = Fault::Status { status: 403, retry_after: None, body: Some(body.to_owned()), after: false };
        place.cloud.faults().add(Rule { route: Some("cloudflare.zones.get".to_owned()), ..Rule::new(fault) });
        let writer = place.writer();
        let mut made = 0;
        all_done(&submit(&writer, (0..CHANGES).map(|number| write(number, 1, Look::Nowhere))).await);
        let calls = place.calls(&mut made);
        assert_eq!(calls, create, "{plan:?}");
        all_done(&submit(&writer, (0..CHANGES).map(|number| write(number, 2, Look::Ours))).await);
        assert_eq!(place.calls(&mut made), update, "{plan:?}");
        assert_eq!(ours(&place).len(), CHANGES as usize, "{plan:?}");
    }
}

/// The zone's own rules find what is wrong with a record; nothing that we know would.
fn bad(number: u32) -> Change {
    let desired =
        DesiredRecord { name: name(number), target: Target::Address(address(number, 1)), ttl: 59, mark: mark(number) };
    Change::Write { desired, look: Look::Nowhere, adopt: false }
}

#[tokio::test(start_paused = true)]
async fn one_bad_change_in_two_hundred_is_found_in_nine_to_fifteen_calls() {
    for place_of_bad in [0, 122, 199] {
        let place = Place::new(4, Plan::Free, None);
        let writer = place.writer();
        let changes =
            (0..200).map(|number| if number == place_of_bad { bad(number) } else { write(number, 1, Look::Nowhere) });
        let outcomes = submit(&writer, changes).await;
        for (number, outcome) in (0..).zip(&outcomes) {
            match outcome {
                Err(failure) if number == place_of_bad => {
                    assert_eq!(failure.disposition, Disposition::Definite);
                    assert!(failure.words.contains("TTL"), "{failure:?}");
                }
                outcome => assert!(number != place_of_bad && outcome.is_ok(), "{number}: {outcome:?}"),
            }
        }
        assert_eq!(ours(&place).len(), 199);
        let calls = place.counts.total();
        println!("one bad change of 200, at place {place_of_bad}: {calls} calls");
        assert!((9..=15).contains(&calls), "at {place_of_bad}: {calls} calls");
    }
}

/// A batch that may pass later is answered as it is: splitting it would only cost more of what is short.
#[tokio::test(start_paused = true)]
async fn a_batch_that_may_pass_later_is_not_split() {
    use alfred_local_cloud::faults::{Fault, Rule};
    let place = Place::new(5, Plan::Free, None);
    let fault = Fault::Status { status: 429, retry_after: Some(7), body: None, after: false };
    let route = Some("cloudflare.records.batch".to_owned());
    place.cloud.faults().add(Rule { route, count: Some(1), ..Rule::new(fault) });
    let writer = place.writer();
    let outcomes = submit(&writer, (0..150).map(|number| write(number, 1, Look::Nowhere))).await;
    for outcome in outcomes {
        let failure = outcome.expect_err("it was put off");
        assert!(matches!(failure.disposition, Disposition::Wait { after: Some(_) }), "{failure:?}");
    }
    assert_eq!(place.counts.total(), 1);
    all_done(&submit(&writer, (0..150).map(|number| write(number, 1, Look::Nowhere))).await);
    assert_eq!(place.counts.total(), 2);
}

/// Whoever asks the writer for a new name after the zone was read need not read it again for five minutes.
#[tokio::test(start_paused = true)]
async fn a_fresh_list_of_the_zone_spares_the_next_names_a_read() {
    let place = Place::new(6, Plan::Free, None);
    place.plant(20).await;
    let writer = place.writer();
    let everywhere = |numbers: std::ops::Range<u32>| numbers.map(|number| write(number, 1, Look::Everywhere));
    all_done(&submit(&writer, everywhere(0..10)).await);
    assert_eq!((place.counts.of(LIST), place.counts.of(BATCH)), (1, 1));
    all_done(&submit(&writer, everywhere(10..20)).await);
    assert_eq!((place.counts.of(LIST), place.counts.of(BATCH)), (1, 2), "known to be free");
    all_done(&submit(&writer, everywhere(10..11)).await);
    assert_eq!((place.counts.of(LIST), place.counts.of(BATCH)), (2, 2), "what was written is not free");
    tokio::time::sleep(std::time::Duration::from_mins(5)).await;
    all_done(&submit(&writer, everywhere(20..21)).await);
    assert_eq!((place.counts.of(LIST), place.counts.of(BATCH)), (3, 3), "a list is good for five minutes");
}

/// The turn may come long after the change was handed in.
#[tokio::test(start_paused = true)]
async fn what_is_no_longer_wanted_when_its_turn_comes_is_not_written() {
    let place = Place::new(7, Plan::Free, None);
    let writer = place.writer();
    let wanted = Arc::new(AtomicBool::new(true));
    let gone = Arc::clone(&wanted);
    let given_up = writer.submit_while(write(1, 1, Look::Nowhere), Arc::new(move || gone.load(Ordering::Relaxed)));
    let kept = writer.submit(write(2, 1, Look::Nowhere));
    wanted.store(false, Ordering::Relaxed);
    let (given_up, kept) = futures::future::join(given_up, kept).await;
    assert!(matches!(given_up.expect_err("given up").disposition, Disposition::Wait { .. }));
    kept.expect("written");
    let there: Vec<String> = ours(&place).into_iter().map(|record| record.name).collect();
    assert_eq!(there, [name(2).to_string()]);
}

/// An asker that is gone, as a client that hung up, wants nothing any more.
#[tokio::test(start_paused = true)]
async fn nothing_is_written_for_an_asker_that_is_gone() {
    let place = Place::new(8, Plan::Free, None);
    let writer = place.writer();
    let mut given_up = Box::pin(writer.submit(write(1, 1, Look::Nowhere)));
    assert!(futures::poll!(&mut given_up).is_pending());
    drop(given_up);
    writer.submit(write(2, 1, Look::Nowhere)).await.expect("written");
    assert_eq!(ours(&place).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn changes_of_one_name_are_made_in_order_and_a_replacement_in_one_batch() {
    let place = Place::new(9, Plan::Free, None);
    let writer = place.writer();
    submit(&writer, [write(1, 1, Look::Nowhere)]).await.remove(0).expect("written");
    // Withdrawn and given to another environment: one batch, so that the name is never absent in between.
    let taken = Change::Write {
        desired: DesiredRecord {
            name: name(1),
            target: Target::Address(address(1, 9)),
            ttl: RECORD_TTL_SECONDS,
            mark: mark(77),
        },
        look: Look::Ours,
        adopt: false,
    };
    let before = place.counts.of(BATCH);
    all_done(&submit(&writer, [withdraw(1), taken]).await);
    assert_eq!(place.counts.of(BATCH) - before, 1);
    let there = ours(&place);
    assert_eq!((there.len(), there[0].content.as_str()), (1, "10.9.0.1"));
    // Written, changed, withdrawn, written: the last wish is what stays.
    let outcomes =
        submit(&writer, [write(2, 1, Look::Ours), write(2, 2, Look::Ours), withdraw(2), write(2, 3, Look::Ours)]).await;
    all_done(&outcomes);
    let there: Vec<String> =
        ours(&place).into_iter().filter(|record| record.name == name(2).as_str()).map(|it| it.content).collect();
    assert_eq!(there, ["10.3.0.2"]);
}

/// From an address to an alias and back, by one change of the record that is there.
#[tokio::test(start_paused = true)]
async fn a_change_of_type_is_one_atomic_change() {
    let place = Place::new(10, Plan::Free, None);
    let writer = place.writer();
    let first = submit(&writer, [write(1, 1, Look::Nowhere)]).await.remove(0).expect("written");
    let alias = Change::Write {
        desired: DesiredRecord {
            name: name(1),
            target: Target::Alias("www.example.com".parse().expect("a name")),
            ttl: RECORD_TTL_SECONDS,
            mark: mark(1),
        },
        look: Look::Ours,
        adopt: false,
    };
    let second = submit(&writer, [alias]).await.remove(0).expect("written");
    assert_eq!(first, second, "the same record");
    let there = ours(&place);
    assert_eq!((there.len(), there[0].content.as_str()), (1, "www.example.com"));
    let third = submit(&writer, [write(1, 2, Look::Ours)]).await.remove(0).expect("written");
    assert_eq!(first, third);
    let refused = place.cloud.journal().entries().into_iter().filter(|entry| entry.outcome != Outcome::Answered(200));
    assert_eq!(refused.count(), 0);
}

/// Where the plan has tags, records say in one what their comments say; people's own tags stay.
#[tokio::test(start_paused = true)]
async fn records_have_tags_where_the_plan_has_them_and_none_where_the_zone_refuses_them() {
    use alfred_providers::cloudflare::Plan as KnownPlan;
    let paid = KnownPlan { legacy_id: Some("pro".to_owned()), name: None };
    for (plan, tags) in [(Plan::Pro, 1), (Plan::Free, 0)] {
        let place = Place::new(11, plan, None);
        let ours = Ours::Installation(INSTALLATION);
        // A Free zone that is thought to be a paid one.
        let writer = RecordWriter::new(place.client(place.wire()), &ours, Some(&paid), Arc::clone(&place.clock));
        all_done(&submit(&writer, (0..20).map(|number| write(number, 1, Look::Nowhere))).await);
        all_done(&submit(&writer, (0..20).map(|number| write(number, 2, Look::Ours))).await);
        let zones = place.cloud.cloudflare().state().zones;
        assert_eq!(zones[0].records.len(), 20, "{plan:?}");
        assert!(zones[0].records.iter().all(|record| record.tags.len() == tags), "{plan:?}");
        assert_eq!(place.counts.of(BATCH), if tags == 1 { 2 } else { 3 }, "{plan:?}: it is refused once at most");
    }
}
