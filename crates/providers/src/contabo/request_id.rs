//! The id that every call carries and every audit entry repeats.

use std::fmt;

use alfred_model::seam::Random;
use uuid::Uuid;

/// A version 4 UUID. Contabo's OpenAPI document allows versions 0 to 5 only, so that our time-ordered ids would not
/// pass; this type holds no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(Uuid);

/// The UUID is of another version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no version 4 UUID, which a request id must be")]
pub struct NotVersion4(pub Uuid);

impl RequestId {
    /// A new one.
    pub fn random(random: &dyn Random) -> Self {
        // Set here rather than trusted: the seam is a trait that others implement.
        let mut bytes = [0; 16];
        random.fill(&mut bytes);
        Self(uuid::Builder::from_random_bytes(bytes).into_uuid())
    }

    /// The UUID, for the ledger.
    pub fn as_uuid(self) -> Uuid {
        self.0
    }
}

impl TryFrom<Uuid> for RequestId {
    type Error = NotVersion4;

    fn try_from(uuid: Uuid) -> Result<Self, Self::Error> {
        let fits = uuid.get_version_num() == 4 && uuid.get_variant() == uuid::Variant::RFC4122;
        if fits { Ok(Self(uuid)) } else { Err(NotVersion4(uuid)) }
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}
