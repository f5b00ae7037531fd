//! Records against environments. Whose a record is, its mark alone decides; its name only says whom it concerns.

use std::borrow::Cow;
use std::hash::BuildHasher as _;
use std::net::Ipv4Addr;

use foldhash::fast::RandomState;
use foldhash::{HashMap, HashMapExt as _, HashSet};

use super::index::{Home, Index, RecordExpected};
use super::{Action, Comparison, Extent, Finding, FindingKind, SeenRecord, World};
use crate::environment::{Environment, Status, Step, Wish};
use crate::id::EnvironmentId;
use crate::name::{canonical, is_below};
use crate::printable::printable;
use crate::record::{MARK_PREFIX, OWNER_PREFIX, OwnershipMark};
use crate::vm::VmState;

/// A record that is not ours, with its name as we write names and the mark of another installation, if it has one.
struct Other<'a> {
    record: &'a SeenRecord,
    name: Cow<'a, str>,
    mark: Option<OwnershipMark>,
}

/// A record of ours: whose by the mark, where in the world's list, and the address of an A record. Most are right, and
/// with the address and the name's hash at hand nothing else of them is looked at again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Marked {
    environment: u128,
    place: usize,
    name: u64,
    address: Option<Ipv4Addr>,
}

/// The records in our zones by whose they are.
pub(super) struct Sorted<'a> {
    /// Ours.
    marked: Vec<Marked>,
    /// Hashes names, with a key of its own each time: nobody can make two names that are taken for one.
    names: RandomState,
    others: Vec<Other<'a>>,
    /// How many are in no zone of ours.
    elsewhere: usize,
    /// Whether a record holds the name of the environment at this place, be it its own or not: writing another would
    /// mix the answers.
    answered: Vec<bool>,
}

pub(super) fn compare(
    world: &World<'_>,
    mut sorted: Sorted<'_>,
    index: &mut Index<'_>,
    comparison: &mut Comparison,
    extent: &mut Extent,
) {
    sorted.answered = vec![false; index.homes.len()];
    comparison.foreign_records += sorted.elsewhere;
    extent.own_records = sorted.marked.len();
    judge_others(&mut sorted, index, comparison);
    judge_marked(world, &mut sorted, index, comparison);
    for (home, answered) in index.homes.iter().zip(&sorted.answered) {
        let environment = home.environment;
        if index.record_expected(environment) == RecordExpected::Yes && in_zones(environment.domain.as_str(), world) {
            extent.records_expected += 1;
            extent.records_found += usize::from(*answered);
            if !answered {
                comparison.findings.push(without_record(home));
            }
        }
    }
}

fn in_zones(name: &str, world: &World<'_>) -> bool {
    world.zones.iter().any(|zone| is_below(name, zone))
}

/// Reads every mark. It needs nothing of the store's rows, and so can be done beside bringing those together.
pub(super) fn sort<'a>(world: &World<'a>) -> Sorted<'a> {
    let marked = Vec::with_capacity(world.records.len());
    let names = RandomState::default();
    let mut sorted = Sorted { marked, names, others: Vec::new(), elsewhere: 0, answered: Vec::new() };
    for (place, record) in world.records.iter().enumerate() {
        let Some(name) = canonical(&record.name).filter(|name| in_zones(name, world)) else {
            sorted.elsewhere += 1;
            continue;
        };
        match record.comment.as_deref().and_then(|comment| OwnershipMark::read_at(comment, &name)) {
            Some(mark) if mark.installation == world.installation => {
                let address = if is_kind(record, "A") { record.content.parse().ok() } else { None };
                let name = sorted.names.hash_one(&*name);
                sorted.marked.push(Marked { environment: mark.environment.0.as_u128(), place, name, address });
            }
            mark => sorted.others.push(Other { record, name, mark }),
        }
    }
    sorted.marked.sort_unstable();
    sorted
}

/// Records of `alfred dns` are among these. They carry an owner's mark and not an environment's: they are foreign and no
/// finding, unless one stands where a record of ours should.
fn judge_others(sorted: &mut Sorted<'_>, index: &Index<'_>, comparison: &mut Comparison) {
    comparison.foreign_records += sorted.others.len();
    let mut standing: HashMap<&str, Option<usize>> = HashMap::with_capacity(sorted.others.len());
    standing.extend(sorted.others.iter().map(|other| (&*other.name, None)));
    if !standing.is_empty() {
        for (place, home) in
            index.homes.iter().enumerate().filter(|(_, home)| home.environment.status != Status::Deleted)
        {
            if let Some(found) = standing.get_mut(home.environment.domain.as_str()) {
                *found = Some(place);
            }
        }
    }
    for other in &sorted.others {
        let place = standing.get(&*other.name).copied().flatten();
        if let Some(place) = place.filter(|_| decides_where_a_name_leads(other.record)) {
            sorted.answered[place] = true;
        }
        let environment = place.map(|place| index.homes[place].environment);
        comparison.findings.extend(match other.mark {
            None => unmarked(other, environment),
            Some(mark) => Some(another_installation(other, mark, environment)),
        });
    }
}

