//! Compares what the store says with what the providers show, and says what does not fit.
//!
//! This is the net under everything else: whatever crashed and whenever, a VM that is paid and belongs to nobody, and
//! a record that points to nothing, is found here. [`compare`] only tells, and says of each finding what a repair would
//! do. What may really be repaired is for [`plan`] to say: a finding that was seen twice, a grace apart, on whole lists,
//! within a cap. Who reads, looks once more and acts is the engine's business.
//!
//! What is on its way is no finding: an order under way, a record that is being written or withdrawn, a row that
//! changed within the grace. For that to hold, **read the providers first and the store afterwards**: whatever we
//! make is in the store before it is at a provider, so that nothing of ours is seen there and missed here.

mod extent;
mod finding;
mod index;
mod plan;
mod records;
mod sighting;
mod vms;

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use extent::Extent;
pub use finding::{Action, Finding, FindingKey, FindingKind};
pub use plan::{Limits, Plan, plan};
pub use sighting::{Sighting, Standing, standing};

use crate::environment::Environment;
use crate::id::{InstallationId, RecordId};
use crate::intent::Intent;
use crate::name::DomainName;
use crate::vm::{SeenInstance, Vm};
use index::Index;

#[cfg(test)]
mod tests;

/// How long something may be on its way where providers are real: orders are answered late, and lists are read page
/// by page while things change.
pub const GRACE: Duration = Duration::from_mins(15);

/// A DNS record as the provider shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenRecord {
    /// The provider's id.
    pub id: RecordId,
    /// Its full name, as the provider writes it.
    pub name: String,
    /// Its type, such as `A`.
    pub kind: String,
    /// What it answers with.
    pub content: String,
    /// Its comment, if it has one.
    pub comment: Option<String>,
}

/// Everything that is compared. Each row stands there once; the order does not matter.
#[derive(Debug, Clone, Copy)]
pub struct World<'a> {
    /// The store's environments: all that are not deleted, and those that were within the grace; older ones may be
    /// there too.
    pub environments: &'a [Environment],
    /// The store's VMs, all.
    pub vms: &'a [Vm],
    /// The ledger's intents of which it is not known what came of them.
    pub open_intents: &'a [Intent],
    /// The zones' records, all of all zones.
    pub records: &'a [SeenRecord],
    /// The provider's instances, all.
    pub instances: &'a [SeenInstance],
    /// The zones that the records were read from. Environments with names elsewhere are not judged by them.
    pub zones: &'a [DomainName],
    /// Whose marks are ours.
    pub installation: InstallationId,
    /// When the store was read.
    pub now: Timestamp,
    /// How long something may be on its way; [`GRACE`] where providers are real.
    pub grace: Duration,
}

/// What came of the comparison.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// What does not fit, by kind, then by subject; the same world gives the same list.
    pub findings: Vec<Finding>,
    /// How many records of the zones are not ours; those among the findings are counted too.
    pub foreign_records: usize,
    /// How many instances are not ours. They are in no finding.
    pub foreign_vms: usize,
}

/// Compares the store with the providers. Takes time in proportion to the number of rows.
pub fn compare(world: &World<'_>) -> Comparison {
    survey(world).0
}

/// The same, and how much there was to compare: by that a repair knows a list that was cut short.
pub fn survey(world: &World<'_>) -> (Comparison, Extent) {
    let (mut index, sorted) = prepare(world);
    let mut comparison = Comparison::default();
    let mut extent = Extent { records: world.records.len(), ..Extent::default() };
    records::compare(world, sorted, &mut index, &mut comparison, &mut extent);
    vms::compare(world, &index, &mut comparison, &mut extent);
    comparison.findings.sort_unstable();
    comparison.findings.dedup();
    (comparison, extent)
}

/// From so many records on, a second thread is worth its start.
const MANY: usize = 10_000;

/// Brings the store's rows together and reads the records' marks, side by side where there is much of both.
fn prepare<'a>(world: &World<'a>) -> (Index<'a>, records::Sorted<'a>) {
    if world.records.len() < MANY {
        return (Index::new(world), records::sort(world));
    }
    std::thread::scope(|scope| {
        let sorted = scope.spawn(|| records::sort(world));
        let index = Index::new(world);
        (index, sorted.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}
