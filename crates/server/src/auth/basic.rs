//! HTTP Basic (RFC 7617) for clients that can send nothing else: the password is the token, the user name is not read.

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::zeroize::Zeroizing;

/// Longer values are not decoded, in bytes.
const VALUE_MAX: usize = 4096;

/// The password, if the request has exactly one `authorization` header and that is a good one of this kind.
pub(super) fn secret(headers: &HeaderMap) -> Option<Zeroizing<String>> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next()?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if values.next().is_some() || !scheme.eq_ignore_ascii_case("basic") || encoded.len() > VALUE_MAX {
        return None;
    }
    let decoded = Zeroizing::new(STANDARD.decode(encoded.trim()).ok()?);
    let (_, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    Some(Zeroizing::new(password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, value.parse().unwrap());
        }
        secret(&headers).map(|secret| secret.to_string())
    }

    #[test]
    fn the_password_is_the_token_whatever_the_user_is_called() {
        for text in ["anybody:alfred_x", ":alfred_x"] {
            assert_eq!(of(&[&format!("Basic {}", STANDARD.encode(text))]).as_deref(), Some("alfred_x"));
        }
        assert_eq!(of(&[&format!("basic {}", STANDARD.encode("a:b:c"))]).as_deref(), Some("b:c"));
    }

    #[test]
    fn anything_else_is_none() {
        let good = format!("Basic {}", STANDARD.encode("a:b"));
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[&good, &good]), None);
        for bad in [
            "Basic",
            "Basic ",
            "Basic !",
            "Bearer x",
            &format!("Basic {}", STANDARD.encode("no colon")),
            &format!("Basic {}", STANDARD.encode([b'a', b':', 0xff])),
        ] {
            assert_eq!(of(&[bad]), None, "{bad}");
        }
        assert_eq!(of(&[&format!("Basic {}", STANDARD.encode(format!("a:{}", "x".repeat(VALUE_MAX))))]), None);
    }
}
