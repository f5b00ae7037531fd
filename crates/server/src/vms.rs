//! `/v1/vms`: the machines.

use std::collections::HashSet;
use std::net::Ipv4Addr;

use alfred_model::id::{EnvironmentId, VmId};
use alfred_model::vm::{Vm, VmState, VmStep};
use alfred_store::EnvironmentQuery;
use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::Shared;
use crate::auth::Caller;
use crate::input::Parameters;
use crate::openapi::Refused;
use crate::problem::Problem;

/// Which VMs.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct VmParameters {
    /// Only in this state.
    #[param(schema_with = crate::schema::vm_state)]
    state: Option<VmState>,
    /// Also those whose contract has ended.
    include_ended: Option<bool>,
}

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

/// VMs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VmList {
    /// The VMs in order of their ids.
    vms: Vec<VmView>,
}

/// List VMs
///
/// Administrators see all, members those of their environments.
#[utoipa::path(
    get, path = "/v1/vms", tag = "vms", params(VmParameters),
    responses((status = 200, description = "The VMs", body = VmList), Refused<400>),
)]
pub(crate) async fn list(
    State(app): State<Shared>,
    caller: Caller,
    Parameters(asked): Parameters<VmParameters>,
) -> Result<Json<VmList>, Problem> {
    let include_ended = asked.include_ended.unwrap_or(false) || asked.state == Some(VmState::Ended);
    let mut vms = app.store().vms(include_ended).await?;
    vms.retain(|vm| asked.state.is_none_or(|state| vm.state == state));
    if !caller.is_administrator() {
        let query = EnvironmentQuery { owner: Some(caller.user), ..EnvironmentQuery::default() };
        let own: HashSet<EnvironmentId> = app.store().environments(query).await?.iter().map(|own| own.id).collect();
        vms.retain(|vm| vm.environment_id.is_some_and(|id| own.contains(&id)));
    }
    Ok(Json(VmList { vms: vms.into_iter().map(VmView::from).collect() }))
}

impl From<Vm> for VmView {
    fn from(vm: Vm) -> Self {
        Self {
            id: vm.id,
            display_name: vm.display_name,
            product: vm.product,
            region: vm.region,
            address: vm.address,
            state: vm.state,
            step: vm.step,
            environment_id: vm.environment_id,
            bought_for: vm.bought_for,
            assignable_at: vm.assignable_at,
            wiped_at: vm.wiped_at,
            cancel_date: vm.cancel_date,
            reason: vm.reason,
            attention: vm.attention,
            attempts: vm.attempts,
            created_at: vm.created_at,
            updated_at: vm.updated_at,
        }
    }
}
