//! An event as an environment's owner reads it.

use alfred_model::environment::{Status, Step};
use alfred_model::event::{Event, EventKind};
use alfred_model::id::EnvironmentId;
use alfred_model::name::Slug;
use axum::response::sse;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// One line of an environment's history.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Event, example = json!({
    "sequence": 42,
    "environment_id": "01926f3c-7a1b-7c3d-9e4f-5a6b7c8d9e0f",
    "slug": "brave-tiger",
    "at": "2026-03-01T09:34:12Z",
    "status": "active",
    "step": "settled",
    "kind": "progress",
    "actor": "alfred",
    "message": "the name answers with 203.0.113.7"
}))]
pub(crate) struct EventView {
    /// Grows with each event.
    pub(super) sequence: i64,
    /// Whose history.
    #[schema(value_type = uuid::Uuid)]
    environment_id: EnvironmentId,
    /// The environment's name.
    #[schema(value_type = String)]
    slug: Slug,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// The status afterwards.
    #[schema(schema_with = crate::schema::status)]
    status: Status,
    /// The step that is next.
    #[schema(schema_with = crate::schema::step)]
    step: Step,
    /// What it asks of its reader: nothing, to act before something happens, or to act because nothing happens.
    #[schema(schema_with = crate::schema::event_kind)]
    kind: EventKind,
    /// Who caused it: a user, or `alfred`.
    actor: String,
    /// What happened.
    message: String,
}

impl EventView {
    pub(super) fn new(event: Event, slug: Slug) -> Self {
        Self {
            sequence: event.sequence,
            environment_id: event.environment_id,
            slug,
            at: event.at,
            status: event.status,
            step: event.step,
            kind: event.kind,
            actor: event.actor,
            message: event.message,
        }
    }

    pub(super) fn to_sse(&self) -> sse::Event {
        // JSON escapes line ends, so that the data is one line; and the id is a number.
        let data = serde_json::to_string(self).expect("an event is text and numbers, which JSON can hold");
        sse::Event::default().event("environment").id(self.sequence.to_string()).data(data)
    }
}
