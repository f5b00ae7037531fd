//! Turns the schemas of an OpenAPI document into JSON Schema that is strict enough to find a misspelt field.
//!
//! Three things are changed. `nullable` (OpenAPI 3.0) becomes a type beside the others. An object that lists its
//! properties takes no others: the documents leave that open, and a typing error would pass. A choice of objects that
//! each have their own `type` becomes a decision by that word, so that an error is about the field that is wrong and
//! not about the whole choice.

use serde_json::{Map, Value, json};

/// The keywords of a schema that hold schemas by name, one, and in a row.
const BY_NAME: [&str; 1] = ["properties"];
const ONE: [&str; 3] = ["items", "additionalProperties", "not"];
const IN_A_ROW: [&str; 3] = ["allOf", "anyOf", "oneOf"];

/// Converts every schema of a document in place.
pub(crate) fn convert(document: &mut Value) {
    let components = document.pointer("/components/schemas").cloned().unwrap_or_default();
    let convert = |schema: &mut Value| convert_schema(schema, &components);
    if let Some(schemas) = document.pointer_mut("/components/schemas").and_then(Value::as_object_mut) {
        schemas.values_mut().for_each(convert);
    }
    let paths = document.get_mut("paths").and_then(Value::as_object_mut).expect("an API document has paths");
    for operation in paths.values_mut().filter_map(Value::as_object_mut).flat_map(Map::values_mut) {
        for parameter in operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
            parameter.get_mut("schema").into_iter().for_each(convert);
        }
        contents(operation.get_mut("requestBody")).for_each(convert);
        let answers = operation.get_mut("responses").and_then(Value::as_object_mut);
        for answer in answers.into_iter().flat_map(Map::values_mut) {
            contents(Some(answer)).for_each(convert);
        }
    }
}

/// The schemas of a body, one for each content type.
fn contents(body: Option<&mut Value>) -> impl Iterator<Item = &mut Value> {
    let content = body.and_then(|body| body.get_mut("content")).and_then(Value::as_object_mut);
    content.into_iter().flat_map(Map::values_mut).filter_map(|media| media.get_mut("schema"))
}

fn convert_schema(schema: &mut Value, components: &Value) {
    let Some(object) = schema.as_object_mut() else { return };
    // Examples may look like schemas, and some contradict their own.
    object.remove("example");
    decide_by_type(object, components);
    for name in BY_NAME {
        let named = object.get_mut(name).and_then(Value::as_object_mut);
        named.into_iter().flat_map(Map::values_mut).for_each(|inner| convert_schema(inner, components));
    }
    for name in ONE {
        object.get_mut(name).into_iter().for_each(|inner| convert_schema(inner, components));
    }
    for name in IN_A_ROW {
        let row = object.get_mut(name).and_then(Value::as_array_mut);
        row.into_iter().flatten().for_each(|inner| convert_schema(inner, components));
    }
    let members = object.get("allOf").and_then(Value::as_array).map_or(0, Vec::len);
    assert!(members <= 1, "an `allOf` of several cannot be closed member by member; teach this conversion how");
    if object.contains_key("properties") && !object.contains_key("additionalProperties") {
        object.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
    bound_integers(object);
    if object.remove("nullable") == Some(Value::Bool(true)) {
        let inner = Value::Object(std::mem::take(object));
        *schema = json!({"anyOf": [{"type": "null"}, inner]});
    }
}

/// `int32` and `int64` are formats of numbers, which JSON Schema does not check.
fn bound_integers(schema: &mut Map<String, Value>) {
    let bounds = match schema.get("format").and_then(Value::as_str) {
        Some("int32") => (json!(i32::MIN), json!(i32::MAX)),
        Some("int64") => (json!(i64::MIN), json!(i64::MAX)),
        _ => return,
    };
    schema.entry("minimum").or_insert(bounds.0);
    schema.entry("maximum").or_insert(bounds.1);
}

/// `anyOf` of objects whose `type` is a constant: decided by that word; without it, by the first.
fn decide_by_type(schema: &mut Map<String, Value>, components: &Value) {
    let Some(choices) = schema.get("anyOf").and_then(Value::as_array) else { return };
    let words: Option<Vec<Value>> = choices.iter().map(|choice| type_word(choice, components)).collect();
    let Some(words) = words.filter(|words| words.len() > 1) else { return };
    let mut rows = vec![json!({"if": {"not": {"required": ["type"]}}, "then": choices[0]})];
    for (word, choice) in words.iter().zip(choices) {
        rows.push(json!({"if": {"properties": {"type": {"const": word}}, "required": ["type"]}, "then": choice}));
    }
    rows.push(json!({"if": {"required": ["type"]}, "then": {"properties": {"type": {"enum": words}}}}));
    schema.remove("anyOf");
    // Not `allOf`, which a document could have beside it; the rows are held together by one key of their own.
    let chain = rows.into_iter().rev().reduce(|rest, row| chained(row, rest)).expect("there is at least one row");
    for (key, value) in chain.as_object().cloned().unwrap_or_default() {
        schema.insert(key, value);
    }
}

/// `row`, and where its condition does not hold, `rest`.
fn chained(mut row: Value, rest: Value) -> Value {
    row["else"] = rest;
    row
}

/// The constant `type` of an object's schema, behind a reference or not.
fn type_word(choice: &Value, components: &Value) -> Option<Value> {
    let named = choice.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix("#/components/schemas/"));
    let choice = named.map_or(Some(choice), |name| components.get(name))?;
    choice.pointer("/properties/type/const").cloned()
}
