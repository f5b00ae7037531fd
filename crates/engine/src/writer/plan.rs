//! From wanted changes and what stands in the zone to the operations of a batch. Pure.

use std::net::Ipv4Addr;

use alfred_model::id::RecordId;
use alfred_model::name::DomainName;
use alfred_model::record::{DesiredRecord, Mark};
use alfred_providers::cloudflare::Record;

/// One operation of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Operation {
    /// Create the record, with these tags.
    Post(DesiredRecord, Vec<String>),
    /// Bring our record to what is desired, by its id, so that the name is never absent. A put forgets what it does not
    /// say, so the record's tags are said again.
    Put(RecordId, DesiredRecord, Vec<String>),
    /// Delete our record.
    Delete(RecordId),
}

/// What a wanted change needs, given the records of that name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Plan {
    /// It is so already.
    Done(Option<RecordId>),
    /// These operations, in this order; and the record that is right already and stays, where there is one.
    Operations(Vec<Operation>, Option<RecordId>),
    /// Something foreign is in the way.
    Foreign(String),
}

/// What it takes for the record to be as desired. `there` are the zone's records of that name.
///
/// | there | plan |
/// |---|---|
/// | nothing | post |
/// | ours, as desired | done |
/// | ours, different, also in type | put by id |
/// | ours, several | put one, delete the others |
/// | one that is nobody's, or another owner's, to be adopted | put by id, with our mark |
/// | anything else foreign that answers for the name | refused |
pub(super) fn write(desired: &DesiredRecord, adopt: bool, tags: bool, there: &[Record]) -> Plan {
    let (mut ours, foreign): (Vec<&Record>, Vec<&Record>) =
        there.iter().filter(|record| record.is_called(&desired.name)).partition(|record| owned(record, &desired.mark));
    let mut in_the_way = foreign.into_iter().filter(|record| answers(record));
    match (in_the_way.next(), in_the_way.next()) {
        (None, _) => {}
        (Some(record), None) if adopt && ours.is_empty() => match adoptable(record) {
            Ok(()) => ours.push(record),
            Err(why) => return Plan::Foreign(format!("`{}` {why}", desired.name)),
        },
        (Some(_), Some(_)) if adopt => {
            return Plan::Foreign(format!(
                "`{}` has several records that are not ours, and only a single one can be adopted: delete all but one",
                desired.name
            ));
        }
        (Some(record), _) => return Plan::Foreign(foreign_words(desired, record)),
    }
    let Some((first, others)) = ours.split_first() else {
        return Plan::Operations(vec![Operation::Post(desired.clone(), with_tag(desired, tags, &[]))], None);
    };
    let mut operations: Vec<Operation> = others.iter().map(|record| Operation::Delete(record.id.clone())).collect();
    let right = matches(first, desired);
    if !right {
        operations.push(Operation::Put(first.id.clone(), desired.clone(), with_tag(desired, tags, &first.tags)));
    }
    match (operations.is_empty(), right) {
        (true, _) => Plan::Done(Some(first.id.clone())),
        (false, true) => Plan::Operations(operations, Some(first.id.clone())),
        (false, false) => Plan::Operations(operations, None),
    }
}

/// What it takes for our records of a name to be gone. Records without our mark stay, whatever they answer with.
///
/// | there | plan |
/// |---|---|
/// | ours, one or several | delete them |
/// | nothing of ours | done |
/// | nothing of ours, and something foreign that answers with `address` | refused |
pub(super) fn withdraw(name: &DomainName, mark: &Mark, address: Option<Ipv4Addr>, there: &[Record]) -> Plan {
    let operations: Vec<Operation> = there
        .iter()
        .filter(|record| record.is_called(name) && owned(record, mark))
        .map(|record| Operation::Delete(record.id.clone()))
        .collect();
    if !operations.is_empty() {
        return Plan::Operations(operations, None);
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

fn owned(record: &Record, mark: &Mark) -> bool {
    record.mark().as_ref() == Some(mark)
}

/// Whether a record decides where its name leads; others, such as TXT, do no harm beside ours.
fn answers(record: &Record) -> bool {
    matches!(record.kind.as_str(), "A" | "AAAA" | "CNAME" | "NS")
}

fn adoptable(record: &Record) -> Result<(), String> {
    let kind = &record.kind;
    match record.mark() {
        Some(Mark::Environment(mark)) => {
            Err(format!("belongs to the environment {}: it is never adopted; delete the environment", mark.environment))
        }
        _ if record.meta.read_only => {
            Err(format!("has a record of type {kind} that another Cloudflare product keeps: it cannot be adopted"))
        }
        _ if matches!(kind.as_str(), "A" | "CNAME") => Ok(()),
        _ => Err(format!("has a record of type {kind}, and only A and CNAME can be adopted: delete it first")),
    }
}

fn foreign_words(desired: &DesiredRecord, record: &Record) -> String {
    let advice = match desired.mark {
        Mark::Environment(_) => "choose another slug, or remove the record",
        Mark::Owner(_) => "choose another name, remove the record, or take it over with `--adopt`",
    };
    format!(
        "`{}` has a record of type {} that is not ours ({}): it is left as it is; {advice}",
        desired.name, record.kind, record.content
    )
}

/// The tags that a record has afterwards: those that it has, and ours where the plan allows any.
fn with_tag(desired: &DesiredRecord, allowed: bool, there: &[String]) -> Vec<String> {
    let own = desired.mark.tag();
    let mut tags = there.to_vec();
    if allowed && tags.len() < TAGS_MAX && !tags.contains(&own) {
        tags.push(own);
    }
    tags
}

/// Most tags of a record
/// (<https://developers.cloudflare.com/dns/manage-dns-records/reference/record-attributes/>).
const TAGS_MAX: usize = 20;

fn matches(record: &Record, desired: &DesiredRecord) -> bool {
    desired.target.is(&record.kind, &record.content)
        && record.ttl == desired.ttl
        && !record.proxied
        && owned(record, &desired.mark)
}

#[cfg(test)]
mod tests;
