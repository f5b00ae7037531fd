//! The real binary, run as a user runs it: what it prints, where, and with which exit code.

#![allow(clippy::unwrap_used, reason = "a test ends where something is not as it must be")]

mod audit;
mod backup;
mod bad_input;
mod batch;
mod config;
mod dns;
mod expiry;
mod house;
mod life;
mod output;
mod place;
mod state;
mod token;
mod up;
mod vm;
mod zones;
