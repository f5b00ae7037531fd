//! One version of a state: which content, and where it came from.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The SHA-256 of a version's content as Terraform sent it, whatever the store does to it. Written in hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Checksum(pub [u8; 32]);

/// A text that is no [`Checksum`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a checksum is 64 hexadecimal digits in lower case")]
pub struct NotAChecksum;

impl fmt::Display for Checksum {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl FromStr for Checksum {
    type Err = NotAChecksum;

    fn from_str(text: &str) -> Result<Self, NotAChecksum> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Ok(byte - b'0'),
            b'a'..=b'f' => Ok(byte - b'a' + 10),
            _ => Err(NotAChecksum),
        };
        let digits: &[u8; 64] = text.as_bytes().try_into().map_err(|_| NotAChecksum)?;
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Checksum {
    type Error = NotAChecksum;

    fn try_from(text: String) -> Result<Self, NotAChecksum> {
        text.parse()
    }
}

impl From<Checksum> for String {
    fn from(checksum: Checksum) -> Self {
        checksum.to_string()
    }
}

/// What tells a version from every other of its state: the same serial may come again with another content after the
/// state was deleted, and the same content may come again with another serial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct VersionKey {
    /// Terraform's own counter, in the content.
    pub serial: u64,
    /// Of the content.
    pub sha256: Checksum,
}

impl VersionKey {
    /// As the last part of a key or file name: sorted by it, versions are sorted by serial.
    pub fn as_key(&self) -> String {
        format!("{:020}-{}", self.serial, self.sha256)
    }

    /// Reads what [`as_key`](Self::as_key) wrote; nothing for any other text.
    pub fn from_key(key: &str) -> Option<Self> {
        let (serial, sha256) = key.split_once('-')?;
        if serial.len() != 20 || !serial.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        Some(Self { serial: serial.parse().ok()?, sha256: sha256.parse().ok()? })
    }
}

impl fmt::Display for VersionKey {
    /// As people read it: `7 (1f2e3d4c)`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({:.8})", self.serial, self.sha256.to_string())
    }
}

/// The name of an encryption key: not secret, kept beside what is encrypted with it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId(String);

/// A text that is no [`KeyId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the name of a key has 1 to 32 characters of `a-z`, `0-9` and `-`")]
pub struct NotAKeyId;

impl KeyId {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyId {
    type Err = NotAKeyId;

    fn from_str(text: &str) -> Result<Self, NotAKeyId> {
        let is_known = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        let fits = (1..=32).contains(&text.len()) && text.bytes().all(is_known);
        if fits { Ok(Self(text.to_owned())) } else { Err(NotAKeyId) }
    }
}

impl TryFrom<String> for KeyId {
    type Error = NotAKeyId;

    fn try_from(text: String) -> Result<Self, NotAKeyId> {
        text.parse()
    }
}

impl From<KeyId> for String {
    fn from(id: KeyId) -> Self {
        id.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

/// Tells the stored contents of one version apart, such as before and after it was encrypted anew. Drawn at random, so
/// that no key is ever used twice: a deletion that reaches a store late cannot hit what was written since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BlobTag(pub u64);

/// A text that is no [`BlobTag`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a blob's tag is 16 hexadecimal digits in lower case")]
pub struct NotABlobTag;

impl fmt::Display for BlobTag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}

impl FromStr for BlobTag {
    type Err = NotABlobTag;

    fn from_str(text: &str) -> Result<Self, NotABlobTag> {
        let is_digit = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != 16 || !text.bytes().all(is_digit) {
            return Err(NotABlobTag);
        }
        u64::from_str_radix(text, 16).map(Self).map_err(|_| NotABlobTag)
    }
}

impl TryFrom<String> for BlobTag {
    type Error = NotABlobTag;

    fn try_from(text: String) -> Result<Self, NotABlobTag> {
        text.parse()
    }
}

impl From<BlobTag> for String {
    fn from(tag: BlobTag) -> Self {
        tag.to_string()
    }
}

/// What tells a stored content from every other of its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlobKey {
    /// Which version.
    pub version: VersionKey,
    /// Which of the version's contents.
    pub tag: BlobTag,
}

impl BlobKey {
    /// As the last part of a key or file name, of `0-9`, `a-f` and `-`: sorted by it, contents are sorted by serial.
    pub fn as_key(&self) -> String {
        format!("{}-{}", self.version.as_key(), self.tag)
    }

    /// Reads what [`as_key`](Self::as_key) wrote; nothing for any other text.
    pub fn from_key(key: &str) -> Option<Self> {
        let (version, tag) = key.rsplit_once('-')?;
        Some(Self { version: VersionKey::from_key(version)?, tag: tag.parse().ok()? })
    }
}

impl fmt::Display for BlobKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.version.fmt(formatter)
    }
}

/// A version that was acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// Which.
    #[serde(flatten)]
    pub key: VersionKey,
    /// Which stored content is its.
    pub blob: BlobTag,
    /// Terraform's name for the history that the version belongs to. Empty in contents that have none.
    pub lineage: String,
    /// Length of the content, in bytes.
    pub size: u64,
    /// When it was written.
    pub at: Timestamp,
    /// Who wrote it.
    pub by: String,
    /// The lock it was written under, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock_id: Option<String>,
    /// The key it is encrypted with at rest; nothing, if it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<KeyId>,
    /// Whether the content was encrypted by the client (OpenTofu), so that nobody here can read its resources.
    #[serde(default, skip_serializing_if = "is_false")]
    pub opaque: bool,
    /// It is kept whatever the retention says.
    #[serde(default, skip_serializing_if = "is_false")]
    pub pinned: bool,
    /// Made by rolling back to the version of this serial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolled_back_to: Option<u64>,
}

impl Version {
    /// Under which key its content is stored.
    pub const fn blob_key(&self) -> BlobKey {
        BlobKey { version: self.key, tag: self.blob }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_false(value: &bool) -> bool {
    !*value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_by_serial_and_are_read_back() {
        let of = |serial| VersionKey { serial, sha256: Checksum([0xab; 32]) };
        let keys: Vec<String> = [0, 9, 10, 4_000_000_000, u64::MAX].map(|serial| of(serial).as_key()).to_vec();
        assert!(keys.is_sorted());
        for key in &keys {
            assert_eq!(VersionKey::from_key(key).unwrap().as_key(), *key);
        }
        for bad in [
            "",
            "1-ab",
            "-",
            &keys[0][1..],
            &keys[0].to_uppercase(),
            &format!("{}0", keys[0]),
            &format!("+{}", &keys[0][1..]),
        ] {
            assert_eq!(VersionKey::from_key(bad), None, "{bad}");
        }
        assert_eq!(of(7).to_string(), "7 (abababab)");
        let key = BlobKey { version: of(7), tag: BlobTag(0xab) };
        assert_eq!(key.as_key(), format!("{}-00000000000000ab", of(7).as_key()));
        assert_eq!(BlobKey::from_key(&key.as_key()), Some(key));
        for bad in ["", "-", "-ab", "-00000000000000AB", "-+0000000000000ab", "/00000000000000ab"] {
            assert_eq!(BlobKey::from_key(&format!("{}{bad}", keys[0])), None, "{bad}");
        }
    }
}
