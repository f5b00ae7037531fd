//! What of an audit's findings may be repaired now: all that is ripe, or nothing where that is too much at once.

use serde::{Deserialize, Serialize};

use super::{Action, Extent, Finding, Standing};

/// How much one repair may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// At most so many findings.
    pub max_count: usize,
    /// At most so many, in percent of our records; but one always.
    pub max_share: usize,
}

/// The caps where nobody chose others.
impl Default for Limits {
    fn default() -> Self {
        Self { max_count: 25, max_share: 10 }
    }
}

/// What is repaired now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The findings to be repaired, by their places in the list; none, if `refused`.
    pub places: Vec<usize>,
    /// How many are ripe for repair.
    pub ripe: usize,
    /// How many may be repaired at once.
    pub allowed: usize,
    /// Why nothing is repaired although something is ripe.
    pub refused: Option<String>,
}

/// Chooses what is repaired. It is all that is ripe, ours and understood; over a cap it is nothing: a repair that large
/// is a sign that the audit itself was misled. On lists that were cut short only records that are missing are written:
/// that takes nothing away, and each name is looked at before (promise 9).
pub fn plan(standing: &[Standing], extent: &Extent, limits: Limits) -> Plan {
    let ripe = standing.iter().enumerate().filter(|(_, one)| one.is_repairable());
    let mut places: Vec<usize> = ripe.map(|(place, _)| place).collect();
    let ripe = places.len();
    let shrunken = extent.shrunken();
    if shrunken.is_some() {
        places.retain(|place| adds_only(&standing[*place].finding));
    }
    let share = extent.own_records.saturating_mul(limits.max_share) / 100;
    let allowed = limits.max_count.min(share.max(1));
    let refused = match shrunken {
        _ if ripe == 0 => None,
        Some(why) if places.is_empty() => Some(format!("{why}: nothing is repaired on such a list")),
        _ if places.len() > allowed => Some(format!(
            "{} findings are ripe and at most {allowed} may be repaired at once ({} by count, {} % of {} records of \
             ours by share): nothing is repaired",
            places.len(),
            limits.max_count,
            limits.max_share,
            extent.own_records
        )),
        _ => None,
    };
    let places = if refused.is_some() { Vec::new() } else { places };
    Plan { places, ripe, allowed, refused }
}

/// Whether its repair only puts something there where nothing is.
fn adds_only(finding: &Finding) -> bool {
    finding.action == Action::WriteRecord && finding.record_id.is_none()
}
