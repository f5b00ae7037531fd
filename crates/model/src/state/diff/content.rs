//! The parts of a state that are compared, borrowed from its text.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::DiffError;
use super::address::{Address, Key};
use crate::state::write::ContentError;

/// A text that is borrowed where it holds no escapes.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// A state of format 4.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Content<'a> {
    #[serde(borrow, default)]
    pub(super) outputs: BTreeMap<String, Output<'a>>,
    #[serde(borrow, default)]
    resources: Vec<Resource<'a>>,
}

/// An output of the root module.
#[derive(Debug, Deserialize)]
pub(super) struct Output<'a> {
    #[serde(borrow, default)]
    pub(super) value: Option<&'a RawValue>,
    #[serde(default)]
    pub(super) sensitive: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct Resource<'a> {
    #[serde(borrow, default)]
    module: Text<'a>,
    #[serde(borrow, default)]
    mode: Text<'a>,
    #[serde(borrow, rename = "type", default)]
    kind: Text<'a>,
    #[serde(borrow, default)]
    name: Text<'a>,
    #[serde(borrow, default)]
    instances: Vec<Raw<'a>>,
}

/// One object of a resource, as it is written.
#[derive(Debug, Deserialize)]
struct Raw<'a> {
    #[serde(default)]
    index_key: Value,
    #[serde(borrow, default)]
    status: Text<'a>,
    #[serde(borrow, default)]
    deposed: Text<'a>,
    #[serde(default)]
    schema_version: Value,
    #[serde(borrow, default)]
    attributes: Option<&'a RawValue>,
    #[serde(borrow, default)]
    attributes_flat: Option<&'a RawValue>,
    #[serde(borrow, default)]
    sensitive_attributes: Option<&'a RawValue>,
}

/// One object of a resource.
#[derive(Debug)]
pub(super) struct Instance<'a> {
    /// The resource's type.
    pub(super) kind: &'a str,
    /// Such as `tainted`; mostly empty.
    pub(super) status: &'a str,
    pub(super) schema_version: &'a Value,
    pub(super) attributes: Option<&'a RawValue>,
    /// Attributes as programs before 0.12 wrote them.
    pub(super) attributes_flat: Option<&'a RawValue>,
    /// Which attributes are secrets.
    pub(super) marks: Option<&'a RawValue>,
}

impl Instance<'_> {
    /// Whether nothing that is compared can differ. The text of equal values may differ too; this is the quick answer.
    pub(super) fn is_same_text(&self, other: &Self) -> bool {
        self.status == other.status
            && self.schema_version == other.schema_version
            && self.attributes.map(RawValue::get) == other.attributes.map(RawValue::get)
            && self.attributes_flat.map(RawValue::get) == other.attributes_flat.map(RawValue::get)
    }
}

/// Reads a content of which it is known that it is a state that nobody encrypted.
pub(super) fn read(content: &[u8]) -> Result<Content<'_>, DiffError> {
    #[derive(Deserialize)]
    struct Format {
        version: Value,
    }
    let syntax = |error: serde_json::Error| DiffError::Content(ContentError::Syntax(error.to_string()));
    let format: Format = serde_json::from_slice(content).map_err(syntax)?;
    match format.version.as_u64() {
        Some(4) => serde_json::from_slice(content).map_err(syntax),
        other => Err(DiffError::Format(other.unwrap_or(0))),
    }
}

impl<'a> Content<'a> {
    /// Every object of every resource, by address. An object that stands twice stays two.
    pub(super) fn instances(&'a self) -> Vec<(Address<'a>, Instance<'a>)> {
        let each = |resource: &'a Resource<'a>| {
            resource.instances.iter().map(move |raw| {
                let address = Address {
                    module: &resource.module.0,
                    is_data: resource.mode.0 == "data",
                    kind: &resource.kind.0,
                    name: &resource.name.0,
                    key: Key::read(&raw.index_key),
                    deposed: &raw.deposed.0,
                };
                let instance = Instance {
                    kind: &resource.kind.0,
                    status: &raw.status.0,
                    schema_version: &raw.schema_version,
                    attributes: raw.attributes,
                    attributes_flat: raw.attributes_flat,
                    marks: raw.sensitive_attributes,
                };
                (address, instance)
            })
        };
        let mut instances: Vec<_> = self.resources.iter().flat_map(each).collect();
        instances.sort_by(|(one, _), (other, _)| one.cmp(other));
        instances
    }

    /// The outputs by name.
    pub(super) fn outputs_by_name(&'a self) -> Vec<(&'a str, &'a Output<'a>)> {
        self.outputs.iter().map(|(name, output)| (name.as_str(), output)).collect()
    }
}
