use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use alfred_model::seam::{Clock, Random};
use alfred_model::state::lock::Lock;
use alfred_model::state::write::Refusal;
use alfred_model::state::{KeyId, Settings};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;

use super::*;
use crate::backend::memory::{Call, Fault, Memory};

/// A clock that stands still until it is told to go on.
#[derive(Default)]
pub(crate) struct HandClock(AtomicI64);

impl HandClock {
    pub(crate) fn go_on(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + self.0.load(Ordering::SeqCst)).unwrap()
    }
}

/// Numbers from a seed (SplitMix64).
pub(crate) struct Seeded(AtomicU64);

impl Seeded {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }
}

impl Random for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let mut number = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::SeqCst);
            number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            chunk.copy_from_slice(&(number ^ (number >> 31)).to_le_bytes()[..chunk.len()]);
        }
    }
}

pub(crate) struct Bench {
    pub(crate) memory: Memory,
    pub(crate) clock: Arc<HandClock>,
    pub(crate) seams: Seams,
}

impl Bench {
    pub(crate) fn new(seed: u64) -> Self {
        let clock = Arc::new(HandClock::default());
        let seams = Seams { clock: Arc::clone(&clock) as Arc<dyn Clock>, random: Arc::new(Seeded::new(seed)) };
        Self { memory: Memory::new("one"), clock, seams }
    }

    fn with(&self, keyring: &str, defaults: Defaults) -> States {
        let stores = Stores::single(Arc::new(self.memory.clone()), self.seams.clone());
        States::new(stores, Self::keyring(keyring), defaults, self.seams.clone())
    }

    fn states(&self) -> States {
        self.with("", Defaults::default())
    }

    /// A ring with a key for each letter.
    pub(crate) fn keyring(names: &str) -> Keyring {
        let entry = |name: char| format!("{name}:{}", STANDARD.encode([name as u8; 32]));
        Keyring::parse(&SecretString::from(names.chars().map(entry).collect::<Vec<_>>().join(","))).unwrap()
    }
}

pub(crate) fn name() -> StateName {
    "team/production".parse().unwrap()
}

pub(crate) fn content(serial: u64, words: &str) -> Bytes {
    format!(
        r#"{{"version":4,"terraform_version":"1.11.4","serial":{serial},"lineage":"l","outputs":{{"o":"{words}"}}}}"#
    )
    .into()
}

