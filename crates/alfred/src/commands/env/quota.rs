//! `alfred env quota`.

use super::Context;
use crate::api::Quota;
use crate::cli::QuotaArguments;
use crate::client::encode;
use crate::error::{Exit, Failure};

/// Shows a quota, after setting it if that is wished.
pub(super) async fn run(context: &Context, arguments: &QuotaArguments) -> Result<Exit, Failure> {
    let client = context.client()?;
    let quota: Quota = match (&arguments.user, arguments.change()) {
        (None, _) => client.get("/v1/quota").await?,
        (Some(user), None) => client.get(&path(user.as_str())).await?,
        (Some(user), Some(change)) => client.put(&path(user.as_str()), &change).await?,
    };
    if context.printer.json() {
        context.printer.document(&quota)?;
    } else {
        let whose = if quota.own { "a quota of their own" } else { "the quota of all" };
        context.printer.data(match quota.limit {
            Some(limit) => format!("{}: {} of {limit} environments ({whose})", quota.user, quota.used),
            None if quota.used == 1 => format!("{}: 1 environment, without a limit", quota.user),
            None => format!("{}: {} environments, without a limit", quota.user, quota.used),
        })?;
    }
    Ok(Exit::Done)
}

fn path(user: &str) -> String {
    format!("/v1/users/{}/quota", encode(user))
}

/// Says that little is left, before it hurts.
pub(super) fn note(context: &Context, quota: &Quota) {
    if let Some(limit) = quota.limit.filter(|_| quota.nearly_used) {
        context.printer.note(format_args!(
            "{} of {limit} environments of `{}` are used: delete what is not needed, or ask an administrator for more",
            quota.used, quota.user
        ));
    }
}
