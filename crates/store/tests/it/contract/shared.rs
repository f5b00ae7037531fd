//! Values that replicas share.

use std::sync::Arc;

use alfred_store::{SharedValue, Store};
use futures::future::join_all;

fn value(text: &str, version: i64) -> SharedValue {
    SharedValue { text: text.to_owned(), version }
}

pub(crate) async fn a_value_is_created_once(store: Arc<dyn Store>) {
    assert_eq!(store.shared_value("one").await.unwrap(), None);
    assert!(!store.swap_shared_value("one", Some(1), "a").await.unwrap(), "there is none to replace");
    assert!(store.swap_shared_value("one", None, "a").await.unwrap());
    assert!(!store.swap_shared_value("one", None, "b").await.unwrap(), "it is there already");
    assert_eq!(store.shared_value("one").await.unwrap(), Some(value("a", 1)));
    assert_eq!(store.shared_value("other").await.unwrap(), None);
    let creations = (0..20).map(|number| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.swap_shared_value("race", None, &number.to_string()).await.unwrap() })
    });
    let created = join_all(creations).await.into_iter().filter(|created| *created.as_ref().unwrap()).count();
    assert_eq!(created, 1);
}

pub(crate) async fn a_value_is_swapped_by_whoever_read_it_last(store: Arc<dyn Store>) {
    store.swap_shared_value("one", None, "a").await.unwrap();
    store.swap_shared_value("other", None, "x").await.unwrap();
    assert!(store.swap_shared_value("one", Some(1), "b").await.unwrap());
    assert!(!store.swap_shared_value("one", Some(1), "c").await.unwrap(), "it has version 2 by now");
    assert!(store.swap_shared_value("one", Some(2), "b").await.unwrap(), "the same text is a swap like any other");
    assert_eq!(store.shared_value("one").await.unwrap(), Some(value("b", 3)));
    assert_eq!(store.shared_value("other").await.unwrap(), Some(value("x", 1)));
    let long = "ü".repeat(10_000);
    assert!(store.swap_shared_value("one", Some(3), &format!("{long}\0")).await.unwrap());
    assert_eq!(store.shared_value("one").await.unwrap(), Some(value(&format!("{long}\u{fffd}"), 4)));
}

pub(crate) async fn of_many_swaps_none_is_lost(store: Arc<dyn Store>) {
    store.swap_shared_value("sum", None, "0").await.unwrap();
    let adders = (0..8).map(|_| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let mut added = 0;
            while added < 25 {
                let read = store.shared_value("sum").await.unwrap().unwrap();
                let sum: u32 = read.text.parse().unwrap();
                if store.swap_shared_value("sum", Some(read.version), &(sum + 1).to_string()).await.unwrap() {
                    added += 1;
                }
            }
        })
    });
    for adder in join_all(adders).await {
        adder.unwrap();
    }
    assert_eq!(store.shared_value("sum").await.unwrap(), Some(value("200", 201)));
}
