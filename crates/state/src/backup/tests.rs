use std::collections::BTreeMap;
use std::sync::Mutex;

use alfred_model::backup::Keep;
use alfred_model::state::retention::Defaults;
use alfred_model::state::{StateDocument, VersionKey};
use bytes::Bytes;
use tokio::sync::mpsc;

use super::*;
use crate::backend::memory::{Call, Fault, Memory};
use crate::mirror::Stores;
use crate::service::tests::{Bench, content, info};
use crate::service::{States, Written};

/// A store of states and a place for backups.
struct Scene {
    bench: Bench,
    place: Memory,
}

fn installation() -> InstallationId {
    InstallationId(uuid::Uuid::from_u128(7))
}

fn named(text: &str) -> StateName {
    text.parse().unwrap()
}

fn all() -> Keep {
    Keep { newest: 400, days: 0 }
}

/// Everything that is kept of states in a store: documents and contents, bit for bit.
type Everything = BTreeMap<StateName, (Bytes, BTreeMap<String, Bytes>)>;

impl Scene {
    fn new(seed: u64) -> Self {
        Self { bench: Bench::new(seed), place: Memory::new("backups") }
    }

    fn states_in(&self, store: &Memory) -> States {
        let stores = Stores::single(Arc::new(store.clone()), self.bench.seams.clone());
        States::new(stores, Bench::keyring("k"), Defaults::default(), self.bench.seams.clone())
    }

    fn states(&self) -> States {
        self.states_in(&self.bench.memory)
    }

    fn backups(&self) -> Backups {
        self.with_keys("k")
    }

    fn with_keys(&self, keys: &str) -> Backups {
        Backups::new(Arc::new(self.place.clone()), Bench::keyring(keys), self.bench.seams.clone())
    }

    async fn make_with(&self, records: &[&str], keep: Keep, full: bool) -> Result<Made, BackupError> {
        let (into, from) = mpsc::channel(records.len().max(1));
        for part in records {
            into.send(Ok(Bytes::copy_from_slice(part.as_bytes()))).await.unwrap();
        }
        drop(into);
        let states = self.states();
        let request = Request { states: &states, installation: installation(), records: Some(from), keep, full };
        self.backups().make(request).await
    }

    async fn make(&self) -> Result<Made, BackupError> {
        self.make_with(&["records one", "records two"], all(), false).await
    }

    async fn write(&self, name: &str, serial: u64) {
        let words = format!("{name} {serial}");
        let written = self.states().write(&named(name), content(serial, &words), None, "ann").await.unwrap();
        assert!(matches!(written, Written::New(_)));
        self.bench.clock.go_on(60);
    }

    async fn everything(&self, store: &Memory) -> Everything {
        let mut all = Everything::new();
        for name in crate::mirror::copy::all_states(store).await.unwrap() {
            let raw = store.document(&name).await.unwrap().unwrap().content;
            let mut contents = BTreeMap::new();
            for version in StateDocument::parse(&raw).unwrap().versions {
                let key = version.blob_key();
                contents.insert(key.as_key(), store.blob(&name, &key).await.unwrap().unwrap().into_bytes());
            }
            all.insert(name, (raw, contents));
        }
        all
    }

    /// Restores a backup into a new store.
    async fn restored(&self, number: u64) -> (Memory, RestoredStates) {
        let to = Memory::new("new");
        let restored = self.backups().restore_states(Some(number), &[], &to, &|_| {}).await.unwrap();
        (to, restored)
    }

    async fn assert_restores(&self, number: u64, expected: &Everything) {
        let (to, restored) = self.restored(number).await;
        assert_eq!(restored.left_out, []);
        assert!(self.everything(&to).await == *expected, "backup {number} is not what was there then");
    }

    /// Three states with several versions, one of them deleted.
    async fn filled(seed: u64) -> Self {
        let scene = Self::new(seed);
        for serial in 1..=3 {
            for name in ["a", "team/b", NAME] {
                scene.write(name, serial).await;
            }
        }
        scene.states().delete(&named("a"), None, "ann").await.unwrap();
        scene
    }

