//! A provider's API document: which operations there are, and which schema holds for which part.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use http::Method;
use jsonschema::{Registry, Validator};
use serde_json::Value;

use crate::schema;

/// The variable that names the folder with the documents.
pub(crate) const VARIABLE: &str = "ALFRED_API_DOCS";

/// The name under which a document's own references are resolved.
const BASE: &str = "urn:api-document";

/// The folder with the documents, if it is named.
pub(crate) fn folder() -> Option<PathBuf> {
    std::env::var_os(VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// A document whose schemas were converted.
pub(crate) struct Document {
    root: Value,
    registry: Registry<'static>,
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

/// An operation of a document.
#[derive(Clone)]
pub(crate) struct Operation {
    /// Such as `GET /zones/{zone_id}/dns_records`.
    pub(crate) name: String,
    /// The place in the document.
    pub(crate) pointer: String,
    /// What stands in the path's variables.
    pub(crate) path: Vec<(String, String)>,
}

impl Document {
    /// Reads a JSON document.
    pub(crate) fn json(file: &Path) -> Self {
        Self::new(serde_json::from_str(&read(file)).unwrap_or_else(|error| panic!("`{}`: {error}", file.display())))
    }

    /// Reads a YAML document.
    pub(crate) fn yaml(file: &Path) -> Self {
        Self::new(serde_saphyr::from_str(&read(file)).unwrap_or_else(|error| panic!("`{}`: {error}", file.display())))
    }

    /// Takes a document as it was published.
    pub(crate) fn new(mut root: Value) -> Self {
        schema::convert(&mut root);
        let registry = Registry::new().add(BASE, root.clone()).and_then(jsonschema::RegistryBuilder::prepare);
        Self { root, registry: registry.expect("the document can be a registry"), validators: Mutex::default() }
    }

    /// What stands at a JSON pointer.
    pub(crate) fn at(&self, pointer: &str) -> Option<&Value> {
        self.root.pointer(pointer)
    }

    /// The path of the API's base, such as `/client/v4`; empty where it is the host itself.
    fn base(&self) -> &str {
        let url = self.at("/servers/0/url").and_then(Value::as_str).unwrap_or_default();
        let behind = url.split_once("://").map_or(url, |(_, rest)| rest);
        behind.find('/').map_or("", |slash| behind[slash..].trim_end_matches('/'))
    }

    /// The operation that a method and a path (without query) are. Where several templates fit, the one with the fewest
    /// variables.
    pub(crate) fn operation(&self, method: &Method, path: &str) -> Option<Operation> {
        let path = path.strip_prefix(self.base())?;
        let method = method.as_str().to_ascii_lowercase();
        let templates = self.at("/paths")?.as_object()?;
        let fitting = templates.iter().filter(|(_, operations)| operations.get(&method).is_some());
        let fitting = fitting.filter_map(|(template, _)| Some((template, variables(template, path)?)));
        let (template, variables) = fitting.min_by_key(|(_, variables)| variables.len())?;
        self.named(&format!("{} {template}", method.to_ascii_uppercase()), variables)
    }

    /// The operation called `name`, such as `GET /zones/{zone_id}/dns_records`, with what stands in its path's variables.
    pub(crate) fn named(&self, name: &str, path: Vec<(String, String)>) -> Option<Operation> {
        let (method, template) = name.split_once(' ')?;
        let pointer = format!("/paths/{}/{}", escape(template), method.to_ascii_lowercase());
        self.at(&pointer)?;
        Some(Operation { name: name.to_owned(), pointer, path })
    }

    /// What stands in the path's variables, if a request is the operation called `name`.
    pub(crate) fn fits(&self, name: &str, method: &Method, path: &str) -> Option<Vec<(String, String)>> {
        let (named, template) = name.split_once(' ')?;
        variables(template, path.strip_prefix(self.base())?).filter(|_| named == method.as_str())
    }

    /// The statuses that the document names for all operations together, in the table of its introduction.
    pub(crate) fn general_statuses(&self) -> Vec<u16> {
        let introduction = self.at("/info/description").and_then(Value::as_str).unwrap_or_default();
        let rows = introduction.lines().filter_map(|line| line.split_once('|')?.0.trim().parse().ok());
        rows.filter(|status| (100..600).contains(status)).collect()
    }

    /// What a value violates of the schema at a JSON pointer.
    pub(crate) fn validator(&self, pointer: &str) -> Arc<Validator> {
        let mut validators = self.validators.lock().unwrap();
        let known = validators.entry(pointer.to_owned()).or_insert_with(|| {
            // The fragment of a URI: what cannot stand there is encoded.
            let fragment = pointer.replace('%', "%25").replace('{', "%7B").replace('}', "%7D");
            let schema = serde_json::json!({ "$ref": format!("{BASE}#{fragment}") });
            let options = jsonschema::options();
            let options = options.with_registry(&self.registry).should_validate_formats(true);
            Arc::new(options.build(&schema).unwrap_or_else(|error| panic!("`{pointer}` is no schema: {error}")))
        });
        Arc::clone(known)
    }
}

/// A key as a part of a JSON pointer (RFC 6901, section 3).
pub(crate) fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|error| {
        panic!("`{VARIABLE}` names a folder where `{}` cannot be read: {error}", file.display())
    })
}

/// What stands in the variables of `template`, if `path` has its form.
fn variables(template: &str, path: &str) -> Option<Vec<(String, String)>> {
    let (parts, values): (Vec<&str>, Vec<&str>) = (template.split('/').collect(), path.split('/').collect());
    if parts.len() != values.len() {
        return None;
    }
    let mut variables = Vec::new();
    for (part, value) in parts.into_iter().zip(values) {
        match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            Some(name) if !value.is_empty() => variables.push((name.to_owned(), value.to_owned())),
            _ if part == value => {}
            _ => return None,
        }
    }
    Some(variables)
}
