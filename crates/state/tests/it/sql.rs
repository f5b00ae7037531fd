//! What is particular to states in databases.

use std::os::unix::fs::MetadataExt as _;

use alfred_state::backend::{Put, Sql};
use alfred_state::{Backend as _, BackendError};
use bytes::Bytes;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Executor as _, Row as _};

use crate::fixture::{blob, done, key, name, noise, postgres_address, sqlite_address};

const CONTENT: Bytes = Bytes::from_static(b"{}");

/// A connection that goes past the backend.
async fn connect(address: &str) -> AnyConnection {
    sqlx::any::install_default_drivers();
    AnyConnection::connect(address).await.unwrap()
}

async fn execute(connection: &mut AnyConnection, statement: &str) {
    connection.execute(sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))).await.unwrap();
}

#[tokio::test]
async fn both_databases_have_the_same_tables() {
    let folder = tempfile::tempdir().unwrap();
    let (sqlite, postgres) = (sqlite_address(&folder), postgres_address());
    let questions = [
        (
            &sqlite,
            "SELECT tables.name AS place, columns.name AS name, columns.type AS kind, columns.pk AS part \
             FROM sqlite_schema AS tables JOIN pragma_table_info(tables.name) AS columns \
             WHERE tables.type = 'table' ORDER BY place, name",
        ),
        (
            &postgres,
            "SELECT CAST(table_name AS TEXT) AS place, CAST(column_name AS TEXT) AS name, CAST(data_type AS TEXT) AS kind \
             FROM information_schema.columns WHERE table_schema = 'public' ORDER BY place, name",
        ),
    ];
    let mut found = Vec::new();
    for (address, question) in questions {
        Sql::open(address).await.unwrap();
        let rows = sqlx::query(question).fetch_all(&mut connect(address).await).await.unwrap();
        let columns = rows.iter().map(|row| {
            let [place, name, kind] = ["place", "name", "kind"].map(|column| row.get::<String, _>(column));
            let kind = kind.to_lowercase().replace("bytea", "blob").replace("bigint", "integer");
            format!("{place}.{name} {kind}")
        });
        found.push(columns.collect::<Vec<_>>());
    }
    assert_eq!(found[0].len(), 12);
    assert_eq!(found[0], found[1]);
    assert!(found[0].iter().all(|column| column.starts_with("state_")), "{found:?}");
}