    /// What else happens to states: written, overwritten, dropped, purged, begun anew.
    async fn live_on(&self) {
        self.states().purge(&named("a")).await.unwrap();
        self.write("a", 1).await;
        for serial in 4..=5 {
            self.write("team/b", serial).await;
        }
        let settings = alfred_model::state::Settings { keep_versions: Some(1), ..Default::default() };
        self.states().set_settings(&named("team/b"), settings, "ann").await.unwrap();
        self.write("team/b", 6).await;
        self.write("new", 1).await;
    }
}

#[tokio::test(start_paused = true)]
async fn each_backup_stays_what_was_there_when_it_was_made() {
    let scene = Scene::filled(1).await;
    let first = scene.everything(&scene.bench.memory).await;
    let made = scene.make().await.unwrap();
    assert_eq!((made.entry.number, made.entry.states, made.entry.versions), (1, 3, 9));
    assert!(made.entry.verified_at.is_some() && made.lacking.is_empty() && made.unpruned.is_none());
    scene.live_on().await;
    let second = scene.everything(&scene.bench.memory).await;
    assert_eq!(scene.make().await.unwrap().entry.verified_at, None, "what was there already was not read again");
    assert!(first != second);
    scene.states().purge(&named("new")).await.unwrap_err();
    for (number, expected) in [(1, &first), (2, &second)] {
        scene.assert_restores(number, expected).await;
        let verified = scene.backups().verify(Some(number)).await.unwrap();
        assert!(verified.is_good() && verified.records == 2, "{verified:?}");
    }
    let list = scene.backups().list().await.unwrap();
    assert!(list.iter().all(|entry| entry.verified_at.is_some()) && list.len() == 2, "{list:?}");
    let shown = scene.backups().show(Some(1)).await.unwrap();
    let newest = |name: &str| shown.states.iter().find(|state| state.name == named(name)).unwrap().newest.clone();
    assert_eq!((newest("a"), newest("team/b").map(|version| version.key.serial)), (None, Some(3)));
    let (_, read) = scene.backups().read_state(Some(1), &named("team/b")).await.unwrap();
    assert_eq!(read, content(3, "team/b 3"));
    let deleted = scene.backups().read_state(Some(1), &named("a")).await.unwrap_err();
    assert!(matches!(deleted, BackupError::NoContent { number: 1, .. }), "{deleted}");
}

#[tokio::test(start_paused = true)]
async fn records_come_back_in_their_parts() {
    let scene = Scene::filled(2).await;
    scene.make().await.unwrap();
    scene.make_with(&["records one", "records 2"], all(), false).await.unwrap();
    for (number, second) in [(1, "records two"), (2, "records 2")] {
        let (into, mut from) = mpsc::channel(1);
        let backups = scene.backups();
        let (count, parts) = tokio::join!(backups.read_records(Some(number), into), async {
            let mut parts = Vec::new();
            while let Some(part) = from.recv().await {
                parts.push(String::from_utf8(part).unwrap());
            }
            parts
        });
        assert_eq!((count.unwrap(), parts), (2, vec!["records one".to_owned(), second.to_owned()]));
    }
    let (into, from) = mpsc::channel(1);
    into.send(Err("the disk is gone".to_owned())).await.unwrap();
    let states = scene.states();
    let request =
        Request { states: &states, installation: installation(), records: Some(from), keep: all(), full: false };
    let failed = scene.backups().make(request).await.unwrap_err();
    assert!(failed.to_string().contains("the disk is gone"), "{failed}");
    assert_eq!(scene.backups().list().await.unwrap().len(), 2, "half of the records are no backup");
}

