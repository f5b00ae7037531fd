//! The checker finds what it is there for: each case breaks one thing of an exchange that is right.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde_json::{Value, json};

use super::{Half, Violation, check};
use crate::deviations::Absent;
use crate::document::Document;
use crate::recorder::Exchange;

const REQUEST_ID: &str = "04e0f898-37b4-48bc-a794-1a57abe6aa31";

const ABSENT: &[Absent] = &[
    Absent { name: "PUT /others/{id}", like: Some("PUT /things/{id}"), source: "" },
    Absent { name: "GET /things/usage", like: None, source: "" },
];

/// A document with what the real ones have: parameters of all places, an enumeration, `nullable`, a choice by `type`.
fn document() -> Document {
    let text = json!({"type": "string"});
    Document::new(json!({
        "openapi": "3.0.3",
        "info": {"description": "Code | Meaning\n--- | ---\n404 | nothing there\n"},
        "servers": [{"url": "https://api.example.com/v1"}],
        "paths": {"/things/{id}": {
            "put": {
                "parameters": [
                    {"name": "id", "in": "path", "required": true, "schema": {"type": "integer", "format": "int64"}},
                    {"name": "mode", "in": "query", "required": false, "schema": {"type": "string", "enum": ["a", "b"]}},
                    {"name": "x-request-id", "in": "header", "required": true,
                        "schema": {"type": "string", "pattern": "^[0-9a-f]{8}-[0-9a-f]{4}-[0-5][0-9a-f]{3}-[0-9a-f-]+$"}},
                ],
                "requestBody": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Wish"}}}},
                "responses": {
                    "200": {"content": {"application/json": {"schema": {
                        "type": "object", "required": ["data"],
                        "properties": {"data": {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}}},
                    }}}},
                    "204": {},
                    "5XX": {"content": {"application/json": {"schema": {"type": "object", "required": ["errors"]}}}},
                },
            },
            "get": {"responses": {"200": {"content": {"text/plain": {"schema": text}}}}},
        }},
        "components": {"schemas": {
            "Wish": {"anyOf": [{"$ref": "#/components/schemas/A"}, {"$ref": "#/components/schemas/B"}]},
            "A": {"type": "object", "required": ["type", "name"], "example": {"properties": 3}, "properties": {
                "type": {"const": "A"}, "name": {"type": "string", "minLength": 1}, "ttl": {"type": "integer", "format": "int32"},
            }},
            "B": {"type": "object", "required": ["type"], "properties": {"type": {"const": "B"}, "target": text}},
            "Thing": {"type": "object", "required": ["id", "image", "at"], "properties": {
                "id": {"type": "integer"}, "image": {"type": "string", "nullable": true},
                "at": {"type": "string", "format": "date-time"}, "status": {"type": "string", "enum": ["on", "off"]},
            }},
        }},
    }))
}

