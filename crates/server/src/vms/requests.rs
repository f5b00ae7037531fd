//! What administrators ask of single VMs: to let a contract end, to take a VM into the pool.

use alfred_engine::VmPreview;
use alfred_model::id::VmId;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::VmView;
use crate::app::Shared;
use crate::auth::Administrator;
use crate::input::{JsonBody, bad_parameter, shortened};
use crate::openapi::Refused;
use crate::problem::{Code, Problem};

/// Which VM shall be cancelled.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"display_name": "alfredos-pool.100200300"}))]
pub(crate) struct CancelBody {
    /// Its display name, as a proof that this one is meant; not needed with `dry_run`.
    #[serde(default)]
    display_name: Option<String>,
    /// Say what is given up, and change nothing.
    #[serde(default)]
    dry_run: bool,
}

/// Which VM shall be adopted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"display_name": "alfredos-calm-owl", "foreign": false}))]
pub(crate) struct AdoptBody {
    /// Its display name, as a proof that this one is meant; not needed with `dry_run`.
    #[serde(default)]
    display_name: Option<String>,
    /// Take it although it is not called as ours are.
    #[serde(default)]
    foreign: bool,
    /// Say what is given up, and change nothing.
    #[serde(default)]
    dry_run: bool,
}

/// A request about a VM, as it was taken or would be.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VmRequest {
    /// Whether nothing was done because nothing was to be.
    dry_run: bool,
    /// The VM as it is now, or would be.
    vm: VmView,
    /// What cannot be undone, in words for a person.
    gives_up: String,
}

/// Let a VM's contract end
///
/// For administrators. It cannot be undone through the API. A VM that belongs to an environment is refused. The
/// cancellation is carried out afterwards; the VM is `retiring`, and its last day is shown once the provider tells it. Until
/// then it is wiped and serves environments that end before it does.
#[utoipa::path(
    post, path = "/v1/vms/{vm}/cancel", tag = "vms", request_body = CancelBody,
    params(("vm" = i64, Path, description = "The provider's instance number", example = 100_200_300)),
    responses(
        (status = 200, description = "What would be given up (`dry_run`)", body = VmRequest),
        (status = 202, description = "The request was taken", body = VmRequest),
        Refused<400>, Refused<403>, Refused<404>, Refused<409>, Refused<413>, Refused<415>, Refused<422>,
    ),
)]
pub(crate) async fn cancel(
    State(app): State<Shared>,
    Administrator(caller): Administrator,
    Path(vm): Path<String>,
    JsonBody(body): JsonBody<CancelBody>,
) -> Result<(StatusCode, Json<VmRequest>), Problem> {
    let id = vm_id(&vm)?;
    let preview = app.engine.preview_cancel(id).await?;
    if body.dry_run {
        return Ok(would_be(preview));
    }
    let name = confirmed(id, body.display_name)?;
    let vm = app.engine.cancel_contract(id, &name, caller.user.as_str()).await?;
    Ok(taken(VmView::at(&vm, app.now()), preview))
}

/// Take a VM into the pool
///
/// For administrators: one that the provider shows and no row knows, or one that is `quarantined` or `unknown`. All data
/// on it is erased. One that is not called as ours are may be anybody's, and needs `foreign`.
#[utoipa::path(
    post, path = "/v1/vms/{vm}/adopt", tag = "vms", request_body = AdoptBody,
    params(("vm" = i64, Path, description = "The provider's instance number", example = 100_200_300)),
    responses(
        (status = 200, description = "What would be given up (`dry_run`)", body = VmRequest),
        (status = 202, description = "The request was taken", body = VmRequest),
        Refused<400>, Refused<403>, Refused<404>, Refused<409>, Refused<413>, Refused<415>, Refused<422>,
    ),
)]
pub(crate) async fn adopt(
    State(app): State<Shared>,
    Administrator(caller): Administrator,
    Path(vm): Path<String>,
    JsonBody(body): JsonBody<AdoptBody>,
) -> Result<(StatusCode, Json<VmRequest>), Problem> {
    let id = vm_id(&vm)?;
    let preview = app.engine.preview_adopt(id, body.foreign).await?;
    if body.dry_run {
        return Ok(would_be(preview));
    }
    let name = confirmed(id, body.display_name)?;
    let vm = app.engine.adopt(id, &name, body.foreign, caller.user.as_str()).await?;
    Ok(taken(VmView::at(&vm, app.now()), preview))
}

fn vm_id(text: &str) -> Result<VmId, Problem> {
    let id = text.parse().ok().filter(|id| *id > 0).map(VmId);
    id.ok_or_else(|| bad_parameter(&format!("a VM is named by its number, not by `{}`", shortened(text))))
}

fn confirmed(id: VmId, name: Option<String>) -> Result<String, Problem> {
    name.ok_or_else(|| Problem::new(Code::VmNameWrong, format!("the name of VM {id} is needed to confirm")))
}

fn would_be(preview: VmPreview) -> (StatusCode, Json<VmRequest>) {
    let VmPreview { vm, contract, gives_up } = preview;
    let vm = VmView::with_contract(&vm, &contract);
    (StatusCode::OK, Json(VmRequest { dry_run: true, vm, gives_up }))
}

fn taken(vm: VmView, preview: VmPreview) -> (StatusCode, Json<VmRequest>) {
    (StatusCode::ACCEPTED, Json(VmRequest { dry_run: false, vm, gives_up: preview.gives_up }))
}
