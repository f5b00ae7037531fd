//! How one version's content is stored: after a head that says what it is, so that damage, a cut and a file in another's
//! place are all found on reading.
//!
//! ```text
//! magic            8 bytes   `alfstate`
//! length of head   4 bytes   big endian
//! head             JSON      format, state, version, nonce
//! checksum        32 bytes   SHA-256 of everything before it
//! content                    as it came, or encrypted with XChaCha20-Poly1305 and the head as associated data
//! tag             16 bytes   only if encrypted
//! ```
//!
//! The content itself is covered by the checksum in the head, which is of what Terraform sent, and by the tag.

use alfred_model::state::{BlobKey, Checksum, StateName, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chacha20poly1305::aead::{AeadInOut as _, KeyInit as _};
use chacha20poly1305::{Tag, XChaCha20Poly1305, XNonce};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::backend::Blob;
use crate::keys::{Key, Keyring};

const MAGIC: &[u8; 8] = b"alfstate";
const FORMAT: u32 = 1;
const CHECKSUM_LENGTH: usize = 32;
pub(crate) const NONCE_LENGTH: usize = 24;
const TAG_LENGTH: usize = 16;

#[derive(Deserialize)]
struct Format {
    format: u32,
}

/// Longest head that is read, in bytes.
const HEAD_MAX: usize = 64 * 1024;

#[derive(Serialize, Deserialize)]
struct Head {
    format: u32,
    state: StateName,
    version: Version,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nonce: Option<String>,
}

/// Why a blob is not what was written under its key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// It was changed, cut, or is another's.
    #[error("{0}")]
    Damaged(String),
    /// It is encrypted with a key that is not there.
    #[error("it is encrypted with the key `{0}`, which is not among the keys that are configured")]
    KeyMissing(alfred_model::state::KeyId),
    /// A later version of this program wrote it.
    #[error("it has format {0}, which this version of alfred does not know")]
    Format(u32),
}

/// The SHA-256 of a content.
pub fn checksum(content: &[u8]) -> Checksum {
    Checksum(Sha256::digest(content).into())
}

/// What is stored for `version`. `key` is the one that `version.key_id` names; `nonce` must be random.
pub(crate) fn seal(
    state: &StateName,
    version: &Version,
    content: Bytes,
    key: Option<&Key>,
    nonce: [u8; NONCE_LENGTH],
) -> Blob {
    let nonce_text = key.map(|_| STANDARD.encode(nonce));
    let head = Head { format: FORMAT, state: state.clone(), version: version.clone(), nonce: nonce_text };
    let front = front(&head);
    let Some(key) = key else {
        return Blob(vec![front.into(), content]);
    };
    let mut buffer = Vec::with_capacity(content.len() + TAG_LENGTH);
    buffer.extend_from_slice(&content);
    drop(content);
    let cipher = XChaCha20Poly1305::new(key.secret().into());
    let tag = cipher
        .encrypt_inout_detached(&XNonce::from(nonce), &front, buffer.as_mut_slice().into())
        .expect("the content is shorter than the cipher's 256 GiB: it is in memory and its size is limited");
    buffer.extend_from_slice(&tag);
    Blob(vec![front.into(), buffer.into()])
}

/// Magic, length, head and checksum.
fn front(head: &Head) -> Vec<u8> {
    let json = serde_json::to_vec(head).expect("names, numbers and texts are always JSON");
    let length = u32::try_from(json.len()).expect("a head is far below 4 GiB: all its parts are bounded");
    let mut front = Vec::with_capacity(MAGIC.len() + 4 + json.len() + CHECKSUM_LENGTH);
    front.extend_from_slice(MAGIC);
    front.extend_from_slice(&length.to_be_bytes());
    front.extend_from_slice(&json);
    let checksum = Sha256::digest(&front);
    front.extend_from_slice(&checksum);
    front
}

/// What was read out of a blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// What the head says of the version. The document may know more of it since.
    pub version: Version,
    /// The content as Terraform sent it.
    pub content: Bytes,
}

