//! `alfred state init`: what Terraform needs to keep a state on this server, or in R2 without one.

mod bucket;

use alfred_model::state::StateName;
use serde_json::{Value, json};

use super::Context;
use crate::cli::StateInitArguments;
use crate::client::Client;
use crate::config::Key;
use crate::error::{Exit, Failure, one_line};

/// The block that goes into the configuration. Everything else is in the environment, where no token gets into
/// `.terraform` or a plan file.
const BLOCK: &str = "terraform {\n  backend \"http\" {}\n}";

/// Terraform's own two repetitions are over before a server is back that was restarted.
const RETRIES: &str = "5";

/// Prints the block and the environment.
pub(super) async fn run(context: &Context, arguments: &StateInitArguments) -> Result<Exit, Failure> {
    if let Some(name) = &arguments.r2 {
        return bucket::run(context, arguments, name).await;
    }
    let name = &arguments.name;
    let base = context.config.text(Key::Url).unwrap_or_default().trim_end_matches('/');
    let address = format!("{base}/tfstate/{name}");
    let token = if arguments.new_token { Some(new_token(&context.client()?, name).await?) } else { None };
    let mut environment = vec![
        ("TF_HTTP_ADDRESS", address.clone()),
        ("TF_HTTP_LOCK_ADDRESS", address.clone()),
        ("TF_HTTP_UNLOCK_ADDRESS", address),
        ("TF_HTTP_RETRY_MAX", RETRIES.to_owned()),
        ("TF_HTTP_USERNAME", "alfred".to_owned()),
    ];
    environment.extend(token.as_ref().map(|token| ("TF_HTTP_PASSWORD", token.clone())));
    if context.printer.json() {
        let environment: serde_json::Map<String, Value> =
            environment.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        context.printer.document(&json!({ "backend": BLOCK, "environment": environment }))?;
        return Ok(Exit::Done);
    }
    // As comments, so that the whole output can be read by a shell.
    let block: Vec<String> = BLOCK.lines().map(|line| format!("#   {line}")).collect();
    context.printer.data(format_args!("# in a .tf file:\n{}\n# in the shell:", block.join("\n")))?;
    for (variable, value) in &environment {
        context.printer.data(format_args!("export {variable}={value}"))?;
    }
    if token.is_none() {
        context.printer.data("export TF_HTTP_PASSWORD=\"$ALFRED_TOKEN\"")?;
        context.printer.note(format_args!(
            "the password is an access token: `alfred token create --state {name} --label terraform` makes one for this \
             state alone"
        ));
    }
    Ok(Exit::Done)
}

async fn new_token(client: &Client, name: &StateName) -> Result<String, Failure> {
    let body = json!({
        "label": format!("terraform {name}").chars().take(100).collect::<String>(),
        "states": [{ "pattern": name.as_str(), "rights": ["read", "write", "lock"] }],
    });
    let made: Value = client.post("/v1/tokens", &body).await?;
    let secret = made.get("secret").and_then(Value::as_str).map(one_line);
    secret.ok_or_else(|| Failure::new("the server made a token but did not tell it: revoke it"))
}
