//! What is special about databases: files, locks, damage, schemas, and the number of statements.

mod cost;
mod damage;
mod exports;
mod open;
mod plans;
mod replicas;
mod schema;

use sqlx::any::AnyPoolOptions;
use sqlx::{AnyPool, Row as _};

/// A connection beside the store's, to look at the database or to spoil it.
async fn beside(address: &str) -> AnyPool {
    sqlx::any::install_default_drivers();
    AnyPoolOptions::new().max_connections(1).connect(address).await.unwrap()
}

/// The text columns of each row, joined.
async fn texts(pool: &AnyPool, question: &'static str) -> Vec<String> {
    let rows = sqlx::query(question).fetch_all(pool).await.unwrap();
    let joined = rows.iter().map(|row| {
        let columns = (0..row.len()).map(|index| row.try_get::<String, _>(index).unwrap());
        columns.collect::<Vec<_>>().join(" ")
    });
    joined.collect()
}
