//! A record as a client asks for it, checked against the zone's plan but not yet against its neighbours.

use serde_json::{Map, Value};

use super::{
    content::{self, Content},
    error::ApiError,
    name,
    options::Plan,
    record::{Record, RecordKind},
};

const TTL_MOST: i64 = 86_400;
const TAG_NAME_LIMIT: usize = 32;
const TAG_VALUE_LIMIT: usize = 100;

/// What a client wants a record to be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Draft {
    pub(crate) name: String,
    pub(crate) kind: RecordKind,
    pub(crate) content: Content,
    pub(crate) ttl: u32,
    pub(crate) proxied: bool,
    pub(crate) settings: Map<String, Value>,
    pub(crate) comment: Option<String>,
    pub(crate) tags: Vec<String>,
}

impl Draft {
    /// Reads a POST or PUT: what is left out takes its default.
    pub(crate) fn parse(fields: &Map<String, Value>, zone: &str, plan: Plan) -> Result<Self, ApiError> {
        let kind = match fields.get("type") {
            Some(Value::String(text)) => {
                text.parse::<RecordKind>().map_err(|()| ApiError::validation(9002, "DNS record type is invalid."))?
            }
            _ => return Err(ApiError::validation(9002, "DNS record type is required.")),
        };
        let name = match fields.get("name") {
            Some(Value::String(text)) => name::in_zone(text, zone)?,
            _ => return Err(ApiError::validation(9000, "DNS name is invalid.")),
        };
        let content = content::parse(kind, &name, zone, fields)?;
        let proxied = match fields.get("proxied") {
            None | Some(Value::Null) => false,
            Some(Value::Bool(proxied)) => *proxied,
            Some(_) => {
                return Err(ApiError::validation(9003, "Invalid 'proxied' value, must be a boolean."));
            }
        };
        if proxied && !kind.proxiable() {
            return Err(ApiError::validation(9004, "This record type cannot be proxied."));
        }
        let ttl = ttl(fields, plan)?;
        Ok(Self {
            name,
            kind,
            content,
            ttl: if proxied { 1 } else { ttl },
            proxied,
            settings: settings(fields)?,
            comment: comment(fields, plan)?,
            tags: tags(fields, plan)?,
        })
    }

    /// Reads a PATCH: what is left out stays as it is in `record`.
    pub(crate) fn edit(record: &Record, edit: &Map<String, Value>, zone: &str, plan: Plan) -> Result<Self, ApiError> {
        let mut fields = record.writable();
        let new_kind = edit.get("type").is_some_and(|kind| kind != record.kind.as_str());
        // Content and components say the same twice: the one that the client gave wins over the other's old value.
        if edit.contains_key("content") || new_kind {
            fields.remove("data");
        }
        if edit.contains_key("data") {
            fields.remove("content");
        }
        for (key, value) in edit {
            fields.insert(key.clone(), value.clone());
        }
        Self::parse(&fields, zone, plan)
    }
}

fn ttl(fields: &Map<String, Value>, plan: Plan) -> Result<u32, ApiError> {
    let least = plan.least_ttl();
    match fields.get("ttl") {
        None | Some(Value::Null) => Ok(1),
        Some(value) => content::whole(value)
            .filter(|ttl| *ttl == 1 || (i64::from(least)..=TTL_MOST).contains(ttl))
            .and_then(|ttl| u32::try_from(ttl).ok())
            .ok_or_else(|| {
                ApiError::validation(
                    9021,
                    format!("TTL must be between {least} and {TTL_MOST} seconds, or 1 for Automatic."),
                )
            }),
    }
}

fn settings(fields: &Map<String, Value>) -> Result<Map<String, Value>, ApiError> {
    match fields.get("settings") {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(settings))
            if settings.iter().all(|(key, value)| {
                matches!(key.as_str(), "ipv4_only" | "ipv6_only" | "flatten_cname")
                    && (value.is_boolean() || value.is_null())
            }) =>
        {
            Ok(settings.clone())
        }
        Some(_) => Err(ApiError::validation(9310, "Invalid DNS record settings.")),
    }
}

fn comment(fields: &Map<String, Value>, plan: Plan) -> Result<Option<String>, ApiError> {
    let limit = plan.comment_limit();
    match fields.get("comment") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(comment)) if comment.is_empty() => Ok(None),
        Some(Value::String(comment)) => {
            let length = comment.chars().count();
            if length > limit {
                return Err(ApiError::validation(
                    9301,
                    format!("DNS record has a comment of {length} characters, exceeding the maximum of {limit}."),
                ));
            }
            if comment.contains(['\n', '\r']) {
                return Err(ApiError::validation(9302, "DNS record comment contains a line break."));
            }
            Ok(Some(comment.clone()))
        }
        Some(_) => Err(ApiError::validation(9303, "DNS record comment must be a string.")),
    }
}

fn tags(fields: &Map<String, Value>, plan: Plan) -> Result<Vec<String>, ApiError> {
    let limit = plan.tag_limit();
    let given = match fields.get("tags") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(tags)) => tags,
        Some(_) => {
            return Err(ApiError::validation(9304, "DNS record tags must be a list of strings."));
        }
    };
    if given.len() > limit {
        return Err(ApiError::validation(
            9300,
            format!("DNS record has {} tags, exceeding the quota of {limit}.", given.len()),
        ));
    }
    given
        .iter()
        .map(|tag| {
            tag.as_str()
                .filter(|tag| is_tag(tag))
                .map(str::to_owned)
                .ok_or_else(|| ApiError::validation(9305, "DNS record tag is invalid."))
        })
        .collect()
}

fn is_tag(tag: &str) -> bool {
    let (name, value) = tag.split_once(':').unwrap_or((tag, ""));
    !name.is_empty()
        && name.len() <= TAG_NAME_LIMIT
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        && value.chars().count() <= TAG_VALUE_LIMIT
        && !value.contains(['\n', '\r'])
}
