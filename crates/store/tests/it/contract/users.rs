//! Users and their access tokens.

use std::sync::Arc;

use alfred_model::user::Role;
use alfred_store::{Store, StoreError};

use crate::fixture::{at, token, user};

pub(crate) async fn a_user_is_added_once(store: Arc<dyn Store>) {
    let mut anna = user("anna");
    anna.role = Role::Administrator;
    store.create_user(&anna).await.unwrap();
    let again = store.create_user(&user("anna")).await;
    assert!(matches!(again, Err(StoreError::UserExists { name }) if name == "anna"));
    assert_eq!(store.user(&anna.name).await.unwrap(), Some(anna));
    assert_eq!(store.user(&"berta".parse().unwrap()).await.unwrap(), None);
}

pub(crate) async fn users_are_listed_by_name(store: Arc<dyn Store>) {
    let names = ["b", "a_b", "a-b", "a.b", "a@b", "ab", "a", "a1"];
    for name in names {
        store.create_user(&user(name)).await.unwrap();
    }
    let mut sorted = names;
    sorted.sort_unstable();
    assert_eq!(store.users().await.unwrap(), sorted.map(user), "by their bytes, whatever language the server speaks");
}

pub(crate) async fn a_token_needs_its_user(store: Arc<dyn Store>) {
    assert!(matches!(store.create_token(&token(1, "anna")).await, Err(StoreError::Conflict { .. })));
    store.create_user(&user("anna")).await.unwrap();
    store.create_token(&token(1, "anna")).await.unwrap();
    let mut same_hash = token(2, "anna");
    same_hash.hash = token(1, "anna").hash;
    assert!(matches!(store.create_token(&same_hash).await, Err(StoreError::Conflict { .. })));
    assert_eq!(store.tokens().await.unwrap(), [token(1, "anna")]);
}

pub(crate) async fn a_token_is_found_by_its_hash(store: Arc<dyn Store>) {
    store.create_user(&user("anna")).await.unwrap();
    store.create_token(&token(2, "anna")).await.unwrap();
    store.create_token(&token(1, "anna")).await.unwrap();
    let found = store.token_by_hash(&token(2, "anna").hash).await.unwrap();
    assert_eq!(found, Some((token(2, "anna"), user("anna"))));
    assert_eq!(store.token_by_hash("unknown").await.unwrap(), None);
    assert_eq!(store.tokens().await.unwrap(), [token(1, "anna"), token(2, "anna")], "oldest first");
}

pub(crate) async fn a_token_is_withdrawn_once(store: Arc<dyn Store>) {
    store.create_user(&user("anna")).await.unwrap();
    store.create_token(&token(1, "anna")).await.unwrap();
    assert!(store.revoke_token(token(1, "anna").id, at(5)).await.unwrap());
    assert!(!store.revoke_token(token(1, "anna").id, at(6)).await.unwrap());
    assert!(!store.revoke_token(token(2, "anna").id, at(6)).await.unwrap());
    let (found, _) = store.token_by_hash(&token(1, "anna").hash).await.unwrap().unwrap();
    assert_eq!(found.revoked_at, Some(at(5)), "found also when withdrawn");
}
