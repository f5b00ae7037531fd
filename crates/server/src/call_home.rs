//! A VM's word that its installation has run.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};

use crate::app::Shared;
use crate::input;
use crate::openapi::Refused;
use crate::problem::{Code, Problem};

/// What comes before the token in the path.
pub(crate) const PREFIX: &str = "/v1/call-home/";

/// cloud-init's `phone_home` sends a form with keys and host names, which is not looked at.
const BODY_MAX: usize = 16 * 1024;

/// Call home
///
/// For a VM at the end of its installation, with the one-time token it was given. No access token is needed. The body
/// is ignored.
#[utoipa::path(
    post, path = "/v1/call-home/{token}", tag = "vms", security(()),
    params(("token" = String, Path, description = "The one-time token of the installation")),
    responses((status = 204, description = "The call was noted"), Refused<404>, Refused<413>),
)]
pub(crate) async fn call_home(
    State(app): State<Shared>,
    Path(token): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Problem> {
    input::read(&headers, body, BODY_MAX).await?;
    if app.engine.call_home(&token).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    // The token is a secret also when it is wrong: it is not repeated.
    Err(Problem::new(Code::NotFound, "no VM is expected to call home with this token")
        .hint("a token works once, for one installation"))
}
