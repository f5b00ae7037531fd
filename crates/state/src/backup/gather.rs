//! Going through all states: what has changed since the backup before is copied, what has not is named again.

use std::collections::{HashMap, HashSet, VecDeque};

use alfred_model::state::{BlobKey, StateDocument, StateName, Version};
use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use tokio::sync::Mutex;

use super::contents::{Copied, room};
use super::index::FORMAT;
use super::manifest::{Catalogue, Lacking, Listed, Manifest};
use super::shelf::{Kind, There};
use super::{BackupError, Backups, Entry};
use crate::backend::Backend as _;
use crate::envelope;
use crate::error::StateError;
use crate::mirror::{CopyError, Current, copy};
use crate::room::Room;

/// So many states are looked at at once; each is little more than its document, which has at most 900 KiB.
const AT_ONCE: usize = 8;

/// A pack is written when it is this long, in bytes.
const PACK_MAX: usize = 4 << 20;

/// So many packs of the backup before are kept at hand.
const PACKS_AT_HAND: usize = 4;

/// How often a state is begun again because versions are dropped meanwhile.
const ATTEMPTS: u32 = 16;

/// The backup before, as far as it can be read.
pub(super) struct Previous {
    pub(super) manifest: Manifest,
    catalogue: Catalogue,
    /// Which packs are worth being named again.
    is_worth: Vec<bool>,
    /// States of which something was lacking: it is looked for again.
    lacking: HashSet<StateName>,
    at_hand: Mutex<VecDeque<(BlobKey, Bytes)>>,
}

/// One state of the new backup.
struct Found {
    name: StateName,
    document: Where,
    versions: u64,
    bytes: u64,
    written: u64,
    lacking: Vec<Lacking>,
}

/// Where a state's document is.
enum Where {
    /// Where the backup before has it.
    Before(Listed),
    /// In no pack yet.
    New(Bytes),
}

/// All states of the new backup.
pub(super) struct Gathered {
    pub(super) catalogue: Catalogue,
    pub(super) lacking: Vec<Lacking>,
    pub(super) versions: u64,
    pub(super) bytes: u64,
    pub(super) written: u64,
}

impl Backups {
    /// Reads the backup before.
    pub(super) async fn previous(&self, entry: &Entry) -> Result<Previous, BackupError> {
        let manifest = self.manifest(entry).await?;
        let catalogue = self.catalogue(&manifest).await?;
        let used = catalogue.used();
        // What is mostly of states that have changed since is written anew, so that little is kept for nobody; and so is what
        // is encrypted with an older key.
        let is_worth = |(pack, used): (&Version, &u64)| {
            used.saturating_mul(2) >= pack.size && pack.key_id.as_ref() == self.keyring.writing_id()
        };
        let is_worth = catalogue.packs.iter().zip(&used).map(is_worth).collect();
        let lacking = manifest.lacking.iter().map(|lacking| lacking.state.clone()).collect();
        Ok(Previous { manifest, catalogue, is_worth, lacking, at_hand: Mutex::default() })
    }

    /// Copies what is new and lists every state.
    pub(super) async fn gather(
        &self,
        current: &Current,
        previous: Option<&Previous>,
        there: &There,
        number: u64,
    ) -> Result<Gathered, BackupError> {
        let names = copy::all_states(&*current.primary).await?;
        let before = previous.map(|previous| previous.catalogue.by_name()).unwrap_or_default();
        let room = room();
        let mut packs = Packs::default();
        let mut lacking = Vec::new();
        let (mut versions, mut bytes, mut written) = (0, 0, 0);
        let look = |name: StateName| {
            let before = before.get(&name).map(|listed| (*listed).clone());
            self.look(current, previous, before, name, &room)
        };
        let mut found = futures::stream::iter(names).map(look).buffered(AT_ONCE);
        while let Some(one) = found.next().await {
            let Some(one) = one? else { continue };
            versions += one.versions;
            bytes += one.bytes;
            written += one.written;
            lacking.extend(one.lacking.iter().cloned());
            packs.add(one, previous);
            if packs.open.len() >= PACK_MAX {
                written += self.close_pack(&mut packs, there, number).await?;
            }
        }
        written += self.close_pack(&mut packs, there, number).await?;
        Ok(Gathered { catalogue: packs.into_catalogue(), lacking, versions, bytes, written })
    }

    async fn close_pack(&self, packs: &mut Packs, there: &There, number: u64) -> Result<u64, BackupError> {
        if packs.open.is_empty() {
            return Ok(0);
        }
        let content = std::mem::take(&mut packs.open).freeze();
        let (pack, written) = self.keep(there, Kind::Pack, number, content).await?;
        packs.close(pack);
        Ok(written)
    }

    /// Looks at one state, and copies what the backup before does not have of it. Nothing, if it is gone by now.
    async fn look(
        &self,
        current: &Current,
        previous: Option<&Previous>,
        before: Option<Listed>,
        name: StateName,
        room: &Room,
    ) -> Result<Option<Found>, BackupError> {
        let mut written = 0;
        let mut missed: Option<BlobKey> = None;
        for _ in 0..ATTEMPTS {
            let Some(found) = current.primary.document(&name).await? else { return Ok(None) };
            let raw = found.content;
            let sha256 = envelope::checksum(&raw);
            if let Some((previous, before)) = previous.zip(before.as_ref())
                && before.sha256 == sha256
                && previous.has_whole(before)
            {
                let (versions, bytes) = (before.versions, before.bytes);
                let document = Where::Before(before.clone());
                return Ok(Some(Found { name, document, versions, bytes, written: 0, lacking: Vec::new() }));
            }
            let document = match StateDocument::parse(&raw) {
                Ok(document) => document,
                Err(words) => {
                    let lacking = vec![Lacking { state: name.clone(), version: None, words }];
                    let document = Where::New(raw);
                    return Ok(Some(Found { name, document, versions: 0, bytes: 0, written, lacking }));
                }
            };
            let known = self.known(previous, before.as_ref()).await?;
            let new = document.versions.iter().filter(|version| !known.contains(&version.blob_key()));
            // Where one is gone, the document as it is now tells whether it was dropped, or is lost.
            if let Some((bytes_written, lacking)) = self.copy_new(current, &name, new, &mut missed, room).await? {
                written += bytes_written;
                let versions = document.versions.len() as u64;
                let bytes = document.versions.iter().map(|version| version.size).sum();
                return Ok(Some(Found { name, document: Where::New(raw), versions, bytes, written, lacking }));
            }
        }
        Err(StateError::from(CopyError::Busy(name)).into())
    }

