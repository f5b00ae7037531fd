//! What changed from one version of a state to another: resources and outputs by their addresses, attributes by their
//! paths.
//!
//! The contents are Terraform's state format 4 (<https://github.com/hashicorp/terraform>,
//! `internal/states/statefile/version4.go`). They are the largest and least trusted thing that this program reads, and hold
//! secrets. So the attributes of a resource are kept as text until they are known to differ, everything that is answered is
//! bounded, and a value is shown only where nothing speaks for its being a secret; see [`secret`].

mod address;
mod content;
mod secret;
mod walk;

use std::cmp::Ordering;
use std::fmt;

use super::write::{ContentError, inspect};
use content::{Content, Instance, Output};
use secret::Secrets;
use walk::Budget;

/// At most so many resources and outputs are listed; all are counted.
pub const CHANGES_MAX: usize = 1_000;

/// At most so many changed attributes are listed in all.
pub const ATTRIBUTES_MAX: usize = 5_000;

/// At most so many characters of a value are shown.
pub const VALUE_MAX: usize = 200;

/// What became of a resource or an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// It is there before and after, and is not the same.
    Changed,
    /// It is gone.
    Removed,
}

impl ChangeKind {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Removed => "removed",
        }
    }
}

impl fmt::Display for ChangeKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// One side of a changed attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// The attribute is not there.
    Absent,
    /// It is, or may be, a secret.
    Masked,
    /// Its beginning as JSON, at most [`VALUE_MAX`] characters.
    Value(String),
}

/// An attribute that is not the same any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributeChange {
    /// Such as `tags["owner"]` or `rule[0].port`.
    pub path: String,
    /// As it was.
    pub before: Shown,
    /// As it is.
    pub after: Shown,
}

/// A resource or an output that is not the same any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Such as `module.network.aws_vpc.main["eu"]`; the name, of an output.
    pub address: String,
    /// What became of it.
    pub kind: ChangeKind,
    /// Which attributes changed, if it was there before and after.
    pub attributes: Vec<AttributeChange>,
    /// How many more changed that are not listed.
    pub attributes_omitted: usize,
}

/// How many there are of each kind, listed or not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// New ones.
    pub added: usize,
    /// Those that are not the same.
    pub changed: usize,
    /// Those that are gone.
    pub removed: usize,
}

impl Counts {
    fn count(&mut self, kind: ChangeKind) {
        match kind {
            ChangeKind::Added => self.added += 1,
            ChangeKind::Changed => self.changed += 1,
            ChangeKind::Removed => self.removed += 1,
        }
    }

    /// All together.
    pub const fn total(&self) -> usize {
        self.added + self.changed + self.removed
    }
}

/// What changed from one content to another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StateDiff {
    /// Resources by address, at most [`CHANGES_MAX`].
    pub resources: Vec<Change>,
    /// How many there are.
    pub resource_counts: Counts,
    /// Outputs by name, at most [`CHANGES_MAX`].
    pub outputs: Vec<Change>,
    /// How many there are.
    pub output_counts: Counts,
}

impl StateDiff {
    /// Whether both contents hold the same resources and outputs.
    pub const fn is_empty(&self) -> bool {
        self.resource_counts.total() == 0 && self.output_counts.total() == 0
    }
}

/// Why two contents cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DiffError {
    /// The client encrypted one of them.
    #[error(
        "the state was encrypted before it was sent, so that its resources cannot be read here; decrypt it with OpenTofu to compare it"
    )]
    Opaque,
    /// It is no state.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// It is of a format that only older or newer programs write.
    #[error("the state is written in format {0}; only format 4 can be compared")]
    Format(u64),
}

