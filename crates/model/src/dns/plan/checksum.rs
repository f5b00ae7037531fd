//! The checksum by which a person approves a plan.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

use super::{Plan, SeenRecord, Step};
use crate::dns::file::WantedRecord;

/// How many bytes of the hash are kept: enough against chance, and short enough to be typed.
const LENGTH: usize = 8;

/// Stands for exactly one plan: what is there, by the records' ids, and what will be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checksum([u8; LENGTH]);

/// Why a text is no checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a checksum is {} of 0-9 and a-f, as `alfred dns plan` prints it", 2 * LENGTH)]
pub struct BadChecksum;

impl Plan<'_> {
    /// The checksum of this plan. Records that stay as they are have no part in it.
    pub fn checksum(&self) -> Checksum {
        let mut hash = Sha256::new();
        for step in &self.steps {
            text(&mut hash, step.action());
            text(&mut hash, step.name().as_str());
            match step {
                Step::Create(record)
                | Step::Update(record, _)
                | Step::Retype(record, _)
                | Step::Unify(record, _)
                | Step::Adopt(record, _) => wanted(&mut hash, record),
                Step::Delete(..) => {}
            }
            step.seen().iter().for_each(|record| seen(&mut hash, record));
        }
        for conflict in &self.conflicts {
            text(&mut hash, "conflict");
            text(&mut hash, conflict.wanted.name.as_str());
            wanted(&mut hash, conflict.wanted);
        }
        let full: [u8; 32] = hash.finalize().into();
        let mut short = [0; LENGTH];
        short.copy_from_slice(&full[..LENGTH]);
        Checksum(short)
    }
}

/// With its length, so that no two lists of texts look the same.
fn text(hash: &mut Sha256, text: &str) {
    hash.update((text.len() as u64).to_be_bytes());
    hash.update(text.as_bytes());
}

fn wanted(hash: &mut Sha256, record: &WantedRecord) {
    text(hash, record.target.kind());
    text(hash, &record.target.to_string());
    hash.update(record.ttl.to_be_bytes());
}

fn seen(hash: &mut Sha256, record: &SeenRecord) {
    let SeenRecord { id, name, kind, content, ttl, proxied, comment, tags: _, read_only: _ } = record;
    for part in [id.as_str(), name, kind, content, comment.as_deref().unwrap_or_default()] {
        text(hash, part);
    }
    hash.update(ttl.to_be_bytes());
    hash.update([u8::from(*proxied)]);
}

impl fmt::Display for Checksum {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl FromStr for Checksum {
    type Err = BadChecksum;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() != 2 * LENGTH || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(BadChecksum);
        }
        let mut bytes = [0; LENGTH];
        for (place, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * place..2 * place + 2], 16).map_err(|_| BadChecksum)?;
        }
        Ok(Self(bytes))
    }
}
