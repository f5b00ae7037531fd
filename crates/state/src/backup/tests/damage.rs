//! What is damaged: where the backups are, in the store of states, and while it is copied.

use futures::FutureExt as _;

use super::*;

/// Of everything that lies there, each byte that is changed, each content that is cut or missing, is found and not restored.
#[tokio::test(start_paused = true)]
async fn every_damage_is_found_and_refused() {
    let scene = Scene::filled(6).await;
    scene.make().await.unwrap();
    let mut tried = 0;
    for name in ["a", "team/b", NAME] {
        for entry in scene.place.blobs(&named(name)).await.unwrap() {
            let good = scene.place.blob(&named(name), &entry.key).await.unwrap().unwrap().into_bytes();
            for place in (0..good.len()).step_by(61).chain([good.len() - 1]) {
                let mut bad = good.to_vec();
                bad[place] ^= 1 << (place % 8);
                for damaged in [Bytes::from(bad), good.slice(..place)] {
                    scene.place.damage_blob(&named(name), &entry.key, damaged);
                    let verified = scene.backups().verify(None).await.unwrap();
                    assert!(!verified.problems.is_empty(), "{name} {} at {place}", entry.key);
                    let to = Memory::new("new");
                    match scene.backups().restore_states(None, &[], &to, &|_| {}).await {
                        Ok(restored) => {
                            let there = crate::mirror::copy::all_states(&to).await.unwrap();
                            assert_eq!(there.len(), restored.restored.len(), "each has its document");
                            for state in there {
                                for entry in to.blobs(&state).await.unwrap() {
                                    let bytes = |blob: Option<crate::Blob>| blob.unwrap().into_bytes();
                                    let live = bytes(scene.bench.memory.blob(&state, &entry.key).await.unwrap());
                                    assert!(bytes(to.blob(&state, &entry.key).await.unwrap()) == live);
                                }
                            }
                        }
                        Err(error) => assert!(matches!(error, BackupError::Damaged { .. }), "{error}"),
                    }
                    tried += 1;
                }
            }
            scene.place.delete_blob(&named(name), &entry.key).await.unwrap();
            assert!(!scene.backups().verify(None).await.unwrap().is_good());
            scene.place.put_blob(&named(name), &entry.key, good.into()).await.unwrap();
        }
    }
    assert!(tried > 100);
    assert!(scene.backups().verify(None).await.unwrap().is_good());
}

#[tokio::test(start_paused = true)]
async fn a_full_backup_mends_what_is_damaged_where_the_backups_are() {
    let scene = Scene::filled(7).await;
    scene.make().await.unwrap();
    let entries = scene.place.blobs(&named("team/b")).await.unwrap();
    scene.place.damage_blob(&named("team/b"), &entries[0].key, Bytes::from_static(b"nonsense"));
    scene.place.delete_blob(&named("team/b"), &entries[1].key).await.unwrap();
    scene.make().await.unwrap();
    let bad = scene.backups().verify_all().await.unwrap();
    assert_eq!(bad.iter().map(|one| one.problems.len()).collect::<Vec<_>>(), [2, 0], "each is told once");
    let problem = &bad[0].problems[0];
    assert_eq!(problem.state, Some(named("team/b")));
    assert_eq!(problem.version.map(|version: VersionKey| version.serial), Some(1));
    let made = scene.make_with(&["records one"], all(), true).await.unwrap();
    assert!(made.entry.verified_at.is_some());
    assert!(scene.backups().verify_all().await.unwrap().iter().all(Verified::is_good));
}

