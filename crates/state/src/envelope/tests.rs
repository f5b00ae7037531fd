use alfred_model::state::{BlobTag, KeyId, VersionKey};
use jiff::Timestamp;
use proptest::prelude::*;
use secrecy::SecretString;

use super::*;

fn keyring(names: &str) -> Keyring {
    let entry = |name: char| format!("{name}:{}", STANDARD.encode([name as u8; 32]));
    Keyring::parse(&SecretString::from(names.chars().map(entry).collect::<Vec<_>>().join(","))).unwrap()
}

fn version(content: &[u8], key_id: Option<&str>) -> Version {
    Version {
        key: VersionKey { serial: 7, sha256: checksum(content) },
        blob: BlobTag(0xab),
        lineage: "l".to_owned(),
        size: content.len() as u64,
        at: Timestamp::UNIX_EPOCH,
        by: "ann".to_owned(),
        lock_id: None,
        key_id: key_id.map(|id| id.parse::<KeyId>().unwrap()),
        opaque: false,
        pinned: false,
        rolled_back_to: None,
    }
}

fn name(text: &str) -> StateName {
    text.parse().unwrap()
}

/// A version sealed with the first key, or with none.
fn sealed(content: &[u8], encrypted: bool) -> (Version, Bytes) {
    let ring = keyring("ab");
    let version = version(content, encrypted.then_some("a"));
    let key = encrypted.then(|| ring.writing().unwrap());
    let blob = seal(&name("s"), &version, Bytes::copy_from_slice(content), key, [9; NONCE_LENGTH]);
    (version, blob.into_bytes())
}

fn opened(version: &Version, stored: impl Into<Bytes>) -> Result<Opened, EnvelopeError> {
    open(&name("s"), &version.blob_key(), Blob::from(stored.into()), &keyring("ab"))
}

#[test]
fn a_content_comes_back_bit_for_bit() {
    for content in [&b""[..], b"x", &vec![0; 100_000]] {
        for encrypted in [false, true] {
            let (version, stored) = sealed(content, encrypted);
            assert_eq!(opened(&version, stored), Ok(Opened { version, content: Bytes::copy_from_slice(content) }));
        }
    }
}

#[test]
fn what_is_encrypted_shows_nothing_and_needs_its_key() {
    let (version, stored) = sealed(b"a secret of somebody", true);
    assert!(!stored.windows(6).any(|window| window == b"secret"));
    let without = |ring: &Keyring| open(&name("s"), &version.blob_key(), Blob::from(stored.clone()), ring);
    let missing = EnvelopeError::KeyMissing("a".parse().unwrap());
    assert_eq!(without(&keyring("b")), Err(missing.clone()));
    assert!(missing.to_string().contains("`a`"));
    let another = format!("a:{}", STANDARD.encode([1; 32]));
    let another = Keyring::parse(&SecretString::from(another)).unwrap();
    assert!(matches!(without(&another), Err(EnvelopeError::Damaged(_))), "another key under the same name");
}

#[test]
fn a_blob_in_anothers_place_is_found() {
    for encrypted in [false, true] {
        let (version, stored) = sealed(b"content", encrypted);
        let elsewhere = open(&name("other"), &version.blob_key(), Blob::from(stored.clone()), &keyring("ab"));
        assert!(matches!(elsewhere, Err(EnvelopeError::Damaged(words)) if words.contains("of `s` lies in its place")));
        let mut later = version.clone();
        later.key.serial = 8;
        assert!(matches!(opened(&later, stored.clone()), Err(EnvelopeError::Damaged(_))));
        let mut other_tag = version.clone();
        other_tag.blob = BlobTag(1);
        assert!(matches!(opened(&other_tag, stored), Err(EnvelopeError::Damaged(_))));
    }
}

#[test]
fn a_later_format_is_said_to_be_one() {
    let (version, _) = sealed(b"content", false);
    let head = Head { format: 2, state: name("s"), version: version.clone(), nonce: None };
    assert_eq!(opened(&version, front(&head)), Err(EnvelopeError::Format(2)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_damage_goes_unnoticed(
        encrypted: bool,
        content in proptest::collection::vec(any::<u8>(), 0..300),
        at in any::<prop::sample::Index>(),
        bit in 0..8_u32,
        kind in 0..4_u8,
    ) {
        let (version, stored) = sealed(&content, encrypted);
        let mut damaged = stored.to_vec();
        let at = at.index(damaged.len());
        match kind {
            0 => damaged[at] ^= 1 << bit,
            1 => damaged.truncate(at),
            2 => damaged.push(0),
            _ => {
                damaged.remove(at);
            }
        }
        prop_assert!(opened(&version, damaged).is_err());
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let (version, _) = sealed(b"content", true);
        prop_assert!(opened(&version, bytes.clone()).is_err());
        let mut begun = MAGIC.to_vec();
        begun.extend(bytes);
        prop_assert!(opened(&version, begun).is_err());
    }
}
