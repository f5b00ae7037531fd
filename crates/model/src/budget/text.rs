//! A ledger as text, so that replicas can share it.
//!
//! The text is JSON, some hundred bytes and never more than [`TEXT_MAX`]. Whatever cannot be read is an error: a ledger
//! that was taken for empty would grant every call a second time.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ledger::{Block, CEILINGS_MAX, Ceiling, LENGTH_MAX, Ledger, NAME_MAX, Slot};

/// Most bytes of a ledger's text.
const TEXT_MAX: usize = 16 * 1024;

/// A ledger has some sixty slots; the rest is for clocks that are set back and forth.
const SLOTS_MAX: usize = 128;

/// More calls than this in a slot, or slots beyond this number, are not of our making.
const CALLS_MAX: u32 = 1_000_000;
const SLOT_MAX: i64 = 50_000_000_000;

const VERSION: u32 = 1;

/// Why a text is no ledger.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the ledger of the API budget cannot be read: {words}")]
pub struct UnreadableLedger {
    words: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    version: u32,
    /// Number, then calls by priority.
    slots: Vec<(i64, u32, u32, u32, u32)>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    ceilings: BTreeMap<String, CeilingText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    block: Option<BlockText>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CeilingText {
    remaining: u32,
    until: Timestamp,
    /// In milliseconds.
    length: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BlockText {
    until: Timestamp,
    /// In milliseconds.
    length: u64,
}

impl Ledger {
    /// The ledger as text.
    pub fn to_text(&self) -> String {
        let slots = self.slots.iter().map(|slot| {
            let [deletion, new_name, read, audit] = slot.calls;
            (slot.number, deletion, new_name, read, audit)
        });
        let ceilings = self.ceilings.iter().map(|(name, ceiling)| {
            let Ceiling { remaining, until, length } = *ceiling;
            (name.clone(), CeilingText { remaining, until, length: milliseconds(length) })
        });
        let block = self.block.as_ref();
        let text = Text {
            version: VERSION,
            slots: slots.collect(),
            ceilings: ceilings.collect(),
            block: block.map(|block| BlockText { until: block.until, length: milliseconds(block.length) }),
        };
        serde_json::to_string(&text).expect("its keys are texts, which JSON can hold")
    }

    /// The ledger that [`Ledger::to_text`] wrote. Anything else is an error.
    pub fn from_text(text: &str) -> Result<Self, UnreadableLedger> {
        if text.len() > TEXT_MAX {
            return Err(unreadable(format!("it has {} bytes, more than {TEXT_MAX}", text.len())));
        }
        let text: Text = serde_json::from_str(text).map_err(|error| unreadable(error.to_string()))?;
        if text.version != VERSION {
            return Err(unreadable(format!("it has version {}, this program knows {VERSION}", text.version)));
        }
        let slots: Vec<Slot> = text
            .slots
            .into_iter()
            .map(|(number, deletion, new_name, read, audit)| Slot { number, calls: [deletion, new_name, read, audit] })
            .collect();
        check_slots(&slots)?;
        if text.ceilings.len() > CEILINGS_MAX || text.ceilings.keys().any(|name| name.chars().count() > NAME_MAX) {
            return Err(unreadable("it has too many counts of the server's, or too long names of them".to_owned()));
        }
        let ceilings = text.ceilings.into_iter().map(|(name, CeilingText { remaining, until, length })| {
            Ok((name, Ceiling { remaining, until, length: duration(length)? }))
        });
        let block = text.block.map(|BlockText { until, length }| Ok(Block { until, length: duration(length)? }));
        Ok(Self { slots: slots.into(), ceilings: ceilings.collect::<Result<_, _>>()?, block: block.transpose()? })
    }
}

fn check_slots(slots: &[Slot]) -> Result<(), UnreadableLedger> {
    let ordered = slots.is_sorted_by(|one, next| one.number < next.number);
    let plausible = |slot: &Slot| {
        (-SLOT_MAX..=SLOT_MAX).contains(&slot.number) && slot.calls.iter().all(|calls| *calls <= CALLS_MAX)
    };
    if slots.len() > SLOTS_MAX || !ordered || !slots.iter().all(plausible) {
        return Err(unreadable("its slots are too many, out of order or out of range".to_owned()));
    }
    Ok(())
}

fn milliseconds(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

fn duration(milliseconds: u64) -> Result<Duration, UnreadableLedger> {
    let length = Duration::from_millis(milliseconds);
    if length > LENGTH_MAX {
        return Err(unreadable(format!("it has a span of {} s", length.as_secs())));
    }
    Ok(length)
}

fn unreadable(words: String) -> UnreadableLedger {
    UnreadableLedger { words }
}
