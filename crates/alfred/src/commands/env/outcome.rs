//! Waiting for the environments of one request, and telling what became of each.

use super::follow::{self, Followed, Goal};
use super::{Context, list};
use crate::api::{Environment, Environments};
use crate::client::Client;
use crate::error::{Exit, Failure};
use crate::stop::Interrupt;

/// Waits until each environment is active or has failed, and prints them all.
pub(super) async fn wait(
    context: &Context,
    client: &Client,
    made: Environments,
    interrupt: &mut Interrupt,
) -> Result<Exit, Failure> {
    let wished = made.environments.len();
    let command = command(&made);
    let Environments { environments, batch, quota, .. } = made;
    let followed = follow::follow(context.printer, client, environments, Goal::Settled, interrupt).await?;
    let environments = followed.environments.clone();
    print(context, &Environments { environments, batch, quota, next_cursor: None })?;
    if followed.interrupted {
        let words = format!("stopped waiting; nothing is lost, the server goes on: follow with `{command}`");
        return Err(Failure::partly(words));
    }
    let active = followed.environments.iter().filter(|environment| environment.status == "active").count();
    outcome(active, wished, &followed)
}

/// The command that waits for these again.
pub(super) fn command(made: &Environments) -> String {
    match (&made.batch, made.environments.as_slice()) {
        (Some(batch), _) => format!("alfred env watch --batch {batch}"),
        (None, [only]) => format!("alfred env watch {}", only.slug),
        (None, _) => "alfred env watch --all".to_owned(),
    }
}

/// Prints a result for each.
pub(super) fn print(context: &Context, made: &Environments) -> Result<(), Failure> {
    if context.printer.json() {
        context.printer.document(made)?;
    } else {
        context.printer.data(list::rows(&made.environments))?;
    }
    Ok(())
}

fn outcome(active: usize, wished: usize, followed: &Followed) -> Result<Exit, Failure> {
    let failed: Vec<&Environment> =
        followed.environments.iter().filter(|environment| environment.status != "active").collect();
    let words = match failed.as_slice() {
        [] if active == wished => return Ok(Exit::Done),
        [] => format!("{active} of {wished} are active"),
        [one, ..] => {
            let reason = one.reason.as_deref().unwrap_or("it was deleted meanwhile");
            format!("{active} of {wished} are active; `{}` is not: {reason}", one.slug)
        }
    };
    Err(if active == 0 { Failure::new(words) } else { Failure::partly(words) })
}
