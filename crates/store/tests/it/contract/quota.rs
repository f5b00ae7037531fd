//! How many environments a user may have.

use std::sync::Arc;

use alfred_model::environment::{Environment, Status};
use alfred_model::user::User;
use alfred_store::{IdempotencyKey, Lease, NewEnvironments, Store, StoreError};
use futures::future::join_all;

use crate::fixture::{at, claim, environment, id, new, user, write};

fn limited(environments: impl IntoIterator<Item = Environment>, quota: u32) -> NewEnvironments {
    NewEnvironments { quota: Some(quota), ..new(environments) }
}

fn over_quota(outcome: Result<Vec<Environment>, StoreError>) -> (u64, u32, u64) {
    match outcome {
        Err(StoreError::OverQuota { used, limit, asked, owner }) if owner == "anna" => (used, limit, asked),
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn what_is_over_the_quota_is_refused_as_a_whole(store: Arc<dyn Store>) {
    store.create_environments(limited([environment(1), environment(2)], 3)).await.unwrap();
    let refused = store.create_environments(limited([environment(3), environment(4)], 3)).await;
    assert_eq!(over_quota(refused), (2, 3, 2));
    assert_eq!(store.environment(id(3)).await.unwrap(), None);
    store.create_environments(limited([environment(3)], 3)).await.unwrap();
    assert_eq!(store.live_environments(&"anna".parse().unwrap()).await.unwrap(), 3);
    let mut hers = environment(5);
    hers.owner = "berta".parse().unwrap();
    store.create_environments(limited([hers], 3)).await.unwrap();
    store.create_environments(new([environment(6)])).await.unwrap();
}

pub(crate) async fn what_is_deleted_counts_no_more(store: Arc<dyn Store>) {
    store.create_environments(limited([environment(1)], 1)).await.unwrap();
    store.wish_absent(id(1), "anna", at(1)).await.unwrap();
    assert_eq!(
        over_quota(store.create_environments(limited([environment(2)], 1)).await),
        (1, 1, 1),
        "it still has a VM"
    );
    let mut row = store.claim_environments(&claim("worker", 2)).await.unwrap().remove(0).environment;
    row.status = Status::Deleted;
    store.commit(write(row, Lease::Release)).await.unwrap();
    store.create_environments(limited([environment(2)], 1)).await.unwrap();
}

pub(crate) async fn a_user_may_have_a_quota_of_their_own(store: Arc<dyn Store>) {
    let anna = user("anna");
    assert!(!store.set_quota(&anna.name, Some(1)).await.unwrap(), "there is no such user");
    store.create_user(&anna).await.unwrap();
    assert!(store.set_quota(&anna.name, Some(1)).await.unwrap());
    assert_eq!(store.user(&anna.name).await.unwrap(), Some(User { quota: Some(1), ..anna.clone() }));
    assert_eq!(over_quota(store.create_environments(new([environment(1), environment(2)])).await), (0, 1, 2));
    assert!(store.set_quota(&anna.name, Some(5)).await.unwrap());
    store.create_environments(limited([environment(1), environment(2)], 1)).await.unwrap();
    assert!(store.set_quota(&anna.name, None).await.unwrap());
    assert_eq!(over_quota(store.create_environments(limited([environment(3)], 1)).await), (2, 1, 1));
    let with_own = User { quota: Some(7), ..user("berta") };
    store.create_user(&with_own).await.unwrap();
    assert_eq!(store.user(&with_own.name).await.unwrap(), Some(with_own));
}

pub(crate) async fn a_repeated_request_is_not_counted_twice(store: Arc<dyn Store>) {
    let key = IdempotencyKey {
        user: "anna".parse().unwrap(),
        key: "key".to_owned(),
        request_hash: "hash".to_owned(),
        at: at(0),
    };
    let request = |number| NewEnvironments { idempotency: Some(key.clone()), ..limited([environment(number)], 1) };
    store.create_environments(request(1)).await.unwrap();
    assert_eq!(store.create_environments(request(2)).await.unwrap()[0].id, id(1));
}

pub(crate) async fn many_at_once_stay_within_the_quota(store: Arc<dyn Store>) {
    store.create_user(&user("anna")).await.unwrap();
    let requests = (0..24_u128).map(|number| {
        let store = Arc::clone(&store);
        let rows = [environment(2 * number + 1), environment(2 * number + 2)];
        tokio::spawn(async move { store.create_environments(limited(rows, 9)).await })
    });
    let outcomes: Vec<_> = join_all(requests).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 4);
    assert!(
        outcomes.iter().all(|outcome| matches!(outcome, Ok(_) | Err(StoreError::OverQuota { .. }))),
        "{outcomes:?}"
    );
    assert_eq!(store.live_environments(&"anna".parse().unwrap()).await.unwrap(), 8);
}
