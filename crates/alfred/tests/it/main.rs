//! The real binary, run as a user runs it: what it prints, where, and with which exit code.

#![expect(clippy::unwrap_used, reason = "a test whose stage cannot be set stops there")]

mod bad_input;
mod config;
mod house;
mod life;
mod output;
mod place;
mod up;
