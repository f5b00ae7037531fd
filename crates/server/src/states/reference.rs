//! Names of states and of versions in paths and parameters.

use alfred_model::state::{StateDocument, StateName, Version};

use crate::input::shortened;
use crate::problem::{Code, Problem};

/// Reads the name of a state.
pub(crate) fn name(text: &str) -> Result<StateName, Problem> {
    text.parse().map_err(|error| {
        Problem::new(Code::BadStateName, format!("`{}` is no name of a state: {error}", shortened(text)))
    })
}

/// The version that is meant by `7` (the newest with that serial) or by `7-1f2e3d4c` (with the beginning of its checksum).
pub(crate) fn version<'d>(state: &StateName, document: &'d StateDocument, text: &str) -> Result<&'d Version, Problem> {
    let (serial, checksum) = text.split_once('-').unwrap_or((text, ""));
    let is_hexadecimal = checksum.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let serial: Option<u64> =
        Some(serial).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit())).and_then(|text| text.parse().ok());
    let fits = |version: &&Version| {
        Some(version.key.serial) == serial && is_hexadecimal && version.key.sha256.to_string().starts_with(checksum)
    };
    document
        .versions
        .iter()
        .rev()
        .find(fits)
        .ok_or_else(|| Problem::new(Code::VersionNotFound, format!("`{state}` has no version `{}`", shortened(text))))
}

#[cfg(test)]
mod tests {
    use alfred_model::state::{BlobTag, Checksum, VersionKey};
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn a_version_is_meant_by_its_serial_and_told_apart_by_its_checksum() {
        let state: StateName = "a".parse().unwrap();
        let mut document = StateDocument::new();
        for (serial, byte) in [(7, 0xab), (7, 0xcd), (8, 0)] {
            document.versions.push(Version {
                key: VersionKey { serial, sha256: Checksum([byte; 32]) },
                blob: BlobTag(0),
                lineage: String::new(),
                size: 0,
                at: Timestamp::UNIX_EPOCH,
                by: String::new(),
                lock_id: None,
                key_id: None,
                opaque: false,
                pinned: false,
                rolled_back_to: None,
            });
        }
        let found = |text: &str| version(&state, &document, text).map(|version| version.key.sha256.0[0]).ok();
        assert_eq!(
            (found("7"), found("7-ab"), found("7-cdcd"), found("8")),
            (Some(0xcd), Some(0xab), Some(0xcd), Some(0))
        );
        for text in ["", "9", "7-ef", "+7", "7-AB", "-ab", "07-zz", "x"] {
            assert_eq!(found(text), None, "{text}");
        }
    }
}
