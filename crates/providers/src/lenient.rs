//! Reading what providers really send, which is not always what they document.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// `null` reads like a missing field.
pub(crate) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// A text; `null`, the empty text and anything that is no text are none.
pub(crate) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) if !text.is_empty() => Some(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    })
}

/// A whole number, also where it is written `12.0` or `"12"`.
pub(crate) fn integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Ok(integer_of(&Value::deserialize(deserializer)?))
}

/// See [`integer`].
pub(crate) fn integer_of(value: &Value) -> Option<i64> {
    match value {
        #[expect(clippy::cast_possible_truncation, reason = "the range is checked: 2^53, where doubles are exact")]
        Value::Number(number) => number.as_i64().or_else(|| {
            number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() <= 9e15).map(|float| float as i64)
        }),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// A point in time; what cannot be read is none.
pub(crate) fn timestamp<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    Ok(text(deserializer)?.and_then(|text| text.trim().parse().ok()))
}

/// A day, from `2026-06-09` or a longer text that begins so; what cannot be read is none.
pub(crate) fn date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Date>, D::Error> {
    Ok(text(deserializer)?.and_then(|text| {
        let day = text.trim().get(..10).and_then(|day| day.parse().ok());
        if day.is_none() {
            tracing::warn!(length = text.len(), "a date from the provider cannot be read and is taken as absent");
        }
        day
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_however_they_are_written() {
        for (written, number) in [
            ("12", Some(12)),
            ("12.0", Some(12)),
            ("\"12\"", Some(12)),
            ("12.5", None),
            ("1e300", None),
            ("null", None),
            ("[]", None),
            ("\"\"", None),
        ] {
            assert_eq!(integer_of(&serde_json::from_str(written).unwrap()), number, "{written}");
        }
    }

    #[test]
    fn times_are_read_however_they_are_written() {
        for written in [
            "\"2021-03-30T11:35:06.177Z\"",
            "\"2021-03-30 11:35:06.177000+00:00\"",
            "\"2021-03-30T11:35:06.177+00:00\"",
        ] {
            let read = timestamp(&mut serde_json::Deserializer::from_str(written)).unwrap();
            assert_eq!(read, Some("2021-03-30T11:35:06.177Z".parse().unwrap()), "{written}");
        }
        for (written, day) in [
            ("\"2026-06-09\"", Some("2026-06-09")),
            ("\"2026-06-09T00:00:00Z\"", Some("2026-06-09")),
            ("\"\"", None),
            ("null", None),
            ("\"soon\"", None),
            ("\"ääääääääää\"", None),
        ] {
            let read = date(&mut serde_json::Deserializer::from_str(written)).unwrap();
            assert_eq!(read, day.map(|day| day.parse().unwrap()), "{written}");
        }
    }
}
