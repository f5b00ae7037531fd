//! The token endpoint: OAuth2 as Keycloak speaks it (<https://www.rfc-editor.org/rfc/rfc6749>).

use std::fmt::Write as _;

use alfred_model::seam::Random;
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::options::Options;
use super::reply::Reply;
use super::time::after;

/// The tokens that are good at present.
#[derive(Clone, Default)]
pub(crate) struct Tokens {
    access: Vec<Token>,
    refresh: Vec<Token>,
}

#[derive(Clone)]
struct Token {
    text: SecretString,
    ends_at: Timestamp,
}

impl Tokens {
    /// Whether `text` is an access token that is good at `now`.
    pub(crate) fn admits(&self, text: &str, now: Timestamp) -> bool {
        good(&self.access, text, now)
    }

    /// Forgets all tokens, as the platform may at any time: clients have to log in again.
    pub(crate) fn revoke(&mut self) {
        self.access.clear();
        self.refresh.clear();
    }

    /// Answers a request with this form.
    pub(crate) fn issue(&mut self, form: &[u8], options: &Options, now: Timestamp, random: &dyn Random) -> Reply {
        let field =
            |name: &str| form_urlencoded::parse(form).find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        let is = |name: &str, wanted: &str| field(name).is_some_and(|value| value == wanted);
        let Some(grant) = field("grant_type") else {
            return refusal(400, "invalid_request", "Missing form parameter: grant_type");
        };
        if !is("client_id", &options.client_id) || !is("client_secret", options.client_secret.expose_secret()) {
            return refusal(401, "invalid_client", "Invalid client or Invalid client credentials");
        }
        match grant.as_str() {
            "password" => {
                if field("username").is_none() {
                    return refusal(401, "invalid_request", "Missing parameter: username");
                }
                if !is("username", &options.user) || !is("password", options.password.expose_secret()) {
                    return refusal(401, "invalid_grant", "Invalid user credentials");
                }
            }
            "refresh_token" => {
                let Some(text) = field("refresh_token") else {
                    return refusal(400, "invalid_request", "No refresh token");
                };
                if !good(&self.refresh, &text, now) {
                    return refusal(400, "invalid_grant", "Invalid refresh token");
                }
            }
            _ => return refusal(400, "unsupported_grant_type", "Unsupported grant_type"),
        }
        self.grant(options, now, random)
    }

    fn grant(&mut self, options: &Options, now: Timestamp, random: &dyn Random) -> Reply {
        let access = mint(&mut self.access, options.token_lifetime, now, random);
        let refresh = mint(&mut self.refresh, options.refresh_lifetime, now, random);
        Reply::new(
            200,
            json!({
                "access_token": access,
                "expires_in": options.token_lifetime.as_secs(),
                "refresh_expires_in": options.refresh_lifetime.as_secs(),
                "refresh_token": refresh,
                "token_type": "Bearer",
                "not-before-policy": 0,
                "session_state": random.uuid().to_string(),
                "scope": "openid email profile",
            }),
        )
    }
}

fn good(tokens: &[Token], text: &str, now: Timestamp) -> bool {
    tokens.iter().any(|token| token.ends_at > now && token.text.expose_secret() == text)
}

/// Adds a new token, and drops those that have ended, so that the list stays as short as the lifetime is.
fn mint(tokens: &mut Vec<Token>, lifetime: SignedDuration, now: Timestamp, random: &dyn Random) -> String {
    // More logins than this within one lifetime come from a loop; its oldest tokens end early.
    const MOST: usize = 1_024;
    tokens.retain(|token| token.ends_at > now);
    if tokens.len() >= MOST {
        tokens.remove(0);
    }
    let mut bytes = [0; 32];
    random.fill(&mut bytes);
    let mut text = String::with_capacity(70);
    text.push_str("local.");
    for byte in bytes {
        write!(text, "{byte:02x}").expect("writing to a string does not fail");
    }
    tokens.push(Token { text: SecretString::from(text.as_str()), ends_at: after(now, lifetime) });
    text
}

pub(crate) fn refusal(status: u16, error: &str, description: &str) -> Reply {
    Reply::new(status, json!({ "error": error, "error_description": description }))
}
