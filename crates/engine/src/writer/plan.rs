//! From wanted changes and what stands in the zone to the operations of a batch. Pure.

use std::net::Ipv4Addr;

use alfred_model::id::RecordId;
use alfred_model::name::DomainName;
use alfred_model::record::{DesiredRecord, OwnershipMark, RECORD_TTL_SECONDS};
use alfred_providers::cloudflare::Record;

/// One operation of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Operation {
    /// Create the record.
    Post(DesiredRecord),
    /// Bring our record to what is desired, by its id, so that the name is never absent.
    Put(RecordId, DesiredRecord),
    /// Delete our record.
    Delete(RecordId),
}

/// What a wanted change needs, given the records of that name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Plan {
    /// It is so already.
    Done(Option<RecordId>),
    /// These operations, in this order.
    Operations(Vec<Operation>),
    /// Something foreign is in the way.
    Foreign(String),
}

/// What it takes for the record to be as desired. `there` are the zone's records of that name.
///
/// | there | plan |
/// |---|---|
/// | nothing | post |
/// | ours, as desired | done |
/// | ours, different | put by id |
/// | ours, several | put one, delete the others |
/// | anything foreign that answers for the name | refused |
pub(super) fn write(desired: &DesiredRecord, there: &[Record]) -> Plan {
    let (ours, foreign): (Vec<&Record>, Vec<&Record>) =
        there.iter().filter(|record| record.is_called(&desired.name)).partition(|record| owned(record, desired.mark));
    if let Some(record) = foreign.iter().find(|record| matches!(record.kind.as_str(), "A" | "AAAA" | "CNAME" | "NS")) {
        return Plan::Foreign(format!(
            "`{}` has a record of type {} that is not ours ({}): it is left as it is; choose another slug, or remove \
             the record",
            desired.name, record.kind, record.content
        ));
    }
    let Some((first, others)) = ours.split_first() else {
        return Plan::Operations(vec![Operation::Post(desired.clone())]);
    };
    let mut operations: Vec<Operation> = others.iter().map(|record| Operation::Delete(record.id.clone())).collect();
    if !matches(first, desired) {
        operations.push(Operation::Put(first.id.clone(), desired.clone()));
    }
    if operations.is_empty() { Plan::Done(Some(first.id.clone())) } else { Plan::Operations(operations) }
}

/// What it takes for our records of a name to be gone. Records without our mark stay, whatever they answer with.
///
/// | there | plan |
/// |---|---|
/// | ours, one or several | delete them |
/// | nothing of ours | done |
/// | nothing of ours, and something foreign that answers with `address` | refused |
pub(super) fn withdraw(name: &DomainName, mark: OwnershipMark, address: Option<Ipv4Addr>, there: &[Record]) -> Plan {
    let operations: Vec<Operation> = there
        .iter()
        .filter(|record| record.is_called(name) && owned(record, mark))
        .map(|record| Operation::Delete(record.id.clone()))
        .collect();
    if !operations.is_empty() {
        return Plan::Operations(operations);
    }
    let answers = |record: &&Record| {
        record.is_called(name) && record.kind == "A" && address.is_some_and(|own| record.content == own.to_string())
    };
    if there.iter().any(|record| answers(&record)) {
        return Plan::Foreign(format!(
            "`{name}` still points at the VM by a record that is not ours any more, its comment was changed: it is \
             left as it is; delete it in the zone, and the deletion goes on"
        ));
    }
    Plan::Done(None)
}

fn owned(record: &Record, mark: OwnershipMark) -> bool {
    record.mark() == Some(mark)
}

fn matches(record: &Record, desired: &DesiredRecord) -> bool {
    record.kind == "A"
        && record.content == desired.address.to_string()
        && record.ttl == RECORD_TTL_SECONDS
        && !record.proxied
}

#[cfg(test)]
mod tests;
