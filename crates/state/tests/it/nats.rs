//! What is particular to states in NATS.

mod cluster;
mod credentials;
mod operator;
mod tls;

use std::sync::Arc;

use alfred_model::seam::Clock;
use alfred_model::state::retention::Defaults;
use alfred_state::backend::{Nats, NatsOptions, Put, Swapped};
use alfred_state::{Backend as _, BackendError, Keyring, Seams, States, Stores};
use alfred_testing::nats::{PASSWORD, Server, Settings, USER};
use async_nats::jetstream;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};

use crate::fixture::{Chance, blob, done, key, name, nats_server, noise};
use crate::proxy::Proxy;

const CONTENT: Bytes = Bytes::from_static(b"{}");

async fn open(url: &str) -> Result<Nats, BackendError> {
    Nats::open(url, "states", &NatsOptions::default(), Chance::new()).await
}

/// A connection that goes past the backend.
async fn connect(server: &Server) -> jetstream::Context {
    let options = async_nats::ConnectOptions::with_user_and_password(USER.to_owned(), PASSWORD.to_owned());
    jetstream::new(options.connect(server.url()).await.unwrap())
}

#[tokio::test]
async fn what_is_wrong_with_a_server_is_said_without_secrets() {
    let Some(server) = nats_server("nats::what_is_wrong_with_a_server_is_said_without_secrets", &Settings::default())
    else {
        return;
    };
    let url = server.url();
    let wrong = url.replace("correct", "wrong");
    let nowhere = "nats://alfred:correct-horse@127.0.0.1:1";
    let unreadable = NatsOptions { credentials: Some("no horse".into()), ..NatsOptions::default() };
    let many = NatsOptions { replicas: Some(3), ..NatsOptions::default() };
    let fine = NatsOptions::default();
    for (url, bucket, options, words) in [
        (&*wrong, "states", &fine, "refused: it does not accept these credentials"),
        (nowhere, "states", &fine, "is not available: it cannot be reached"),
        ("ftp://127.0.0.1", "states", &fine, "refused: its address cannot be read"),
        ("", "states", &fine, "refused: its address cannot be read"),
        (&*url, "a.b", &fine, "refused: the name of a bucket has"),
        (&*url, "", &fine, "refused: the name of a bucket has"),
        (&*url, "states", &unreadable, "refused: its credentials cannot be read"),
        (&*url, "states", &many, "ask for fewer replicas"),
    ] {
        let error = Nats::open(url, bucket, options, Chance::new()).await.unwrap_err().to_string();
        assert!(error.contains(words), "{url} {bucket}: {error}");
        assert!(!error.contains("horse"), "{error}");
    }
    let backend = open(&url).await.unwrap();
    let shown = format!("{backend:?}");
    assert!(
        !shown.contains("horse") && shown.starts_with("Nats(nats 127.0.0.1:") && shown.ends_with(" states)"),
        "{shown}"
    );
}

#[tokio::test]
async fn a_server_without_jetstream_is_refused_with_advice() {
    let settings = Settings { without_jetstream: true, ..Settings::default() };
    let Some(server) = nats_server("nats::a_server_without_jetstream_is_refused_with_advice", &settings) else {
        return;
    };
    let error = open(&server.url()).await.unwrap_err();
    assert!(matches!(&error, BackendError::Refused { words, .. } if words.contains("turn")), "{error}");
}

#[tokio::test]
async fn short_messages_are_enough() {
    let settings = Settings { max_payload: Some(8 << 10), ..Settings::default() };
    let Some(server) = nats_server("nats::short_messages_are_enough", &settings) else { return };
    let backend = open(&server.url()).await.unwrap();
    let state = name("short");
    let revision = done(backend.swap_document(&state, None, noise(6_000, 1)).await.unwrap());
    for length in [7_000, 8_000, 9_000, 700_000] {
        let content = noise(length, 1);
        assert_eq!(backend.put_blob(&state, &key(length as u64, 1), blob(&content)).await.unwrap(), Put::Created);
        assert!(backend.blob(&state, &key(length as u64, 1)).await.unwrap().unwrap().into_bytes() == content);
    }
    let error = backend.swap_document(&state, Some(revision), noise(9_000, 1)).await.unwrap_err();
    assert!(matches!(&error, BackendError::Refused { words, .. } if words.contains("`max_payload`")), "{error}");
}

#[tokio::test]
async fn a_server_that_was_killed_is_asked_again() {
    let Some(server) = nats_server("nats::a_server_that_was_killed_is_asked_again", &Settings::default()) else {
        return;
    };
    let backend = open(&server.url()).await.unwrap();
    let state = name("again");
    let content = noise(3_000_000, 1);
    let revision = done(backend.swap_document(&state, None, CONTENT).await.unwrap());
    assert_eq!(backend.put_blob(&state, &key(1, 1), blob(&content)).await.unwrap(), Put::Created);
    let server = server.restart().unwrap();
    assert_eq!(backend.document(&state).await.unwrap().unwrap().revision, revision);
    assert!(backend.blob(&state, &key(1, 1)).await.unwrap().unwrap().into_bytes() == content);
    done(backend.swap_document(&state, Some(revision), CONTENT).await.unwrap());
    drop(server);
}

