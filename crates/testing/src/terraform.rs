//! Whether the real `terraform` is here: no package registry brings it.

use std::io::Write as _;
use std::process::{Command, Stdio};

/// Whether there is a `terraform` that can be run. If there is none, says that the test of this thread could not run, in a
/// line that `cargo xtask test` counts and repeats at its end.
///
/// # Panics
/// When nothing can be written to the output.
pub fn is_there() -> bool {
    let mut version = Command::new("terraform");
    version.arg("version").env("CHECKPOINT_DISABLE", "1").stdout(Stdio::null()).stderr(Stdio::null());
    if version.status().is_ok_and(|status| status.success()) {
        return true;
    }
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    // A line of its own, past the harness, which hides what passing tests print.
    let line = format!(
        "\ncould not run: {test}: there is no `terraform` in `PATH`; get it from \
         https://developer.hashicorp.com/terraform/install\n"
    );
    std::io::stdout().write_all(line.as_bytes()).expect("the output is open");
    false
}
