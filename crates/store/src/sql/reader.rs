//! Questions that change nothing; they are asked on connections of their own and never wait for the writer.

use alfred_model::audit::Sighting;
use alfred_model::environment::{Environment, Status};
use alfred_model::event::Event;
use alfred_model::id::{EnvironmentId, IntentId, VmId};
use alfred_model::intent::Intent;
use alfred_model::name::Slug;
use alfred_model::pool::Life;
use alfred_model::user::{AccessToken, User, UserName};
use alfred_model::vm::Vm;
use jiff::Timestamp;
use sqlx::AnyPool;
use sqlx::any::AnyRow;

use super::dialect::Dialect;
use super::failure::store_error;
use super::row::{ENVIRONMENT, EVENT, INTENT, Record, Row, TOKEN, USER, VM};
use super::statement::{Statement, Value};
use crate::{EnvironmentQuery, IntentQuery, StoreError};

/// Asks.
pub(super) struct Reader {
    pub(super) pool: AnyPool,
    dialect: Dialect,
}

impl Reader {
    pub(super) fn new(pool: AnyPool, dialect: Dialect) -> Self {
        Self { pool, dialect }
    }

    pub(super) fn dialect(&self) -> Dialect {
        self.dialect
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }

    pub(super) async fn rows(&self, doing: &'static str, statement: Statement) -> Result<Vec<AnyRow>, StoreError> {
        statement.into_query(self.dialect).fetch_all(&self.pool).await.map_err(|error| store_error(doing, error))
    }

    pub(super) async fn all<T: Record>(&self, doing: &'static str, statement: Statement) -> Result<Vec<T>, StoreError> {
        self.rows(doing, statement).await?.iter().map(T::from_row).collect()
    }

    pub(super) async fn ping(&self) -> Result<(), StoreError> {
        self.rows("answering a ping", Statement::new("SELECT value FROM counters WHERE name = 'events'"))
            .await
            .map(drop)
    }

    async fn some_environments(&self, statement: Statement) -> Result<Vec<Environment>, StoreError> {
        self.all("reading environments", statement).await
    }

    pub(super) async fn environment(&self, id: EnvironmentId) -> Result<Option<Environment>, StoreError> {
        let select = Statement::new(format!("SELECT {ENVIRONMENT} FROM environments WHERE id = "));
        Ok(self.some_environments(select.value(Value::shown(&id))).await?.pop())
    }

    pub(super) async fn environment_by_slug(&self, slug: &Slug) -> Result<Option<Environment>, StoreError> {
        let select = || Statement::new(format!("SELECT {ENVIRONMENT} FROM environments WHERE slug = "));
        let live = select().value(slug.as_str()).text(" AND status <> 'deleted'");
        if let Some(live) = self.some_environments(live).await?.pop() {
            return Ok(Some(live));
        }
        let newest = select().value(slug.as_str()).text(" ORDER BY id DESC LIMIT 1");
        Ok(self.some_environments(newest).await?.pop())
    }

    pub(super) async fn environments(&self, query: &EnvironmentQuery) -> Result<Vec<Environment>, StoreError> {
        self.some_environments(environments_statement(query)).await
    }

    pub(super) async fn next_wake(&self) -> Result<Option<Timestamp>, StoreError> {
        let rows = self.rows("looking for the next wake-up", next_wake_statement()).await?;
        let times: Vec<_> =
            rows.iter().map(|row| Row::new(row, "environments").maybe_time("time")).collect::<Result<_, _>>()?;
        Ok(times.into_iter().flatten().min())
    }

    pub(super) async fn vm(&self, id: VmId) -> Result<Option<Vm>, StoreError> {
        let select = Statement::new(format!("SELECT {VM} FROM vms WHERE id = ")).value(id.0);
        Ok(self.all("reading a VM", select).await?.pop())
    }

    pub(super) async fn vms(&self, include_ended: bool) -> Result<Vec<Vm>, StoreError> {
        let condition = if include_ended { "" } else { " WHERE state <> 'ended'" };
        let select = Statement::new(format!("SELECT {VM} FROM vms{condition} ORDER BY id"));
        self.all("reading VMs", select).await
    }

    pub(super) async fn owned_vms(&self) -> Result<u64, StoreError> {
        let select = Statement::new(
            "SELECT (SELECT count(*) FROM vms WHERE state <> 'ended') + (SELECT count(*) FROM intents \
             WHERE kind = 'order_vm' AND outcome IN ('open', 'unknown')) AS owned",
        );
        let rows = self.rows("counting VMs", select).await?;
        let owned = rows.first().map_or(Ok(0), |row| Row::new(row, "vms").number("owned"))?;
        Ok(u64::try_from(owned).unwrap_or(0))
    }

    pub(super) async fn lives(&self, since: Timestamp) -> Result<Vec<Life>, StoreError> {
        let select = Statement::new(
            "SELECT created_at, CASE WHEN status = 'error' AND vm_id IS NULL THEN updated_at ELSE NULL END AS ended_at \
             FROM environments WHERE status <> 'deleted' UNION ALL \
             SELECT created_at, COALESCE(released_at, updated_at) AS ended_at \
             FROM environments WHERE status = 'deleted' AND updated_at >= ",
        );
        let rows = self.rows("reading demand", select.value(Value::time(since))).await?;
        let life = |row| {
            let row = Row::new(row, "environments");
            Ok(Life { from: row.time("created_at")?, to: row.maybe_time("ended_at")? })
        };
        rows.iter().map(life).collect()
    }

    pub(super) async fn intent(&self, id: IntentId) -> Result<Option<Intent>, StoreError> {
        let select = Statement::new(format!("SELECT {INTENT} FROM intents WHERE id = ")).value(Value::shown(&id));
        Ok(self.all("reading the ledger", select).await?.pop())
    }

