//! What was done to instances: Contabo's own journal.

use alfred_model::id::VmId;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Deserializer};
use uuid::Uuid;

use super::request_id::RequestId;
use crate::lenient;

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Audit {
    /// The entry's number.
    #[serde(deserialize_with = "number")]
    pub id: i64,
    /// What was done.
    #[serde(default = "no_action", deserialize_with = "action")]
    pub action: AuditAction,
    /// When.
    #[serde(default, deserialize_with = "lenient::timestamp")]
    pub timestamp: Option<Timestamp>,
    /// The request that did it, where it can be read as a UUID.
    #[serde(default, deserialize_with = "request_id")]
    pub request_id: Option<Uuid>,
    /// To which instance; entries of creations have been seen without one.
    #[serde(default, deserialize_with = "vm_id")]
    pub instance_id: Option<VmId>,
    /// Who did it.
    #[serde(default, deserialize_with = "lenient::text")]
    pub username: Option<String>,
}

/// What an audit entry tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditAction {
    /// It was ordered.
    Created,
    /// It was changed.
    Updated,
    /// It was deleted.
    Deleted,
    /// A word that this version does not know.
    Other,
}

/// Which entries a list shall hold; conditions that must all hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Those of one request.
    pub request_id: Option<RequestId>,
    /// Those of one instance.
    pub instance_id: Option<VmId>,
    /// From this day on. Contabo's clock and time zone count: begin a day early.
    pub start: Option<Date>,
    /// Up to this day.
    pub end: Option<Date>,
}

impl AuditFilter {
    /// The entries that one request left.
    pub fn request(id: RequestId) -> Self {
        Self { request_id: Some(id), ..Self::default() }
    }

    pub(super) fn query(&self) -> [(&'static str, Option<String>); 4] {
        [
            ("requestId", self.request_id.map(|id| id.to_string())),
            ("instanceId", self.instance_id.map(|id| id.to_string())),
            ("startDate", self.start.map(|day| day.to_string())),
            ("endDate", self.end.map(|day| day.to_string())),
        ]
    }

    pub(super) fn words(&self) -> String {
        self.request_id.map(|id| format!("of request `{id}`")).unwrap_or_default()
    }
}

fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    lenient::integer(deserializer)?.ok_or_else(|| serde::de::Error::custom("an audit entry without a number"))
}

fn no_action() -> AuditAction {
    AuditAction::Other
}

fn action<'de, D: Deserializer<'de>>(deserializer: D) -> Result<AuditAction, D::Error> {
    Ok(match lenient::text(deserializer)?.as_deref() {
        Some("CREATED") => AuditAction::Created,
        Some("UPDATED") => AuditAction::Updated,
        Some("DELETED") => AuditAction::Deleted,
        _ => AuditAction::Other,
    })
}

fn request_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Uuid>, D::Error> {
    Ok(lenient::text(deserializer)?.and_then(|text| Uuid::try_parse(&text).ok()))
}

fn vm_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<VmId>, D::Error> {
    Ok(lenient::integer(deserializer)?.filter(|number| *number >= 1).map(VmId))
}