fn unmarked(other: &Other<'_>, environment: Option<&Environment>) -> Option<Finding> {
    let record = other.record;
    let steers = environment.is_some() && decides_where_a_name_leads(record);
    let claims = record
        .comment
        .as_deref()
        .is_some_and(|comment| comment.starts_with(MARK_PREFIX) && !comment.starts_with(OWNER_PREFIX));
    if !steers && !claims {
        return None;
    }
    let whose = environment.map_or_else(String::new, |environment| {
        format!(" and stands at the name of the environment `{}`", environment.slug)
    });
    let words = format!(
        "{} has no valid mark{whose}; it is kept: delete it by hand, or give it back the comment that it had",
        describe(record)
    );
    let finding = Finding::new(FindingKind::AlteredMark, &other.name, words).record(record).foreign(true);
    Some(finding.environment(environment.map(|environment| environment.id)))
}

fn another_installation(other: &Other<'_>, mark: OwnershipMark, environment: Option<&Environment>) -> Finding {
    let words = format!(
        "{} belongs to the installation {}; it is kept: if that one is no longer run, delete the record by hand",
        describe(other.record),
        mark.installation
    );
    Finding::new(FindingKind::MarkOfAnotherInstallation, &other.name, words)
        .record(other.record)
        .environment(environment.map(|environment| environment.id))
        .foreign(true)
}

/// Records with our mark, environment by environment in the order of the rows, which is how they lie in memory.
fn judge_marked(world: &World<'_>, sorted: &mut Sorted<'_>, index: &Index<'_>, comparison: &mut Comparison) {
    let mut homed: Vec<(usize, Marked)> = Vec::with_capacity(sorted.marked.len());
    let strangers = addresses_of_strangers(world, index);
    let mut walk = index.places.walk();
    for marked in std::mem::take(&mut sorted.marked) {
        if let Some(home) = walk.seek(marked.environment) {
            homed.push((home, marked));
        } else {
            let id = EnvironmentId(uuid::Uuid::from_u128(marked.environment));
            comparison.findings.push(of_no_environment(&world.records[marked.place], id, &strangers));
        }
    }
    homed.sort_unstable();
    let mut own: Vec<&SeenRecord> = Vec::new();
    for group in homed.chunk_by(|one, next| one.0 == next.0) {
        let records = group.iter().map(|(_, marked)| &world.records[marked.place]);
        let Some((place, Marked { name, address, .. })) = group.first() else { continue };
        let home = &index.homes[*place];
        let environment = home.environment;
        let right = group.len() == 1 && address.is_some() && *address == wanted_address(home);
        match index.record_expected(environment) {
            RecordExpected::Gone => {
                comparison.findings.extend(records.map(|record| outlived(record, environment)));
            }
            RecordExpected::Moving => {}
            RecordExpected::Yes | RecordExpected::NotYet
                if right && *name == sorted.names.hash_one(environment.domain.as_str()) =>
            {
                sorted.answered[*place] = true;
            }
            RecordExpected::Yes | RecordExpected::NotYet => {
                own.clear();
                for record in records {
                    if is_called(record, environment) {
                        own.push(record);
                    } else {
                        comparison.findings.extend(elsewhere(record, environment));
                    }
                }
                sorted.answered[*place] |= !own.is_empty();
                judge(&mut own, home, comparison);
            }
        }
    }
}

/// Whether the record has the environment's name.
fn is_called(record: &SeenRecord, environment: &Environment) -> bool {
    let domain = environment.domain.as_str();
    record.name == domain || name_of(record) == domain
}

/// The addresses of instances that the store does not know. A record that leads to one may be in use: perhaps it is
/// the store that is too old, and not the record.
fn addresses_of_strangers(world: &World<'_>, index: &Index<'_>) -> HashSet<Ipv4Addr> {
    let unknown = world.instances.iter().zip(&index.known).filter(|(_, known)| !**known);
    unknown.filter_map(|(instance, _)| instance.address).collect()
}

/// The name as we write names. One that came so far is a name.
fn name_of(record: &SeenRecord) -> Cow<'_, str> {
    canonical(&record.name).unwrap_or(Cow::Borrowed(&record.name))
}

fn orphan(record: &SeenRecord, environment: EnvironmentId, words: String) -> Finding {
    Finding::new(FindingKind::RecordWithoutEnvironment, &name_of(record), words).record(record).environment(environment)
}

fn of_no_environment(record: &SeenRecord, id: EnvironmentId, strangers: &HashSet<Ipv4Addr>) -> Finding {
    let words = format!("{} is ours and its environment {id} is not in the store", describe(record));
    let finding = orphan(record, id, words);
    if record.content.parse().is_ok_and(|address| strangers.contains(&address)) {
        return finding
            .action(
                Action::None,
                "it leads to a VM that the store does not know: perhaps the store is older than the zone",
            )
            .advise("delete it in the zone if its VM is gone too");
    }
    finding.action(Action::WithdrawRecord, "its environment is gone for good").advise("")
}

