//! The webhook that the configuration asks for.

use std::sync::Arc;

use alfred_engine::Webhook;
use alfred_providers::transport::HttpTransport;

use super::Context;
use crate::config::Key;
use crate::error::Failure;

/// The webhook, if there is one. Neither its address nor its secret is repeated in what is said about them.
pub(super) fn from_config(context: &Context) -> Result<Option<Webhook>, Failure> {
    let config = &context.config;
    let (url, secret) = match (config.text(Key::WebhookUrl), config.secret(Key::WebhookSecret)) {
        (None, None) => return Ok(None),
        (Some(url), Some(secret)) => (url, secret),
        (Some(_), None) => return Err(missing(Key::WebhookUrl, Key::WebhookSecret)),
        (None, Some(_)) => return Err(missing(Key::WebhookSecret, Key::WebhookUrl)),
    };
    let transport = HttpTransport::new(&Webhook::http_options())
        .map_err(|error| Failure::because("cannot start the webhook's HTTP client", &error))?;
    let webhook = Webhook::new(url, secret, Arc::new(transport))
        .map_err(|error| Failure::usage(format!("the webhook cannot be used: {error}")))?;
    if webhook.is_plain() {
        let words = "events are sent to it without encryption: give `ALFRED_WEBHOOK_URL` an `https` address";
        context.printer.warning(format_args!("the webhook at `{}` is plain HTTP, {words}", webhook.host()));
    }
    Ok(Some(webhook))
}

fn missing(given: Key, missing: Key) -> Failure {
    let words = format!("`{}` is set and `{}` is not", given.variable(), missing.variable());
    Failure::usage(words).hint("a webhook needs both")
}
