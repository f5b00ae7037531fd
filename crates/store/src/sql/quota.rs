//! How many environments a user may have.

use std::collections::BTreeMap;

use alfred_model::user::UserName;
use async_trait::async_trait;

use super::reader::Reader;
use super::row::Row;
use super::session::Session;
use super::statement::{Statement, Value};
use super::writer::Work;
use crate::{NewEnvironments, StoreError, rule};

fn count_statement(owner: &UserName) -> Statement {
    Statement::new("SELECT COUNT(*) AS used FROM environments WHERE status <> 'deleted' AND owner = ")
        .value(owner.as_str())
}

impl Reader {
    pub(super) async fn live_environments(&self, owner: &UserName) -> Result<u64, StoreError> {
        let rows = self.rows("counting a user's environments", count_statement(owner)).await?;
        let used = rows.first().map_or(Ok(0), |row| Row::new(row, "environments").number("used"))?;
        Ok(u64::try_from(used).unwrap_or(0))
    }
}

/// Refuses what would be more than its owner's quota.
///
/// The owner's row is locked until the transaction ends. A second replica therefore counts after the first has
/// committed: its question comes after the lock, and sees what was committed before (`READ COMMITTED`,
/// <https://www.postgresql.org/docs/current/transaction-iso.html>). Owners are locked in the order of their names.
pub(super) async fn refuse_over_quota(session: &mut Session, new: &NewEnvironments) -> Result<(), StoreError> {
    let mut asked: BTreeMap<&UserName, u64> = BTreeMap::new();
    for environment in &new.environments {
        *asked.entry(&environment.owner).or_default() += 1;
    }
    for (owner, asked) in asked {
        let select = Statement::new("SELECT quota FROM users WHERE name = ")
            .value(owner.as_str())
            .text(session.dialect.for_no_key_update());
        let rows = session.read("reading a quota", select).await?;
        let own = rows.first().map_or(Ok(None), |row| Row::new(row, "users").maybe_count("quota"))?;
        let Some(limit) = own.or(new.quota) else { continue };
        let rows = session.read("counting a user's environments", count_statement(owner)).await?;
        let used = rows.first().map_or(Ok(0), |row| Row::new(row, "environments").number("used"))?;
        rule::within_quota(owner, u64::try_from(used).unwrap_or(0), asked, Some(limit))?;
    }
    Ok(())
}

/// A user's own quota, or none.
pub(super) struct SetQuota {
    pub(super) name: UserName,
    pub(super) quota: Option<u32>,
}

#[async_trait]
impl Work for SetQuota {
    type Answer = bool;

    async fn run(&self, session: &mut Session) -> Result<bool, StoreError> {
        let update = Statement::new("UPDATE users SET quota = ")
            .value(Value::Number(self.quota.map(i64::from)))
            .text(" WHERE name = ")
            .value(self.name.as_str());
        Ok(session.write("setting a quota", update).await? > 0)
    }
}
