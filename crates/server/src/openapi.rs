//! The API's own description, made from the routes themselves (<https://spec.openapis.org/oas/v3.1.0>).

use std::collections::BTreeMap;

use axum::Extension;
use axum::body::Bytes;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, ResponseBuilder};
use utoipa::{IntoResponses, Modify, OpenApi as _};

use crate::problem::{self, ProblemBody};

/// The document as it is sent.
#[derive(Clone)]
pub(crate) struct Rendered(pub(crate) Bytes);

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "AlfredOS Cloud",
        description = "Named environments: a VM, a DNS name that answers, and what became of both. Refusals are \
                       problem details (RFC 9457) with a stable `code`."
    ),
    components(schemas(ProblemBody)),
    modifiers(&Bearer),
    security(("bearer" = [])),
    tags(
        (name = "environments", description = "What users ask for"),
        (name = "events", description = "What happened to environments"),
        (name = "vms", description = "The machines"),
        (name = "pool", description = "How many VMs there are, are wanted and may be bought, and what they cost"),
        (name = "ledger", description = "Who asked providers for what"),
        (name = "audit", description = "Whether providers, store and ledger agree"),
        (name = "states", description = "Terraform states. `/tfstate/NAME` is the backend that Terraform itself speaks to"),
        (name = "backups", description = "Copies of all states and of alfred's own records, as they were at one time"),
        (name = "users", description = "Who may use the control plane"),
        (name = "tokens", description = "Access tokens"),
        (name = "probes", description = "Whether the server lives, is ready, and what it counts"),
        (name = "document", description = "This document"),
    ),
)]
struct Document;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("alfred_…").build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}

/// Documents that a route refuses with this status.
pub(crate) struct Refused<const STATUS: u16>;

impl<const STATUS: u16> IntoResponses for Refused<STATUS> {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        BTreeMap::from([(STATUS.to_string(), RefOr::T(refusal(STATUS)))])
    }
}

/// The document before the routes are added.
pub(crate) fn document() -> OpenApi {
    Document::openapi()
}

/// The finished document as JSON, with the refusals that every route may answer with.
pub(crate) fn render(mut document: OpenApi) -> Vec<u8> {
    for item in document.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.post, &mut item.put, &mut item.delete];
        operations.into_iter().flatten().for_each(add_usual_refusals);
    }
    serde_json::to_vec(&document).expect("the document is text and numbers, which JSON can hold")
}

fn add_usual_refusals(operation: &mut Operation) {
    // What names its own security needs no token; see `auth::admit`.
    let needs_token = operation.security.is_none();
    let usual: &[u16] = if needs_token { &[401, 500, 503] } else { &[500, 503] };
    for status in usual {
        let responses = &mut operation.responses.responses;
        responses.entry(status.to_string()).or_insert_with(|| RefOr::T(refusal(*status)));
    }
}

fn refusal(status: u16) -> utoipa::openapi::Response {
    let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Refused");
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    ResponseBuilder::new().description(reason).content(problem::MEDIA_TYPE, content).build()
}

/// Describe the API
#[utoipa::path(
    get, path = "/openapi.json", tag = "document",
    responses((status = 200, description = "The OpenAPI document", body = Object, content_type = "application/json")),
)]
pub(crate) async fn show(Extension(Rendered(document)): Extension<Rendered>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], document).into_response()
}
