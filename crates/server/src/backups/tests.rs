use std::sync::Mutex;

use alfred_model::state::retention::Defaults;
use alfred_state::backend::memory::{Fault, Memory};
use alfred_state::{Keyring, Seams, Stores};
use alfred_store::MemoryStore;
use secrecy::SecretString;

use super::*;

/// A clock that is moved by hand.
struct HandClock(Mutex<Timestamp>);

impl HandClock {
    fn go_on(&self, seconds: i64) {
        let mut now = self.0.lock().unwrap();
        *now = now.checked_add(jiff::SignedDuration::from_secs(seconds)).unwrap();
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// Counts on.
struct Counter(Mutex<u8>);

impl Random for Counter {
    fn fill(&self, bytes: &mut [u8]) {
        let mut next = self.0.lock().unwrap();
        for byte in bytes {
            *next = next.wrapping_add(1);
            *byte = *next;
        }
    }
}

struct Scene {
    clock: Arc<HandClock>,
    store: Arc<MemoryStore>,
    place: Memory,
    states: Arc<States>,
    seams: Seams,
}

impl Scene {
    fn new() -> Self {
        let clock = Arc::new(HandClock(Mutex::new(Timestamp::from_second(1_800_000_000).unwrap())));
        let seams = Seams { clock: Arc::clone(&clock) as Arc<dyn Clock>, random: Arc::new(Counter(Mutex::new(0))) };
        let stores = Stores::single(Arc::new(Memory::new("states")), seams.clone());
        let states = States::new(stores, keyring(), Defaults::default(), seams.clone());
        Self { clock, store: Arc::default(), place: Memory::new("backups"), states: Arc::new(states), seams }
    }

    /// Another replica.
    fn service(&self) -> Arc<BackupService> {
        BackupService::new(BackupParts {
            backups: Backups::new(Arc::new(self.place.clone()), keyring(), self.seams.clone()),
            keep: Keep::default(),
            every: Some(Duration::from_hours(1)),
            installation: InstallationId(uuid::Uuid::from_u128(1)),
            states: Arc::clone(&self.states),
            store: Arc::clone(&self.store) as Arc<dyn Store>,
            clock: Arc::clone(&self.seams.clock),
            random: Arc::clone(&self.seams.random),
        })
    }
}

fn keyring() -> Keyring {
    Keyring::parse(&SecretString::from("")).unwrap()
}

const HOUR: Duration = Duration::from_hours(1);

#[tokio::test(start_paused = true)]
async fn of_several_replicas_one_makes_each_backup() {
    let scene = Scene::new();
    let (one, two) = (scene.service(), scene.service());
    assert_eq!(one.run_if_due(HOUR).await.unwrap(), Duration::ZERO);
    assert_eq!(two.run_if_due(HOUR).await.unwrap(), LOOK, "it has been made");
    scene.clock.go_on(3_599);
    assert_eq!(two.run_if_due(HOUR).await.unwrap(), Duration::from_secs(1));
    scene.clock.go_on(1);
    let both = tokio::join!(one.run_if_due(HOUR), two.run_if_due(HOUR));
    assert!(both.0.is_ok() && both.1.is_ok());
    let list = one.parts.backups.list().await.unwrap();
    assert_eq!(list.iter().map(|entry| entry.number).collect::<Vec<_>>(), [1, 2]);
    assert!(list[1].records.is_some_and(|bytes| bytes > 0), "the records are in it");
}

#[tokio::test(start_paused = true)]
async fn a_backup_that_failed_is_told_and_tried_again_sooner() {
    let scene = Scene::new();
    let service = scene.service();
    scene.place.set_faults(|_| Some(Fault::Before));
    assert!(matches!(service.run_if_due(HOUR).await, Err(RunError::Backup(_))));
    let turn = service.turn().await.unwrap();
    assert!(turn.failures == 1 && turn.problem.unwrap().contains("memory backups is not available"));
    scene.place.heal();
    scene.clock.go_on(299);
    assert_eq!(service.run_if_due(HOUR).await.unwrap(), Duration::from_secs(1));
    scene.clock.go_on(1);
    service.run_if_due(HOUR).await.unwrap();
    let turn = service.turn().await.unwrap();
    assert_eq!((turn.failures, turn.problem), (0, None));
    assert_eq!(service.parts.backups.list().await.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_rots_in_the_place_of_the_backups_is_found_within_a_week_and_mended() {
    let scene = Scene::new();
    let service = scene.service();
    let name = "a".parse().unwrap();
    let content = bytes::Bytes::from_static(br#"{"version":4,"serial":1,"lineage":"l"}"#);
    scene.states.write(&name, content, None, "ann").await.unwrap();
    service.run_if_due(HOUR).await.unwrap();
    let key = alfred_state::Backend::blobs(&scene.place, &name).await.unwrap()[0].key;
    scene.place.damage_blob(&name, &key, bytes::Bytes::from_static(b"nonsense"));
    scene.clock.go_on(6 * 24 * 3_600);
    service.run_if_due(HOUR).await.unwrap();
    assert!(!service.parts.backups.verify(Some(2)).await.unwrap().is_good(), "it is not looked for each time");
    scene.clock.go_on(24 * 3_600);
    service.run_if_due(HOUR).await.unwrap();
    let list = service.parts.backups.list().await.unwrap();
    assert_eq!(list.last().map(|entry| entry.number), Some(4), "the third was found bad, the fourth mended it");
    for entry in &list {
        assert!(service.parts.backups.verify(Some(entry.number)).await.unwrap().is_good(), "{}", entry.number);
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_was_wrong_puts_no_backup_off() {
    let scene = Scene::new();
    let service = scene.service();
    scene.clock.go_on(365 * 24 * 3_600);
    service.run_if_due(HOUR).await.unwrap();
    scene.clock.go_on(-365 * 24 * 3_600);
    assert_eq!(service.run_if_due(HOUR).await.unwrap(), Duration::ZERO, "one is made");
    assert_eq!(service.parts.backups.list().await.unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn who_asks_waits_for_nobody_but_another_backup() {
    let scene = Scene::new();
    let (one, two) = (scene.service(), scene.service());
    one.run(false).await.unwrap();
    two.run(true).await.unwrap();
    let Taken::Mine(held) = one.turns.take(None).await.unwrap() else { panic!("it is free") };
    assert!(matches!(two.run(false).await, Err(RunError::UnderWay(_))));
    // A process that is gone has the turn for two minutes.
    scene.clock.go_on(121);
    two.run(false).await.unwrap();
    tokio::time::timeout(Duration::from_mins(5), one.turns.keep(&held)).await.expect("it finds out that it lost");
    one.turns.give_back(&held, Some("late".to_owned())).await.unwrap();
    assert_eq!(two.turn().await.unwrap().failures, 0, "and says nothing of what is not its own");
    let Taken::Mine(_) = one.turns.take(None).await.unwrap() else { panic!("it is free") };
    one.turns.abandon().await;
    two.run(false).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn restored_records_belong_to_the_place_of_the_restored_states() {
    let scene = Scene::new();
    let store = || Arc::clone(&scene.store) as Arc<dyn Store>;
    let records = mirror_records(store());
    let mut record = MirrorRecord::begin("old one", "old two", scene.clock.now());
    record.epoch = 3;
    records.swap(None, &record).await.unwrap();
    let Taken::Mine(_) = scene.service().turns.take(None).await.unwrap() else { panic!("it is free") };
    after_restore(store(), &*scene.clock, None).await.unwrap();
    assert_eq!(records.read().await.unwrap().unwrap().0, record, "states are where they were");
    scene.service().run(false).await.unwrap();
    after_restore(store(), &*scene.clock, Some("new one")).await.unwrap();
    let now = records.read().await.unwrap().unwrap().0;
    assert_eq!((&*now.primary, &*now.secondary, now.epoch), ("new one", "old two", 4));
    assert!(now.behind.is_some_and(|behind| behind.all));
}
