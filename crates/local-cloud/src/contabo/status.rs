//! The statuses of an instance, by the platform's own words.

use serde::{Deserialize, Serialize};

/// The platform's 14 statuses, as published in its OpenAPI document (<https://api.contabo.com/>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The order is accepted, the VM is being built.
    Provisioning,
    /// It has no operating system.
    Uninstalled,
    /// Powered on; that says nothing about the services in it.
    Running,
    /// Powered off.
    Stopped,
    /// Something failed; `errorMessage` says what.
    Error,
    /// An operating system is being installed.
    Installing,
    /// The platform does not know.
    Unknown,
    /// Staff builds it.
    ManualProvisioning,
    /// Sold out.
    ProductNotAvailable,
    /// The account holder must be verified.
    VerificationRequired,
    /// The rescue system is booted.
    Rescue,
    /// The order is not paid.
    PendingPayment,
    /// None of the others.
    Other,
    /// A password is being reset.
    ResetPassword,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Provisioning,
        Self::Uninstalled,
        Self::Running,
        Self::Stopped,
        Self::Error,
        Self::Installing,
        Self::Unknown,
        Self::ManualProvisioning,
        Self::ProductNotAvailable,
        Self::VerificationRequired,
        Self::Rescue,
        Self::PendingPayment,
        Self::Other,
        Self::ResetPassword,
    ];

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Provisioning => "provisioning",
            Self::Uninstalled => "uninstalled",
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Error => "error",
            Self::Installing => "installing",
            Self::Unknown => "unknown",
            Self::ManualProvisioning => "manual_provisioning",
            Self::ProductNotAvailable => "product_not_available",
            Self::VerificationRequired => "verification_required",
            Self::Rescue => "rescue",
            Self::PendingPayment => "pending_payment",
            Self::Other => "other",
            Self::ResetPassword => "reset_password",
        }
    }

    /// The status with that word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }

    /// Whether the platform has not given the VM its hardware and address yet.
    pub(crate) fn before_allocation(self) -> bool {
        matches!(
            self,
            Self::Provisioning
                | Self::PendingPayment
                | Self::VerificationRequired
                | Self::ManualProvisioning
                | Self::ProductNotAvailable
        )
    }
}
