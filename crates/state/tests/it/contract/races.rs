//! Many at once, through several handles.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use alfred_state::backend::{Put, Revision, Swapped};
use alfred_state::{Backend, BackendError};
use bytes::Bytes;
use jiff::Timestamp;
use tokio::task::JoinSet;

use crate::fixture::{Store, blob, done, key, name, noise};

const WRITERS: u64 = 4;

async fn handles(store: &dyn Store) -> [Arc<dyn Backend>; 2] {
    [store.open().await, store.open().await]
}

fn text(number: u64) -> Bytes {
    format!("{{\"number\":{number}}}").into()
}

pub(crate) async fn of_many_writers_one_wins_each_round(store: &dyn Store) {
    let handles = handles(store).await;
    let state = name("contended");
    let mut expected = None;
    for round in 0..200 {
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS * 2 {
            let (backend, state) = (Arc::clone(&handles[usize::from(writer % 2 == 0)]), state.clone());
            writers
                .spawn(async move { (writer, backend.swap_document(&state, expected, text(writer)).await.unwrap()) });
        }
        let outcomes = writers.join_all().await;
        let winners: Vec<(u64, Revision)> = outcomes
            .into_iter()
            .filter_map(|(writer, swapped)| match swapped {
                Swapped::Done(revision) => Some((writer, revision)),
                Swapped::Conflict => None,
            })
            .collect();
        let [(winner, revision)] = winners[..] else { panic!("round {round}: {winners:?}") };
        let document = handles[0].document(&state).await.unwrap().unwrap();
        assert_eq!((document.revision, document.content), (revision, text(winner)), "round {round}");
        expected = Some(revision);
    }
}

pub(crate) async fn of_many_creators_one_wins(store: &dyn Store) {
    let handles = handles(store).await;
    for round in 0..20 {
        let state = name(&format!("new/{round}"));
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS * 2 {
            let (backend, state) = (Arc::clone(&handles[usize::from(writer % 2 == 0)]), state.clone());
            // All write the same: that it is there already does not make it one's own.
            writers.spawn(async move { backend.swap_document(&state, None, text(0)).await.unwrap() });
        }
        let outcomes = writers.join_all().await;
        assert_eq!(outcomes.iter().filter(|swapped| **swapped != Swapped::Conflict).count(), 1, "round {round}");
    }
    assert_eq!(handles[1].states(None, 100).await.unwrap().len(), 20);
}

pub(crate) async fn a_removal_and_a_change_never_both_win(store: &dyn Store) {
    let [one, other] = handles(store).await;
    let state = name("removed");
    for round in 0..40 {
        let revision = match one.document(&state).await.unwrap() {
            Some(document) => document.revision,
            None => done(one.swap_document(&state, None, text(0)).await.unwrap()),
        };
        let (removed, changed) =
            tokio::join!(one.remove_document(&state, revision), other.swap_document(&state, Some(revision), text(1)));
        let document = other.document(&state).await.unwrap();
        match (removed.unwrap(), changed.unwrap()) {
            (Swapped::Done(_), Swapped::Conflict) => assert_eq!(document, None, "round {round}"),
            (Swapped::Conflict, Swapped::Done(revision)) => assert_eq!(document.unwrap().revision, revision),
            both => panic!("round {round}: {both:?}"),
        }
    }
}

pub(crate) async fn of_many_writers_of_one_blob_one_creates_it(store: &dyn Store) {
    let handles = handles(store).await;
    let state = name("blobs");
    for (round, length) in (0..).zip([10, 100_000, 3_000_000, 0, 1_500_000]) {
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            let (backend, state) = (Arc::clone(&handles[usize::from(writer % 2 == 0)]), state.clone());
            let content = blob(&noise(length, writer));
            writers.spawn(async move { (writer, backend.put_blob(&state, &key(round, 0), content).await.unwrap()) });
        }
        let outcomes = writers.join_all().await;
        let winners: Vec<u64> =
            outcomes.into_iter().filter(|(_, put)| *put == Put::Created).map(|(writer, _)| writer).collect();
        let [winner] = winners[..] else { panic!("round {round}: {winners:?}") };
        let read = handles[0].blob(&state, &key(round, 0)).await.unwrap().unwrap().into_bytes();
        assert!(read == noise(length, winner), "round {round}: not what the winner wrote");
    }
}

