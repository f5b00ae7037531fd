//! The token itself: whether it is good, what it may do, and giving it a new value.

use alfred_model::id::RecordId;
use http::Method;
use jiff::Timestamp;
use serde::Deserialize;

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
                self.result(&read("GET /accounts/{account}/tokens/verify", target)).await
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
            Err(error) if error.kind == ErrorKind::Permission => Ok(MayEdit::No(error.words)),
            Err(error) => Err(error),
        }
    }

    /// Gives the token called `token_id` a new value; the old one must be taken for dead at once. If the answer is
    /// lost, so is the new value: make a new token at the dashboard.
    pub async fn roll_token(&self, token_id: &str) -> Result<ApiToken, ProviderError> {
        let id = encode(token_id);
        let (route, target) = match &self.options.account {
            Some(account) => {
                let target = format!("/accounts/{}/tokens/{id}/value", encode(account));
                ("PUT /accounts/{account}/tokens/{token}/value", target)
            }
            None => ("PUT /user/tokens/{token}/value", format!("/user/tokens/{id}/value")),
        };
        let subject = format!("`{token_id}`");
        let call = Call::new(Effect::Write, Method::PUT, route, target, "roll token", subject)
            .json(&serde_json::Map::<String, serde_json::Value>::new());
        // An unreadable answer may hold the new value, so nothing of it goes into words.
        let answer = self.send(&call).await?;
        if !answer.status().is_success() {
            return Err(self.refused(&call, &answer));
        }
        let parsed = serde_json::from_slice::<super::Envelope<String>>(answer.body()).ok();
        match parsed {
            Some(envelope) if !envelope.success => Err(self.refused(&call, &answer)),
            Some(super::Envelope { result: Some(value), .. }) if !value.is_empty() => Ok(ApiToken::new(&value)),
            _ => Err(self.blame(&call).unreadable(answer.status().as_u16(), "it holds no new value")),
        }
    }
}
