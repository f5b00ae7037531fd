//! `alfred token`: access tokens of this program's server, and care for the Cloudflare token.

mod check;
mod rotate;

use alfred_model::seam::Clock as _;
use alfred_model::state::Right;
use alfred_model::user::UserName;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Context;
use crate::api::Tokens;
use crate::cli::{TokenCommand, TokenCreateArguments};
use crate::client::{Client, ClientError};
use crate::error::{Exit, Failure, one_line};
use crate::system::SystemClock;
use crate::table;

/// Runs the command.
pub(super) async fn run(context: &Context, command: TokenCommand) -> Result<Exit, Failure> {
    match command {
        TokenCommand::Create(arguments) => create(context, &context.client()?, &arguments).await,
        TokenCommand::List => list(context, &context.client()?).await,
        TokenCommand::Revoke { id } => revoke(context, &context.client()?, id).await,
        TokenCommand::Check => check::run(context).await,
        TokenCommand::Rotate(arguments) => rotate::run(context, &arguments).await,
    }
}

async fn create(context: &Context, client: &Client, arguments: &TokenCreateArguments) -> Result<Exit, Failure> {
    let user = arguments.user.as_ref().map(UserName::as_str);
    let rights: Vec<&str> = arguments.right.words().into_iter().map(Right::as_str).collect();
    let states = arguments.state.iter().map(|pattern| json!({ "pattern": pattern.to_string(), "rights": rights }));
    let states: Option<Vec<Value>> = (!arguments.state.is_empty()).then(|| states.collect());
    let mut body = json!({
        "label": arguments.label,
        "user": user,
        "expires_at": arguments.days.map(|days| end_of(days, SystemClock.now())),
    });
    // Left out where nothing is said: a server that is older does not know it.
    if let Some(states) = states {
        body["states"] = json!(states);
    }
    let made: Value = match (client.post("/v1/tokens", &body).await, user) {
        (Err(ClientError::Refused { code, .. }), Some(user)) if code == "unknown_user" => {
            let _: Value = client.post("/v1/users", &json!({ "name": user })).await?;
            context.printer.note(format_args!("made the member `{user}`"));
            client.post("/v1/tokens", &body).await?
        }
        (result, _) => result?,
    };
    if context.printer.json() {
        context.printer.document(&made)?;
        return Ok(Exit::Done);
    }
    let secret = made.get("secret").and_then(Value::as_str);
    let secret = secret.ok_or_else(|| Failure::new("the server made a token but did not tell it: revoke it"))?;
    context.printer.note("the token is shown this once and is kept nowhere:");
    context.printer.data(one_line(secret))?;
    Ok(Exit::Done)
}

fn end_of(days: u32, now: Timestamp) -> Timestamp {
    now.saturating_add(SignedDuration::from_hours(i64::from(days) * 24)).unwrap_or(Timestamp::MAX)
}

async fn list(context: &Context, client: &Client) -> Result<Exit, Failure> {
    let tokens: Tokens = client.get("/v1/tokens").await?;
    if context.printer.json() {
        context.printer.document(&tokens)?;
        return Ok(Exit::Done);
    }
    let mut table = table::table(&["ID", "USER", "LABEL", "CREATED", "EXPIRES", "REVOKED"]);
    for token in tokens.tokens {
        table.add_row([
            token.id,
            token.user,
            one_line(&token.label),
            table::time(token.created_at),
            table::or_dash(token.expires_at.map(table::time)),
            table::or_dash(token.revoked_at.map(table::time)),
        ]);
    }
    context.printer.data(table::text(&table))?;
    Ok(Exit::Done)
}

async fn revoke(context: &Context, client: &Client, id: Uuid) -> Result<Exit, Failure> {
    client.delete(&format!("/v1/tokens/{id}")).await?;
    context.printer.note(format_args!("the token `{id}` is withdrawn"));
    Ok(Exit::Done)
}