/// An old version that is damaged keeps nobody from the newest.
#[tokio::test(start_paused = true)]
async fn a_state_is_restored_without_an_older_version_that_is_damaged() {
    let scene = Scene::new(32);
    for serial in 1..=3 {
        scene.write("a", serial).await;
    }
    scene.make().await.unwrap();
    let versions = scene.states().document(&named("a")).await.unwrap().unwrap().versions;
    scene.place.damage_blob(&named("a"), &versions[1].blob_key(), Bytes::from_static(b"nonsense"));
    let (to, restored) = scene.restored(1).await;
    assert_eq!((restored.restored.len(), restored.restored[0].versions), (1, 2));
    assert_eq!((restored.damaged.len(), restored.damaged[0].version), (1, Some(versions[1].key)));
    let states = scene.states_in(&to);
    assert_eq!(states.read(&named("a")).await.unwrap().unwrap().version.key, versions[2].key);
    let error = states.read_version(&named("a"), &versions[1].key).await.unwrap_err();
    assert!(matches!(error, crate::StateError::Damaged { .. }), "{error}");

    scene.place.damage_blob(&named("a"), &versions[2].blob_key(), Bytes::from_static(b"nonsense"));
    let to = Memory::new("another");
    let restored = scene.backups().restore_states(Some(1), &[], &to, &|_| {}).await.unwrap();
    assert_eq!(
        (restored.restored.len(), restored.left_out.len()),
        (0, 1),
        "an old state is not passed off as the newest"
    );
    assert_eq!(to.document(&named("a")).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn what_is_damaged_in_the_store_is_told_and_looked_for_again() {
    let scene = Scene::filled(8).await;
    let good = scene.everything(&scene.bench.memory).await;
    let versions = scene.states().document(&named("team/b")).await.unwrap().unwrap().versions;
    let key = versions[1].blob_key();
    let content = scene.bench.memory.blob(&named("team/b"), &key).await.unwrap().unwrap().into_bytes();
    scene.bench.memory.damage_blob(&named("team/b"), &key, Bytes::from_static(b"nonsense"));
    let made = scene.make().await.unwrap();
    assert_eq!((made.lacking.len(), made.lacking[0].version), (1, Some(versions[1].key)));
    assert!(!scene.backups().verify(None).await.unwrap().is_good());
    let (to, restored) = scene.restored(1).await;
    assert_eq!(restored.lacking, made.lacking);
    assert!(to.document(&named("team/b")).await.unwrap().is_some(), "the other versions are there");
    scene.bench.memory.damage_blob(&named("team/b"), &key, content);
    let made = scene.make().await.unwrap();
    assert_eq!(made.lacking, []);
    scene.assert_restores(2, &good).await;
    scene.bench.memory.damage_document(&named("a"), Bytes::from_static(b"{}"));
    let made = scene.make().await.unwrap();
    assert_eq!((made.lacking.len(), made.lacking[0].version), (1, None));
    let (_, restored) = scene.restored(3).await;
    assert_eq!((restored.left_out.len(), restored.restored.len()), (1, 2));
}

/// Changes a state of the live store at the first content that is copied, as retention or a crash of its disk would.
fn meanwhile(scene: &Scene, change: impl Fn(&Memory) + Send + 'static) {
    let (live, mut puts) = (scene.bench.memory.clone(), 0);
    scene.place.set_faults(move |call| {
        puts += usize::from(call == Call::PutBlob);
        // Two parts of the records come before.
        if call == Call::PutBlob && puts == 3 {
            change(&live);
        }
        None
    });
}

/// What `future` answers, which waits for nothing.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("a store in memory answers at once")
}

#[tokio::test(start_paused = true)]
async fn a_version_that_is_dropped_while_it_is_copied_is_not_missed() {
    let scene = Scene::new(20);
    for serial in 1..=4 {
        scene.write("team/b", serial).await;
    }
    meanwhile(&scene, |live| {
        let found = at_once(live.document(&named("team/b"))).unwrap().unwrap();
        let mut document = StateDocument::parse(&found.content).unwrap();
        let gone = document.versions.remove(2);
        let content = document.to_json().into();
        at_once(live.swap_document(&named("team/b"), Some(found.revision), content)).unwrap();
        at_once(live.delete_blob(&named("team/b"), &gone.blob_key())).unwrap();
    });
    let made = scene.make().await.unwrap();
    assert_eq!((made.lacking, made.entry.versions), (Vec::new(), 3));
    let expected = scene.everything(&scene.bench.memory).await;
    scene.assert_restores(1, &expected).await;
}

#[tokio::test(start_paused = true)]
async fn a_version_that_is_lost_while_it_is_copied_is_told() {
    let scene = Scene::new(21);
    for serial in 1..=4 {
        scene.write("team/b", serial).await;
    }
    meanwhile(&scene, |live| {
        let entries = at_once(live.blobs(&named("team/b"))).unwrap();
        at_once(live.delete_blob(&named("team/b"), &entries[3].key)).unwrap();
    });
    let made = scene.make().await.unwrap();
    let told: Vec<_> =
        made.lacking.iter().map(|one| (one.version.map(|version| version.serial), &*one.words)).collect();
    assert_eq!(told, [(Some(4), "its content is not there")]);
}
