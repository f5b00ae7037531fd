//! The VM: one Contabo instance, bought by the month and never thrown away by accident.

use std::net::Ipv4Addr;

use jiff::Timestamp;
use jiff::civil::Date;

use crate::id::{EnvironmentId, VmId};
use crate::money::Money;
use crate::word::words;

/// Every VM of ours carries a display name that begins so; one that does not is foreign and never touched.
pub const DISPLAY_NAME_PREFIX: &str = "alfredos-";

words! {
    /// What a VM is to us.
    VmState, "VM state" {
        /// It belongs to an environment.
        Assigned = "assigned",
        /// Wiped, booted and waiting in the pool.
        Ready = "ready",
        /// Being installed or wiped for the pool.
        Preparing = "preparing",
        /// Cancelled at the provider. Wiped, it is given to environments that end before its contract does.
        Retiring = "retiring",
        /// It did not come up although it was installed anew; kept out of the pool until a person acts.
        Quarantined = "quarantined",
        /// Found at the provider, understood by nobody; kept and reported.
        Unknown = "unknown",
        /// Its contract has ended; the row is history.
        Ended = "ended",
    }
}

words! {
    /// What the VM reconciler does next.
    VmStep, "VM step" {
        /// Give it the pool's display name.
        Name = "name",
        /// Ask the provider to install it anew.
        Wipe = "wipe",
        /// Wait until the installation has run.
        Install = "install",
        /// Power it on.
        Start = "start",
        /// Wait until it accepts a connection.
        Reach = "reach",
        /// Cancel it at the provider.
        Cancel = "cancel",
        /// Wait until the provider shows the end date.
        ConfirmCancel = "confirm_cancel",
        /// Nothing to do.
        Settled = "settled",
    }
}

words! {
    /// An instance's status in Contabo's API: all 14 values, named in the provider's OpenAPI document
    /// (<https://api.contabo.com/api-v1.yaml>), which gives no meanings.
    InstanceStatus, "instance status" {
        /// The order is accepted and the VM is being built; it may have no address yet.
        Provisioning = "provisioning",
        /// An operating system is being installed.
        Installing = "installing",
        /// Powered on. Not yet reachable.
        Running = "running",
        /// Powered off.
        Stopped = "stopped",
        /// There is no operating system on it.
        Uninstalled = "uninstalled",
        /// Booted into the rescue system.
        Rescue = "rescue",
        /// The password is being reset.
        ResetPassword = "reset_password",
        /// The order is not paid; only the provider's web panel can mend that.
        PendingPayment = "pending_payment",
        /// The provider wants to know the customer; an e-mail went to the account holder.
        VerificationRequired = "verification_required",
        /// The provider's staff builds it.
        ManualProvisioning = "manual_provisioning",
        /// Sold out in that region.
        ProductNotAvailable = "product_not_available",
        /// It failed at the provider.
        Error = "error",
        /// The provider does not know.
        Unknown = "unknown",
        /// Any other, also a word that this version does not know.
        Other = "other",
    }
}

/// An instance as the provider shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenInstance {
    /// The provider's instance number.
    pub id: VmId,
    /// Its display name; empty where it has none.
    pub display_name: String,
    /// Its status.
    pub status: InstanceStatus,
    /// Its public address, once the provider has given it one.
    pub address: Option<Ipv4Addr>,
    /// The provider's product; empty where it is not told.
    pub product: String,
    /// The provider's region; empty where it is not told.
    pub region: String,
    /// The last day of its contract, if it is cancelled.
    pub cancel_date: Option<Date>,
    /// The provider's own words about an error.
    pub error_message: Option<String>,
    /// When it was ordered, and so when its contract began.
    pub created_at: Option<Timestamp>,
}

/// What a VM costs, and for how long it is paid.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contract {
    /// When it began, by the provider's word; unknown before the provider was read.
    pub began_at: Option<Timestamp>,
    /// It is paid for so many months at once; one, where that is not known.
    pub months: Option<u32>,
    /// What a month costs, as configured when it was bought: the provider's API tells no price.
    pub price: Option<Money>,
}

/// The display name of a VM in the pool. No slug has a dot, so that no environment's VM is called so.
pub fn pool_display_name(id: VmId) -> String {
    format!("{DISPLAY_NAME_PREFIX}pool.{id}")
}

/// One VM as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vm {
    /// The provider's instance number.
    pub id: VmId,
    /// The display name we gave it last.
    pub display_name: String,
    /// The provider's product, such as `V153`.
    pub product: String,
    /// The provider's region, such as `EU`.
    pub region: String,
    /// Its public address, once known; it survives a wipe.
    pub address: Option<Ipv4Addr>,
    /// What it is to us.
    pub state: VmState,
    /// What is done next.
    pub step: VmStep,
    /// Whose it is, while assigned.
    pub environment_id: Option<EnvironmentId>,
    /// The environment it was bought for, if it was bought for one.
    pub bought_for: Option<EnvironmentId>,
    /// The environment that handed it over and waits for the wipe or the cancellation.
    pub released_by: Option<EnvironmentId>,
    /// Not to be assigned before: the old name may live in caches until then (promise 4).
    pub assignable_at: Option<Timestamp>,
    /// When it was last known to be wiped and reachable.
    pub wiped_at: Option<Timestamp>,
    /// Whether the provider was seen to install it since the wipe was asked for.
    pub install_seen: bool,
    /// The last day of its contract, once it is cancelled; the provider's word, never computed.
    pub cancel_date: Option<Date>,
    /// What it costs and for how long it is paid.
    pub contract: Contract,
    /// How often it was installed anew because it did not come up. Forgotten once it is ready.
    pub reinstalls: u32,
    /// How often the current step was tried and failed.
    pub attempts: u32,
    /// When the current step began.
    pub step_since: Timestamp,
    /// When the reconciler looks next; never, where absent.
    pub wake_at: Option<Timestamp>,
    /// Why it waits, in words for a person.
    pub reason: Option<String>,
    /// Whether it goes no further until a person acts.
    pub attention: bool,
    /// When we first knew of it.
    pub created_at: Timestamp,
    /// When this row last changed.
    pub updated_at: Timestamp,
    /// Counts the changes and claims of this row; each write names the version it read (fencing).
    pub version: i64,
}
