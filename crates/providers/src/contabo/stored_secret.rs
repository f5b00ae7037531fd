//! Passwords and SSH keys kept at Contabo, to which orders refer by number.

use http::Method;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;

use super::Contabo;
use super::request_id::RequestId;
use crate::call::Call;
use crate::error::{Effect, ProviderError};
use crate::lenient;
use crate::secret::StoredValue;

/// A stored secret's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct StoredSecretId(pub i64);

/// What is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoredSecretKind {
    /// A password: at least 8 characters, with upper and lower case, digits and special characters.
    Password,
    /// A public SSH key.
    Ssh,
}

impl StoredSecretKind {
    const fn word(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Ssh => "ssh",
        }
    }
}

/// A stored secret without its value, which is never read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct StoredSecret {
    /// Its number.
    #[serde(rename = "secretId", deserialize_with = "id")]
    pub id: StoredSecretId,
    /// Its name.
    #[serde(default, deserialize_with = "lenient::text")]
    pub name: Option<String>,
    /// What it is, if this version knows the word.
    #[serde(rename = "type", default, deserialize_with = "kind")]
    pub kind: Option<StoredSecretKind>,
}

impl Contabo {
    /// Stores a secret under a name of at most 255 characters.
    pub async fn create_secret(
        &self,
        request_id: RequestId,
        name: &str,
        kind: StoredSecretKind,
        value: &StoredValue,
    ) -> Result<StoredSecret, ProviderError> {
        let route = "POST /v1/secrets";
        let call =
            Call::new(Effect::Write, Method::POST, route, "/v1/secrets".to_owned(), "store secret", quoted(name))
                .json(&json!({ "name": name, "type": kind.word(), "value": value.expose() }));
        let (status, stored) = self.change(&call, request_id, Some(value.expose())).await?;
        stored.into_iter().next().ok_or_else(|| self.blame(&call).unreadable(status, "it names no secret"))
    }

    /// The stored secrets, or those with this name.
    pub async fn secrets(&self, name: Option<&str>) -> Result<Vec<StoredSecret>, ProviderError> {
        let route = "GET /v1/secrets";
        let call = Call::new(Effect::Read, Method::GET, route, "/v1/secrets".to_owned(), "list secrets", "")
            .query([("name", name.map(ToOwned::to_owned))]);
        let mut known = std::collections::HashSet::new();
        let mut secrets: Vec<StoredSecret> = self.list(&call).await?;
        secrets.retain(|secret| known.insert(secret.id));
        Ok(secrets)
    }

    /// Deletes a stored secret. That it is gone already comes as [`crate::ErrorKind::NotFound`].
    pub async fn delete_secret(&self, request_id: RequestId, id: StoredSecretId) -> Result<(), ProviderError> {
        let target = format!("/v1/secrets/{}", id.0);
        let subject = quoted(&id.0.to_string());
        let route = "DELETE /v1/secrets/{secret}";
        let call = Call::new(Effect::Write, Method::DELETE, route, target, "delete secret", subject);
        // Its answer has no body (status 204).
        self.send(&call, request_id, None).await.map(|_| ())
    }
}

fn quoted(text: &str) -> String {
    format!("`{text}`")
}

fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<StoredSecretId, D::Error> {
    let number = lenient::integer(deserializer)?;
    number.map(StoredSecretId).ok_or_else(|| serde::de::Error::custom("a secret without a number"))
}

fn kind<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<StoredSecretKind>, D::Error> {
    Ok(match lenient::text(deserializer)?.as_deref() {
        Some("password") => Some(StoredSecretKind::Password),
        Some("ssh") => Some(StoredSecretKind::Ssh),
        _ => None,
    })
}
