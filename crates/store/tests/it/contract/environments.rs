//! Creating and finding environments.

use std::sync::Arc;

use alfred_model::environment::Status;
use alfred_model::id::InstallationId;
use alfred_store::{EnvironmentQuery, IdempotencyKey, Lease, NewEnvironments, Store, StoreError};
use uuid::Uuid;

use crate::fixture::{at, claim, claimed, environment, event, id, new, stored, write};

pub(crate) async fn the_installation_is_given_once(store: Arc<dyn Store>) {
    let first = InstallationId(Uuid::from_u128(1));
    assert_eq!(store.installation(first).await.unwrap(), first);
    assert_eq!(store.installation(InstallationId(Uuid::from_u128(2))).await.unwrap(), first);
}

pub(crate) async fn a_ping_is_answered(store: Arc<dyn Store>) {
    store.ping().await.unwrap();
}

pub(crate) async fn what_was_created_is_read_back(store: Arc<dyn Store>) {
    let mut wanted = environment(1);
    wanted.vm_id = Some(alfred_model::id::VmId(-5));
    wanted.address = Some([198, 51, 100, 7].into());
    wanted.record_id = alfred_model::id::RecordId::parse("023e105f4ecef8ad9ca31a8372d0c353");
    wanted.setup.script = Some("#!/bin/sh\necho 'ä \"quoted\"; -- $1'".to_owned());
    wanted.released_at = Some(at(-5));
    wanted.reason = Some("the order was refused: sold out in `EU`".to_owned());
    wanted.attention = true;
    wanted.attempts = u32::MAX;
    let answered = store.create_environments(new([wanted.clone()])).await.unwrap();
    assert_eq!(answered, [wanted.clone()]);
    assert_eq!(stored(&*store, 1).await, wanted);
    assert_eq!(store.environment_by_slug(&wanted.slug).await.unwrap(), Some(wanted));
    assert_eq!(store.environment(id(2)).await.unwrap(), None);
    assert_eq!(store.environment_by_slug(&environment(2).slug).await.unwrap(), None);
}

pub(crate) async fn all_or_none_are_created(store: Arc<dyn Store>) {
    store.create_environments(new([environment(1)])).await.unwrap();
    let mut same_slug = environment(3);
    same_slug.slug = environment(1).slug;
    let request = NewEnvironments {
        events: vec![event(&environment(2), "asked for")],
        idempotency: Some(key("anna", "key", "hash")),
        ..new([environment(2), same_slug])
    };
    let refused = store.create_environments(request).await;
    assert!(matches!(refused, Err(StoreError::SlugTaken { slug }) if slug == "brave-tiger-1"));
    assert_eq!(store.environment(id(2)).await.unwrap(), None);
    assert_eq!(store.last_event().await.unwrap(), 0);
    let again = NewEnvironments { idempotency: Some(key("anna", "key", "other")), ..new([environment(4)]) };
    assert_eq!(store.create_environments(again).await.unwrap().len(), 1, "a refused request does not use up its key");
}

pub(crate) async fn a_request_is_repeated_by_its_key(store: Arc<dyn Store>) {
    let request = NewEnvironments {
        events: vec![event(&environment(1), "asked for")],
        idempotency: Some(key("anna", "key", "hash")),
        ..new([environment(2), environment(1)])
    };
    store.create_environments(request.clone()).await.unwrap();
    store.wish_absent(id(1), "anna", at(5)).await.unwrap();
    let before = store.created_before(&key("anna", "key", "hash")).await.unwrap();
    assert_eq!(before, Some(vec![stored(&*store, 2).await, stored(&*store, 1).await]));
    let repeated = NewEnvironments { environments: vec![environment(7), environment(8)], ..request };
    let answered = store.create_environments(repeated).await.unwrap();
    assert_eq!(answered, [stored(&*store, 2).await, stored(&*store, 1).await], "as they are now, in their order");
    assert_eq!(store.environment(id(7)).await.unwrap(), None);
    assert_eq!(store.last_event().await.unwrap(), 2, "the first request's event and the wish's");
}

pub(crate) async fn a_key_belongs_to_a_user_and_a_request(store: Arc<dyn Store>) {
    let request = |number, key| NewEnvironments { idempotency: Some(key), ..new([environment(number)]) };
    store.create_environments(request(1, key("anna", "key", "hash"))).await.unwrap();
    let other_request = store.create_environments(request(2, key("anna", "key", "other"))).await;
    assert!(matches!(other_request, Err(StoreError::KeyReused)));
    assert!(matches!(store.created_before(&key("anna", "key", "other")).await, Err(StoreError::KeyReused)));
    for unused in [key("berta", "key", "hash"), key("anna", "other", "hash")] {
        assert_eq!(store.created_before(&unused).await.unwrap(), None);
        assert_eq!(store.created_before(&unused).await.unwrap(), None, "looking uses nothing up");
    }
    let other_user = store.create_environments(request(3, key("berta", "key", "other"))).await.unwrap();
    assert_eq!(other_user, [environment(3)]);
}