/// Its environment is there, and done with its record.
fn outlived(record: &SeenRecord, environment: &Environment) -> Finding {
    let words =
        format!("{} is ours and the environment `{}` is {}", describe(record), environment.slug, environment.status);
    let finding = orphan(record, environment.id, words);
    if environment.status == Status::Deleted {
        finding.action(Action::WithdrawRecord, "its environment is gone for good")
    } else if is_called(record, environment) {
        finding.action(Action::WithdrawRecord, "its environment is done with it")
    } else {
        finding.action(Action::None, "its name is not its environment's")
    }
    .advise("delete it in the zone if nobody needs it")
}

/// It carries the mark of an environment that has another name.
fn elsewhere(record: &SeenRecord, environment: &Environment) -> Option<Finding> {
    let alias = is_kind(record, "CNAME") && record.content.parse().as_ref() == Ok(&environment.domain);
    let words = format!(
        "{} carries the mark of the environment `{}`, whose name is {}; it is kept: delete it by hand if nobody needs it",
        describe(record),
        environment.slug,
        environment.domain
    );
    (!alias).then(|| orphan(record, environment.id, words).foreign(true))
}

/// Judges the records with an environment's mark at its name: one is kept and must be right, more are too many.
fn judge(own: &mut [&SeenRecord], home: &Home<'_>, comparison: &mut Comparison) {
    let environment = home.environment;
    let wanted = wanted_address(home);
    let is_right = |record: &SeenRecord| {
        is_kind(record, "A") && wanted.is_some_and(|address| record.content.parse() == Ok(address))
    };
    if own.len() > 1 {
        own.sort_unstable_by_key(|record| {
            (Some(&record.id) != environment.record_id.as_ref(), !is_right(record), record.id.clone())
        });
    }
    for (place, record) in own.iter().enumerate() {
        // A list that changed while it was read page by page may show a record twice.
        if place > 0 && own[place - 1].id == record.id {
            continue;
        }
        let finding = if place > 0 {
            too_many(record, home)
        } else if is_right(record) {
            continue;
        } else {
            wrong(record, home, wanted)
        };
        comparison.findings.push(finding.record(record).environment(environment.id).vm(environment.vm_id));
    }
}

fn too_many(record: &SeenRecord, home: &Home<'_>) -> Finding {
    let words = format!("{} is one more record of the environment `{}`", describe(record), home.environment.slug);
    let finding = Finding::new(FindingKind::DuplicateRecord, home.environment.domain.as_str(), words);
    mend(finding, home, Action::RemoveDuplicate, "of its environment's records one is right and stays")
        .advise("delete all but the right one in the zone")
}

fn wrong(record: &SeenRecord, home: &Home<'_>, wanted: Option<Ipv4Addr>) -> Finding {
    let should = wanted.map_or("not be there yet".to_owned(), |address| format!("be A {address}"));
    let words = format!("{} should {should}, for the environment `{}`", describe(record), home.environment.slug);
    let finding = Finding::new(FindingKind::RecordWrongAddress, home.environment.domain.as_str(), words);
    mend(finding, home, Action::WriteRecord, "its environment's VM has another address")
        .advise("set it right in the zone and leave its comment as it is")
}

/// A repair of an environment's record: only where the environment works and the VM is certainly its own.
fn mend(finding: Finding, home: &Home<'_>, action: Action, because: &str) -> Finding {
    let environment = home.environment;
    let settled =
        (environment.status, environment.step, environment.wish) == (Status::Active, Step::Settled, Wish::Present);
    let own = home.vm.is_some_and(|vm| vm.state == VmState::Assigned && vm.environment_id == Some(environment.id));
    let shown = home.instance.is_some_and(|instance| instance.address.is_some());
    if settled && own && shown {
        return finding.action(action, because);
    }
    let why = match environment.status {
        _ if settled => "its VM is not surely its own",
        Status::Active => "its environment is in motion",
        _ => "its environment is not active",
    };
    finding.action(Action::None, why)
}

/// The address that the environment's VM has. The provider's word counts more than the row: a name must not lead to
/// a machine that has become somebody else's.
fn wanted_address(home: &Home<'_>) -> Option<Ipv4Addr> {
    let own = home.vm.is_some_and(|vm| vm.environment_id == Some(home.environment.id));
    let seen = home.instance.filter(|_| own).and_then(|instance| instance.address);
    seen.or(home.environment.address)
}

fn without_record(home: &Home<'_>) -> Finding {
    let environment = home.environment;
    let words = format!("the environment `{}` is active and {} has no record", environment.slug, environment.domain);
    let finding = Finding::new(FindingKind::EnvironmentWithoutRecord, environment.domain.as_str(), words)
        .environment(environment.id)
        .vm(environment.vm_id);
    mend(finding, home, Action::WriteRecord, "its environment is active and should have one")
        .advise("delete the environment and create it anew")
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
