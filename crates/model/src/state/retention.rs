//! Which versions of a state need not be kept any longer.
//!
//! A version may go when there are too many newer ones, or when it was replaced too long ago. The newest version stays
//! whatever happens, also that of a deleted state, and so does each pinned one.

use jiff::{SignedDuration, Timestamp};

use super::document::{Settings, StateDocument, VERSIONS_MAX};
use super::version::VersionKey;

/// What holds for states whose owner decided nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Defaults {
    /// So many versions are kept, the newest included; pinned ones are not counted. Never more than [`VERSIONS_MAX`].
    pub keep_versions: u32,
    /// For so many days a version that was replaced is kept; for ever, where absent.
    pub keep_days: Option<u32>,
}

impl Default for Defaults {
    /// A hundred versions of any age: the list of them is written anew with each lock, so that it should stay short.
    fn default() -> Self {
        Self { keep_versions: 100, keep_days: None }
    }
}

impl Defaults {
    /// How many versions are kept that are not pinned, the newest included: at least one.
    fn count(&self, settings: &Settings, pinned: usize) -> usize {
        let wished = usize::try_from(settings.keep_versions.unwrap_or(self.keep_versions)).unwrap_or(VERSIONS_MAX);
        wished.min(VERSIONS_MAX.saturating_sub(pinned)).max(1)
    }

    /// What was replaced before this time is not kept; nothing is too old, where absent.
    fn horizon(&self, settings: &Settings, now: Timestamp) -> Option<Timestamp> {
        let days = settings.keep_days.or(self.keep_days)?;
        now.checked_sub(SignedDuration::from_hours(i64::from(days) * 24)).ok()
    }
}

/// The versions that may be dropped now, oldest first.
///
/// A version's age counts from when the next one replaced it: the state as it was at any time of the last `keep_days` can
/// be read, also where it changes rarely. Counted from when it was written, the version before the newest would go the
/// moment it is replaced.
pub fn dropped(document: &StateDocument, defaults: &Defaults, now: Timestamp) -> Vec<VersionKey> {
    let versions = &document.versions;
    let pinned = versions.iter().filter(|version| version.pinned).count();
    let count = defaults.count(&document.settings, pinned);
    let horizon = defaults.horizon(&document.settings, now);
    let mut kept = 0;
    let mut replaced_at = None;
    let mut dropped = Vec::new();
    for version in versions.iter().rev() {
        let is_old = replaced_at.zip(horizon).is_some_and(|(replaced_at, horizon)| replaced_at < horizon);
        let is_newest = replaced_at.is_none();
        if is_newest || (!version.pinned && kept < count && !is_old) {
            kept += usize::from(!version.pinned);
        } else if !version.pinned {
            dropped.push(version.key);
        }
        replaced_at = Some(version.at);
    }
    dropped.reverse();
    dropped
}

#[cfg(test)]
mod tests;
