//! What is to be done so that a zone holds what is wanted, and what must not be done.
//!
//! The records of a zone are shown one by one ([`Planner::see`]) and kept only where something is to be done about them:
//! a zone of a hundred thousand records that are all right leaves nothing behind. The plan is plain data. What is shown
//! to a person, what is approved by its checksum and what is carried out are the same value.
//!
//! | at the name | plan |
//! |---|---|
//! | nothing | create |
//! | ours, as wanted | nothing |
//! | ours, another content, time to live, or proxied | update by id |
//! | ours, of the other type | retype, in one write |
//! | ours, several | keep one, delete the others |
//! | one A or CNAME that is not ours, to be adopted | adopt, by id |
//! | anything else that answers and is not ours | a conflict: left as it is |
//! | ours, not wanted | delete, if pruning; counted otherwise |

mod checksum;
mod decide;

use std::borrow::Cow;
use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::file::WantedRecord;
use crate::id::RecordId;
use crate::name::DomainName;
use crate::record::{Mark, OwnerName};

pub use checksum::Checksum;

/// A record of the zone, as long as it is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Glance<'a> {
    /// The provider's id of it.
    pub id: &'a str,
    /// The full name, as the provider writes it.
    pub name: &'a str,
    /// The type, such as `A`.
    pub kind: &'a str,
    /// What it answers with.
    pub content: &'a str,
    /// Time to live in seconds.
    pub ttl: u32,
    /// Whether a proxy answers in its place.
    pub proxied: bool,
    /// The comment.
    pub comment: Option<&'a str>,
}

/// A record of the zone that the plan has something to say about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenRecord {
    /// The provider's id of it.
    pub id: RecordId,
    /// The full name, as the provider writes it.
    pub name: String,
    /// The type, such as `A`.
    pub kind: String,
    /// What it answers with.
    pub content: String,
    /// Time to live in seconds.
    pub ttl: u32,
    /// Whether a proxy answers in its place.
    pub proxied: bool,
    /// The comment.
    pub comment: Option<String>,
    /// The tags.
    pub tags: Vec<String>,
    /// Whether another product of the provider keeps it.
    pub read_only: bool,
}

impl SeenRecord {
    /// The mark, if it carries one that is intact and made for this very name.
    pub fn mark(&self) -> Option<Mark> {
        Mark::read(self.comment.as_deref()?, &self.name.parse().ok()?)
    }
}

/// What is done at one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step<'a> {
    /// Nothing is there: the record is created.
    Create(&'a WantedRecord),
    /// Ours is brought to what is wanted; the first is changed, any others are doubles of ours and are deleted.
    Update(&'a WantedRecord, Vec<SeenRecord>),
    /// As [`Step::Update`], and its type changes.
    Retype(&'a WantedRecord, Vec<SeenRecord>),
    /// Ours is right already; doubles of it, which are all but the first, are deleted.
    Unify(&'a WantedRecord, Vec<SeenRecord>),
    /// Somebody else's record becomes ours.
    Adopt(&'a WantedRecord, Vec<SeenRecord>),
    /// Ours is not wanted any more.
    Delete(DomainName, Vec<SeenRecord>),
}

impl Step<'_> {
    /// The name.
    pub fn name(&self) -> &DomainName {
        match self {
            Self::Create(wanted)
            | Self::Update(wanted, _)
            | Self::Retype(wanted, _)
            | Self::Unify(wanted, _)
            | Self::Adopt(wanted, _) => &wanted.name,
            Self::Delete(name, _) => name,
        }
    }

    /// The word for it, for machines.
    pub const fn action(&self) -> &'static str {
        match self {
            Self::Create(_) => "create",
            Self::Update(..) => "update",
            Self::Retype(..) => "retype",
            Self::Unify(..) => "unify",
            Self::Adopt(..) => "adopt",
            Self::Delete(..) => "delete",
        }
    }

    /// The zone's records at the name that it was decided by.
    pub fn seen(&self) -> &[SeenRecord] {
        match self {
            Self::Create(_) => &[],
            Self::Update(_, seen)
            | Self::Retype(_, seen)
            | Self::Unify(_, seen)
            | Self::Adopt(_, seen)
            | Self::Delete(_, seen) => seen,
        }
    }

    /// How many records it deletes.
    pub fn deletions(&self) -> usize {
        match self {
            Self::Delete(_, seen) => seen.len(),
            _ => self.seen().len().saturating_sub(1),
        }
    }
}

/// A wanted record that cannot be had, because of something that is not ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict<'a> {
    /// What was wanted.
    pub wanted: &'a WantedRecord,
    /// What is in the way, and what to do.
    pub reason: String,
}

/// What is to be done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan<'a> {
    /// By name: first those that are deleted, then the others.
    pub steps: Vec<Step<'a>>,
    /// What is wanted and is left as it is, by name.
    pub conflicts: Vec<Conflict<'a>>,
    /// How many records are as wanted already.
    pub unchanged: u64,
    /// How many records of this owner are not wanted and are kept, because nothing is pruned.
    pub unlisted: u64,
    /// How many records of this owner the zone holds.
    pub owned: u64,
    /// How many records the zone holds.
    pub total: u64,
}

