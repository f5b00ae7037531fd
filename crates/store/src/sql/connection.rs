//! Opening the database: the file and its lock, the connections and their settings.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{AnyConnection, AnyPool, AssertSqlSafe, ConnectOptions, Connection, Executor, Row as _};

use super::address::{Address, mask_address};
use super::dialect::Dialect;
use super::failure::{postgres_code, sqlite, sqlite_code, store_error};
use super::{CommitHook, SqlOptions, migration};
use crate::StoreError;

const RELEASE_LEASES: &str = "\
    UPDATE environments SET lease_worker = NULL, lease_until = NULL WHERE lease_until IS NOT NULL; \
    UPDATE vms SET lease_worker = NULL, lease_until = NULL WHERE lease_until IS NOT NULL";

/// `alfd`: marks a SQLite file as ours, so that another program's file is refused instead of filled with our tables.
const APPLICATION_ID: i32 = 0x616c_6664;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Makes connections to one database.
#[derive(Clone)]
pub(super) struct Connector {
    pub(super) dialect: Dialect,
    options: AnyConnectOptions,
    /// The address without its password.
    shown: String,
    /// Statements for each new connection that writes.
    setup: String,
    /// Told of each commit.
    pub(super) on_commit: Option<CommitHook>,
    /// Held while the database is open, so that no second process opens the same file.
    _lock: Option<Arc<File>>,
}

impl Connector {
    /// Finds the database, and locks and creates the file if it is one.
    pub(super) fn new(address: &str, options: &SqlOptions) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let shown = mask_address(address);
        let (url, dialect, lock, setup) = match Address::parse(address)? {
            Address::Sqlite(path) => {
                let lock = lock_file(&path, &shown)?;
                (sqlite_url(&path), Dialect::Sqlite, Some(Arc::new(lock)), sqlite_setup(options))
            }
            Address::Postgres(url) => (url, Dialect::Postgres, None, String::new()),
        };
        let on_commit = options.on_commit.clone();
        let options = AnyConnectOptions::from_str(&url)
            .map_err(|_| StoreError::Address { address: shown.clone() })?
            .disable_statement_logging();
        Ok(Self { dialect, options, shown, setup, on_commit, _lock: lock })
    }

    /// A connection that writes.
    pub(super) async fn connect(&self) -> Result<AnyConnection, StoreError> {
        let connecting = async {
            let mut connection = AnyConnection::connect_with(&self.options).await?;
            if !self.setup.is_empty() {
                connection.execute(sqlx::raw_sql(AssertSqlSafe(self.setup.clone()))).await?;
            }
            Ok(connection)
        };
        match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(self.open_error(error)),
            // A file is always there: whoever makes us wait for it holds it.
            Err(_) if self.dialect == Dialect::Sqlite => Err(StoreError::Locked),
            Err(_) => Err(self.open("it does not answer: check the address and that the server runs".to_owned())),
        }
    }

    /// The first connection: makes sure that the database is ours and has today's schema.
    pub(super) async fn prepare(&self) -> Result<AnyConnection, StoreError> {
        let mut connection = self.connect().await?;
        if self.dialect == Dialect::Sqlite {
            self.claim_file(&mut connection).await?;
        }
        migration::run(&mut connection, self.dialect).await?;
        if self.dialect == Dialect::Sqlite {
            // The file is ours alone: whoever held a lease is gone, and nobody has to wait for it to run out.
            let released = connection.execute(sqlx::raw_sql(RELEASE_LEASES)).await;
            released.map_err(|error| self.open_error(error))?;
        }
        Ok(connection)
    }

    /// Connections that only read.
    pub(super) fn readers(&self, count: u32) -> AnyPool {
        let dialect = self.dialect;
        AnyPoolOptions::new()
            .max_connections(count.max(1))
            .acquire_timeout(CONNECT_TIMEOUT)
            // A file does not hang up; a server may, and then the first question after that would fail.
            .test_before_acquire(dialect == Dialect::Postgres)
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    let setup = match dialect {
                        Dialect::Sqlite => "PRAGMA busy_timeout = 5000; PRAGMA query_only = ON",
                        Dialect::Postgres => "SET default_transaction_read_only = on",
                    };
                    connection.execute(sqlx::raw_sql(setup)).await?;
                    Ok(())
                })
            })
            .connect_lazy_with(self.options.clone())
    }

    /// Marks an empty SQLite file as ours and refuses one that is not.
    async fn claim_file(&self, connection: &mut AnyConnection) -> Result<(), StoreError> {
        let failed = |error| self.open_error(error);
        let row = sqlx::query("SELECT application_id FROM pragma_application_id").fetch_one(&mut *connection);
        let found: i64 = row.await.and_then(|row| row.try_get(0)).map_err(failed)?;
        if found == i64::from(APPLICATION_ID) {
            return Ok(());
        }
        let row = sqlx::query("SELECT count(*) FROM sqlite_schema").fetch_one(&mut *connection);
        let tables: i64 = row.await.and_then(|row| row.try_get(0)).map_err(failed)?;
        if found != 0 || tables != 0 {
            return Err(self.open("it belongs to another program: choose another file".to_owned()));
        }
        let mark = format!("PRAGMA application_id = {APPLICATION_ID}");
        connection.execute(sqlx::raw_sql(AssertSqlSafe(mark))).await.map_err(failed)?;
        Ok(())
    }

    fn open(&self, words: String) -> StoreError {
        StoreError::Open { address: self.shown.clone(), words }
    }

    fn open_error(&self, error: sqlx::Error) -> StoreError {
        let words = match (sqlite_code(&error), postgres_code(&error).as_deref()) {
            (Some(sqlite::NOT_A_DATABASE), _) => "the file is not a SQLite database: choose another".to_owned(),
            (Some(sqlite::CANNOT_OPEN | sqlite::READ_ONLY), _) => {
                "the file or its folder is not writable: give this user the right to write there".to_owned()
            }
            (_, Some("28P01" | "28000")) => "the server refuses this user or password: check both".to_owned(),
            (_, Some("3D000")) => "the server has no database of this name: create it first".to_owned(),
            _ => match error {
                // The address may be part of what these say.
                sqlx::Error::Configuration(_) => return StoreError::Address { address: self.shown.clone() },
                sqlx::Error::Io(error) => format!("the server cannot be reached ({error}): check that it runs"),
                sqlx::Error::Tls(error) => format!("no encrypted connection ({error}): check the certificate"),
                error => return store_error("opening it", error),
            },
        };
        self.open(words)
    }
}

