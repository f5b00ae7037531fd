//! Holds one exchange against the document: the request's place, parameters, headers and body, and the answer's status,
//! content type and body.

#[cfg(test)]
mod tests;

use http::HeaderMap;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use jsonschema::error::ValidationErrorKind;
use serde_json::Value;

use crate::deviations::Absent;
use crate::document::{Document, Operation, escape};
use crate::recorder::Exchange;

/// Headers that every HTTP client may send and that documents do not list.
const ORDINARY_HEADERS: [&str; 2] = ["accept", "user-agent"];

/// Which half of an exchange is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Half {
    Request,
    Answer,
}

/// Something that is not as the document says.
#[derive(Debug, Clone)]
pub(crate) struct Violation {
    /// Such as `GET /v1/compute/instances`; the path itself, where the document has no such operation.
    pub(crate) operation: String,
    pub(crate) half: Half,
    /// Such as `body/data/*/ipConfig`, `query/status`, `header/x-request-id` or `status`.
    pub(crate) place: String,
    /// The rule that is violated, such as `required`.
    pub(crate) rule: String,
    pub(crate) words: String,
    /// The value that is wrong; for something that is missing, what it is missing from.
    pub(crate) value: Value,
    /// The entry of the body's list in which it stands; the body itself, where it stands in none.
    pub(crate) entry: Value,
}

/// What an exchange is to be held against.
pub(crate) enum Kind {
    Documented(Operation),
    /// The document lacks it, and it is in the list of those.
    Absent(&'static Absent),
    Unknown,
}

/// The operation that an exchange is: the one with the fewest variables, in the document or among those it lacks.
pub(crate) fn kind(document: &Document, absent: &'static [Absent], exchange: &Exchange) -> Kind {
    let fits = |one: &'static Absent| Some((one, document.fits(one.name, &exchange.method, exchange.path())?));
    let missing = absent.iter().filter_map(fits).min_by_key(|(_, variables)| variables.len());
    match (document.operation(&exchange.method, exchange.path()), missing) {
        (Some(operation), Some((_, variables))) if operation.path.len() <= variables.len() => {
            Kind::Documented(operation)
        }
        (_, Some((one, _))) => Kind::Absent(one),
        (Some(operation), None) => Kind::Documented(operation),
        (None, None) => Kind::Unknown,
    }
}

/// Everything about an exchange that is not as the document says. Of a stranger's call only the answer is looked at:
/// strangers ask for what is wrong on purpose. An operation that the document lacks is held against the one that it is
/// like, or not at all.
pub(crate) fn check(document: &Document, absent: &'static [Absent], exchange: &Exchange) -> Vec<Violation> {
    let operation = match kind(document, absent, exchange) {
        Kind::Documented(operation) => operation,
        Kind::Absent(Absent { like: None, .. }) => return Vec::new(),
        Kind::Absent(Absent { name, like: Some(like), .. }) => {
            let variables = document.fits(name, &exchange.method, exchange.path()).unwrap_or_default();
            document.named(like, variables).unwrap_or_else(|| panic!("the document has no `{like}`"))
        }
        Kind::Unknown => {
            let findings = Findings::new(&format!("{} {}", exchange.method, exchange.path()), Half::Request);
            return vec![findings.single("operation", "missing", "the document has no such operation")];
        }
    };
    let mut violations = Vec::new();
    if exchange.by_client {
        violations.extend(check_request(document, &operation, exchange));
    }
    violations.extend(check_answer(document, &operation, exchange));
    violations
}

/// Violations of one half, as they are found.
struct Findings {
    operation: String,
    half: Half,
    found: Vec<Violation>,
}

impl Findings {
    fn new(operation: &str, half: Half) -> Self {
        Self { operation: operation.to_owned(), half, found: Vec::new() }
    }

    fn single(&self, place: &str, rule: &str, words: impl Into<String>) -> Violation {
        Violation {
            operation: self.operation.clone(),
            half: self.half,
            place: place.to_owned(),
            rule: rule.to_owned(),
            words: words.into(),
            value: Value::Null,
            entry: Value::Null,
        }
    }