/// What changed from `before` (nothing, for the first version) to `after`.
pub fn diff(before: Option<&[u8]>, after: &[u8]) -> Result<StateDiff, DiffError> {
    let before = before.map(read).transpose()?.unwrap_or_default();
    let after = read(after)?;
    let mut secrets = Secrets::default();
    for output in before.outputs.values().chain(after.outputs.values()) {
        secrets.of_output(output);
    }
    let mut budget = Budget::new();
    let mut found = StateDiff::default();
    merge(
        before.instances(),
        after.instances(),
        |(one, _), (other, _)| one.cmp(other),
        |pair| {
            let address = pair.any().0.to_string();
            let change = |budget: &mut Budget| instance_change(&pair.map(|(_, instance)| instance), &secrets, budget);
            record(&mut found.resources, &mut found.resource_counts, address, pair.kind(), &mut budget, change);
        },
    );
    let outputs = |content| Content::outputs_by_name(content);
    merge(
        outputs(&before),
        outputs(&after),
        |(one, _), (other, _)| one.cmp(other),
        |pair| {
            let name = address::plain(pair.any().0);
            let change =
                |budget: &mut Budget| output_change(pair.any().0, &pair.map(|(_, output)| *output), &secrets, budget);
            record(&mut found.outputs, &mut found.output_counts, name, pair.kind(), &mut budget, change);
        },
    );
    Ok(found)
}

fn read(content: &[u8]) -> Result<Content<'_>, DiffError> {
    let inspected = inspect(content)?;
    if inspected.opaque {
        return Err(DiffError::Opaque);
    }
    content::read(content)
}

/// What one place of two sorted lists holds.
enum Pair<T> {
    Before(T),
    After(T),
    Both(T, T),
}

impl<T> Pair<T> {
    fn any(&self) -> &T {
        match self {
            Self::Before(item) | Self::After(item) | Self::Both(_, item) => item,
        }
    }

    const fn kind(&self) -> ChangeKind {
        match self {
            Self::Before(_) => ChangeKind::Removed,
            Self::After(_) => ChangeKind::Added,
            Self::Both(..) => ChangeKind::Changed,
        }
    }

    fn map<'a, U>(&'a self, change: impl Fn(&'a T) -> U) -> Pair<U> {
        match self {
            Self::Before(item) => Pair::Before(change(item)),
            Self::After(item) => Pair::After(change(item)),
            Self::Both(before, after) => Pair::Both(change(before), change(after)),
        }
    }
}

/// Walks two sorted lists side by side. What stands twice in one list is paired in its order.
fn merge<T>(before: Vec<T>, after: Vec<T>, order: impl Fn(&T, &T) -> Ordering, mut visit: impl FnMut(Pair<T>)) {
    let (mut before, mut after) = (before.into_iter().peekable(), after.into_iter().peekable());
    loop {
        let next = match (before.peek(), after.peek()) {
            (Some(one), Some(other)) => order(one, other),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return,
        };
        let pair = match next {
            Ordering::Less => before.next().map(Pair::Before),
            Ordering::Greater => after.next().map(Pair::After),
            Ordering::Equal => before.next().zip(after.next()).map(|(one, other)| Pair::Both(one, other)),
        };
        if let Some(pair) = pair {
            visit(pair);
        }
    }
}

/// Counts a change and, while there is room, lists it. `attributes` answers nothing where nothing changed.
fn record(
    list: &mut Vec<Change>,
    counts: &mut Counts,
    address: String,
    kind: ChangeKind,
    budget: &mut Budget,
    attributes: impl FnOnce(&mut Budget) -> Option<(Vec<AttributeChange>, usize)>,
) {
    if let Some((attributes, attributes_omitted)) = attributes(budget) {
        counts.count(kind);
        if list.len() < CHANGES_MAX {
            list.push(Change { address, kind, attributes, attributes_omitted });
        }
    }
}

fn instance_change(
    pair: &Pair<&Instance<'_>>,
    secrets: &Secrets,
    budget: &mut Budget,
) -> Option<(Vec<AttributeChange>, usize)> {
    match pair {
        Pair::Both(before, after) if before.is_same_text(after) => None,
        Pair::Both(before, after) => walk::instances(before, after, secrets, budget),
        Pair::Before(_) | Pair::After(_) => Some((Vec::new(), 0)),
    }
}

fn output_change(
    name: &str,
    pair: &Pair<&Output<'_>>,
    secrets: &Secrets,
    budget: &mut Budget,
) -> Option<(Vec<AttributeChange>, usize)> {
    match pair {
        Pair::Both(before, after) => walk::outputs(name, before, after, secrets, budget),
        Pair::Before(_) | Pair::After(_) => Some((Vec::new(), 0)),
    }
}

#[cfg(test)]
mod tests;
