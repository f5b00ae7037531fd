//! Asking for environments.

use alfred_engine::CreateEnvironments;
use alfred_model::environment::{OnFailure, Setup};
use alfred_model::expiry::AskedLife;
use alfred_model::id::BatchId;
use alfred_model::name::{BadSlug, Slug};
use alfred_model::user::UserName;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::extend;
use super::view::EnvironmentView;
use crate::app::{App, Shared};
use crate::auth::{Caller, secret};
use crate::input::JsonBody;
use crate::lookup;
use crate::openapi::Refused;
use crate::problem::{Code, Problem};
use crate::quota::{self, QuotaView};

/// The client's own name for a request
/// (<https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/>).
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

const KEY_MAX: usize = 255;

/// What is asked for. Every field may be left out: `{}` asks for one environment with a generated slug.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"slug": "brave-tiger", "time_zone": "Europe/Berlin", "on_failure": "pool", "ttl_seconds": 28800}))]
pub(crate) struct CreateBody {
    /// The name; only with a count of 1. A generated one, where absent.
    slug: Option<String>,
    /// How many, from 1 to 1000; 1, where absent.
    count: Option<u32>,
    /// Who they belong to: an administrator may name any user. The caller, where absent.
    owner: Option<String>,
    /// Public SSH keys that may log in to the VM, one line each as in `authorized_keys`.
    ssh_keys: Vec<String>,
    /// IANA time zone of the VM; UTC, where absent.
    time_zone: Option<String>,
    /// A script that the VM runs once after installation.
    script: Option<String>,
    /// What becomes of a VM that was bought for an environment which then failed; `pool`, where absent.
    #[schema(schema_with = crate::schema::on_failure)]
    on_failure: Option<OnFailure>,
    /// They are deleted so many seconds from now on, after a warning; null for no end at all. What the server's
    /// configuration says, where absent.
    #[serde(deserialize_with = "extend::life")]
    #[schema(value_type = Option<u64>)]
    ttl_seconds: AskedLife,
}

/// Environments that were asked for.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CreatedEnvironments {
    /// Each of them, in the order they were made.
    environments: Vec<EnvironmentView>,
    /// This request, by which `GET /v1/environments` finds all of them.
    #[schema(value_type = Option<uuid::Uuid>)]
    batch: Option<BatchId>,
    /// How much of their owner's quota is used now.
    quota: QuotaView,
}

/// Ask for environments
///
/// They are written down, all or none, before this answers; making them takes minutes, which `/v1/events` shows.
/// With an `Idempotency-Key` the request can be repeated without harm: the same environments are answered again.
#[utoipa::path(
    post, path = "/v1/environments", tag = "environments",
    params(("Idempotency-Key" = Option<String>, Header, description = "The client's own name for this request: 1 to 255 visible ASCII characters")),
    request_body = CreateBody,
    responses(
        (status = 201, description = "They are written down", body = CreatedEnvironments),
        Refused<400>, Refused<403>, Refused<409>, Refused<413>, Refused<415>, Refused<422>,
    ),
)]
pub(crate) async fn create(
    State(app): State<Shared>,
    caller: Caller,
    headers: HeaderMap,
    JsonBody(body): JsonBody<CreateBody>,
) -> Result<Response, Problem> {
    let key = idempotency_key(&headers)?;
    let slug = body.slug.as_deref().map(read_slug).transpose()?;
    let owner = owner(&app, &caller, body.owner.as_deref()).await?;
    let life = extend::granted(&app, &caller, body.ttl_seconds)?;
    let mut request = CreateEnvironments {
        slug,
        count: body.count.unwrap_or(1),
        owner,
        actor: caller.user,
        setup: Setup { ssh_keys: body.ssh_keys, time_zone: body.time_zone, script: body.script },
        on_failure: body.on_failure.unwrap_or(OnFailure::Pool),
        life,
        idempotency: None,
    };
    request.idempotency = key.map(|key| (key, fingerprint(&request, body.ttl_seconds)));
    let owner = request.owner.clone();
    let environments = app.engine.create(request).await?;
    let body = CreatedEnvironments {
        environments: environments.iter().map(EnvironmentView::from).collect(),
        batch: environments.first().and_then(|environment| environment.batch),
        quota: quota::of(&app, &owner).await?,
    };
    let mut response = (StatusCode::CREATED, Json(body)).into_response();
    if let [only] = environments.as_slice() {
        let location = HeaderValue::from_str(&format!("/v1/environments/{}", only.id));
        response.headers_mut().insert(header::LOCATION, location.expect("an id is hexadecimal digits and hyphens"));
    }
    Ok(response)
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let key = value.as_bytes();
    let fits = (1..=KEY_MAX).contains(&key.len()) && key.iter().all(u8::is_ascii_graphic) && values.next().is_none();
    match value.to_str() {
        Ok(key) if fits => Ok(Some(key.to_owned())),
        _ => Err(Problem::new(Code::BadIdempotencyKey, "the `idempotency-key` header cannot be used")),
    }
}

fn read_slug(text: &str) -> Result<Slug, Problem> {
    text.parse().map_err(|error: BadSlug| Problem::new(Code::BadSlug, crate::input::shortened(&error.to_string())))
}

async fn owner(app: &App, caller: &Caller, asked: Option<&str>) -> Result<UserName, Problem> {
    match asked {
        None => Ok(caller.user.clone()),
        Some(asked) if asked == caller.user.as_str() => Ok(caller.user.clone()),
        Some(asked) => {
            caller.must_be_administrator("make environments for others")?;
            Ok(lookup::user(app, asked).await?.name)
        }
    }
}

/// What makes two requests the same: what they ask for, not how their JSON was written. One that asks for no time to
/// live has the fingerprint that it had before there was such a thing, so that it can be repeated across an upgrade.
fn fingerprint(request: &CreateEnvironments, life: AskedLife) -> String {
    let asked = (&request.slug, request.count, &request.owner, &request.setup, request.on_failure);
    let bytes = match life {
        AskedLife::Usual => serde_json::to_vec(&asked),
        life => serde_json::to_vec(&(asked, life)),
    };
    let bytes = bytes.expect("the request is text and numbers, which JSON can hold");
    secret::hexadecimal(&Sha256::digest(bytes))
}