fn good() -> Exchange {
    let headers = |pairs: &[(&'static str, &str)]| -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()));
        pairs.collect()
    };
    Exchange {
        by_client: true,
        method: Method::PUT,
        target: "/v1/things/7?mode=a".to_owned(),
        headers: headers(&[
            ("accept", "application/json"),
            ("authorization", "Bearer x"),
            ("content-type", "application/json"),
            ("x-request-id", REQUEST_ID),
        ]),
        body: json!({"type": "A", "name": "n", "ttl": 1}).to_string().into(),
        status: StatusCode::OK,
        answer_headers: headers(&[("content-type", "application/json; charset=utf-8")]),
        answer: json!({"data": [{"id": 1, "image": null, "at": "2026-11-21T21:57:08.786Z", "status": "on"}]})
            .to_string()
            .into(),
    }
}

/// What is found when `break_it` was done to an exchange that is right.
fn found(break_it: impl FnOnce(&mut Exchange)) -> Vec<(Half, String, String)> {
    let mut exchange = good();
    break_it(&mut exchange);
    let violations = check(&document(), ABSENT, &exchange);
    violations.into_iter().map(|Violation { half, place, rule, .. }| (half, place, rule)).collect()
}

fn sets(field: &str, value: Value) -> impl FnOnce(&mut Bytes) {
    let field = field.to_owned();
    move |bytes| {
        let mut body: Value = serde_json::from_slice(bytes).unwrap();
        *body.pointer_mut(&field).unwrap() = value;
        *bytes = body.to_string().into();
    }
}

fn one(half: Half, place: &str, rule: &str) -> Vec<(Half, String, String)> {
    vec![(half, place.to_owned(), rule.to_owned())]
}

#[test]
fn what_is_right_is_found_right() {
    assert_eq!(found(|_| {}), []);
    assert_eq!(found(|it| it.body = json!({"type": "B", "target": "t"}).to_string().into()), []);
    assert_eq!(found(|it| (it.status, it.answer) = (StatusCode::NO_CONTENT, Bytes::new())), []);
    let failure = json!({"statusCode": 404, "message": ["one", "two"]});
    assert_eq!(found(|it| (it.status, it.answer) = (StatusCode::NOT_FOUND, failure.to_string().into())), []);
}

#[test]
fn a_wrong_body_of_a_request_is_found() {
    let request = |body: Value| found(|it| it.body = body.to_string().into());
    let named = one(Half::Request, "body/naem", "additionalProperties");
    let missing = one(Half::Request, "body/name", "required");
    assert_eq!(request(json!({"type": "A", "naem": "n"})), [missing.clone(), named].concat(), "a misspelt field");
    assert_eq!(request(json!({"type": "A"})), missing);
    assert_eq!(request(json!({"type": "A", "name": 3})), one(Half::Request, "body/name", "type"));
    assert_eq!(request(json!({"type": "A", "name": ""})), one(Half::Request, "body/name", "minLength"));
    let too_large = json!({"type": "A", "name": "n", "ttl": 1_u64 << 31});
    assert_eq!(request(too_large), one(Half::Request, "body/ttl", "maximum"));
    let of_another = json!({"type": "B", "name": "n"});
    assert_eq!(request(of_another), one(Half::Request, "body/name", "additionalProperties"));
    assert_eq!(request(json!({"type": "C"})), one(Half::Request, "body/type", "enum"));
    assert_eq!(request(json!({"name": "n"})), one(Half::Request, "body/type", "required"), "the first of a choice");
    let cut = |it: &mut Exchange| it.body = Bytes::from_static(b"{");
    assert_eq!(found(cut), one(Half::Request, "body", "json"));
}

#[test]
fn a_wrong_place_parameter_or_header_is_found() {
    let target = |target: &str| found(|it| it.target = target.to_owned());
    assert_eq!(target("/v1/things/seven"), one(Half::Request, "path/id", "type"));
    assert_eq!(target("/v1/things/7?mode=c"), one(Half::Request, "query/mode", "enum"));
    assert_eq!(target("/v1/things/7?mdoe=a"), one(Half::Request, "query/mdoe", "unknown"));
    assert_eq!(target("/v1/thing/7"), one(Half::Request, "operation", "missing"));
    assert_eq!(target("/v2/things/7"), one(Half::Request, "operation", "missing"));
    assert_eq!(found(|it| it.method = Method::POST), one(Half::Request, "operation", "missing"));
    let header = |name: &'static str, value: Option<&'static str>| {
        found(|it| {
            it.headers.remove(name);
            it.headers
                .extend(value.map(|value| (http::HeaderName::from_static(name), HeaderValue::from_static(value))));
        })
    };
    assert_eq!(header("x-request-id", None), one(Half::Request, "header/x-request-id", "required"));
    let seventh = Some("019a0b5e-37b4-7bbc-a794-1a57abe6aa31");
    assert_eq!(header("x-request-id", seventh), one(Half::Request, "header/x-request-id", "pattern"));
    assert_eq!(header("x-requestid", Some("1")), one(Half::Request, "header/x-requestid", "unknown"));
    assert_eq!(header("authorization", None), one(Half::Request, "header/authorization", "required"));
    assert_eq!(header("authorization", Some("Basic x")), one(Half::Request, "header/authorization", "required"));
    assert_eq!(header("content-type", Some("text/json")), one(Half::Request, "header/content-type", "unknown"));
}

#[test]
fn a_body_that_is_missing_or_not_wanted_is_found() {
    let body = one(Half::Request, "body", "required");
    let kind = one(Half::Request, "header/content-type", "unknown");
    assert_eq!(found(|it| it.body = Bytes::new()), [body, kind.clone()].concat());
    let get = |content_type: bool, body: &'static [u8]| {
        found(|it| {
            (it.method, it.target, it.body) = (Method::GET, "/v1/things/7".to_owned(), Bytes::from_static(body));
            it.headers.remove("x-request-id");
            it.answer_headers.insert("content-type", HeaderValue::from_static("text/plain"));
            if !content_type {
                it.headers.remove("content-type");
            }
        })
    };
    assert_eq!(get(false, b""), []);
    assert_eq!(get(true, b""), kind);
    assert_eq!(get(true, b"{}"), one(Half::Request, "body", "unknown"));
}

