//! The only way to the output streams: data to stdout, all else to stderr.
//!
//! Commands say what a line is, not where it goes; the printer knows how much was asked for, whether a machine
//! reads, and whether a terminal shows it. Colour follows `NO_COLOR` and `CLICOLOR_FORCE`; every line reads the same
//! without it.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use owo_colors::OwoColorize;
use serde::Serialize;

/// How much is said on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verbosity {
    /// Errors only.
    Quiet,
    /// What a user wants to know.
    Default,
    /// Also what helps to find a fault.
    Verbose,
}

/// Hands lines to the right stream. Cheap to copy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Printer {
    verbosity: Verbosity,
    json: bool,
    live: bool,
}

#[expect(clippy::unused_self, reason = "whoever has no printer writes to no stream")]
impl Printer {
    /// A printer for this process' streams.
    pub(crate) fn new(verbosity: Verbosity, json: bool) -> Self {
        Self { verbosity, json, live: io::stderr().is_terminal() && verbosity != Verbosity::Quiet }
    }

    /// Whether data is for a machine.
    pub(crate) fn json(self) -> bool {
        self.json
    }

    /// How much is said.
    pub(crate) fn verbosity(self) -> Verbosity {
        self.verbosity
    }

    /// Whether lines on stderr may be redrawn.
    pub(crate) fn live(self) -> bool {
        self.live
    }

    /// Whether a person can be asked: both a terminal to read from and one to show the question on.
    pub(crate) fn can_ask(self) -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// A line, or several, of what was asked for.
    pub(crate) fn data(self, text: impl Display) -> io::Result<()> {
        let mut stdout = anstream::stdout().lock();
        writeln!(stdout, "{text}")?;
        stdout.flush()
    }

    /// What was asked for, as one JSON document over several lines.
    pub(crate) fn document(self, value: &impl Serialize) -> io::Result<()> {
        self.data(serde_json::to_string_pretty(value).map_err(io::Error::other)?)
    }

    /// What was asked for, as one JSON document in one line, where more will follow.
    pub(crate) fn document_line(self, value: &impl Serialize) -> io::Result<()> {
        self.data(serde_json::to_string(value).map_err(io::Error::other)?)
    }

    /// Something a user wants to know, unless they asked for quiet.
    pub(crate) fn note(self, text: impl Display) {
        match self.verbosity {
            Verbosity::Quiet => {}
            Verbosity::Default | Verbosity::Verbose => self.stderr(text),
        }
    }

    /// Something that a user must see even when they asked for quiet, such as a secret that is shown only once.
    pub(crate) fn must_see(self, text: impl Display) {
        self.stderr(text);
    }

    /// Something that helps to find a fault.
    pub(crate) fn detail(self, text: impl Display) {
        match self.verbosity {
            Verbosity::Quiet | Verbosity::Default => {}
            Verbosity::Verbose => self.stderr(text.to_string().dimmed()),
        }
    }

    /// Something that is not as it should be, with what to do.
    pub(crate) fn warning(self, text: impl Display) {
        match self.verbosity {
            Verbosity::Quiet => {}
            Verbosity::Default | Verbosity::Verbose => {
                self.stderr(format_args!("{} {text}", "warning:".yellow().bold()));
            }
        }
    }

    /// Why the command failed.
    pub(crate) fn error(self, text: impl Display) {
        self.stderr(format_args!("{} {text}", "error:".red().bold()));
    }

    /// Asks a question and answers what was typed, without its line break.
    pub(crate) fn ask(self, question: impl Display) -> io::Result<String> {
        let mut stderr = anstream::stderr().lock();
        write!(stderr, "{question} ")?;
        stderr.flush()?;
        let mut answer = String::new();
        io::stdin().read_line(&mut answer)?;
        Ok(answer.trim().to_owned())
    }

    fn stderr(self, text: impl Display) {
        // When stderr is gone there is nowhere left to say so.
        let _ = writeln!(anstream::stderr().lock(), "{text}");
    }
}
