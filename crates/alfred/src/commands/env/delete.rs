//! `alfred env delete`.

use alfred_model::name::Slug;

use super::Context;
use super::follow::{self, Goal};
use crate::api::{Environment, Environments};
use crate::cli::DeleteArguments;
use crate::client::Client;
use crate::error::{Exit, Failure};
use crate::stop::Interrupt;

/// Deletes environments and, if wished, waits until they are gone.
pub(super) async fn run(context: &Context, arguments: DeleteArguments) -> Result<Exit, Failure> {
    let DeleteArguments { mut slugs, wait, yes } = arguments;
    slugs.sort();
    slugs.dedup();
    confirm(context, &slugs, yes)?;
    let client = context.client()?;
    let mut taken = Vec::new();
    let mut refused = Vec::new();
    for slug in &slugs {
        match delete(&client, slug).await {
            Ok(environment) => taken.push(environment),
            Err(failure) => refused.push(format!("`{slug}`: {failure}")),
        }
    }
    if wait && !taken.is_empty() {
        let followed = follow::follow(context.printer, &client, taken, Goal::Gone, &mut Interrupt::listen()?).await?;
        if followed.interrupted {
            let words = "stopped waiting; nothing is lost, the server goes on deleting";
            return Err(Failure::partly(words).hint("follow with `alfred env watch --all`"));
        }
        let stuck = followed.environments.iter().filter(|environment| environment.status != "deleted");
        refused.extend(stuck.map(|one| {
            format!("`{}` is not gone: {}", one.slug, one.reason.as_deref().unwrap_or("a person must act"))
        }));
        taken = followed.environments;
    } else if !taken.is_empty() {
        context.printer.note(format_args!("{} being deleted; the names vanish within seconds", taken.len()));
    }
    let gone = taken.len();
    if context.printer.json() {
        context.printer.document(&Environments::of(taken))?;
    }
    match refused.len() {
        0 => Ok(Exit::Done),
        _ if gone > 0 => Err(Failure::partly(refused.join("; "))),
        _ => Err(Failure::new(refused.join("; "))),
    }
}

/// The row is read first: its id stays its own, while the slug may soon belong to somebody else's environment.
async fn delete(client: &Client, slug: &Slug) -> Result<Environment, Failure> {
    let environment: Environment = client.get(&format!("/v1/environments/{slug}")).await?;
    if environment.status == "deleted" {
        return Err(Failure::new("it is deleted already"));
    }
    client.delete(&format!("/v1/environments/{}", environment.id)).await?;
    Ok(client.get(&format!("/v1/environments/{}", environment.id)).await?)
}

fn confirm(context: &Context, slugs: &[Slug], yes: bool) -> Result<(), Failure> {
    if yes || slugs.len() < 2 {
        return Ok(());
    }
    if !context.printer.can_ask() {
        let words = format!("deleting {} environments needs a yes", slugs.len());
        return Err(Failure::usage(words).hint("add `--yes`"));
    }
    let names: Vec<&str> = slugs.iter().map(Slug::as_str).collect();
    let question = format!("delete {} environments ({}) and wipe their VMs? [y/N]", slugs.len(), names.join(", "));
    let answer = context.printer.ask(question)?;
    if matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes") {
        Ok(())
    } else {
        Err(Failure::new("nothing was deleted"))
    }
}
