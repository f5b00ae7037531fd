//! A stand-in for Cloudflare (DNS and R2) and Contabo, faithful on the wire.
//!
//! It is what the demo runs against, what `alfred cloud` serves to any client, and the bench on which the real clients
//! are tested: one process on loopback that answers Cloudflare's DNS API, R2 (S3 and its REST API), Contabo's compute API
//! and DNS questions about the zones it holds. It must never be more lenient than the platform it stands for, and it must know nothing of our own
//! engine, store or clients: whoever talks to it is a stranger.
//!
//! Start reading at [`LocalCloud`]. [`LocalCloud::call`] is the whole cloud without a socket, for simulated time;
//! [`LocalCloud::serve`] puts HTTP and DNS listeners in front of the same code. [`faults`] makes it misbehave,
//! [`journal`] tells what was asked of it, [`cloudflare`], [`r2`] and [`contabo`] are the three state machines.

pub mod cloudflare;
pub mod contabo;
pub mod dns;
pub mod faults;
pub mod journal;
pub mod machines;
pub mod r2;

mod admin;
#[cfg(test)]
mod bench;
mod cloud;
mod options;
mod persistence;
mod serve;

pub use cloud::{CallLost, LocalCloud};
pub use options::Options;
pub use persistence::StateError;
pub use serve::{Listen, Running, ServeError};
