//! The HTTP API of the control plane: what users, dashboards and scripts speak to.
//!
//! It turns requests into calls of the engine and rows of the store into JSON, and knows who may see what. It decides
//! nothing about environments or VMs, speaks to no provider and keeps no state that a restart would miss: a replica
//! may answer the next request of the same client.
//!
//! Everything that arrives is hostile until [`auth`] and [`input`] have passed it; everything that leaves passes
//! [`guard`], which makes each refusal a problem detail (RFC 9457) and logs it under the request's id. Where to start:
//! [`Server`] lists the routes, [`problem`] the refusals.

mod app;
mod audit;
mod auth;
mod backups;
mod call_home;
mod environments;
mod events;
mod first_run;
mod guard;
mod input;
mod ledger;
mod lookup;
mod openapi;
mod page;
mod pool;
mod probes;
mod problem;
mod quota;
mod schema;
mod serve;
mod server;
mod states;
mod tokens;
mod users;
mod vms;

pub use backups::{BackupParts, BackupService, after_restore, tend_backups};
pub use first_run::{FirstRunError, another_token, first_run};
pub use serve::serve;
pub use server::{Server, ServerParts};
pub use states::{STATE_SIZE_MAX, STATES_AT_ONCE, StatesParts, mirror_records, tend_states};
