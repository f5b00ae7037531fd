//! How a command ends when it does not succeed: one line for a person, one exit code for a script.
//!
//! Errors of the crates below are turned into a [`Failure`] at the place where it is known what the user wanted;
//! nothing prints `Debug` forms or backtraces.

use std::error::Error;
use std::fmt;
use std::process::ExitCode;

/// How a command ended, for scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All was done.
    Done,
    /// It failed.
    Failed,
    /// It was not understood, or the configuration is wrong; nothing was done.
    Usage,
    /// Some of it was done.
    Partly,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Partly => 3,
        })
    }
}

/// Why a command did not do all it was asked for: what happened, to what, and what to do.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The exit code.
    pub(crate) exit: Exit,
    words: String,
    hint: Option<String>,
    silent: bool,
}

impl Failure {
    /// It failed.
    pub(crate) fn new(words: impl Into<String>) -> Self {
        Self { exit: Exit::Failed, words: words.into(), hint: None, silent: false }
    }

    /// The command line or the configuration is wrong.
    pub(crate) fn usage(words: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, ..Self::new(words) }
    }

    /// Some of it was done.
    pub(crate) fn partly(words: impl Into<String>) -> Self {
        Self { exit: Exit::Partly, ..Self::new(words) }
    }

    /// `doing` failed for the reasons in `error` and its sources.
    pub(crate) fn because(doing: impl fmt::Display, error: &(dyn Error + 'static)) -> Self {
        Self::new(format!("{doing}: {}", chain(error)))
    }

    /// Whoever read the output has closed it, as `head` does. That is no error of ours, and there is nobody to tell.
    fn output_closed() -> Self {
        Self { exit: Exit::Done, silent: true, ..Self::new("nobody reads the output any more") }
    }

    /// Says first what it is about.
    pub(crate) fn about(mut self, what: &str) -> Self {
        self.words = format!("{what}: {}", self.words);
        self
    }

    /// Adds what to do.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Whether there is nothing to tell.
    pub(crate) fn is_silent(&self) -> bool {
        self.silent
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Words come from servers and files too: one line stays one line, and no control character reaches a terminal.
        let mut line = self.words.clone();
        if let Some(hint) = &self.hint {
            line.push_str(": ");
            line.push_str(hint);
        }
        formatter.write_str(&one_line(&line))
    }
}

impl Error for Failure {}

impl From<std::io::Error> for Failure {
    /// For writing to the output streams; other I/O says what it was about through [`Failure::because`].
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            Self::output_closed()
        } else {
            Self::because("cannot write the output", &error)
        }
    }
}

/// An error with its sources in one line, without the source repeating what the error already said.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let words = source.to_string();
        if !line.contains(&words) {
            line.push_str(": ");
            line.push_str(&words);
        }
        next = source.source();
    }
    line
}

/// `text` without line breaks and control characters.
pub(crate) fn one_line(text: &str) -> String {
    text.split(|character: char| character.is_control()).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the outer thing failed")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn sources_are_told_once_in_one_line() {
        let outer = Outer(std::io::Error::other("the disk\nis gone"));
        let failure = Failure::because("cannot save", &outer).hint("buy a disk");
        assert_eq!(failure.to_string(), "cannot save: the outer thing failed: the disk is gone: buy a disk");
    }

    #[test]
    fn no_control_character_reaches_the_terminal() {
        let failure = Failure::new("bad\u{1b}[31m name\r\n\0end");
        assert_eq!(failure.to_string(), "bad [31m name end");
    }

    #[test]
    fn a_closed_pipe_is_silent_and_a_full_disk_is_not() {
        let closed = Failure::from(std::io::Error::from(std::io::ErrorKind::BrokenPipe));
        assert!(closed.is_silent());
        assert_eq!(closed.exit, Exit::Done);
        let full = Failure::from(std::io::Error::from(std::io::ErrorKind::StorageFull));
        assert!(!full.is_silent());
        assert_eq!(full.exit, Exit::Failed);
    }
}
