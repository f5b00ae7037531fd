//! Rights on states and their log, in memory.

use std::collections::BTreeMap;

use alfred_model::id::{StateLogId, TokenId};
use alfred_model::state::log::{StateLogEntry, StateLogQuery};
use alfred_model::state::{StateGrant, StatePattern, Subject};
use alfred_model::user::{AccessToken, UserName};

use super::tables::Tables;
use crate::StoreError;

/// Rights and lines.
#[derive(Debug, Default)]
pub(super) struct States {
    grants: BTreeMap<(String, &'static str, String), StateGrant>,
    log: BTreeMap<StateLogId, StateLogEntry>,
}

/// Ordered as the databases order it: by the texts.
fn key(subject: &Subject, pattern: &StatePattern) -> (String, &'static str, String) {
    (pattern.to_string(), subject.kind(), subject.name())
}

impl States {
    pub(super) fn grants(&self) -> Vec<StateGrant> {
        self.grants.values().cloned().collect()
    }

    pub(super) fn grants_of(&self, user: &UserName, token: TokenId) -> Vec<StateGrant> {
        let own = [Subject::User(user.clone()), Subject::Token(token)];
        self.grants.values().filter(|grant| own.contains(&grant.subject)).cloned().collect()
    }

    pub(super) fn remove(&mut self, subject: &Subject, pattern: &StatePattern) -> bool {
        self.grants.remove(&key(subject, pattern)).is_some()
    }

    pub(super) fn note(&mut self, line: StateLogEntry) {
        self.log.insert(line.id, line);
    }

    /// The whole log, oldest first.
    pub(super) fn lines(&self) -> impl Iterator<Item = &StateLogEntry> {
        self.log.values()
    }

    pub(super) fn log(&self, query: &StateLogQuery) -> Vec<StateLogEntry> {
        let fits = |line: &&StateLogEntry| {
            query.state.as_ref().is_none_or(|state| line.state == state.as_str())
                && query.before.is_none_or(|before| line.id < before)
        };
        self.log.values().rev().filter(fits).take(query.limit).cloned().collect()
    }
}

impl Tables {
    pub(super) fn put_state_grant(&mut self, grant: &StateGrant) -> Result<(), StoreError> {
        let is_there = match &grant.subject {
            Subject::User(name) => self.users.contains_key(name),
            Subject::Token(id) => self.tokens.contains_key(id),
        };
        if !is_there {
            return Err(StoreError::Conflict { what: format!("the {}", grant.subject) });
        }
        self.states.grants.insert(key(&grant.subject, &grant.pattern), grant.clone());
        Ok(())
    }

    pub(super) fn create_limited_token(
        &mut self,
        token: &AccessToken,
        grants: &[StateGrant],
    ) -> Result<(), StoreError> {
        self.create_token(token)?;
        for grant in grants {
            self.states.grants.insert(key(&grant.subject, &grant.pattern), grant.clone());
        }
        Ok(())
    }
}
