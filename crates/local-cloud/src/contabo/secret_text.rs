//! Writes a secret into a state or options file.
//!
//! `secrecy` leaves serialisation out, so that it cannot happen by accident; here it is meant: whoever saves the state of the
//! local cloud must find its secrets again.

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serializer};

pub(crate) fn serialize<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose_secret())
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}

/// The same for a secret that is shared.
pub(crate) mod shared {
    use std::sync::Arc;

    use secrecy::SecretString;
    use serde::{Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(secret: &Arc<SecretString>, serializer: S) -> Result<S::Ok, S::Error> {
        super::serialize(secret, serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<SecretString>, D::Error> {
        super::deserialize(deserializer).map(Arc::new)
    }
}
