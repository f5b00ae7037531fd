//! Sending: read what must be read, one batch, halve what is refused, read back what was lost.

use std::collections::HashMap;

use alfred_model::failure::{Disposition, Failure};
use alfred_model::name::DomainName;
use alfred_providers::budget::Priority;
use alfred_providers::cloudflare::{PER_PAGE_MAX, Record, RecordFilter};
use alfred_providers::{ErrorKind, ProviderError};

use super::unit::{Unit, Wanted, answer_all, answer_done, assemble, by_name, cut, priority};
use super::{Ask, Zone};
use crate::measure;

/// Up to so many names are read one by one; more are read as one list.
const NAMES_READ_SINGLY: usize = 4;

/// Cloudflare's code for a record with more tags than the plan allows, such as any on a Free zone
/// (<https://github.com/kubernetes-sigs/external-dns/issues/3706>).
const TOO_MANY_TAGS: i64 = 9_300;

/// Units that are to be sent, and what is known of them.
struct Group {
    units: Vec<Unit>,
    /// Something in it will be refused: it was refused together with others, and those others were taken since.
    guilty: bool,
    /// If it is taken, the group below it is guilty.
    clears_itself: bool,
}

impl Group {
    fn new(units: Vec<Unit>) -> Self {
        Self { units, guilty: false, clears_itself: false }
    }

    /// Puts both halves on the pile, the first on top.
    fn halve(mut units: Vec<Unit>, groups: &mut Vec<Self>) {
        let second = units.split_off(units.len() / 2);
        groups.push(Self::new(second));
        groups.push(Self { clears_itself: true, ..Self::new(units) });
    }
}

/// The zone's records of some names.
type There = HashMap<String, Vec<Record>>;

impl Zone {
    /// Carries out what was asked and answers each asker.
    pub(super) async fn write(&self, asks: Vec<Ask>) {
        let mut asks = asks;
        while !asks.is_empty() {
            let (wanted, later) = by_name(asks);
            self.round(wanted).await;
            asks = later;
        }
    }

    async fn round(&self, wanted: Vec<Wanted>) {
        if self.limit.is_worth_asking(wanted.len()) {
            self.ask_for_plan().await;
        }
        let mut units = Vec::with_capacity(wanted.len());
        let mut reading = Vec::new();
        for wanted in wanted {
            let free = || wanted.only_asks_whether_free() && self.known.is_free(wanted.name());
            match wanted.seen().or_else(|| free().then(Vec::new)) {
                Some(there) => units.extend(self.plan(wanted, &there, false)),
                None => reading.push(wanted),
            }
        }
        let everywhere = reading.iter().any(Wanted::looks_everywhere);
        match self.read(&reading, everywhere).await {
            Ok(there) => units.extend(reading.into_iter().filter_map(|wanted| {
                let records = there.get(wanted.name().as_str()).map_or(&[][..], Vec::as_slice);
                self.plan(wanted, records, false)
            })),
            Err(failure) => {
                for ask in reading.into_iter().flat_map(|wanted| wanted.asks) {
                    ask.answer(Err(failure.clone()));
                }
            }
        }
        self.send(units).await;
    }

    fn plan(&self, wanted: Wanted, there: &[Record], read_again: bool) -> Option<Unit> {
        Unit::plan(wanted, there, self.limit.tags(), read_again)
    }

    /// The zone's plan says how many changes a batch may hold. Reading the zone takes a permission that editing its
    /// records does not: without it the first refusal tells.
    async fn ask_for_plan(&self) {
        match self.cloudflare.zone(self.cloudflare.zone_id()).await {
            Ok(zone) => self.limit.asked(Some(&zone.plan)),
            Err(error) if error.disposition == Disposition::Definite => self.limit.asked(None),
            // It is asked again with the next large change; until then a batch is small.
            Err(error) => tracing::debug!(%error, "the zone's plan could not be read"),
        }
    }

    async fn send(&self, units: Vec<Unit>) {
        let mut groups = vec![Group::new(units)];
        while let Some(Group { mut units, guilty, clears_itself }) = groups.pop() {
            if units.is_empty() {
                continue;
            }
            if guilty && units.len() > 1 {
                Group::halve(units, &mut groups);
                continue;
            }
            let batch = cut(&mut units, self.limit.changes());
            let is_whole = units.is_empty();
            if !is_whole {
                groups.push(Group::new(units));
            }
            let taken = self.send_one(batch, &mut groups).await;
            if taken
                && clears_itself
                && is_whole
                && let Some(other) = groups.last_mut()
            {
                other.guilty = true;
            }
        }
    }

    /// Sends one batch, and says whether all of it was taken; what is to be sent again, and how, goes on top of
    /// `groups`.
    async fn send_one(&self, group: Vec<Unit>, groups: &mut Vec<Group>) -> bool {
        // The turn may come minutes later: what is no longer wanted by then is left out.
        let turn = self.cloudflare.turn(priority(&group)).await;
        let asked = group.len();
        let group: Vec<Unit> = group.into_iter().filter_map(Unit::still_wanted).collect();
        if group.is_empty() {
            return false;
        }
        let is_whole = group.len() == asked;
        let batch = assemble(&group);
        measure::batch(batch.len());
        for unit in group.iter().filter(|unit| unit.adds()) {
            self.known.touched(unit.wanted.name());
        }
        match self.cloudflare.batch_in(turn, &batch).await {
            Ok(result) => {
                self.limit.praise(batch.len());
                answer_done(group, &result);
                return is_whole;
            }
            Err(error) => match (error.disposition, error.kind) {
                (Disposition::Wait { .. }, _) | (_, ErrorKind::Permission) => answer_all(group, &error.failure()),
                (Disposition::Unknown, _) => self.read_back(group, &error.failure()).await,
                (Disposition::Definite, _) => self.refused(group, batch.len(), &error, groups).await,
            },
        }
        false
    }

