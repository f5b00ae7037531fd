//! One bucket: its settings, objects and open uploads.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    cors::CorsRule,
    lifecycle::{self, LifecycleRule},
    lock::LockRule,
    object::{Object, Upload},
    options::{Jurisdiction, Location, StorageClass},
};

/// What names a bucket: each jurisdiction has its own names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct BucketName {
    pub(crate) jurisdiction: Jurisdiction,
    pub(crate) name: String,
}

impl BucketName {
    /// Whether a bucket may be called so. <https://developers.cloudflare.com/r2/buckets/create-buckets/>
    pub(crate) fn is_sound(&self) -> bool {
        let name = self.name.as_bytes();
        let inside = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-';
        (3..=63).contains(&name.len())
            && name.iter().all(inside)
            && name.first() != Some(&b'-')
            && name.last() != Some(&b'-')
    }
}

/// A bucket.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Bucket {
    pub(crate) name: BucketName,
    /// 32 hexadecimal digits; a part of its public name.
    pub(crate) id: String,
    pub(crate) created: Timestamp,
    pub(crate) location: Location,
    pub(crate) storage_class: StorageClass,
    /// Whether `pub-ID.r2.dev` answers.
    pub(crate) public: bool,
    pub(crate) cors: Vec<CorsRule>,
    pub(crate) lifecycle: Vec<LifecycleRule>,
    pub(crate) lock: Vec<LockRule>,
    /// By key.
    pub(crate) objects: BTreeMap<String, Arc<Object>>,
    /// By id.
    pub(crate) uploads: BTreeMap<String, Upload>,
}

impl Bucket {
    pub(crate) fn new(name: BucketName, id: String, location: Location, class: StorageClass, now: Timestamp) -> Self {
        Self {
            name,
            id,
            created: now,
            location,
            storage_class: class,
            public: false,
            cors: Vec::new(),
            lifecycle: lifecycle::default_rules(),
            lock: Vec::new(),
            objects: BTreeMap::new(),
            uploads: BTreeMap::new(),
        }
    }

    /// The host that answers without a signature when the bucket is public.
    pub(crate) fn public_host(&self) -> String {
        format!("pub-{}.r2.dev", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_letters_digits_and_hyphens() {
        let sound = |name: &str| BucketName { jurisdiction: Jurisdiction::Default, name: name.into() }.is_sound();
        for name in ["abc", "a-1", "states-of-somebody", &"a".repeat(63)] {
            assert!(sound(name), "{name}");
        }
        for name in ["ab", "-ab", "ab-", "Abc", "a.b.c", "a_b", "", &"a".repeat(64)] {
            assert!(!sound(name), "{name}");
        }
    }
}
