//! Clients of the remote APIs that an environment is made of: Cloudflare's DNS records, Contabo's instances, the
//! zone's authoritative DNS servers and the VM's ports.
//!
//! This crate turns one wish into one call and one answer into one value, and says of each failure what may be done
//! about it. It knows nothing of the store, of environments' lifecycles, or of what should be done next, and it never
//! repeats a write by itself: whether a write may be sent again is decided by those who recorded it.
//!
//! Where to start: [`transport`] is the seam below the clients, [`error`] is what comes out of them, [`cloudflare`] and
//! [`contabo`] are the two clients. [`authority`] and [`reach`] look at the result from outside.

pub mod authority;
pub mod budget;
mod call;
pub mod cloudflare;
pub mod contabo;
pub mod counts;
pub mod error;
mod lenient;
pub mod reach;
pub mod secret;
#[cfg(test)]
mod testing;
pub mod transport;

pub use call::{BadBaseUrl, BaseUrl};
pub use error::{ErrorKind, Provider, ProviderError};
