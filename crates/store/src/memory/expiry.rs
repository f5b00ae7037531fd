//! Ends of environments and quotas of users.

use std::collections::BTreeMap;

use alfred_model::environment::{Environment, Status, Wish};
use alfred_model::event::{Event, EventKind};
use alfred_model::user::UserName;
use jiff::Timestamp;

use super::tables::Tables;
use crate::{ExpiryChange, Lease, NewEnvironments, StoreError, rule};

impl Tables {
    pub(super) fn change_expiry(&mut self, change: &ExpiryChange) -> Option<Environment> {
        let stored = &self.environments.get(&change.id)?.row;
        let changed = rule::expiry_changed(stored, change)?;
        self.put_environment(changed.clone(), Lease::Keep);
        self.add_event(&mut change.event.clone());
        Some(changed)
    }

    pub(super) fn expiring(&self, until: Timestamp, limit: usize) -> Vec<Environment> {
        let lives = |row: &&Environment| row.wish == Wish::Present && row.status != Status::Deleted;
        let due = |row: &Environment| row.expiry().next_at().filter(|next| *next <= until).map(|next| (next, row.id));
        let mut found: Vec<_> =
            self.environments.all().filter(lives).filter_map(|row| Some((due(row)?, row.clone()))).collect();
        found.sort_by_key(|(due, _)| *due);
        found.into_iter().take(limit).map(|(_, row)| row).collect()
    }

    pub(super) fn live_environments(&self, owner: &UserName) -> u64 {
        let lives = |row: &&Environment| row.owner == *owner && row.status != Status::Deleted;
        u64::try_from(self.environments.all().filter(lives).count()).unwrap_or(u64::MAX)
    }

    pub(super) fn refuse_over_quota(&self, new: &NewEnvironments) -> Result<(), StoreError> {
        let mut asked: BTreeMap<&UserName, u64> = BTreeMap::new();
        for environment in &new.environments {
            *asked.entry(&environment.owner).or_default() += 1;
        }
        for (owner, asked) in asked {
            let own = self.users.get(owner).and_then(|user| user.quota);
            rule::within_quota(owner, self.live_environments(owner), asked, own.or(new.quota))?;
        }
        Ok(())
    }

    pub(super) fn notices(&self, after: i64, limit: usize) -> Vec<Event> {
        let fits = |event: &&Event| event.sequence > after && event.kind != EventKind::Progress;
        self.events.iter().filter(fits).take(limit).cloned().collect()
    }
}