#[tokio::test]
async fn damage_is_told() {
    let Some(server) = nats_server("nats::damage_is_told", &Settings::default()) else { return };
    let backend = open(&server.url()).await.unwrap();
    let (state, other) = (name("damaged"), name("cut"));
    assert_eq!(backend.put_blob(&state, &key(1, 1), blob(&noise(3_000_000, 1))).await.unwrap(), Put::Created);
    done(backend.swap_document(&state, None, noise(500, 1)).await.unwrap());

    let context = connect(&server).await;
    context.publish("$KV.states.damaged", noise(500, 2)).await.unwrap().await.unwrap();
    context.publish("$KV.states.cut", Bytes::new()).await.unwrap().await.unwrap();
    for state in [&state, &other] {
        let error = backend.document(state).await.unwrap_err();
        assert!(matches!(&error, BackendError::Damaged { .. }), "{error}");
    }
    let contents = context.get_stream("states-contents").await.unwrap();
    let third = contents.get_raw_message(3).await.unwrap();
    context.publish(third.subject.clone(), noise(third.payload.len(), 9)).await.unwrap().await.unwrap();
    let error = backend.blob(&state, &key(1, 1)).await.unwrap_err();
    assert!(matches!(&error, BackendError::Damaged { words, .. } if words.contains("not what was written")), "{error}");
    contents.purge().filter(third.subject.as_str()).await.unwrap();
    let error = backend.blob(&state, &key(1, 1)).await.unwrap_err();
    assert!(
        matches!(&error, BackendError::Damaged { words, .. } if words.contains("a piece of it is gone")),
        "{error}"
    );
    let whole = format!("states-contents.whole.damaged.{}", key(2, 2).as_key());
    context.publish(whole, CONTENT).await.unwrap().await.unwrap();
    for error in [backend.blob(&state, &key(2, 2)).await.unwrap_err(), backend.blobs(&state).await.unwrap_err()] {
        assert!(matches!(&error, BackendError::Damaged { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_mark_of_removal_that_stays_is_known_for_what_it_is() {
    let Some(server) = nats_server("nats::a_mark_of_removal_that_stays_is_known_for_what_it_is", &Settings::default())
    else {
        return;
    };
    let backend = open(&server.url()).await.unwrap();
    let state = name("removed");
    let revision = done(backend.swap_document(&state, None, CONTENT).await.unwrap());
    // What the tools of NATS do.
    let context = connect(&server).await;
    context.get_key_value("states").await.unwrap().delete("removed").await.unwrap();
    assert_eq!(backend.document(&state).await.unwrap(), None);
    assert_eq!(backend.states(None, 10).await.unwrap(), []);
    assert_eq!(backend.swap_document(&state, Some(revision), CONTENT).await.unwrap(), Swapped::Conflict);
    done(backend.swap_document(&state, None, CONTENT).await.unwrap());
    assert_eq!(backend.states(None, 10).await.unwrap(), [state]);
}

/// A backend behind a proxy that knows documents and their acknowledgements.
async fn behind_proxy(server: &Server) -> (Nats, Proxy) {
    let address = server.url().rsplit_once('@').unwrap().1.parse().unwrap();
    let proxy = Proxy::start(address, b"HPUB $KV.", b"{\"stream\":").await;
    let backend = open(&format!("nats://{USER}:{PASSWORD}@{}", proxy.address)).await.unwrap();
    (backend, proxy)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_message_is_sent_again_and_a_lost_answer_is_found_out() {
    let test = "nats::a_lost_message_is_sent_again_and_a_lost_answer_is_found_out";
    let Some(server) = nats_server(test, &Settings::default()) else { return };
    let (backend, proxy) = behind_proxy(&server).await;
    let state = name("lost");
    let mut revision = None;
    for round in 0..2 {
        proxy.lose_message();
        let (written, ()) = tokio::join!(backend.swap_document(&state, revision, noise(100, round)), proxy.cut());
        let written = done(written.unwrap());
        assert_eq!(backend.document(&state).await.unwrap().unwrap().revision, written);

        proxy.lose_answer();
        let (swapped, ()) = tokio::join!(backend.swap_document(&state, Some(written), noise(100, round)), async {
            proxy.cut().await;
            proxy.open();
        });
        let swapped = done(swapped.unwrap());
        assert_eq!(backend.document(&state).await.unwrap().unwrap().revision, swapped);
        assert_eq!(swapped.0, written.0 + 1, "it was written twice");
        revision = Some(swapped);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_claims_to_know_what_became_of_a_lost_answer_that_others_wrote_over() {
    let test = "nats::nobody_claims_to_know_what_became_of_a_lost_answer_that_others_wrote_over";
    let Some(server) = nats_server(test, &Settings::default()) else { return };
    let (backend, proxy) = behind_proxy(&server).await;
    let rival = open(&server.url()).await.unwrap();
    let state = name("lost");
    for is_removed in [false, true] {
        let before = rival.document(&state).await.unwrap().map(|document| document.revision);
        proxy.lose_answer();
        let (swapped, ()) = tokio::join!(backend.swap_document(&state, before, noise(100, 1)), async {
            proxy.cut().await;
            let written = rival.document(&state).await.unwrap().unwrap().revision;
            assert!(Some(written) > before, "it had not taken place");
            if is_removed {
                done(rival.remove_document(&state, written).await.unwrap());
            } else {
                done(rival.swap_document(&state, Some(written), CONTENT).await.unwrap());
            }
            proxy.open();
        });
        let error = swapped.unwrap_err();
        assert!(matches!(error, BackendError::Unavailable { .. }), "{error}");
    }
    assert_eq!(backend.document(&state).await.unwrap(), None);
}

/// How many messages contents and their pieces are.
async fn messages(contents: &jetstream::stream::Stream) -> u64 {
    contents.get_info().await.unwrap().state.messages
}

#[tokio::test]
async fn pieces_that_nothing_came_of_are_forgotten_when_they_are_old() {
    let test = "nats::pieces_that_nothing_came_of_are_forgotten_when_they_are_old";
    let Some(server) = nats_server(test, &Settings::default()) else { return };
    let backend = open(&server.url()).await.unwrap();
    let (state, kept) = (name("broken/off"), noise(3_000_000, 1));
    for serial in 1..=3 {
        backend.put_blob(&state, &key(serial, 1), blob(&kept)).await.unwrap();
    }
    // What a writer leaves behind that was killed before the last message, and one that was before the first piece arrived.
    let context = connect(&server).await;
    let contents = context.get_stream("states-contents").await.unwrap();
    for serial in 2..=3 {
        let whole = format!("states-contents.whole.broken/off.{}", key(serial, 1).as_key());
        contents.purge().filter(whole).await.unwrap();
    }
    let first = format!("states-contents.piece.broken/off.{}.*.0", key(3, 1).as_key());
    contents.purge().filter(first).await.unwrap();
    let before = messages(&contents).await;

    let newest = contents.get_last_raw_message_by_subject("states-contents.piece.>").await.unwrap().time;
    let newest = Timestamp::from_nanosecond(newest.unix_timestamp_nanos()).unwrap();
    assert_eq!(backend.forget_uploads(Timestamp::UNIX_EPOCH).await.unwrap(), 0);
    // The third one has a piece that is not older than that.
    assert_eq!(backend.forget_uploads(newest).await.unwrap(), 1);
    assert_eq!(messages(&contents).await, before - 6);
    assert_eq!(backend.forget_uploads(Timestamp::MAX).await.unwrap(), 1);
    assert_eq!(messages(&contents).await, 7, "a content of six pieces");
    assert!(backend.blob(&state, &key(1, 1)).await.unwrap().unwrap().into_bytes() == kept);
}

#[tokio::test]
async fn what_the_upkeep_deletes_of_broken_off_uploads_is_a_day_old() {
    /// So many hours after now.
    struct Later(i64);
    impl Clock for Later {
        fn now(&self) -> Timestamp {
            #[expect(clippy::disallowed_methods, reason = "the server tells its own time, which is the true one")]
            let now = Timestamp::now();
            now + SignedDuration::from_hours(self.0)
        }
    }
    let test = "nats::what_the_upkeep_deletes_of_broken_off_uploads_is_a_day_old";
    let Some(server) = nats_server(test, &Settings::default()) else { return };
    let backend = Arc::new(open(&server.url()).await.unwrap());
    // Nobody ever finished a version of it: no document names the state.
    backend.put_blob(&name("unborn"), &key(1, 1), blob(&noise(3_000_000, 1))).await.unwrap();
    let contents = connect(&server).await.get_stream("states-contents").await.unwrap();
    contents.purge().filter("states-contents.whole.>").await.unwrap();
    for (hours, expected) in [(0, 0), (23, 0), (25, 1), (25, 0)] {
        let seams = Seams { clock: Arc::new(Later(hours)), random: Chance::new() };
        let stores = Stores::single(Arc::<Nats>::clone(&backend), seams.clone());
        let states = States::new(stores, Keyring::default(), Defaults::default(), seams);
        assert_eq!(states.upkeep().await.unwrap().uploads, expected, "after {hours} hours");
    }
    assert_eq!(messages(&contents).await, 0);
}
