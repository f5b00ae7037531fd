//! `alfred env create`.

use std::path::Path;

use alfred_model::environment::Setup;

use super::Context;
use super::follow::{self, Followed, Goal};
use super::list;
use crate::api::{CreateEnvironments, Environment, Environments};
use crate::cli::CreateArguments;
use crate::error::{Exit, Failure};
use crate::files;

/// A file of keys or a script is not larger; what the VM takes is less and is checked apart.
const FILE_MAX: u64 = 256 * 1024;

/// Asks for environments and, if wished, waits for them.
pub(super) async fn run(context: &Context, arguments: CreateArguments) -> Result<Exit, Failure> {
    let wait = arguments.wait;
    let request = request(arguments)?;
    let client = context.client()?;
    let made: Environments = client.create("/v1/environments", &request).await?;
    if !wait {
        print(context, made.environments)?;
        context.printer.note("being made: `alfred env list` shows them, `alfred env watch --all` follows them");
        return Ok(Exit::Done);
    }
    let wished = made.environments.len();
    let followed = follow::follow(context.printer, &client, made.environments, Goal::Settled).await?;
    let active = followed.environments.iter().filter(|environment| environment.status == "active").count();
    let slugs: Vec<&str> = followed.environments.iter().map(|environment| environment.slug.as_str()).collect();
    let interrupted = followed.interrupted.then(|| nothing_lost(&slugs));
    print(context, followed.environments.clone())?;
    match interrupted {
        Some(words) => Err(Failure::partly(words)),
        None => outcome(active, wished, &followed),
    }
}

fn outcome(active: usize, wished: usize, followed: &Followed) -> Result<Exit, Failure> {
    if active == wished {
        return Ok(Exit::Done);
    }
    let words = match followed.environments.iter().find(|environment| environment.status != "active") {
        Some(one) => {
            let reason = one.reason.as_deref().unwrap_or("it was deleted meanwhile");
            format!("{active} of {wished} are active; `{}` is not: {reason}", one.slug)
        }
        None => format!("{active} of {wished} are active"),
    };
    Err(if active == 0 { Failure::new(words) } else { Failure::partly(words) })
}

/// What to say when waiting ends before the work does.
fn nothing_lost(slugs: &[&str]) -> String {
    let watch = match slugs {
        [only] => format!("alfred env watch {only}"),
        _ => "alfred env watch --all".to_owned(),
    };
    format!("stopped waiting; nothing is lost, the server goes on: follow with `{watch}`")
}

fn print(context: &Context, environments: Vec<Environment>) -> Result<(), Failure> {
    if context.printer.json() {
        context.printer.document(&Environments { environments, next_cursor: None })?;
    } else {
        context.printer.data(list::rows(&environments))?;
    }
    Ok(())
}

fn request(arguments: CreateArguments) -> Result<CreateEnvironments, Failure> {
    let mut ssh_keys = Vec::new();
    for path in &arguments.ssh_key {
        ssh_keys.extend(keys(path)?);
    }
    let script = arguments.script.as_deref().map(read).transpose()?;
    let setup = Setup { ssh_keys, time_zone: arguments.time_zone, script };
    alfred_model::user_data::check_setup(&setup).map_err(|error| Failure::usage(error.to_string()))?;
    Ok(CreateEnvironments {
        slug: arguments.slug.map(String::from),
        count: arguments.count,
        owner: arguments.user.map(String::from),
        ssh_keys: setup.ssh_keys,
        time_zone: setup.time_zone,
        script: setup.script,
        on_failure: arguments.on_failure.map(|rule| rule.to_string()),
    })
}

fn keys(path: &Path) -> Result<Vec<String>, Failure> {
    let text = read(path)?;
    if text.contains("PRIVATE KEY") {
        return Err(Failure::usage(format!("`{}` is a private key: give the `.pub` file", path.display())));
    }
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let keys: Vec<String> = lines.map(str::to_owned).collect();
    if keys.is_empty() {
        return Err(Failure::usage(format!("`{}` holds no SSH key", path.display())));
    }
    Ok(keys)
}

fn read(path: &Path) -> Result<String, Failure> {
    files::read_text(path, FILE_MAX)
        .map_err(|failure| Failure::usage(failure.to_string()))?
        .ok_or_else(|| Failure::usage(format!("there is no file `{}`", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_key_is_never_sent() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("id_ed25519");
        std::fs::write(&path, "-----BEGIN OPENSSH PRIVATE KEY-----\n").unwrap();
        let failure = keys(&path).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert!(failure.to_string().contains("give the `.pub` file"));
    }

    #[test]
    fn one_key_per_line_without_comments() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys.pub");
        std::fs::write(&path, "# mine\nssh-ed25519 AAAA ada\n\n  ssh-rsa BBBB bob \n").unwrap();
        assert_eq!(keys(&path).unwrap(), ["ssh-ed25519 AAAA ada", "ssh-rsa BBBB bob"]);
        std::fs::write(&path, "# none\n").unwrap();
        assert!(keys(&path).unwrap_err().to_string().contains("holds no SSH key"));
    }
}
