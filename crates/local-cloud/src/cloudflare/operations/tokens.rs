//! Verifying and rolling tokens.

use bytes::Bytes;
use http::Response;
use secrecy::SecretString;
use serde_json::json;

use super::{
    super::{Cloudflare, answer, error::ApiError, options::TokenOwner, random_hex, route::Operation},
    Call,
};

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

pub(super) fn roll(cloudflare: &Cloudflare, call: &Call<'_>) -> Result<Response<Bytes>, ApiError> {
    if !call.token.may_roll_tokens {
        return Err(ApiError::authentication());
    }
    let (owner, prefix) = if call.route.operation == Operation::RollUserToken {
        (TokenOwner::User, "cfut_")
    } else {
        (TokenOwner::Account, "cfat_")
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
