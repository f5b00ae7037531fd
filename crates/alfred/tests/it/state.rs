//! Terraform states: the real binary, and the real Terraform speaking to it.

mod commands;
mod keys;
mod protocol;
mod rights;
mod stage;
mod stores;
mod terraform;
