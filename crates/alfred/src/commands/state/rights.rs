//! `alfred state grant`, `revoke` and `rights`.

use alfred_model::state::{Right, StateName, StatePattern};
use serde_json::json;

use super::Context;
use crate::api::{StateGrant, StateGrants};
use crate::cli::{StateGrantArguments, StateRevokeArguments, StateSubject};
use crate::client::encode;
use crate::error::{Exit, Failure};
use crate::table;

/// Gives rights.
pub(super) async fn grant(context: &Context, arguments: &StateGrantArguments) -> Result<Exit, Failure> {
    let StateGrantArguments { pattern, subject, right } = arguments;
    let body = json!({
        "user": subject.user.as_ref().map(ToString::to_string),
        "token": subject.token.map(|token| token.to_string()),
        "pattern": pattern.to_string(),
        "rights": right.words().into_iter().map(Right::as_str).collect::<Vec<_>>(),
    });
    let grant: StateGrant = context.client()?.put("/v1/state-grants", &body).await?;
    if context.printer.json() {
        context.printer.document(&grant)?;
    } else {
        context.printer.note(format_args!("{} may {} `{pattern}`", whose(&grant), grant.rights.join(", ")));
    }
    Ok(Exit::Done)
}

/// Takes rights away.
pub(super) async fn revoke(context: &Context, arguments: &StateRevokeArguments) -> Result<Exit, Failure> {
    let StateRevokeArguments { pattern, subject } = arguments;
    let StateSubject { user, token } = subject;
    let user = user.as_ref().map(|user| format!("user={}", encode(user.as_str())));
    let subject = user.or_else(|| token.map(|token| format!("token={token}"))).unwrap_or_default();
    let path = format!("/v1/state-grants?pattern={}&{subject}", encode(&pattern.to_string()));
    context.client()?.delete(&path).await?;
    context.printer.note(format_args!("what was granted on `{pattern}` is taken away"));
    Ok(Exit::Done)
}

/// Lists rights.
pub(super) async fn list(context: &Context, name: Option<&StateName>) -> Result<Exit, Failure> {
    let mut grants: StateGrants = context.client()?.get("/v1/state-grants").await?;
    if let Some(name) = name {
        grants.grants.retain(|grant| grant.pattern.parse().is_ok_and(|pattern: StatePattern| pattern.matches(name)));
    }
    if context.printer.json() {
        context.printer.document(&grants)?;
        return Ok(Exit::Done);
    }
    if grants.grants.is_empty() {
        context.printer.note("nobody was granted anything: administrators alone may read and write these states");
        return Ok(Exit::Done);
    }
    let mut table = table::table(&["STATES", "WHO", "MAY", "GRANTED BY", "WHEN (UTC)"]);
    for grant in &grants.grants {
        table.add_row([
            grant.pattern.clone(),
            whose(grant),
            grant.rights.join(","),
            grant.by.clone(),
            table::minute(grant.at),
        ]);
    }
    context.printer.data(table::text(&table))?;
    Ok(Exit::Done)
}

fn whose(grant: &StateGrant) -> String {
    match (&grant.user, &grant.token) {
        (Some(user), _) => user.clone(),
        (None, Some(token)) => format!("token {token}"),
        (None, None) => "-".to_owned(),
    }
}
