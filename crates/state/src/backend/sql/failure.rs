//! What the driver's errors mean.

use crate::backend::BackendError;
use crate::backend::place::Place;

/// Primary result codes of SQLite: <https://www.sqlite.org/rescode.html>.
mod sqlite {
    pub(super) const BUSY: i32 = 5;
    pub(super) const LOCKED: i32 = 6;
    pub(super) const READ_ONLY: i32 = 8;
    pub(super) const CORRUPT: i32 = 11;
    pub(super) const FULL: i32 = 13;
    pub(super) const CANNOT_OPEN: i32 = 14;
    pub(super) const NOT_A_DATABASE: i32 = 26;
}

/// Says a driver's error in the words of a backend.
pub(super) trait Failed<T> {
    fn failed(self, place: &Place) -> Result<T, BackendError>;
}

impl<T> Failed<T> for Result<T, sqlx::Error> {
    fn failed(self, place: &Place) -> Result<T, BackendError> {
        self.map_err(|error| backend_error(place, &error))
    }
}

fn backend_error(place: &Place, error: &sqlx::Error) -> BackendError {
    if let Some(code) = sqlite_code(error) {
        return sqlite_error(place, code, error);
    }
    if let Some(code) = postgres_code(error) {
        return postgres_error(place, &code, error);
    }
    match error {
        sqlx::Error::Io(error) => place.unavailable(format_args!("it cannot be reached ({error}): check that it runs")),
        sqlx::Error::PoolTimedOut => place.unavailable("it does not answer: check the address and that it runs"),
        sqlx::Error::Tls(_) => place.refused("no encrypted connection: check its certificate"),
        // The address may be part of what these say.
        sqlx::Error::Configuration(_) => place.refused("its address cannot be read: check it"),
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::AnyDriverError(_) => {
            place.damaged(format_args!("a row cannot be read: {}", shortened(error)))
        }
        error => place.unavailable(shortened(error)),
    }
}

fn sqlite_error(place: &Place, code: i32, error: &sqlx::Error) -> BackendError {
    match code {
        sqlite::BUSY | sqlite::LOCKED => {
            place.unavailable("another process holds it for many seconds: see what it does")
        }
        sqlite::READ_ONLY | sqlite::CANNOT_OPEN => {
            place.refused("the file or its folder is not writable: let this user write there, or name another file")
        }
        sqlite::FULL => place.refused("its disk is full: make room"),
        sqlite::NOT_A_DATABASE => place.refused("the file is not a SQLite database: name another file"),
        sqlite::CORRUPT => place.damaged(format_args!("the file: {}", shortened(error))),
        _ => place.unavailable(shortened(error)),
    }
}

/// By SQLSTATE: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn postgres_error(place: &Place, code: &str, error: &sqlx::Error) -> BackendError {
    match code {
        "28P01" | "28000" => place.refused("it does not accept this user or password: check both"),
        "3D000" => place.refused("it has no database of this name: create it, or correct the name"),
        "42501" => place.refused(format_args!("this user may not do that: {}", shortened(error))),
        "53100" => place.refused("its disk is full: make room"),
        "XX001" | "XX002" => place.damaged(shortened(error)),
        _ => place.unavailable(shortened(error)),
    }
}

/// PostgreSQL's codes have five characters, SQLite's are numbers of up to four digits.
pub(super) fn sqlite_code(error: &sqlx::Error) -> Option<i32> {
    let code = error.as_database_error()?.code()?;
    let extended: i32 = if code.len() < 5 { code.parse().ok()? } else { return None };
    Some(extended & 0xff)
}

pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    matches!(sqlite_code(error), Some(sqlite::BUSY | sqlite::LOCKED))
}

fn postgres_code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().filter(|code| code.len() == 5).map(std::borrow::Cow::into_owned)
}

fn shortened(error: &sqlx::Error) -> String {
    error.to_string().chars().filter(|character| !character.is_control()).take(300).collect()
}
