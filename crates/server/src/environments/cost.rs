//! What an environment costs, and everything that was asked of providers for it.

use alfred_model::environment::{Environment, Status};
use alfred_model::id::{EnvironmentId, VmId};
use alfred_model::money::Money;
use alfred_model::name::Slug;
use alfred_model::pool;
use alfred_model::user::UserName;
use alfred_model::vm::Vm;
use alfred_store::IntentQuery;
use axum::Json;
use axum::extract::{Path, State};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::{App, Shared};
use crate::auth::Administrator;
use crate::ledger::IntentView;
use crate::lookup;
use crate::openapi::Refused;
use crate::page;
use crate::problem::Problem;
use crate::vms::VmView;

/// What the use of a VM has cost an environment: its price by the hour, for as long as the environment had it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Cost)]
pub(crate) struct CostView {
    /// Which VM.
    #[schema(value_type = i64)]
    vm_id: VmId,
    /// What it costs a month; null, where nobody configured a price when it was bought.
    #[schema(value_type = Option<String>)]
    price: Option<Money>,
    /// Since when the environment has it.
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    /// When it gave it back; null, while it has it.
    #[schema(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
    /// For how many hours it had it until now.
    hours: f64,
    /// What that costs; a month has 730 hours.
    #[schema(value_type = Option<String>)]
    amount: Option<Money>,
}

/// From the wish to its cost.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EnvironmentCost {
    /// Which environment.
    #[schema(value_type = uuid::Uuid)]
    environment_id: EnvironmentId,
    /// Its name.
    #[schema(value_type = String)]
    slug: Slug,
    /// Whose it is.
    #[schema(value_type = String)]
    owner: UserName,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// The VM that it has, or had last.
    vm: Option<VmView>,
    /// What the use of that VM has cost.
    cost: Option<CostView>,
    /// What was asked of providers for it, newest first, at most 1000: each with the request's id, and with the line of
    /// the provider's audit log once that was read.
    intents: Vec<IntentView>,
}

/// What an environment costs
///
/// For administrators. It joins the wish, what was asked of providers for it, their request ids and lines of the
/// provider's audit log, the VM, and what the VM's use has cost.
#[utoipa::path(
    get, path = "/v1/environments/{environment}/cost", tag = "environments",
    params(("environment" = String, Path, description = "Slug or id", example = "brave-tiger")),
    responses((status = 200, description = "The cost and what it comes from", body = EnvironmentCost), Refused<403>, Refused<404>),
)]
pub(crate) async fn show_cost(
    State(app): State<Shared>,
    Administrator(caller): Administrator,
    Path(name): Path<String>,
) -> Result<Json<EnvironmentCost>, Problem> {
    let environment = lookup::environment(&app, &caller, &name).await?;
    let vm = vm_of(&app, &environment).await?;
    let query = IntentQuery { environment: Some(environment.id), limit: page::LIMIT_MAX, ..IntentQuery::default() };
    let intents = app.store().intents(query).await?;
    let now = app.now();
    Ok(Json(EnvironmentCost {
        environment_id: environment.id,
        vm: vm.as_ref().map(|vm| VmView::at(vm, now)),
        cost: vm.as_ref().and_then(|vm| cost(&environment, vm, now)),
        intents: intents.into_iter().map(IntentView::from).collect(),
        slug: environment.slug,
        owner: environment.owner,
        created_at: environment.created_at,
    }))
}

/// What the use of its VM has cost an environment; nothing, where it had none.
pub(super) async fn cost_of(app: &App, environment: &Environment) -> Result<Option<CostView>, Problem> {
    let vm = vm_of(app, environment).await?;
    Ok(vm.and_then(|vm| cost(environment, &vm, app.now())))
}

async fn vm_of(app: &App, environment: &Environment) -> Result<Option<Vm>, Problem> {
    match environment.vm_id {
        Some(id) => Ok(app.store().vm(id).await?),
        None => Ok(None),
    }
}

fn cost(environment: &Environment, vm: &Vm, now: Timestamp) -> Option<CostView> {
    let from = environment.assigned_at?;
    // An earlier VM may have been given back before this one was taken.
    let released = environment.released_at.filter(|released| *released >= from);
    let to = released.or((environment.status == Status::Deleted).then_some(environment.updated_at));
    let used = to.unwrap_or(now).duration_since(from).max(SignedDuration::ZERO);
    let price = vm.contract.price;
    Some(CostView {
        vm_id: vm.id,
        price,
        from,
        to,
        hours: (used.as_secs_f64() / 36.0).round() / 100.0,
        amount: price.map(|price| pool::cost_of_use(price, used)),
    })
}
