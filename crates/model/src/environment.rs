//! The environment: what a user asks for.

use std::fmt;
use std::net::Ipv4Addr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{BatchId, EnvironmentId, RecordId, VmId};
use crate::name::{DomainName, Slug};
use crate::user::UserName;
use crate::word::words;

words! {
    /// Where an environment stands. Finer progress is a [`Step`].
    Status, "status" {
        /// Being made.
        Provisioning = "provisioning",
        /// It works: the zone's authoritative servers answer with its address and the VM accepts connections.
        Active = "active",
        /// Being taken down.
        Deleting = "deleting",
        /// Gone; the row is history.
        Deleted = "deleted",
        /// It failed for good, for the reason in [`Environment::reason`].
        Error = "error",
    }
}

words! {
    /// What the reconciler does next for an environment.
    Step, "step" {
        /// Take a VM from the pool.
        AssignVm = "assign_vm",
        /// Buy a VM, or find out what came of an order.
        OrderVm = "order_vm",
        /// Give the VM of the pool its environment's display name.
        NameVm = "name_vm",
        /// Install a VM of the pool anew with the owner's user data.
        InstallVm = "install_vm",
        /// Wait until the VM has an address and runs.
        AwaitVm = "await_vm",
        /// Power the VM on.
        StartVm = "start_vm",
        /// Wait until the VM accepts a connection.
        ReachVm = "reach_vm",
        /// Write the DNS record.
        WriteRecord = "write_record",
        /// Wait until the authoritative servers answer with the address.
        VerifyRecord = "verify_record",
        /// Withdraw the DNS record.
        WithdrawRecord = "withdraw_record",
        /// Wait until no authoritative server answers with the name any more.
        AwaitAbsence = "await_absence",
        /// Wait until the VM is wiped and back in the pool, or retired.
        ReleaseVm = "release_vm",
        /// Nothing to do.
        Settled = "settled",
    }
}

words! {
    /// What the user wants of an environment. Only users write it; only the reconciler writes the status.
    Wish, "wish" {
        /// It shall exist.
        Present = "present",
        /// It shall be gone.
        Absent = "absent",
    }
}

words! {
    /// What becomes of a VM that was bought for an environment which then failed for good.
    OnFailure, "failure rule" {
        /// It is wiped and goes to the pool: it is paid for.
        Pool = "pool",
        /// It is cancelled at the provider and used by nobody else.
        Retire = "retire",
    }
}

/// What the owner wants on the VM beyond the standard installation.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Setup {
    /// Public SSH keys that may log in, one line each, as in `authorized_keys`.
    pub ssh_keys: Vec<String>,
    /// IANA time zone; UTC where absent.
    pub time_zone: Option<String>,
    /// A script that the VM runs once after installation.
    pub script: Option<String>,
}

/// Without the script: owners put passwords into such scripts (promise 11).
impl fmt::Debug for Setup {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ssh_keys, time_zone, script } = self;
        let mut fields = formatter.debug_struct("Setup");
        fields.field("ssh_keys", ssh_keys).field("time_zone", time_zone);
        match script {
            Some(script) => fields.field("script", &format_args!("<{} bytes>", script.len())),
            None => fields.field("script", &format_args!("None")),
        };
        fields.finish()
    }
}

impl Setup {
    /// Whether a VM with the standard installation fits as it is.
    pub fn is_standard(&self) -> bool {
        self.ssh_keys.is_empty() && self.script.is_none() && self.time_zone.is_none()
    }
}

/// The latest time to which an environment can be extended, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpiryBound {
    /// It is deleted no later than this.
    pub at: Timestamp,
    /// Why, in words that follow `because`: `its VM's contract ends on 2026-03-01`.
    pub reason: String,
}

/// One environment as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// Its id.
    pub id: EnvironmentId,
    /// Its name, unique among those that are not deleted.
    pub slug: Slug,
    /// Its full DNS name.
    pub domain: DomainName,
    /// Where it stands.
    pub status: Status,
    /// What is done next.
    pub step: Step,
    /// What its owner wants.
    pub wish: Wish,
    /// Who it belongs to.
    pub owner: UserName,
    /// Its VM; kept in history after deletion.
    pub vm_id: Option<VmId>,
    /// The address that its name answers with.
    pub address: Option<Ipv4Addr>,
    /// The record that we wrote, while it may exist.
    pub record_id: Option<RecordId>,
    /// What the owner wants on the VM.
    pub setup: Setup,
    /// What becomes of a VM bought for it if it fails.
    pub on_failure: OnFailure,
    /// How often the current step was tried and failed.
    pub attempts: u32,
    /// When the current step began.
    pub step_since: Timestamp,
    /// When it was given its VM; what the VM costs counts from here.
    pub assigned_at: Option<Timestamp>,
    /// When its VM was handed to be wiped; the wipe must be later than this.
    pub released_at: Option<Timestamp>,
    /// When the reconciler looks next; never, where absent.
    pub wake_at: Option<Timestamp>,
    /// Why it waits or failed, in words for a person, with what to do.
    pub reason: Option<String>,
    /// Whether it goes no further until a person acts.
    pub attention: bool,
    /// When it is deleted by itself; never, where absent. Written, as the wish is, by users and by whoever bounds it,
    /// and never by the worker's commit; the same holds for the three fields that follow.
    pub expires_at: Option<Timestamp>,
    /// When its owner is to be warned of that.
    pub warn_at: Option<Timestamp>,
    /// When its owner was warned of `expires_at`; absent until then, and again once `expires_at` moves.
    pub warned_at: Option<Timestamp>,
    /// What keeps it from being extended for ever.
    pub expiry_bound: Option<ExpiryBound>,
    /// The request that it was asked for in; absent where it is older than batches are.
    pub batch: Option<BatchId>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When this row last changed.
    pub updated_at: Timestamp,
    /// Counts the changes and claims of this row; each write names the version it read (fencing).
    pub version: i64,
}

impl Environment {
    /// The status as its owner sees it: a wish to delete shows at once, before the reconciler took it up.
    pub fn shown_status(&self) -> Status {
        match (self.wish, self.status) {
            (Wish::Absent, Status::Deleted) => Status::Deleted,
            (Wish::Absent, _) => Status::Deleting,
            (Wish::Present, status) => status,
        }
    }

    /// The display name of its VM at the provider: a label for people, never a lock.
    pub fn vm_display_name(&self) -> String {
        format!("{}{}", crate::vm::DISPLAY_NAME_PREFIX, self.slug)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_not_printed() {
        let script = "export DATABASE_PASSWORD=hunter2";
        let setup = Setup { time_zone: Some("UTC".to_owned()), script: Some(script.to_owned()), ..Setup::default() };
        for text in [format!("{setup:?}"), format!("{setup:#?}")] {
            assert!(!text.contains("hunter2") && !text.contains("DATABASE"), "{text}");
            assert!(text.contains("32 bytes") && text.contains("UTC"), "{text}");
        }
        assert!(format!("{:?}", Setup::default()).contains("script: None"));
    }
}
