//! A stand-in for Cloudflare and Contabo, faithful on the wire.

pub mod contabo;
pub mod machines;