/// The process ends at each call of either store, before or after it took place: no half backup is ever seen, those that are
/// named are whole, and the next run makes one.
#[tokio::test(start_paused = true)]
async fn a_crash_at_any_call_leaves_whole_backups_alone() {
    for fault in [Fault::Before, Fault::After] {
        let mut ended = false;
        for calls in 1..400 {
            let scene = Scene::filled(3).await;
            let first = scene.everything(&scene.bench.memory).await;
            scene.make().await.unwrap();
            scene.live_on().await;
            let second = scene.everything(&scene.bench.memory).await;
            let seen = Arc::new(Mutex::new(0));
            for store in [&scene.place, &scene.bench.memory] {
                let seen = Arc::clone(&seen);
                store.set_faults(move |_| {
                    let mut seen = seen.lock().unwrap();
                    *seen += 1;
                    (*seen >= calls).then_some(if *seen == calls { fault } else { Fault::Before })
                });
            }
            // Only the newest is kept, so that deleting is interrupted too.
            let keep = Keep { newest: 1, days: 0 };
            let died = scene.make_with(&["records 1", "records 3"], keep, false).await;
            ended = *seen.lock().unwrap() < calls;
            scene.place.heal();
            scene.bench.memory.heal();
            for entry in scene.backups().list().await.unwrap() {
                let verified = scene.backups().verify(Some(entry.number)).await.unwrap();
                assert!(verified.is_good(), "{fault:?} at {calls}: {verified:?}");
                scene.assert_restores(entry.number, if entry.number == 1 { &first } else { &second }).await;
            }
            let made = scene.make_with(&["records 1", "records 3"], keep, false).await.unwrap();
            assert_eq!(made.unpruned, None, "{fault:?} at {calls}");
            scene.assert_restores(made.entry.number, &second).await;
            let left: Vec<u64> = scene.backups().list().await.unwrap().iter().map(|entry| entry.number).collect();
            // A good one that is older stays until a later one is known to be good.
            assert!(left.ends_with(&[made.entry.number]) && left.len() <= 2, "{fault:?} at {calls}: {left:?}");
            drop(died);
            if ended {
                break;
            }
        }
        assert!(ended, "each call had its crash");
    }
}

#[tokio::test(start_paused = true)]
async fn what_has_not_changed_costs_next_to_nothing() {
    let scene = Scene::new(4);
    for number in 0..60 {
        scene.write(&format!("s{number}"), 1).await;
    }
    scene.make().await.unwrap();
    let counts: Arc<Mutex<BTreeMap<String, usize>>> = Arc::default();
    let counted = Arc::clone(&counts);
    scene.place.set_faults(move |call| {
        *counted.lock().unwrap().entry(format!("{call:?}")).or_default() += 1;
        None
    });
    let told = |counts: &Mutex<BTreeMap<String, usize>>| {
        let counts = std::mem::take(&mut *counts.lock().unwrap());
        let of = |call: Call| counts.get(&format!("{call:?}")).copied().unwrap_or_default();
        (of(Call::PutBlob), of(Call::Blob), of(Call::Blobs) + of(Call::States), of(Call::DeleteBlob))
    };
    let idle = scene.make().await.unwrap();
    assert_eq!(told(&counts), (1, 4, 2, 0), "the manifest alone is new");
    assert!(idle.entry.written < 4_000 && idle.entry.bytes > 5_000, "{idle:?}");
    scene.write("s7", 2).await;
    let busy = scene.make_with(&["records one", "records 2"], all(), false).await.unwrap();
    // A content, a pack, a list, a part of the records and the manifest; each is read back, and the documents before are read.
    assert_eq!(told(&counts), (5, 8, 2, 0));
    assert_eq!(busy.entry.versions, 61);
    let restored = scene.restored(3).await;
    assert_eq!(restored.1.restored.len(), 60);
}

