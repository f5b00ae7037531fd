//! `alfred env create`.

use std::path::Path;

use alfred_model::environment::Setup;

use super::{Context, outcome, quota};
use crate::api::{CreateEnvironments, Environments};
use crate::cli::CreateArguments;
use crate::error::{Exit, Failure};
use crate::files;
use crate::stop::Interrupt;

/// A file of keys or a script is not larger; what the VM takes is less and is checked apart.
const FILE_MAX: u64 = 256 * 1024;

/// Asks for environments and, if wished, waits for them.
pub(super) async fn run(context: &Context, arguments: CreateArguments) -> Result<Exit, Failure> {
    let wait = arguments.wait;
    let request = request(arguments)?;
    let client = context.client()?;
    // From here on an interruption is answered with what to do.
    let mut interrupt = Interrupt::listen()?;
    let made: Environments = tokio::select! {
        biased;
        () = interrupt.next() => {
            let failure = Failure::partly("interrupted before the server answered: the request may have been taken");
            return Err(failure.hint("`alfred env list` shows what there is"));
        }
        made = client.create("/v1/environments", &request) => made?,
    };
    if let Some(quota) = &made.quota {
        quota::note(context, quota);
    }
    if wait {
        return outcome::wait(context, &client, made, &mut interrupt).await;
    }
    let follow = outcome::command(&made);
    outcome::print(context, &made)?;
    context.printer.note(format_args!("being made: `alfred env list` shows them, `{follow}` follows them"));
    Ok(Exit::Done)
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
        ttl_seconds: arguments.ttl,
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
