//! Rights on states, and the log of what was done to them.

use std::sync::Arc;

use alfred_model::id::StateLogId;
use alfred_model::state::log::{StateAction, StateLogEntry, StateLogQuery, StateOutcome};
use alfred_model::state::{Checksum, StateGrant, Subject, VersionKey};
use alfred_model::user::AccessToken;
use alfred_store::{Store, StoreError};
use uuid::Uuid;

use crate::fixture::{at, token, user};

fn grant(subject: Subject, pattern: &str, rights: &str) -> StateGrant {
    let by = "root".parse().unwrap();
    StateGrant { subject, pattern: pattern.parse().unwrap(), rights: rights.parse().unwrap(), by, at: at(1) }
}

fn anna() -> Subject {
    Subject::User("anna".parse().unwrap())
}

fn tokens(number: u128) -> Subject {
    Subject::Token(token(number, "anna").id)
}

fn line(number: u128, state: &str) -> StateLogEntry {
    let id = StateLogId(Uuid::from_u128(number));
    StateLogEntry::new(id, at(2), "anna", state, StateAction::Read, StateOutcome::Done)
}

/// A line with everything in it.
fn full(number: u128) -> StateLogEntry {
    StateLogEntry {
        token: Some(token(1, "anna").id),
        action: StateAction::ForceUnlock,
        outcome: StateOutcome::Forbidden,
        version: Some(VersionKey { serial: u64::MAX, sha256: Checksum([7; 32]) }),
        lock_id: Some("lock".to_owned()),
        bytes: Some(256 << 20),
        remote: Some("192.0.2.1".to_owned()),
        detail: Some("no right".to_owned()),
        ..line(number, "team/a")
    }
}

pub(crate) async fn rights_need_somebody_who_has_them(store: Arc<dyn Store>) {
    for subject in [anna(), tokens(1)] {
        let refused = store.put_state_grant(&grant(subject, "*", "read")).await;
        assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
    }
    assert_eq!(store.state_grants().await.unwrap(), []);
}

pub(crate) async fn rights_are_given_anew_and_taken_away(store: Arc<dyn Store>) {
    store.create_user(&user("anna")).await.unwrap();
    store.create_user(&user("berta")).await.unwrap();
    store.create_token(&token(1, "anna")).await.unwrap();
    store.create_token(&token(2, "anna")).await.unwrap();
    let berta = Subject::User("berta".parse().unwrap());
    let of_anna = grant(anna(), "team/*", "read");
    let of_token = grant(tokens(1), "*", "read,write,lock");
    for grant in [&grant(berta.clone(), "a", "administer"), &of_token, &of_anna, &grant(tokens(2), "a", "lock")] {
        store.put_state_grant(grant).await.unwrap();
    }
    let name = "anna".parse().unwrap();
    let mut own = store.state_grants_of(&name, token(1, "anna").id).await.unwrap();
    own.sort_by_key(|grant| grant.pattern.to_string());
    assert_eq!(own, [of_token, of_anna.clone()]);
    let more = StateGrant { rights: "read,force-unlock".parse().unwrap(), at: at(9), ..of_anna };
    store.put_state_grant(&more).await.unwrap();
    assert!(store.remove_state_grant(&tokens(1), &"*".parse().unwrap()).await.unwrap());
    assert!(!store.remove_state_grant(&tokens(1), &"*".parse().unwrap()).await.unwrap());
    assert_eq!(
        store.state_grants().await.unwrap(),
        [grant(tokens(2), "a", "lock"), grant(berta, "a", "administer"), more],
        "by pattern and whose they are"
    );
}

pub(crate) async fn a_limited_token_comes_with_its_rights_or_not_at_all(store: Arc<dyn Store>) {
    let limited = AccessToken { states_only: true, ..token(1, "anna") };
    let rights = [grant(tokens(1), "a", "read"), grant(tokens(1), "b/*", "lock")];
    assert!(matches!(store.create_limited_token(&limited, &rights).await, Err(StoreError::Conflict { .. })));
    assert_eq!(store.state_grants().await.unwrap(), []);
    store.create_user(&user("anna")).await.unwrap();
    store.create_limited_token(&limited, &rights).await.unwrap();
    assert_eq!(store.tokens().await.unwrap(), std::slice::from_ref(&limited));
    assert_eq!(store.token_by_hash(&limited.hash).await.unwrap().unwrap().0, limited);
    assert_eq!(store.state_grants().await.unwrap(), rights);
}

pub(crate) async fn the_log_is_read_newest_first_and_in_pages(store: Arc<dyn Store>) {
    for line in [line(3, "b"), full(2), line(1, "team/a"), line(4, "team/a")] {
        store.log_state(&line).await.unwrap();
    }
    let query = |state: Option<&str>, before: Option<u128>, limit| StateLogQuery {
        state: state.map(|state| state.parse().unwrap()),
        before: before.map(|number| StateLogId(Uuid::from_u128(number))),
        limit,
    };
    let all = store.state_log(&query(None, None, 10)).await.unwrap();
    assert_eq!(all, [line(4, "team/a"), line(3, "b"), full(2), line(1, "team/a")]);
    assert_eq!(store.state_log(&query(None, None, 2)).await.unwrap(), all[..2]);
    assert_eq!(store.state_log(&query(None, Some(3), 10)).await.unwrap(), all[2..]);
    assert_eq!(store.state_log(&query(Some("team/a"), Some(4), 1)).await.unwrap(), [full(2)]);
    assert_eq!(store.state_log(&query(Some("c"), None, 10)).await.unwrap(), []);
}
