//! Immutable contents.

use alfred_model::state::{BlobKey, BlobTag};
use alfred_state::Blob;
use alfred_state::backend::{BlobEntry, Put};
use bytes::Bytes;
use jiff::Timestamp;

use crate::fixture::{Store, blob, done, key, name, noise};

pub(crate) async fn a_blob_is_written_once(store: &dyn Store) {
    let (backend, other) = (store.open().await, store.open().await);
    let state = name("team/production");
    let (first, second) = (noise(1_000, 1), noise(2_000, 2));
    assert_eq!(backend.blob(&state, &key(1, 1)).await.unwrap(), None);
    assert_eq!(backend.put_blob(&state, &key(1, 1), blob(&first)).await.unwrap(), Put::Created);
    assert_eq!(other.put_blob(&state, &key(1, 1), blob(&second)).await.unwrap(), Put::Exists);
    for handle in [backend, other] {
        assert_eq!(handle.blob(&state, &key(1, 1)).await.unwrap().unwrap().into_bytes(), first);
    }
}

pub(crate) async fn lengths_from_nothing_to_many_chunks_are_kept(store: &dyn Store) {
    const MIB: usize = 1 << 20;
    let backend = store.open().await;
    let state = name("lengths");
    let lengths = [0, 1, 131_071, 131_072, 131_073, MIB, MIB + 1, 5 * MIB, 8 * MIB - 1, 16 * MIB, 20 * MIB + 7];
    for (serial, length) in (0..).zip(lengths) {
        let content = noise(length, serial);
        assert_eq!(backend.put_blob(&state, &key(serial, 0), blob(&content)).await.unwrap(), Put::Created);
        assert_eq!(backend.put_blob(&state, &key(serial, 0), blob(&content)).await.unwrap(), Put::Exists);
        let read = backend.blob(&state, &key(serial, 0)).await.unwrap().unwrap().into_bytes();
        assert!(read == content, "{length} bytes became {}", read.len());
    }
    let sizes: Vec<u64> = backend.blobs(&state).await.unwrap().iter().map(|entry| entry.size).collect();
    assert_eq!(sizes, lengths.map(|length| length as u64));
}

pub(crate) async fn pieces_are_joined(store: &dyn Store) {
    let backend = store.open().await;
    let state = name("pieces");
    let pieces = [noise(150, 1), Bytes::new(), noise(3_000_000, 2), noise(1, 3), noise(2_500_000, 4)];
    let whole: Bytes = pieces.concat().into();
    assert_eq!(backend.put_blob(&state, &key(1, 1), Blob(pieces.to_vec())).await.unwrap(), Put::Created);
    assert!(backend.blob(&state, &key(1, 1)).await.unwrap().unwrap().into_bytes() == whole);
    assert_eq!(backend.put_blob(&state, &key(2, 2), Blob(Vec::new())).await.unwrap(), Put::Created);
    assert!(backend.blob(&state, &key(2, 2)).await.unwrap().unwrap().is_empty());
}

pub(crate) async fn blobs_are_listed_by_key_with_their_lengths(store: &dyn Store) {
    let backend = store.open().await;
    let state = name("listed");
    assert_eq!(backend.blobs(&state).await.unwrap(), []);
    let other = BlobKey { tag: BlobTag(u64::MAX), ..key(9, 9) };
    let mut keys = vec![key(u64::MAX, 1), key(10, 0), other, key(9, 9), key(9, 8), key(0, 255)];
    for (length, key) in (1..).zip(&keys) {
        assert_eq!(backend.put_blob(&state, key, blob(&noise(length, 1))).await.unwrap(), Put::Created);
    }
    let listed = backend.blobs(&state).await.unwrap();
    for (length, key) in (1..).zip(&keys) {
        assert!(listed.contains(&BlobEntry { key: *key, size: length }), "{key:?}");
    }
    keys.sort();
    assert_eq!(listed.into_iter().map(|entry| entry.key).collect::<Vec<_>>(), keys);
}

