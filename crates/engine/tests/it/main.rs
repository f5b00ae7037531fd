//! The engine with the real clients against the local cloud's router: one process, no sockets, simulated time, a seed.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test ends where something is not as it must be, and says what it tried"
)]

mod audit;
mod contabo_quirks;
mod dns;
mod expiry;
mod faults;
mod lifecycle;
mod many;
mod months;
mod naming;
mod pool;
mod pool_orders;
mod promises;
mod shared_budget;
mod simulation;
mod vanished;
mod view;
mod webhook;
mod world;
mod writer;
mod zones;
