//! Reading every version back.

use std::collections::HashSet;

use alfred_model::state::{BlobKey, StateName, Version, VersionKey};
use futures::StreamExt as _;

use super::States;
use crate::backend::{Backend as _, BlobEntry};
use crate::error::StateError;

/// So many versions are read at once: each is held in memory whole.
const AT_ONCE: usize = 2;

/// What reading every version of a state back showed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Versions that are what was written.
    pub good: usize,
    /// Their length, in bytes.
    pub bytes: u64,
    /// Versions that are not, or cannot be read.
    pub problems: Vec<VersionProblem>,
    /// Contents that no version has: what a crash left between writing and acknowledging, or a deletion that failed. Under
    /// way, perhaps, at this moment.
    pub left_over: Vec<BlobEntry>,
}

/// A version that was acknowledged and cannot be read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionProblem {
    /// Which.
    pub version: VersionKey,
    /// What is wrong, for people.
    pub words: String,
}

impl States {
    /// Reads every version back, and compares all of it with what was written. A store that does not answer is an error,
    /// not a finding.
    pub async fn verify(&self, state: &StateName) -> Result<VerifyReport, StateError> {
        let mut report = VerifyReport { left_over: self.left_over(state).await?, ..VerifyReport::default() };
        let current = self.stores.current().await?;
        let document = self.document(state).await?.unwrap_or_default();
        let checked: Vec<(&Version, Result<bool, StateError>)> = futures::stream::iter(0..document.versions.len())
            // By number: a closure over references cannot be seen to be `Send` by the routes that await this.
            .map(|index| {
                let (version, current) = (&document.versions[index], &current);
                async move { (version, self.content(current, state, version).await.map(|content| content.is_some())) }
            })
            .buffered(AT_ONCE)
            .collect()
            .await;
        let mut missing = Vec::new();
        for (version, result) in checked {
            match result {
                Ok(true) => {
                    report.good += 1;
                    report.bytes += version.size;
                }
                Ok(false) => missing.push(version),
                Err(StateError::Backend(error)) => return Err(error.into()),
                Err(error) => report.problems.push(VersionProblem { version: version.key, words: error.to_string() }),
            }
        }
        if !missing.is_empty() {
            // What was dropped meanwhile is not lost.
            let now = self.document(state).await?.unwrap_or_default();
            let named: HashSet<BlobKey> = now.versions.iter().map(Version::blob_key).collect();
            let lost = missing.into_iter().filter(|version| named.contains(&version.blob_key()));
            report.problems.extend(lost.map(|version| VersionProblem {
                version: version.key,
                words: format!("version {} of `{state}` is lost: its content is not there", version.key),
            }));
        }
        Ok(report)
    }

    /// Contents that no version has now.
    pub(super) async fn left_over(&self, state: &StateName) -> Result<Vec<BlobEntry>, StateError> {
        let current = self.stores.current().await?;
        // The blobs are listed first: what is written meanwhile is then in the document, and not taken for left over.
        let mut blobs = current.primary.blobs(state).await?;
        let document = self.document(state).await?.unwrap_or_default();
        let named: HashSet<BlobKey> = document.versions.iter().map(Version::blob_key).collect();
        blobs.retain(|blob| !named.contains(&blob.key));
        Ok(blobs)
    }
}
