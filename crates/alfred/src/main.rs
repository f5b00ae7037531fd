//! The binary: it reads the command line, finds the configuration, runs one command and says how it ended.
//!
//! What the control plane decides and does is in the crates below this one. Here are only the words on the screen,
//! the exit codes, and the place where clock, randomness and processes come from. Where to start: [`cli`] is what a
//! user may type, [`commands`] has one file for each of it, [`printer`] is the only way to write to a stream.

mod api;
mod cli;
mod client;
mod cloudflare_token;
mod commands;
mod config;
#[cfg(debug_assertions)]
mod crash_points;
mod error;
mod files;
mod logging;
mod printer;
mod progress;
mod stop;
mod system;
mod table;
mod ttl;

use std::process::ExitCode;

fn main() -> ExitCode {
    commands::run()
}
