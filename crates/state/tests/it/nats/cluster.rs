//! Three servers that keep each message three times.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use alfred_model::state::{BlobKey, BlobTag, Checksum, VersionKey};
use alfred_state::backend::{Document, Nats, NatsOptions, OpenOptions, Revision, Swapped, open};
use alfred_state::{Backend, BackendError};
use alfred_testing::nats::cluster::Cluster;
use alfred_testing::nats::{self, PASSWORD, USER};
use async_nats::jetstream;
use async_trait::async_trait;
use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::contract::{blobs, documents, races};
use crate::fixture::{Chance, Store, blob, done, key, name, noise, seams};

const THREE: NatsOptions = NatsOptions { credentials: None, replicas: Some(3), max_bytes: None };

/// Three servers that have agreed on who leads; none, if there is no program, which is then said.
async fn cluster(test: &str) -> Option<Cluster> {
    let program = nats::server(test)?;
    let cluster = Cluster::start(&program, 3).unwrap_or_else(|words| panic!("{words}"));
    for _ in 0..10 {
        if Nats::open(&cluster.urls()[0], "first", &THREE, Chance::new()).await.is_ok() {
            return Some(cluster);
        }
    }
    panic!("three servers did not find each other");
}

/// A bucket for each rule, whose handles are connected to one server after the other.
struct Bucket {
    urls: Vec<String>,
    name: &'static str,
    next: AtomicUsize,
}