impl Plan<'_> {
    /// How many records it deletes.
    pub fn deletions(&self) -> u64 {
        self.steps.iter().map(|step| step.deletions() as u64).sum()
    }

    /// How many records it creates.
    pub fn creations(&self) -> u64 {
        self.steps.iter().filter(|step| matches!(step, Step::Create(_))).count() as u64
    }
}

/// What may be done beyond what is ours and wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Leave {
    /// A single record that is not ours may become ours.
    pub adopt: bool,
    /// What is ours and not wanted goes.
    pub prune: bool,
}

/// Compares what is wanted with the records of a zone.
#[derive(Debug)]
pub struct Planner<'a> {
    wanted: &'a [WantedRecord],
    places: HashMap<&'a str, usize, RandomState>,
    mark: Mark,
    prefix: String,
    leave: Leave,
    /// The ids of records that are as wanted, one after another, and where each wanted record's begins.
    right_ids: String,
    right: Vec<Option<(u32, u8)>>,
    /// Everything else that matters at a wanted name.
    others: HashMap<usize, Vec<SeenRecord>, RandomState>,
    unwanted: HashMap<DomainName, Vec<SeenRecord>, RandomState>,
    unlisted: u64,
    owned: u64,
    total: u64,
}

impl<'a> Planner<'a> {
    /// A planner that has seen nothing yet. `wanted` has each name once.
    pub fn new(wanted: &'a [WantedRecord], owner: &OwnerName, leave: Leave) -> Self {
        let mut places = HashMap::with_capacity_and_hasher(wanted.len(), RandomState::default());
        places.extend(wanted.iter().enumerate().map(|(place, record)| (record.name.as_str(), place)));
        Self {
            wanted,
            places,
            prefix: Mark::owner_prefix(owner),
            mark: Mark::Owner(owner.clone()),
            leave,
            right_ids: String::new(),
            right: vec![None; wanted.len()],
            others: HashMap::default(),
            unwanted: HashMap::default(),
            unlisted: 0,
            owned: 0,
            total: 0,
        }
    }

    /// Takes note of a record; `copy` is called only for one that must be kept.
    pub fn see(&mut self, record: &Glance<'_>, copy: impl FnOnce() -> Option<SeenRecord>) {
        self.total += 1;
        let marked = record.comment.is_some_and(|comment| comment.starts_with(&self.prefix));
        let place = self.places.get(&*bare_name(record.name)).copied();
        let Some(place) = place else {
            if marked {
                self.see_unwanted(record, copy);
            }
            return;
        };
        let wanted = &self.wanted[place];
        let ours = marked && record.comment.is_some_and(|comment| self.mark.is_in(comment, &wanted.name));
        self.owned += u64::from(ours);
        if ours && self.right[place].is_none() && is_right(wanted, record) {
            self.right[place] = self.remember_id(record.id);
            if self.right[place].is_some() {
                return;
            }
        }
        if (ours || decide::answers(record.kind))
            && let Some(kept) = copy()
        {
            self.others.entry(place).or_default().push(kept);
        }
    }

