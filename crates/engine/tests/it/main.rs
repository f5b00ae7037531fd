//! The engine with the real clients against the local cloud's router: one process, no sockets, simulated time, a seed.

mod faults;
mod lifecycle;
mod many;
mod promises;
mod simulation;
mod view;
mod world;
mod writer;
