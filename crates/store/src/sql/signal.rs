//! What comes from outside the reconciler: a wish to delete, and a VM that calls home.

use alfred_model::environment::{Environment, Status, Wish};
use alfred_model::id::EnvironmentId;
use alfred_model::intent::Intent;
use async_trait::async_trait;
use jiff::Timestamp;

use super::row::{ENVIRONMENT, INTENT, Record};
use super::session::Session;
use super::statement::{Statement, Value};
use super::update::wake;
use super::writer::Work;
use crate::{StoreError, rule};

/// The wish that an environment be gone.
pub(super) struct WishAbsent {
    pub(super) id: EnvironmentId,
    pub(super) actor: String,
    pub(super) now: Timestamp,
}

#[async_trait]
impl Work for WishAbsent {
    type Answer = Option<Environment>;

    async fn run(&self, session: &mut Session) -> Result<Option<Environment>, StoreError> {
        let select = Statement::new(format!("SELECT {ENVIRONMENT} FROM environments WHERE id = "))
            .value(Value::shown(&self.id))
            .text(session.dialect.for_update());
        let rows = session.read("reading the environment to be deleted", select).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let mut environment = Environment::from_row(row)?;
        if environment.wish == Wish::Absent || environment.status == Status::Deleted {
            return Ok(Some(environment));
        }
        environment.wish = Wish::Absent;
        environment.wake_at = Some(rule::earlier(environment.wake_at, self.now));
        environment.updated_at = self.now;
        let update = Statement::new("UPDATE environments SET wish = 'absent', wake_at = ")
            .value(Value::time(environment.wake_at))
            .text(", updated_at = ")
            .value(Value::time(self.now))
            .text(" WHERE id = ")
            .value(Value::shown(&self.id));
        session.write("wishing an environment absent", update).await?;
        session.push_event(rule::wish_event(&environment, &self.actor, self.now));
        Ok(Some(environment))
    }
}

/// A VM that calls home after its installation.
pub(super) struct CallHome {
    pub(super) hash: String,
    pub(super) now: Timestamp,
}

#[async_trait]
impl Work for CallHome {
    type Answer = Option<Intent>;

    async fn run(&self, session: &mut Session) -> Result<Option<Intent>, StoreError> {
        let select = Statement::new(format!("SELECT {INTENT} FROM intents WHERE call_home_hash = "))
            .value(self.hash.as_str())
            .text(" ORDER BY id DESC LIMIT 1")
            .text(session.dialect.for_update());
        let rows = session.read("looking for the installation that calls home", select).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let mut intent = Intent::from_row(row)?;
        if intent.called_home_at.is_some() {
            return Ok(None);
        }
        intent.called_home_at = Some(self.now);
        let update = Statement::new("UPDATE intents SET called_home_at = ")
            .value(Value::time(self.now))
            .text(" WHERE id = ")
            .value(Value::shown(&intent.id));
        session.write("noting that a VM called home", update).await?;
        if let Some(id) = intent.environment_id {
            wake(session, "environments", vec![vec![Value::shown(&id), Value::time(self.now)]]).await?;
        }
        if let Some(id) = intent.vm_id {
            wake(session, "vms", vec![vec![id.0.into(), Value::time(self.now)]]).await?;
        }
        Ok(Some(intent))
    }
}
