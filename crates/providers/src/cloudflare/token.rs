//! The token itself: whether it is good, what it may do, and giving it a new value.

use alfred_model::failure::Disposition;
use alfred_model::id::RecordId;
use http::Method;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::Cloudflare;
use crate::call::{Call, encode};
use crate::error::{Effect, ErrorKind, ProviderError};
use crate::lenient;
use crate::secret::ApiToken;

/// What Cloudflare says of a token.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TokenStatus {
    /// Its id, which is no secret.
    pub id: String,
    /// `active`, `disabled` or `expired`.
    pub status: String,
    /// When it ends; never, where absent.
    #[serde(default, deserialize_with = "lenient::timestamp")]
    pub expires_on: Option<Timestamp>,
    /// When it begins.
    #[serde(default, deserialize_with = "lenient::timestamp")]
    pub not_before: Option<Timestamp>,
    /// Whose it is, as far as the path tells on which it was verified.
    #[serde(skip)]
    pub owner: TokenOwner,
}

/// Whose a token is. Cloudflare keeps users' tokens and accounts' tokens on different paths.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TokenOwner {
    /// A user's.
    #[default]
    User,
    /// An account's.
    Account,
}

/// What Cloudflare says of a token to those who may manage tokens.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TokenDetails {
    /// Its id.
    pub id: String,
    /// What its owner called it.
    #[serde(default, deserialize_with = "lenient::text")]
    pub name: Option<String>,
    /// `active`, `disabled` or `expired`.
    #[serde(default, deserialize_with = "lenient::text")]
    pub status: Option<String>,
}

/// Whether a token may change the zone's records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MayEdit {
    /// It may.
    Yes,
    /// It may not, for these reasons.
    No(String),
}

impl Cloudflare {
    /// Asks whether the token is good: as a user's token, and where that is refused and an account is known, as an
    /// account's.
    pub async fn verify_token(&self) -> Result<TokenStatus, ProviderError> {
        let read = |route, target| Call::new(Effect::Read, Method::GET, route, target, "verify token", "");
        let user = self.result(&read("GET /user/tokens/verify", "/user/tokens/verify".to_owned())).await;
        match (user, &self.options.account) {
            (Err(refused), Some(account)) if refused.status.is_some_and(|status| matches!(status, 400..=404)) => {
                let target = format!("/accounts/{}/tokens/verify", encode(account));
                let status: TokenStatus = self.result(&read("GET /accounts/{account}/tokens/verify", target)).await?;
                Ok(TokenStatus { owner: TokenOwner::Account, ..status })
            }
            (user, _) => user,
        }
    }

    /// Whether the token may change records, found out by deleting a record that cannot exist (its id is 32 zeros):
    /// who may edit is told that there is no such record, who may not is told that. Nothing can be touched.
    pub async fn may_edit(&self) -> Result<MayEdit, ProviderError> {
        let nobody = RecordId::parse(&"0".repeat(32)).expect("32 zeros are letters and digits");
        // A read in its effect, so that a lost answer is no unknown write.
        let call = Call { effect: Effect::Read, operation: "try to delete", ..self.delete_call(&nobody) };
        match self.result::<serde_json::Value>(&call).await {
            Ok(_) => Ok(MayEdit::Yes),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(MayEdit::Yes),
            Err(error) if error.kind == ErrorKind::Permission && error.disposition == Disposition::Definite => {
                Ok(MayEdit::No(error.words))
            }
            Err(error) => Err(error),
        }
    }

    /// Whether the token may read API tokens, which those need that manage them: it asks for the list of its user's,
    /// and of the account's, if one is known. A token for records has no business there.
    pub async fn may_read_tokens(&self) -> Result<bool, ProviderError> {
        let owners = [Some(TokenOwner::User), self.options.account.as_ref().map(|_| TokenOwner::Account)];
        for owner in owners.into_iter().flatten() {
            let call =
                self.token_call(owner, Method::GET, "", "list tokens").query([("per_page", Some("5".to_owned()))]);
            match self.page::<IgnoredAny>(&call).await {
                Ok(_) => return Ok(true),
                Err(error) if error.disposition == Disposition::Definite => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    /// What there is to know of the token called `id`; this takes `API Tokens Read` or `API Tokens Write`
    /// (<https://developers.cloudflare.com/api/resources/user/subresources/tokens/methods/get/>).
    pub async fn token_details(&self, owner: TokenOwner, id: &str) -> Result<TokenDetails, ProviderError> {
        let place = format!("/{}", encode(id));
        let call = self.token_call(owner, Method::GET, &place, "read token");
        self.result(&Call { subject: format!("`{id}`"), ..call }).await
    }

    /// Gives the token called `id` a new value; the old one must be taken for dead at once. If the answer is lost, so
    /// is the new value: who may roll the token must roll it again.
    pub async fn roll_token(&self, owner: TokenOwner, id: &str) -> Result<ApiToken, ProviderError> {
        let place = format!("/{}/value", encode(id));
        let call = self.token_call(owner, Method::PUT, &place, "roll token");
        let call = Call { subject: format!("`{id}`"), effect: Effect::Write, ..call };
        let call = call.json(&serde_json::Map::<String, serde_json::Value>::new());
        // An unreadable answer may hold the new value, so nothing of it goes into words.
        let answer = self.send(&call).await?;
        if !answer.status().is_success() {
            return Err(self.refused(&call, &answer));
        }
        let parsed = serde_json::from_slice::<super::Envelope<String>>(answer.body()).ok();
        match parsed {
            Some(envelope) if !envelope.success => Err(self.refused(&call, &answer)),
            Some(super::Envelope { result: Some(value), .. }) if is_token(&value) => Ok(ApiToken::new(&value)),
            _ => Err(self.blame(&call).unreadable(answer.status().as_u16(), "it holds no new value")),
        }
    }

    /// A call on the tokens of `owner`, or on one of them at `place`.
    fn token_call(&self, owner: TokenOwner, method: Method, place: &str, operation: &'static str) -> Call {
        let account = self.options.account.as_deref().unwrap_or_default();
        let (base, routes) = match owner {
            TokenOwner::User => ("/user/tokens".to_owned(), USER_ROUTES),
            TokenOwner::Account => (format!("/accounts/{}/tokens", encode(account)), ACCOUNT_ROUTES),
        };
        let [list, one, value] = routes;
        let route = match (&method, place) {
            (_, "") => list,
            (&Method::PUT, _) => value,
            _ => one,
        };
        Call::new(Effect::Read, method, route, format!("{base}{place}"), operation, "")
    }
}

/// The routes of the list, of one token, and of its value.
const USER_ROUTES: [&str; 3] = ["GET /user/tokens", "GET /user/tokens/{token}", "PUT /user/tokens/{token}/value"];

/// The same for an account's tokens.
const ACCOUNT_ROUTES: [&str; 3] = [
    "GET /accounts/{account}/tokens",
    "GET /accounts/{account}/tokens/{token}",
    "PUT /accounts/{account}/tokens/{token}/value",
];

/// Most characters of a value; those that were seen have about fifty.
const VALUE_MAX: usize = 256;

/// Whether a text can be a token's value: the characters of a bearer token (RFC 6750, section 2.1). None of them means
/// anything in a file of variables.
fn is_token(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    (1..=VALUE_MAX).contains(&text.len()) && text.bytes().all(fits)
}

#[cfg(test)]
mod tests;
