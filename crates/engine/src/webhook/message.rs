//! One message: what it says, and how it is signed.

use alfred_model::environment::Environment;
use alfred_model::event::Event;
use alfred_model::id::InstallationId;
use alfred_providers::transport::AnswerLimit;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::header::CONTENT_TYPE;
use jiff::Timestamp;
use secrecy::SecretSlice;
use serde_json::{Value, json};
use sha2::Sha256;

use super::{SECRET_BYTES, SECRET_PREFIX};

/// The answer is not used; one that is longer is a failure.
const ANSWER_MAX: usize = 64 * 1024;

/// An event, and the environment it is about as its row stands when it is sent.
pub(super) struct Message {
    pub(super) installation: InstallationId,
    pub(super) event: Event,
    pub(super) environment: Option<Environment>,
}

impl Message {
    /// The same for each attempt, and for no other event of any installation.
    fn id(&self) -> String {
        format!("{}-{}", self.installation, self.event.sequence)
    }

    fn body(&self) -> Value {
        let Event { sequence, environment_id, at, status, step, kind, actor, message } = &self.event;
        let environment = self.environment.as_ref().map(|environment| {
            json!({
                "id": environment.id,
                "slug": environment.slug,
                "domain": environment.domain,
                "owner": environment.owner,
                "status": environment.shown_status(),
                "expires_at": environment.expires_at,
            })
        });
        json!({
            "type": format!("environment.{kind}"),
            "timestamp": at,
            "data": {
                "event": {
                    "sequence": sequence,
                    "environment_id": environment_id,
                    "at": at,
                    "kind": kind,
                    "status": status,
                    "step": step,
                    "actor": actor,
                    "message": message,
                },
                "environment": environment,
            },
        })
    }

    /// The request as Standard Webhooks has it.
    pub(super) fn request(&self, url: &http::Uri, key: &[u8], now: Timestamp) -> http::Request<Bytes> {
        let (id, timestamp, body) = (self.id(), now.as_second().to_string(), self.body().to_string());
        let request = http::Request::post(url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", &id)
            .header("webhook-timestamp", &timestamp)
            .header("webhook-signature", signature(key, &id, &timestamp, &body))
            .extension(AnswerLimit(ANSWER_MAX));
        request
            .body(Bytes::from(body))
            .expect("a checked address, hexadecimal digits, hyphens and base64 make a request")
    }
}

/// The bytes that messages are signed with; nothing, if the secret is none.
pub(super) fn key(secret: &str) -> Option<SecretSlice<u8>> {
    let bytes = STANDARD.decode(secret.trim().strip_prefix(SECRET_PREFIX)?).ok()?;
    SECRET_BYTES.contains(&bytes.len()).then(|| bytes.into())
}

/// `v1,` and the HMAC-SHA256 of id, timestamp and body, in base64.
pub(super) fn signature(key: &[u8], id: &str, timestamp: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in [id, ".", timestamp, ".", body] {
        mac.update(part.as_bytes());
    }
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}
