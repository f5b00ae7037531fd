//! Records against environments. Whose a record is, its mark alone decides; its name only says whom it concerns.

use std::net::Ipv4Addr;

use foldhash::HashSet;

use super::index::{Index, RecordExpected};
use super::{Comparison, Finding, FindingKind, SeenRecord, World};
use crate::environment::Environment;
use crate::id::EnvironmentId;
use crate::name::DomainName;
use crate::printable::printable;
use crate::record::{MARK_PREFIX, OwnershipMark};

/// What was seen in the zone of environments that exist.
#[derive(Default)]
struct Sorted<'a> {
    /// Records with an environment's mark at its name.
    own: Vec<(&'a Environment, &'a SeenRecord)>,
    /// Environments whose name a record holds, be it theirs or not: writing another would mix the answers.
    answered: HashSet<EnvironmentId>,
}

pub(super) fn compare<'a>(world: &World<'a>, index: &Index<'a>, comparison: &mut Comparison) {
    let mut sorted = Sorted::<'a>::default();
    for record in world.records {
        let below = record.name.parse::<DomainName>().ok().filter(|name| name.is_below(world.zone));
        let Some(name) = below else {
            comparison.foreign_records += 1;
            continue;
        };
        let mark = record.comment.as_deref().and_then(|comment| OwnershipMark::read(comment, &name));
        match mark {
            None => unmarked(record, &name, index, &mut sorted, comparison),
            Some(mark) if mark.installation != world.installation => {
                another_installation(record, &name, mark, index, &mut sorted, comparison);
            }
            Some(mark) => comparison.findings.extend(marked(record, &name, mark, index, &mut sorted)),
        }
    }
    // The findings are sorted in the end, so that any order will do that brings one environment's records together:
    // that of the rows in memory costs no look at them.
    sorted.own.sort_unstable_by_key(|(environment, _)| std::ptr::from_ref(*environment));
    for own in sorted.own.chunk_by_mut(|a, b| std::ptr::eq(a.0, b.0)) {
        judge(own, index, comparison);
    }
    for environment in world.environments.iter().filter(|environment| environment.domain.is_below(world.zone)) {
        let expected = index.record_expected(environment) == RecordExpected::Yes;
        if expected && !sorted.answered.contains(&environment.id) {
            comparison.findings.push(without_record(environment));
        }
    }
}

fn unmarked<'a>(
    record: &'a SeenRecord,
    name: &DomainName,
    index: &Index<'_>,
    sorted: &mut Sorted<'a>,
    comparison: &mut Comparison,
) {
    comparison.foreign_records += 1;
    let environment = index.by_name.get(name.as_str());
    let steers = environment.is_some() && decides_where_a_name_leads(record);
    let claims = record.comment.as_deref().is_some_and(|comment| comment.starts_with(MARK_PREFIX));
    if !steers && !claims {
        return;
    }
    if let Some(environment) = environment.filter(|_| steers) {
        sorted.answered.insert(environment.id);
    }
    let whose = environment.map_or_else(String::new, |environment| {
        format!(" and stands at the name of the environment `{}`", environment.slug)
    });
    let words = format!(
        "{} has no valid mark{whose}; it is kept: delete it by hand, or give it back the comment that it had",
        describe(record)
    );
    let finding = Finding::new(FindingKind::AlteredMark, name.as_str(), words).record(record).foreign(true);
    comparison.findings.push(finding.environment(environment.map(|environment| environment.id)));
}

fn another_installation<'a>(
    record: &'a SeenRecord,
    name: &DomainName,
    mark: OwnershipMark,
    index: &Index<'_>,
    sorted: &mut Sorted<'a>,
    comparison: &mut Comparison,
) {
    comparison.foreign_records += 1;
    let environment = index.by_name.get(name.as_str()).map(|environment| environment.id);
    sorted.answered.extend(environment.filter(|_| decides_where_a_name_leads(record)));
    let words = format!(
        "{} belongs to the installation {}; it is kept: if that one is no longer run, delete the record by hand",
        describe(record),
        mark.installation
    );
    let kind = FindingKind::MarkOfAnotherInstallation;
    comparison
        .findings
        .push(Finding::new(kind, name.as_str(), words).record(record).environment(environment).foreign(true));
}

