//! What is particular to states in a bucket.

use std::time::Duration;

use alfred_state::backend::{Document, Put, Recalled, Revision, S3, S3Options, Swapped};
use alfred_state::{Backend, BackendError};
use bytes::Bytes;

use crate::bucket::{BUCKET, Bucket, Fault};
use crate::fixture::{blob, done, key, name, noise, seams};

const CONTENT: Bytes = Bytes::from_static(b"{}");

/// Applies `fault` to the first request of this name, and to no other.
fn once(call: &'static str, fault: Fault) -> impl FnMut(&str) -> Option<Fault> + Send {
    let mut is_over = false;
    move |asked| {
        let applies = !is_over && asked == call;
        is_over |= applies;
        applies.then_some(fault)
    }
}

#[tokio::test]
async fn what_each_call_costs() {
    let bucket = Bucket::start().await;
    let backend = bucket.open().await;
    assert_eq!(bucket.take_calls(), ["list"], "opening");
    let state = name("production");

    // A lock on a state that is not there yet: read, then create.
    assert_eq!(backend.document(&state).await.unwrap(), None);
    assert_eq!(bucket.take_calls(), ["list"]);
    assert_eq!(backend.recalled_document(&state), Recalled::Absent);
    let revision = done(backend.swap_document(&state, None, CONTENT).await.unwrap());
    assert_eq!(bucket.take_calls(), ["put"]);

    // A version: its content, and the change.
    backend.put_blob(&state, &key(1, 1), blob(&noise(1_000, 1))).await.unwrap();
    assert_eq!(bucket.take_calls(), ["put"]);
    assert_eq!(backend.recalled_document(&state), Recalled::Present(Document { revision, content: CONTENT }));
    let revision = done(backend.swap_document(&state, Some(revision), CONTENT).await.unwrap());
    assert_eq!(bucket.take_calls(), ["put"]);

    // Seeing that the document still is what it was takes a look whether there is a next one.
    backend.document(&state).await.unwrap().unwrap();
    assert_eq!(bucket.take_calls(), ["get"]);

    // An unlock by another process, which has not seen the document before.
    let other = bucket.open().await;
    bucket.take_calls();
    assert_eq!(other.recalled_document(&state), Recalled::Nothing);
    other.document(&state).await.unwrap();
    assert_eq!(bucket.take_calls(), ["list", "get"]);
    let newest = done(other.swap_document(&state, Some(revision), CONTENT).await.unwrap());
    assert_eq!(bucket.take_calls(), ["put"]);

    // The loser of a race looks whether it met itself.
    assert_eq!(backend.swap_document(&state, Some(revision), CONTENT).await.unwrap(), Swapped::Conflict);
    assert_eq!(bucket.take_calls(), ["put", "get"]);
    assert_eq!(backend.document(&state).await.unwrap().unwrap().revision, newest);
    assert_eq!(bucket.take_calls(), ["list", "get"]);

    // What was seen long ago proves nothing.
    bucket.go_on(15);
    assert_eq!(backend.recalled_document(&state), Recalled::Nothing);
    done(backend.swap_document(&state, Some(newest), CONTENT).await.unwrap());
    assert_eq!(bucket.take_calls(), ["put", "head"]);

    backend.blob(&state, &key(1, 1)).await.unwrap().unwrap();
    assert_eq!(bucket.take_calls(), ["get"]);
}

#[tokio::test]
async fn large_contents_go_up_in_parts_and_none_is_overwritten() {
    let bucket = Bucket::start().await;
    let backend = bucket.open().await;
    bucket.take_calls();
    let state = name("large");
    let content = noise((16 << 20) + 5, 1);
    assert_eq!(backend.put_blob(&state, &key(1, 1), blob(&content)).await.unwrap(), Put::Created);
    assert_eq!(bucket.take_calls(), ["upload", "part", "part", "part", "complete"]);
    let other = noise((16 << 20) + 5, 2);
    assert_eq!(backend.put_blob(&state, &key(1, 1), blob(&other)).await.unwrap(), Put::Exists);
    assert_eq!(bucket.take_calls(), ["upload", "part", "part", "part", "complete", "abort"]);
    assert!(backend.blob(&state, &key(1, 1)).await.unwrap().unwrap().into_bytes() == content);
}