fn key(user: &str, key: &str, request_hash: &str) -> IdempotencyKey {
    IdempotencyKey {
        user: user.parse().unwrap(),
        key: key.to_owned(),
        request_hash: request_hash.to_owned(),
        at: at(0),
    }
}

/// Deletes environment `number`, which is new.
async fn delete(store: &dyn Store, number: u128) {
    let mut row = claimed(store, number).await;
    row.status = Status::Deleted;
    row.wake_at = None;
    store.commit(write(row, Lease::Release)).await.unwrap();
}

pub(crate) async fn a_slug_is_free_again_after_deletion(store: Arc<dyn Store>) {
    delete(&*store, 1).await;
    let mut second = environment(2);
    second.slug = environment(1).slug;
    let slug = second.slug.clone();
    assert_eq!(store.environment_by_slug(&slug).await.unwrap().map(|row| row.id), Some(id(1)));
    store.create_environments(new([second])).await.unwrap();
    assert_eq!(store.environment_by_slug(&slug).await.unwrap().map(|row| row.id), Some(id(2)));
    let mut row = store.claim_environments(&claim("worker", 2)).await.unwrap().remove(0).environment;
    row.status = Status::Deleted;
    store.commit(write(row, Lease::Release)).await.unwrap();
    assert_eq!(store.environment_by_slug(&slug).await.unwrap().map(|row| row.id), Some(id(2)), "the newest deleted");
}

pub(crate) async fn a_slug_twice_in_one_request_is_taken(store: Arc<dyn Store>) {
    let mut twin = environment(2);
    twin.slug = environment(1).slug;
    let refused = store.create_environments(new([environment(1), twin])).await;
    assert!(matches!(refused, Err(StoreError::SlugTaken { .. })));
    assert_eq!(store.environment(id(1)).await.unwrap(), None);
}

pub(crate) async fn an_id_is_used_once(store: Arc<dyn Store>) {
    store.create_environments(new([environment(1)])).await.unwrap();
    let mut twin = environment(2);
    twin.id = id(1);
    assert!(matches!(store.create_environments(new([twin])).await, Err(StoreError::Conflict { .. })));
}

pub(crate) async fn lists_are_filtered_and_paged(store: Arc<dyn Store>) {
    let rows = (1..=5).rev().map(|number| {
        let mut row = environment(number);
        row.owner = if number % 2 == 0 { "anna" } else { "berta" }.parse().unwrap();
        row.status = if number < 4 { Status::Active } else { Status::Error };
        row
    });
    store.create_environments(new(rows)).await.unwrap();
    let list = async |query| -> Vec<u128> {
        store.environments(query).await.unwrap().iter().map(|row| row.id.0.as_u128()).collect()
    };
    assert_eq!(list(EnvironmentQuery::default()).await, [1, 2, 3, 4, 5]);
    let page = EnvironmentQuery { limit: 2, ..EnvironmentQuery::default() };
    assert_eq!(list(page.clone()).await, [1, 2]);
    assert_eq!(list(EnvironmentQuery { after: Some(id(2)), ..page.clone() }).await, [3, 4]);
    assert_eq!(list(EnvironmentQuery { after: Some(id(4)), ..page.clone() }).await, [5]);
    assert_eq!(list(EnvironmentQuery { owner: Some("berta".parse().unwrap()), ..page.clone() }).await, [1, 3]);
    let active = EnvironmentQuery { status: Some(Status::Active), ..EnvironmentQuery::default() };
    assert_eq!(list(active.clone()).await, [1, 2, 3]);
    assert_eq!(list(EnvironmentQuery { owner: Some("anna".parse().unwrap()), ..active }).await, [2]);
}

pub(crate) async fn lists_know_deleted_environments(store: Arc<dyn Store>) {
    delete(&*store, 1).await;
    store.create_environments(new([environment(2)])).await.unwrap();
    let list = async |query| -> Vec<u128> {
        store.environments(query).await.unwrap().iter().map(|row| row.id.0.as_u128()).collect()
    };
    assert_eq!(list(EnvironmentQuery::default()).await, [2]);
    assert_eq!(list(EnvironmentQuery { include_deleted: true, ..EnvironmentQuery::default() }).await, [1, 2]);
    let deleted = EnvironmentQuery { status: Some(Status::Deleted), ..EnvironmentQuery::default() };
    assert_eq!(list(deleted).await, [1]);
    assert_eq!(stored(&*store, 1).await.status, Status::Deleted, "one is found by its id also when deleted");
}

pub(crate) async fn nul_characters_do_not_hurt(store: Arc<dyn Store>) {
    let mut row = environment(1);
    row.reason = Some("bad\0answer".to_owned());
    row.setup.script = Some("a\0b".to_owned());
    store.create_environments(new([row.clone()])).await.unwrap();
    let kept = stored(&*store, 1).await;
    assert!(kept.reason.is_some_and(|reason| reason.starts_with("bad") && reason.ends_with("answer")));
    assert_eq!(kept.setup, row.setup);
}
