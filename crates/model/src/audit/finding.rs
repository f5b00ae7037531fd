//! One thing that does not fit: what it is, by what it is known again, and what a repair would do about it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::SeenRecord;
use crate::id::{EnvironmentId, IntentId, RecordId, VmId};
use crate::printable::printable;
use crate::word::words;

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

words! {
    /// What a repair does about a finding.
    Action, "action" {
        /// Nothing; the finding says why.
        None = "none",
        /// Withdraw the record.
        WithdrawRecord = "withdraw_record",
        /// Write the environment's record again.
        WriteRecord = "write_record",
        /// Remove what is too many of an environment's records.
        RemoveDuplicate = "remove_duplicate",
    }
}

/// By what a finding is known again at the next audit: its kind, and the id of the one thing that it is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FindingKey(String);

/// Why a text is no key of a finding.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a finding's key is its kind, `:` and an id of at most 64 characters")]
pub struct BadFindingKey;

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
    /// Which line of the ledger, where there is one.
    pub intent_id: Option<IntentId>,
    /// What it is and what to do, in words for a person.
    pub words: String,
    /// Whether it is about something that is not ours, or no longer surely ours: it is kept and never repaired.
    pub foreign: bool,
    /// What a repair does about it.
    pub action: Action,
    /// What that means or, where it is nothing, why.
    pub because: String,
}

impl FindingKey {
    /// The key as text: `KIND:ID`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The kind of finding that it is the key of.
    pub fn kind(&self) -> Option<FindingKind> {
        self.0.split_once(':')?.0.parse().ok()
    }
}

impl FromStr for FindingKey {
    type Err = BadFindingKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (kind, id) = text.split_once(':').ok_or(BadFindingKey)?;
        let known = kind.parse::<FindingKind>().is_ok();
        let fits = (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if known && fits { Ok(Self(text.to_owned())) } else { Err(BadFindingKey) }
    }
}

impl TryFrom<String> for FindingKey {
    type Error = BadFindingKey;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<FindingKey> for String {
    fn from(key: FindingKey) -> Self {
        key.0
    }
}

impl fmt::Display for FindingKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

impl FindingKind {
    /// What such a finding costs, as far as that is known here. No provider tells the price of a VM that runs, so that
    /// none is named.
    pub const fn cost(self) -> &'static str {
        match self {
            Self::RecordWithoutEnvironment
            | Self::RecordWrongAddress
            | Self::DuplicateRecord
            | Self::AlteredMark
            | Self::MarkOfAnotherInstallation => "nothing but its place in the zone's quota",
            Self::EnvironmentWithoutRecord | Self::EnvironmentWithoutVm | Self::VmNameUnknown => "nothing",
            Self::VmWithoutEnvironment | Self::VmUnusedAssigned => {
                "a VM by the month; its price is not known here, the provider's panel shows it"
            }
            Self::VmNotAtProvider => "a VM by the month, if it is still paid; the provider's panel shows it",
            Self::OrderUnknown => "a VM by the month, if the order bought one; the provider's panel shows it",
        }
    }

    /// Why nothing is done about it, unless the finding itself says that something is.
    const fn why_nothing(self) -> &'static str {
        match self {
            Self::AlteredMark | Self::MarkOfAnotherInstallation => "it is not ours",
            Self::RecordWithoutEnvironment | Self::RecordWrongAddress | Self::DuplicateRecord => {
                "it is not surely ours"
            }
            Self::EnvironmentWithoutRecord => "its VM is not surely its own",
            Self::VmWithoutEnvironment | Self::VmUnusedAssigned | Self::OrderUnknown => {
                "a VM is money, and may be somebody else's: a person decides"
            }
            Self::EnvironmentWithoutVm | Self::VmNotAtProvider => "only its owner can tell whether its data is lost",
            Self::VmNameUnknown => "a name is a label for people, who may have meant it",
        }
    }
}

impl Finding {
    pub(super) fn new(kind: FindingKind, subject: &str, words: String) -> Self {
        Self {
            kind,
            subject: printable(subject, 255),
            environment_id: None,
            vm_id: None,
            record_id: None,
            intent_id: None,
            words,
            foreign: false,
            action: Action::None,
            because: kind.why_nothing().to_owned(),
        }
    }

    /// By what it is known again. What a finding tells besides may change from audit to audit.
    pub fn key(&self) -> FindingKey {
        let record = self.record_id.as_ref().map(ToString::to_string);
        let environment = self.environment_id.map(|id| id.to_string());
        let vm = self.vm_id.map(|id| id.to_string());
        let intent = self.intent_id.map(|id| id.to_string());
        let id = match self.kind {
            FindingKind::RecordWithoutEnvironment
            | FindingKind::RecordWrongAddress
            | FindingKind::DuplicateRecord
            | FindingKind::AlteredMark
            | FindingKind::MarkOfAnotherInstallation => record,
            FindingKind::EnvironmentWithoutRecord | FindingKind::EnvironmentWithoutVm => environment,
            FindingKind::VmWithoutEnvironment
            | FindingKind::VmNotAtProvider
            | FindingKind::VmNameUnknown
            | FindingKind::VmUnusedAssigned => vm,
            FindingKind::OrderUnknown => intent,
        };
        FindingKey(format!("{}:{}", self.kind, id.unwrap_or_else(|| "unknown".to_owned())))
    }

    pub(super) fn environment(mut self, id: impl Into<Option<EnvironmentId>>) -> Self {
        self.environment_id = id.into();
        self
    }

    pub(super) fn vm(mut self, id: impl Into<Option<VmId>>) -> Self {
        self.vm_id = id.into();
        self
    }

    pub(super) fn record(mut self, record: &SeenRecord) -> Self {
        self.record_id = Some(record.id.clone());
        self
    }

    pub(super) fn intent(mut self, id: IntentId) -> Self {
        self.intent_id = Some(id);
        self
    }

    /// It is not surely ours, whatever else was said of it before.
    pub(super) fn foreign(mut self, foreign: bool) -> Self {
        self.foreign = foreign;
        if foreign {
            self.action = Action::None;
            "it is not surely ours".clone_into(&mut self.because);
        }
        self
    }

    pub(super) fn action(mut self, action: Action, because: &str) -> Self {
        self.action = action;
        because.clone_into(&mut self.because);
        self
    }

    /// Ends the words with what a person does: the repair, where there is one, and `by_hand` where not.
    pub(super) fn advise(mut self, by_hand: &str) -> Self {
        let advice = if self.action == Action::None { by_hand } else { "`alfred audit --repair` mends it" };
        self.words.push_str(": ");
        self.words.push_str(advice);
        self
    }
}
