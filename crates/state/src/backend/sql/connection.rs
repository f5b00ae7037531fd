//! Opening the database: its address, the file, the connections and their settings.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{AnyConnection, AnyPool, AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, Row as _};

use super::failure::{Failed as _, is_busy};
use super::migration;
use crate::backend::BackendError;
use crate::backend::place::Place;

/// `alfd`: marks a SQLite file as this program's, as its other database is marked.
const APPLICATION_ID: i64 = 0x616c_6664;

const CONNECTIONS: u32 = 8;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// `synchronous = FULL` makes a commit survive a power cut also in WAL mode
/// (<https://www.sqlite.org/pragma.html#pragma_synchronous>).
const SQLITE_SETUP: &str = "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL";

/// Entering WAL mode does not wait for another process that is just doing it.
const OPEN_ATTEMPTS: u32 = 100;
const OPEN_PAUSE: Duration = Duration::from_millis(30);

/// Which database it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    /// Begins a transaction that writes. SQLite takes the write lock at once: a transaction that reads first and
    /// writes later fails without waiting if another wrote between (<https://www.sqlite.org/lang_transaction.html>).
    pub(super) fn begin(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres => "BEGIN",
        }
    }
}

pub(super) async fn open(address: &str) -> Result<(Place, Dialect, AnyPool), BackendError> {
    sqlx::any::install_default_drivers();
    let (place, dialect, url) = match address.strip_prefix("sqlite://") {
        Some(path) => {
            let place = Place(format!("sqlite {path}"));
            let path =
                sqlite_path(path).ok_or_else(|| place.refused("its address must be `sqlite://PATH` of a file"))?;
            private_file(&path).map_err(|error| {
                place
                    .refused(format_args!("cannot write it ({error}): create its folder, or let this user write there"))
            })?;
            (place, Dialect::Sqlite, sqlite_url(&path))
        }
        None => (Place(format!("postgres {}", shown(address))), Dialect::Postgres, address.to_owned()),
    };
    let options = AnyConnectOptions::from_str(&url)
        .map_err(|_| place.refused("its address cannot be read: it must be `postgres://USER:PASSWORD@HOST/DATABASE`"))?
        .disable_statement_logging();
    prepare(&place, dialect, &options).await?;
    let pool = AnyPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(CONNECT_TIMEOUT)
        // A file does not hang up; a server may, and then the first question after that would fail.
        .test_before_acquire(dialect == Dialect::Postgres)
        .after_connect(move |connection, _| Box::pin(set_up(connection, dialect)))
        .connect_lazy_with(options);
    Ok((place, dialect, pool))
}

/// Brings the tables up to date over a connection of its own.
async fn prepare(place: &Place, dialect: Dialect, options: &AnyConnectOptions) -> Result<(), BackendError> {
    let connect = tokio::time::timeout(CONNECT_TIMEOUT, AnyConnection::connect_with(options));
    let mut connection =
        connect.await.map_err(|_| sqlx::Error::PoolTimedOut).and_then(|result| result).failed(place)?;
    let mut attempts = 0;
    while let Err(error) = set_up(&mut connection, dialect).await {
        attempts += 1;
        if !is_busy(&error) || attempts == OPEN_ATTEMPTS {
            return Err(error).failed(place);
        }
        tokio::time::sleep(OPEN_PAUSE).await;
    }
    if dialect == Dialect::Sqlite && !claim_file(&mut connection).await.failed(place)? {
        return Err(place.refused("it belongs to another program: name another file"));
    }
    if let Some(found) = migration::run(&mut connection, dialect).await.failed(place)? {
        return Err(
            place.refused(format_args!("its tables have version {found}, which is newer: use a newer `alfred`"))
        );
    }
    connection.close().await.failed(place)
}

async fn set_up(connection: &mut AnyConnection, dialect: Dialect) -> Result<(), sqlx::Error> {
    if dialect == Dialect::Sqlite {
        connection.execute(sqlx::raw_sql(SQLITE_SETUP)).await?;
    }
    Ok(())
}

/// Marks an empty SQLite file as ours. Answers whether it may be used: not, if it bears another program's mark.
async fn claim_file(connection: &mut AnyConnection) -> Result<bool, sqlx::Error> {
    let question = "SELECT application_id, (SELECT count(*) FROM sqlite_schema) AS tables FROM pragma_application_id";
    let row = sqlx::query(question).fetch_one(&mut *connection).await?;
    let (found, tables): (i64, i64) = (row.try_get("application_id")?, row.try_get("tables")?);
    if found == 0 && tables == 0 {
        let mark = format!("PRAGMA application_id = {APPLICATION_ID}");
        connection.execute(sqlx::raw_sql(AssertSqlSafe(mark))).await?;
    }
    Ok(found == 0 || found == APPLICATION_ID)
}

fn sqlite_path(path: &str) -> Option<PathBuf> {
    let is_file = !path.is_empty() && !path.starts_with(':') && !path.contains(['?', '\0']);
    let path = std::path::absolute(path).ok().filter(|path| path.file_name().is_some());
    path.filter(|_| is_file)
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

fn private_file(path: &Path) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

/// Host and database of an address, without what may be secret in it.
fn shown(address: &str) -> String {
    let address = address.split_once("://").map_or("", |(_, rest)| rest);
    // The last `@` ends the password, which may hold unescaped ones, slashes and question marks; but parameters may hold
    // one, too, and then nobody knows what is what.
    let (login, place) = address.rsplit_once('@').unwrap_or(("", address));
    if login.contains("password=") || login.split('?').skip(1).any(|part| part.contains('=')) {
        return "…".to_owned();
    }
    let place = place.split(['?', '#']).next().unwrap_or("");
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "-._~:/%[]".contains(character);
    if place.is_empty() || !place.chars().all(is_plain) { "…".to_owned() } else { place.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        for (address, expected) in [
            ("postgres://alfred:secret@db/states", "db/states"),
            ("postgres://alfred:se:cr@et@db:5432/states?sslmode=require", "db:5432/states"),
            ("postgres://alfred:sec?ret@db/states", "db/states"),
            ("postgres://alfred:sec/ret@%2Ftmp%2Fpg/states", "%2Ftmp%2Fpg/states"),
            ("postgres://db/states?password=secret", "db/states"),
            ("postgres://db/states?password=sec@ret", "…"),
            ("postgres://db/states?sslpassword=sec@ret", "…"),
            ("postgresql://", "…"),
            ("secret", "…"),
        ] {
            assert_eq!(shown(address), expected, "{address}");
        }
    }

    #[test]
    fn only_files_are_files() {
        for wrong in ["", ":memory:", "/", "a?mode=memory", "a\0b"] {
            assert_eq!(sqlite_path(wrong), None, "{wrong}");
        }
        assert_eq!(sqlite_url(Path::new("/tmp/a b#c.sqlite")), "sqlite:///tmp/a%20b%23c.sqlite");
    }
}
