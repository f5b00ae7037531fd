//! The first administrator's token: shown once, and kept in the data directory for commands on this machine.

use alfred_store::Store;
use secrecy::ExposeSecret as _;

use crate::client::TOKEN_FILE;
use crate::commands::Context;
use crate::error::Failure;
use crate::files;
use crate::system::{SystemClock, SystemRandom};

/// Makes the token, if nobody has one yet.
pub(super) async fn make(context: &Context, store: &dyn Store) -> Result<(), Failure> {
    let token = alfred_server::first_run(store, &SystemClock, &SystemRandom)
        .await
        .map_err(|error| Failure::because("cannot make the administrator", &error))?;
    let Some(token) = token else { return Ok(()) };
    let path = context.config.data_dir()?.join(TOKEN_FILE);
    let written = files::write_private(&path, &format!("{}\n", token.expose_secret()));
    // It exists now and cannot be had again: it is shown even if the file could not be written.
    context.printer.must_see(format_args!(
        "first start: the administrator's token is\n  {}\nit is shown this once, and kept in `{}` for commands on this \
         machine",
        token.expose_secret(),
        path.display(),
    ));
    written
}
