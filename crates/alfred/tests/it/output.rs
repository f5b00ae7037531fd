//! What goes to which stream, and the help of every command.

use std::fmt::Write as _;

use crate::place::Place;

/// Every command with its help, in one document: a change of the command line is a change of this file.
#[test]
fn the_help_of_every_command_is_as_reviewed() {
    let place = Place::new();
    let mut document = String::new();
    for command in [
        "",
        "demo",
        "up",
        "cloud",
        "env",
        "env create",
        "env list",
        "env show",
        "env watch",
        "env retry",
        "env extend",
        "env quota",
        "env delete",
        "vm",
        "vm list",
        "vm pool",
        "vm pool pause",
        "vm pool resume",
        "vm order",
        "vm cancel",
        "vm adopt",
        "state",
        "state list",
        "state show",
        "state init",
        "state versions",
        "state diff",
        "state download",
        "state roll-back",
        "state pin",
        "state unpin",
        "state lock",
        "state unlock",
        "state force-unlock",
        "state settings",
        "state verify",
        "state delete",
        "state grant",
        "state revoke",
        "state rights",
        "state log",
        "state mirror",
        "state switch",
        "state migrate",
        "audit",
        "token",
        "token create",
        "token list",
        "token revoke",
        "token check",
        "token rotate",
        "config",
        "config show",
        "completions",
    ] {
        let ended = place.line(&format!("{command} --help"));
        assert_eq!(ended.code, 0, "{ended:?}");
        assert!(ended.stderr.is_empty(), "{ended:?}");
        let before_globals = ended.stdout.split("\nGlobal options:").next().unwrap_or_default();
        let after = ended.stdout.split("\n\n").filter(|part| part.starts_with("Example") || part.starts_with("Try"));
        let after: Vec<&str> = after.collect();
        writeln!(document, "# alfred {command}\n{}\n{}\n", before_globals.trim_end(), after.join("\n\n")).unwrap();
    }
    insta::assert_snapshot!("help", document);
}

#[test]
fn completions_are_data_and_know_the_commands() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ended = place.line(&format!("completions {shell}"));
        assert_eq!(ended.code, 0);
        assert!(ended.stderr.is_empty(), "{ended:?}");
        assert!(ended.stdout.contains("completions") && ended.stdout.contains("env"), "{shell}");
    }
    assert_eq!(place.line("completions csh").code, 2);
}

#[test]
fn no_colour_where_no_terminal_shows_it_and_colour_where_it_is_forced() {
    let mut place = Place::new();
    let ended = place.line("--config nothing config show");
    assert!(!ended.stderr.contains('\u{1b}'), "{ended:?}");
    place.set("CLICOLOR_FORCE", "1");
    let ended = place.line("--config nothing config show");
    assert!(ended.stderr.contains('\u{1b}'), "{ended:?}");
    place.set("NO_COLOR", "1");
    let ended = place.line("--config nothing config show");
    assert!(!ended.stderr.contains('\u{1b}'), "{ended:?}");
}

#[test]
fn a_reader_that_closes_the_output_is_no_error() {
    use std::process::{Command, Stdio};
    let place = Place::new();
    let mut child = Command::new(env!("CARGO_BIN_EXE_alfred"))
        .args(["completions", "zsh"])
        .current_dir(place.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
}

// Only Linux has a device that is always full.
#[cfg(target_os = "linux")]
#[test]
fn an_output_that_cannot_be_written_is_an_error() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_alfred"))
        .args(["completions", "zsh"])
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot write the output"), "{output:?}");
}
