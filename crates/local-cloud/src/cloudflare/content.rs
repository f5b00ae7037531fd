//! The value of a record: what is accepted for each type and the form in which it is kept.
//!
//! A, AAAA and host names are checked; of the types with components only presence, order and simple bounds are.

use std::net::{Ipv4Addr, Ipv6Addr};

use serde_json::{Map, Value};

use super::{error::ApiError, name, record::RecordKind};

/// Bytes of content; documented as the size of one record on the wire.
/// <https://developers.cloudflare.com/dns/manage-dns-records/reference/dns-record-types/>
const CONTENT_LIMIT: usize = 4_096;

/// The content, priority and components of a record.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Content {
    pub(crate) text: String,
    pub(crate) priority: Option<u16>,
    pub(crate) data: Option<Map<String, Value>>,
}

/// Reads the value of a record of type `kind` at `owner` from a request.
pub(crate) fn parse(
    kind: RecordKind,
    owner: &str,
    zone: &str,
    fields: &Map<String, Value>,
) -> Result<Content, ApiError> {
    let given = match fields.get("content") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) if text.len() <= CONTENT_LIMIT => Some(text.trim()),
        Some(Value::String(_)) => return Err(ApiError::validation(9008, "Content is too long.")),
        Some(_) => return Err(invalid(kind)),
    };
    let mut priority = priority(fields)?;
    let components = components(kind);
    if components.is_empty() {
        let text = given.filter(|text| !text.is_empty()).ok_or_else(|| invalid(kind))?;
        let text = plain(kind, owner, zone, text)?;
        if kind == RecordKind::Mx {
            priority = Some(
                priority.ok_or_else(|| ApiError::validation(9101, "priority is a required field for MX records."))?,
            );
        } else {
            priority = None;
        }
        return Ok(Content { text, priority, data: None });
    }
    let data = match fields.get("data") {
        Some(Value::Object(data)) => check_components(kind, data)?,
        None | Some(Value::Null) => split_content(kind, given.ok_or_else(|| missing_data(kind))?)?,
        Some(_) => return Err(missing_data(kind)),
    };
    Ok(Content {
        text: join_components(kind, &data),
        priority: if kind == RecordKind::Uri { priority } else { None },
        data: Some(data),
    })
}

fn priority(fields: &Map<String, Value>) -> Result<Option<u16>, ApiError> {
    match fields.get("priority") {
        None | Some(Value::Null) => Ok(None),
        Some(value) => whole(value)
            .and_then(|number| u16::try_from(number).ok())
            .map(Some)
            .ok_or_else(|| ApiError::validation(9102, "priority must be between 0 and 65535.")),
    }
}

/// A JSON number without a fraction; SDKs send `300.0` for 300.
pub(crate) fn whole(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| {
        let number = value.as_f64()?;
        #[expect(clippy::cast_possible_truncation, reason = "checked to be a whole number in bounds")]
        (number.fract() == 0.0 && number.abs() < 1e15).then_some(number as i64)
    })
}

fn invalid(kind: RecordKind) -> ApiError {
    match kind {
        RecordKind::A => ApiError::validation(9005, "Content for A record must be a valid IPv4 address."),
        RecordKind::Aaaa => ApiError::validation(9006, "Content for AAAA record must be a valid IPv6 address."),
        _ => ApiError::validation(9007, format!("Content for {kind} record is invalid.")),
    }
}

fn missing_data(kind: RecordKind) -> ApiError {
    ApiError::validation(9103, format!("data is a required field for {kind} records."))
}

fn plain(kind: RecordKind, owner: &str, zone: &str, text: &str) -> Result<String, ApiError> {
    match kind {
        RecordKind::A => text.parse::<Ipv4Addr>().map(|address| address.to_string()).map_err(|_| invalid(kind)),
        RecordKind::Aaaa => text.parse::<Ipv6Addr>().map(|address| address.to_string()).map_err(|_| invalid(kind)),
        _ if kind.names_a_host() => {
            let host = if text == "@" {
                zone.to_owned()
            } else if text == "." {
                // A null MX (RFC 7505) points at the root.
                return Ok(text.to_owned());
            } else {
                name::host(text).ok_or_else(|| invalid(kind))?
            };
            if kind == RecordKind::Cname && host == owner {
                return Err(ApiError::validation(9039, "CNAME content cannot reference itself."));
            }
            Ok(host)
        }
        _ if text.chars().any(|character| character.is_control() && character != '\t') => Err(invalid(kind)),
        _ => Ok(text.to_owned()),
    }
}

