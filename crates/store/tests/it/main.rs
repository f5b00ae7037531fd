//! Tests of the store from outside: what holds for every implementation, and what is special about databases.

#![expect(clippy::unwrap_used, reason = "clippy sees no test in functions that tests call")]

mod contract;
mod fixture;
mod model;
mod sql;
