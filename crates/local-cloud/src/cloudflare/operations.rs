//! One request from its bytes to its answer: token, budget, route, permission, then the operation itself.

mod buckets;
mod records;
mod tokens;
mod zones;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, Uri};
use jiff::Timestamp;
use serde::de::DeserializeOwned;

use super::{
    Cloudflare, answer,
    budget::Standing,
    error::ApiError,
    options::TokenOptions,
    random_hex,
    route::{self, Operation, PREFIX, Route},
    token,
};

/// A request that was let in.
struct Call<'r> {
    route: Route<'r>,
    token: TokenOptions,
    now: Timestamp,
    parameters: Vec<(String, String)>,
    body: &'r Bytes,
    headers: &'r HeaderMap,
}

pub(super) async fn answer(cloudflare: &Cloudflare, request: Request<Bytes>) -> Response<Bytes> {
    let ray = random_hex(cloudflare.random(), 8);
    let mut standing = None;
    let mut response = match admit(cloudflare, &request, &mut standing) {
        Ok(call) => perform(cloudflare, &call).await,
        Err(error) => Err(error),
    }
    .unwrap_or_else(|error| answer::failure(&error));
    let rate = cloudflare.world().options.rate;
    answer::dress(&mut response, &ray, rate, standing);
    response
}

/// Token, then budget, then route: a call to nowhere counts, a call without a token does not.
fn admit<'r>(
    cloudflare: &Cloudflare,
    request: &'r Request<Bytes>,
    standing: &mut Option<Standing>,
) -> Result<Call<'r>, ApiError> {
    let now = cloudflare.clock().now();
    let path = request.uri().path();
    let route = route::route(request.method(), path);
    let value = token::bearer(request.headers())?;
    let mut world = cloudflare.world();
    let token = token::find(&world.options.tokens, value).cloned().ok_or_else(|| token::refusal(route.as_ref()))?;
    let rate = world.options.rate;
    let budget = world.budgets.take(&token.budget_owner(), rate, now);
    *standing = Some(budget);
    if let Some(seconds) = budget.blocked_seconds {
        return Err(ApiError::throttled(seconds));
    }
    let verifies = route
        .as_ref()
        .is_some_and(|route| matches!(route.operation, Operation::VerifyUserToken | Operation::VerifyAccountToken));
    if token.status_at(now) != "active" && !verifies {
        return Err(token::refusal(route.as_ref()));
    }
    let no_route = || ApiError::no_route(path.strip_prefix(PREFIX).unwrap_or(path));
    let route = route.ok_or_else(no_route)?;
    if !route.zone.is_empty() {
        if !world.zones.contains_key(route.zone) {
            return Err(no_route());
        }
        token.check(route.operation, route.zone)?;
    }
    if !route.account.is_empty() && route.account != world.options.account_id {
        return Err(ApiError::authentication());
    }
    if let Operation::Buckets(operation) = route.operation {
        token.check_buckets(operation)?;
    }
    Ok(Call {
        route,
        token,
        now,
        parameters: parameters(request.uri()),
        body: request.body(),
        headers: request.headers(),
    })
}

fn parameters(uri: &Uri) -> Vec<(String, String)> {
    // A query that is not form-encoded has no parameters, as on the platform.
    axum::extract::Query::try_from_uri(uri).map_or_else(|_| Vec::new(), |axum::extract::Query(pairs)| pairs)
}

async fn perform(cloudflare: &Cloudflare, call: &Call<'_>) -> Result<Response<Bytes>, ApiError> {
    match call.route.operation {
        Operation::ListZones => zones::list(cloudflare, call),
        Operation::GetZone => zones::get(cloudflare, call),
        Operation::ZoneUsage => zones::usage(cloudflare, call),
        Operation::AccountUsage => Ok(zones::account_usage(cloudflare)),
        Operation::ListRecords => records::list(cloudflare, call),
        Operation::GetRecord => records::get(cloudflare, call),
        Operation::CreateRecord => records::create(cloudflare, call),
        Operation::OverwriteRecord => records::overwrite(cloudflare, call),
        Operation::EditRecord => records::edit(cloudflare, call),
        Operation::DeleteRecord => records::delete(cloudflare, call),
        Operation::BatchRecords => records::batch(cloudflare, call),
        Operation::ExportRecords => records::export(cloudflare, call),
        Operation::ImportRecords => records::import(cloudflare, call).await,
        Operation::ListUserTokens | Operation::ListAccountTokens => tokens::list(cloudflare, call),
        Operation::GetUserToken | Operation::GetAccountToken => tokens::get(cloudflare, call),
        Operation::VerifyUserToken | Operation::VerifyAccountToken => tokens::verify(call),
        Operation::RollUserToken | Operation::RollAccountToken => tokens::roll(cloudflare, call),
        Operation::Buckets(operation) => buckets::perform(cloudflare.r2().core(), operation, call),
    }
}

fn body<T: DeserializeOwned>(call: &Call<'_>) -> Result<T, ApiError> {
    serde_json::from_slice(call.body).map_err(|_| ApiError::malformed_body())
}
