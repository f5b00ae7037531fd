//! Users with credentials files, on a server that knows their operator: what Synadia Cloud is to its users.

use std::sync::Arc;

use alfred_state::backend::{Nats, NatsOptions, OpenOptions, Put, Swapped, open};
use alfred_state::{Backend, BackendError};
use alfred_testing::nats::{Server, Settings};
use async_trait::async_trait;

use super::operator::Operator;
use crate::contract::{blobs, documents, races};
use crate::fixture::{Chance, Store, blob, done, key, name, nats_server, noise, seams};

const ROOM: u64 = 200_000_000;

fn options(credentials: &str) -> NatsOptions {
    NatsOptions { credentials: Some(credentials.into()), ..NatsOptions::default() }
}

/// A bucket for each rule, and one user for all.
struct Bucket<'a> {
    url: &'a str,
    name: &'static str,
    credentials: &'a str,
}

#[async_trait]
impl Store for Bucket<'_> {
    async fn open(&self) -> Arc<dyn Backend> {
        Arc::new(Nats::open(self.url, self.name, &options(self.credentials), Chance::new()).await.unwrap())
    }
}

fn server(test: &str, operator: &Operator, is_limit_demanded: bool) -> Option<Server> {
    let operator = Some(operator.configuration(ROOM, is_limit_demanded));
    nats_server(test, &Settings { operator, ..Settings::default() })
}

