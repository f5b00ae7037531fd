//! What changed between two versions of a state.

use alfred_model::state::Right;
use alfred_model::state::diff::{self, AttributeChange, Change, Counts, DiffError, Shown, StateDiff};
use alfred_model::state::log::StateAction;
use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{content, document};
use crate::app::Shared;
use crate::auth::Caller;
use crate::input::Parameters;
use crate::openapi::Refused;
use crate::problem::{Code, Problem};
use crate::states::reference;
use crate::states::view::VersionView;
use crate::states::visit::{From, Visit, service};

/// Which versions.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DiffParameters {
    /// The older one: serial, or `SERIAL-CHECKSUM`. The one before `to`, where absent; `none` for nothing at all.
    from: Option<String>,
    /// The newer one; the newest, where absent.
    to: Option<String>,
}

/// What changed between two versions. Values that are, or may be, secrets are null.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StateDiff)]
pub(crate) struct DiffView {
    /// The older version; null, if everything is new.
    from: Option<VersionView>,
    /// The newer version.
    to: VersionView,
    /// Resources by address, at most 1,000.
    resources: Vec<ChangeView>,
    /// How many resources changed.
    resource_counts: CountsView,
    /// Outputs by name, at most 1,000.
    outputs: Vec<ChangeView>,
    /// How many outputs changed.
    output_counts: CountsView,
}

/// How many there are.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StateChangeCounts)]
pub(crate) struct CountsView {
    added: usize,
    changed: usize,
    removed: usize,
}

/// A resource or output that changed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StateChange)]
pub(crate) struct ChangeView {
    /// Such as `module.network.aws_vpc.main["eu"]`.
    address: String,
    /// What became of it.
    #[schema(schema_with = crate::schema::change_kind)]
    kind: &'static str,
    /// Which attributes changed, at most 100 of one resource.
    attributes: Vec<AttributeView>,
    /// How many more.
    attributes_omitted: usize,
}

/// An attribute that changed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StateAttributeChange)]
pub(crate) struct AttributeView {
    /// Such as `tags["owner"]`.
    path: String,
    /// The value as it was, as JSON, at most 200 characters; null, if there was none or it is hidden.
    before: Option<String>,
    /// The value as it is.
    after: Option<String>,
    /// Whether values are hidden because they are, or may be, secrets.
    sensitive: bool,
}

/// Compare two versions
///
/// Resources and outputs that were added, changed and removed. Needs the right `read`.
#[utoipa::path(
    get, path = "/v1/states/{name}/diff", tag = "states",
    params(("name" = String, Path, description = "The state's name; a `/` in it is written `%2F`", example = "team%2Fnetwork"), DiffParameters),
    responses(
        (status = 200, description = "What changed", body = DiffView),
        Refused<400>, Refused<403>, Refused<404>, Refused<409>,
    ),
)]
pub(crate) async fn diff(
    State(app): State<Shared>,
    caller: Caller,
    Path(name): Path<String>,
    Parameters(asked): Parameters<DiffParameters>,
    from: From,
) -> Result<Json<DiffView>, Problem> {
    let visit = Visit::begin(&app, caller, reference::name(&name)?, from).await?;
    visit.need_seen(Right::Read, StateAction::Read).await?;
    let document = document(&visit).await?;
    let nothing = || Problem::new(Code::VersionNotFound, format!("`{}` has no version yet", visit.name));
    let newer = match &asked.to {
        Some(text) => reference::version(&visit.name, &document, text)?,
        None => document.versions.last().ok_or_else(nothing)?,
    };
    let older = match asked.from.as_deref() {
        Some("none") => None,
        Some(text) => Some(reference::version(&visit.name, &document, text)?),
        None => {
            let place = document.versions.iter().position(|version| version.blob_key() == newer.blob_key());
            place.and_then(|place| document.versions.get(place.checked_sub(1)?))
        }
    };
    // Whoever has room for one content and waits for another must be alone in that.
    let _alone = service(&app)?.two_contents.lock().await;
    let before = match older {
        Some(version) => Some(content(&visit, version.key).await?),
        None => None,
    };
    let after = content(&visit, newer.key).await?;
    // Large contents take seconds of work, which must not hold up others.
    let compared = tokio::task::spawn_blocking(move || diff::diff(before.as_deref(), &after)).await;
    let found = compared.map_err(|error| Problem::internal(error.to_string()))?.map_err(|error| match error {
        DiffError::Opaque | DiffError::Format(_) => {
            Problem::new(Code::StateRefused, error.to_string()).hint("download both versions and compare them yourself")
        }
        DiffError::Content(_) => Problem::new(Code::StateRefused, error.to_string()),
    })?;
    Ok(Json(view(older.map(VersionView::from), VersionView::from(newer), found)))
}

fn view(from: Option<VersionView>, to: VersionView, found: StateDiff) -> DiffView {
    let changes = |changes: Vec<Change>| changes.into_iter().map(change).collect();
    DiffView {
        from,
        to,
        resources: changes(found.resources),
        resource_counts: counts(found.resource_counts),
        outputs: changes(found.outputs),
        output_counts: counts(found.output_counts),
    }
}

const fn counts(Counts { added, changed, removed }: Counts) -> CountsView {
    CountsView { added, changed, removed }
}

fn change(change: Change) -> ChangeView {
    ChangeView {
        address: change.address,
        kind: change.kind.as_str(),
        attributes: change.attributes.into_iter().map(attribute).collect(),
        attributes_omitted: change.attributes_omitted,
    }
}

fn attribute(change: AttributeChange) -> AttributeView {
    let sensitive = [&change.before, &change.after].contains(&&Shown::Masked);
    let shown = |side| match side {
        Shown::Value(text) => Some(text),
        Shown::Absent | Shown::Masked => None,
    };
    AttributeView { path: change.path, before: shown(change.before), after: shown(change.after), sensitive }
}
