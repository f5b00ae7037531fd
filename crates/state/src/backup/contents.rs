//! Contents of versions: copied bit for bit, and compared with what they came from.

use alfred_model::state::{BlobKey, StateName, Version};
use bytes::Bytes;

use super::{BackupError, Backups};
use crate::backend::{Backend, Blob, Put};
use crate::envelope::{self, EnvelopeError};
use crate::keys::Keyring;
use crate::room::Room;

/// Contents that are held at the same time are together not longer than this, in bytes, unless one alone is. Of each there
/// may be three copies: as it was read, as it was read back, and decrypted.
const HELD_MAX: usize = 64 << 20;

/// Room for the contents of one piece of work.
pub(super) fn room() -> Room {
    Room::new(HELD_MAX)
}

/// What copying one content came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Copied {
    /// It is there, the same as in the source. So many bytes were written for it.
    There(u64),
    /// The source does not have it.
    Gone,
    /// In the source it is not what was written.
    Damaged(String),
}

/// Checks a stored content as far as the keys that are there allow. Answers its bytes.
pub(super) fn checked(
    state: &StateName,
    key: &BlobKey,
    blob: Blob,
    keyring: &Keyring,
) -> Result<(Bytes, Option<EnvelopeError>), EnvelopeError> {
    let stored = blob.into_bytes();
    match envelope::open(state, key, Blob::from(stored.clone()), keyring) {
        Ok(_) => Ok((stored, None)),
        Err(missing @ EnvelopeError::KeyMissing(_)) => {
            Ok((envelope::check(state, key, stored.into())?.into_bytes(), Some(missing)))
        }
        Err(error) => Err(error),
    }
}

impl Backups {
    /// Makes sure that a content is in the place of the backups. One that lies there damaged is written anew.
    pub(super) async fn copy_content(
        &self,
        from: &dyn Backend,
        state: &StateName,
        version: &Version,
        room: &Room,
    ) -> Result<Copied, BackupError> {
        let key = version.blob_key();
        let _room = room.wait(version.size).await;
        let Some(blob) = from.blob(state, &key).await? else { return Ok(Copied::Gone) };
        let content = match checked(state, &key, blob, &self.keyring) {
            Ok((content, _)) => content,
            Err(error) => return Ok(Copied::Damaged(error.to_string())),
        };
        let put = self.place.put_blob(state, &key, content.clone().into()).await?;
        let written = if put == Put::Created { content.len() as u64 } else { 0 };
        if self.holds(state, &key, &content).await? {
            return Ok(Copied::There(written));
        }
        if put == Put::Exists {
            // It lies there from before and is spoilt, so that nothing is lost by it.
            self.place.delete_blob(state, &key).await?;
            self.place.put_blob(state, &key, content.clone().into()).await?;
            if self.holds(state, &key, &content).await? {
                return Ok(Copied::There(content.len() as u64));
            }
        }
        let what = format!("version {} of `{state}`", version.key);
        Err(BackupError::NotTheSame { place: self.place().to_owned(), what })
    }

    async fn holds(&self, state: &StateName, key: &BlobKey, content: &Bytes) -> Result<bool, BackupError> {
        Ok(self.place.blob(state, key).await?.is_some_and(|back| back.into_bytes() == *content))
    }
}
