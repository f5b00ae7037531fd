//! Logs of the long-running commands: to stderr, as lines for people or as JSON for collectors.

use tracing_subscriber::EnvFilter;

use crate::printer::{Printer, Verbosity};

/// Starts logging. `RUST_LOG` decides what is logged where it is set, the printer's verbosity where not.
pub(crate) fn start(printer: Printer) {
    let default = match printer.verbosity() {
        // The crate in front of the local cloud's R2 logs each refusal, 404 and 412 too, as an error.
        Verbosity::Quiet => "error,s3s=off",
        Verbosity::Default => "warn,alfred=info,alfred_engine=info,alfred_server=warn,s3s=off",
        Verbosity::Verbose => {
            "info,alfred=debug,alfred_engine=debug,alfred_server=debug,alfred_providers=debug,s3s=off"
        }
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    // A second start in one process (as a command that runs another does) keeps the first.
    let _ = if printer.json() { lines.json().try_init() } else { lines.with_ansi(printer.live()).try_init() };
}
