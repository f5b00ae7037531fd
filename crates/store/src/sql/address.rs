//! Database addresses, which may carry passwords.

use std::path::PathBuf;

use crate::StoreError;

/// Where the database is.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Address {
    /// A file.
    Sqlite(PathBuf),
    /// A server's URL; it may carry a password, so that there is no `Debug`.
    Postgres(String),
}

impl Address {
    pub(super) fn parse(address: &str) -> Result<Self, StoreError> {
        let wrong = || StoreError::Address { address: mask_address(address) };
        if let Some(path) = address.strip_prefix("sqlite://") {
            let is_file = !path.is_empty() && !path.starts_with(':') && !path.contains(['?', '\0']);
            let path = std::path::absolute(path).map_err(|_| wrong())?;
            return if is_file && path.file_name().is_some() { Ok(Self::Sqlite(path)) } else { Err(wrong()) };
        }
        if address.starts_with("postgres://") || address.starts_with("postgresql://") {
            return Ok(Self::Postgres(address.to_owned()));
        }
        Err(wrong())
    }
}

/// The address as it may be shown: without its password and without its parameters, which may carry another.
pub fn mask_address(address: &str) -> String {
    let (address, parameters) = match address.split_once('?') {
        // A password may hold an unescaped `?`: what follows is only dropped, and what is before is masked below.
        Some((before, _)) => (before, "?…"),
        None => (address, ""),
    };
    let Some((scheme, rest)) = address.split_once("://") else {
        // Whatever this is, it is not ours to repeat.
        return "…".to_owned();
    };
    if scheme == "sqlite" {
        return format!("{scheme}://{rest}{parameters}");
    }
    // The last `@` ends the password, which may hold unescaped ones, slashes and colons.
    let masked = match (rest.rsplit_once('@'), rest.split_once(':')) {
        (Some((login, place)), _) => match login.split_once(':') {
            Some((user, _)) => format!("{user}:***@{place}"),
            None => rest.to_owned(),
        },
        // No `@` but a `?`: the cut may have fallen into the password.
        (None, Some((host, _))) if !parameters.is_empty() => format!("{host}:…"),
        (None, _) => rest.to_owned(),
    };
    format!("{scheme}://{masked}{parameters}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_masked() {
        let cases = [
            ("postgres://alfred:secret@db/alfred", "postgres://alfred:***@db/alfred"),
            ("postgres://alfred:se:cr@et@db/alfred", "postgres://alfred:***@db/alfred"),
            ("postgres://alfred:sec/ret@db/alfred", "postgres://alfred:***@db/alfred"),
            ("postgres://alfred:sec?ret@db/alfred", "postgres://alfred:…?…"),
            ("postgres://alfred@db/alfred", "postgres://alfred@db/alfred"),
            ("postgres://db/alfred?user=a&password=secret", "postgres://db/alfred?…"),
            ("mysql://root:secret@db/alfred", "mysql://root:***@db/alfred"),
            ("alfred:secret@db", "…"),
            ("sqlite:///var/lib/alfred.sqlite", "sqlite:///var/lib/alfred.sqlite"),
        ];
        for (address, masked) in cases {
            assert_eq!(mask_address(address), masked);
        }
    }

    #[test]
    fn addresses_are_files_or_postgresql_servers() {
        assert!(Address::parse("sqlite:///tmp/a b?").is_err());
        for wrong in ["", "sqlite://", "sqlite://:memory:", "sqlite:///", "mysql://db", "/tmp/file", "sqlite:file"] {
            assert!(matches!(Address::parse(wrong), Err(StoreError::Address { .. })), "{wrong}");
        }
        assert!(Address::parse("sqlite:///tmp/a b%41#c.sqlite").is_ok_and(|address| {
            matches!(address, Address::Sqlite(path) if path.as_os_str() == "/tmp/a b%41#c.sqlite")
        }));
        assert!(Address::parse("postgresql://db/alfred").is_ok());
    }
}
