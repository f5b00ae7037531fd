//! Paging: how much at once, and where the next page begins.

use alfred_model::id::EnvironmentId;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use crate::input::bad_parameter;
use crate::problem::Problem;

/// As many as a page has, where the client does not say.
pub(crate) const LIMIT_USUAL: usize = 100;

/// As many as a page can have.
pub(crate) const LIMIT_MAX: usize = 1000;

/// Reads the size of a page.
pub(crate) fn limit(asked: Option<usize>) -> Result<usize, Problem> {
    match asked {
        None => Ok(LIMIT_USUAL),
        Some(limit) if (1..=LIMIT_MAX).contains(&limit) => Ok(limit),
        Some(limit) => Err(bad_parameter(&format!("`limit` must be from 1 to {LIMIT_MAX}, not {limit}"))),
    }
}

/// The cursor of the page after this environment. Its form is ours alone and may change.
pub(crate) fn cursor_after(id: EnvironmentId) -> String {
    URL_SAFE_NO_PAD.encode(id.0.as_bytes())
}

/// Reads a cursor.
pub(crate) fn read_cursor(text: &str) -> Result<EnvironmentId, Problem> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
    bytes.map(|bytes| EnvironmentId(Uuid::from_bytes(bytes))).ok_or_else(|| {
        bad_parameter("`cursor` is none of ours").hint("send the `next_cursor` of the page before, unchanged")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_back_to_its_environment() {
        for id in [0, 1, u128::MAX, 0x0192_6f3c_7a1b_7c3d_9e4f_5a6b_7c8d_9e0f] {
            let id = EnvironmentId(Uuid::from_u128(id));
            assert_eq!(read_cursor(&cursor_after(id)).unwrap(), id);
        }
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        for text in ["", "!", "AAAA", "AAAAAAAAAAAAAAAAAAAAAAA", "01926f3c-7a1b-7c3d-9e4f-5a6b7c8d9e0f"] {
            assert!(read_cursor(text).is_err(), "{text}");
        }
    }

    #[test]
    fn limits_are_bounded_on_both_sides() {
        assert_eq!(limit(None).unwrap(), LIMIT_USUAL);
        assert_eq!(limit(Some(1)).unwrap(), 1);
        assert_eq!(limit(Some(LIMIT_MAX)).unwrap(), LIMIT_MAX);
        assert!(limit(Some(0)).is_err());
        assert!(limit(Some(LIMIT_MAX + 1)).is_err());
    }
}
