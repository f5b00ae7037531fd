//! What an audit tells, as it goes to whoever asked.

use alfred_model::audit::{Extent, FindingKey, Limits, Standing};
use jiff::Timestamp;
use serde::Serialize;

/// What an audit found.
#[derive(Debug, Clone, Serialize)]
pub struct AuditReport {
    /// When it was made.
    pub at: Timestamp,
    /// Environments that are not deleted.
    pub environments: usize,
    /// VMs that are not ended.
    pub vms: usize,
    /// Records in the zone, foreign ones included.
    pub records: usize,
    /// Instances at the provider, foreign ones included.
    pub instances: usize,
    /// Records that are not ours.
    pub foreign_records: usize,
    /// Instances that are not ours.
    pub foreign_vms: usize,
    /// How much of what the store expects was there.
    pub extent: Extent,
    /// What is not as it should be, by kind, then by subject.
    pub findings: Vec<Standing>,
    /// How many findings more there are than the list holds.
    pub left_out: usize,
    /// What a repair did; nothing, where none was asked for.
    pub repair: Option<RepairReport>,
}

/// What a repair did.
#[derive(Debug, Clone, Serialize)]
pub struct RepairReport {
    /// In whose name.
    pub actor: String,
    /// The caps that were set.
    pub limits: Limits,
    /// How many findings were ripe for repair.
    pub ripe: usize,
    /// How many the caps allow at once.
    pub allowed: usize,
    /// Why nothing was done although something was ripe.
    pub refused: Option<String>,
    /// What was done about each finding.
    pub repairs: Vec<Repaired>,
    /// How many ripe findings are as they were.
    pub unrepaired: usize,
}

/// What was done about one finding.
#[derive(Debug, Clone, Serialize)]
pub struct Repaired {
    /// Which one.
    pub key: FindingKey,
    /// What it is about.
    pub subject: String,
    /// What came of it.
    pub outcome: RepairOutcome,
    /// The same in words.
    pub words: String,
}

/// What came of a repair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RepairOutcome {
    /// It is mended.
    Done,
    /// The environment's row is back at the step that mends it; the reconciler goes on.
    Started,
    /// The last look found that it is no longer so, or no longer ours: nothing was done.
    Kept,
    /// It could not be done; the next repair tries again.
    Failed,
}

impl RepairOutcome {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Started => "started",
            Self::Kept => "kept",
            Self::Failed => "failed",
        }
    }
}
