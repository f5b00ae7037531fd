//! Terraform states: what is known of one, and the rules that every store of states keeps.
//!
//! A state is a list of immutable versions, a lock and a few settings. All of it but the versions' content is one small
//! [`StateDocument`], which a store moves from one value to the next by compare-and-set. So a write that counts, the lock
//! it was made under and the version it makes the newest change together or not at all, and two writers never both win
//! (promise 10).
//!
//! Nothing here reads or writes a store; what Terraform sends and expects is in [`lock`] and [`write`](mod@write).

pub mod diff;
pub mod document;
pub mod lock;
pub mod log;
pub mod mirror;
pub mod name;
pub mod retention;
pub mod rights;
pub mod version;
pub mod write;

pub use document::{Settings, StateDocument};
pub use lock::{Lock, LockInfo};
pub use name::StateName;
pub use rights::{Right, Rights, StateGrant, StatePattern, Subject};
pub use version::{BlobKey, BlobTag, Checksum, KeyId, Version, VersionKey};
