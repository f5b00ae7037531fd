use std::sync::Mutex;

use alfred_model::seam::Random as _;
use alfred_model::state::lock::{Released, Taken};
use alfred_model::state::mirror::TrialRules;
use alfred_model::state::retention::Defaults;
use bytes::Bytes;

use super::*;
use crate::backend::memory::{Call, Fault, Memory};
use crate::service::tests::{Bench, Seeded, content, info, name};
use crate::{States, Written};

/// The record in memory, shared by the processes of a test.
#[derive(Default)]
pub(crate) struct Records(Mutex<Option<(MirrorRecord, i64)>>);

#[async_trait]
impl MirrorRecords for Records {
    async fn read(&self) -> Result<Option<(MirrorRecord, i64)>, BackendError> {
        Ok(self.0.lock().unwrap().clone())
    }

    async fn swap(&self, expected: Option<i64>, record: &MirrorRecord) -> Result<bool, BackendError> {
        let mut current = self.0.lock().unwrap();
        if current.as_ref().map(|(_, version)| *version) != expected {
            return Ok(false);
        }
        *current = Some((record.clone(), expected.unwrap_or(0) + 1));
        Ok(true)
    }
}

struct Pair {
    bench: Bench,
    second: Memory,
    records: Arc<Records>,
}

impl Pair {
    /// Two stores, compared and in step.
    async fn in_step(seed: u64) -> (Self, States) {
        let pair = Self { bench: Bench::new(seed), second: Memory::new("two"), records: Arc::default() };
        let states = pair.process();
        states.write(&name(), content(1, "a"), None, "ann").await.unwrap();
        assert!(pair.record().behind.is_some(), "nothing is known of the second store yet");
        states.stores().tend().await.unwrap();
        assert_eq!(pair.record().behind, None);
        (pair, states)
    }

    /// Another process of the installation.
    fn process(&self) -> States {
        let (first, second) = (Arc::new(self.bench.memory.clone()), Arc::new(self.second.clone()));
        let records = Arc::clone(&self.records) as Arc<dyn MirrorRecords>;
        let stores = Stores::mirrored(first, second, records, self.bench.seams.clone());
        States::new(stores, Bench::keyring("k"), Defaults::default(), self.bench.seams.clone())
    }

    fn record(&self) -> MirrorRecord {
        self.records.0.lock().unwrap().clone().unwrap().0
    }

    /// One of the stores alone, as whoever finds it would read it.
    fn alone(&self, store: &Memory) -> States {
        let stores = Stores::single(Arc::new(store.clone()), self.bench.seams.clone());
        States::new(stores, Bench::keyring("k"), Defaults::default(), self.bench.seams.clone())
    }

    /// The newest content in a store, whatever its document says of where it is kept.
    async fn newest_in(&self, store: &Memory) -> Option<Bytes> {
        match self.alone(store).read(&name()).await {
            Ok(read) => read.map(|read| read.content),
            Err(error) => panic!("{error}"),
        }
    }
}

fn asked(loss: Option<&str>) -> SwitchRequest {
    SwitchRequest { by: "root".to_owned(), loss: loss.map(str::to_owned), ..SwitchRequest::default() }
}

async fn write(states: &States, serial: u64) -> Result<Written, StateError> {
    states.write(&name(), content(serial, "a"), None, "ann").await
}

#[tokio::test(start_paused = true)]
async fn what_is_acknowledged_is_in_both_bit_for_bit() {
    let (pair, states) = Pair::in_step(1).await;
    write(&states, 2).await.unwrap();
    states.lock(&name(), info("a"), "ann").await.unwrap();
    let (first, second) =
        (pair.bench.memory.document(&name()).await.unwrap(), pair.second.document(&name()).await.unwrap());
    assert_eq!(first.map(|document| document.content), second.map(|document| document.content));
    assert_eq!(pair.newest_in(&pair.second).await, Some(content(2, "a")));
    let blobs = |store: &Memory| store.clone();
    assert_eq!(
        blobs(&pair.second).blobs(&name()).await.unwrap(),
        blobs(&pair.bench.memory).blobs(&name()).await.unwrap()
    );
}

