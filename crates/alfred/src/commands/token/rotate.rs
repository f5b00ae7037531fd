//! `alfred token rotate`: a new value for the Cloudflare token, in the place of the old one.

use std::sync::Arc;

use alfred_providers::budget::{Budget, DEFAULT_SHARE};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::super::Context;
use super::super::up::providers;
use crate::cli::TokenRotateArguments;
use crate::cloudflare_token::known_values::KnownValues;
use crate::cloudflare_token::rotation::{Clients, Manager, Plan, Replacement, Rotation};
use crate::cloudflare_token::token;
use crate::config::{Config, Key, Origin, SecretPlace};
use crate::error::{Exit, Failure};
use crate::files;
use crate::stop::Stop;
use crate::system::SystemClock;

/// Looks, asks, and then rolls, stores and proves.
pub(super) async fn run(context: &Context, arguments: &TokenRotateArguments) -> Result<Exit, Failure> {
    let config = &context.config;
    let options = providers::cloudflare_options(config)?;
    let place = place(config)?;
    let manager = match config.secret(Key::CloudflareTokenManager) {
        _ if arguments.by_itself => Manager::Itself,
        Some(secret) => Manager::Other(token(secret)),
        None => Manager::Nobody,
    };
    let data_dir = config.data_dir()?;
    files::private_directory(data_dir)?;
    let clock = Arc::new(SystemClock);
    let clients = Clients {
        transport: providers::transport()?,
        options,
        budget: Budget::new(Arc::clone(&clock) as Arc<_>, DEFAULT_SHARE),
    };
    let mut rotation = Rotation {
        printer: context.printer,
        clients,
        manager,
        replacement: Replacement::begin(place.clone())?,
        known: KnownValues::load(data_dir)?,
        clock,
        stop: CancellationToken::new(),
    };
    let plan = rotation.look().await?;
    let stored_in = place.path().display().to_string();
    confirm(context, &plan, &stored_in, arguments.yes)?;
    // From here on a signal ends nothing by itself: a value that was rolled must be kept first.
    rotation.stop = Stop::on_signals()?.gently;
    let (id, rolled) = (plan.token().id.clone(), matches!(plan, Plan::Roll { .. }));
    rotation.carry_out(plan).await?;
    if context.printer.json() {
        context.printer.document(&json!({"id": id, "rolled": rolled, "proved": true, "stored_in": stored_in}))?;
    } else {
        context.printer.data(format_args!("the token `{id}` has a new value, proved and stored in `{stored_in}`"))?;
    }
    context.printer.note("a running `alfred up` takes it up by itself; give it to all others that use the token");
    Ok(Exit::Done)
}

/// Where the new value goes. Without such a place nothing may be rolled.
fn place(config: &Config) -> Result<SecretPlace, Failure> {
    config.place_of(Key::CloudflareApiToken).ok_or_else(|| {
        let origin = config.origin(Key::CloudflareApiToken).unwrap_or(&Origin::Default);
        Failure::usage(format!("`CLOUDFLARE_API_TOKEN` comes from the {origin}, where a new value cannot be stored")).hint(
            "put the value into a file that only you may read and name it with `CLOUDFLARE_API_TOKEN_FILE`, or write \
             `CLOUDFLARE_API_TOKEN` into `.env.server`",
        )
    })
}

fn confirm(context: &Context, plan: &Plan, stored_in: &str, yes: bool) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !context.printer.can_ask() {
        return Err(Failure::usage("giving the Cloudflare token a new value needs a yes").hint("add `--yes`"));
    }
    let id = &plan.token().id;
    let question = match plan {
        Plan::Roll { .. } => format!(
            "give the Cloudflare token `{id}` a new value and store it in `{stored_in}`? its old value stops working \
             everywhere at once [y/N]"
        ),
        Plan::Finish(..) => format!("store the new value of the Cloudflare token `{id}` in `{stored_in}`? [y/N]"),
    };
    let answer = context.printer.ask(question)?;
    if matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes") {
        Ok(())
    } else {
        Err(Failure::new("nothing was changed"))
    }
}
