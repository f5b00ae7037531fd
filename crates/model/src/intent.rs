//! The ledger: an intent is written before each external write, and says afterwards what came of it.

use jiff::Timestamp;
use uuid::Uuid;

use crate::id::{EnvironmentId, IntentId, VmId};
use crate::word::words;

words! {
    /// What was going to be written at a provider.
    IntentKind, "intent kind" {
        /// Buy a VM. The only one that must never be sent twice.
        OrderVm = "order_vm",
        /// Install a VM anew.
        InstallVm = "install_vm",
        /// Change a VM's display name.
        NameVm = "name_vm",
        /// Cancel a VM's contract.
        CancelVm = "cancel_vm",
        /// Power a VM on.
        StartVm = "start_vm",
        /// Create or change a DNS record.
        WriteRecord = "write_record",
        /// Delete a DNS record.
        WithdrawRecord = "withdraw_record",
    }
}

words! {
    /// What came of an intent.
    Outcome, "outcome" {
        /// Written down; perhaps sent. After a restart this means the same as `unknown`.
        Open = "open",
        /// The provider did it.
        Done = "done",
        /// The provider refused it.
        Rejected = "rejected",
        /// It was never sent: a limit was met, or the provider could not be reached.
        NotSent = "not_sent",
        /// It was sent and no answer told what came of it; settled by reading the provider.
        Unknown = "unknown",
        /// A person decided to go on without knowing; the audit keeps watching for it.
        Abandoned = "abandoned",
    }
}

impl Outcome {
    /// Whether the provider must still be asked what came of it.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Open | Self::Unknown)
    }
}

/// One line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// Its id.
    pub id: IntentId,
    /// What was going to be written.
    pub kind: IntentKind,
    /// For which environment.
    pub environment_id: Option<EnvironmentId>,
    /// At which VM; for an order, the one that came of it.
    pub vm_id: Option<VmId>,
    /// Sent as `x-request-id`: a version 4 UUID, because Contabo's pattern ends at version 5.
    pub request_id: Uuid,
    /// What it was about: the VM's display name or the record's name.
    pub subject: String,
    /// Who asked for it.
    pub actor: String,
    /// What came of it.
    pub outcome: Outcome,
    /// The line of the provider's own audit log that shows the same request, once it was read.
    pub audit_id: Option<i64>,
    /// The provider's own words or the id it gave.
    pub answer: Option<String>,
    /// Whether the provider answered that it had refused for now (status 429): with no trace of it in the
    /// provider's audits this is proof that nothing was bought.
    pub refused: bool,
    /// SHA-256 of the one-time token with which the VM calls home after this installation.
    pub call_home_hash: Option<String>,
    /// When the VM called home.
    pub called_home_at: Option<Timestamp>,
    /// When it was written down, before the call.
    pub created_at: Timestamp,
    /// When its outcome was known.
    pub settled_at: Option<Timestamp>,
}