#[tokio::test(start_paused = true)]
async fn documents_of_packs_that_are_mostly_unused_move_to_new_ones() {
    let scene = Scene::new(5);
    for number in 0..10 {
        scene.write(&format!("s{number}"), 1).await;
    }
    let keep = Keep { newest: 1, days: 0 };
    for serial in 2..6 {
        for number in 1..10 {
            scene.write(&format!("s{number}"), serial).await;
        }
        scene.make_with(&[], keep, true).await.unwrap();
        scene.make_with(&[], keep, false).await.unwrap();
    }
    let sealed = scene.place.blobs(&named(NAME)).await.unwrap();
    assert!(sealed.len() < 12, "what is not kept is deleted: {sealed:?}");
}

#[tokio::test(start_paused = true)]
async fn only_what_no_kept_backup_has_is_deleted() {
    let scene = Scene::filled(9).await;
    let foreign = scene.place.clone();
    let versions = scene.states().document(&named("team/b")).await.unwrap().unwrap().versions;
    let mut foreign_key = versions[0].blob_key();
    foreign_key.tag.0 ^= 1;
    foreign.put_blob(&named("team/b"), &foreign_key, Bytes::from_static(b"mine").into()).await.unwrap();
    let keep = Keep { newest: 2, days: 0 };
    scene.make_with(&["1"], keep, false).await.unwrap();
    for round in 4..12 {
        scene.write("team/b", round).await;
        let settings = alfred_model::state::Settings { keep_versions: Some(2), ..Default::default() };
        scene.states().set_settings(&named("team/b"), settings, "ann").await.unwrap();
        let made = scene.make_with(&[&round.to_string()], keep, false).await.unwrap();
        assert_eq!(made.unpruned, None);
        assert!(scene.backups().verify_all().await.unwrap().iter().all(Verified::is_good));
    }
    let left = scene.backups().list().await.unwrap();
    assert_eq!(left.iter().map(|entry| entry.number).collect::<Vec<_>>(), [8, 9]);
    let expected = scene.everything(&scene.bench.memory).await;
    scene.assert_restores(9, &expected).await;
    let kept = scene.place.blobs(&named("team/b")).await.unwrap();
    assert!(kept.len() <= 4 && kept.iter().any(|entry| entry.key == foreign_key), "{kept:?}");
    assert_eq!(scene.place.blobs(&named("a")).await.unwrap().len(), 3, "shared by all of them");
}

#[tokio::test(start_paused = true)]
async fn a_restore_can_be_begun_again_and_overwrites_nothing() {
    let scene = Scene::filled(10).await;
    let expected = scene.everything(&scene.bench.memory).await;
    scene.make().await.unwrap();
    let to = Memory::new("new");
    for failing in 1..60 {
        let mut calls = 0;
        to.set_faults(move |_| {
            calls += 1;
            (calls >= failing).then_some(if failing % 2 == 0 { Fault::Before } else { Fault::After })
        });
        let done = scene.backups().restore_states(None, &[], &to, &|_| {}).await.is_ok();
        to.heal();
        if done {
            break;
        }
    }
    let again = scene.backups().restore_states(None, &[], &to, &|_| {}).await.unwrap();
    assert!(again.restored.iter().all(|one| one.was_there));
    assert!(scene.everything(&to).await == expected);
    scene.states_in(&to).write(&named("team/b"), content(9, "other"), None, "bob").await.unwrap();
    let refused = scene.backups().restore_states(None, &[], &to, &|_| {}).await.unwrap_err();
    assert!(matches!(&refused, BackupError::InTheWay { names, .. } if names == "`team/b`"), "{refused}");
    let one = scene.backups().restore_states(None, &[named("a")], &to, &|_| {}).await.unwrap();
    assert_eq!(one.restored.len(), 1);
    let none = scene.backups().restore_states(None, &[named("x")], &to, &|_| {}).await.unwrap_err();
    assert!(matches!(none, BackupError::NoState { number: 1, .. }), "{none}");
}

