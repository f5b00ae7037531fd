//! `/v1/vms`: the machines, and what administrators may ask of them.

mod orders;
mod requests;
mod view;

use std::collections::HashSet;

use alfred_model::id::EnvironmentId;
use alfred_model::vm::VmState;
use alfred_store::EnvironmentQuery;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::Shared;
use crate::auth::Caller;
use crate::input::Parameters;
use crate::openapi::Refused;
use crate::problem::Problem;

pub(crate) use orders::*;
pub(crate) use requests::*;
pub(crate) use view::VmView;

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
    let now = app.now();
    Ok(Json(VmList { vms: vms.iter().map(|vm| VmView::at(vm, now)).collect() }))
}
