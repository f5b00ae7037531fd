//! Care for the Cloudflare API token: what it may do, when it ends, how old its value is, and where it is kept.
//!
//! `alfred token check`, the checks at the start of `alfred up` and the daily look of a running one say the same words,
//! which are found here. This module asks nothing but Cloudflare and decides nothing about environments.

pub(crate) mod findings;
pub(crate) mod known_values;
pub(crate) mod rotation;
pub(crate) mod watch;

use std::sync::Arc;

use alfred_model::seam::Clock as _;
use alfred_providers::cloudflare::{KeptToken, NextToken, ReadToken, TokenSource};
use alfred_providers::secret::ApiToken;
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};

use crate::config::{Config, Key, SecretPlace};
use crate::error::Failure;
use crate::system::SystemClock;

/// A rotation that has not told the new value after this long has been given up by whoever began it.
const UNDER_WAY_MAX: SignedDuration = SignedDuration::from_hours(1);

/// The configured token. What came from a file is read again when Cloudflare refuses it, and when the file changes.
pub(crate) fn source(config: &Config) -> TokenSource {
    let value = config.secret(Key::CloudflareApiToken).map_or_else(|| ApiToken::new(""), token);
    match config.place_of(Key::CloudflareApiToken) {
        Some(place) => TokenSource::reloading(value, reader(place)),
        None => value.into(),
    }
}

fn reader(place: SecretPlace) -> ReadToken {
    Arc::new(move || {
        let read = || {
            // The second file first: it is there until its value is in place. The other way round, a value that is put in
            // place in between would be seen in neither.
            let beside = place.read_beside()?;
            let value = place.read()?;
            let next = match beside {
                Some(next) if next.expose_secret() != value.expose_secret() => NextToken::Value(token(&next)),
                Some(_) if is_recent(&place, SystemClock.now()) => NextToken::UnderWay,
                Some(_) | None => NextToken::None,
            };
            Ok(KeptToken { value: token(&value), next })
        };
        read().map_err(|failure: Failure| failure.to_string())
    })
}

fn is_recent(place: &SecretPlace, now: Timestamp) -> bool {
    let changed = std::fs::metadata(place.beside()).and_then(|metadata| metadata.modified());
    let changed = changed.ok().and_then(|changed| Timestamp::try_from(changed).ok());
    // A second file that is gone by now has just become the first one.
    changed.is_none_or(|changed| now.duration_since(changed) < UNDER_WAY_MAX)
}

/// The secret as the client takes it.
pub(crate) fn token(secret: &SecretString) -> ApiToken {
    ApiToken::new(secret.expose_secret())
}
