//! What a local cloud is made from.

use std::path::PathBuf;

use crate::{cloudflare, contabo, faults::Rule, journal, r2};

/// How the local cloud is set up. `Options::default()` is the demo's cloud: one Free zone and one token for it.
#[derive(Clone, Debug)]
pub struct Options {
    /// The Cloudflare side: account, zones, tokens, limits.
    pub cloudflare: cloudflare::Options,
    /// The Contabo side: credentials, products, delays.
    pub contabo: contabo::Options,
    /// R2: credentials, limits.
    pub r2: r2::Options,
    /// Fault rules in force from the start.
    pub faults: Vec<Rule>,
    /// How many journal entries are kept; the oldest go first.
    pub journal_capacity: usize,
    /// One JSON document with the whole state, read by [`crate::LocalCloud::open`] and kept up to date while serving. The
    /// contents of R2's objects are in files of a folder beside it, which has its name and `.objects`.
    pub state_file: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cloudflare: cloudflare::Options::default(),
            contabo: contabo::Options::default(),
            r2: r2::Options::default(),
            faults: Vec::new(),
            journal_capacity: journal::DEFAULT_CAPACITY,
            state_file: None,
        }
    }
}
