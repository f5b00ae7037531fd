//! All rows, and the questions about them.

use std::collections::{BTreeMap, BTreeSet};

use alfred_model::environment::{Environment, Status};
use alfred_model::event::Event;
use alfred_model::id::{EnvironmentId, InstallationId, IntentId, TokenId};
use alfred_model::intent::Intent;
use alfred_model::name::Slug;
use alfred_model::user::{AccessToken, User, UserName};
use alfred_model::vm::{Vm, VmState};
use jiff::Timestamp;

use super::rows::Rows;
use super::sightings::Sightings;
use super::states::States;
use crate::{EnvironmentQuery, IntentQuery, SharedValue, StoreError};

/// The environments that a request with an idempotency key made.
#[derive(Debug)]
pub(super) struct UsedKey {
    pub(super) request_hash: String,
    pub(super) environments: Vec<EnvironmentId>,
    pub(super) at: Timestamp,
}

/// Everything the store knows.
#[derive(Debug, Default)]
pub(super) struct Tables {
    pub(super) installation: Option<InstallationId>,
    pub(super) environments: Rows<Environment>,
    pub(super) live_slugs: BTreeMap<Slug, EnvironmentId>,
    pub(super) vms: Rows<Vm>,
    pub(super) intents: BTreeMap<IntentId, Intent>,
    pub(super) open_intents: BTreeSet<IntentId>,
    pub(super) events: Vec<Event>,
    pub(super) used_keys: BTreeMap<(UserName, String), UsedKey>,
    pub(super) users: BTreeMap<UserName, User>,
    pub(super) tokens: BTreeMap<TokenId, AccessToken>,
    pub(super) sightings: Sightings,
    pub(super) shared_values: BTreeMap<String, SharedValue>,
    pub(super) states: States,
}

impl Tables {
    pub(super) fn environment_by_slug(&self, slug: &Slug) -> Option<Environment> {
        let live = self.live_slugs.get(slug).and_then(|id| self.environments.get(id)).map(|held| held.row.clone());
        live.or_else(|| self.environments.all().rfind(|row| row.slug == *slug).cloned())
    }

    pub(super) fn list_environments(&self, query: &EnvironmentQuery) -> Vec<Environment> {
        let fits = |row: &&Environment| {
            query.owner.as_ref().is_none_or(|owner| row.owner == *owner)
                && query.batch.is_none_or(|batch| row.batch == Some(batch))
                && query.status.is_none_or(|status| row.status == status)
                && (row.status != Status::Deleted || query.shows_deleted())
                && query.after.is_none_or(|after| row.id > after)
        };
        self.environments.all().filter(fits).take(at_most(query.limit)).cloned().collect()
    }

    pub(super) fn list_vms(&self, include_ended: bool) -> Vec<Vm> {
        self.vms.all().filter(|vm| include_ended || vm.state != VmState::Ended).cloned().collect()
    }

    pub(super) fn list_intents(&self, query: &IntentQuery) -> Vec<Intent> {
        let fits = |intent: &&Intent| {
            query.environment.is_none_or(|environment| intent.environment_id == Some(environment))
                && query.kind.is_none_or(|kind| intent.kind == kind)
                && (!query.only_open || intent.outcome.is_open())
                && query.since.is_none_or(|since| intent.created_at >= since)
        };
        if query.since.is_none() {
            return self.intents.values().rev().filter(fits).take(at_most(query.limit)).cloned().collect();
        }
        let mut found: Vec<Intent> = self.intents.values().filter(fits).cloned().collect();
        found.sort_by_key(|intent| std::cmp::Reverse((intent.created_at, intent.id)));
        found.truncate(at_most(query.limit));
        found
    }

    pub(super) fn list_events(&self, environment: Option<EnvironmentId>, after: i64, limit: usize) -> Vec<Event> {
        let fits = |event: &&Event| {
            event.sequence > after && environment.is_none_or(|environment| event.environment_id == environment)
        };
        self.events.iter().filter(fits).take(limit).cloned().collect()
    }

    pub(super) fn last_event(&self) -> i64 {
        self.events.last().map_or(0, |event| event.sequence)
    }

    /// Adds an event and gives it its sequence.
    pub(super) fn add_event(&mut self, event: &mut Event) {
        event.sequence = self.last_event() + 1;
        self.events.push(event.clone());
    }

    pub(super) fn create_user(&mut self, user: &User) -> Result<(), StoreError> {
        if self.users.contains_key(&user.name) {
            return Err(StoreError::UserExists { name: user.name.to_string() });
        }
        self.users.insert(user.name.clone(), user.clone());
        Ok(())
    }

    pub(super) fn create_token(&mut self, token: &AccessToken) -> Result<(), StoreError> {
        if !self.users.contains_key(&token.user) {
            return Err(StoreError::Conflict { what: format!("the user `{}`", token.user) });
        }
        if self.tokens.values().any(|other| other.id == token.id || other.hash == token.hash) {
            return Err(StoreError::Conflict { what: format!("the access token {}", token.id) });
        }
        self.tokens.insert(token.id, token.clone());
        Ok(())
    }

    pub(super) fn token_by_hash(&self, hash: &str) -> Option<(AccessToken, User)> {
        let token = self.tokens.values().find(|token| token.hash == hash)?;
        Some((token.clone(), self.users.get(&token.user)?.clone()))
    }

    pub(super) fn revoke_token(&mut self, id: TokenId, now: Timestamp) -> bool {
        let token = self.tokens.get_mut(&id).filter(|token| token.revoked_at.is_none());
        token.map(|token| token.revoked_at = Some(now)).is_some()
    }
}

/// A limit of a query: zero stands for all.
fn at_most(limit: usize) -> usize {
    if limit == 0 { usize::MAX } else { limit }
}