#[async_trait]
impl Store for Bucket {
    async fn open(&self) -> Arc<dyn Backend> {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        Arc::new(Nats::open(&self.urls[next % 3], self.name, &THREE, Chance::new()).await.unwrap())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_store_promises_is_kept_by_three() {
    let Some(cluster) = cluster("nats::cluster::what_a_store_promises_is_kept_by_three").await else { return };
    let bucket = |name| Bucket { urls: cluster.urls(), name, next: AtomicUsize::new(0) };
    documents::a_document_moves_only_from_the_value_that_is_expected(&bucket("moves")).await;
    documents::a_value_is_seen_by_every_handle(&bucket("seen")).await;
    documents::a_removed_document_is_absent_and_its_revisions_do_not_come_again(&bucket("removed")).await;
    documents::states_are_listed_in_order_and_in_pages(&bucket("listed")).await;
    blobs::a_blob_is_written_once(&bucket("once")).await;
    blobs::a_deleted_blob_is_absent_and_may_be_written_again(&bucket("deleted")).await;
    races::of_many_writers_one_wins_each_round(&bucket("rounds")).await;
    races::of_many_creators_one_wins(&bucket("creators")).await;
    races::a_removal_and_a_change_never_both_win(&bucket("removals")).await;
    races::of_many_writers_of_one_blob_one_creates_it(&bucket("race")).await;
    races::a_reader_beside_a_writer_sees_whole_values_in_order(&bucket("reader")).await;
    races::a_writer_whose_upload_is_forgotten_is_told(&bucket("hurried")).await;
}

/// A connection that goes past the backend.
async fn connect(cluster: &Cluster) -> jetstream::Context {
    let options = async_nats::ConnectOptions::with_user_and_password(USER.to_owned(), PASSWORD.to_owned());
    jetstream::new(options.connect(&cluster.urls()[..]).await.unwrap())
}

async fn replicas(context: &jetstream::Context, stream: &str) -> usize {
    context.get_stream(stream).await.unwrap().cached_info().config.num_replicas
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_asks_for_more_servers_and_never_for_fewer() {
    let Some(cluster) = cluster("nats::cluster::an_address_asks_for_more_servers_and_never_for_fewer").await else {
        return;
    };
    let beside = connect(&cluster).await;
    let (state, content, url) = (name("grown"), noise(2_000_000, 1), &cluster.urls()[1]);
    let options = OpenOptions::new(seams());
    let mut revision = None;
    for (asked, expected) in [("", 1), ("?replicas=3", 3), ("?replicas=1", 3), ("", 3)] {
        let backend = open(&format!("{url}/team{asked}"), &options).await.unwrap();
        for stream in ["KV_team", "team-contents"] {
            assert_eq!(replicas(&beside, stream).await, expected, "`{asked}`: {stream}");
        }
        if revision.is_none() {
            backend.put_blob(&state, &key(1, 1), blob(&content)).await.unwrap();
        }
        assert!(backend.blob(&state, &key(1, 1)).await.unwrap().unwrap().into_bytes() == content);
        revision = Some(done(backend.swap_document(&state, revision, noise(100, 1)).await.unwrap()));
    }
    let error = open(&format!("{url}/more?replicas=5"), &options).await.unwrap_err();
    assert!(matches!(&error, BackendError::Refused { words, .. } if words.contains("fewer replicas")), "{error}");
}

/// What writers and readers saw.
#[derive(Default)]
struct Seen {
    /// Versions that were acknowledged: the document that names them was written.
    safe: BTreeSet<String>,
    /// The value that the document had at each revision.
    values: BTreeMap<u64, Bytes>,
    /// What each change that was acknowledged came after.
    after: BTreeSet<Option<u64>>,
    failures: usize,
}

impl Seen {
    fn value(&mut self, document: &Document) {
        let value = self.values.entry(document.revision.0).or_insert_with(|| document.content.clone());
        assert!(*value == document.content, "revision {} has two values", document.revision.0);
    }

    fn swapped(&mut self, expected: Option<Revision>, document: &Document, version: String) {
        self.value(document);
        assert!(self.after.insert(expected.map(|revision| revision.0)), "two came after {expected:?}");
        self.safe.insert(version);
    }
}

/// Writes one version as the crate itself does: its content first, then the document that names it.
async fn write(backend: &dyn Backend, seen: &Mutex<Seen>, number: u64) -> Result<(), BackendError> {
    let state = name("killed");
    let before = backend.document(&state).await?;
    if let Some(document) = &before {
        seen.lock().unwrap().value(document);
    }
    let (expected, lines) = before.map_or((None, Bytes::new()), |before| (Some(before.revision), before.content));
    let serial = lines.split(|byte| *byte == b'\n').count() as u64;
    let content = noise(if number.is_multiple_of(3) { 900_000 } else { 300 }, number);
    let sha256 = Checksum(Sha256::digest(&content).into());
    let key = BlobKey { version: VersionKey { serial, sha256 }, tag: BlobTag(number) };
    backend.put_blob(&state, &key, blob(&content)).await?;
    let content: Bytes = [&lines, format!("{}\n", key.as_key()).as_bytes()].concat().into();
    if let Swapped::Done(revision) = backend.swap_document(&state, expected, content.clone()).await? {
        seen.lock().unwrap().swapped(expected, &Document { revision, content }, key.as_key());
    }
    Ok(())
}

/// The server that leads the stream, once there is one.
async fn leader(context: &jetstream::Context, stream: &str) -> String {
    for _ in 0..300 {
        if let Ok(stream) = context.get_stream(stream).await
            && let Some(leader) = stream.cached_info().cluster.as_ref().and_then(|cluster| cluster.leader.clone())
        {
            return leader;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("nobody leads {stream}");
}

/// Waits until so many more versions are safe.
async fn wait_for(seen: &Mutex<Seen>, more: usize) {
    let begin = seen.lock().unwrap().safe.len();
    for _ in 0..600 {
        if seen.lock().unwrap().safe.len() >= begin + more {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("nothing is written any more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_killed_nothing_that_was_acknowledged_is_lost() {
    let test = "nats::cluster::whoever_is_killed_nothing_that_was_acknowledged_is_lost";
    let Some(mut cluster) = cluster(test).await else { return };
    let (seen, is_over) = (Arc::new(Mutex::new(Seen::default())), Arc::new(AtomicBool::new(false)));
    let mut writers = Vec::new();
    for (writer, url) in (0_u64..).zip(cluster.urls()) {
        let backend = Nats::open(&url, "states", &THREE, Chance::new()).await.unwrap();
        let (seen, is_over) = (Arc::clone(&seen), Arc::clone(&is_over));
        writers.push(tokio::spawn(async move {
            for number in (writer << 32).. {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                if let Err(error) = write(&backend, &seen, number).await {
                    assert!(matches!(error, BackendError::Unavailable { .. }), "{error}");
                    seen.lock().unwrap().failures += 1;
                }
            }
        }));
    }
    let context = connect(&cluster).await;
    for (round, stream) in ["KV_states", "states-contents", "KV_states"].into_iter().enumerate() {
        wait_for(&seen, 5).await;
        let leader = leader(&context, stream).await;
        assert!(cluster.kill(&leader).unwrap(), "{leader} does not run");
        // Two are enough, except that the last one comes back while they still look for a new leader.
        if round < 2 {
            wait_for(&seen, 5).await;
        }
        cluster.start_killed().unwrap();
    }
    wait_for(&seen, 5).await;
    is_over.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    let seen = Arc::into_inner(seen).unwrap().into_inner().unwrap();
    println!("3 kills: {} versions are safe, {} tries failed", seen.safe.len(), seen.failures);
    for url in cluster.urls() {
        check(&Nats::open(&url, "states", &THREE, Chance::new()).await.unwrap(), &seen).await;
    }
}

/// Looks at the store as the next process finds it.
async fn check(backend: &Nats, seen: &Seen) {
    let state = name("killed");
    let document = backend.document(&state).await.unwrap().unwrap();
    if let Some(value) = seen.values.get(&document.revision.0) {
        assert!(*value == document.content, "the last revision has two values");
    }
    let text = String::from_utf8(document.content.to_vec()).unwrap();
    let named: BTreeSet<&str> = text.lines().collect();
    for version in &seen.safe {
        assert!(named.contains(&**version), "{version} was acknowledged and is lost");
    }
    for (line, serial) in text.lines().zip(1..) {
        let key = BlobKey::from_key(line).unwrap();
        assert_eq!(key.version.serial, serial);
        let content = backend.blob(&state, &key).await.unwrap().unwrap_or_else(|| panic!("version {serial} is gone"));
        let digest = content.0.iter().fold(Sha256::new(), Sha256::chain_update).finalize();
        assert_eq!(Checksum(digest.into()), key.version.sha256, "version {serial} is torn");
    }
}