/// Reads a blob that was stored for `state` under `key`, and checks every byte of it.
pub(crate) fn open(state: &StateName, key: &BlobKey, blob: Blob, keyring: &Keyring) -> Result<Opened, EnvelopeError> {
    let stored = blob.into_bytes();
    let (front, head) = read_front(&stored)?;
    belongs(state, key, &head)?;
    let content = match (&head.version.key_id, &head.nonce) {
        (None, None) => stored.slice(front..),
        (Some(id), Some(nonce)) => {
            let secret = keyring.key(id).ok_or_else(|| EnvelopeError::KeyMissing(id.clone()))?;
            decrypt(secret, nonce, stored, front)?
        }
        _ => return Err(EnvelopeError::Damaged("its head contradicts itself".to_owned())),
    };
    if content.len() as u64 != head.version.size {
        let words = format!("it has {} bytes instead of {}", content.len(), head.version.size);
        return Err(EnvelopeError::Damaged(words));
    }
    if checksum(&content) != key.version.sha256 {
        return Err(EnvelopeError::Damaged("its checksum is another".to_owned()));
    }
    Ok(Opened { version: head.version, content })
}

/// Checks a blob as far as that is possible without keys: its head, whose it is, and its content if it is not encrypted.
pub(crate) fn check(state: &StateName, key: &BlobKey, blob: Blob) -> Result<Blob, EnvelopeError> {
    let stored = blob.into_bytes();
    let (_, head) = read_front(&stored)?;
    if head.nonce.is_none() {
        open(state, key, Blob::from(stored.clone()), &Keyring::default())?;
    } else {
        belongs(state, key, &head)?;
    }
    Ok(stored.into())
}

/// When a blob was written, as far as its head can be read.
pub(crate) fn written_at(blob: Blob) -> Option<jiff::Timestamp> {
    read_front(&blob.into_bytes()).ok().map(|(_, head)| head.version.at)
}

fn belongs(state: &StateName, key: &BlobKey, head: &Head) -> Result<(), EnvelopeError> {
    if head.state == *state && head.version.blob_key() == *key {
        return Ok(());
    }
    let there = format!("version {} of `{}`", head.version.key, head.state);
    Err(EnvelopeError::Damaged(format!("{there} lies in its place")))
}

/// The length of everything before the content, and the head.
fn read_front(stored: &[u8]) -> Result<(usize, Head), EnvelopeError> {
    let cut = || EnvelopeError::Damaged("it is cut short".to_owned());
    let fixed = stored.get(..MAGIC.len() + 4).ok_or_else(cut)?;
    let (magic, length) = fixed.split_at(MAGIC.len());
    if magic != MAGIC {
        return Err(EnvelopeError::Damaged("it does not begin as versions do".to_owned()));
    }
    let length = length.iter().fold(0_usize, |length, byte| length << 8 | usize::from(*byte));
    if length > HEAD_MAX {
        return Err(EnvelopeError::Damaged("its head is too long".to_owned()));
    }
    let end = fixed.len() + length;
    let sum = stored.get(end..end + CHECKSUM_LENGTH).ok_or_else(cut)?;
    if *sum != *Sha256::digest(&stored[..end]) {
        return Err(EnvelopeError::Damaged("the checksum of its head is another".to_owned()));
    }
    let json = &stored[fixed.len()..end];
    let unread = |error: serde_json::Error| EnvelopeError::Damaged(format!("its head cannot be read: {error}"));
    let Format { format } = serde_json::from_slice(json).map_err(unread)?;
    if format != FORMAT {
        return Err(EnvelopeError::Format(format));
    }
    Ok((end + CHECKSUM_LENGTH, serde_json::from_slice(json).map_err(unread)?))
}

/// Decrypts in place where the bytes are nobody else's, which is so for bytes that were just read.
fn decrypt(key: &Key, nonce: &str, stored: Bytes, front: usize) -> Result<Bytes, EnvelopeError> {
    let damaged = |words: &str| EnvelopeError::Damaged(words.to_owned());
    let nonce = STANDARD.decode(nonce).ok().and_then(|bytes| <[u8; NONCE_LENGTH]>::try_from(bytes).ok());
    let nonce = nonce.ok_or_else(|| damaged("its head has no nonce"))?;
    let mut bytes = stored.try_into_mut().unwrap_or_else(|shared| shared.as_ref().into());
    let mut sealed = bytes.split_off(front);
    if sealed.len() < TAG_LENGTH {
        return Err(damaged("it is cut short"));
    }
    let tag = sealed.split_off(sealed.len() - TAG_LENGTH);
    let tag = Tag::try_from(tag.as_ref()).map_err(|_| damaged("it is cut short"))?;
    XChaCha20Poly1305::new(key.secret().into())
        .decrypt_inout_detached(&XNonce::from(nonce), &bytes, sealed.as_mut().into(), &tag)
        .map_err(|_| damaged("it was changed, or its key is another key of the same name"))?;
    Ok(sealed.freeze())
}

#[cfg(test)]
mod tests;
