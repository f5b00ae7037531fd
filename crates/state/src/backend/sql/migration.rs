//! The tables and their versions.
//!
//! Migrations only go forward, each once, all in one transaction that other processes wait for. They are counted in a table
//! of their own, so that the database may hold other tables that are counted elsewhere.

use sqlx::{AnyConnection, Connection as _, Executor as _, Row as _};

use super::connection::Dialect;

/// One step of the tables, the same for both databases; its number is its place, from 1.
struct Migration {
    sqlite: &'static str,
    postgres: &'static str,
}

const MIGRATIONS: &[Migration] = &[Migration {
    sqlite: include_str!("../../../migrations/sqlite/0001_states.sql"),
    postgres: include_str!("../../../migrations/postgres/0001_states.sql"),
}];

/// An arbitrary number that only this program locks; it keeps two processes from migrating at once.
const ADVISORY_LOCK: &str = "SELECT CAST(pg_advisory_xact_lock(7021794013) AS TEXT)";

/// Brings the tables to the newest version that this program knows. Answers the version that was found if it is newer.
pub(super) async fn run(connection: &mut AnyConnection, dialect: Dialect) -> Result<Option<i64>, sqlx::Error> {
    let mut transaction = connection.begin_with(dialect.begin()).await?;
    if dialect == Dialect::Postgres {
        transaction.execute(sqlx::raw_sql(ADVISORY_LOCK)).await?;
    }
    let table = match dialect {
        Dialect::Sqlite => "CREATE TABLE IF NOT EXISTS state_migrations (number INTEGER PRIMARY KEY NOT NULL) STRICT",
        Dialect::Postgres => "CREATE TABLE IF NOT EXISTS state_migrations (number BIGINT PRIMARY KEY NOT NULL)",
    };
    transaction.execute(sqlx::raw_sql(table)).await?;
    let question = "SELECT CAST(COALESCE(MAX(number), 0) AS BIGINT) AS number FROM state_migrations";
    let found: i64 = sqlx::query(question).fetch_one(&mut *transaction).await?.try_get("number")?;
    for (migration, number) in MIGRATIONS.iter().zip(1_i64..).filter(|(_, number)| *number > found) {
        let text = if dialect == Dialect::Sqlite { migration.sqlite } else { migration.postgres };
        transaction.execute(sqlx::raw_sql(text)).await?;
        let note = sqlx::query("INSERT INTO state_migrations (number) VALUES ($1)").bind(number);
        note.execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok((found > super::number(MIGRATIONS.len())).then_some(found))
}
