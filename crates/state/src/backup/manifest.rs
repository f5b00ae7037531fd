//! What one backup consists of.
//!
//! The manifest is small and its own; the list of states is shared by all backups between which no state changed, and so are
//! packs of documents. A document's place in a pack is its name: two backups that name the same place have the same document.

use std::collections::HashMap;

use alfred_model::id::InstallationId;
use alfred_model::state::{BlobTag, Checksum, StateName, Version, VersionKey};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub(super) format: u32,
    pub(super) number: u64,
    pub(super) installation: InstallationId,
    pub(super) begun_at: Timestamp,
    /// Where the states were kept.
    pub(super) source: String,
    /// Where else, if two stores mirrored each other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) mirror: Option<String>,
    /// How often the store of states had changed then.
    pub(super) epoch: u64,
    /// The list of states.
    pub(super) catalogue: Version,
    /// Alfred's own records, in order; nothing, where they were not backed up.
    pub(super) records: Option<Vec<Version>>,
    /// What could not be copied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) lacking: Vec<Lacking>,
}

impl Manifest {
    /// The length of alfred's own records, in bytes.
    pub(super) fn records_length(&self) -> Option<u64> {
        Some(self.records.as_ref()?.iter().map(|part| part.size).sum())
    }
}

/// Something that could not be backed up, because it is damaged where it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lacking {
    /// Of which state.
    pub state: StateName,
    /// Which version; all of them, where the state's document cannot be read.
    pub version: Option<VersionKey>,
    /// What is wrong, for people.
    pub words: String,
}

/// The list of states.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Catalogue {
    pub(super) format: u32,
    /// Where the documents are.
    pub(super) packs: Vec<Version>,
    /// By name.
    pub(super) states: Vec<Listed>,
}

/// One state in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Listed {
    pub(super) name: StateName,
    /// Of its document.
    pub(super) sha256: Checksum,
    /// In which of the packs it is.
    pub(super) pack: usize,
    /// Where it begins in there, in bytes.
    pub(super) offset: u64,
    /// Its length, in bytes.
    pub(super) length: u64,
    /// Versions that it lists.
    pub(super) versions: u64,
    /// Their length, in bytes.
    pub(super) bytes: u64,
}

/// The place of a document: no other document is ever there.
pub(super) type DocumentPlace = (BlobTag, u64);

impl Catalogue {
    /// The pack of a state's document; nothing, in a list that contradicts itself.
    pub(super) fn pack(&self, listed: &Listed) -> Option<&Version> {
        self.packs.get(listed.pack)
    }

    /// Where a state's document is.
    pub(super) fn place(&self, listed: &Listed) -> Option<DocumentPlace> {
        Some((self.pack(listed)?.blob, listed.offset))
    }

    /// Each pack with the states whose documents are in it, in the order of the packs.
    pub(super) fn by_pack(&self) -> Vec<(&Version, Vec<&Listed>)> {
        let mut all: Vec<(&Version, Vec<&Listed>)> = self.packs.iter().map(|pack| (pack, Vec::new())).collect();
        for listed in &self.states {
            if let Some((_, states)) = all.get_mut(listed.pack) {
                states.push(listed);
            }
        }
        all
    }

    /// The states by their names.
    pub(super) fn by_name(&self) -> HashMap<&StateName, &Listed> {
        self.states.iter().map(|listed| (&listed.name, listed)).collect()
    }

    /// So many bytes of each pack are used.
    pub(super) fn used(&self) -> Vec<u64> {
        let mut used = vec![0; self.packs.len()];
        for listed in &self.states {
            if let Some(sum) = used.get_mut(listed.pack) {
                *sum += listed.length;
            }
        }
        used
    }
}
