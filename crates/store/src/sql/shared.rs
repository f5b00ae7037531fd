//! Shared values: read past the writer, swapped by it.
//!
//! A swap is one statement that compares and sets. It goes with the writer's group, so that SQLite keeps its one
//! writer, and after all else in it, so that other replicas wait for the value's row for no longer than the commit.

use async_trait::async_trait;

use super::reader::Reader;
use super::row::Row;
use super::session::Session;
use super::statement::Statement;
use super::writer::Work;
use crate::{SharedValue, StoreError};

impl Reader {
    pub(super) async fn shared_value(&self, name: &str) -> Result<Option<SharedValue>, StoreError> {
        let select = Statement::new("SELECT value, version FROM shared_values WHERE name = ").value(name);
        let rows = self.rows("reading a shared value", select).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let row = Row::new(row, "shared_values");
        Ok(Some(SharedValue { text: row.text("value")?, version: row.number("version")? }))
    }
}

/// A shared value to replace, or to create where no version is expected.
pub(super) struct Swap {
    pub(super) name: String,
    pub(super) expected: Option<i64>,
    pub(super) text: String,
}

#[async_trait]
impl Work for Swap {
    type Answer = bool;

    async fn run(&self, session: &mut Session) -> Result<bool, StoreError> {
        let statement = match self.expected {
            Some(version) => Statement::new("UPDATE shared_values SET value = ")
                .value(self.text.as_str())
                .text(", version = version + 1 WHERE name = ")
                .value(self.name.as_str())
                .text(" AND version = ")
                .value(version),
            None => Statement::new("INSERT INTO shared_values (name, value, version) VALUES ")
                .list_of([self.name.as_str().into(), self.text.as_str().into(), 1.into()])
                .text(" ON CONFLICT (name) DO NOTHING"),
        };
        Ok(session.write_unannounced("swapping a shared value", statement).await? > 0)
    }
}
