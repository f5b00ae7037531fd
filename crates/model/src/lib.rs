//! The words of the control plane and its pure decisions.
//!
//! Everything here is a value or a function of values. There is no I/O, no clock, no randomness and no `async`:
//! time and random numbers come in as arguments, so that each rule can be tested by listing its cases.
//! The only traits are the seams ([`seam`]) that let the other crates be run under simulated time and from a seed.
//!
//! Where to start: [`environment`] and [`vm`] are the two things that live, [`intent`] is the ledger that makes
//! external writes safe to repeat, [`record`] says which DNS records are ours. [`lifecycle`] decides what is done next
//! for an environment, [`pool`] for a VM that no environment has, [`budget`] who may call the provider now.

pub mod audit;
pub mod backup;
pub mod budget;
pub mod dns;
pub mod environment;
pub mod event;
pub mod expiry;
pub mod failure;
pub mod id;
pub mod intent;
pub mod lifecycle;
pub mod money;
pub mod name;
pub mod policy;
pub mod pool;
mod printable;
pub mod record;
pub mod seam;
pub mod slug;
pub mod state;
pub mod user;
pub mod user_data;
pub mod vm;
mod word;
pub mod zones;

pub use word::UnknownWord;
