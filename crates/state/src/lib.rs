//! Terraform state that cannot be lost.
//!
//! A [`Backend`] keeps, for each state, one small document that moves by compare-and-set, and immutable blobs, one for each
//! version. Everything else (locks, the rules of writing, encryption, retention, mirrors) is made of these two and is the
//! same whatever the store is: R2, NATS, a database or a folder.
//!
//! This crate does not know HTTP, users or rights; `alfred-server` does. What may be written is decided in
//! [`alfred_model::state`].

pub mod backend;
pub mod backup;
pub mod envelope;
mod error;
pub mod keys;
mod measured;
pub mod migrate;
pub mod mirror;
mod room;
pub mod service;

pub use backend::{Backend, BackendError, Blob};
pub use backup::Backups;
pub use error::StateError;
pub use keys::Keyring;
pub use mirror::Stores;
pub use room::{Room, Taken};
pub use service::{ReadVersion, Seams, States, VerifyReport, VersionProblem, Written};
