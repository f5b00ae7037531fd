//! Going back, and what is kept.

use alfred_model::state::write::{self, Refusal};
use alfred_model::state::{Settings, StateName, Version, VersionKey};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::change::Change;
use super::{ReadVersion, States};
use crate::envelope;
use crate::error::StateError;

impl States {
    /// Makes the content of an older version the newest again, as a version of its own with a higher serial: clients that
    /// hold a later one see it as a change. Nothing of the content but the serial differs.
    ///
    /// Fails under somebody else's lock, for contents that only the client can read, and across lineages unless the state
    /// is deleted.
    pub async fn roll_back(
        &self,
        state: &StateName,
        to: &VersionKey,
        lock_id: Option<&str>,
        by: &str,
    ) -> Result<Version, StateError> {
        let no_way =
            |words: &str| StateError::NoWayBack { state: state.clone(), version: *to, words: words.to_owned() };
        let document = self.document(state).await?.ok_or_else(|| StateError::NoState(state.clone()))?;
        let Some(ReadVersion { version: old, content }) = self.read_version(state, to).await? else {
            return Err(StateError::NoVersion { state: state.clone(), version: to.to_string() });
        };
        if old.opaque {
            return Err(no_way(
                "its content is encrypted by the client; download it and write it with `tofu state push`",
            ));
        }
        let highest = document.versions.iter().map(|version| version.key.serial).max().unwrap_or(0);
        let serial = highest.checked_add(1).ok_or_else(|| no_way("there is no higher serial left"))?;
        let content = with_serial(&content, serial).ok_or_else(|| no_way("its serial is not to be found"))?;
        let version = Version {
            key: VersionKey { serial, sha256: envelope::checksum(&content) },
            blob: self.new_tag(),
            size: content.len() as u64,
            at: self.seams.clock.now(),
            by: by.to_owned(),
            lock_id: lock_id.map(str::to_owned),
            key_id: self.keyring.writing_id().cloned(),
            pinned: false,
            rolled_back_to: Some(to.serial),
            ..old
        };
        let incoming = write::Incoming { key: version.key, lineage: &version.lineage, lock_id, by };
        self.append(state, &version, content.into(), by, |document, now| {
            match write::decide(document, &incoming, now) {
                Ok(write::Decision::Write) => Ok(Change::Write(())),
                Ok(write::Decision::Same) => Ok(Change::Leave(())),
                Err(Refusal::Lineage { .. }) => Err(no_way("it belongs to another lineage; delete the state first")),
                Err(refusal) => Err(refusal.into()),
            }
        })
        .await?;
        Ok(version)
    }

    /// Keeps a version whatever the retention says, or no longer.
    pub async fn pin(&self, state: &StateName, key: &VersionKey, pinned: bool, by: &str) -> Result<(), StateError> {
        self.change(state, by, |document, _| {
            let Some(version) = document.versions.iter_mut().rev().find(|version| version.key == *key) else {
                return Err(StateError::NoVersion { state: state.clone(), version: key.to_string() });
            };
            let changes = version.pinned != pinned;
            version.pinned = pinned;
            Ok(if changes { Change::Write(()) } else { Change::Leave(()) })
        })
        .await
    }

    /// Replaces what the owner decided. A shorter retention drops versions with the next one that is written.
    pub async fn set_settings(&self, state: &StateName, settings: Settings, by: &str) -> Result<(), StateError> {
        self.change(state, by, |document, _| {
            if document.settings == settings {
                return Ok(Change::Leave(()));
            }
            document.settings = settings.clone();
            Ok(Change::Write(()))
        })
        .await
    }
}

/// The content, which is a JSON object, with another serial and not a byte else changed. Nothing, if it has no serial.
fn with_serial(content: &[u8], serial: u64) -> Option<Vec<u8>> {
    #[derive(Deserialize)]
    struct Serial<'a> {
        #[serde(borrow)]
        serial: &'a RawValue,
    }
    let found: Serial<'_> = serde_json::from_slice(content).ok()?;
    let text = found.serial.get();
    let begin = (text.as_ptr() as usize).checked_sub(content.as_ptr() as usize)?;
    let (before, rest) = content.split_at_checked(begin)?;
    let (_, after) = rest.split_at_checked(text.len())?;
    Some([before, serial.to_string().as_bytes(), after].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_serial_of_the_whole_is_replaced() {
        let content = br#"{ "outputs":{"serial":7}, "serial" : 7 ,"version":4, "x":"\"serial\": 7"}"#;
        let replaced = with_serial(content, 123).unwrap();
        let wanted = br#"{ "outputs":{"serial":7}, "serial" : 123 ,"version":4, "x":"\"serial\": 7"}"#;
        assert_eq!(replaced, wanted);
        for bad in ["", "{}", r#"{"serial":7"#] {
            assert_eq!(with_serial(bad.as_bytes(), 1), None, "{bad}");
        }
    }
}
