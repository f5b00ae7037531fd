//! What the writer does with work that breaks its word or fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64};

use super::*;
use crate::sql::SqlOptions;
use crate::sql::row::Row;
use crate::sql::statement::Statement;

/// Writes a setting, and then answers as it was told to.
struct Setting {
    name: &'static str,
    outcome: fn() -> Result<(), StoreError>,
    runs: Arc<AtomicU32>,
}

#[async_trait]
impl Work for Setting {
    type Answer = ();

    async fn run(&self, session: &mut Session) -> Result<(), StoreError> {
        self.runs.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let insert = Statement::new("INSERT INTO settings (name, value) VALUES (").value(self.name).text(", 'x')");
        session.write("writing a setting", insert).await?;
        (self.outcome)()
    }
}

/// The names of all settings.
struct Names;

#[async_trait]
impl Work for Names {
    type Answer = Vec<String>;

    async fn run(&self, session: &mut Session) -> Result<Vec<String>, StoreError> {
        let rows = session.read("reading settings", Statement::new("SELECT name FROM settings ORDER BY name")).await?;
        rows.iter().map(|row| Row::new(row, "settings").text("name")).collect()
    }
}

async fn writer(folder: &tempfile::TempDir) -> Writer {
    let address = format!("sqlite://{}/alfred.sqlite", folder.path().display());
    let connector = Connector::new(&address, &SqlOptions::default()).unwrap();
    let statements = Arc::new(AtomicU64::new(0));
    let session = Session::new(connector.prepare().await.unwrap(), connector.dialect, Arc::clone(&statements), None);
    Writer::start(connector, session, statements, 256).0
}

fn setting(name: &'static str, outcome: fn() -> Result<(), StoreError>) -> (Setting, Arc<AtomicU32>) {
    let runs = Arc::default();
    (Setting { name, outcome, runs: Arc::clone(&runs) }, runs)
}

/// Three pieces of work in one group, the middle one answers `outcome` after it has written.
async fn beside_two_others(outcome: fn() -> Result<(), StoreError>) -> (Result<(), StoreError>, u32, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let writer = writer(&folder).await;
    let ((first, _), (middle, runs), (last, _)) =
        (setting("a", || Ok(())), setting("b", outcome), setting("c", || Ok(())));
    let (first, middle, last) = tokio::join!(writer.run(first), writer.run(middle), writer.run(last));
    first.unwrap();
    last.unwrap();
    (middle, runs.load(std::sync::atomic::Ordering::Relaxed), writer.run(Names).await.unwrap())
}

#[tokio::test]
async fn a_refusal_after_a_write_is_rolled_back_and_hurts_nobody_else() {
    let (outcome, runs, names) = beside_two_others(|| Err(StoreError::KeyReused)).await;
    assert!(matches!(outcome, Err(StoreError::KeyReused)));
    assert_eq!(runs, 2, "in the group, and alone");
    assert_eq!(names, ["a", "c"]);
}

#[tokio::test]
async fn a_failure_is_rolled_back_and_hurts_nobody_else() {
    let (outcome, runs, names) = beside_two_others(|| Err(StoreError::Full)).await;
    assert!(matches!(outcome, Err(StoreError::Full)));
    assert_eq!(runs, 2);
    assert_eq!(names, ["a", "c"]);
}

#[tokio::test]
async fn what_another_stood_in_the_way_of_is_tried_again() {
    let (outcome, runs, names) = beside_two_others(|| {
        Err(StoreError::Database { doing: "testing", source: Box::new(sqlx::Error::WorkerCrashed) })
    })
    .await;
    assert!(matches!(outcome, Err(StoreError::Database { .. })));
    assert_eq!(runs, 1 + ATTEMPTS);
    assert_eq!(names, ["a", "c"]);
}

#[tokio::test]
async fn nobody_is_answered_before_the_commit() {
    let folder = tempfile::tempdir().unwrap();
    let writer = writer(&folder).await;
    let (work, _) = setting("a", || Ok(()));
    writer.run(work).await.unwrap();
    // Another connection sees only what is committed.
    let url = format!("sqlite://{}/alfred.sqlite", folder.path().display());
    let pool = sqlx::AnyPool::connect(&url).await.unwrap();
    let rows = sqlx::query("SELECT name FROM settings").fetch_all(&pool).await.unwrap();
    assert_eq!(rows.len(), 1);
}
