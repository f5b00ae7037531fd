//! Verifying, reading and rolling tokens.

use bytes::Bytes;
use http::Response;
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::{
    super::{
        Cloudflare, World, answer,
        error::ApiError,
        options::{Permission, TokenOptions, TokenOwner},
        query::Page,
        random_hex,
        record::wire_time,
        route::Operation,
    },
    Call,
};

const PER_PAGE_DEFAULT: usize = 20;

pub(super) fn verify(call: &Call<'_>) -> Result<Response<Bytes>, ApiError> {
    // A token is verified on the path of its owner and unknown on the other.
    match (call.route.operation, call.token.owner) {
        (Operation::VerifyUserToken, TokenOwner::User) | (Operation::VerifyAccountToken, TokenOwner::Account) => {}
        (Operation::VerifyUserToken, TokenOwner::Account) => return Err(ApiError::invalid_token()),
        _ => return Err(ApiError::authentication()),
    }
    let status = call.token.status_at(call.now);
    let mut result = json!({"id": call.token.id, "status": status});
    if let Some(end) = call.token.expires_on {
        result["expires_on"] = format!("{end:.0}").into();
    }
    let messages = if status == "active" {
        vec![json!({"code": 10000, "message": "This API Token is valid and active", "type": null})]
    } else {
        Vec::new()
    };
    Ok(answer::success_with_messages(&result, &messages))
}

/// The tokens of one owner, for who may read them.
/// <https://developers.cloudflare.com/api/resources/user/subresources/tokens/methods/list/>
pub(super) fn list(cloudflare: &Cloudflare, call: &Call<'_>) -> Result<Response<Bytes>, ApiError> {
    let owner = owner_on_path(call)?;
    let page = Page::parse(&call.parameters, PER_PAGE_DEFAULT, 5..=50)?;
    let world = cloudflare.world();
    let mut found: Vec<&TokenOptions> = world.options.tokens.iter().filter(|token| token.owner == owner).collect();
    if call.parameters.iter().any(|(key, value)| key == "direction" && value == "desc") {
        found.reverse();
    }
    let shown: Vec<Value> = page.of(&found).into_iter().map(|token| view(&world, token, call.now)).collect();
    let info = answer::ResultInfo::new(page, shown.len(), found.len());
    Ok(answer::list(&shown, info))
}

pub(super) fn get(cloudflare: &Cloudflare, call: &Call<'_>) -> Result<Response<Bytes>, ApiError> {
    let owner = owner_on_path(call)?;
    let world = cloudflare.world();
    let token = world.options.tokens.iter().find(|token| token.id == call.route.id && token.owner == owner);
    let token = token.ok_or_else(|| ApiError::no_route(&format!("/tokens/{}", call.route.id)))?;
    Ok(answer::success(&view(&world, token, call.now)))
}

/// Whose tokens a path is about. Reading and writing them is one permission here (`API Tokens Write`).
fn owner_on_path(call: &Call<'_>) -> Result<TokenOwner, ApiError> {
    if !call.token.may_roll_tokens {
        return Err(ApiError::authentication());
    }
    Ok(match call.route.operation {
        Operation::ListUserTokens | Operation::GetUserToken | Operation::RollUserToken => TokenOwner::User,
        _ => TokenOwner::Account,
    })
}

/// A token as the platform shows it, which is never with its value.
fn view(world: &World, token: &TokenOptions, now: Timestamp) -> Value {
    let account = &world.options.account_id;
    let resources = match &token.zones {
        None => json!({format!("com.cloudflare.api.account.{account}"): {"com.cloudflare.api.account.zone.*": "*"}}),
        Some(zones) => {
            zones.iter().map(|zone| (format!("com.cloudflare.api.account.zone.{zone}"), Value::from("*"))).collect()
        }
    };
    let dns = if token.permission == Permission::Edit { "DNS Write" } else { "DNS Read" };
    let mut policies = Vec::new();
    if token.zones.as_ref().is_none_or(|zones| !zones.is_empty()) {
        policies.push(policy(1, &[dns, "Zone Read"], &resources));
    }
    if let Some(permission) = token.r2 {
        let group = if permission == Permission::Edit { "Workers R2 Storage Write" } else { "Workers R2 Storage Read" };
        let resource = format!("com.cloudflare.api.account.{account}");
        policies.push(policy(3, &[group], &json!({resource: "*"})));
    }
    if token.may_roll_tokens {
        let (group, resource) = match token.owner {
            TokenOwner::User => ("API Tokens Write", "com.cloudflare.api.user.*".to_owned()),
            TokenOwner::Account => ("Account API Tokens Write", format!("com.cloudflare.api.account.{account}")),
        };
        policies.push(policy(2, &[group], &json!({resource: "*"})));
    }
    let issued_on = wire_time(world.began);
    let mut shown = json!({
        "id": token.id,
        "name": token.name,
        "status": token.status_at(now),
        "issued_on": issued_on,
        "modified_on": issued_on,
        "policies": policies,
    });
    if let Some(end) = token.expires_on {
        shown["expires_on"] = format!("{end:.0}").into();
    }
    shown
}

/// A policy; the ids of policies and permission groups are stand-ins.
fn policy(number: u32, groups: &[&str], resources: &Value) -> Value {
    let groups: Vec<Value> =
        groups.iter().zip(1_u32..).map(|(name, id)| json!({"id": format!("{id:032x}"), "name": name})).collect();
    json!({"id": format!("{number:032x}"), "effect": "allow", "permission_groups": groups, "resources": resources})
}

pub(super) fn roll(cloudflare: &Cloudflare, call: &Call<'_>) -> Result<Response<Bytes>, ApiError> {
    let owner = owner_on_path(call)?;
    let prefix = match owner {
        TokenOwner::User => "cfut_",
        TokenOwner::Account => "cfat_",
    };
    let value = format!("{prefix}{}", random_hex(cloudflare.random(), 24));
    {
        let mut world = cloudflare.world();
        let token = world
            .options
            .tokens
            .iter_mut()
            .find(|token| token.id == call.route.id && token.owner == owner)
            .ok_or_else(|| ApiError::no_route(&format!("/tokens/{}/value", call.route.id)))?;
        token.value = SecretString::from(value.clone());
        world.rolled.insert(call.route.id.to_owned());
    }
    cloudflare.note_change();
    Ok(answer::success(&value))
}