/// What the documents say that a user needs, for one bucket.
fn least(bucket: &str) -> String {
    let streams = [format!("KV_{bucket}"), format!("{bucket}-contents")];
    let mut allowed = vec![format!("$KV.{bucket}.>"), format!("{bucket}-contents.>")];
    for stream in streams {
        for call in ["INFO", "CREATE", "UPDATE", "PURGE", "MSG.GET", "MSG.DELETE"] {
            allowed.push(format!("$JS.API.STREAM.{call}.{stream}"));
        }
        allowed.push(format!("$JS.API.DIRECT.GET.{stream}.>"));
        allowed.push(format!("$JS.API.CONSUMER.CREATE.{stream}"));
        allowed.push(format!("$JS.API.CONSUMER.DELETE.{stream}.*"));
        allowed.push(format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.*"));
    }
    format!(r#""pub":{{"allow":{allowed:?}}},"sub":{{"allow":["_INBOX.>"]}},"#)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_of_an_operator_has_all_that_a_store_promises() {
    let operator = Operator::new();
    let test = "nats::credentials::a_user_of_an_operator_has_all_that_a_store_promises";
    let Some(server) = server(test, &operator, false) else { return };
    let (tcp, websocket) = (server.url(), server.websocket_url());
    // As a variable has it whose value was read from a file.
    let all = operator.credentials("").trim_end().to_owned();
    let bucket = |url, name| Bucket { url, name, credentials: &all };
    documents::a_document_moves_only_from_the_value_that_is_expected(&bucket(&tcp, "moves")).await;
    documents::states_are_listed_in_order_and_in_pages(&bucket(&websocket, "listed")).await;
    blobs::a_blob_is_written_once(&bucket(&tcp, "once")).await;
    races::of_many_creators_one_wins(&bucket(&websocket, "creators")).await;

    let few = operator.credentials(&least("least"));
    let backend = Bucket { url: &tcp, name: "least", credentials: &few }.open().await;
    let (state, content) = (name("team/one"), noise(2_000_000, 1));
    assert_eq!(backend.put_blob(&state, &key(1, 1), blob(&content)).await.unwrap(), Put::Created);
    assert!(backend.blob(&state, &key(1, 1)).await.unwrap().unwrap().into_bytes() == content);
    assert_eq!(backend.blobs(&state).await.unwrap().len(), 1);
    let revision = done(backend.swap_document(&state, None, noise(100, 1)).await.unwrap());
    assert_eq!(backend.states(None, 10).await.unwrap().len(), 1);
    assert_eq!(backend.forget_uploads(jiff::Timestamp::MAX).await.unwrap(), 0);
    backend.delete_blob(&state, &key(1, 1)).await.unwrap();
    assert!(matches!(backend.remove_document(&state, revision).await.unwrap(), Swapped::Done(_)));
    assert_eq!(backend.document(&state).await.unwrap(), None);
}

#[tokio::test]
async fn an_account_that_demands_a_limit_is_given_one_by_the_address() {
    let operator = Operator::new();
    let test = "nats::credentials::an_account_that_demands_a_limit_is_given_one_by_the_address";
    let Some(server) = server(test, &operator, true) else { return };
    let mut given = OpenOptions::new(seams());
    given.nats.credentials = Some(operator.credentials("").into());
    let at = |rest: &str| format!("{}/states{rest}", server.url());
    for (rest, words) in [("", "`?max_bytes=1GiB`"), ("?max_bytes=1GiB", "no room left")] {
        let error = open(&at(rest), &given).await.unwrap_err();
        assert!(matches!(&error, BackendError::Refused { words: told, .. } if told.contains(words)), "{error}");
    }
    let backend = open(&at("?max_bytes=2MiB"), &given).await.unwrap();
    let state = name("full");
    backend.put_blob(&state, &key(1, 1), blob(&noise(1_500_000, 1))).await.unwrap();
    let error = backend.put_blob(&state, &key(2, 1), blob(&noise(1_500_000, 2))).await.unwrap_err();
    assert!(matches!(&error, BackendError::Refused { words, .. } if words.contains("no room left")), "{error}");
    // What is there stays, and a document is elsewhere.
    assert!(backend.blob(&state, &key(1, 1)).await.unwrap().is_some());
    done(backend.swap_document(&state, None, noise(100, 1)).await.unwrap());
}

#[tokio::test]
async fn what_a_user_may_not_do_is_told() {
    let operator = Operator::new();
    let Some(server) = server("nats::credentials::what_a_user_may_not_do_is_told", &operator, false) else { return };
    let url = server.url();
    let all = operator.credentials("");
    let backend = Nats::open(&url, "states", &options(&all), Chance::new()).await.unwrap();
    let state = name("mine");
    let revision = done(backend.swap_document(&state, None, noise(100, 1)).await.unwrap());
    for (denied, subject) in [
        (r#""pub":{"deny":["$JS.API.STREAM.INFO.>"]},"#, "publish to `$JS.API.STREAM.INFO.KV_states`"),
        (r#""sub":{"deny":["_INBOX.>"]},"#, "subscribe to `_INBOX.>`"),
    ] {
        let error =
            Nats::open(&url, "states", &options(&operator.credentials(denied)), Chance::new()).await.unwrap_err();
        assert!(matches!(&error, BackendError::Refused { words, .. } if words.contains(subject)), "{error}");
    }
    let denied =
        r#""pub":{"deny":["$KV.states.mine","states-contents.>","$JS.API.CONSUMER.>","$JS.API.STREAM.PURGE.>"]},"#;
    let backend = Nats::open(&url, "states", &options(&operator.credentials(denied)), Chance::new()).await.unwrap();
    assert_eq!(backend.document(&state).await.unwrap().unwrap().revision, revision);
    let (small, large) = (blob(&noise(100, 1)), blob(&noise(1_500_000, 1)));
    for (error, subject) in [
        (backend.swap_document(&state, Some(revision), noise(100, 2)).await.unwrap_err(), "`$KV.states.mine`"),
        (backend.put_blob(&state, &key(1, 1), small).await.unwrap_err(), "`states-contents.whole.mine."),
        (backend.put_blob(&state, &key(1, 1), large).await.unwrap_err(), "`states-contents.piece.mine."),
        (backend.states(None, 10).await.unwrap_err(), "`$JS.API.CONSUMER.CREATE.KV_states`"),
        (backend.delete_blob(&state, &key(1, 1)).await.unwrap_err(), "`$JS.API.STREAM.PURGE.states-contents`"),
    ] {
        let is_told = |words: &str| words.contains("its user may not publish to") && words.contains(subject);
        assert!(matches!(&error, BackendError::Refused { words, .. } if is_told(words)), "{subject}: {error}");
    }
    // Others' documents may be written all the same.
    done(backend.swap_document(&name("yours"), None, noise(100, 1)).await.unwrap());
}

#[tokio::test]
async fn credentials_are_for_whoever_the_address_does_not_name() {
    let (operator, stranger) = (Operator::new(), Operator::new());
    let test = "nats::credentials::credentials_are_for_whoever_the_address_does_not_name";
    let Some(server) = server(test, &operator, false) else { return };
    let named = server.url().replace("nats://", "nats://alfred:correct-horse@");
    let (own, foreign) = (operator.credentials(""), stranger.credentials(""));
    for (url, credentials) in [(&server.url(), &foreign), (&named, &own)] {
        let error = Nats::open(url, "states", &options(credentials), Chance::new()).await.unwrap_err();
        let is_told = |words: &str| words.contains("does not accept these credentials");
        assert!(matches!(&error, BackendError::Refused { words, .. } if is_told(words)), "{error}");
        let seed = credentials.lines().find(|line| line.starts_with("SU")).unwrap();
        assert!(!error.to_string().contains(seed) && !error.to_string().contains("horse"), "{error}");
    }
    // The other one of two stores may be one's own, with a password.
    let Some(plain) = nats_server(test, &Settings::default()) else { return };
    let backend = Nats::open(&plain.url(), "states", &options(&own), Chance::new()).await.unwrap();
    done(backend.swap_document(&name("own"), None, noise(100, 1)).await.unwrap());
}
