//! Terraform states: the real binary, and the real Terraform speaking to it.

mod bucket;
mod commands;
mod keys;
mod mirror;
mod protocol;
mod rights;
pub(crate) mod stage;
mod stores;
mod terraform;