#[test]
fn a_wrong_answer_is_found() {
    let answer = |field: &str, value: Value| found(|it| sets(field, value)(&mut it.answer));
    assert_eq!(answer("/data/0/id", json!("1")), one(Half::Answer, "body/data/*/id", "type"));
    assert_eq!(answer("/data/0/id", json!(null)), one(Half::Answer, "body/data/*/id", "type"));
    assert_eq!(answer("/data/0/image", json!(3)), one(Half::Answer, "body/data/*/image", "anyOf"));
    assert_eq!(answer("/data/0/at", json!("yesterday")), one(Half::Answer, "body/data/*/at", "format"));
    assert_eq!(answer("/data/0/status", json!("asleep")), one(Half::Answer, "body/data/*/status", "enum"));
    let more = json!({"id": 1, "image": null, "at": "2026-11-21T21:57:08Z", "colour": "red"});
    assert_eq!(answer("/data/0", more), one(Half::Answer, "body/data/*/colour", "additionalProperties"));
    let less = json!({"id": 1, "at": "2026-11-21T21:57:08Z"});
    assert_eq!(answer("/data/0", less), one(Half::Answer, "body/data/*/image", "required"));
    let strangers = found(|it| (it.by_client, it.headers, it.answer) = (false, HeaderMap::new(), "{}".into()));
    assert_eq!(strangers, one(Half::Answer, "body/data", "required"), "of a stranger's call the answer alone");
}

#[test]
fn a_wrong_status_or_kind_of_answer_is_found() {
    let status = |status: u16| found(|it| it.status = StatusCode::from_u16(status).unwrap());
    assert_eq!(status(201), one(Half::Answer, "status/201", "missing"));
    assert_eq!(status(403), one(Half::Answer, "status/403", "missing"), "not in the introduction's table");
    assert_eq!(status(404), one(Half::Answer, "body", "failure"), "in the table, but the body is none of a failure");
    assert_eq!(status(204), one(Half::Answer, "body", "unknown"));
    assert_eq!(status(502), one(Half::Answer, "body/errors", "required"), "a range");
    let html = |it: &mut Exchange| {
        it.answer_headers.insert("content-type", HeaderValue::from_static("text/html"));
    };
    assert_eq!(found(html), one(Half::Answer, "header/content-type", "unknown"));
    assert_eq!(found(|it| it.answer_headers = HeaderMap::new()), one(Half::Answer, "header/content-type", "unknown"));
}

#[test]
fn what_the_document_lacks_is_held_against_what_it_is_like() {
    let other = |body: Value| found(|it| (it.target, it.body) = ("/v1/others/7".to_owned(), body.to_string().into()));
    assert_eq!(other(json!({"type": "A", "name": "n"})), []);
    assert_eq!(other(json!({"type": "A"})), one(Half::Request, "body/name", "required"));
    let usage = |it: &mut Exchange| (it.method, it.target) = (Method::GET, "/v1/things/usage".to_owned());
    assert_eq!(found(usage), [], "it is like nothing");
}
