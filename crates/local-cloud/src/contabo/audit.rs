//! The history of changes that each kind of resource offers.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::contract::day;
use super::fields::Query;
use super::options::Options;
use super::page::{SortKey, page};
use super::reply::{Refusal, Reply};
use super::state::{CUSTOMER, TENANT};
use super::time::wire;

/// The user whom the platform names in its audit rows.
const CHANGED_BY: &str = "7f1c3a9e-2b64-4f0d-9a57-3d2e8c1b6f40";

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    Instance,
    Action,
    Secret,
    Tag,
    Assignment,
}

impl Kind {
    /// The path of its history, and the field that holds a resource's id.
    const fn path_and_field(self) -> (&'static str, &'static str) {
        match self {
            Self::Instance => ("/v1/compute/instances/audits", "instanceId"),
            Self::Action => ("/v1/compute/instances/actions/audits", "instanceId"),
            Self::Secret => ("/v1/secrets/audits", "secretId"),
            Self::Tag => ("/v1/tags/audits", "tagId"),
            Self::Assignment => ("/v1/tags/assignments/audits", "tagId"),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Change {
    Created,
    Updated,
    Deleted,
}

impl Change {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "CREATED",
            Self::Updated => "UPDATED",
            Self::Deleted => "DELETED",
        }
    }
}

/// Which request made a change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Origin {
    pub(crate) request_id: String,
    pub(crate) trace_id: Option<String>,
}

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Row {
    id: i64,
    kind: Kind,
    resource: i64,
    /// The assigned resource's kind and id, of an assignment.
    assigned: Option<(String, String)>,
    change: Change,
    at: Timestamp,
    readable_at: Timestamp,
    origin: Origin,
    changes: Value,
}

/// What is written down about a change.
pub(crate) struct Entry {
    pub(crate) kind: Kind,
    pub(crate) resource: i64,
    pub(crate) assigned: Option<(String, String)>,
    pub(crate) change: Change,
    pub(crate) at: Timestamp,
    pub(crate) readable_at: Timestamp,
    pub(crate) changes: Value,
}

/// All rows, oldest first.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct History {
    rows: Vec<Row>,
    last_id: i64,
}

impl History {
    pub(crate) fn add(&mut self, entry: Entry, origin: &Origin) {
        self.last_id += 1;
        self.rows.push(Row {
            id: self.last_id,
            kind: entry.kind,
            resource: entry.resource,
            assigned: entry.assigned,
            change: entry.change,
            at: entry.at,
            readable_at: entry.readable_at,
            origin: origin.clone(),
            changes: entry.changes,
        });
    }

    /// The rows of a kind that the query asks for, newest first.
    pub(crate) fn list(&self, kind: Kind, query: &Query, options: &Options, now: Timestamp) -> Result<Reply, Refusal> {
        let (path, field) = kind.path_and_field();
        let resource = query.integer(field)?;
        let assigned = query.get("resourceId").filter(|_| kind == Kind::Assignment);
        let request_id = query.get("requestId");
        let changed_by = query.get("changedBy");
        let start = date(query, "startDate")?;
        let end = date(query, "endDate")?;
        let rows: Vec<&Row> = self
            .rows
            .iter()
            .rev()
            .filter(|row| row.kind == kind && row.at <= now && row.readable_at <= now)
            .filter(|row| resource.is_none_or(|id| row.resource == id))
            .filter(|row| assigned.is_none_or(|id| row.assigned.as_ref().is_some_and(|(_, own)| own == id)))
            .filter(|row| request_id.is_none_or(|id| row.origin.request_id.eq_ignore_ascii_case(id)))
            .filter(|_| changed_by.is_none_or(|user| user == CHANGED_BY))
            .filter(|row| start.is_none_or(|start| day(row.at) >= start))
            .filter(|row| end.is_none_or(|end| day(row.at) <= end))
            .collect();
        page(path, rows, query, options, |row, name| row.sort_key(name), |row| row.wire())
    }
}

impl Row {
    fn sort_key(&self, field: &str) -> Option<SortKey> {
        Some(match field {
            "id" => SortKey::Number(self.id),
            "instanceId" | "secretId" | "tagId" => SortKey::Number(self.resource),
            "timestamp" => SortKey::Text(wire(self.at)),
            "action" => SortKey::Text(self.change.as_str().to_owned()),
            "requestId" => SortKey::Text(self.origin.request_id.clone()),
            _ => return None,
        })
    }

    fn wire(&self) -> Value {
        let mut row = json!({
            "id": self.id,
            "action": self.change.as_str(),
            "timestamp": wire(self.at),
            "tenantId": TENANT,
            "customerId": CUSTOMER,
            "changedBy": CHANGED_BY,
            "username": "Local User",
            "requestId": self.origin.request_id,
            "traceId": self.origin.trace_id,
            "changes": self.changes,
        });
        row[self.kind.path_and_field().1] = Value::from(self.resource);
        if let Some((kind, id)) = &self.assigned {
            row["resourceType"] = Value::from(kind.as_str());
            row["resourceId"] = Value::from(id.as_str());
        }
        row
    }
}

/// A day of the query, in UTC; both ends of a range belong to it.
fn date(query: &Query, name: &str) -> Result<Option<Date>, Refusal> {
    let Some(text) = query.get(name) else {
        return Ok(None);
    };
    Date::strptime("%Y-%m-%d", text)
        .map(Some)
        .map_err(|_| Refusal::invalid(vec![format!("{name} must be a valid date in the format YYYY-MM-DD")]))
}
