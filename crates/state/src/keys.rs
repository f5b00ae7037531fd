//! The keys that versions are encrypted with at rest.
//!
//! The first key of a ring encrypts what is written from now on; the others read what they encrypted. A key is replaced by
//! putting a new one in front, and taken away when nothing is left that needs it (`States::encrypt_anew`).

use std::fmt;

use alfred_model::state::KeyId;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret as _, SecretBox, SecretString};

/// Length of a key, in bytes.
pub const KEY_LENGTH: usize = 32;

/// One key.
pub(crate) struct Key {
    pub(crate) id: KeyId,
    secret: SecretBox<[u8; KEY_LENGTH]>,
}

impl Key {
    pub(crate) fn secret(&self) -> &[u8; KEY_LENGTH] {
        self.secret.expose_secret()
    }
}

/// The keys of an installation. Without any, versions are stored as they came.
#[derive(Default)]
pub struct Keyring(Vec<Key>);

/// Why a text is no list of keys. Never repeats the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// An entry is not `NAME:KEY`.
    #[error("entry {0} of the list of keys is not `NAME:KEY`")]
    Entry(usize),
    /// The name is none.
    #[error(
        "the name in entry {0} of the list of keys has other characters than `a-z`, `0-9` and `-`, or more than 32"
    )]
    Name(usize),
    /// The key is not 32 bytes in base64.
    #[error("key `{0}` is not {KEY_LENGTH} bytes in base64; `openssl rand -base64 {KEY_LENGTH}` makes one")]
    Key(KeyId),
    /// Two keys have one name.
    #[error("two keys are called `{0}`")]
    Twice(KeyId),
}

impl Keyring {
    /// Reads `NAME:KEY,NAME:KEY…`, keys in base64. An empty text is an empty ring.
    pub fn parse(text: &SecretString) -> Result<Self, KeyringError> {
        let mut keys: Vec<Key> = Vec::new();
        let entries = text.expose_secret().split([',', '\n']).map(str::trim).filter(|entry| !entry.is_empty());
        for (index, entry) in entries.enumerate() {
            let (name, encoded) = entry.split_once(':').ok_or(KeyringError::Entry(index + 1))?;
            let id: KeyId = name.trim().parse().map_err(|_| KeyringError::Name(index + 1))?;
            if keys.iter().any(|key| key.id == id) {
                return Err(KeyringError::Twice(id));
            }
            let secret = decoded(encoded.trim()).ok_or_else(|| KeyringError::Key(id.clone()))?;
            keys.push(Key { id, secret });
        }
        Ok(Self(keys))
    }

    /// The key that encrypts from now on.
    pub(crate) fn writing(&self) -> Option<&Key> {
        self.0.first()
    }

    /// The name of the key that encrypts from now on.
    pub fn writing_id(&self) -> Option<&KeyId> {
        self.writing().map(|key| &key.id)
    }

    pub(crate) fn key(&self, id: &KeyId) -> Option<&Key> {
        self.0.iter().find(|key| key.id == *id)
    }

    /// The names of all keys, the writing one first.
    pub fn ids(&self) -> impl Iterator<Item = &KeyId> {
        self.0.iter().map(|key| &key.id)
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.ids()).finish()
    }
}

fn decoded(encoded: &str) -> Option<SecretBox<[u8; KEY_LENGTH]>> {
    let bytes =
        [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD].iter().find_map(|engine| engine.decode(encoded).ok())?;
    let mut secret = Box::new([0; KEY_LENGTH]);
    if bytes.len() != KEY_LENGTH {
        return None;
    }
    secret.copy_from_slice(&bytes);
    Some(SecretBox::new(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Keyring, KeyringError> {
        Keyring::parse(&SecretString::from(text))
    }

    #[test]
    fn the_first_key_writes_and_no_key_is_printed() {
        let key = STANDARD.encode([7; KEY_LENGTH]);
        let ring = parse(&format!("b-2:{key},\n a:{}\n", URL_SAFE_NO_PAD.encode([8; KEY_LENGTH]))).unwrap();
        assert_eq!(ring.writing_id().unwrap().as_str(), "b-2");
        assert_eq!(ring.key(&"a".parse().unwrap()).unwrap().secret(), &[8; KEY_LENGTH]);
        assert!(ring.key(&"c".parse().unwrap()).is_none());
        assert_eq!(format!("{ring:?}"), r#"[KeyId("b-2"), KeyId("a")]"#);
        assert!(parse("").unwrap().writing_id().is_none());
    }

    #[test]
    fn errors_name_the_entry_and_never_the_key() {
        let key = STANDARD.encode([7; KEY_LENGTH]);
        let id: KeyId = "a".parse().unwrap();
        assert_eq!(parse(&key).unwrap_err(), KeyringError::Entry(1));
        assert_eq!(parse(&format!("a:{key},A:{key}")).unwrap_err(), KeyringError::Name(2));
        assert_eq!(parse(&format!("a:{key},a:{key}")).unwrap_err(), KeyringError::Twice(id.clone()));
        for bad in ["", "secret", &STANDARD.encode([7; KEY_LENGTH - 1])] {
            let error = parse(&format!("a:{bad}")).unwrap_err();
            assert_eq!(error, KeyringError::Key(id.clone()));
            assert!(bad.is_empty() || !error.to_string().contains(bad));
        }
    }
}
