//! What audits saw, and whose turn the next one is.

use std::collections::BTreeSet;

use alfred_model::audit::{FindingKey, Sighting};
use async_trait::async_trait;
use jiff::Timestamp;

use super::row::{Record, Row};
use super::session::Session;
use super::statement::{CHUNK, Statement, Value, new_columns};
use super::writer::Work;
use crate::StoreError;

pub(crate) const SIGHTING: &str = "finding, first_seen, last_seen, times";

/// Every sighting, in the order of their keys.
pub(super) fn all_statement() -> Statement {
    Statement::new(format!("SELECT {SIGHTING} FROM sightings ORDER BY finding"))
}

impl Record for Sighting {
    const TABLE: &'static str = "sightings";

    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            key: row.parsed("finding")?,
            first_seen: row.time("first_seen")?,
            last_seen: row.time("last_seen")?,
            times: u32::try_from(row.number("times")?).unwrap_or(u32::MAX),
        })
    }
}

/// The findings of a complete audit.
pub(super) struct Note {
    /// Each once: PostgreSQL refuses to touch a row twice in one statement.
    seen: BTreeSet<FindingKey>,
    at: Timestamp,
}

impl Note {
    pub(super) fn new(seen: &[FindingKey], at: Timestamp) -> Self {
        Self { seen: seen.iter().cloned().collect(), at }
    }
}

#[async_trait]
impl Work for Note {
    type Answer = Vec<Sighting>;

    async fn run(&self, session: &mut Session) -> Result<Vec<Sighting>, StoreError> {
        if move_time(session, "noted", self.at, self.at).await?.is_none() {
            let keys: Vec<&FindingKey> = self.seen.iter().collect();
            for chunk in keys.chunks(CHUNK) {
                let at = Value::time(self.at);
                let row = |key: &&FindingKey| vec![Value::shown(*key), at.clone(), at.clone(), Value::from(1)];
                let note =
                    Statement::new(format!("INSERT INTO sightings ({SIGHTING}) SELECT {} FROM ", new_columns(4)))
                        .rows(chunk.iter().map(row).collect())
                        .text(" WHERE new.column1 IS NOT NULL ON CONFLICT (finding) DO UPDATE SET ")
                        .text("last_seen = excluded.last_seen, times = sightings.times + 1");
                session.write("noting findings", note).await?;
            }
            let forget = Statement::new("DELETE FROM sightings WHERE last_seen <> ").value(Value::time(self.at));
            session.write("forgetting findings", forget).await?;
        }
        session.read("reading sightings", all_statement()).await?.iter().map(Sighting::from_row).collect()
    }
}

/// The turn to make the scheduled audit.
pub(super) struct Turn {
    pub(super) now: Timestamp,
    pub(super) next: Timestamp,
}

#[async_trait]
impl Work for Turn {
    type Answer = Option<Timestamp>;

    async fn run(&self, session: &mut Session) -> Result<Option<Timestamp>, StoreError> {
        // Due at `now` is due.
        let before = self.now.checked_add(jiff::SignedDuration::from_micros(1)).unwrap_or(self.now);
        move_time(session, "due", before, self.next).await
    }
}

/// Sets a time to `to`, if it is absent or before `limit`. Answers the time that stands in the way.
///
/// The row is locked before it is read, so that of several replicas one moves it and the others see where it went.
async fn move_time(
    session: &mut Session,
    name: &'static str,
    limit: Timestamp,
    to: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    let set = Statement::new("INSERT INTO audit_times (name, at) VALUES ")
        .list_of([name.into(), Value::time(to)])
        .text(" ON CONFLICT (name) DO UPDATE SET at = excluded.at WHERE audit_times.at < ")
        .value(Value::time(limit));
    if session.write("moving the time of audits", set).await? > 0 {
        return Ok(None);
    }
    let select = Statement::new("SELECT at FROM audit_times WHERE name = ").value(name);
    let rows = session.read("reading the time of audits", select).await?;
    rows.first().map(|row| Row::new(row, "audit_times").time("at")).transpose()
}

/// The values of [`SIGHTING`].
pub(crate) fn sighting_values(sighting: &Sighting) -> Vec<Value> {
    vec![
        Value::shown(&sighting.key),
        Value::time(sighting.first_seen),
        Value::time(sighting.last_seen),
        i64::from(sighting.times).into(),
    ]
}
