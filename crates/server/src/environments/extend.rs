//! Putting the end of an environment off.

use std::time::Duration;

use alfred_model::expiry::{AskedLife, Asker, BadLife};
use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use super::view::EnvironmentView;
use crate::app::{App, Shared};
use crate::auth::Caller;
use crate::input::JsonBody;
use crate::lookup;
use crate::openapi::Refused;
use crate::problem::{Code, Problem};

/// How long an environment shall live.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"ttl_seconds": 28800}))]
pub(crate) struct ExtendBody {
    /// At least so many seconds from now on; null for no end at all.
    #[serde(deserialize_with = "life")]
    #[schema(value_type = Option<u64>, required)]
    ttl_seconds: AskedLife,
}

/// Extend an environment
///
/// It lives at least so long from now on; an end that is later stays. Its owner is warned anew before the new end. One
/// that is being deleted is not extended, and an extension that was answered is never followed by the deletion that it
/// prevented.
#[utoipa::path(
    post, path = "/v1/environments/{environment}/extend", tag = "environments",
    params(("environment" = String, Path, description = "Slug or id", example = "brave-tiger")),
    request_body = ExtendBody,
    responses(
        (status = 200, description = "The environment with its end as it is now", body = EnvironmentView),
        Refused<400>, Refused<404>, Refused<409>, Refused<413>, Refused<415>, Refused<422>,
    ),
)]
pub(crate) async fn extend(
    State(app): State<Shared>,
    caller: Caller,
    Path(name): Path<String>,
    JsonBody(body): JsonBody<ExtendBody>,
) -> Result<Json<EnvironmentView>, Problem> {
    let environment = lookup::environment(&app, &caller, &name).await?;
    let life = granted(&app, &caller, body.ttl_seconds)?;
    let environment = app.engine.extend(environment.id, life, &caller.user).await?;
    Ok(Json(EnvironmentView::from(&environment)))
}

/// The time to live that the caller gets.
pub(super) fn granted(app: &App, caller: &Caller, wanted: AskedLife) -> Result<Option<Duration>, Problem> {
    let asker = if caller.is_administrator() { Asker::Administrator } else { Asker::Member };
    let rules = &app.engine.settings().policy.expiry;
    rules.granted(wanted, asker).map_err(|error: BadLife| Problem::new(Code::BadTtl, error.to_string()))
}

/// Reads a number of seconds, or null for no end. A field that is not there is neither: where it must be there, an
/// empty body takes no end away.
pub(super) fn life<'de, D: Deserializer<'de>>(deserializer: D) -> Result<AskedLife, D::Error> {
    let seconds: Option<u64> = Option::deserialize(deserializer)?;
    Ok(seconds.map_or(AskedLife::Endless, |seconds| AskedLife::For(Duration::from_secs(seconds))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_end_is_asked_for_and_never_guessed() {
        let read = |text| serde_json::from_str::<ExtendBody>(text).ok().map(|body| body.ttl_seconds);
        assert_eq!(read(r#"{"ttl_seconds": 28800}"#), Some(AskedLife::For(Duration::from_hours(8))));
        assert_eq!(read(r#"{"ttl_seconds": null}"#), Some(AskedLife::Endless));
        for bad in
            ["{}", r#"{"ttl_seconds": -1}"#, r#"{"ttl_seconds": 1.5}"#, r#"{"ttl_seconds": "8h"}"#, r#"{"ttl": 1}"#]
        {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
