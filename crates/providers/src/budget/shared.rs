//! A ledger that replicas share: a small text, kept where comparing and setting is one step.
//!
//! Taking calls is: read the text, count, swap it for the new one, again if another replica was faster. Only a swap
//! grants; the ledger as last read is used for refusing alone, which needs no I/O, because calls are only ever added to
//! it. So replicas that wait ask no more often than there can be something for them.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use alfred_model::budget::{Allowance, Ledger, NotBefore, Priority, Reading, WINDOW};
use alfred_model::policy::later;
use alfred_model::seam::{Clock, Random};
use async_trait::async_trait;
use jiff::Timestamp;

use super::ledger::{Answer, BudgetLedger, LedgerError, take_all};

/// How often a swap is tried at once. Each failure means that another replica succeeded.
const ATTEMPTS: u32 = 12;

/// Replicas that wait for the same moment come a little apart, so that their swaps do not collide.
const APART: Duration = Duration::from_millis(250);

/// Pauses between failures of the place where the text is kept.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// The server's count is handed over where it is lower than what is known by this many calls, or by all of it. What is
/// kept back is more than that, and every replica reads the server's count in its own answers too.
const WORTH_TELLING: u32 = 10;

/// Counts of the server's that wait to be handed over; there are hardly ever two.
const NOTES_MAX: usize = 16;

/// A text as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionedText {
    /// The text.
    pub text: String,
    /// What the next swap has to expect.
    pub version: i64,
}

/// Where replicas keep a text. Errors are words for an operator.
#[async_trait]
pub trait SharedText: Send + Sync + 'static {
    /// The text as it is now; nothing, if nobody has written it yet.
    async fn read(&self) -> Result<Option<VersionedText>, String>;

    /// Replaces the text if its version is still the expected one (none: if there is no text). Whether it did.
    async fn swap(&self, expected: Option<i64>, text: &str) -> Result<bool, String>;
}

/// The ledger of a token that all replicas share.
pub struct SharedLedger {
    place: Arc<dyn SharedText>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    allowance: Allowance,
    known: Mutex<Known>,
    failures: AtomicU32,
}

/// What is known here.
#[derive(Default)]
struct Known {
    /// As last read or written.
    ledger: Ledger,
    /// What the server said and the others do not know yet.
    notes: Vec<Note>,
    /// Numbers the notes.
    noted: u64,
}

struct Note {
    number: u64,
    until: Timestamp,
    kind: Kind,
}

enum Kind {
    Count { reading: Reading, in_flight: u32 },
    Block,
}

impl Note {
    /// A ledger must not be shown a time that is past, so that the note is made as of now.
    fn apply(&self, ledger: &mut Ledger, allowance: Allowance, now: Timestamp) {
        let left = Duration::try_from(self.until.duration_since(now)).unwrap_or_default();
        if left.is_zero() {
            return;
        }
        match &self.kind {
            Kind::Count { reading, in_flight } => {
                let reading = Reading { reset: Some(left), ..reading.clone() };
                ledger.believe(allowance, now, &reading, *in_flight);
            }
            Kind::Block => ledger.block(now, left),
        }
    }
}

impl Known {
    fn with_notes(&self, allowance: Allowance, now: Timestamp) -> Ledger {
        let mut ledger = self.ledger.clone();
        for note in &self.notes {
            note.apply(&mut ledger, allowance, now);
        }
        ledger
    }

    fn note(&mut self, until: Timestamp, kind: Kind) {
        self.noted += 1;
        self.notes.push(Note { number: self.noted, until, kind });
    }
}

