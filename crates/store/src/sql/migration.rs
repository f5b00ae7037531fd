//! The schema and its versions.
//!
//! Migrations only go forward, each once, all in one transaction that a second replica waits for.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Executor};

use super::dialect::Dialect;
use super::failure::store_error;
use super::row::Row;
use super::statement::Statement;
use crate::StoreError;

/// One step of the schema, the same for both databases.
struct Migration {
    number: i64,
    sqlite: &'static str,
    postgres: &'static str,
}

const MIGRATIONS: &[Migration] = &[
    Migration {
        number: 1,
        sqlite: include_str!("../../migrations/sqlite/0001_records.sql"),
        postgres: include_str!("../../migrations/postgres/0001_records.sql"),
    },
    Migration {
        number: 2,
        sqlite: include_str!("../../migrations/sqlite/0002_shared_values.sql"),
        postgres: include_str!("../../migrations/postgres/0002_shared_values.sql"),
    },
    Migration {
        number: 3,
        sqlite: include_str!("../../migrations/sqlite/0003_sightings.sql"),
        postgres: include_str!("../../migrations/postgres/0003_sightings.sql"),
    },
    Migration {
        number: 4,
        sqlite: include_str!("../../migrations/sqlite/0004_time_to_live.sql"),
        postgres: include_str!("../../migrations/postgres/0004_time_to_live.sql"),
    },
    Migration {
        number: 5,
        sqlite: include_str!("../../migrations/sqlite/0005_pool.sql"),
        postgres: include_str!("../../migrations/postgres/0005_pool.sql"),
    },
    Migration {
        number: 6,
        sqlite: include_str!("../../migrations/sqlite/0006_states.sql"),
        postgres: include_str!("../../migrations/postgres/0006_states.sql"),
    },
];

/// The newest schema that this program knows.
pub(crate) fn newest() -> i64 {
    MIGRATIONS.last().map_or(0, |migration| migration.number)
}

/// An arbitrary number that only this program locks; it keeps two replicas from migrating at once.
const ADVISORY_LOCK: &str = "SELECT CAST(pg_advisory_xact_lock(7021794012) AS TEXT)";

/// Brings the schema to the newest version that this program knows.
pub(super) async fn run(connection: &mut AnyConnection, dialect: Dialect) -> Result<(), StoreError> {
    plain(connection, dialect.begin()).await?;
    let outcome = run_in_transaction(connection, dialect).await;
    let end = if outcome.is_ok() { "COMMIT" } else { "ROLLBACK" };
    plain(connection, end).await.and(outcome)
}

async fn run_in_transaction(connection: &mut AnyConnection, dialect: Dialect) -> Result<(), StoreError> {
    if dialect == Dialect::Postgres {
        plain(connection, ADVISORY_LOCK).await?;
    }
    let table = match dialect {
        Dialect::Sqlite => "CREATE TABLE IF NOT EXISTS schema_migrations (number INTEGER PRIMARY KEY NOT NULL) STRICT",
        Dialect::Postgres => "CREATE TABLE IF NOT EXISTS schema_migrations (number BIGINT PRIMARY KEY NOT NULL)",
    };
    plain(connection, table).await?;
    let found = found(connection).await?;
    let known = newest();
    if found > known {
        return Err(StoreError::Newer { found, known });
    }
    for migration in MIGRATIONS.iter().filter(|migration| migration.number > found) {
        plain(connection, if dialect == Dialect::Sqlite { migration.sqlite } else { migration.postgres }).await?;
        let note = Statement::new("INSERT INTO schema_migrations (number) VALUES (").value(migration.number).text(")");
        note.into_query(dialect).execute(&mut *connection).await.map_err(failed)?;
    }
    Ok(())
}

async fn found(connection: &mut AnyConnection) -> Result<i64, StoreError> {
    let question = "SELECT CAST(COALESCE(MAX(number), 0) AS BIGINT) AS number FROM schema_migrations";
    let row: AnyRow = sqlx::query(question).fetch_one(connection).await.map_err(failed)?;
    Row::new(&row, "schema_migrations").number("number")
}

async fn plain(connection: &mut AnyConnection, text: &'static str) -> Result<(), StoreError> {
    connection.execute(sqlx::raw_sql(text)).await.map(drop).map_err(failed)
}

fn failed(error: sqlx::Error) -> StoreError {
    store_error("bringing the schema up to date", error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count_from_one() {
        assert!(MIGRATIONS.iter().zip(1..).all(|(migration, number)| migration.number == number));
    }
}
