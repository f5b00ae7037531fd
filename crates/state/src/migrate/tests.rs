use std::sync::Mutex;

use alfred_model::state::Settings;

use super::*;
use crate::backend::BackendError;
use crate::backend::memory::{Call, Fault, Memory};
use crate::service::tests::{Bench, content, info, name};

struct Move {
    bench: Bench,
    to: Memory,
}

impl Move {
    fn new(seed: u64) -> Self {
        Self { bench: Bench::new(seed), to: Memory::new("two") }
    }

    fn migration(&self) -> Migration {
        let (from, to) = (Arc::new(self.bench.memory.clone()), Arc::new(self.to.clone()));
        Migration::new(from, to, ["k", "k"].map(Bench::keyring), self.bench.seams.clone(), "root")
    }

    fn alone(&self, store: &Memory) -> States {
        let stores = Stores::single(Arc::new(store.clone()), self.bench.seams.clone());
        States::new(stores, Bench::keyring("k"), Defaults::default(), self.bench.seams.clone())
    }

    /// Five versions, settings and a pin.
    async fn filled(seed: u64) -> Self {
        let this = Self::new(seed);
        let states = this.alone(&this.bench.memory);
        for serial in 1..=5 {
            states.write(&name(), content(serial, "a"), None, "ann").await.unwrap();
        }
        let first = states.document(&name()).await.unwrap().unwrap().versions[0].key;
        states.pin(&name(), &first, true, "ann").await.unwrap();
        let settings = Settings { keep_versions: Some(7), ..Settings::default() };
        states.set_settings(&name(), settings, "ann").await.unwrap();
        this
    }
}

#[tokio::test(start_paused = true)]
async fn a_state_moves_with_all_it_is_and_is_closed_behind() {
    let this = Move::filled(1).await;
    let before = this.alone(&this.bench.memory).document(&name()).await.unwrap().unwrap();
    let steps = Mutex::new(Vec::new());
    let moved = this.migration().run(&name(), false, &|step| steps.lock().unwrap().push(step)).await.unwrap();
    assert_eq!((moved.versions, moved.copied, moved.newest.map(|key| key.serial)), (5, 5, Some(5)));
    let bytes: u64 = before.versions.iter().map(|version| version.size).sum();
    assert_eq!(steps.lock().unwrap()[0], Step::Begun { versions: 5, bytes });
    assert_eq!(steps.lock().unwrap().len(), 7);
    let (source, target) = (this.alone(&this.bench.memory), this.alone(&this.to));
    let after = target.document(&name()).await.unwrap().unwrap();
    assert_eq!((&after.versions, &after.settings, &after.lock), (&before.versions, &before.settings, &None));
    target.write(&name(), content(6, "b"), None, "ann").await.unwrap();
    let closed = source.write(&name(), content(6, "c"), None, "bob").await.unwrap_err();
    assert!(matches!(&closed, StateError::Moved(place) if place == "memory two"), "{closed}");
    assert!(source.lock(&name(), info("x"), "bob").await.is_err() && source.read(&name()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_move_that_was_interrupted_goes_on_where_it_was() {
    for fault in [Fault::Before, Fault::After] {
        for failing in 1..14 {
            let this = Move::filled(2).await;
            let mut puts = 0;
            this.to.set_faults(move |_| {
                puts += 1;
                (puts >= failing).then_some(fault)
            });
            let failed = this.migration().run(&name(), false, &|_| {}).await;
            this.to.heal();
            if failed.is_err() {
                let source = this.alone(&this.bench.memory);
                source.write(&name(), content(6, "b"), None, "ann").await.unwrap();
            }
            let moved = this.migration().run(&name(), false, &|_| {}).await.unwrap();
            let serial = if failed.is_err() { 6 } else { 5 };
            assert_eq!(moved.newest.map(|key| key.serial), Some(serial), "{fault:?} at {failing}");
            let target = this.alone(&this.to);
            assert_eq!(target.verify(&name()).await.unwrap().problems, []);
            target.write(&name(), content(7, "c"), None, "ann").await.unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_there_is_not_copied_again() {
    let this = Move::filled(3).await;
    this.migration().run(&name(), true, &|_| {}).await.unwrap();
    let source = this.alone(&this.bench.memory);
    source.write(&name(), content(6, "b"), None, "ann").await.unwrap();
    let counted = Arc::new(Mutex::new(0));
    let counts = Arc::clone(&counted);
    this.to.set_faults(move |call| {
        *counts.lock().unwrap() += usize::from(call == Call::PutBlob);
        None
    });
    let moved = this.migration().run(&name(), false, &|_| {}).await.unwrap();
    assert_eq!((moved.versions, moved.copied, *counted.lock().unwrap()), (6, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn what_somebody_works_on_or_is_another_stays() {
    let this = Move::filled(4).await;
    let source = this.alone(&this.bench.memory);
    source.lock(&name(), info("x"), "ann").await.unwrap();
    let locked = this.migration().run(&name(), false, &|_| {}).await.unwrap_err();
    assert!(matches!(&locked, MigrateError::Locked { id, .. } if id == "x"), "{locked}");
    source.unlock(&name(), "x", "ann").await.unwrap();
    this.alone(&this.to).write(&name(), content(9, "other"), None, "bob").await.unwrap();
    let another = this.migration().run(&name(), false, &|_| {}).await.unwrap_err();
    assert!(matches!(another, MigrateError::Another { .. }), "{another}");
    source.write(&name(), content(6, "b"), None, "ann").await.unwrap();
    let nothing = this.migration().run(&"none".parse().unwrap(), false, &|_| {}).await.unwrap_err();
    assert!(matches!(nothing, MigrateError::NoState { .. }), "{nothing}");
}

#[tokio::test(start_paused = true)]
async fn a_damaged_version_is_not_moved_and_the_source_stays_open() {
    let this = Move::filled(5).await;
    let source = this.alone(&this.bench.memory);
    let versions = source.document(&name()).await.unwrap().unwrap().versions;
    this.bench.memory.damage_blob(&name(), &versions[2].blob_key(), Bytes::from_static(b"nonsense"));
    let damaged = this.migration().run(&name(), false, &|_| {}).await.unwrap_err();
    assert!(matches!(damaged, MigrateError::Copy(CopyError::Damaged { .. })), "{damaged}");
    source.write(&name(), content(6, "b"), None, "ann").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_single_file_is_taken_in_as_it_is() {
    let this = Move::new(6);
    let version = this.migration().take_in(&name(), content(41, "a")).await.unwrap();
    assert_eq!((version.key.serial, &*version.lineage), (41, "l"));
    assert_eq!(this.migration().take_in(&name(), content(41, "a")).await.unwrap().key, version.key);
    assert!(this.migration().take_in(&name(), content(40, "a")).await.is_err());
    let read = this.alone(&this.to).read(&name()).await.unwrap().unwrap();
    assert_eq!(read.content, content(41, "a"));
    let no_place = this.bench.memory.states(None, 1).await;
    assert!(matches!(no_place, Ok::<_, BackendError>(names) if names.is_empty()));
}