#[tokio::test(start_paused = true)]
async fn a_failing_second_store_fails_nobody_and_catches_up() {
    let (pair, states) = Pair::in_step(2).await;
    pair.second.set_faults(|_| Some(Fault::Before));
    write(&states, 2).await.unwrap();
    let behind = pair.record().behind.unwrap();
    assert!(behind.states.contains(&name()) && behind.words.contains("fault was asked for"), "{behind:?}");
    assert_eq!(states.stores().tend().await.unwrap(), [], "it still fails");
    let refused = states.stores().switch(&asked(None)).await.unwrap_err();
    assert!(matches!(refused, StateError::SwitchRefused(_)), "{refused}");
    pair.second.heal();
    write(&states, 3).await.unwrap();
    assert_eq!(pair.newest_in(&pair.second).await, Some(content(1, "a")), "it is copied with the rest");
    let news = states.stores().tend().await.unwrap();
    assert_eq!(news, [News::CaughtUp { place: "memory two".to_owned() }]);
    assert!(news[0].is_good() && news[0].to_string() == "memory two has everything again");
    assert_eq!(pair.record().behind, None);
    assert_eq!(pair.newest_in(&pair.second).await, Some(content(3, "a")));
}

#[tokio::test(start_paused = true)]
async fn the_stores_change_places_and_back_under_a_lock() {
    let (pair, states) = Pair::in_step(3).await;
    let other = pair.process();
    states.lock(&name(), info("a"), "ann").await.unwrap();
    let record = states.stores().switch(&asked(None)).await.unwrap();
    assert_eq!((&*record.primary, record.epoch), ("memory two", 1));
    let written = other.write(&name(), content(2, "b"), Some("a"), "ann").await.unwrap();
    assert!(matches!(written, Written::New(_)), "the holder goes on, in every process");
    assert!(matches!(other.lock(&name(), info("b"), "bob").await.unwrap(), Taken::Held(_)));
    for store in [&pair.second, &pair.bench.memory] {
        assert_eq!(pair.newest_in(store).await, Some(content(2, "b")));
    }
    other.stores().switch(&asked(None)).await.unwrap();
    assert!(matches!(states.unlock(&name(), "a", "ann").await.unwrap(), Released::Done(_)));
    write(&states, 3).await.unwrap();
    assert_eq!(states.read(&name()).await.unwrap().unwrap().content, content(3, "a"));
    assert_eq!(states.verify(&name()).await.unwrap().good, 3);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_gone_is_given_up_and_what_it_takes_in_later_is_not_acknowledged() {
    let (pair, states) = Pair::in_step(4).await;
    // A process that has looked up which store counts, and comes back to it late.
    let late = states.stores().current().await.unwrap();
    pair.bench.memory.set_faults(|_| Some(Fault::Before));
    assert!(matches!(write(&states, 2).await, Err(StateError::Backend(_))));
    assert!(matches!(states.stores().switch(&asked(None)).await, Err(StateError::OldUnreachable(_))));
    states.stores().switch(&SwitchRequest { without_old: true, ..asked(None) }).await.unwrap();
    write(&states, 2).await.unwrap();
    pair.bench.memory.heal();
    // The old store takes a write of the late process, which finds out before it acknowledges.
    pair.alone(&pair.bench.memory).write(&name(), content(9, "late"), None, "bob").await.unwrap();
    let late = states.stores().follow(&late, &name(), None).await.unwrap_err();
    assert!(matches!(late, StateError::Moved(_)), "{late}");
    states.stores().tend().await.unwrap();
    assert_eq!(pair.record().behind, None);
    assert_eq!(pair.newest_in(&pair.bench.memory).await, Some(content(2, "a")), "it follows");
    let kept = pair.bench.memory.blobs(&name()).await.unwrap();
    assert!(kept.iter().any(|blob| blob.key.version.serial == 9), "and throws nothing away that it alone had");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_copied_over_what_a_later_primary_store_has() {
    let (pair, states) = Pair::in_step(12).await;
    states.stores().switch(&asked(None)).await.unwrap();
    write(&states, 2).await.unwrap();
    // The old primary store took something in as if it still were one.
    let old = &pair.bench.memory;
    let found = old.document(&name()).await.unwrap().unwrap();
    let mut document = alfred_model::state::StateDocument::parse(&found.content).unwrap();
    document.epoch = 0;
    document.sequence += 1_000_000;
    old.swap_document(&name(), Some(found.revision), document.to_json().into()).await.unwrap();
    let copied = copy::state(old, &pair.second, &name(), None).await;
    assert!(matches!(copied, Err(CopyError::Overtaken)), "{copied:?}");
    copy::state(&pair.second, old, &name(), None).await.unwrap();
    assert_eq!(pair.newest_in(old).await, Some(content(2, "a")));
}

#[tokio::test(start_paused = true)]
async fn a_switch_that_fails_is_called_off_and_work_goes_on() {
    let (pair, states) = Pair::in_step(5).await;
    for number in 0..5 {
        let state = format!("s{number}").parse().unwrap();
        states.write(&state, content(1, "a"), None, "ann").await.unwrap();
    }
    let mut calls = 0;
    pair.second.set_faults(move |call| {
        calls += usize::from(call == Call::SwapDocument);
        (calls == 3).then_some(Fault::Before)
    });
    assert!(states.stores().switch(&asked(None)).await.is_err());
    pair.second.heal();
    let record = pair.record();
    assert!(record.primary == "memory one" && record.switching.is_none(), "{record:?}");
    write(&states, 2).await.unwrap();
    states.write(&"s0".parse().unwrap(), content(2, "a"), None, "ann").await.unwrap();
    states.stores().tend().await.unwrap();
    states.stores().switch(&asked(None)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_switch_whose_process_is_gone_is_ended_by_another() {
    for calls in 1..30 {
        let (pair, states) = Pair::in_step(6).await;
        states.write(&"other".parse().unwrap(), content(1, "a"), None, "ann").await.unwrap();
        // The process dies at this call: nothing after it takes place.
        let died = Arc::new(Mutex::new(0));
        for store in [&pair.bench.memory, &pair.second] {
            let died = Arc::clone(&died);
            store.set_faults(move |_| {
                let mut seen = died.lock().unwrap();
                *seen += 1;
                (*seen > calls).then_some(Fault::Before)
            });
        }
        // Its record of a switch under way stays, as its calling off does not take place either.
        let stays = pair.records.0.lock().unwrap().clone();
        let ended = states.stores().switch(&asked(None)).await;
        for store in [&pair.bench.memory, &pair.second] {
            store.heal();
        }
        if ended.is_err() {
            let (mut record, version) = stays.unwrap();
            record.switching = Some(alfred_model::state::mirror::Switching {
                since: pair.bench.seams.clock.now(),
                by: "root".to_owned(),
                words: String::new(),
                without_old: false,
                trial: None,
            });
            *pair.records.0.lock().unwrap() = Some((record, version + 5));
            pair.bench.clock.go_on(61);
            pair.process().stores().tend().await.unwrap();
        }
        let record = pair.record();
        assert!(record.primary == "memory two" && record.switching.is_none(), "{calls}: {record:?}");
        let after = pair.process();
        write(&after, 2).await.unwrap();
        after.write(&"other".parse().unwrap(), content(2, "a"), None, "ann").await.unwrap();
        assert_eq!(after.verify(&name()).await.unwrap().good, 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_store_that_fails_its_trial_is_left_by_itself() {
    let (pair, states) = Pair::in_step(7).await;
    let trial = Some(TrialRules::default());
    states.stores().switch(&SwitchRequest { trial, ..asked(None) }).await.unwrap();
    let mut calls = 0;
    pair.second.set_faults(move |_| {
        calls += 1;
        (calls % 7 == 0).then_some(Fault::Before)
    });
    let mut acknowledged = 1;
    for serial in 2..12 {
        pair.bench.clock.go_on(1);
        if write(&states, serial).await.is_ok() {
            acknowledged = serial;
        }
    }
    assert!(acknowledged > 1);
    let news = states.stores().tend().await.unwrap();
    let words = news[0].to_string();
    assert!(words.contains("memory two failed its trial") && words.contains("memory one again"), "{words}");
    assert!(!news[0].is_good(), "somebody should look at it");
    let record = pair.record();
    assert_eq!((&*record.primary, record.epoch), ("memory one", 2));
    assert!(record.switched.is_some_and(|switched| switched.by == "alfred" && switched.words.contains("calls failed")));
    let there = states.read(&name()).await.unwrap().unwrap().version.key.serial;
    assert!(there >= acknowledged, "{there} of {acknowledged}");
    assert_eq!(states.verify(&name()).await.unwrap().problems, []);
}

#[tokio::test(start_paused = true)]
async fn a_trial_is_not_failed_into_a_store_that_lacks_versions() {
    let (pair, states) = Pair::in_step(8).await;
    states.stores().switch(&SwitchRequest { trial: Some(TrialRules::default()), ..asked(None) }).await.unwrap();
    pair.bench.memory.set_faults(|_| Some(Fault::Before));
    write(&states, 2).await.unwrap();
    pair.second.set_faults(|_| Some(Fault::Before));
    for _ in 0..6 {
        assert!(states.read(&name()).await.is_err());
    }
    let news = states.stores().tend().await.unwrap();
    let is_closed = |news: &News| news.to_string().contains("the way back is closed") && !news.is_good();
    assert!(news.iter().any(is_closed), "{news:?}");
    assert_eq!(pair.record().primary, "memory two");
}

#[tokio::test(start_paused = true)]
async fn a_trial_that_is_over_is_passed() {
    let (pair, states) = Pair::in_step(9).await;
    states.stores().switch(&SwitchRequest { trial: Some(TrialRules::default()), ..asked(None) }).await.unwrap();
    pair.bench.clock.go_on(1_801);
    let news = states.stores().tend().await.unwrap();
    assert_eq!(news, [News::TrialPassed { place: "memory two".to_owned() }]);
    assert!(news[0].is_good() && news[0].to_string() == "memory two has passed its trial");
    assert_eq!(pair.record().trial, None);
}

#[tokio::test(start_paused = true)]
async fn places_that_are_not_configured_are_named() {
    let (pair, _) = Pair::in_step(10).await;
    let third = Memory::new("three");
    let records = Arc::clone(&pair.records) as Arc<dyn MirrorRecords>;
    let elsewhere = Stores::mirrored(Arc::new(third), Arc::new(pair.second.clone()), records, pair.bench.seams.clone());
    let error = elsewhere.record().await.unwrap_err();
    assert!(error.to_string().contains("memory one"), "{error}");
    let records = Arc::clone(&pair.records) as Arc<dyn MirrorRecords>;
    let (first, third) = (Arc::new(pair.bench.memory.clone()), Arc::new(Memory::new("three")));
    let replaced = Stores::mirrored(first, third, records, pair.bench.seams.clone());
    assert!(replaced.record().await.unwrap().unwrap().behind.is_some_and(|behind| behind.all), "a new second store");
}

#[tokio::test(start_paused = true)]
async fn a_purged_state_is_gone_from_both_and_begins_anew() {
    let (pair, states) = Pair::in_step(11).await;
    states.delete(&name(), None, "ann").await.unwrap();
    states.purge(&name()).await.unwrap();
    assert!(pair.second.document(&name()).await.unwrap().is_none());
    assert!(pair.second.blobs(&name()).await.unwrap().is_empty());
    write(&states, 1).await.unwrap();
    assert_eq!(pair.newest_in(&pair.second).await, Some(content(1, "a")));
}

/// Writers of two processes, a second store that comes and goes, switches, crashes of requests: whatever was acknowledged is
/// in the store that counts at the end.
#[tokio::test(start_paused = true)]
async fn nothing_acknowledged_is_lost_whatever_fails_and_switches() {
    for seed in 0..120 {
        let (pair, one) = Pair::in_step(seed).await;
        let two = pair.process();
        let dice = Seeded::new(seed);
        let mut acknowledged = 1;
        for serial in 2..60 {
            let states = if dice.unit() < 0.5 { &one } else { &two };
            match dice.unit() {
                at if at < 0.1 => {
                    let store = if dice.unit() < 0.5 { pair.bench.memory.clone() } else { pair.second.clone() };
                    let (share, chance) = (dice.unit() * 0.5, Seeded::new(serial));
                    store.set_faults(move |_| {
                        let fault = if chance.unit() < 0.5 { Fault::Before } else { Fault::After };
                        (chance.unit() < share).then_some(fault)
                    });
                }
                at if at < 0.2 => pair.bench.memory.heal(),
                at if at < 0.3 => pair.second.heal(),
                at if at < 0.4 => drop(states.stores().tend().await),
                at if at < 0.5 => {
                    let without_old = dice.unit() < 0.3;
                    drop(states.stores().switch(&SwitchRequest { without_old, ..asked(None) }).await);
                }
                _ => {
                    if states.write(&name(), content(serial, "x"), None, "ann").await.is_ok() {
                        acknowledged = serial;
                    }
                }
            }
            pair.bench.clock.go_on(5);
        }
        pair.bench.memory.heal();
        pair.second.heal();
        pair.bench.clock.go_on(120);
        for _ in 0..3 {
            drop(one.stores().tend().await);
        }
        let document = one.document(&name()).await.unwrap().unwrap();
        assert!(
            document.versions.iter().any(|version| version.key.serial == acknowledged),
            "seed {seed}: {acknowledged}"
        );
        assert_eq!(one.verify(&name()).await.unwrap().problems, [], "seed {seed}");
        assert_eq!(pair.record().behind, None, "seed {seed}");
        let first = pair.bench.memory.document(&name()).await.unwrap().unwrap();
        let second = pair.second.document(&name()).await.unwrap().unwrap();
        assert_eq!(first.content, second.content, "seed {seed}");
    }
}