#[tokio::test]
async fn a_lost_answer_is_not_taken_for_a_rival() {
    for status in [500, 503, 429] {
        let bucket = Bucket::start().await;
        let backend = bucket.open().await;
        let state = name("lost");
        bucket.set_faults(once("put", Fault::After(status)));
        let revision = done(backend.swap_document(&state, None, CONTENT).await.unwrap());
        bucket.set_faults(once("put", Fault::After(status)));
        let revision = done(backend.swap_document(&state, Some(revision), CONTENT).await.unwrap());
        bucket.set_faults(once("put", Fault::After(status)));
        assert_eq!(backend.put_blob(&state, &key(1, 1), blob(&CONTENT)).await.unwrap(), Put::Created);
        bucket.set_faults(once("put", Fault::After(status)));
        done(backend.remove_document(&state, revision).await.unwrap());
        bucket.set_faults(once("complete", Fault::After(status)));
        let large = noise(9 << 20, 1);
        assert_eq!(backend.put_blob(&state, &key(2, 2), blob(&large)).await.unwrap(), Put::Created);
        bucket.heal();
        assert_eq!(backend.document(&state).await.unwrap(), None);
        assert!(backend.blob(&state, &key(2, 2)).await.unwrap().unwrap().into_bytes() == large);
    }
}

#[tokio::test]
async fn a_rival_is_not_taken_for_a_lost_answer() {
    let bucket = Bucket::start().await;
    let (backend, rival) = (bucket.open().await, bucket.open().await);
    let state = name("rival");
    let revision = done(backend.swap_document(&state, None, CONTENT).await.unwrap());
    // The same content from the same value: one of them did it.
    done(rival.swap_document(&state, Some(revision), CONTENT).await.unwrap());
    bucket.set_faults(once("put", Fault::Before(503)));
    assert_eq!(backend.swap_document(&state, Some(revision), CONTENT).await.unwrap(), Swapped::Conflict);
}

#[tokio::test]
async fn whatever_fails_for_a_moment_is_asked_again() {
    let bucket = Bucket::start().await;
    let backend = bucket.open().await;
    let state = name("patient");
    let large = noise(9 << 20, 1);
    for status in [429, 500, 502, 503] {
        let mut number = 0;
        // Every second request fails before it takes place.
        bucket.set_faults(move |_| {
            number += 1;
            (number % 2 == 1).then_some(Fault::Before(status))
        });
        let revision = backend.document(&state).await.unwrap().map(|document| document.revision);
        let revision = done(backend.swap_document(&state, revision, CONTENT).await.unwrap());
        assert_eq!(backend.document(&state).await.unwrap().unwrap().revision, revision);
        let key = key(status.into(), 1);
        assert_eq!(backend.put_blob(&state, &key, blob(&large)).await.unwrap(), Put::Created);
        assert!(backend.blob(&state, &key).await.unwrap().unwrap().into_bytes() == large);
        assert_eq!(backend.states(None, 10).await.unwrap(), std::slice::from_ref(&state));
        backend.delete_blob(&state, &key).await.unwrap();
        assert_eq!(backend.blobs(&state).await.unwrap(), []);
    }
}

#[tokio::test]
async fn what_fails_for_long_is_told_as_not_available() {
    let bucket = Bucket::start().await;
    let backend = bucket.open().await;
    let state = name("down");
    bucket.set_faults(|_| Some(Fault::Before(503)));
    let error = backend.document(&state).await.unwrap_err();
    let words = error.to_string();
    assert!(matches!(error, BackendError::Unavailable { .. }), "{words}");
    assert_eq!(words, "r2 states/team/states is not available: it answered with status 503 AFault");
    assert_eq!(bucket.take_calls().len(), 1 + 7);
    bucket.set_faults(once("put", Fault::Before(400)));
    let error = backend.swap_document(&state, None, CONTENT).await.unwrap_err();
    assert!(matches!(error, BackendError::Refused { .. }), "{error}");
}