impl SharedLedger {
    /// The ledger in `place`, which is one token's alone.
    pub fn new(
        place: Arc<dyn SharedText>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        allowance: Allowance,
    ) -> Self {
        Self { place, clock, random, allowance, known: Mutex::default(), failures: AtomicU32::new(0) }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the shared ledger by `change` and all notes. What `change` answers beside `false` is not worth writing.
    async fn change<T>(&self, mut change: impl FnMut(&mut Ledger) -> (T, bool) + Send) -> Result<T, LedgerError> {
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                tokio::time::sleep(APART.mul_f64(self.random.unit() * f64::from(attempt) / f64::from(ATTEMPTS))).await;
            }
            let read = self.place.read().await.map_err(|words| self.failed(words))?;
            let version = read.as_ref().map(|read| read.version);
            let stored = read.map_or_else(|| Ok(Ledger::default()), |read| Ledger::from_text(&read.text));
            let stored = stored.map_err(|error| self.failed(error.to_string()))?;
            let (mut ledger, noted) = self.learn(stored);
            let (answer, worth_writing) = change(&mut ledger);
            if !worth_writing {
                self.failures.store(0, Ordering::Relaxed);
                return Ok(answer);
            }
            let swapped = self.place.swap(version, &ledger.to_text()).await.map_err(|words| self.failed(words))?;
            if swapped {
                self.failures.store(0, Ordering::Relaxed);
                let mut known = self.lock();
                known.ledger = ledger;
                known.notes.retain(|note| note.number > noted);
                return Ok(answer);
            }
        }
        Err(self.failed("other replicas were faster each time".to_owned()))
    }

    /// Keeps what was read. Answers it with all notes, and the last note's number.
    fn learn(&self, stored: Ledger) -> (Ledger, u64) {
        let mut known = self.lock();
        known.ledger = stored;
        (known.with_notes(self.allowance, self.clock.now()), known.noted)
    }

    fn failed(&self, words: String) -> LedgerError {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed).min(8);
        let bound = PAUSE_MIN.saturating_mul(1 << failures).min(PAUSE_MAX);
        LedgerError { words, pause: bound.mul_f64(0.5 + self.random.unit() / 2.0) }
    }

    /// The answers if all of them are refusals: those need no asking.
    fn refusals(&self, wishes: &[(Priority, u32)]) -> Option<Vec<Answer>> {
        let now = self.clock.now();
        let mut ledger = self.lock().with_notes(self.allowance, now);
        let answers = take_all(&mut ledger, self.allowance, now, wishes);
        answers.iter().all(|answer| answer.outcome.is_err()).then(|| self.spread(answers))
    }

    fn spread(&self, mut answers: Vec<Answer>) -> Vec<Answer> {
        for answer in &mut answers {
            if let Err(NotBefore(time)) = &mut answer.outcome {
                *time = later(*time, APART.mul_f64(self.random.unit()));
            }
        }
        answers
    }
}

#[async_trait]
impl BudgetLedger for SharedLedger {
    fn allowance(&self) -> Allowance {
        self.allowance
    }

    async fn take(&self, wishes: &[(Priority, u32)]) -> Result<Vec<Answer>, LedgerError> {
        if let Some(refusals) = self.refusals(wishes) {
            return Ok(refusals);
        }
        let taken = self.change(|ledger| {
            let answers = take_all(ledger, self.allowance, self.clock.now(), wishes);
            let granted = answers.iter().any(|answer| answer.outcome.is_ok());
            (answers, granted)
        });
        Ok(self.spread(taken.await?))
    }

    fn believe(&self, reading: &Reading, in_flight: u32) {
        let now = self.clock.now();
        let mut known = self.lock();
        known.notes.retain(|note| note.until > now);
        let mut after = known.with_notes(self.allowance, now);
        let before = after.remaining(self.allowance, now);
        after.believe(self.allowance, now, reading, in_flight);
        let after = after.remaining(self.allowance, now);
        let lower = before.saturating_sub(after);
        if (lower >= WORTH_TELLING || (lower > 0 && after == 0)) && known.notes.len() < NOTES_MAX {
            let until = later(now, reading.reset.unwrap_or(WINDOW));
            known.note(until, Kind::Count { reading: reading.clone(), in_flight });
        }
    }

    fn block(&self, length: Duration) {
        let now = self.clock.now();
        let mut known = self.lock();
        // Answers that were under way together say the same.
        let before = known.with_notes(self.allowance, now).blocked_until(now);
        let until = later(now, length);
        if before.is_none_or(|before| before < until) {
            known.notes.retain(|note| !matches!(note.kind, Kind::Block));
            known.note(until, Kind::Block);
        }
    }

    async fn tell(&self) -> Result<(), LedgerError> {
        if self.lock().notes.iter().any(|note| matches!(note.kind, Kind::Block)) {
            self.change(|_| ((), true)).await?;
        }
        Ok(())
    }

    fn seen(&self) -> Ledger {
        self.lock().with_notes(self.allowance, self.clock.now())
    }
}

#[cfg(test)]
mod tests;
