//! `alfred completions`: a script for a shell.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::error::{Exit, Failure};
use crate::printer::Printer;

/// Prints the script.
pub(super) fn run(printer: Printer, shell: Shell) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "alfred", &mut script);
    printer.data(String::from_utf8_lossy(&script).trim_end())?;
    Ok(Exit::Done)
}
