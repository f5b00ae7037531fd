//! The words of the control plane and its pure decisions.
//!
//! Everything here is a value or a function of values. There is no I/O, no clock, no randomness and no `async`:
//! time and random numbers come in as arguments, so that each rule can be tested by listing its cases.
//! The only traits are the seams ([`seam`]) that let the other crates be run under simulated time and from a seed.

pub mod seam;
