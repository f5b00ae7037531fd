//! What Terraform's requests cost on a bucket, and that what they are spared is spared without harm.

use std::sync::Arc;

use alfred_model::state::lock::{LockInfo, Released, Taken};
use alfred_model::state::retention::Defaults;
use alfred_state::{Keyring, StateError, States, Stores, Written};
use bytes::Bytes;

use crate::bucket::Bucket;
use crate::fixture::{name, seams};

/// States over a handle of their own.
async fn states(bucket: &Bucket) -> States {
    let stores = Stores::single(Arc::new(bucket.open().await), seams());
    States::new(stores, Keyring::default(), Defaults::default(), seams())
}

fn info(id: &str) -> LockInfo {
    LockInfo::parse(format!(r#"{{"ID":"{id}","Operation":"OperationTypeApply","Who":"w@h"}}"#).as_bytes()).unwrap()
}

fn content(serial: u64) -> Bytes {
    format!(r#"{{"version":4,"serial":{serial},"lineage":"one"}}"#).into()
}

#[tokio::test]
async fn an_apply_is_six_requests() {
    let bucket = Bucket::start().await;
    let states = states(&bucket).await;
    let state = name("production");
    for (serial, reading, locking) in [(1, vec!["get"], vec!["list", "put"]), (2, vec!["get"; 2], vec!["put"])] {
        bucket.take_calls();
        assert!(matches!(states.lock(&state, info("a"), "ann").await.unwrap(), Taken::New { .. }));
        assert_eq!(bucket.take_calls(), locking);
        assert_eq!(states.read(&state).await.unwrap().is_some(), serial > 1);
        assert_eq!(bucket.take_calls(), reading);
        let written = states.write(&state, content(serial), Some("a"), "ann").await.unwrap();
        assert!(matches!(written, Written::New(_)));
        assert_eq!(bucket.take_calls(), ["put", "put"]);
        assert!(matches!(states.unlock(&state, "a", "ann").await.unwrap(), Released::Done(_)));
        assert_eq!(bucket.take_calls(), ["put"]);
    }
}

/// Two control planes in turn: what one recalls, the other has changed meanwhile.
#[tokio::test]
async fn what_is_recalled_is_no_answer() {
    let bucket = Bucket::start().await;
    let (one, two) = (states(&bucket).await, states(&bucket).await);
    let state = name("production");
    let taken = |taken: Taken| matches!(taken, Taken::New { .. });

    // Recalled as free, and it is locked.
    assert!(taken(one.lock(&state, info("a"), "ann").await.unwrap()));
    one.unlock(&state, "a", "ann").await.unwrap();
    assert!(taken(two.lock(&state, info("b"), "bob").await.unwrap()));
    assert!(matches!(one.lock(&state, info("a"), "ann").await.unwrap(), Taken::Held(held) if held.info.id == "b"));
    let error = one.write(&state, content(1), Some("a"), "ann").await.unwrap_err();
    assert!(matches!(error, StateError::Refused(_)), "{error}");
    assert!(matches!(one.unlock(&state, "a", "ann").await.unwrap(), Released::HeldByAnother(_)));

    // Recalled as locked, and it is free.
    two.unlock(&state, "b", "bob").await.unwrap();
    assert!(taken(one.lock(&state, info("a"), "ann").await.unwrap()));

    // Recalled as locked by oneself, and the lock was taken away and given to another.
    two.force_unlock(&state, None, "bob").await.unwrap();
    assert!(taken(two.lock(&state, info("b"), "bob").await.unwrap()));
    let error = one.write(&state, content(1), Some("a"), "ann").await.unwrap_err();
    assert!(matches!(error, StateError::Refused(_)), "{error}");

    // Recalled as not written, and there is a version, which is the same, an older or a newer one.
    two.write(&state, content(2), Some("b"), "bob").await.unwrap();
    two.unlock(&state, "b", "bob").await.unwrap();
    let same = one.write(&state, content(2), None, "ann").await.unwrap();
    assert!(matches!(same, Written::Same(version) if version.by == "bob"));
    two.write(&state, content(5), None, "bob").await.unwrap();
    assert!(matches!(one.write(&state, content(4), None, "ann").await, Err(StateError::Refused(_))));
    two.delete(&state, None, "bob").await.unwrap();
    assert!(one.read(&state).await.unwrap().is_none());
    assert!(!one.delete(&state, None, "ann").await.unwrap());
}