    /// The plan, once every record of the zone was seen.
    pub fn finish(mut self) -> Plan<'a> {
        let mut unwanted: Vec<(DomainName, Vec<SeenRecord>)> = self.unwanted.drain().collect();
        unwanted.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        let mut plan = Plan {
            steps: unwanted.into_iter().map(|(name, seen)| Step::Delete(name, sorted(seen))).collect(),
            unlisted: self.unlisted,
            owned: self.owned,
            total: self.total,
            ..Plan::default()
        };
        for (place, wanted) in self.wanted.iter().enumerate() {
            let others = self.others.remove(&place);
            let right = self.right[place];
            if right.is_some() && others.is_none() {
                // Nearly all of a large zone: nothing is put together for these.
                plan.unchanged += 1;
                continue;
            }
            let right = right.and_then(|place| self.right_record(wanted, place));
            let others = sorted(others.unwrap_or_default());
            match decide::decide(wanted, &self.mark, self.leave.adopt, right, others) {
                Ok(Some(step)) => plan.steps.push(step),
                Ok(None) => plan.unchanged += 1,
                Err(reason) => plan.conflicts.push(Conflict { wanted, reason }),
            }
        }
        plan
    }

    fn see_unwanted(&mut self, record: &Glance<'_>, copy: impl FnOnce() -> Option<SeenRecord>) {
        let Ok(name) = record.name.parse::<DomainName>() else { return };
        if !record.comment.is_some_and(|comment| self.mark.is_in(comment, &name)) {
            return;
        }
        self.owned += 1;
        if !self.leave.prune {
            self.unlisted += 1;
        } else if let Some(kept) = copy() {
            self.unwanted.entry(name).or_default().push(kept);
        }
    }

    fn remember_id(&mut self, id: &str) -> Option<(u32, u8)> {
        let begins = u32::try_from(self.right_ids.len()).ok()?;
        let length = u8::try_from(id.len()).ok()?;
        self.right_ids.push_str(id);
        Some((begins, length))
    }

    /// A record that is as wanted, put together again: all but its id is known.
    fn right_record(&self, wanted: &WantedRecord, (begins, length): (u32, u8)) -> Option<SeenRecord> {
        let begins = usize::try_from(begins).ok()?;
        let id = self.right_ids.get(begins..begins + usize::from(length))?;
        Some(SeenRecord {
            id: RecordId::parse(id)?,
            name: wanted.name.to_string(),
            kind: wanted.target.kind().to_owned(),
            content: wanted.target.to_string(),
            ttl: wanted.ttl,
            proxied: false,
            comment: Some(self.mark.comment(&wanted.name)),
            tags: Vec::new(),
            read_only: false,
        })
    }
}

fn is_right(wanted: &WantedRecord, record: &Glance<'_>) -> bool {
    record.ttl == wanted.ttl && !record.proxied && wanted.target.is(record.kind, record.content)
}

/// A plan does not depend on the order in which the records came.
fn sorted(mut seen: Vec<SeenRecord>) -> Vec<SeenRecord> {
    seen.sort_unstable_by(|one, other| one.id.cmp(&other.id));
    seen
}

/// As names are compared: in lower case, without a final dot.
fn bare_name(name: &str) -> Cow<'_, str> {
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Cow::Owned(name.to_ascii_lowercase());
    }
    Cow::Borrowed(name)
}

#[cfg(test)]
mod tests;
