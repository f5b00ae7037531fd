//! Sending: read what must be read, one batch, halve what is refused, read back what was lost.

use std::collections::HashMap;

use alfred_model::failure::{Disposition, Failure};
use alfred_model::id::RecordId;
use alfred_model::name::DomainName;
use alfred_model::record::OwnershipMark;
use alfred_providers::ErrorKind;
use alfred_providers::cloudflare::{Batch, BatchResult, NewRecord, PER_PAGE_MAX, Record, RecordFilter};

use super::plan::{self, Operation, Plan};
use super::{Ask, Change, ChangeOutcome, Look, Zone};
use crate::measure;

/// Up to so many names are read one by one; more are read as one list of all our records.
const NAMES_READ_SINGLY: usize = 4;

/// What one asker wants done; it is never divided over two batches.
struct Unit {
    ask: Ask,
    operations: Vec<Operation>,
}

impl Change {
    fn name(&self) -> &DomainName {
        match self {
            Self::Write { desired, .. } => &desired.name,
            Self::Withdraw { name, .. } => name,
        }
    }

    fn reads_first(&self) -> bool {
        match self {
            Self::Write { look, .. } => *look != Look::Nowhere,
            Self::Withdraw { .. } => true,
        }
    }

    fn looks_everywhere(&self) -> bool {
        matches!(self, Self::Write { look: Look::Everywhere, .. })
    }

    fn plan(&self, there: &[Record]) -> Plan {
        match self {
            Self::Write { desired, .. } => plan::write(desired, there),
            Self::Withdraw { name, mark, address } => plan::withdraw(name, *mark, *address, there),
        }
    }
}

impl Unit {
    /// Whether it makes the zone larger.
    fn adds(&self) -> bool {
        self.operations.iter().any(|operation| matches!(operation, Operation::Post(_)))
    }
}

impl Ask {
    /// An asker that has gone away does not need the answer; the row it worked on is taken up again.
    fn answer(self, outcome: ChangeOutcome) {
        let _ = self.answer.send(outcome);
    }
}

impl Zone {
    /// Carries out what was asked and answers each asker.
    pub(super) async fn write(&self, asks: Vec<Ask>) {
        let (reading, blind): (Vec<Ask>, Vec<Ask>) = asks.into_iter().partition(|ask| ask.change.reads_first());
        let mut units: Vec<Unit> = Vec::new();
        match self.read(&reading).await {
            Ok(there) => {
                for ask in reading {
                    let records = there.get(ask.change.name().as_str()).map_or(&[][..], Vec::as_slice);
                    let plan = ask.change.plan(records);
                    units.extend(settle_or_keep(ask, plan));
                }
            }
            Err(failure) => answer_all(reading, &failure),
        }
        for ask in blind {
            let plan = ask.change.plan(&[]);
            units.extend(settle_or_keep(ask, plan));
        }
        self.send(units).await;
    }

    async fn send(&self, units: Vec<Unit>) {
        let mut groups = vec![units];
        while let Some(mut group) = groups.pop() {
            if group.is_empty() {
                continue;
            }
            let batch = assemble(&group);
            measure::batch(batch.len());
            match self.cloudflare.batch(&batch).await {
                Ok(result) => answer_done(group, &result),
                Err(error) => match (error.disposition, error.kind) {
                    (Disposition::Wait { .. }, _) | (_, ErrorKind::Permission) => {
                        answer_all(group.into_iter().map(|unit| unit.ask), &error.failure());
                    }
                    (Disposition::Unknown, _) => self.read_back(group, &error.failure()).await,
                    (Disposition::Definite, ErrorKind::QuotaExceeded) if group.iter().any(|unit| !unit.adds()) => {
                        let (adding, others) = group.into_iter().partition(Unit::adds);
                        groups.push(adding);
                        groups.push(others);
                    }
                    (Disposition::Definite, ErrorKind::QuotaExceeded) if group.len() == 1 => {
                        // The zone is full: whoever wants to add is told now, and nobody else is held up.
                        let failure = error.failure();
                        let full = group
                            .into_iter()
                            .chain(groups.iter_mut().flat_map(|rest| rest.extract_if(.., |unit| unit.adds())));
                        answer_all(full.map(|unit| unit.ask), &failure);
                    }
                    (Disposition::Definite, _) if group.len() > 1 => {
                        let second = group.split_off(group.len() / 2);
                        groups.push(second);
                        groups.push(group);
                    }
                    (Disposition::Definite, kind) => {
                        for unit in group {
                            self.refused(unit, kind, error.failure()).await;
                        }
                    }
                },
            }
        }
    }