pub(crate) async fn a_reader_beside_a_writer_sees_whole_values_in_order(store: &dyn Store) {
    let [writer, reader] = handles(store).await;
    let state = name("watched");
    let mut revision = done(writer.swap_document(&state, None, noise(50_000, 0)).await.unwrap());
    let is_over = Arc::new(AtomicBool::new(false));
    let reading = tokio::spawn({
        let (state, is_over) = (state.clone(), Arc::clone(&is_over));
        async move {
            let (mut last, mut seen) = (0, 0);
            while !is_over.load(Ordering::Relaxed) || seen == 0 {
                let document = reader.document(&state).await.unwrap().unwrap();
                assert!(document.revision.0 >= last, "a reader went back");
                last = document.revision.0;
                // The length tells which value it claims to be.
                let round = (document.content.len() - 50_000) as u64;
                assert!(document.content == noise(document.content.len(), round), "a torn value");
                seen += 1;
            }
        }
    });
    for round in 1..=60 {
        let content = noise(50_000 + round, round as u64);
        revision = done(writer.swap_document(&state, Some(revision), content).await.unwrap());
    }
    is_over.store(true, Ordering::Relaxed);
    reading.await.unwrap();
}

pub(crate) async fn a_reader_beside_a_writer_of_blobs_sees_all_or_nothing(store: &dyn Store) {
    let [writer, reader] = handles(store).await;
    let state = name("growing");
    for round in 0..4 {
        let content = noise(6_000_000, round);
        let writing = tokio::spawn({
            let (writer, state, content) = (Arc::clone(&writer), state.clone(), blob(&content));
            async move { writer.put_blob(&state, &key(round, 0), content).await.unwrap() }
        });
        loop {
            let is_written = writing.is_finished();
            if let Some(read) = reader.blob(&state, &key(round, 0)).await.unwrap() {
                assert!(read.into_bytes() == content, "a torn blob");
                break;
            }
            assert!(!is_written, "an acknowledged blob was not seen");
        }
        assert_eq!(writing.await.unwrap(), Put::Created);
    }
}

pub(crate) async fn a_writer_whose_upload_is_forgotten_is_told(store: &dyn Store) {
    let [writer, other] = handles(store).await;
    let state = name("hurried");
    let is_over = Arc::new(AtomicBool::new(false));
    let forgetting = tokio::spawn({
        let is_over = Arc::clone(&is_over);
        async move {
            while !is_over.load(Ordering::Relaxed) {
                // Whoever writes at this moment has been at it for too long.
                other.forget_uploads(Timestamp::MAX).await.unwrap();
                tokio::task::yield_now().await;
            }
        }
    });
    for round in 0..12 {
        let content = noise(2_000_000, round);
        let put = writer.put_blob(&state, &key(round, 0), blob(&content)).await;
        let read = writer.blob(&state, &key(round, 0)).await.unwrap();
        match put {
            Ok(put) => {
                assert_eq!(put, Put::Created);
                assert!(read.unwrap().into_bytes() == content, "what was acknowledged is torn");
            }
            Err(error) => {
                assert!(matches!(error, BackendError::Unavailable { .. }), "{error}");
                assert_eq!(read, None, "{error}");
            }
        }
    }
    is_over.store(true, Ordering::Relaxed);
    forgetting.await.unwrap();
    assert!(writer.blobs(&state).await.unwrap().iter().all(|entry| entry.size == 2_000_000));
}