#[tokio::test(start_paused = true)]
async fn locks_and_changes_of_stores_are_not_restored() {
    let scene = Scene::filled(11).await;
    scene.states().lock(&named("team/b"), info("x"), "ann").await.unwrap();
    for (name, kept_in) in [("a", "memory elsewhere"), ("team/b", "memory one")] {
        let found = scene.bench.memory.document(&named(name)).await.unwrap().unwrap();
        let mut document = StateDocument::parse(&found.content).unwrap();
        document.epoch = 4;
        document.kept_in = Some(kept_in.to_owned());
        let content = document.to_json().into();
        scene.bench.memory.swap_document(&named(name), Some(found.revision), content).await.unwrap();
    }
    scene.make().await.unwrap();
    let (to, restored) = scene.restored(1).await;
    let moved: Vec<_> = restored.restored.iter().map(|one| one.moved_to.clone()).collect();
    assert_eq!(moved, [Some("memory elsewhere".to_owned()), None, None]);
    let states = scene.states_in(&to);
    states.write(&named("team/b"), content(4, "b"), None, "bob").await.unwrap();
    assert_eq!(states.document(&named("team/b")).await.unwrap().unwrap().epoch, 0);
    assert!(matches!(states.write(&named("a"), content(4, "b"), None, "bob").await, Err(StateError::Moved(_))));
}

