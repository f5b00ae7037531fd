//! Lengths of life as people type them: `8h`, `90m`, `1d 12h`, `2w`, or `never`.

use std::str::FromStr;
use std::time::Duration;

use jiff::{Span, SpanRelativeTo};

/// How long something lives; for ever, where absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ttl(pub(crate) Option<Duration>);

/// Why a text is no length of life.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a time to live is a length such as `8h`, `90m`, `1d 12h` or `2w`, or `never`")]
pub(crate) struct BadTtl;

impl FromStr for Ttl {
    type Err = BadTtl;

    fn from_str(text: &str) -> Result<Self, BadTtl> {
        if text == "never" {
            return Ok(Self(None));
        }
        let span: Span = text.parse().map_err(|_| BadTtl)?;
        // A month has no length of its own, and nobody should have to guess which one was meant.
        let length = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| BadTtl)?;
        let length = Duration::try_from(length).map_err(|_| BadTtl)?;
        if length.is_zero() { Err(BadTtl) } else { Ok(Self(Some(Duration::from_secs(length.as_secs().max(1))))) }
    }
}

/// As the server takes it: seconds, or null for no end.
impl serde::Serialize for Ttl {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.map(|length| length.as_secs()).serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_read_as_people_type_them() {
        for (text, seconds) in [
            ("8h", 28_800),
            ("90m", 5_400),
            ("1d 12h", 129_600),
            ("1d12h", 129_600),
            ("2w", 1_209_600),
            ("PT8H", 28_800),
            ("45s", 45),
        ] {
            let read: Ttl = text.parse().unwrap();
            assert_eq!(serde_json::json!(read), seconds, "{text}");
        }
        assert!(serde_json::json!("never".parse::<Ttl>().unwrap()).is_null());
        for bad in ["", "8", "0h", "-8h", "8h ago", "1mo", "1y", "soon", "Never", "8 apples", "99999999999999999999h"] {
            assert_eq!(bad.parse::<Ttl>(), Err(BadTtl), "{bad}");
        }
    }
}
