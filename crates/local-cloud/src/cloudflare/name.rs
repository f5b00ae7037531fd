//! Names of records and hosts: which are accepted, and the one form in which they are kept.
//!
//! Kept names are lower case, in Punycode and without a final dot.

use hickory_proto::rr::Name;

use super::error::ApiError;

/// Characters in a name. <https://www.rfc-editor.org/rfc/rfc1035#section-2.3.4>
const NAME_LIMIT: usize = 253;
const LABEL_LIMIT: usize = 63;

/// The full name that a request means in a zone.
///
/// `@` is the zone itself. A name that does not end with the zone's is relative to it, as on the platform, also when
/// it looks like another domain; one with a final dot is absolute and must lie in the zone.
pub(crate) fn in_zone(given: &str, zone: &str) -> Result<String, ApiError> {
    let given = given.trim();
    if given == "@" {
        return Ok(zone.to_owned());
    }
    let (given, absolute) = match given.strip_suffix('.') {
        Some(given) => (given, true),
        None => (given, false),
    };
    let folded = fold(given).ok_or_else(invalid)?;
    let full = if is_in(&folded, zone) {
        folded
    } else if absolute {
        return Err(invalid());
    } else {
        format!("{folded}.{zone}")
    };
    let wildcard_removed = full.strip_prefix("*.").unwrap_or(&full);
    if full.len() > NAME_LIMIT || !wildcard_removed.split('.').all(is_label) {
        return Err(invalid());
    }
    Ok(full)
}

/// Whether `name` is `zone` or below it.
pub(crate) fn is_in(name: &str, zone: &str) -> bool {
    name.strip_suffix(zone).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// The name of a host as content, or `None` if it cannot be one.
pub(crate) fn host(given: &str) -> Option<String> {
    let folded = fold(given.strip_suffix('.').unwrap_or(given))?;
    (folded.len() <= NAME_LIMIT && folded.split('.').all(is_label)).then_some(folded)
}

fn is_label(label: &str) -> bool {
    !label.is_empty()
        && label.len() <= LABEL_LIMIT
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

fn fold(given: &str) -> Option<String> {
    if given.is_empty() || given.len() > 4 * NAME_LIMIT {
        return None;
    }
    if given.is_ascii() {
        return Some(given.to_ascii_lowercase());
    }
    let name = Name::from_utf8(given).ok()?;
    Some(name.to_ascii().trim_end_matches('.').to_ascii_lowercase())
}

fn invalid() -> ApiError {
    ApiError::validation(9000, "DNS name is invalid.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_completed_folded_and_encoded() {
        for (given, full) in [
            ("@", "alfredos.site"),
            ("ALFREDOS.site", "alfredos.site"),
            ("Brave-Tiger", "brave-tiger.alfredos.site"),
            ("a.b.alfredos.SITE.", "a.b.alfredos.site"),
            ("*.x", "*.x.alfredos.site"),
            ("*", "*.alfredos.site"),
            ("bücher", "xn--bcher-kva.alfredos.site"),
            ("www.example.org", "www.example.org.alfredos.site"),
            ("notalfredos.site", "notalfredos.site.alfredos.site"),
            ("_acme-challenge", "_acme-challenge.alfredos.site"),
        ] {
            assert_eq!(in_zone(given, "alfredos.site").unwrap(), full, "{given}");
        }
    }

    #[test]
    fn impossible_names_are_refused() {
        let long_label = "a".repeat(64);
        let long_name = vec!["abcdefg"; 40].join(".");
        for given in
            ["", ".", "a..b", "www.example.org.", "a b", "x.*", "a*", long_label.as_str(), long_name.as_str(), "a/b"]
        {
            assert_eq!(in_zone(given, "alfredos.site").unwrap_err().codes(), (1004, Some(9000)), "{given}");
        }
    }
}
