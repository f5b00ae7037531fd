//! States that Terraform's own backend keeps in a bucket, one object each.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use alfred_state::BackendError;
use alfred_state::backend::{ObjectError, OpenOptions, Patience, S3Options, is_object, read_object};
use bytes::Bytes;
use jiff::Timestamp;

use crate::bucket::{BUCKET, Bucket, Fault, Object};
use crate::fixture::seams;

const RAW: &str = "env:/blue/team/terraform.tfstate";

/// A lock as Terraform writes it, of somebody with a strange name.
const HELD: &[u8] =
    br#"{"ID":"5d1f","Operation":"OperationTypeApply","Info":"","Who":"ada@desk\u001b[31m","Version":"1.11.4",
    "Created":"2026-01-01T00:00:00Z","Path":"states/team/terraform.tfstate"}"#;

fn put_raw(bucket: &Bucket, key: &str, content: &[u8]) {
    let modified_at = Timestamp::from_second(1_795_305_600).unwrap();
    let object = Object { content: Bytes::copy_from_slice(content), e_tag: "\"1\"".to_owned(), modified_at };
    bucket.contents().objects.insert(key.to_owned(), object);
}

fn options(bucket: &Bucket) -> OpenOptions {
    let S3Options { endpoint, access_key_id, secret_access_key, patience, .. } = bucket.options();
    let (access_key_id, secret_access_key) = (Some(access_key_id), Some(secret_access_key));
    OpenOptions { endpoint, access_key_id, secret_access_key, patience, ..OpenOptions::new(seams()) }
}

async fn read_raw(bucket: &Bucket, address: &str, size_max: u64) -> Result<Bytes, ObjectError> {
    read_object(address, size_max, &options(bucket)).await
}

#[tokio::test]
async fn a_state_of_terraforms_own_backend_is_read_from_its_object() {
    let bucket = Bucket::start().await;
    let address = format!("r2-object://{BUCKET}/{RAW}");
    assert!(is_object(&address) && is_object("s3-object://a/b") && !is_object("s3://a/b") && !is_object("object"));
    let missing = read_raw(&bucket, &address, 1_000).await.unwrap_err();
    assert_eq!(missing.to_string(), format!("there is no r2 {BUCKET}/{RAW}: check the bucket and the key"));
    put_raw(&bucket, RAW, b"{\"serial\":1}");
    assert_eq!(read_raw(&bucket, &address, 12).await.unwrap(), "{\"serial\":1}");
    let long = read_raw(&bucket, &address, 11).await.unwrap_err().to_string();
    assert!(long.contains("refused") && long.contains("has 12 bytes, more than 11"), "{long}");
    bucket.take_calls();
    let mut calls = 0;
    bucket.set_faults(move |_| {
        calls += 1;
        (calls % 2 == 1).then_some(Fault::Before(503))
    });
    assert_eq!(read_raw(&bucket, &address, 1_000).await.unwrap(), "{\"serial\":1}");
    assert_eq!(
        bucket.take_calls(),
        ["get"; 6],
        "the lock, the state and the lock again, each twice; nothing is written"
    );
    bucket.heal();
    for wrong in [
        "r2-object://",
        "r2-object://states",
        "r2-object://states/",
        "r2-object://states/a//b",
        "r2-object://states/a*",
    ] {
        let error = read_raw(&bucket, wrong, 1_000).await.unwrap_err();
        assert!(matches!(error, ObjectError::Backend(BackendError::Refused { .. })), "{wrong}: {error}");
    }
    let elsewhere = read_raw(&bucket, "r2-object://another/a", 1_000).await.unwrap_err().to_string();
    assert!(elsewhere.contains("there is no bucket `another`"), "{elsewhere}");
}

#[tokio::test]
async fn a_state_of_terraforms_own_backend_that_is_locked_is_not_read() {
    let bucket = Bucket::start().await;
    let (address, lock) = (format!("r2-object://{BUCKET}/{RAW}"), format!("{RAW}.tflock"));
    put_raw(&bucket, RAW, b"{}");
    put_raw(&bucket, &lock, HELD);
    let error = read_raw(&bucket, &address, 1_000).await.unwrap_err();
    let words = error.to_string();
    assert!(matches!(error, ObjectError::Locked { .. }), "{words}");
    assert!(words.contains("locked by `ada@desk") && words.contains("`OperationTypeApply`, lock `5d1f`"), "{words}");
    assert!(!words.chars().any(char::is_control), "{words:?}");
    put_raw(&bucket, &lock, b"held");
    let error = read_raw(&bucket, &address, 1_000).await.unwrap_err();
    assert!(matches!(error, ObjectError::LockedBySomebody { .. }), "{error}");
    put_raw(&bucket, &lock, &vec![b' '; 65_537]);
    assert!(read_raw(&bucket, &address, 1_000).await.is_err(), "whatever it says, it is there");
    bucket.contents().objects.remove(&lock);
    assert_eq!(read_raw(&bucket, &address, 1_000).await.unwrap(), "{}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_is_taken_while_the_state_is_read_counts() {
    let bucket = Bucket::start().await;
    put_raw(&bucket, RAW, b"{}");
    let (is_locked, has_looked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    // After the first look for a lock, the state does not come until somebody has locked it.
    bucket.set_faults({
        let (is_locked, has_looked) = (Arc::clone(&is_locked), Arc::clone(&has_looked));
        move |_| {
            let is_first = !has_looked.swap(true, Ordering::SeqCst);
            (!is_first && !is_locked.load(Ordering::SeqCst)).then_some(Fault::Before(503))
        }
    });
    let late = tokio::spawn({
        let bucket = bucket.clone();
        async move {
            while !has_looked.load(Ordering::SeqCst) {
                tokio::task::yield_now().await;
            }
            put_raw(&bucket, &format!("{RAW}.tflock"), HELD);
            is_locked.store(true, Ordering::SeqCst);
        }
    });
    let patience = Patience { attempts: u32::MAX, ..bucket.options().patience };
    let options = OpenOptions { patience, ..options(&bucket) };
    let error = read_object(&format!("r2-object://{BUCKET}/{RAW}"), 1_000, &options).await.unwrap_err();
    assert!(matches!(error, ObjectError::Locked { .. }), "{error}");
    late.await.unwrap();
}
