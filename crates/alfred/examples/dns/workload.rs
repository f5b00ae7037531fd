//! What is done to the zone: which records it holds before, and which ones afterwards.

use std::net::Ipv4Addr;
use std::str::FromStr;

use crate::Failure;
use crate::table::grouped;

/// Addresses for benchmarks of network devices, 131,072 of them: nobody has them (RFC 2544).
const ADDRESSES: u32 = u32::from_be_bytes([198, 18, 0, 0]);

/// How far an address moves when it changes.
const MOVE: u32 = 1 << 16;

/// A kind of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    Create,
    Update,
    Delete,
    Nothing,
}

impl Work {
    const ALL: [(Self, &'static str); 4] =
        [(Self::Create, "create"), (Self::Update, "update"), (Self::Delete, "delete"), (Self::Nothing, "nothing")];

    fn word(self) -> &'static str {
        Self::ALL.iter().find(|(work, _)| *work == self).map_or("", |(_, word)| word)
    }
}

/// Work on a zone that holds `records` already, of which `changes` are touched or to which as many come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Workload {
    pub(crate) work: Work,
    pub(crate) records: u32,
    pub(crate) changes: u32,
}

impl Workload {
    /// The sizes that the aims are about.
    pub(crate) fn full() -> Vec<Self> {
        let mut workloads = Self::each(10_000, 1_000);
        workloads.push(Self { work: Work::Nothing, records: 100_000, changes: 0 });
        workloads
    }

    /// A tenth of it.
    pub(crate) fn quick() -> Vec<Self> {
        Self::each(1_000, 100)
    }

    fn each(records: u32, changes: u32) -> Vec<Self> {
        Work::ALL.iter().map(|(work, _)| Self { work: *work, records, changes }).collect()
    }

    /// As a person reads it.
    pub(crate) fn title(self) -> String {
        let records = grouped(self.records.into());
        match self.work {
            Work::Nothing => format!("nothing to do in {records}"),
            work => format!("{} {} in {records}", work.word(), grouped(self.changes.into())),
        }
    }

    /// As it is passed to the cloud's process; [`str::parse`] reads it.
    pub(crate) fn words(self) -> String {
        format!("{} {} {}", self.work.word(), self.records, self.changes)
    }

    /// The labels and addresses that the zone holds before.
    pub(crate) fn before(self) -> impl Iterator<Item = (String, Ipv4Addr)> {
        (0..self.records).map(|number| (label(number), address(number)))
    }

    /// The labels and addresses that are wanted.
    pub(crate) fn after(self) -> impl Iterator<Item = (String, Ipv4Addr)> {
        let count = if self.work == Work::Create { self.records + self.changes } else { self.records };
        (0..count).filter(move |number| self.work != Work::Delete || !self.touches(*number)).map(move |number| {
            let moved = self.work == Work::Update && self.touches(number);
            (label(number), address(if moved { number + MOVE } else { number }))
        })
    }

    /// What changes is spread evenly over what is there.
    fn touches(self, number: u32) -> bool {
        self.records.checked_div(self.changes).is_some_and(|step| number.is_multiple_of(step))
    }
}

impl FromStr for Workload {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self, Failure> {
        let words: Vec<&str> = text.split(' ').collect();
        let [work, records, changes] = words[..] else { return Err(format!("`{text}` is no workload").into()) };
        let (work, _) = Work::ALL.into_iter().find(|(_, word)| *word == work).ok_or("an unknown kind of work")?;
        Ok(Self { work, records: records.parse()?, changes: changes.parse()? })
    }
}

fn label(number: u32) -> String {
    format!("n{number:06}")
}

fn address(number: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(ADDRESSES + number % (2 * MOVE))
}