    /// Copies contents of a state. Answers how many bytes were written, and what is lacking; nothing, if one is gone for the
    /// first time: then it is the one that was `missed`.
    async fn copy_new(
        &self,
        current: &Current,
        name: &StateName,
        new: impl Iterator<Item = &Version> + Send,
        missed: &mut Option<BlobKey>,
        room: &Room,
    ) -> Result<Option<(u64, Vec<Lacking>)>, BackupError> {
        let (mut written, mut lacking) = (0, Vec::new());
        for version in new {
            let lack = |words: String| Lacking { state: name.clone(), version: Some(version.key), words };
            match self.copy_content(&*current.primary, name, version, room).await? {
                Copied::There(bytes) => written += bytes,
                Copied::Damaged(words) => lacking.push(lack(words)),
                Copied::Gone if *missed == Some(version.blob_key()) => {
                    lacking.push(lack("its content is not there".to_owned()));
                }
                Copied::Gone => {
                    *missed = Some(version.blob_key());
                    return Ok(None);
                }
            }
        }
        Ok(Some((written, lacking)))
    }

    /// The contents that the backup before has of a state: they were read back when they came.
    async fn known(
        &self,
        previous: Option<&Previous>,
        before: Option<&Listed>,
    ) -> Result<HashSet<BlobKey>, BackupError> {
        let Some((previous, before)) = previous.zip(before) else { return Ok(HashSet::new()) };
        let Some(pack) = previous.catalogue.pack(before) else { return Ok(HashSet::new()) };
        let content = match previous.pack_at_hand(self, pack).await {
            Ok(content) => content,
            Err(BackupError::Backend(error)) => return Err(error.into()),
            Err(error) => {
                tracing::warn!(state = %before.name, %error, "a state of the backup before cannot be read; all of it is compared");
                return Ok(HashSet::new());
            }
        };
        let lacking = |key: &BlobKey| {
            let is_it =
                |one: &Lacking| one.state == before.name && one.version.is_none_or(|version| version == key.version);
            previous.manifest.lacking.iter().any(is_it)
        };
        // A document that cannot be read says nothing: everything is compared anew.
        let document = self.document_in(&content, before).unwrap_or_default();
        Ok(document.versions.iter().map(Version::blob_key).filter(|key| !lacking(key)).collect())
    }
}

impl Previous {
    /// Whether a state may be named again as it is.
    fn has_whole(&self, before: &Listed) -> bool {
        self.is_worth.get(before.pack).is_some_and(|is_worth| *is_worth) && !self.lacking.contains(&before.name)
    }

    async fn pack_at_hand(&self, backups: &Backups, pack: &Version) -> Result<Bytes, BackupError> {
        let mut at_hand = self.at_hand.lock().await;
        let key = pack.blob_key();
        if let Some((_, content)) = at_hand.iter().find(|(other, _)| *other == key) {
            return Ok(content.clone());
        }
        let content = backups.pack(pack).await?;
        if at_hand.len() == PACKS_AT_HAND {
            at_hand.pop_front();
        }
        at_hand.push_back((key, content.clone()));
        Ok(content)
    }
}

/// The packs of the new backup: some of the backup before, and new ones.
#[derive(Default)]
struct Packs {
    all: Vec<Version>,
    /// Where the packs of the backup before are among them.
    kept: HashMap<usize, usize>,
    states: Vec<Listed>,
    /// The documents of the pack that is being filled.
    open: BytesMut,
    /// Their states.
    waiting: Vec<usize>,
}

impl Packs {
    fn add(&mut self, found: Found, previous: Option<&Previous>) {
        let listed = match (found.document, previous) {
            (Where::Before(listed), Some(previous)) => {
                let pack = *self.kept.entry(listed.pack).or_insert_with(|| {
                    self.all.extend(previous.catalogue.pack(&listed).cloned());
                    self.all.len() - 1
                });
                Listed { pack, ..listed }
            }
            // There is none that it could be in.
            (Where::Before(_), None) => return,
            (Where::New(raw), _) => {
                self.waiting.push(self.states.len());
                let offset = self.open.len() as u64;
                self.open.extend_from_slice(&raw);
                Listed {
                    name: found.name,
                    sha256: envelope::checksum(&raw),
                    pack: usize::MAX,
                    offset,
                    length: raw.len() as u64,
                    versions: found.versions,
                    bytes: found.bytes,
                }
            }
        };
        self.states.push(listed);
    }

    fn close(&mut self, pack: Version) {
        self.all.push(pack);
        for index in self.waiting.drain(..) {
            self.states[index].pack = self.all.len() - 1;
        }
    }

    fn into_catalogue(self) -> Catalogue {
        Catalogue { format: FORMAT, packs: self.all, states: self.states }
    }
}
