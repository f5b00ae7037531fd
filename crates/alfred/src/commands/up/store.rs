//! Opening the records, with a plain word for everything that may be wrong with them.

use std::sync::Arc;

use alfred_store::{SqlOptions, SqlStore};
use secrecy::ExposeSecret;

use crate::config::{Config, Key};
use crate::error::{Failure, chain};

/// Opens the database that the configuration names.
pub(super) async fn open(config: &Config) -> Result<Arc<SqlStore>, Failure> {
    let address = config.secret(Key::DatabaseUrl).map(ExposeSecret::expose_secret).unwrap_or_default();
    let options = SqlOptions::default();
    #[cfg(debug_assertions)]
    let options = SqlOptions {
        on_commit: crate::crash_points::CrashPoints::from_environment().map(|points| points.commit_hook()),
        ..options
    };
    let store = SqlStore::open(address, options).await;
    // The store's own words name the database and say what to do.
    store.map(Arc::new).map_err(|error| Failure::new(chain(&error)))
}