    pub(super) async fn intents(&self, query: &IntentQuery) -> Result<Vec<Intent>, StoreError> {
        self.all("reading the ledger", intents_statement(query)).await
    }

    pub(super) async fn events(
        &self,
        environment: Option<EnvironmentId>,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Event>, StoreError> {
        self.all("reading events", events_statement(environment, after, limit)).await
    }

    pub(super) async fn notices(&self, after: i64, limit: usize) -> Result<Vec<Event>, StoreError> {
        let select = Statement::new(format!("SELECT {EVENT} FROM events WHERE kind <> 'progress' AND sequence > "))
            .value(after)
            .text(" ORDER BY sequence LIMIT ")
            .value(Value::count(limit));
        self.all("reading events of note", select).await
    }

    pub(super) async fn last_event(&self) -> Result<i64, StoreError> {
        let select = Statement::new("SELECT value FROM counters WHERE name = 'events'");
        let rows = self.rows("reading the newest event", select).await?;
        rows.first().map_or(Ok(0), |row| Row::new(row, "counters").number("value"))
    }

    pub(super) async fn user(&self, name: &UserName) -> Result<Option<User>, StoreError> {
        let select = Statement::new(format!("SELECT {USER} FROM users WHERE name = ")).value(name.as_str());
        Ok(self.all("reading a user", select).await?.pop())
    }

    pub(super) async fn users(&self) -> Result<Vec<User>, StoreError> {
        let select = Statement::new(format!("SELECT {USER} FROM users ORDER BY name"));
        self.all("reading users", select).await
    }

    pub(super) async fn token_by_hash(&self, hash: &str) -> Result<Option<(AccessToken, User)>, StoreError> {
        let select = Statement::new(format!("SELECT {TOKEN} FROM access_tokens WHERE hash = ")).value(hash);
        let token = self.all::<AccessToken>("reading a token", select).await?.pop();
        let Some(token) = token else { return Ok(None) };
        // Users are never deleted, so that two questions see the same.
        Ok(self.user(&token.user).await?.map(|user| (token, user)))
    }

    pub(super) async fn sightings(&self) -> Result<Vec<Sighting>, StoreError> {
        self.all("reading sightings", super::sightings::all_statement()).await
    }

    pub(super) async fn tokens(&self) -> Result<Vec<AccessToken>, StoreError> {
        let select = Statement::new(format!("SELECT {TOKEN} FROM access_tokens ORDER BY id"));
        self.all("reading tokens", select).await
    }
}

fn environments_statement(query: &EnvironmentQuery) -> Statement {
    let mut select = Statement::new(format!("SELECT {ENVIRONMENT} FROM environments WHERE "));
    select = match query.status {
        Some(Status::Deleted) => select.text("status = 'deleted'"),
        Some(status) => select.text("status = ").value(status.as_str()),
        None if query.shows_deleted() => select.text("id IS NOT NULL"),
        None => select.text("status <> 'deleted'"),
    };
    if let Some(owner) = &query.owner {
        select = select.text(" AND owner = ").value(owner.as_str());
    }
    if let Some(batch) = query.batch {
        select = select.text(" AND batch = ").value(Value::shown(&batch));
    }
    if let Some(after) = query.after {
        select = select.text(" AND id > ").value(Value::shown(&after));
    }
    limited(select.text(" ORDER BY id"), query.limit)
}

fn intents_statement(query: &IntentQuery) -> Statement {
    let condition = if query.only_open { "outcome IN ('open', 'unknown')" } else { "id IS NOT NULL" };
    let mut select = Statement::new(format!("SELECT {INTENT} FROM intents WHERE {condition}"));
    if let Some(environment) = query.environment {
        select = select.text(" AND environment_id = ").value(Value::shown(&environment));
    }
    if let Some(kind) = query.kind {
        select = select.text(" AND kind = ").value(kind.as_str());
    }
    if let Some(since) = query.since {
        select = select.text(" AND created_at >= ").value(Value::time(since));
    }
    // By time and kind there is an index of its own: ordered by id alone, all lines of the kind would be read.
    let order = if query.since.is_some() { " ORDER BY created_at DESC, id DESC" } else { " ORDER BY id DESC" };
    limited(select.text(order), query.limit)
}

fn events_statement(environment: Option<EnvironmentId>, after: i64, limit: usize) -> Statement {
    let mut select = Statement::new(format!("SELECT {EVENT} FROM events WHERE sequence > ")).value(after);
    if let Some(environment) = environment {
        select = select.text(" AND environment_id = ").value(Value::shown(&environment));
    }
    select.text(" ORDER BY sequence LIMIT ").value(Value::count(limit))
}

/// Rows at rest have no `wake_at` and rows nobody works on have no lease, so that each part reads few rows.
fn next_wake_statement() -> Statement {
    let parts = ["environments", "vms"].map(|table| {
        format!(
            "SELECT CAST(MIN(wake_at) AS BIGINT) AS time FROM {table} WHERE wake_at IS NOT NULL AND lease_until IS NULL \
             UNION ALL SELECT CAST(MIN(CASE WHEN lease_until > wake_at THEN lease_until ELSE wake_at END) AS BIGINT) \
             FROM {table} WHERE wake_at IS NOT NULL AND lease_until IS NOT NULL"
        )
    });
    Statement::new(parts.join(" UNION ALL "))
}

/// Zero stands for all.
fn limited(select: Statement, limit: usize) -> Statement {
    if limit == 0 { select } else { select.text(" LIMIT ").value(Value::count(limit)) }
}