    /// One change was refused. Where the zone is not as it was thought to be, it is looked at and asked once more.
    async fn refused(&self, unit: Unit, kind: ErrorKind, failure: Failure) {
        let Unit { ask, .. } = unit;
        let mistaken = matches!(
            kind,
            ErrorKind::AlreadyExists | ErrorKind::Identical | ErrorKind::NameConflict | ErrorKind::NotFound
        );
        if !mistaken {
            return ask.answer(Err(failure));
        }
        let there = match self.records_of(ask.change.name()).await {
            Ok(there) => there,
            Err(failure) => return ask.answer(Err(failure)),
        };
        match ask.change.plan(&there) {
            Plan::Done(id) => ask.answer(Ok(id)),
            Plan::Foreign(words) => ask.answer(Err(Failure::definite(words))),
            // Cloudflare refuses for some seconds what its own list no longer shows; later it will not.
            Plan::Operations(_) => ask.answer(Err(Failure::wait(failure.words, None))),
        }
    }

    /// The answer to a batch was lost: what stands in the zone tells each asker what came of it.
    async fn read_back(&self, group: Vec<Unit>, failure: &Failure) {
        let asks: Vec<Ask> = group.into_iter().map(|unit| unit.ask).collect();
        let Ok(there) = self.read(&asks).await else {
            return answer_all(asks, failure);
        };
        for ask in asks {
            let records = there.get(ask.change.name().as_str()).map_or(&[][..], Vec::as_slice);
            match ask.change.plan(records) {
                Plan::Done(id) => ask.answer(Ok(id)),
                Plan::Foreign(words) => ask.answer(Err(Failure::definite(words))),
                Plan::Operations(_) => ask.answer(Err(failure.clone())),
            }
        }
    }

    /// The zone's records of the names in question, by name.
    async fn read(&self, asks: &[Ask]) -> Result<HashMap<String, Vec<Record>>, Failure> {
        let mut names: Vec<&DomainName> = asks.iter().map(|ask| ask.change.name()).collect();
        names.sort_unstable();
        names.dedup();
        let mut there: HashMap<String, Vec<Record>> = HashMap::new();
        if names.len() <= NAMES_READ_SINGLY {
            for name in names {
                there.insert(name.to_string(), self.records_of(name).await?);
            }
            return Ok(there);
        }
        let filter = if asks.iter().any(|ask| ask.change.looks_everywhere()) {
            RecordFilter::all()
        } else {
            RecordFilter::comment_startswith(OwnershipMark::comment_prefix(self.installation))
        };
        for record in self.cloudflare.records(&filter, PER_PAGE_MAX).await.map_err(|error| error.failure())? {
            let name = record.name.trim_end_matches('.').to_ascii_lowercase();
            there.entry(name).or_default().push(record);
        }
        Ok(there)
    }

    async fn records_of(&self, name: &DomainName) -> Result<Vec<Record>, Failure> {
        let filter = RecordFilter::name(name.as_str());
        self.cloudflare.records(&filter, PER_PAGE_MAX).await.map_err(|error| error.failure())
    }
}

fn settle_or_keep(ask: Ask, plan: Plan) -> Option<Unit> {
    match plan {
        Plan::Done(id) => {
            ask.answer(Ok(id));
            None
        }
        Plan::Foreign(words) => {
            ask.answer(Err(Failure::definite(words)));
            None
        }
        Plan::Operations(operations) => Some(Unit { ask, operations }),
    }
}

fn answer_all(asks: impl IntoIterator<Item = Ask>, failure: &Failure) {
    for ask in asks {
        ask.answer(Err(failure.clone()));
    }
}

fn assemble(units: &[Unit]) -> Batch {
    let mut batch = Batch::default();
    for operation in units.iter().flat_map(|unit| &unit.operations) {
        match operation {
            Operation::Post(desired) => batch.posts.push(NewRecord::from(desired)),
            Operation::Put(id, desired) => batch.puts.push((id.clone(), NewRecord::from(desired))),
            Operation::Delete(id) => batch.deletes.push(id.clone()),
        }
    }
    batch
}

/// The answer holds the records in the order of the operations.
fn answer_done(units: Vec<Unit>, result: &BatchResult) {
    let mut posts = result.posts.iter();
    for unit in units {
        let mut written: Option<RecordId> = None;
        for operation in &unit.operations {
            match operation {
                Operation::Post(_) => written = posts.next().map(|record| record.id.clone()),
                Operation::Put(id, _) => written = Some(id.clone()),
                Operation::Delete(_) => {}
            }
        }
        unit.ask.answer(Ok(written));
    }
}
