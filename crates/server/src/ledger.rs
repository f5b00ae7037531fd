//! `/v1/ledger`: who asked providers for what, and what came of it.

use alfred_model::id::{EnvironmentId, IntentId, VmId};
use alfred_model::intent::{Intent, IntentKind, Outcome};
use alfred_model::vm::DISPLAY_NAME_PREFIX;
use alfred_store::IntentQuery;
use axum::Json;
use axum::extract::{Path, State};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::app::Shared;
use crate::auth::Administrator;
use crate::input::{Parameters, bad_parameter};
use crate::openapi::Refused;
use crate::problem::{Code, Problem};
use crate::{lookup, page};

/// Which lines of the ledger.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct LedgerParameters {
    /// Only this environment's: its slug or id.
    environment: Option<String>,
    /// Only this kind.
    #[param(schema_with = crate::schema::intent_kind)]
    kind: Option<IntentKind>,
    /// Only those of which it is not known what came of them.
    only_open: Option<bool>,
    /// At most so many, from 1 to 1000; 100, where absent.
    limit: Option<usize>,
}

/// One line of the ledger. The hash of the token with which a VM calls home is not shown.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Intent, example = json!({
    "id": "01926f3c-7b00-7000-8000-5a6b7c8d9e0f",
    "kind": "order_vm",
    "environment_id": "01926f3c-7a1b-7c3d-9e4f-5a6b7c8d9e0f",
    "vm_id": 100_200_300,
    "request_id": "5f3a1c9e-44f0-4c0e-9d1b-2f6f0a7f3b11",
    "subject": "alfredos-brave-tiger",
    "actor": "alice",
    "outcome": "done",
    "audit_id": 4_711,
    "answer": "100200300",
    "refused": false,
    "called_home_at": null,
    "created_at": "2026-03-01T09:30:01Z",
    "settled_at": "2026-03-01T09:30:04Z"
}))]
pub(crate) struct IntentView {
    /// Its id.
    #[schema(value_type = Uuid)]
    id: IntentId,
    /// What was going to be written.
    #[schema(schema_with = crate::schema::intent_kind)]
    kind: IntentKind,
    /// For which environment.
    #[schema(value_type = Option<Uuid>)]
    environment_id: Option<EnvironmentId>,
    /// At which VM; for an order, the one that came of it.
    #[schema(value_type = Option<i64>)]
    vm_id: Option<VmId>,
    /// The id under which the provider knows the request.
    request_id: Uuid,
    /// What it was about: a VM's display name or a record's name.
    subject: String,
    /// Who asked for it.
    actor: String,
    /// What came of it.
    #[schema(schema_with = crate::schema::outcome)]
    outcome: Outcome,
    /// The line of the provider's own audit log that shows the same request, once it was read.
    audit_id: Option<i64>,
    /// The provider's own words, or the id it gave.
    answer: Option<String>,
    /// Whether the provider said "not now".
    refused: bool,
    /// When the VM called home after it.
    #[schema(value_type = Option<String>, format = DateTime)]
    called_home_at: Option<Timestamp>,
    /// When it was written down, before the call.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When its outcome was known.
    #[schema(value_type = Option<String>, format = DateTime)]
    settled_at: Option<Timestamp>,
}

/// Lines of the ledger.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Ledger {
    /// The lines, newest first.
    intents: Vec<IntentView>,
}

/// Read the ledger
///
/// For administrators.
#[utoipa::path(
    get, path = "/v1/ledger", tag = "ledger", params(LedgerParameters),
    responses((status = 200, description = "The newest lines", body = Ledger), Refused<400>, Refused<403>, Refused<404>),
)]
pub(crate) async fn list(
    State(app): State<Shared>,
    Administrator(caller): Administrator,
    Parameters(asked): Parameters<LedgerParameters>,
) -> Result<Json<Ledger>, Problem> {
    let environment = match &asked.environment {
        Some(name) => Some(lookup::environment(&app, &caller, name).await?.id),
        None => None,
    };
    let query = IntentQuery {
        environment,
        kind: asked.kind,
        only_open: asked.only_open.unwrap_or(false),
        since: None,
        limit: page::limit(asked.limit)?,
    };
    let intents = app.store().intents(query).await?;
    Ok(Json(Ledger { intents: intents.into_iter().map(IntentView::from).collect() }))
}

/// Abandon an order for the pool
///
/// For administrators, and for an order for the pool of which nothing is known: on your word that no VM came of it, it is
/// not looked for any more and no longer counts as a VM. If one did come of it, the audit finds it.
#[utoipa::path(
    post, path = "/v1/ledger/{intent}/abandon", tag = "ledger",
    params(("intent" = String, Path, description = "The line's id", example = "01926f3c-7b00-7000-8000-5a6b7c8d9e0f")),
    responses((status = 200, description = "The line as it is now", body = IntentView), Refused<400>, Refused<403>, Refused<404>, Refused<409>),
)]
pub(crate) async fn abandon(
    State(app): State<Shared>,
    Administrator(caller): Administrator,
    Path(id): Path<String>,
) -> Result<Json<IntentView>, Problem> {
    let id: IntentId = id.parse().map_err(|_| bad_parameter("the id of a line of the ledger is a UUID"))?;
    let Some(intent) = app.store().intent(id).await? else {
        return Err(Problem::new(Code::IntentNotFound, format!("the ledger has no line `{id}`")));
    };
    if let Some(abandoned) = app.engine.abandon_order(id, caller.user.as_str()).await? {
        return Ok(Json(IntentView::from(abandoned)));
    }
    Err(Problem::new(Code::AbandonRefused, abandon_refused(&intent)))
}

/// Why a line of the ledger is not abandoned.
fn abandon_refused(intent: &Intent) -> String {
    let Intent { id, kind, outcome, .. } = intent;
    if *kind != IntentKind::OrderVm {
        return format!("`{id}` is no order but `{kind}`, which is repeated until it is answered");
    }
    if let Some(slug) = intent.environment_id.and(intent.subject.strip_prefix(DISPLAY_NAME_PREFIX)) {
        return format!(
            "the order `{id}` is for an environment: `alfred env retry {slug} --abandon-order` gives it up"
        );
    }
    if outcome.is_open() {
        return format!("the order `{id}` is being sent at this moment: its answer may still come");
    }
    format!("it is known what came of the order `{id}`: `{outcome}`")
}

impl From<Intent> for IntentView {
    fn from(intent: Intent) -> Self {
        Self {
            id: intent.id,
            kind: intent.kind,
            environment_id: intent.environment_id,
            vm_id: intent.vm_id,
            request_id: intent.request_id,
            subject: intent.subject,
            actor: intent.actor,
            outcome: intent.outcome,
            audit_id: intent.audit_id,
            answer: intent.answer,
            refused: intent.refused,
            called_home_at: intent.called_home_at,
            created_at: intent.created_at,
            settled_at: intent.settled_at,
        }
    }
}