/// Waits for the task that deletes superseded values.
async fn trimmed(bucket: &Bucket, length: usize) {
    while bucket.contents().objects.len() > length {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_writer_that_slept_cannot_bring_a_forgotten_value_back() {
    let bucket = Bucket::start().await;
    let (sleeper, other) = (bucket.open().await, bucket.open().await);
    let state = name("busy");
    let forgotten = done(sleeper.swap_document(&state, None, CONTENT).await.unwrap());
    let mut revision = forgotten;
    for changes in [32, 8] {
        for _ in 0..changes {
            revision = done(other.swap_document(&state, Some(revision), CONTENT).await.unwrap());
        }
        bucket.go_on(60);
    }
    for _ in 0..8 {
        revision = done(other.swap_document(&state, Some(revision), CONTENT).await.unwrap());
    }
    trimmed(&bucket, 24).await;
    assert_eq!(sleeper.recalled_document(&state), Recalled::Nothing);
    let error = sleeper.swap_document(&state, Some(forgotten), noise(10, 1)).await.unwrap_err();
    assert!(matches!(error, BackendError::Unavailable { .. }), "{error}");
    for handle in [&sleeper, &other] {
        assert_eq!(handle.document(&state).await.unwrap().unwrap().revision, revision);
    }
    // Once it has looked again, it knows.
    assert_eq!(sleeper.swap_document(&state, Some(forgotten), CONTENT).await.unwrap(), Swapped::Conflict);
}

/// The same where nothing was there when the writer looked.
#[tokio::test]
async fn a_writer_that_slept_cannot_bring_the_first_value_back() {
    let bucket = Bucket::start().await;
    let (sleeper, other) = (bucket.open().await, bucket.open().await);
    let state = name("busy");
    assert_eq!(sleeper.document(&state).await.unwrap(), None);
    let mut revision = None;
    for _ in 0..2 {
        for _ in 0..32 {
            revision = Some(done(other.swap_document(&state, revision, CONTENT).await.unwrap()));
        }
        bucket.go_on(60);
    }
    revision = Some(done(other.swap_document(&state, revision, CONTENT).await.unwrap()));
    trimmed(&bucket, 40).await;
    assert_eq!(sleeper.swap_document(&state, None, CONTENT).await.unwrap(), Swapped::Conflict);
    assert_eq!(sleeper.document(&state).await.unwrap().map(|document| document.revision), revision);
}

/// However many values there were meanwhile: whoever looked a moment ago meets the next one.
#[tokio::test]
async fn what_is_superseded_stays_for_an_hour() {
    let bucket = Bucket::start().await;
    let (quick, other) = (bucket.open().await, bucket.open().await);
    let state = name("busy");
    let first = done(quick.swap_document(&state, None, CONTENT).await.unwrap());
    let mut revision = first;
    for number in 0..64 {
        revision = done(other.swap_document(&state, Some(revision), CONTENT).await.unwrap());
        if number % 8 == 0 {
            bucket.go_on(7);
        }
    }
    // Each deletion would have begun with a list.
    while bucket.contents().calls.iter().filter(|call| **call == "list").count() < 2 + 1 + 1 + 8 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(bucket.contents().objects.len(), 65);
    assert!(!bucket.take_calls().contains(&"delete"));
    let reader = bucket.open().await;
    reader.document(&state).await.unwrap().unwrap();
    assert_eq!(quick.swap_document(&state, Some(first), CONTENT).await.unwrap(), Swapped::Conflict);
    assert_eq!(quick.document(&state).await.unwrap().unwrap().revision, revision);
}

#[tokio::test]
async fn a_reader_follows_a_few_changes_and_looks_anew_after_many() {
    let bucket = Bucket::start().await;
    let (reader, writer) = (bucket.open().await, bucket.open().await);
    let state = name("followed");
    let mut revision = Some(done(writer.swap_document(&state, None, CONTENT).await.unwrap()));
    reader.document(&state).await.unwrap();
    for (changes, calls) in [(0, vec!["get"]), (2, vec!["get"; 3]), (3, vec!["get", "get", "get", "list", "get"])] {
        for _ in 0..changes {
            revision = Some(done(writer.swap_document(&state, revision, CONTENT).await.unwrap()));
        }
        bucket.take_calls();
        assert_eq!(reader.document(&state).await.unwrap().map(|document| document.revision), revision);
        assert_eq!(bucket.take_calls(), calls, "after {changes} changes");
    }
    // A removal is followed, too, and so is a new beginning.
    done(writer.remove_document(&state, revision.unwrap()).await.unwrap());
    assert_eq!(reader.document(&state).await.unwrap(), None);
    let revision = done(writer.swap_document(&state, None, CONTENT).await.unwrap());
    assert_eq!(reader.document(&state).await.unwrap().unwrap().revision, revision);
}

/// One list tells of all states what else each would have to be asked for.
#[tokio::test]
async fn listing_all_states_sees_them_again() {
    let bucket = Bucket::start().await;
    let (backend, other) = (bucket.open().await, bucket.open().await);
    let names = ["a", "b", "c"].map(name);
    for state in &names {
        done(backend.swap_document(state, None, CONTENT).await.unwrap());
    }
    bucket.go_on(60);
    let changed = done(other.swap_document(&names[1], Some(Revision(1)), CONTENT).await.unwrap());
    bucket.take_calls();
    assert_eq!(backend.states(None, 10).await.unwrap(), names);
    assert_eq!(bucket.take_calls(), ["list", "list"]);
    for (state, calls) in names.iter().zip([vec!["get"], vec!["list", "get"], vec!["get"]]) {
        backend.document(state).await.unwrap().unwrap();
        assert_eq!(bucket.take_calls(), calls, "{state}");
    }
    assert_eq!(backend.document(&names[1]).await.unwrap().unwrap().revision, changed);
}

/// What somebody does to a bucket by hand is seen after a while.
#[tokio::test]
async fn a_bucket_that_was_emptied_is_not_taken_for_full_for_ever() {
    let bucket = Bucket::start().await;
    let backend = bucket.open().await;
    let state = name("emptied");
    done(backend.swap_document(&state, None, CONTENT).await.unwrap());
    bucket.contents().objects.clear();
    for _ in 0..14 {
        bucket.go_on(1);
        backend.document(&state).await.unwrap();
    }
    bucket.go_on(1);
    assert_eq!(backend.document(&state).await.unwrap(), None);
}

#[tokio::test]
async fn superseded_values_are_deleted_and_the_newest_are_kept() {
    let bucket = Bucket::start().await;
    let backend = bucket.open().await;
    let state = name("trimmed");
    let mut revision = None;
    for _ in 0..64 {
        bucket.go_on(60);
        revision = Some(done(backend.swap_document(&state, revision, CONTENT).await.unwrap()));
    }
    trimmed(&bucket, 8).await;
    let newest = format!("team/states/documents/trimmed!{:020}", u64::MAX - 64);
    assert_eq!(*bucket.contents().objects.keys().next().unwrap(), newest);
    assert_eq!(backend.document(&state).await.unwrap().unwrap().revision, Revision(64));
}

#[tokio::test]
async fn what_is_wrong_with_an_address_is_said_without_secrets() {
    let bucket = Bucket::start().await;
    let right = bucket.options();
    let mut stranger = right.clone();
    stranger.access_key_id = "NOBODY".into();
    let mut nowhere = right.clone();
    nowhere.endpoint = Some("http://127.0.0.1:1".to_owned());
    let with_endpoint = |endpoint: &str| S3Options { endpoint: Some(endpoint.to_owned()), ..right.clone() };
    let mut empty = right.clone();
    empty.secret_access_key = "".into();
    let [wordy, foreign, spoken] =
        ["no address", "ftp://127.0.0.1", "http://user:password@127.0.0.1"].map(with_endpoint);

    let refused = [
        (BUCKET, "states", &stranger, "it does not know this access key"),
        ("elsewhere", "states", &right, "there is no bucket `elsewhere`: create it"),
        (BUCKET, "a//b", &right, "a prefix has at most"),
        (BUCKET, "a b", &right, "a prefix has at most"),
        (BUCKET, "../a", &right, "a prefix has at most"),
        ("a/b", "", &right, "the name of a bucket has"),
        ("a b c", "", &right, "the name of a bucket has"),
        (BUCKET, "", &wordy, "its endpoint must be"),
        (BUCKET, "", &foreign, "its endpoint must be"),
        (BUCKET, "", &spoken, "its endpoint must be"),
        (BUCKET, "", &empty, "none may be empty"),
    ];
    for (bucket, prefix, options, words) in refused {
        let error = S3::open("s3", bucket, prefix, options, seams()).await.unwrap_err();
        assert!(matches!(error, BackendError::Refused { .. }), "{error}");
        assert!(error.to_string().contains(words), "{error}");
        assert!(!error.to_string().contains("secret-of-the-test"), "{error}");
    }
    let error = S3::open("s3", BUCKET, "", &nowhere, seams()).await.unwrap_err();
    assert!(matches!(error, BackendError::Unavailable { .. }), "{error}");
    assert!(error.to_string().starts_with("s3 states is not available: "), "{error}");
    let shown = format!("{right:?} {:?}", bucket.open().await);
    assert!(!shown.contains("secret-of-the-test"), "{shown}");
    assert!(shown.ends_with("S3(r2 states/team/states)"), "{shown}");
}

#[tokio::test]
async fn a_damaged_document_is_told() {
    let bucket = Bucket::start().await;
    let state = name("damaged");
    done(bucket.open().await.swap_document(&state, None, noise(500, 1)).await.unwrap());
    let stored = bucket.contents().objects.values().next().unwrap().content.clone();
    for damaged in [stored.slice(..stored.len() - 1), stored.slice(..30), noise(1_000, 1)] {
        bucket.contents().objects.values_mut().next().unwrap().content = damaged;
        let error = bucket.open().await.document(&state).await.unwrap_err();
        assert!(
            matches!(&error, BackendError::Damaged { words, .. } if words.contains("`damaged`, value 1")),
            "{error}"
        );
    }
}

#[tokio::test]
async fn an_answer_that_never_comes_is_not_waited_for() {
    let bucket = Bucket::start().await;
    let mut options = bucket.options();
    options.patience.answer = Duration::from_secs(1);
    let backend = S3::open("r2", BUCKET, "", &options, seams()).await.unwrap();
    let state = name("silent");
    bucket.set_faults(once("put", Fault::Silence));
    let revision = done(backend.swap_document(&state, None, CONTENT).await.unwrap());
    bucket.set_faults(once("list", Fault::Silence));
    assert_eq!(backend.document(&state).await.unwrap().unwrap().revision, revision);
}
