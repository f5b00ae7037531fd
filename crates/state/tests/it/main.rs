//! The stores of states, through the crate's public face.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "clippy sees no test in functions that tests call")]

mod bucket;
mod contract;
mod costs;
mod crash;
mod damage;
mod fixture;
mod folder;
mod messages;
mod nats;
mod object;
mod platform;
mod proxy;
mod s3;
mod sql;
