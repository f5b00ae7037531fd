//! Since when something does not fit, and when it has been so for long enough to be acted upon.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Action, Finding, FindingKey};
use crate::policy::later;

/// What audits saw of one finding. It is forgotten by the first complete audit that does not see it any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// Of which finding.
    pub key: FindingKey,
    /// When it was seen first.
    pub first_seen: Timestamp,
    /// When it was seen last.
    pub last_seen: Timestamp,
    /// In how many audits in a row.
    pub times: u32,
}

impl Sighting {
    /// From when on a further sighting makes it ripe.
    pub fn ripe_from(&self, grace: Duration) -> Timestamp {
        later(self.first_seen, grace)
    }

    /// Whether it was seen twice, at least `grace` apart (promise 9).
    pub fn is_ripe(&self, grace: Duration) -> bool {
        self.times >= 2 && self.last_seen >= self.ripe_from(grace)
    }
}

/// A finding, and since when it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// By what it is known again.
    pub key: FindingKey,
    /// What it is.
    #[serde(flatten)]
    pub finding: Finding,
    /// What it costs, in words.
    pub cost: String,
    /// When it was seen first.
    pub since: Timestamp,
    /// In how many audits in a row.
    pub times: u32,
    /// Whether it was seen twice, a grace apart.
    pub ripe: bool,
    /// From when on a further sighting makes it ripe.
    pub ripe_from: Timestamp,
}

impl Standing {
    /// Whether a repair may act upon it now.
    pub fn is_repairable(&self) -> bool {
        self.ripe && !self.finding.foreign && self.finding.action != Action::None
    }
}

/// The findings of an audit made at `now` with their sightings. One without a sighting was seen now for the first time.
pub fn standing(findings: Vec<Finding>, sightings: &[Sighting], grace: Duration, now: Timestamp) -> Vec<Standing> {
    let known: HashMap<&FindingKey, &Sighting> = sightings.iter().map(|sighting| (&sighting.key, sighting)).collect();
    let stand = |finding: Finding| {
        let key = finding.key();
        let first = Sighting { key: key.clone(), first_seen: now, last_seen: now, times: 1 };
        let sighting = known.get(&key).copied().unwrap_or(&first);
        Standing {
            cost: finding.kind.cost().to_owned(),
            since: sighting.first_seen,
            times: sighting.times,
            ripe: sighting.is_ripe(grace),
            ripe_from: sighting.ripe_from(grace),
            finding,
            key,
        }
    };
    findings.into_iter().map(stand).collect()
}
