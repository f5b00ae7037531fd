//! Secrets: passwords and public SSH keys, to which orders and reinstalls refer by id.

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::audit::{Change, Kind};
use super::fields::{Fields, integer};
use super::page::{SortKey, page};
use super::reply::{Refusal, Reply};
use super::secret_text;
use super::state::{CUSTOMER, Call, Moment, State, TENANT};
use super::time::wire;

/// The special characters of which a password needs one or two.
const SPECIAL: &str = "!@#$^&*?_~";
/// The longest value; an RSA key of 16,384 bits fits.
const VALUE_MAX: usize = 8_192;

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SecretKind {
    Password,
    Ssh,
}

impl SecretKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Ssh => "ssh",
        }
    }
}

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Secret {
    id: i64,
    name: String,
    pub(crate) kind: SecretKind,
    #[serde(with = "secret_text")]
    value: SecretString,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl Secret {
    /// The object; a list and the answer to a creation leave the value empty.
    fn wire(&self, with_value: bool) -> Value {
        json!({
            "tenantId": TENANT,
            "customerId": CUSTOMER,
            "secretId": self.id,
            "name": self.name,
            "type": self.kind.as_str(),
            "value": if with_value { self.value.expose_secret() } else { "" },
            "createdAt": wire(self.created_at),
            "updatedAt": wire(self.updated_at),
        })
    }

    fn sort_key(&self, field: &str) -> Option<SortKey> {
        Some(match field {
            "secretId" => SortKey::Number(self.id),
            "name" => SortKey::Text(self.name.clone()),
            "type" => SortKey::Text(self.kind.as_str().to_owned()),
            "createdAt" => SortKey::Text(wire(self.created_at)),
            "updatedAt" => SortKey::Text(wire(self.updated_at)),
            _ => return None,
        })
    }
}

impl State {
    pub(super) fn create_secret(&mut self, call: &Call<'_>, moment: Moment<'_>) -> Result<Reply, Refusal> {
        let mut fields = Fields::new(&call.body);
        for name in ["name", "value", "type"] {
            fields.require(name);
        }
        let name = fields.text("name", 1, 255).unwrap_or_default();
        let value = fields.text("value", 8, VALUE_MAX).unwrap_or_default();
        let kind = match fields.one_of("type", &["password", "ssh"]) {
            Some("password") => SecretKind::Password,
            _ => SecretKind::Ssh,
        };
        if kind == SecretKind::Password && !is_strong(value) {
            fields.complain(WEAK.to_owned());
        }
        fields.finish()?;
        self.last_secret += 1;
        let id = self.last_secret;
        let secret = Secret {
            id,
            name: name.to_owned(),
            kind,
            value: SecretString::from(value),
            created_at: moment.now,
            updated_at: moment.now,
        };
        let reply = Reply::one(201, &secret.wire(false), &format!("{}/{id}", call.path));
        self.secrets.insert(id, secret);
        self.note(call, moment, Kind::Secret, Change::Created, id, json!({ "new": { "name": name } }));
        Ok(reply)
    }

    pub(super) fn list_secrets(&self, call: &Call<'_>, moment: Moment<'_>) -> Result<Reply, Refusal> {
        let name = call.query.get("name");
        let kind = call.query.get("type");
        let secrets: Vec<&Secret> = self
            .secrets
            .values()
            .filter(|secret| name.is_none_or(|name| secret.name.contains(name)))
            .filter(|secret| kind.is_none_or(|kind| secret.kind.as_str() == kind))
            .collect();
        page(
            call.path,
            secrets,
            &call.query,
            moment.options,
            |secret, field| secret.sort_key(field),
            |secret| secret.wire(false),
        )
    }

    pub(super) fn get_secret(&self, id: &str, call: &Call<'_>) -> Result<Reply, Refusal> {
        let id = integer("secretId", id)?;
        let secret = self.secrets.get(&id).ok_or_else(|| not_found(id))?;
        Ok(Reply::one(200, &secret.wire(true), call.path))
    }

    pub(super) fn update_secret(&mut self, id: &str, call: &Call<'_>, moment: Moment<'_>) -> Result<Reply, Refusal> {
        let id = integer("secretId", id)?;
        let secret = self.secrets.get_mut(&id).ok_or_else(|| not_found(id))?;
        let mut fields = Fields::new(&call.body);
        let name = fields.text("name", 1, 255);
        let value = fields.text("value", 8, VALUE_MAX);
        if secret.kind == SecretKind::Password && value.is_some_and(|value| !is_strong(value)) {
            fields.complain(WEAK.to_owned());
        }
        fields.finish()?;
        if let Some(name) = name {
            name.clone_into(&mut secret.name);
        }
        if let Some(value) = value {
            secret.value = SecretString::from(value);
        }
        secret.updated_at = moment.now;
        let changes = json!({ "new": { "name": secret.name } });
        self.note(call, moment, Kind::Secret, Change::Updated, id, changes);
        Ok(Reply::links(200, call.path))
    }

    pub(super) fn delete_secret(&mut self, id: &str, call: &Call<'_>, moment: Moment<'_>) -> Result<Reply, Refusal> {
        let id = integer("secretId", id)?;
        self.secrets.remove(&id).ok_or_else(|| not_found(id))?;
        self.note(call, moment, Kind::Secret, Change::Deleted, id, json!({}));
        Ok(Reply::empty())
    }
}

fn not_found(id: i64) -> Refusal {
    Refusal::not_found(&format!("Secret {id}"))
}

const WEAK: &str = "value must have an upper and a lower case letter, and either one number and two special characters \
    or three numbers and one special character";

/// The platform's rule for passwords, as its OpenAPI document words it (<https://api.contabo.com/>).
fn is_strong(password: &str) -> bool {
    let count = |test: fn(char) -> bool| password.chars().filter(|character| test(*character)).count();
    let digits = count(|character| character.is_ascii_digit());
    let special = count(|character| SPECIAL.contains(character));
    count(|character| character.is_ascii_uppercase()) > 0
        && count(|character| character.is_ascii_lowercase()) > 0
        && ((digits >= 1 && special >= 2) || (digits >= 3 && special >= 1))
}

#[cfg(test)]
mod tests {
    use super::is_strong;

    #[test]
    fn the_published_password_rule_holds() {
        for strong in ["PwdA?2092w#", "Abcdef1!?", "Abcde123!"] {
            assert!(is_strong(strong), "`{strong}` must pass");
        }
        for weak in ["abcdef1!?", "ABCDEF1!?", "Abcdefg1!", "Abcdefg!?", "Abcdef123"] {
            assert!(!is_strong(weak), "`{weak}` must not pass");
        }
    }
}
