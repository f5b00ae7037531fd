//! A VM as it is shown.

use std::net::Ipv4Addr;

use alfred_model::id::{EnvironmentId, VmId};
use alfred_model::money::Money;
use alfred_model::pool::{self, ContractView};
use alfred_model::vm::{Vm, VmState, VmStep};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;
use utoipa::ToSchema;

/// A VM: one instance at Contabo.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Vm, example = json!({
    "id": 100_200_300,
    "display_name": "alfredos-brave-tiger",
    "product": "V153",
    "region": "EU",
    "address": "203.0.113.7",
    "state": "assigned",
    "step": "settled",
    "environment_id": "01926f3c-7a1b-7c3d-9e4f-5a6b7c8d9e0f",
    "bought_for": "01926f3c-7a1b-7c3d-9e4f-5a6b7c8d9e0f",
    "assignable_at": null,
    "wiped_at": null,
    "cancel_date": null,
    "paid_until": "2026-04-01T09:31:00Z",
    "ends": false,
    "decide_by": "2026-03-04T09:31:00Z",
    "price": "5.50 EUR",
    "reinstalls": 0,
    "reason": null,
    "attention": false,
    "attempts": 0,
    "created_at": "2026-03-01T09:31:00Z",
    "updated_at": "2026-03-01T09:33:40Z"
}))]
pub(crate) struct VmView {
    /// The provider's instance number.
    #[schema(value_type = i64)]
    id: VmId,
    /// The display name at the provider.
    display_name: String,
    /// The provider's product.
    product: String,
    /// The provider's region.
    region: String,
    /// Its address, once known.
    #[schema(value_type = Option<String>, format = Ipv4)]
    address: Option<Ipv4Addr>,
    /// What it is to us.
    #[schema(schema_with = crate::schema::vm_state)]
    state: VmState,
    /// What is done next.
    #[schema(schema_with = crate::schema::vm_step)]
    step: VmStep,
    /// Whose it is, while assigned.
    #[schema(value_type = Option<uuid::Uuid>)]
    environment_id: Option<EnvironmentId>,
    /// The environment it was bought for.
    #[schema(value_type = Option<uuid::Uuid>)]
    bought_for: Option<EnvironmentId>,
    /// Not given to anybody before.
    #[schema(value_type = Option<String>, format = DateTime)]
    assignable_at: Option<Timestamp>,
    /// When it was last known to be wiped.
    #[schema(value_type = Option<String>, format = DateTime)]
    wiped_at: Option<Timestamp>,
    /// The last day of its contract, once it is cancelled.
    #[schema(value_type = Option<String>, format = Date)]
    cancel_date: Option<Date>,
    /// Until when it is paid; where it ends, the beginning of its last day.
    #[schema(value_type = Option<String>, format = DateTime)]
    paid_until: Option<Timestamp>,
    /// Whether its contract ends then instead of renewing.
    ends: bool,
    /// By when it must be cancelled so that the first renewal that can be avoided is.
    #[schema(value_type = Option<String>, format = DateTime)]
    decide_by: Option<Timestamp>,
    /// What a month costs, as configured when it was bought.
    #[schema(value_type = Option<String>)]
    price: Option<Money>,
    /// How often it was installed anew because it did not come up.
    reinstalls: u32,
    /// Why it waits, and what to do.
    reason: Option<String>,
    /// Whether it goes no further until a person acts.
    attention: bool,
    /// How often the current step was tried and failed.
    attempts: u32,
    /// When we first knew of it.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl VmView {
    /// The VM as it is at this time.
    pub(crate) fn at(vm: &Vm, now: Timestamp) -> Self {
        Self::with_contract(vm, &pool::contract(vm, now))
    }

    /// The VM with what is known to be paid for it.
    pub(crate) fn with_contract(vm: &Vm, contract: &ContractView) -> Self {
        Self {
            id: vm.id,
            display_name: vm.display_name.clone(),
            product: vm.product.clone(),
            region: vm.region.clone(),
            address: vm.address,
            state: vm.state,
            step: vm.step,
            environment_id: vm.environment_id,
            bought_for: vm.bought_for,
            assignable_at: vm.assignable_at,
            wiped_at: vm.wiped_at,
            cancel_date: vm.cancel_date,
            paid_until: contract.paid_until,
            ends: contract.ends,
            decide_by: contract.decide_by,
            price: contract.price,
            reinstalls: vm.reinstalls,
            reason: vm.reason.clone(),
            attention: vm.attention,
            attempts: vm.attempts,
            created_at: vm.created_at,
            updated_at: vm.updated_at,
        }
    }
}
