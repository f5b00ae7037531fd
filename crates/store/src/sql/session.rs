//! One transaction on the connection that writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use alfred_model::event::Event;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Executor};

use super::dialect::Dialect;
use super::failure::store_error;
use super::row::{EVENT, Row, event_values};
use super::statement::{CHUNK, Statement, new_columns};
use super::{CommitHook, CommitMoment};
use crate::StoreError;

/// The connection that writes, and what the current transaction has gathered.
pub(super) struct Session {
    connection: AnyConnection,
    pub(super) dialect: Dialect,
    statements: Arc<AtomicU64>,
    on_commit: Option<CommitHook>,
    writes: u64,
    /// Whether the current transaction has changed anything that the hook is told of.
    changed: bool,
    events: Vec<Event>,
}

impl Session {
    pub(super) fn new(
        connection: AnyConnection,
        dialect: Dialect,
        statements: Arc<AtomicU64>,
        on_commit: Option<CommitHook>,
    ) -> Self {
        Self { connection, dialect, statements, on_commit, writes: 0, changed: false, events: Vec::new() }
    }

    pub(super) async fn begin(&mut self) -> Result<(), StoreError> {
        self.events.clear();
        self.changed = false;
        self.plain("beginning a transaction", self.dialect.begin()).await
    }

    pub(super) async fn commit(&mut self) -> Result<(), StoreError> {
        self.tell(CommitMoment::Before);
        self.plain("committing", "COMMIT").await?;
        self.tell(CommitMoment::After);
        Ok(())
    }

    fn tell(&self, moment: CommitMoment) {
        if let Some(hook) = self.on_commit.as_ref().filter(|_| self.changed) {
            hook(moment);
        }
    }

    pub(super) async fn roll_back(&mut self) -> Result<(), StoreError> {
        self.plain("rolling back", "ROLLBACK").await
    }

    /// Ends the connection, so that SQLite folds its log into the file.
    pub(super) async fn close(self) {
        if let Err(error) = sqlx::Connection::close(self.connection).await {
            tracing::warn!(%error, "the database connection did not end in order");
        }
    }

    /// How many statements have changed something, or were going to, since the session began; a piece of work that
    /// refuses must not have raised it.
    pub(super) fn writes(&self) -> u64 {
        self.writes + self.events.len() as u64
    }

    /// Sends a statement that changes rows and says how many it changed.
    pub(super) async fn write(&mut self, doing: &'static str, statement: Statement) -> Result<u64, StoreError> {
        let changed = self.write_unannounced(doing, statement).await?;
        self.changed |= changed > 0;
        Ok(changed)
    }

    /// The same for what is no part of any story: a transaction with nothing else is not told to the hook.
    pub(super) async fn write_unannounced(
        &mut self,
        doing: &'static str,
        statement: Statement,
    ) -> Result<u64, StoreError> {
        self.count();
        self.writes += 1;
        let done = statement.into_query(self.dialect).execute(&mut self.connection).await;
        Ok(done.map_err(|error| store_error(doing, error))?.rows_affected())
    }

    /// Sends a statement that changes rows and answers rows.
    pub(super) async fn write_and_read(
        &mut self,
        doing: &'static str,
        statement: Statement,
    ) -> Result<Vec<AnyRow>, StoreError> {
        self.writes += 1;
        let rows = self.read(doing, statement).await?;
        self.changed |= !rows.is_empty();
        Ok(rows)
    }

    /// Sends a statement that only answers rows.
    pub(super) async fn read(&mut self, doing: &'static str, statement: Statement) -> Result<Vec<AnyRow>, StoreError> {
        self.count();
        statement
            .into_query(self.dialect)
            .fetch_all(&mut self.connection)
            .await
            .map_err(|error| store_error(doing, error))
    }

    /// Takes an event to be written at the end of the transaction and says how many were taken before it.
    pub(super) fn push_event(&mut self, event: Event) -> usize {
        self.events.push(event);
        self.events.len() - 1
    }

    /// Writes the events. Answers the sequence before the first of them.
    ///
    /// The counter's row is locked from here to the commit, so that sequences become visible in their order; this is
    /// the last thing a transaction does, so that replicas hardly wait for each other.
    pub(super) async fn write_events(&mut self) -> Result<i64, StoreError> {
        let mut events = std::mem::take(&mut self.events);
        if events.is_empty() {
            return Ok(0);
        }
        let count = i64::try_from(events.len()).unwrap_or(i64::MAX);
        let counter = Statement::new("UPDATE counters SET value = value + ")
            .value(count)
            .text(" WHERE name = 'events' RETURNING value");
        let rows = self.write_and_read("numbering events", counter).await?;
        let missing = || StoreError::Damaged { table: "counters", words: "there is no row `events`".to_owned() };
        let last = Row::new(rows.first().ok_or_else(missing)?, "counters").number("value")?;
        let before = last - count;
        for (event, sequence) in events.iter_mut().zip(before + 1..) {
            event.sequence = sequence;
        }
        for chunk in events.chunks(CHUNK) {
            let insert = Statement::new(format!("INSERT INTO events ({EVENT}) SELECT {} FROM ", new_columns(8)))
                .rows(chunk.iter().map(event_values).collect())
                .text(" WHERE new.column1 IS NOT NULL");
            self.write("adding events", insert).await?;
        }
        Ok(before)
    }

    async fn plain(&mut self, doing: &'static str, text: &'static str) -> Result<(), StoreError> {
        self.count();
        self.connection.execute(sqlx::raw_sql(text)).await.map(drop).map_err(|error| store_error(doing, error))
    }

    fn count(&self) {
        self.statements.fetch_add(1, Ordering::Relaxed);
    }
}
