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
use crate::states::terraform;

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
    // Routes of several methods in one, which so cannot document themselves.
    paths(terraform::read, terraform::write, terraform::delete),
    components(schemas(ProblemBody)),
    modifiers(&Tokens),
    security(("bearer" = [])),
    tags(
        (name = "environments", description = "What users ask for"),
        (name = "events", description = "What happened to environments"),
        (name = "vms", description = "The machines"),
        (name = "pool", description = "How many VMs there are, are wanted and may be bought, and what they cost"),
        (name = "ledger", description = "Who asked providers for what"),
        (name = "audit", description = "Whether providers, store and ledger agree"),
        (name = "states", description = "Terraform states. `/tfstate/{name}` is the backend that Terraform itself speaks to, also with the methods `LOCK` and `UNLOCK`"),
        (name = "backups", description = "Copies of all states and of alfred's own records, as they were at one time"),
        (name = "users", description = "Who may use the control plane"),
        (name = "tokens", description = "Access tokens"),
        (name = "probes", description = "Whether the server lives, is ready, and what it counts"),
        (name = "document", description = "This document"),
    ),
)]
struct Document;

struct Tokens;

impl Modify for Tokens {
    fn modify(&self, document: &mut OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("alfred_…").build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(scheme));
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Basic);
        let scheme = scheme.description(Some("The access token is the password; the user is not looked at")).build();
        components.add_security_scheme("basic", SecurityScheme::Http(scheme));
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

#[cfg(test)]
mod tests {
    use serde_json::Value;

    fn rendered() -> Value {
        let (_, document) = crate::server::routes().split_for_parts();
        serde_json::from_slice(&super::render(document)).unwrap()
    }

    #[test]
    fn the_path_of_terraform_is_there_with_what_openapi_knows_of_it() {
        let document = rendered();
        let path = &document["paths"]["/tfstate/{name}"];
        let methods: Vec<&str> = path.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(methods, ["delete", "get", "post"]);
        for method in methods {
            let operation = &path[method];
            assert_eq!(operation["parameters"][0]["name"], "name", "{method}");
            for status in ["400", "401", "403", "500", "503"] {
                let refusal = &operation["responses"][status]["content"]["application/problem+json"]["schema"]["$ref"];
                assert_eq!(refusal, "#/components/schemas/Problem", "{method} {status}");
            }
            let schemes: Vec<&String> = operation["security"]
                .as_array()
                .unwrap()
                .iter()
                .flat_map(|one| one.as_object().unwrap().keys())
                .collect();
            assert_eq!(schemes, ["bearer", "basic"], "{method}");
        }
        let words = path["get"]["description"].as_str().unwrap();
        assert!(["`LOCK`", "`UNLOCK`", "`/v1/states/{name}/lock`"].iter().all(|word| words.contains(word)), "{words}");
        assert!(document["paths"]["/v1/states/{name}/lock"]["post"].is_object(), "what it refers to");
        assert!(document["paths"]["/v1/states/{name}/lock"]["delete"].is_object(), "what it refers to");
        for method in ["post", "delete"] {
            assert!(path[method]["responses"]["423"]["content"]["application/json"].is_object(), "{method}");
        }
    }

    #[test]
    fn every_operation_has_its_own_id_and_every_scheme_is_defined() {
        let document = rendered();
        let operations =
            document["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap().values());
        let mut ids = std::collections::HashSet::new();
        for operation in operations {
            for one in operation["security"].as_array().into_iter().flatten() {
                for scheme in one.as_object().unwrap().keys() {
                    assert!(document["components"]["securitySchemes"][scheme].is_object(), "{scheme}");
                }
            }
            if let Some(id) = operation["operationId"].as_str().filter(|id| id.starts_with("terraform_")) {
                assert!(ids.insert(id.to_owned()), "{id}");
            }
        }
        assert_eq!(ids.len(), 3);
    }
}
