//! Ends of environments: what is due, and another end for one.

use alfred_model::environment::Environment;
use async_trait::async_trait;
use jiff::Timestamp;

use super::claim::understood;
use super::reader::Reader;
use super::row::{ENVIRONMENT, Record};
use super::session::Session;
use super::statement::{Statement, Value};
use super::writer::Work;
use crate::{ExpiryChange, StoreError, rule};

/// When something is due at an environment's end; the index `environments_expiring` is of these very words.
const NEXT: &str = "(CASE WHEN warned_at IS NULL THEN warn_at ELSE expires_at END)";

impl Reader {
    pub(super) async fn expiring(&self, until: Timestamp, limit: usize) -> Result<Vec<Environment>, StoreError> {
        let select = Statement::new(format!(
            "SELECT {ENVIRONMENT} FROM environments \
             WHERE expires_at IS NOT NULL AND wish = 'present' AND status <> 'deleted' AND {NEXT} <= "
        ))
        .value(Value::time(until))
        .text(&format!(" ORDER BY {NEXT}, id LIMIT "))
        .value(Value::count(limit));
        Ok(understood(&self.rows("looking for environments that end", select).await?))
    }
}

#[async_trait]
impl Work for ExpiryChange {
    type Answer = Option<Environment>;

    async fn run(&self, session: &mut Session) -> Result<Option<Environment>, StoreError> {
        let select = Statement::new(format!("SELECT {ENVIRONMENT} FROM environments WHERE id = "))
            .value(Value::shown(&self.id))
            .text(session.dialect.for_update());
        let rows = session.read("reading the environment whose end changes", select).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let Some(changed) = rule::expiry_changed(&Environment::from_row(row)?, self) else { return Ok(None) };
        let bound = changed.expiry_bound.as_ref();
        let update = Statement::new("UPDATE environments SET expires_at = ")
            .value(Value::time(changed.expires_at))
            .text(", warn_at = ")
            .value(Value::time(changed.warn_at))
            .text(", warned_at = ")
            .value(Value::time(changed.warned_at))
            .text(", expiry_bound = ")
            .value(Value::time(bound.map(|bound| bound.at)))
            .text(", expiry_bound_reason = ")
            .value(bound.map(|bound| bound.reason.as_str()))
            .text(", wish = ")
            .value(changed.wish.as_str())
            .text(", wake_at = ")
            .value(Value::time(changed.wake_at))
            .text(", updated_at = ")
            .value(Value::time(changed.updated_at))
            .text(" WHERE id = ")
            .value(Value::shown(&self.id));
        session.write("changing the end of an environment", update).await?;
        session.push_event(self.event.clone());
        Ok(Some(changed))
    }
}
