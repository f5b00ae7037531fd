//! Who is calling: the token in a request, and what it may do.

use http::{HeaderMap, header};
use jiff::Timestamp;
use secrecy::ExposeSecret;

use super::{
    bucket_route::BucketOperation,
    error::ApiError,
    options::{Permission, TokenOptions, TokenOwner, TokenStatus},
    route::{Operation, Route},
};

const TOKEN_LIMIT: usize = 256;

/// The token's value as the request gives it.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<&str, ApiError> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Err(if headers.contains_key("x-auth-key") || headers.contains_key("x-auth-email") {
            ApiError::unknown_key()
        } else {
            ApiError::invalid_header()
        });
    };
    value
        .to_str()
        .ok()
        .and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(token)
        })
        .filter(|token| {
            !token.is_empty()
                && token.len() <= TOKEN_LIMIT
                && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        })
        .ok_or_else(ApiError::invalid_header)
}

/// The token with this value, whatever its status.
pub(crate) fn find<'t>(tokens: &'t [TokenOptions], value: &str) -> Option<&'t TokenOptions> {
    tokens.iter().find(|token| token.value.expose_secret() == value)
}

/// The refusal of a token that is unknown, ended or switched off: account paths and others differ
/// (seen in a report about a revoked token, divine-mobile#4257).
pub(crate) fn refusal(route: Option<&Route<'_>>) -> ApiError {
    if route.is_some_and(|route| !route.account.is_empty()) {
        ApiError::authentication()
    } else {
        ApiError::invalid_token()
    }
}

impl TokenOptions {
    /// The status that a verification answers.
    pub(crate) fn status_at(&self, now: Timestamp) -> &'static str {
        if self.status == TokenStatus::Disabled {
            "disabled"
        } else if self.expires_on.is_some_and(|end| end <= now) {
            "expired"
        } else {
            "active"
        }
    }

    /// Whose budget a request counts against: all tokens of a user share one, each account token has its own.
    pub(crate) fn budget_owner(&self) -> String {
        match self.owner {
            TokenOwner::User => "user".to_owned(),
            TokenOwner::Account => format!("token {}", self.id),
        }
    }

    /// Whether it knows the zone.
    pub(crate) fn covers(&self, zone: &str) -> bool {
        self.zones.as_ref().is_none_or(|zones| zones.iter().any(|known| known == zone))
    }

    /// Whether it may do this with buckets.
    pub(crate) fn check_buckets(&self, operation: BucketOperation) -> Result<(), ApiError> {
        match self.r2 {
            Some(Permission::Edit) => Ok(()),
            Some(Permission::Read) if !operation.edits() => Ok(()),
            _ => Err(ApiError::authentication()),
        }
    }

    /// Whether it may do this in a zone that exists.
    pub(crate) fn check(&self, operation: Operation, zone: &str) -> Result<(), ApiError> {
        if !self.covers(zone) {
            return Err(if operation == Operation::GetZone {
                ApiError::unauthorized()
            } else {
                ApiError::authentication()
            });
        }
        if operation.edits() && self.permission != Permission::Edit {
            return Err(ApiError::authentication());
        }
        Ok(())
    }
}
