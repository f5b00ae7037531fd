//! Adds environments, and gives the installation its id.

use std::collections::{BTreeMap, BTreeSet};

use alfred_model::environment::Environment;
use alfred_model::id::{EnvironmentId, InstallationId};
use async_trait::async_trait;

use super::quota::refuse_over_quota;
use super::row::{ENVIRONMENT, Record, Row, environment_values};
use super::session::Session;
use super::statement::{CHUNK, Statement, Value, new_columns};
use super::writer::Work;
use crate::{IdempotencyKey, NewEnvironments, StoreError, rule};

#[async_trait]
impl Work for NewEnvironments {
    type Answer = Vec<Environment>;

    async fn run(&self, session: &mut Session) -> Result<Vec<Environment>, StoreError> {
        if let Some(key) = &self.idempotency
            && let Some(before) = created_before(session, key).await?
        {
            return Ok(before);
        }
        self.refuse_taken(session).await?;
        refuse_over_quota(session, self).await?;
        if let Some(key) = &self.idempotency {
            self.note_key(session, key).await?;
        }
        for chunk in self.environments.chunks(CHUNK) {
            let rows = chunk.iter().map(environment_values).collect::<Result<_, _>>()?;
            let insert =
                Statement::new(format!("INSERT INTO environments ({ENVIRONMENT}) SELECT {} FROM ", new_columns(28)))
                    .rows(rows)
                    .text(" WHERE new.column1 IS NOT NULL");
            session.write("adding environments", insert).await?;
        }
        for event in &self.events {
            session.push_event(event.clone());
        }
        Ok(self.environments.clone())
    }
}

impl NewEnvironments {
    async fn refuse_taken(&self, session: &mut Session) -> Result<(), StoreError> {
        let (mut slugs, mut ids) = (BTreeSet::new(), BTreeSet::new());
        for chunk in self.environments.chunks(CHUNK) {
            let wanted = chunk.iter().map(|row| Value::from(row.slug.as_str())).collect();
            let select = Statement::new("SELECT slug FROM environments WHERE status <> 'deleted' AND slug IN ");
            for row in &session.read("looking for taken slugs", select.list(wanted)).await? {
                slugs.insert(Row::new(row, "environments").text("slug")?);
            }
            let wanted = chunk.iter().map(|row| Value::shown(&row.id)).collect();
            let select = Statement::new("SELECT id FROM environments WHERE id IN ").list(wanted);
            for row in &session.read("looking for taken ids", select).await? {
                ids.insert(Row::new(row, "environments").parsed::<EnvironmentId>("id")?);
            }
        }
        for environment in &self.environments {
            if !slugs.insert(environment.slug.to_string()) {
                return Err(StoreError::SlugTaken { slug: environment.slug.to_string() });
            }
            if !ids.insert(environment.id) {
                return Err(rule::environment_conflict(environment));
            }
        }
        Ok(())
    }

    async fn note_key(&self, session: &mut Session, key: &IdempotencyKey) -> Result<(), StoreError> {
        let ids: Vec<EnvironmentId> = self.environments.iter().map(|row| row.id).collect();
        let ids = serde_json::to_string(&ids)
            .map_err(|error| StoreError::Database { doing: "writing ids as JSON", source: error.into() })?;
        let insert = Statement::new("INSERT INTO idempotency_keys VALUES ").list_of([
            key.user.as_str().into(),
            key.key.as_str().into(),
            key.request_hash.as_str().into(),
            ids.into(),
            Value::time(key.at),
        ]);
        session.write("keeping an idempotency key", insert).await?;
        Ok(())
    }
}

/// Looks for the environments that a request made before, and adds nothing.
pub(super) struct CreatedBefore(pub(super) IdempotencyKey);

#[async_trait]
impl Work for CreatedBefore {
    type Answer = Option<Vec<Environment>>;

    async fn run(&self, session: &mut Session) -> Result<Self::Answer, StoreError> {
        created_before(session, &self.0).await
    }
}

/// The environments that the same request made before.
async fn created_before(session: &mut Session, key: &IdempotencyKey) -> Result<Option<Vec<Environment>>, StoreError> {
    let select = Statement::new("SELECT request_hash, environment_ids FROM idempotency_keys WHERE user_name = ")
        .value(key.user.as_str())
        .text(" AND request_key = ")
        .value(key.key.as_str());
    let rows = session.read("looking for an idempotency key", select).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let row = Row::new(row, "idempotency_keys");
    if row.text("request_hash")? != key.request_hash {
        return Err(StoreError::KeyReused);
    }
    let ids: Vec<EnvironmentId> = row.json("environment_ids")?;
    let mut found = BTreeMap::new();
    for chunk in ids.chunks(CHUNK) {
        let select = Statement::new(format!("SELECT {ENVIRONMENT} FROM environments WHERE id IN "))
            .list(chunk.iter().map(Value::shown).collect());
        for row in &session.read("reading environments of an earlier request", select).await? {
            let environment = Environment::from_row(row)?;
            found.insert(environment.id, environment);
        }
    }
    Ok(Some(ids.iter().filter_map(|id| found.remove(id)).collect()))
}

/// Gives the installation its id, once.
pub(super) struct Install(pub(super) InstallationId);

#[async_trait]
impl Work for Install {
    type Answer = InstallationId;

    async fn run(&self, session: &mut Session) -> Result<InstallationId, StoreError> {
        let insert = Statement::new("INSERT INTO settings (name, value) VALUES ('installation', ")
            .value(Value::shown(&self.0))
            .text(") ON CONFLICT (name) DO NOTHING");
        session.write("keeping the installation's id", insert).await?;
        let select = Statement::new("SELECT value FROM settings WHERE name = 'installation'");
        let rows = session.read("reading the installation's id", select).await?;
        let missing = || StoreError::Damaged { table: "settings", words: "there is no row `installation`".to_owned() };
        Row::new(rows.first().ok_or_else(missing)?, "settings").parsed("value")
    }
}