    fn add(&mut self, place: &str, rule: &str, words: impl Into<String>) {
        self.found.push(self.single(place, rule, words));
    }

    /// Holds `value`, which stands at `place`, against the schema at `pointer`.
    fn hold(&mut self, document: &Document, pointer: &str, place: &str, value: &Value) {
        let validator = document.validator(pointer);
        for error in validator.iter_errors(value) {
            let path = error.instance_path().as_str();
            let rule = error.kind().keyword().to_owned();
            let within: Vec<String> = match error.kind() {
                ValidationErrorKind::Required { property } => {
                    vec![format!("{path}/{}", property.as_str().unwrap_or_default())]
                }
                ValidationErrorKind::AdditionalProperties { unexpected } => {
                    unexpected.iter().map(|name| format!("{path}/{name}")).collect()
                }
                _ => vec![path.to_owned()],
            };
            for path in within {
                let violation = self.single(&format!("{place}{}", general(&path)), &rule, error.to_string());
                let entry = entry_of(value, &path);
                self.found.push(Violation { value: error.instance().as_ref().clone(), entry, ..violation });
            }
        }
    }
}

/// A path into a body with `*` for each place in a list.
fn general(path: &str) -> String {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> = path.split('/').map(|part| if is_number(part) { "*" } else { part }).collect();
    parts.join("/")
}

/// The outermost list entry on the way to `path`.
fn entry_of(body: &Value, path: &str) -> Value {
    let mut place = String::new();
    for part in path.split('/').skip(1) {
        place = format!("{place}/{part}");
        if part.bytes().all(|byte| byte.is_ascii_digit()) {
            return body.pointer(&place).cloned().unwrap_or_default();
        }
    }
    body.clone()
}

fn check_request(document: &Document, operation: &Operation, exchange: &Exchange) -> Vec<Violation> {
    let mut findings = Findings::new(&operation.name, Half::Request);
    let parameters = parameters(document, operation);
    let query: Vec<(String, String)> =
        form_urlencoded::parse(exchange.query().unwrap_or_default().as_bytes()).into_owned().collect();
    for parameter in &parameters {
        let values: Vec<&str> = match parameter.place {
            "path" => named(&operation.path, parameter.name),
            "query" => named(&query, parameter.name),
            _ => exchange.headers.get(parameter.name).and_then(|value| value.to_str().ok()).into_iter().collect(),
        };
        let place = format!("{}/{}", parameter.place, parameter.name);
        if values.is_empty() && parameter.required {
            findings.add(&place, "required", "it is missing");
        }
        if let Some(value) = parameter.typed(&values) {
            findings.hold(document, &parameter.schema, &place, &value);
        }
    }
    for (name, _) in &query {
        if !parameters.iter().any(|parameter| parameter.place == "query" && parameter.name == name) {
            findings.add(&format!("query/{name}"), "unknown", "the document has no such parameter");
        }
    }
    let documented = |name: &str| {
        parameters.iter().any(|parameter| parameter.place == "header" && parameter.name.eq_ignore_ascii_case(name))
    };
    for name in exchange.headers.keys().filter(|name| **name != AUTHORIZATION && **name != CONTENT_TYPE) {
        if !documented(name.as_str()) && !ORDINARY_HEADERS.contains(&name.as_str()) {
            findings.add(&format!("header/{name}"), "unknown", "the document has no such header");
        }
    }
    let bearer = exchange.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    if !bearer.is_some_and(|value| value.len() > "Bearer ".len() && value.starts_with("Bearer ")) {
        findings.add("header/authorization", "required", "a bearer token is missing");
    }
    request_body(document, operation, exchange, &mut findings);
    findings.found
}

fn request_body(document: &Document, operation: &Operation, exchange: &Exchange, findings: &mut Findings) {
    let pointer = format!("{}/requestBody", operation.pointer);
    let documented = document.at(&pointer);
    let kind = content_type(&exchange.headers);
    if exchange.body.is_empty() {
        if documented.is_some_and(|body| body["required"] == true) {
            findings.add("body", "required", "the body is missing");
        }
        if kind.is_some() {
            findings.add("header/content-type", "unknown", "there is no body that it could be about");
        }
        return;
    }
    if documented.is_none() {
        findings.add("body", "unknown", "the document has no body here");
        return;
    }
    body(document, &pointer, kind.as_deref(), &exchange.body, findings);
}

fn check_answer(document: &Document, operation: &Operation, exchange: &Exchange) -> Vec<Violation> {
    let mut findings = Findings::new(&operation.name, Half::Answer);
    let status = exchange.status.as_u16();
    let answers = format!("{}/responses", operation.pointer);
    let range = format!("{}XX", status / 100);
    let keys = [status.to_string(), range, "default".to_owned()];
    let documented = keys.iter().map(|key| format!("{answers}/{key}")).find(|pointer| document.at(pointer).is_some());
    let kind = content_type(&exchange.answer_headers);
    match documented {
        Some(pointer) if document.at(&format!("{pointer}/content")).is_some() => {
            body(document, &pointer, kind.as_deref(), &exchange.answer, &mut findings);
        }
        Some(_) if exchange.answer.is_empty() => {}
        Some(_) => findings.add("body", "unknown", "the document has no body here"),
        None if status >= 400 && document.general_statuses().contains(&status) => {
            // The document describes failures in words only; that they are JSON with their status is all it implies.
            let failure: Value = serde_json::from_slice(&exchange.answer).unwrap_or_default();
            if failure["statusCode"] != status || failure["message"].is_null() {
                findings.add("body", "failure", "a failure has `statusCode` and `message`");
            }
        }
        None => findings.add(&format!("status/{status}"), "missing", "not in the document"),
    }
    findings.found
}

/// Holds a body against the schema of its content type below `pointer`.
fn body(document: &Document, pointer: &str, kind: Option<&str>, bytes: &[u8], findings: &mut Findings) {
    let kind = kind.unwrap_or_default();
    let media = format!("{pointer}/content/{}", escape(kind));
    if document.at(&media).is_none() {
        findings.add("header/content-type", "unknown", format!("`{kind}` is not in the document"));
        return;
    }
    let value = match kind {
        "application/json" => match serde_json::from_slice(bytes) {
            Ok(value) => value,
            Err(error) => return findings.add("body", "json", error.to_string()),
        },
        // The text of a zone file is no JSON; its schema says that it is a text.
        _ => Value::String(String::from_utf8_lossy(bytes).into_owned()),
    };
    findings.hold(document, &format!("{media}/schema"), "body", &value);
}

fn content_type(headers: &HeaderMap) -> Option<String> {
    let kind = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    Some(kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

fn named<'a>(pairs: &'a [(String, String)], name: &str) -> Vec<&'a str> {
    pairs.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
}

/// A parameter of an operation.
struct Parameter<'a> {
    name: &'a str,
    /// `path`, `query` or `header`.
    place: &'a str,
    required: bool,
    /// The place of its schema in the document.
    schema: String,
    kind: &'a str,
}

impl Parameter<'_> {
    /// The values with the type that the schema asks for; a text, where they cannot be had so. Nothing, if there is none.
    fn typed(&self, values: &[&str]) -> Option<Value> {
        let first = *values.first()?;
        let as_json = || serde_json::from_str(first).unwrap_or_else(|_| Value::from(first));
        Some(match self.kind {
            "array" => values.iter().flat_map(|value| value.split(',')).map(Value::from).collect(),
            "integer" | "number" | "boolean" => as_json(),
            _ => Value::from(first),
        })
    }
}

fn parameters<'a>(document: &'a Document, operation: &Operation) -> Vec<Parameter<'a>> {
    let pointer = format!("{}/parameters", operation.pointer);
    let listed = document.at(&pointer).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let parameter = |(index, parameter): (usize, &'a Value)| Parameter {
        name: parameter["name"].as_str().expect("a parameter has a name"),
        place: parameter["in"].as_str().expect("a parameter has a place"),
        required: parameter["required"] == true,
        schema: format!("{pointer}/{index}/schema"),
        kind: parameter.pointer("/schema/type").and_then(Value::as_str).unwrap_or("string"),
    };
    listed.iter().enumerate().map(parameter).collect()
}
