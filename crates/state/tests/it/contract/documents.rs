//! The document of one state, and the list of them.

use alfred_state::BackendError;
use alfred_state::backend::{DOCUMENT_MAX, Document, Revision, Swapped};
use bytes::Bytes;

use crate::fixture::{Store, done, name, noise};

const ONE: Bytes = Bytes::from_static(b"{\"one\":1}");
const TWO: Bytes = Bytes::from_static(b"{\"two\":2}");

pub(crate) async fn what_is_not_there_is_absent(store: &dyn Store) {
    let backend = store.open().await;
    let state = name("nothing");
    assert_eq!(backend.document(&state).await.unwrap(), None);
    assert_eq!(backend.swap_document(&state, Some(Revision(1)), ONE).await.unwrap(), Swapped::Conflict);
    assert_eq!(backend.remove_document(&state, Revision(1)).await.unwrap(), Swapped::Conflict);
    assert_eq!(backend.document(&state).await.unwrap(), None);
    assert_eq!(backend.states(None, 10).await.unwrap(), []);
}

pub(crate) async fn a_document_moves_only_from_the_value_that_is_expected(store: &dyn Store) {
    let backend = store.open().await;
    let state = name("team/production");
    let first = done(backend.swap_document(&state, None, ONE).await.unwrap());
    assert_eq!(backend.document(&state).await.unwrap(), Some(Document { revision: first, content: ONE }));

    assert_eq!(backend.swap_document(&state, None, TWO).await.unwrap(), Swapped::Conflict);
    for wrong in [first.0 - 1, first.0 + 1, first.0 + 100] {
        assert_eq!(backend.swap_document(&state, Some(Revision(wrong)), TWO).await.unwrap(), Swapped::Conflict);
    }
    assert_eq!(backend.document(&state).await.unwrap(), Some(Document { revision: first, content: ONE }));

    let second = done(backend.swap_document(&state, Some(first), TWO).await.unwrap());
    assert!(second > first);
    assert_eq!(backend.document(&state).await.unwrap(), Some(Document { revision: second, content: TWO }));
    assert_eq!(backend.swap_document(&state, Some(first), ONE).await.unwrap(), Swapped::Conflict);
    // The same content is another value all the same.
    let third = done(backend.swap_document(&state, Some(second), TWO).await.unwrap());
    assert!(third > second);
}

pub(crate) async fn a_value_is_seen_by_every_handle(store: &dyn Store) {
    let (one, other) = (store.open().await, store.open().await);
    let state = name("shared");
    let mut revision = None;
    for round in 0..20_u64 {
        let (writer, reader) = if round % 2 == 0 { (&one, &other) } else { (&other, &one) };
        let content = noise(100, round);
        let written = done(writer.swap_document(&state, revision, content.clone()).await.unwrap());
        assert_eq!(reader.document(&state).await.unwrap(), Some(Document { revision: written, content }));
        // Whoever has not looked since is refused.
        assert_eq!(reader.swap_document(&state, revision, ONE).await.unwrap(), Swapped::Conflict);
        revision = Some(written);
    }
}

pub(crate) async fn a_removed_document_is_absent_and_its_revisions_do_not_come_again(store: &dyn Store) {
    let (backend, other) = (store.open().await, store.open().await);
    let state = name("removed");
    let mut last = Revision(0);
    for round in 0..5 {
        let created = done(backend.swap_document(&state, None, ONE).await.unwrap());
        assert!(created > last, "round {round}");
        assert_eq!(backend.remove_document(&state, Revision(created.0 + 1)).await.unwrap(), Swapped::Conflict);
        assert!(matches!(backend.remove_document(&state, created).await.unwrap(), Swapped::Done(_)));
        assert_eq!(other.document(&state).await.unwrap(), None);
        assert_eq!(backend.remove_document(&state, created).await.unwrap(), Swapped::Conflict);
        assert_eq!(other.swap_document(&state, Some(created), TWO).await.unwrap(), Swapped::Conflict);
        last = created;
    }
}

