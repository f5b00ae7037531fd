//! A state that Terraform's own backend `s3` wrote: one object, and beside it, while somebody works on it, another with the
//! lock (<https://developer.hashicorp.com/terraform/language/backend/s3#state-locking>).

use std::sync::Arc;

use alfred_model::seam::Random;
use alfred_model::state::lock::LockInfo;
use alfred_model::state::log::bounded;
use bytes::Bytes;
use object_store::path::Path;

use super::client::Client;
use super::{S3Options, check};
use crate::backend::BackendError;
use crate::backend::place::Place;

/// What the key of a lock has more than the key of its state.
const LOCK: &str = ".tflock";

/// Longest key of S3, in bytes
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>).
const KEY_MAX: usize = 1_024;

/// Longest description of a lock that is read, in bytes.
const LOCK_MAX: u64 = 64 << 10;

/// Why a state was not read from its object.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// There is none.
    #[error("there is no {place}: check the bucket and the key")]
    Missing {
        /// Where.
        place: String,
    },
    /// Somebody works on it.
    #[error(
        "{place} is locked by `{who}` for `{operation}`, lock `{id}`: wait until that is done, and begin again; a lock that \
         nobody holds any more is taken away by `terraform force-unlock`"
    )]
    Locked {
        /// Where.
        place: String,
        /// By whom.
        who: String,
        /// What for.
        operation: String,
        /// The lock.
        id: String,
    },
    /// Somebody works on it and does not say who it is.
    #[error(
        "{place} is locked by an object `{key}` that does not say by whom: wait until that is gone, and begin again"
    )]
    LockedBySomebody {
        /// Where.
        place: String,
        /// The lock's key.
        key: String,
    },
    /// The bucket failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
}

/// Reads the state at `key`, of at most `size_max` bytes, if nobody has locked it.
pub(in crate::backend) async fn read(
    kind: &str,
    bucket: &str,
    key: &str,
    size_max: u64,
    options: &S3Options,
    random: Arc<dyn Random>,
) -> Result<Bytes, ObjectError> {
    let place = Place(format!("{kind} {bucket}/{key}"));
    check(bucket, "", options).map_err(|words| place.refused(words))?;
    // The client would write such characters in another way, and find nothing.
    if key.is_empty() || key.len() > KEY_MAX - LOCK.len() || Path::from(key).as_ref() != key {
        let words = "the key of an object has up to 1,017 bytes, none of them among `*~#?^|\"%<>[]{}` or a backslash, and no part \
                     of it is empty";
        return Err(place.refused(words).into());
    }
    let client = Client::new(place, bucket, options, random)?;
    refuse_locked(&client, key).await?;
    let content = client.get_within(key, size_max).await?;
    // Who locked it meanwhile may be about to write.
    refuse_locked(&client, key).await?;
    content.map(|(content, _)| content).ok_or_else(|| ObjectError::Missing { place: client.place.0.clone() })
}

async fn refuse_locked(client: &Client, key: &str) -> Result<(), ObjectError> {
    let key = format!("{key}{LOCK}");
    let Some((found, _)) = client.get_within(&key, LOCK_MAX).await? else { return Ok(()) };
    let place = client.place.0.clone();
    Err(match LockInfo::parse(&found) {
        Ok(LockInfo { id, operation, who, .. }) => {
            ObjectError::Locked { place, who: bounded(&who), operation: bounded(&operation), id: bounded(&id) }
        }
        Err(_) => ObjectError::LockedBySomebody { place, key },
    })
}