/// A record with our mark: it goes to its environment, or is a finding by itself.
fn marked<'a>(
    record: &'a SeenRecord,
    name: &DomainName,
    mark: OwnershipMark,
    index: &Index<'a>,
    sorted: &mut Sorted<'a>,
) -> Option<Finding> {
    let orphan = |words: String| {
        let finding = Finding::new(FindingKind::RecordWithoutEnvironment, name.as_str(), words);
        Some(finding.record(record).environment(mark.environment))
    };
    let Some(environment) = index.environments.get(&mark.environment) else {
        return orphan(format!(
            "{} is ours and its environment {} is not in the store: delete it in the zone, after a second look",
            describe(record),
            mark.environment
        ));
    };
    match index.record_expected(environment) {
        RecordExpected::Gone => orphan(format!(
            "{} is ours and the environment `{}` is {}: delete it in the zone, after a second look",
            describe(record),
            environment.slug,
            environment.status
        )),
        RecordExpected::Moving => None,
        RecordExpected::Yes | RecordExpected::NotYet if environment.domain == *name => {
            sorted.own.push((environment, record));
            sorted.answered.insert(environment.id);
            None
        }
        RecordExpected::Yes | RecordExpected::NotYet => {
            let alias = is_kind(record, "CNAME") && record.content.parse().as_ref() == Ok(&environment.domain);
            let words = format!(
                "{} carries the mark of the environment `{}`, whose name is {}; it is kept: delete it by hand if \
                 nobody needs it",
                describe(record),
                environment.slug,
                environment.domain
            );
            orphan(words).filter(|_| !alias).map(|finding| finding.foreign(true))
        }
    }
}

/// Judges the records with an environment's mark at its name: one is kept and must be right, more are too many.
fn judge(own: &mut [(&Environment, &SeenRecord)], index: &Index<'_>, comparison: &mut Comparison) {
    let Some((environment, _)) = own.first().copied() else {
        return;
    };
    let wanted = wanted_address(environment, index);
    let is_right = |record: &SeenRecord| {
        is_kind(record, "A") && wanted.is_some_and(|address| record.content.parse() == Ok(address))
    };
    if own.len() > 1 {
        own.sort_unstable_by_key(|(_, record)| {
            (Some(&record.id) != environment.record_id.as_ref(), !is_right(record), record.id.clone())
        });
    }
    let name = environment.domain.as_str();
    for (place, (_, record)) in own.iter().enumerate() {
        // A list that changed while it was read page by page may show a record twice.
        if place > 0 && own[place - 1].1.id == record.id {
            continue;
        }
        let finding = if place > 0 {
            let words = format!(
                "{} is one more record of the environment `{}`: delete it in the zone, after a second look",
                describe(record),
                environment.slug
            );
            Finding::new(FindingKind::DuplicateRecord, name, words)
        } else if is_right(record) {
            continue;
        } else {
            let should = wanted.map_or("not be there yet".to_owned(), |address| format!("be A {address}"));
            let words = format!(
                "{} should {should}, for the environment `{}`: set it right in the zone and leave its comment as it is",
                describe(record),
                environment.slug
            );
            Finding::new(FindingKind::RecordWrongAddress, name, words)
        };
        comparison.findings.push(finding.record(record).environment(environment.id).vm(environment.vm_id));
    }
}

/// The address that the environment's VM has. The provider's word counts more than the row: a name must not lead to
/// a machine that has become somebody else's.
fn wanted_address(environment: &Environment, index: &Index<'_>) -> Option<Ipv4Addr> {
    let own_vm =
        environment.vm_id.and_then(|id| index.vms.get(&id)).filter(|vm| vm.environment_id == Some(environment.id));
    let seen = own_vm.and_then(|vm| index.instances.get(&vm.id)).and_then(|instance| instance.address);
    seen.or(environment.address)
}

fn without_record(environment: &Environment) -> Finding {
    let words = format!(
        "the environment `{}` is active and {} has no record: delete the environment and create it anew",
        environment.slug, environment.domain
    );
    Finding::new(FindingKind::EnvironmentWithoutRecord, environment.domain.as_str(), words)
        .environment(environment.id)
        .vm(environment.vm_id)
}

/// Records of other types, such as TXT, may stand beside ours and do no harm.
fn decides_where_a_name_leads(record: &SeenRecord) -> bool {
    ["A", "AAAA", "CNAME"].iter().any(|kind| is_kind(record, kind))
}

fn is_kind(record: &SeenRecord, kind: &str) -> bool {
    record.kind.eq_ignore_ascii_case(kind)
}

fn describe(record: &SeenRecord) -> String {
    format!("the record `{} {}`", printable(&record.kind, 16), printable(&record.content, 64))
}