pub(crate) async fn the_longest_document_is_kept_and_a_longer_one_refused(store: &dyn Store) {
    let backend = store.open().await;
    let state = name("long");
    let longest = noise(DOCUMENT_MAX, 1);
    let revision = done(backend.swap_document(&state, None, longest.clone()).await.unwrap());
    for wrong in [noise(DOCUMENT_MAX + 1, 2), Bytes::new()] {
        let error = backend.swap_document(&state, Some(revision), wrong).await.unwrap_err();
        assert!(matches!(&error, BackendError::Refused { place, .. } if place == backend.place()), "{error}");
    }
    assert_eq!(store.open().await.document(&state).await.unwrap().unwrap().content, longest);
}

/// Names that some store might take for one another, or for part of its own keys.
const ALIKE: [&str; 13] = [
    "a",
    "a-b",
    "a.b",
    "a/b",
    "a_b",
    "a/b/c",
    "a..b",
    "a0",
    "ab",
    "states",
    "lock",
    "documents/0",
    "a/00000000000000000001",
];

pub(crate) async fn names_that_look_alike_are_told_apart(store: &dyn Store) {
    let backend = store.open().await;
    let mut names: Vec<_> = ALIKE.map(name).to_vec();
    names.push(name(&"x".repeat(128)));
    names.push(name(&format!("{}/x", "x".repeat(126))));
    for state in &names {
        done(backend.swap_document(state, None, state.as_str().to_owned().into()).await.unwrap());
    }
    for state in &names {
        assert_eq!(backend.document(state).await.unwrap().unwrap().content, state.as_str());
    }
    names.sort();
    assert_eq!(backend.states(None, 100).await.unwrap(), names);
}

pub(crate) async fn states_are_listed_in_order_and_in_pages(store: &dyn Store) {
    let backend = store.open().await;
    let mut names: Vec<_> = ALIKE.map(name).to_vec();
    for state in &names {
        // Several values each, which must not be listed several times.
        let mut revision = None;
        for _ in 0..3 {
            revision = Some(done(backend.swap_document(state, revision, ONE).await.unwrap()));
        }
    }
    names.sort();
    for size in [1, 2, 5, 12, 13, 14] {
        let mut pages = Vec::new();
        loop {
            let page = backend.states(pages.last(), size).await.unwrap();
            let is_last = page.len() < size;
            assert!(page.len() <= size);
            pages.extend(page);
            if is_last {
                break;
            }
        }
        assert_eq!(pages, names, "pages of {size}");
    }
    // A place to begin need not be a state.
    assert_eq!(backend.states(Some(&name("a/b/b")), 1).await.unwrap(), [name("a/b/c")]);
    assert_eq!(backend.states(Some(&name("z")), 1).await.unwrap(), []);
    assert_eq!(backend.states(None, 0).await.unwrap(), []);
}

pub(crate) async fn states_whose_document_was_removed_are_not_listed(store: &dyn Store) {
    let backend = store.open().await;
    let [first, second, third] = ["a", "b/c", "d"].map(name);
    for state in [&first, &second, &third] {
        let revision = done(backend.swap_document(state, None, ONE).await.unwrap());
        if *state == second {
            done(backend.remove_document(state, revision).await.unwrap());
        }
    }
    assert_eq!(backend.states(None, 1).await.unwrap(), std::slice::from_ref(&first));
    assert_eq!(backend.states(Some(&first), 1).await.unwrap(), std::slice::from_ref(&third));
    assert_eq!(backend.states(None, 10).await.unwrap(), [first, third]);
}

pub(crate) async fn many_values_leave_the_last_one(store: &dyn Store) {
    let backend = store.open().await;
    let state = name("busy");
    let forgotten = done(backend.swap_document(&state, None, ONE).await.unwrap());
    let mut revision = forgotten;
    for round in 0..60 {
        revision = done(backend.swap_document(&state, Some(revision), noise(50, round)).await.unwrap());
        // Also once the value that would come next is long forgotten.
        if round > 0 {
            assert_eq!(backend.swap_document(&state, Some(forgotten), TWO).await.unwrap(), Swapped::Conflict);
        }
    }
    for handle in [backend, store.open().await] {
        let expected = Document { revision, content: noise(50, 59) };
        assert_eq!(handle.document(&state).await.unwrap(), Some(expected));
        assert_eq!(handle.swap_document(&state, Some(forgotten), TWO).await.unwrap(), Swapped::Conflict);
        assert_eq!(handle.states(None, 10).await.unwrap(), std::slice::from_ref(&state));
    }
}
