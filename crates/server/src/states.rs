//! Terraform states: the backend that Terraform speaks to (`/tfstate/NAME`), and `/v1/states` for everything else.
//!
//! Who may do what is decided by [`rights`](alfred_model::state::rights), what may be written by `alfred-state`; here
//! requests become calls, and each of them a line in the log of states ([`visit`]).

mod body;
mod finish;
pub(crate) mod grants;
pub(crate) mod list;
pub(crate) mod locks;
pub(crate) mod log;
pub(crate) mod mirror;
mod records;
mod reference;
pub(crate) mod remove;
pub(crate) mod settings;
mod tend;
pub(crate) mod terraform;
pub(crate) mod versions;
mod view;
mod visit;

use std::sync::Arc;

use alfred_state::{Room, States};
use tokio::sync::Mutex;

pub(crate) use finish::finish;
pub use records::mirror_records;
pub use tend::tend_states;

/// Longest content that is taken where nothing else is said, in bytes: 256 MiB.
pub const STATE_SIZE_MAX: usize = 256 << 20;

/// Paths whose answers may take minutes: contents are large, and verifying reads all of them.
pub(crate) const SLOW_PATHS: [&str; 7] = [
    terraform::PATH,
    "/v1/states/{name}/versions/{version}/content",
    "/v1/states/{name}/diff",
    "/v1/states/{name}/roll-back",
    "/v1/states/{name}/verify",
    "/v1/states/{name}",
    "/v1/state-mirror/switch",
];

/// Contents on their way in take up no more memory than so many of the largest, and so do those on their way out.
pub const STATES_AT_ONCE: usize = 4;

/// What the server needs to keep states.
#[derive(Debug)]
pub struct StatesParts {
    /// The states.
    pub states: Arc<States>,
    /// Longest content that is taken, in bytes.
    pub size_max: usize,
}

/// The states as the routes hold them.
pub(crate) struct StatesService {
    pub(crate) states: Arc<States>,
    pub(crate) size_max: usize,
    /// Room for contents on their way in.
    pub(crate) room: Room,
    /// Held by whoever reads two contents.
    pub(crate) two_contents: Mutex<()>,
}

impl StatesService {
    pub(crate) fn new(parts: StatesParts) -> Self {
        let StatesParts { states, size_max } = parts;
        let room = Room::new(size_max.saturating_mul(STATES_AT_ONCE));
        Self { states, size_max, room, two_contents: Mutex::default() }
    }
}

/// What a token that is good for states alone may ask for. Whether it may do that with the state is asked later.
pub(crate) fn is_for_states(path: &str) -> bool {
    let below = |prefix: &str| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    path.starts_with(terraform::PREFIX)
        || ["/v1/states", "/v1/state-log", "/v1/state-grants", "/v1/whoami"].into_iter().any(below)
}
