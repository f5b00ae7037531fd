//! The secret of an access token: how it is made, how it looks and how it is hashed.

use alfred_model::seam::Random;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;
use sha2::{Digest, Sha256};

/// Every secret begins so, for people and for scanners of leaked secrets.
const PREFIX: &str = "alfred_";

/// 256 bits, so that a fast hash is enough: such a secret cannot be guessed from its hash.
const BYTES: usize = 32;

/// The same in base64url without padding.
const ENCODED: usize = 43;

/// A new secret and its hash.
pub(crate) fn mint(random: &dyn Random) -> (SecretString, String) {
    let mut bytes = [0; BYTES];
    random.fill(&mut bytes);
    let secret = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes));
    let hash = hash(&secret);
    (SecretString::from(secret), hash)
}

/// Whether a text has the form of a secret; others need not be looked up.
pub(crate) fn has_form(text: &str) -> bool {
    text.strip_prefix(PREFIX).is_some_and(|encoded| {
        encoded.len() == ENCODED
            && encoded.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    })
}

/// SHA-256 in lower-case hexadecimal.
pub(crate) fn hash(secret: &str) -> String {
    hexadecimal(&Sha256::digest(secret))
}

/// Bytes in lower-case hexadecimal.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    struct Counting;

    impl Random for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            for (index, byte) in bytes.iter_mut().enumerate() {
                *byte = u8::try_from(index).unwrap();
            }
        }
    }

    #[test]
    fn a_minted_secret_has_the_form_and_the_hash_it_is_found_by() {
        let (secret, hashed) = mint(&Counting);
        assert_eq!(secret.expose_secret(), "alfred_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8");
        assert!(has_form(secret.expose_secret()));
        assert_eq!(hashed, hash(secret.expose_secret()));
    }

    #[test]
    fn hashes_are_sha_256_in_lower_case_hexadecimal() {
        // The example of FIPS 180-4 for the message `abc`.
        assert_eq!(hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn what_does_not_have_the_form_is_not_looked_up() {
        let good = format!("alfred_{}", "a".repeat(43));
        assert!(has_form(&good));
        for bad in
            ["", "alfred_", "alfred_short", &good[1..], &format!("{good}a"), &format!("alfred_{}", "é".repeat(21))]
        {
            assert!(!has_form(bad), "{bad}");
        }
    }
}
