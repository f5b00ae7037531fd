//! What the driver's errors mean.

use sqlx::error::ErrorKind;

use crate::StoreError;

/// The error of a statement, in the words of the store.
pub(super) fn store_error(doing: &'static str, error: sqlx::Error) -> StoreError {
    match sqlite_code(&error) {
        Some(sqlite::BUSY | sqlite::LOCKED) => return StoreError::Locked,
        Some(sqlite::FULL) => return StoreError::Full,
        _ => {}
    }
    match postgres_code(&error).as_deref() {
        Some("53100") => return StoreError::Full,
        Some("55P03") => return StoreError::Locked,
        _ => {}
    }
    match error {
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::AnyDriverError(_) => {
            let words: String = format!("while {doing}: {error}").chars().take(300).collect();
            StoreError::Damaged { table: "unknown", words }
        }
        error => StoreError::Database { doing, source: Box::new(error) },
    }
}

/// Primary result codes of SQLite: <https://www.sqlite.org/rescode.html>.
pub(super) mod sqlite {
    pub(in crate::sql) const BUSY: i32 = 5;
    pub(in crate::sql) const LOCKED: i32 = 6;
    pub(in crate::sql) const READ_ONLY: i32 = 8;
    pub(in crate::sql) const FULL: i32 = 13;
    pub(in crate::sql) const CANNOT_OPEN: i32 = 14;
    pub(in crate::sql) const NOT_A_DATABASE: i32 = 26;
}

/// SQLite's primary result code. PostgreSQL's codes have five characters, SQLite's are numbers of up to four digits.
pub(super) fn sqlite_code(error: &sqlx::Error) -> Option<i32> {
    let code = error.as_database_error()?.code()?;
    let extended: i32 = if code.len() < 5 { code.parse().ok()? } else { return None };
    Some(extended & 0xff)
}

/// PostgreSQL's SQLSTATE: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
pub(super) fn postgres_code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().filter(|code| code.len() == 5).map(std::borrow::Cow::into_owned)
}

/// What a failed piece of work may do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// The same again may succeed: another replica was in the way (deadlock, serialisation, a unique row that was not
    /// there when we looked), or the connection broke.
    Again,
    /// It will fail again.
    GiveUp,
}

/// What may be done about `error`.
pub(super) fn next(error: &StoreError) -> Next {
    let StoreError::Database { source, .. } = error else { return Next::GiveUp };
    let Some(error) = source.downcast_ref::<sqlx::Error>() else { return Next::GiveUp };
    let again = match error {
        sqlx::Error::Database(database) => {
            // 40: transaction rollback, 57P: the server is shutting down or ended the connection.
            let in_the_way = postgres_code(error).is_some_and(|code| code.starts_with("40") || code.starts_with("57P"));
            in_the_way || matches!(database.kind(), ErrorKind::UniqueViolation)
        }
        sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed | sqlx::Error::Protocol(_) => true,
        _ => false,
    };
    if again { Next::Again } else { Next::GiveUp }
}