/// While two stores change places, documents of the old primary store say that they are kept in the other one.
#[tokio::test(start_paused = true)]
async fn what_was_closed_for_a_switch_is_restored_open() {
    let scene = Scene::filled(15).await;
    let (into, from) = mpsc::channel(1);
    drop(into);
    let second = Memory::new("two");
    let records = Arc::new(crate::mirror::tests::Records::default());
    let (one, two) = (Arc::new(scene.bench.memory.clone()), Arc::new(second.clone()));
    let stores = Stores::mirrored(one, two, records, scene.bench.seams.clone());
    let states = States::new(stores, Bench::keyring("k"), Defaults::default(), scene.bench.seams.clone());
    states.stores().tend().await.unwrap();
    let found = scene.bench.memory.document(&named("team/b")).await.unwrap().unwrap();
    let mut document = StateDocument::parse(&found.content).unwrap();
    document.kept_in = Some("memory two".to_owned());
    let closed = document.to_json().into();
    scene.bench.memory.swap_document(&named("team/b"), Some(found.revision), closed).await.unwrap();
    let request =
        Request { states: &states, installation: installation(), records: Some(from), keep: all(), full: false };
    scene.backups().make(request).await.unwrap();
    let (to, restored) = scene.restored(1).await;
    assert!(restored.restored.iter().all(|one| one.moved_to.is_none()));
    scene.states_in(&to).write(&named("team/b"), content(4, "b"), None, "bob").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_place_that_is_used_otherwise_is_refused() {
    let scene = Scene::filled(12).await;
    let states = scene.states();
    let store = Backups::new(Arc::new(scene.bench.memory.clone()), Bench::keyring("k"), scene.bench.seams.clone());
    let request = |installation| Request { states: &states, installation, records: None, keep: all(), full: false };
    let refused = store.make(request(installation())).await.unwrap_err();
    assert!(matches!(refused, BackupError::NotForBackups { .. }), "{refused}");
    scene.make().await.unwrap();
    let other = scene.backups().make(request(InstallationId(uuid::Uuid::from_u128(8)))).await.unwrap_err();
    assert!(matches!(other, BackupError::OtherInstallation { .. }), "{other}");
    assert_eq!(scene.backups().list().await.unwrap().len(), 1);
    let nothing = Scene::new(13);
    assert!(matches!(nothing.backups().verify(None).await.unwrap_err(), BackupError::None { .. }));
    assert!(matches!(scene.backups().show(Some(9)).await.unwrap_err(), BackupError::NoBackup { number: 9, .. }));
}

#[tokio::test(start_paused = true)]
async fn without_the_key_nothing_is_told_and_contents_are_checked_as_far_as_they_can_be() {
    let scene = Scene::filled(14).await;
    scene.make().await.unwrap();
    let hidden = scene.with_keys("").verify(None).await.unwrap();
    assert!(hidden.problems[0].words.contains("the key `k`"), "{hidden:?}");
    assert!(matches!(scene.with_keys("x").show(None).await.unwrap_err(), BackupError::KeyMissing { .. }));
    for entry in scene.place.blobs(&named(NAME)).await.unwrap() {
        let stored = scene.place.blob(&named(NAME), &entry.key).await.unwrap().unwrap().into_bytes();
        let is_there = |words: &str| stored.windows(words.len()).any(|some| some == words.as_bytes());
        assert!(!is_there("team/b") && !is_there("records one"), "it is encrypted");
    }
    // A new key is put in front: what is written from then on has it, and everything is still read.
    let states = scene.states();
    let request = Request { states: &states, installation: installation(), records: None, keep: all(), full: false };
    let rotated = scene.with_keys("nk");
    rotated.make(request).await.unwrap();
    assert!(rotated.verify_all().await.unwrap().iter().all(Verified::is_good));
    let plain = scene.with_keys("n").verify(Some(2)).await.unwrap();
    assert!(plain.problems.is_empty() && !plain.is_good(), "only contents have the older key: {plain:?}");
    assert_eq!(plain.versions, 9);
}

mod damage;

/// The list of backups is one small thing on which nothing may depend.
#[tokio::test]
async fn without_their_list_backups_are_found_by_themselves() {
    let scene = Scene::new(31);
    let (states, backups) = (scene.states(), scene.backups());
    states.write(&named("a"), content(1, "one"), None, "ann").await.unwrap();
    scene.make_with(&["records"], all(), false).await.unwrap();
    states.write(&named("a"), content(2, "two"), None, "ann").await.unwrap();
    scene.make_with(&["records"], all(), false).await.unwrap();
    let listed = backups.list().await.unwrap();
    let name = named(NAME);

    for damage in ["{\"format\":1,\"inst", "no list", "[]"] {
        scene.place.damage_document(&name, damage.into());
        let again = backups.list().await.unwrap();
        assert_eq!(again.len(), 2, "{damage}");
        for (again, listed) in again.iter().zip(&listed) {
            let shown = |entry: &Entry| {
                (entry.number, entry.states, entry.versions, entry.bytes, entry.records, entry.manifest.clone())
            };
            assert_eq!(shown(again), shown(listed));
        }
        assert_eq!(backups.read_state(Some(1), &named("a")).await.unwrap().1, content(1, "one"));
        let verified = backups.verify(None).await.unwrap();
        assert!(verified.problems[0].words.contains("the list of backups is damaged"), "{verified:?}");
        assert_eq!((verified.problems.len(), verified.versions), (1, 2));
        assert_eq!(backups.verify_all().await.unwrap()[0].problems.len(), 1);
    }

    // The next backup writes it anew, goes on counting, and shares what is there.
    let made = scene.make_with(&["records"], all(), false).await.unwrap();
    assert_eq!(made.entry.number, 3);
    assert_eq!(backups.list().await.unwrap().len(), 3);
    assert!(backups.verify_all().await.unwrap().iter().all(Verified::is_good));

    // The same where it is gone, and where another installation asks.
    let revision = scene.place.document(&name).await.unwrap().unwrap().revision;
    scene.place.remove_document(&name, revision).await.unwrap();
    assert_eq!(backups.list().await.unwrap().len(), 3);
    let stranger = Request {
        states: &states,
        installation: InstallationId(uuid::Uuid::from_u128(8)),
        records: None,
        keep: all(),
        full: false,
    };
    let refused = backups.make(stranger).await.unwrap_err();
    assert!(matches!(refused, BackupError::OtherInstallation { .. }), "{refused}");
    assert_eq!(scene.make_with(&["records"], all(), true).await.unwrap().entry.number, 4);
    assert!(backups.verify_all().await.unwrap().iter().all(Verified::is_good));
}
