//! Compares what the store says with what the providers show, and says what does not fit.
//!
//! This is the net under everything else: whatever crashed and whenever, a VM that is paid and belongs to nobody, and
//! a record that points to nothing, is found here. The comparison only tells. It never decides to delete: a deletion
//! needs two sightings apart in time or somebody's explicit wish, and both are the caller's business.
//!
//! What is on its way is no finding: an order under way, a record that is being written or withdrawn, a row that
//! changed within the grace. For that to hold, **read the providers first and the store afterwards**: whatever we
//! make is in the store before it is at a provider, so that nothing of ours is seen there and missed here.

mod index;
mod records;
mod vms;

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::environment::Environment;
use crate::id::{EnvironmentId, InstallationId, RecordId, VmId};
use crate::intent::Intent;
use crate::name::DomainName;
use crate::printable::printable;
use crate::vm::{SeenInstance, Vm};
use crate::word::words;
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
    /// The zone's records, all.
    pub records: &'a [SeenRecord],
    /// The provider's instances, all.
    pub instances: &'a [SeenInstance],
    /// The zone that the records were read from. Environments with names elsewhere are not judged by them.
    pub zone: &'a DomainName,
    /// Whose marks are ours.
    pub installation: InstallationId,
    /// When the store was read.
    pub now: Timestamp,
    /// How long something may be on its way; [`GRACE`] where providers are real.
    pub grace: Duration,
}

words! {
    /// What does not fit.
    FindingKind, "finding" {
        /// A record with our mark whose environment is gone. It leaks a name.
        RecordWithoutEnvironment = "record_without_environment",
        /// An active environment whose name has no record.
        EnvironmentWithoutRecord = "environment_without_record",
        /// An environment's record that answers with another address, or is of another type.
        RecordWrongAddress = "record_wrong_address",
        /// A second record of an environment.
        DuplicateRecord = "duplicate_record",
        /// A record that stands where one of ours should, or says that it is ours, without a valid mark.
        AlteredMark = "altered_mark",
        /// A record that another installation of the control plane wrote.
        MarkOfAnotherInstallation = "mark_of_another_installation",
        /// An instance that is named as ours are and that nothing in the store accounts for. It is paid.
        VmWithoutEnvironment = "vm_without_environment",
        /// An environment that should have a VM and has none.
        EnvironmentWithoutVm = "environment_without_vm",
        /// A VM of the store that the provider does not show.
        VmNotAtProvider = "vm_not_at_provider",
        /// A VM of ours whose display name at the provider is not the one that we gave it.
        VmNameUnknown = "vm_name_unknown",
        /// An order of which it is not known whether it bought a VM.
        OrderUnknown = "order_unknown",
        /// A VM that is assigned and that no environment uses. It is paid.
        VmUnusedAssigned = "vm_unused_assigned",
    }
}

/// One thing that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Finding {
    /// What it is.
    pub kind: FindingKind,
    /// What it is about: a DNS name, a display name or a slug.
    pub subject: String,
    /// Which environment, where there is one.
    pub environment_id: Option<EnvironmentId>,
    /// Which VM, where there is one.
    pub vm_id: Option<VmId>,
    /// Which record, where there is one.
    pub record_id: Option<RecordId>,
    /// What it is and what to do, in words for a person.
    pub words: String,
    /// Whether it is about something that is not ours, or no longer surely ours: it is kept and never repaired.
    pub foreign: bool,
}

/// What came of the comparison.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// What does not fit, by kind, then by subject; the same world gives the same list.
    pub findings: Vec<Finding>,
    /// How many records of the zone are not ours; those among the findings are counted too.
    pub foreign_records: usize,
    /// How many instances are not ours. They are in no finding.
    pub foreign_vms: usize,
}

/// Compares the store with the providers. Takes time in proportion to the number of rows.
pub fn compare(world: &World<'_>) -> Comparison {
    let index = Index::new(world);
    let mut comparison = Comparison::default();
    records::compare(world, &index, &mut comparison);
    vms::compare(world, &index, &mut comparison);
    comparison.findings.sort_unstable();
    comparison.findings.dedup();
    comparison
}

impl Finding {
    fn new(kind: FindingKind, subject: &str, words: String) -> Self {
        let subject = printable(subject, 255);
        Self { kind, subject, environment_id: None, vm_id: None, record_id: None, words, foreign: false }
    }

    fn environment(mut self, id: impl Into<Option<EnvironmentId>>) -> Self {
        self.environment_id = id.into();
        self
    }

    fn vm(mut self, id: impl Into<Option<VmId>>) -> Self {
        self.vm_id = id.into();
        self
    }

    fn record(mut self, record: &SeenRecord) -> Self {
        self.record_id = Some(record.id.clone());
        self
    }

    fn foreign(mut self, foreign: bool) -> Self {
        self.foreign = foreign;
        self
    }
}
