//! Records that people keep by hand or from a file: what a file wants, what is to be done for it, and what must not be.
//!
//! [`file`] reads what is wanted, [`plan`] compares it with what a zone holds, [`limit`] says how much may be deleted at
//! once. Nothing here reads a file or asks a zone: texts and records come in as arguments, a plan comes out, and whoever
//! has it shows it, lets it be approved and carries it out.

pub mod file;
pub mod limit;
pub mod plan;
