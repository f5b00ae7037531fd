//! Real parts that tests of several crates start for themselves.
//!
//! Only for `[dev-dependencies]`. It knows nothing of the product: what it starts is what a user would run.

pub mod certificates;
pub mod nats;
pub mod postgres;
pub mod terraform;