/// The components of a type in the order of its content, by the names of the SDKs' `data` types.
fn components(kind: RecordKind) -> &'static [&'static str] {
    match kind {
        RecordKind::Caa => &["flags", "tag", "value"],
        RecordKind::Cert => &["type", "key_tag", "algorithm", "certificate"],
        RecordKind::Dnskey => &["flags", "protocol", "algorithm", "public_key"],
        RecordKind::Ds => &["key_tag", "algorithm", "digest_type", "digest"],
        RecordKind::Https | RecordKind::Svcb => &["priority", "target", "value"],
        RecordKind::Loc => &[
            "lat_degrees",
            "lat_minutes",
            "lat_seconds",
            "lat_direction",
            "long_degrees",
            "long_minutes",
            "long_seconds",
            "long_direction",
            "altitude",
            "size",
            "precision_horz",
            "precision_vert",
        ],
        RecordKind::Naptr => &["order", "preference", "flags", "service", "regex", "replacement"],
        RecordKind::Smimea | RecordKind::Tlsa => &["usage", "selector", "matching_type", "certificate"],
        RecordKind::Srv => &["priority", "weight", "port", "target"],
        RecordKind::Sshfp => &["algorithm", "type", "fingerprint"],
        RecordKind::Uri => &["weight", "target"],
        _ => &[],
    }
}

fn is_number(kind: RecordKind, component: &str) -> bool {
    match component {
        "flags" => kind != RecordKind::Naptr,
        "tag" | "value" | "certificate" | "public_key" | "digest" | "target" | "lat_direction" | "long_direction"
        | "service" | "regex" | "replacement" | "fingerprint" => false,
        _ => true,
    }
}

fn is_quoted(kind: RecordKind, component: &str) -> bool {
    matches!(
        (kind, component),
        (RecordKind::Caa, "value") | (RecordKind::Uri, "target") | (RecordKind::Naptr, "flags" | "service" | "regex")
    )
}

fn check_components(kind: RecordKind, given: &Map<String, Value>) -> Result<Map<String, Value>, ApiError> {
    let mut data = Map::new();
    for component in components(kind) {
        let value = match given.get(*component) {
            Some(value) if is_number(kind, component) => {
                if !value.as_f64().is_some_and(|number| number.abs() < 1e12) {
                    return Err(missing_component(kind, component));
                }
                whole(value).map_or_else(|| value.clone(), Value::from)
            }
            Some(Value::String(text)) if text.len() <= CONTENT_LIMIT && !text.contains(['\n', '\r']) => {
                text.clone().into()
            }
            // LOC leaves zero for what is not told, service bindings may have no parameters.
            None if kind == RecordKind::Loc && is_number(kind, component) => 0.into(),
            None if *component == "value" && kind != RecordKind::Caa => String::new().into(),
            _ => return Err(missing_component(kind, component)),
        };
        data.insert((*component).to_owned(), value);
    }
    Ok(data)
}

fn missing_component(kind: RecordKind, component: &str) -> ApiError {
    ApiError::validation(9103, format!("data.{component} is missing or invalid for {kind} records."))
}

fn join_components(kind: RecordKind, data: &Map<String, Value>) -> String {
    let mut words: Vec<String> = Vec::new();
    for component in components(kind) {
        let word = match data.get(*component) {
            Some(Value::String(text)) if is_quoted(kind, component) => format!("\"{text}\""),
            Some(Value::String(text)) => text.clone(),
            Some(number) if kind == RecordKind::Loc => location_word(component, number),
            Some(number) => number.to_string(),
            None => continue,
        };
        if !word.is_empty() {
            words.push(word);
        }
    }
    words.join(" ")
}

fn location_word(component: &str, number: &Value) -> String {
    if matches!(component, "altitude" | "size" | "precision_horz" | "precision_vert") {
        format!("{number}m")
    } else {
        number.to_string()
    }
}

fn split_content(kind: RecordKind, text: &str) -> Result<Map<String, Value>, ApiError> {
    let names = components(kind);
    let mut rest = text.trim();
    let mut data = Map::new();
    for (place, component) in names.iter().enumerate() {
        let (word, left) = if place + 1 == names.len() {
            (rest, "")
        } else {
            rest.split_once(char::is_whitespace).unwrap_or((rest, ""))
        };
        rest = left.trim_start();
        let word = word.trim();
        if word.is_empty() {
            continue;
        }
        let value = if is_number(kind, component) {
            let digits = word.strip_suffix('m').unwrap_or(word);
            serde_json::from_str::<Value>(digits)
                .ok()
                .filter(Value::is_number)
                .ok_or_else(|| missing_component(kind, component))?
        } else {
            word.trim_matches('"').to_owned().into()
        };
        data.insert((*component).to_owned(), value);
    }
    check_components(kind, &data)
}