pub(crate) async fn blobs_of_other_states_and_keys_are_others(store: &dyn Store) {
    let backend = store.open().await;
    let keys = [key(1, 1), key(1, 2), key(2, 1), BlobKey { tag: BlobTag(8), ..key(1, 1) }];
    let names = ["a", "a/b", "a.b", "a/b/c", "b"].map(name);
    for (number, state) in (0..).zip(&names) {
        for (seed, key) in (number * 10..).zip(&keys) {
            assert_eq!(backend.put_blob(state, key, blob(&noise(64, seed))).await.unwrap(), Put::Created);
        }
    }
    for (number, state) in (0..).zip(&names) {
        for (seed, key) in (number * 10..).zip(&keys) {
            assert_eq!(backend.blob(state, key).await.unwrap().unwrap().into_bytes(), noise(64, seed));
        }
        assert_eq!(backend.blobs(state).await.unwrap().len(), keys.len());
    }
}

pub(crate) async fn a_deleted_blob_is_absent_and_may_be_written_again(store: &dyn Store) {
    let (backend, other) = (store.open().await, store.open().await);
    let state = name("deleted");
    backend.delete_blob(&state, &key(1, 1)).await.unwrap();
    let (first, second) = (noise(2_500_000, 1), noise(100, 2));
    assert_eq!(backend.put_blob(&state, &key(1, 1), blob(&first)).await.unwrap(), Put::Created);
    assert_eq!(backend.put_blob(&state, &key(2, 1), blob(&first)).await.unwrap(), Put::Created);
    other.delete_blob(&state, &key(1, 1)).await.unwrap();
    other.delete_blob(&state, &key(1, 1)).await.unwrap();
    assert_eq!(backend.blob(&state, &key(1, 1)).await.unwrap(), None);
    assert_eq!(backend.blobs(&state).await.unwrap(), [BlobEntry { key: key(2, 1), size: 2_500_000 }]);
    assert_eq!(backend.put_blob(&state, &key(1, 1), blob(&second)).await.unwrap(), Put::Created);
    assert_eq!(other.blob(&state, &key(1, 1)).await.unwrap().unwrap().into_bytes(), second);
    assert!(other.blob(&state, &key(2, 1)).await.unwrap().unwrap().into_bytes() == first);
}

pub(crate) async fn a_blob_needs_no_document_and_outlives_it(store: &dyn Store) {
    let backend = store.open().await;
    let state = name("orphan");
    assert_eq!(backend.put_blob(&state, &key(1, 1), blob(&noise(10, 1))).await.unwrap(), Put::Created);
    assert_eq!(backend.states(None, 10).await.unwrap(), []);
    assert_eq!(backend.document(&state).await.unwrap(), None);
    let revision = done(backend.swap_document(&state, None, Bytes::from_static(b"{}")).await.unwrap());
    done(backend.remove_document(&state, revision).await.unwrap());
    assert_eq!(backend.blob(&state, &key(1, 1)).await.unwrap().unwrap().into_bytes(), noise(10, 1));
}

pub(crate) async fn forgetting_uploads_keeps_every_blob(store: &dyn Store) {
    let backend = store.open().await;
    let state = name("kept");
    let lengths = [0, 300, 700_000, 3_000_000];
    for (serial, length) in (1..).zip(lengths) {
        let put = backend.put_blob(&state, &key(serial, 0), blob(&noise(length, serial))).await.unwrap();
        assert_eq!(put, Put::Created);
    }
    assert_eq!(backend.forget_uploads(Timestamp::MAX).await.unwrap(), 0);
    for (serial, length) in (1..).zip(lengths) {
        let read = backend.blob(&state, &key(serial, 0)).await.unwrap().unwrap().into_bytes();
        assert!(read == noise(length, serial), "of {length} bytes");
    }
}
