//! What happened to environments: as history to be read, and as a stream to be listened to.

mod feed;
mod seats;
mod view;

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::{Extension, Json};
use futures::Stream;
use futures::stream::{self, StreamExt};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use utoipa::{IntoParams, ToSchema};

use crate::app::Shared;
use crate::auth::Caller;
use crate::input::{Parameters, bad_parameter};
use crate::openapi::Refused;
use crate::problem::Problem;
use crate::serve::Stopping;
use crate::{lookup, page};

use feed::Feed;
pub(crate) use seats::Seats;
use view::EventView;

/// A silent stream says so often that it is alive: proxies close what is silent for a minute.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// A client that lost the stream comes back after this.
const COME_BACK: Duration = Duration::from_secs(2);

/// Which events of one environment.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct HistoryParameters {
    /// Only those with a greater sequence; from the beginning, where absent.
    after: Option<i64>,
    /// At most so many, from 1 to 1000; 100, where absent.
    limit: Option<usize>,
}

/// Which events are streamed.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct StreamParameters {
    /// Only those of this environment: its slug or id.
    environment: Option<String>,
    /// Begin after this sequence; with what happens from now on, where absent. `Last-Event-ID` goes before it.
    after: Option<i64>,
}

/// A part of an environment's history.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct History {
    /// The events, oldest first.
    events: Vec<EventView>,
    /// What to send as `after` to read on: the last sequence of this page, or `after` itself if there is no event.
    next_after: i64,
}

/// Read an environment's history
#[utoipa::path(
    get, path = "/v1/environments/{environment}/events", tag = "events",
    params(("environment" = String, Path, description = "Slug or id", example = "brave-tiger"), HistoryParameters),
    responses((status = 200, description = "A part of the history", body = History), Refused<400>, Refused<404>),
)]
pub(crate) async fn history(
    State(app): State<Shared>,
    caller: Caller,
    Path(name): Path<String>,
    Parameters(asked): Parameters<HistoryParameters>,
) -> Result<Json<History>, Problem> {
    let limit = page::limit(asked.limit)?;
    let after = asked.after.unwrap_or(0);
    let environment = lookup::environment(&app, &caller, &name).await?;
    let events = app.engine.history(environment.id, after, limit).await?;
    let next_after = events.last().map_or(after, |event| event.sequence);
    let events = events.into_iter().map(|event| EventView::new(event, environment.slug.clone())).collect();
    Ok(Json(History { events, next_after }))
}

/// Listen to events
///
/// Server-sent events called `environment`: the id is the sequence, the data an `Event`. Each comes at least once and
/// in order; a client that was cut off resumes with `Last-Event-ID`. Members hear of their own environments only.
#[utoipa::path(
    get, path = "/v1/events", tag = "events",
    params(StreamParameters, ("Last-Event-ID" = Option<i64>, Header, description = "The sequence of the last event that was received")),
    responses(
        (status = 200, description = "A stream that ends when the server stops or the token is withdrawn", body = EventView, content_type = "text/event-stream"),
        Refused<400>, Refused<404>,
    ),
)]
pub(crate) async fn stream(
    State(app): State<Shared>,
    caller: Caller,
    stopping: Option<Extension<Stopping>>,
    headers: HeaderMap,
    Parameters(asked): Parameters<StreamParameters>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let only = match &asked.environment {
        Some(name) => Some(lookup::environment(&app, &caller, name).await?.id),
        None => None,
    };
    let after = match last_event_id(&headers)?.or(asked.after) {
        Some(after) => after,
        None => app.store().last_event().await?,
    };
    let seat = app.seats.take(&caller.user)?;
    let stop = stopping.map_or_else(CancellationToken::new, |Extension(Stopping(stop))| stop);
    let feed = Feed::new(app, caller, only, after, stop, seat);
    // Something is sent at once, so that the client knows that it is listening.
    let greeting = stream::iter([Ok(Event::default().retry(COME_BACK).comment("listening"))]);
    let events = stream::unfold(feed, |mut feed| async move {
        let event = feed.next().await?;
        Some((Ok(event.to_sse()), feed))
    });
    Ok(Sse::new(greeting.chain(events)).keep_alive(KeepAlive::new().interval(HEARTBEAT).text("alive")))
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<i64>, Problem> {
    let Some(value) = headers.get("last-event-id") else {
        return Ok(None);
    };
    let sequence = value.to_str().ok().and_then(|text| text.parse().ok());
    sequence.map(Some).ok_or_else(|| bad_parameter("`last-event-id` is no sequence of an event"))
}