pub(crate) fn info(id: &str) -> LockInfo {
    LockInfo::parse(format!(r#"{{"ID":"{id}","Operation":"OperationTypeApply","Who":"w@h"}}"#).as_bytes()).unwrap()
}

fn new(written: Written) -> Version {
    match written {
        Written::New(version) => version,
        Written::Same(version) => panic!("{version:?} was there"),
    }
}

async fn head(states: &States) -> Bytes {
    states.read(&name()).await.unwrap().unwrap().content
}

#[tokio::test(start_paused = true)]
async fn what_is_written_is_read_and_what_the_rules_forbid_is_not_written() {
    let bench = Bench::new(1);
    let states = bench.states();
    assert!(states.read(&name()).await.unwrap().is_none());
    let written = new(states.write(&name(), content(1, "a"), None, "ann").await.unwrap());
    assert_eq!((written.key.serial, &*written.by, written.size), (1, "ann", content(1, "a").len() as u64));
    let again = states.write(&name(), content(1, "a"), None, "ann").await.unwrap();
    assert_eq!(again, Written::Same(written.clone()));
    let refused = states.write(&name(), content(1, "b"), None, "bob").await.unwrap_err();
    assert!(matches!(refused, StateError::Refused(Refusal::Serial { .. })), "{refused}");
    let foreign = Bytes::from_static(br#"{"version":4,"serial":9,"lineage":"other"}"#);
    let refused = states.write(&name(), foreign, None, "bob").await.unwrap_err();
    assert!(matches!(refused, StateError::Refused(Refusal::Lineage { .. })), "{refused}");
    assert!(matches!(states.write(&name(), Bytes::from_static(b"{}"), None, "bob").await, Err(StateError::Content(_))));
    assert_eq!(head(&states).await, content(1, "a"));
    assert_eq!(states.verify(&name()).await.unwrap().good, 1);
    assert_eq!(states.list(None, 10).await.unwrap(), [name()]);
}

#[tokio::test(start_paused = true)]
async fn the_lock_is_the_holders() {
    let states = Bench::new(2).states();
    assert!(matches!(states.lock(&name(), info("a"), "ann").await.unwrap(), Taken::New { .. }));
    assert_eq!(states.lock(&name(), info("a"), "ann").await.unwrap(), Taken::Already);
    assert!(matches!(states.lock(&name(), info("b"), "bob").await.unwrap(), Taken::Held(lock) if lock.by == "ann"));
    let refused = states.write(&name(), content(1, "b"), Some("b"), "bob").await.unwrap_err();
    assert!(matches!(refused, StateError::Refused(Refusal::Locked(_))), "{refused}");
    assert!(matches!(states.delete(&name(), None, "bob").await, Err(StateError::Locked(_))));
    new(states.write(&name(), content(1, "a"), Some("a"), "ann").await.unwrap());
    let document = states.document(&name()).await.unwrap().unwrap();
    assert!(document.lock.is_some_and(|Lock { written_at, .. }| written_at.is_some()));
    assert!(matches!(states.unlock(&name(), "a", "ann").await.unwrap(), Released::Done(_)));
    assert_eq!(states.unlock(&name(), "a", "ann").await.unwrap(), Released::NotHeld);
    states.lock(&name(), info("c"), "ann").await.unwrap();
    assert!(
        matches!(states.force_unlock(&name(), None, "root").await.unwrap(), Released::Done(lock) if lock.info.id == "c")
    );
}

#[tokio::test(start_paused = true)]
async fn going_back_is_going_on_with_the_old_content() {
    let states = Bench::new(3).states();
    let first = new(states.write(&name(), content(1, "a"), None, "ann").await.unwrap());
    new(states.write(&name(), content(5, "b"), None, "ann").await.unwrap());
    let back = states.roll_back(&name(), &first.key, None, "root").await.unwrap();
    assert_eq!((back.key.serial, back.rolled_back_to), (6, Some(1)));
    assert_eq!(head(&states).await, content(6, "a"), "only the serial differs");
    let opaque = Bytes::from_static(br#"{"serial":7,"lineage":"l","encrypted_data":"AA==","encryption_version":"v0"}"#);
    let opaque = new(states.write(&name(), opaque, None, "ann").await.unwrap());
    assert!(opaque.opaque);
    let refused = states.roll_back(&name(), &opaque.key, None, "root").await.unwrap_err();
    assert!(refused.to_string().contains("tofu state push"), "{refused}");
    let unknown = VersionKey { serial: 2, ..first.key };
    assert!(matches!(states.roll_back(&name(), &unknown, None, "r").await, Err(StateError::NoVersion { .. })));
    states.lock(&name(), info("a"), "ann").await.unwrap();
    assert!(states.roll_back(&name(), &first.key, None, "root").await.is_err(), "somebody works on it");
}

#[tokio::test(start_paused = true)]
async fn a_deleted_state_reads_as_absent_and_comes_back() {
    let states = Bench::new(4).states();
    let first = new(states.write(&name(), content(3, "a"), None, "ann").await.unwrap());
    assert!(matches!(states.purge(&name()).await, Err(StateError::NotDeleted(_))));
    assert!(states.delete(&name(), None, "ann").await.unwrap());
    assert!(!states.delete(&name(), None, "ann").await.unwrap(), "a repetition is no error");
    assert!(states.read(&name()).await.unwrap().is_none());
    states.roll_back(&name(), &first.key, None, "ann").await.unwrap();
    assert_eq!(head(&states).await, content(4, "a"));
    states.delete(&name(), None, "ann").await.unwrap();
    assert_eq!(states.purge(&name()).await.unwrap().blobs, 2);
    assert!(states.document(&name()).await.unwrap().is_none() && states.list(None, 10).await.unwrap().is_empty());
    new(states.write(&name(), content(1, "new"), None, "ann").await.unwrap());
    assert_eq!(head(&states).await, content(1, "new"));
}

#[tokio::test(start_paused = true)]
async fn old_versions_go_and_pinned_ones_stay() {
    let bench = Bench::new(5);
    let states = bench.with("", Defaults { keep_versions: 3, keep_days: None });
    for serial in 1..=3 {
        new(states.write(&name(), content(serial, "a"), None, "ann").await.unwrap());
    }
    let first = states.document(&name()).await.unwrap().unwrap().versions[0].key;
    states.pin(&name(), &first, true, "ann").await.unwrap();
    for serial in 4..=8 {
        new(states.write(&name(), content(serial, "a"), None, "ann").await.unwrap());
    }
    let serials = async || -> Vec<u64> {
        states.document(&name()).await.unwrap().unwrap().versions.iter().map(|version| version.key.serial).collect()
    };
    assert_eq!(serials().await, [1, 6, 7, 8]);
    assert_eq!(states.verify(&name()).await.unwrap().left_over, [], "their contents are gone as well");
    let settings = Settings { keep_versions: Some(1), ..Settings::default() };
    states.set_settings(&name(), settings, "ann").await.unwrap();
    states.pin(&name(), &first, false, "ann").await.unwrap();
    new(states.write(&name(), content(9, "a"), None, "ann").await.unwrap());
    assert_eq!(serials().await, [9]);
}

#[tokio::test(start_paused = true)]
async fn keys_are_changed_while_states_are_used() {
    let bench = Bench::new(6);
    let plain = bench.states();
    new(plain.write(&name(), content(1, "secret words"), None, "ann").await.unwrap());
    let first = bench.with("a", Defaults::default());
    new(first.write(&name(), content(2, "secret words"), None, "ann").await.unwrap());
    let both = bench.with("ba", Defaults::default());
    assert_eq!(both.encrypt_anew(&name(), "alfred").await.unwrap(), 2);
    assert_eq!(both.encrypt_anew(&name(), "alfred").await.unwrap(), 0);
    let later = bench.with("b", Defaults::default());
    let report = later.verify(&name()).await.unwrap();
    assert_eq!((report.good, report.problems.len(), report.left_over.len()), (2, 0, 0));
    assert_eq!(head(&later).await, content(2, "secret words"));
    let missing = plain.read(&name()).await.unwrap_err();
    let id: KeyId = "b".parse().unwrap();
    assert!(matches!(&missing, StateError::KeyMissing { key_id, .. } if *key_id == id), "{missing}");
    assert!(missing.to_string().contains("`b`") && missing.to_string().contains("ALFRED_STATE_KEYS"), "{missing}");
}

#[tokio::test(start_paused = true)]
async fn what_is_damaged_or_gone_is_never_given_out() {
    let bench = Bench::new(7);
    let states = bench.states();
    let first = new(states.write(&name(), content(1, "a"), None, "ann").await.unwrap());
    let second = new(states.write(&name(), content(2, "b"), None, "ann").await.unwrap());
    let stored = bench.memory.blob(&name(), &first.blob_key()).await.unwrap().unwrap().into_bytes();
    bench.memory.damage_blob(&name(), &second.blob_key(), stored);
    let error = states.read(&name()).await.unwrap_err();
    assert!(matches!(&error, StateError::Damaged { version, .. } if *version == second.key), "{error}");
    let report = states.verify(&name()).await.unwrap();
    assert_eq!((report.good, report.problems.len()), (1, 1));
    bench.memory.delete_blob(&name(), &second.blob_key()).await.unwrap();
    assert!(states.read(&name()).await.unwrap_err().to_string().contains("not there"));
    assert!(states.verify(&name()).await.unwrap().problems[0].words.contains("is lost"));
}

#[tokio::test(start_paused = true)]
async fn what_a_crash_left_is_swept_after_a_day() {
    let bench = Bench::new(8);
    let states = bench.states();
    new(states.write(&name(), content(1, "a"), None, "ann").await.unwrap());
    bench.memory.set_faults(|call| (call == Call::SwapDocument).then_some(Fault::Before));
    assert!(states.write(&name(), content(2, "b"), None, "ann").await.is_err());
    bench.memory.heal();
    assert_eq!(states.verify(&name()).await.unwrap().left_over.len(), 1);
    assert_eq!(states.sweep(&name()).await.unwrap(), 0, "it may become a version");
    bench.clock.go_on(25 * 60 * 60);
    assert_eq!(states.sweep(&name()).await.unwrap(), 1);
    let report = states.verify(&name()).await.unwrap();
    assert_eq!((report.good, report.left_over.len()), (1, 0));
}

/// A fault before or after each call in turn, and the request repeated as Terraform does: the answer is the one that it
/// would have been, and the state is what was acknowledged.
#[tokio::test(start_paused = true)]
async fn lost_answers_at_every_call_lose_and_double_nothing() {
    let mut met = 0;
    for fault in [Fault::Before, Fault::After] {
        for failing in 0..40 {
            let bench = Bench::new(9);
            let states = bench.states();
            let calls = Arc::new(Mutex::new(0));
            let counted = Arc::clone(&calls);
            bench.memory.set_faults(move |_| {
                let mut calls = counted.lock().unwrap();
                *calls += 1;
                (*calls == failing + 1).then_some(fault)
            });
            // As Terraform asks: again after a failure, with the same words.
            macro_rules! ask {
                ($request:expr) => {{
                    match $request.await {
                        Err(StateError::Backend(_)) => $request.await.unwrap(),
                        result => result.unwrap(),
                    }
                }};
            }
            assert!(matches!(ask!(states.lock(&name(), info("a"), "ann")), Taken::New { .. } | Taken::Already));
            ask!(states.write(&name(), content(1, "a"), Some("a"), "ann"));
            ask!(states.write(&name(), content(2, "b"), Some("a"), "ann"));
            ask!(
                states.roll_back(
                    &name(),
                    &states
                        .document(&name())
                        .await
                        .unwrap_or_default()
                        .map_or(VersionKey { serial: 1, sha256: envelope::checksum(&content(1, "a")) }, |document| {
                            document.versions[0].key
                        }),
                    Some("a"),
                    "ann"
                )
            );
            assert!(!matches!(ask!(states.unlock(&name(), "a", "ann")), Released::HeldByAnother(_)));
            met += usize::from(*calls.lock().unwrap() > failing);
            bench.memory.heal();
            let document = states.document(&name()).await.unwrap().unwrap();
            let serials: Vec<u64> = document.versions.iter().map(|version| version.key.serial).collect();
            assert!(document.lock.is_none());
            assert!(serials.starts_with(&[1, 2, 3]) && serials.len() <= 4, "{fault:?} at call {failing}: {serials:?}");
            assert_eq!(states.verify(&name()).await.unwrap().problems, []);
        }
    }
    assert!(met >= 30, "the faults were met in {met} runs");
}

#[tokio::test(start_paused = true)]
async fn a_change_whose_answer_was_lost_is_recognized_as_ones_own() {
    let bench = Bench::new(11);
    let states = bench.states();
    let lose_next = || {
        let mut lost = false;
        bench.memory.set_faults(move |call| {
            let loses = call == Call::SwapDocument && !lost;
            lost |= loses;
            loses.then_some(Fault::After)
        });
    };
    lose_next();
    assert!(matches!(states.lock(&name(), info("a"), "ann").await.unwrap(), Taken::New { .. }));
    lose_next();
    new(states.write(&name(), content(1, "a"), Some("a"), "ann").await.unwrap());
    lose_next();
    assert!(matches!(states.unlock(&name(), "a", "ann").await.unwrap(), Released::Done(_)));
}

#[tokio::test(start_paused = true)]
async fn of_many_writers_at_once_one_wins_each_time() {
    let bench = Bench::new(10);
    for round in 1..=20 {
        let writers = (0..8).map(|writer| {
            let states = bench.states();
            async move { states.write(&name(), content(round, &writer.to_string()), None, "w").await }
        });
        let results = futures::future::join_all(writers).await;
        let won: Vec<&Written> = results.iter().filter_map(|result| result.as_ref().ok()).collect();
        assert!(matches!(won.as_slice(), [Written::New(_)]), "{results:?}");
    }
    assert_eq!(bench.states().document(&name()).await.unwrap().unwrap().versions.len(), 20);
}

#[tokio::test(start_paused = true)]
async fn what_is_read_waits_for_room() {
    let bench = Bench::new(16);
    let states = bench.states().in_room(Room::new(64 << 10));
    let large = content(1, &"x".repeat(50_000));
    new(states.write(&name(), large.clone(), None, "ann").await.unwrap());
    let first = states.read(&name()).await.unwrap().unwrap();
    assert!(matches!(states.read(&name()).await, Err(StateError::NoRoom)));
    // What is written needs none, and a part of what was read is as good as all of it.
    new(states.write(&name(), content(2, ""), None, "ann").await.unwrap());
    let part = first.content.slice(..10);
    drop(first);
    assert!(matches!(states.read(&name()).await, Err(StateError::NoRoom)));
    drop(part);
    assert_eq!(head(&states).await, content(2, ""));
    let key = VersionKey { serial: 1, sha256: envelope::checksum(&large) };
    assert_eq!(states.read_version(&name(), &key).await.unwrap().unwrap().content, large);
}