    /// The batch was refused for what is in it. Who is to blame is found with as few calls as possible.
    async fn refused(&self, mut group: Vec<Unit>, changes: usize, error: &ProviderError, groups: &mut Vec<Group>) {
        let mistaken = matches!(
            error.kind,
            ErrorKind::AlreadyExists | ErrorKind::Identical | ErrorKind::NameConflict | ErrorKind::NotFound
        );
        if error.kind == ErrorKind::QuotaExceeded {
            return full(group, error, groups);
        }
        if error.codes.contains(&TOO_MANY_TAGS) && self.limit.has_no_tags() {
            group.iter_mut().for_each(Unit::leave_out_tags);
            groups.push(Group::new(group));
            return;
        }
        if mistaken && group.iter().any(|unit| !unit.read_again) {
            groups.push(Group::new(self.read_again(group).await));
        } else if !mistaken && self.limit.blame(changes) {
            groups.push(Group::new(group));
        } else if group.len() > 1 {
            Group::halve(group, groups);
        } else if mistaken {
            // Cloudflare refuses for some seconds what its own list no longer shows; later it will not.
            answer_all(group, &Failure::wait(error.words.clone(), None));
        } else {
            answer_all(group, &error.failure());
        }
    }

    /// The zone is not as it was thought to be: it is looked at, and what is still to be done is planned anew.
    async fn read_again(&self, group: Vec<Unit>) -> Vec<Unit> {
        match self.read(group.iter().map(|unit| &unit.wanted), true).await {
            Ok(there) => {
                let again = group.into_iter().filter_map(|unit| {
                    let records = there.get(unit.wanted.name().as_str()).map_or(&[][..], Vec::as_slice);
                    self.plan(unit.wanted, records, true)
                });
                again.collect()
            }
            Err(failure) => {
                answer_all(group, &failure);
                Vec::new()
            }
        }
    }

    /// The answer to a batch was lost: what stands in the zone tells each asker what came of it.
    async fn read_back(&self, group: Vec<Unit>, failure: &Failure) {
        let Ok(there) = self.read(group.iter().map(|unit| &unit.wanted), false).await else {
            return answer_all(group, failure);
        };
        for unit in group {
            let records = there.get(unit.wanted.name().as_str()).map_or(&[][..], Vec::as_slice);
            if let Some(undone) = self.plan(unit.wanted, records, false) {
                undone.answer(&Err(failure.clone()));
            }
        }
    }

    /// The zone's records of the names in question, by name: all of them, or at least ours.
    async fn read<'a>(&self, wanted: impl IntoIterator<Item = &'a Wanted>, everywhere: bool) -> Result<There, Failure> {
        let wanted: Vec<&Wanted> = wanted.into_iter().collect();
        let names: Vec<&DomainName> = wanted.iter().map(|wanted| wanted.name()).collect();
        // A read that a change waits for is as urgent as the change.
        let priority = wanted.iter().map(|wanted| wanted.priority()).min().unwrap_or(Priority::Read);
        let mut there = There::new();
        if names.len() <= NAMES_READ_SINGLY {
            for name in names {
                let records = self.list(&RecordFilter::name(name.as_str()), priority).await?;
                there.insert(name.to_string(), records);
            }
            return Ok(there);
        }
        let filter = if everywhere {
            RecordFilter::all()
        } else {
            RecordFilter::comment_startswith(self.comment_prefix.clone())
        };
        let records = self.list(&filter, priority).await?;
        if everywhere {
            self.known.whole_zone(records.iter().map(|record| record.name.as_str()));
        }
        let wanted: std::collections::HashSet<&str> = names.into_iter().map(DomainName::as_str).collect();
        for record in records {
            let name = record.name.trim_end_matches('.').to_ascii_lowercase();
            if wanted.contains(name.as_str()) {
                there.entry(name).or_default().push(record);
            }
        }
        Ok(there)
    }

    async fn list(&self, filter: &RecordFilter, priority: Priority) -> Result<Vec<Record>, Failure> {
        self.cloudflare.reading_as(priority).records(filter, PER_PAGE_MAX).await.map_err(|error| error.failure())
    }
}

/// The zone has no room: whoever does not add is sent again, and whoever adds is told as soon as one alone was refused.
fn full(group: Vec<Unit>, error: &ProviderError, groups: &mut Vec<Group>) {
    if group.iter().any(|unit| !unit.adds()) {
        let (adding, others): (Vec<Unit>, Vec<Unit>) = group.into_iter().partition(Unit::adds);
        groups.push(Group::new(adding));
        groups.push(Group::new(others));
    } else if group.len() == 1 {
        let rest = groups.iter_mut().flat_map(|rest| rest.units.extract_if(.., |unit| unit.adds()));
        answer_all(group.into_iter().chain(rest), &error.failure());
    } else {
        Group::halve(group, groups);
    }
}