#[tokio::test]
async fn other_tables_in_the_same_database_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    for address in [sqlite_address(&folder), postgres_address()] {
        if address.starts_with("sqlite") {
            std::fs::write(folder.path().join("states.sqlite"), "").unwrap();
        }
        let mut connection = connect(&address).await;
        execute(&mut connection, "CREATE TABLE schema_migrations (number BIGINT)").await;
        execute(&mut connection, "INSERT INTO schema_migrations (number) VALUES (99)").await;
        let backend = Sql::open(&address).await.unwrap();
        done(backend.swap_document(&name("a"), None, CONTENT).await.unwrap());
        let row = sqlx::query("SELECT number FROM schema_migrations").fetch_one(&mut connection).await.unwrap();
        assert_eq!(row.get::<i64, _>("number"), 99);
        Sql::open(&address).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_damaged_is_told() {
    let folder = tempfile::tempdir().unwrap();
    for address in [sqlite_address(&folder), postgres_address()] {
        let backend = Sql::open(&address).await.unwrap();
        let state = name("damaged");
        done(backend.swap_document(&state, None, noise(500, 1)).await.unwrap());
        assert_eq!(backend.put_blob(&state, &key(1, 1), blob(&noise(3_000_000, 1))).await.unwrap(), Put::Created);
        let mut connection = connect(&address).await;
        let cut = "UPDATE state_documents SET content = substr(content, 1, 300)";
        let statements = [
            "DELETE FROM state_chunks WHERE number = 1",
            "UPDATE state_blobs SET key = 'none'",
            if address.starts_with("sqlite") {
                "UPDATE state_documents SET content = CAST(content || x'00' AS BLOB)"
            } else {
                cut
            },
        ];
        for statement in statements {
            execute(&mut connection, statement).await;
        }
        for error in [backend.document(&state).await.unwrap_err(), backend.blobs(&state).await.unwrap_err()] {
            assert!(matches!(&error, BackendError::Damaged { .. }), "{error}");
        }
        execute(&mut connection, &format!("UPDATE state_blobs SET key = '{}'", key(1, 1).as_key())).await;
        let error = backend.blob(&state, &key(1, 1)).await.unwrap_err();
        assert!(matches!(&error, BackendError::Damaged { words, .. } if words.ends_with("of 3000000")), "{error}");
        execute(&mut connection, "UPDATE state_documents SET name = 'No Name'").await;
        let error = backend.states(None, 10).await.unwrap_err();
        assert!(matches!(&error, BackendError::Damaged { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_file_is_private_and_not_taken_from_others() {
    let folder = tempfile::tempdir().unwrap();
    let address = sqlite_address(&folder);
    let backend = Sql::open(&address).await.unwrap();
    done(backend.swap_document(&name("a"), None, CONTENT).await.unwrap());
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let metadata = entry.unwrap().metadata().unwrap();
        assert_eq!(metadata.mode() & 0o777, 0o600);
    }
    assert_eq!(backend.place(), address.replace("sqlite://", "sqlite "));

    let other = folder.path().join("other.sqlite");
    std::fs::write(&other, "").unwrap();
    let other = format!("sqlite://{}", other.display());
    execute(&mut connect(&other).await, "PRAGMA application_id = 7; CREATE TABLE theirs (a)").await;
    let text = folder.path().join("text");
    std::fs::write(&text, "no database ".repeat(1_000)).unwrap();
    let text = format!("sqlite://{}", text.display());
    let missing = format!("sqlite://{}/missing/file", folder.path().display());
    for (address, words) in [
        (&*other, "it belongs to another program"),
        (&*text, "is not a SQLite database"),
        (&*missing, "create its folder"),
        ("sqlite://", "its address must be"),
        ("sqlite://:memory:", "its address must be"),
        ("postgres://a b:80:80/x", "its address cannot be read"),
    ] {
        let error = Sql::open(address).await.unwrap_err();
        assert!(matches!(error, BackendError::Refused { .. }), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[tokio::test]
async fn tables_of_a_newer_program_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let address = sqlite_address(&folder);
    Sql::open(&address).await.unwrap();
    execute(&mut connect(&address).await, "INSERT INTO state_migrations (number) VALUES (7)").await;
    let error = Sql::open(&address).await.unwrap_err();
    assert!(error.to_string().ends_with("its tables have version 7, which is newer: use a newer `alfred`"), "{error}");
}

#[tokio::test]
async fn what_is_wrong_with_a_server_is_said_without_its_password() {
    let server = alfred_testing::postgres::Server::shared().unwrap_or_else(|words| panic!("{words}"));
    let missing = server.url().replace("/postgres", "/missing");
    for (address, words) in [
        (server.url_with_wrong_password(), "refused: it does not accept this user or password"),
        (missing, "refused: it has no database of this name"),
        ("postgres://alfred:correct-horse@127.0.0.1:1/states".to_owned(), "is not available: it cannot be reached"),
        ("postgres://alfred:correct-horse@%2Fno%2Fsuch/states".to_owned(), "is not available: it cannot be reached"),
    ] {
        let error = Sql::open(&address).await.unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
        assert!(!error.contains("horse"), "{error}");
    }
    let backend = Sql::open(&postgres_address()).await.unwrap();
    assert!(!format!("{backend:?}").contains("horse"), "{backend:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_may_open_a_new_database_at_once() {
    let folder = tempfile::tempdir().unwrap();
    for address in [sqlite_address(&folder), postgres_address()] {
        let opening = (0..8).map(|_| {
            tokio::spawn({
                let address = address.clone();
                async move { Sql::open(&address).await }
            })
        });
        let opening: Vec<_> = opening.collect();
        for opened in opening {
            opened.await.unwrap().unwrap();
        }
    }
}

#[tokio::test]
async fn a_server_that_ended_the_connections_is_asked_again() {
    let address = postgres_address();
    let backend = Sql::open(&address).await.unwrap();
    let state = name("again");
    let revision = done(backend.swap_document(&state, None, CONTENT).await.unwrap());
    let end = "SELECT CAST(pg_terminate_backend(pid) AS TEXT) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    execute(&mut connect(&address).await, end).await;
    assert_eq!(backend.document(&state).await.unwrap().unwrap().revision, revision);
    done(backend.swap_document(&state, Some(revision), CONTENT).await.unwrap());
}