/// `synchronous = FULL` makes a commit survive a power cut also in WAL mode: an order that was sent must be found in
/// the ledger afterwards (<https://www.sqlite.org/pragma.html#pragma_synchronous>).
fn sqlite_setup(options: &SqlOptions) -> String {
    let mut setup = "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                     PRAGMA foreign_keys = ON"
        .to_owned();
    if let Some(pages) = options.max_pages {
        write!(setup, "; PRAGMA max_page_count = {pages}").expect("writing to a string cannot fail");
    }
    setup
}

/// The URL of a file, whatever characters its path has.
fn sqlite_url(path: &Path) -> String {
    let mut url = "sqlite://".to_owned();
    for byte in path.to_string_lossy().bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'-' | b'_') {
            url.push(char::from(byte));
        } else {
            write!(url, "%{byte:02X}").expect("writing to a string cannot fail");
        }
    }
    url
}

/// Takes the lock beside the database, and creates the database for this user alone.
///
/// SQLite itself would let two processes share the file, but each would believe that it alone holds the leases, and
/// the API budget would be spent twice.
fn lock_file(path: &Path, shown: &str) -> Result<File, StoreError> {
    let failed = |path: &Path, error: &std::io::Error| StoreError::Open {
        address: shown.to_owned(),
        words: format!(
            "cannot create or write `{}` ({error}): create its folder, or let this user write there",
            path.display()
        ),
    };
    let lock_path = PathBuf::from(format!("{}.lock", path.display()));
    let lock = private_file(&lock_path).map_err(|error| failed(&lock_path, &error))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(StoreError::Locked),
        Err(TryLockError::Error(error)) => return Err(failed(&lock_path, &error)),
    }
    private_file(path).map_err(|error| failed(path, &error))?;
    Ok(lock)
}

fn private_file(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
