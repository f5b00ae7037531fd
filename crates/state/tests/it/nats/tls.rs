//! Encrypted connections, by TCP and WebSockets, to servers whose authority is known on this machine or is not.

use std::process::{Command, Stdio};
use std::sync::Arc;

use alfred_state::backend::{Nats, NatsOptions};
use alfred_state::{Backend, BackendError};
use alfred_testing::certificates::{Authority, Certificate};
use alfred_testing::nats::{Server, Settings};
use async_trait::async_trait;

use crate::contract::{blobs, documents, races};
use crate::fixture::{Chance, Store, nats_server};

/// Names the address of the server for the process that knows its authority.
const ADDRESS: &str = "ALFRED_TEST_NATS_ADDRESS";

/// A bucket for each rule and kind of connection, on a server that somebody else started.
struct Bucket<'a> {
    url: &'a str,
    rule: &'static str,
}

#[async_trait]
impl Store for Bucket<'_> {
    async fn open(&self) -> Arc<dyn Backend> {
        let name = format!("{}-{}", self.rule, self.url.split(':').next().unwrap());
        Arc::new(Nats::open(self.url, &name, &NatsOptions::default(), Chance::new()).await.unwrap())
    }
}

async fn open(url: &str) -> Result<Nats, BackendError> {
    Nats::open(url, "states", &NatsOptions::default(), Chance::new()).await
}

fn server(test: &str, certificate: Certificate) -> Option<Server> {
    nats_server(test, &Settings { certificate: Some(certificate), ..Settings::default() })
}

/// What a store promises, by an encrypted connection.
async fn hold_the_contract(url: &str) {
    documents::a_document_moves_only_from_the_value_that_is_expected(&Bucket { url, rule: "moves" }).await;
    documents::the_longest_document_is_kept_and_a_longer_one_refused(&Bucket { url, rule: "longest" }).await;
    documents::states_are_listed_in_order_and_in_pages(&Bucket { url, rule: "listed" }).await;
    blobs::a_blob_is_written_once(&Bucket { url, rule: "once" }).await;
    races::of_many_creators_one_wins(&Bucket { url, rule: "creators" }).await;
    races::of_many_writers_of_one_blob_one_creates_it(&Bucket { url, rule: "race" }).await;
}

/// Runs the test of this name once more, in a process whose `SSL_CERT_FILE` names the authority.
fn run_again_knowing(authority: &Authority, test: &str, address: &str) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).stdin(Stdio::null());
    let output = command.env(ADDRESS, address).env("SSL_CERT_FILE", authority.file()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{address}:\n{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("1 passed"), "nothing was tried: {said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_authority_that_the_environment_names_is_known() {
    let test = "nats::tls::an_authority_that_the_environment_names_is_known";
    if let Ok(url) = std::env::var(ADDRESS) {
        return hold_the_contract(&url).await;
    }
    let Some(authority) = Authority::new(test) else { return };
    let Some(server) = server(test, authority.certificate("IP:127.0.0.1,DNS:localhost")) else { return };
    for url in [server.url(), server.websocket_url()] {
        assert!(url.starts_with("tls://") || url.starts_with("wss://"), "{url}");
        run_again_knowing(&authority, test, &url);
    }
}

/// Somebody who did not ask for it gets an encrypted connection where the server wants one, and a name counts as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_wants_encryption_gets_it() {
    let test = "nats::tls::a_server_that_wants_encryption_gets_it";
    if let Ok(url) = std::env::var(ADDRESS) {
        return documents::a_value_is_seen_by_every_handle(&Bucket { url: &url, rule: "states" }).await;
    }
    let Some(authority) = Authority::new(test) else { return };
    let Some(server) = server(test, authority.certificate("IP:127.0.0.1,DNS:localhost")) else { return };
    let plain = server.url().replace("tls://", "nats://").replace("127.0.0.1", "localhost");
    run_again_knowing(&authority, test, &plain);
}

#[tokio::test]
async fn a_server_that_cannot_be_believed_is_refused_with_advice() {
    let test = "nats::tls::a_server_that_cannot_be_believed_is_refused_with_advice";
    if let Ok(url) = std::env::var(ADDRESS) {
        for url in [url.clone(), url.replace("wss://", "tls://").replace("tls://", "nats://")] {
            let error = open(&url).await.unwrap_err();
            let is_named = |words: &str| words.contains("for another name") && words.contains("localhost");
            assert!(matches!(&error, BackendError::Refused { words, .. } if is_named(words)), "{url}: {error}");
        }
        return;
    }
    let Some(authority) = Authority::new(test) else { return };
    let Some(server) = server(test, authority.certificate("DNS:localhost")) else { return };
    for url in [server.url(), server.websocket_url(), server.url().replace("tls://", "nats://")] {
        let error = open(&url).await.unwrap_err();
        let is_told = |words: &str| words.contains("does not know") && words.contains("`SSL_CERT_FILE`");
        assert!(matches!(&error, BackendError::Refused { words, .. } if is_told(words)), "{url}: {error}");
        assert!(!error.to_string().contains("horse"), "{error}");
    }
    run_again_knowing(&authority, test, &server.url());

    let Some(plain) = nats_server(test, &Settings::default()) else { return };
    let encrypted = |url: String, scheme| format!("{scheme}{}", &url[url.find("://").unwrap()..]);
    for (url, words) in [
        (encrypted(plain.url(), "tls"), "it does not speak TLS there: begin its address with `nats://`"),
        (encrypted(plain.websocket_url(), "wss"), "it does not speak TLS there"),
        (encrypted(server.websocket_url(), "ws"), "begin its address with `wss://`"),
    ] {
        let error = open(&url).await.unwrap_err().to_string();
        assert!(error.contains(words), "{url}: {error}");
    }
}

#[tokio::test]
async fn certificates_that_nobody_can_use_are_named() {
    let test = "nats::tls::certificates_that_nobody_can_use_are_named";
    if let Ok(url) = std::env::var(ADDRESS) {
        let error = open(&url).await.unwrap_err();
        let is_known = std::env::var("SSL_CERT_FILE").unwrap() != "/nowhere";
        let expected = if is_known { "an authority's own" } else { "check the certificates of authorities" };
        let is_told = |words: &str| words.contains(expected) && (is_known || words.contains("/nowhere"));
        assert!(matches!(&error, BackendError::Refused { words, .. } if is_told(words)), "{error}");
        return;
    }
    let Some(authority) = Authority::new(test) else { return };
    let own = Certificate { file: authority.file(), key_file: authority.key_file() };
    let Some(server) = server(test, own) else { return };
    run_again_knowing(&authority, test, &server.url());
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).stdin(Stdio::null());
    let output = command.env(ADDRESS, server.url()).env("SSL_CERT_FILE", "/nowhere").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
