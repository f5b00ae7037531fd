//! One test per rule or quirk, over the router as a service: what a stranger's client would see.

mod account;
mod audits;
mod cancel;
mod contracts;
mod fuzz;
mod gateway;
mod life;
mod lists;
mod machines;
mod orders;
mod power;
mod reinstall;
mod routes;
mod support;
