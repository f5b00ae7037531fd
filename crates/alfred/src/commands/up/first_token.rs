//! The first administrator's token: shown once, and kept in the data directory for commands on this machine.

use std::path::Path;

use alfred_server::FirstRunError;
use alfred_store::Store;
use secrecy::{ExposeSecret as _, SecretString};

use crate::client::TOKEN_FILE;
use crate::commands::Context;
use crate::error::Failure;
use crate::files;
use crate::system::{SystemClock, SystemRandom};

/// Makes the token, if nobody has one yet.
pub(super) async fn make(context: &Context, store: &dyn Store) -> Result<(), Failure> {
    let path = context.config.data_dir()?.join(TOKEN_FILE);
    let Some(token) = administrator(store, &path).await? else { return Ok(()) };
    context.printer.must_see(format_args!(
        "first start: the administrator's token is\n  {}\nit is shown this once, and kept in `{}` for commands on this \
         machine",
        token.expose_secret(),
        path.display(),
    ));
    Ok(())
}

/// The first administrator's token, kept in a file before it exists; nothing, if there is an administrator.
pub(in crate::commands) async fn administrator(
    store: &dyn Store,
    file: &Path,
) -> Result<Option<SecretString>, Failure> {
    let keep = |token: &SecretString| files::write_private(file, &format!("{}\n", token.expose_secret()));
    alfred_server::first_run(store, &SystemClock, &SystemRandom, keep).await.map_err(|error| match error {
        FirstRunError::Keep(failure) => failure,
        FirstRunError::Store(error) => Failure::because("cannot make the administrator", &error),
    })
}
