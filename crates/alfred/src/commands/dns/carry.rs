//! Carrying a plan out: every step goes to the writer, what may pass is tried again, and an interrupt leaves nothing
//! half-done.
//!
//! The steps are handed in together, so that the writer can send them in as few calls as the zone takes. A change whose
//! turn has not come when the command is interrupted is not sent any more; what was sent is waited for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use alfred_engine::{Change, ChangeOutcome, Look, RecordWriter, StillWanted};
use alfred_model::dns::plan::Step;
use alfred_model::failure::Disposition;
use alfred_model::record::DesiredRecord;
use alfred_providers::cloudflare::PAID_BATCH_LIMIT;
use futures::stream::{FuturesUnordered, StreamExt as _};
use tokio::time::Instant;

use super::super::Context;
use super::zone::{PAUSE_MAX, Zone, record};
use crate::error::Failure;
use crate::progress::Bar;
use crate::stop::Stop;

/// So many changes are with the writer at once: it always has the next batch at hand, and memory stays bounded.
const IN_FLIGHT: usize = 2 * PAID_BATCH_LIMIT;

/// How long an interrupted command waits for the answer to what was sent.
const GRACE: Duration = Duration::from_secs(10);

/// What came of a plan.
#[derive(Debug, Default)]
pub(super) struct Carried {
    /// How many steps of each kind were carried out.
    pub(super) done: BTreeMap<&'static str, usize>,
    /// Names and why their steps were not carried out.
    pub(super) failed: Vec<(String, String)>,
    /// How many steps were not begun.
    pub(super) left: usize,
    /// How many steps were sent without an answer; they may have been carried out or not.
    pub(super) unanswered: usize,
    /// Whether somebody interrupted it.
    pub(super) interrupted: bool,
}

impl Carried {
    /// How many steps were carried out.
    pub(super) fn count(&self) -> usize {
        self.done.values().sum()
    }

    /// Whether every step was.
    pub(super) fn is_whole(&self) -> bool {
        self.failed.is_empty() && self.left == 0 && self.unanswered == 0
    }
}

/// Carries the steps out, trying again for as long as `timeout`.
pub(super) async fn carry_out(
    context: &Context,
    zone: &Zone,
    steps: &[Step<'_>],
    timeout: Duration,
) -> Result<Carried, Failure> {
    let stop = Stop::on_signals()?;
    let writer = zone.writer();
    let mut journey = Journey {
        zone,
        steps,
        given_up: Arc::new(AtomicBool::new(false)),
        until: Instant::now() + timeout,
        bar: Bar::new(context.printer, steps.len()),
        carried: Carried::default(),
    };
    let mut due: Vec<Due> = (0..steps.len()).map(|step| Due { step, again: Again::No }).collect();
    let mut pause = Duration::from_secs(1);
    loop {
        let round = journey.round(&writer, due, &stop).await;
        let wait = round.after.unwrap_or(pause).max(Duration::from_millis(100));
        let is_last = journey.is_given_up() || Instant::now() + wait > journey.until;
        if is_last || round.again.is_empty() {
            journey.give_up(round.again);
            break;
        }
        journey.bar.say(&format!("{}; trying again in {} s", round.words, wait.as_secs_f64().ceil()));
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stop.gently.cancelled() => journey.interrupt(),
        }
        due = round.again.into_iter().map(|(due, _)| due).collect();
        pause = (pause * 2).min(PAUSE_MAX);
    }
    journey.bar.finish();
    Ok(journey.carried)
}

/// A step to be handed in.
struct Due {
    step: usize,
    again: Again,
}

/// Why a step is handed in another time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Again {
    No,
    /// It was put off before anything was looked at.
    PutOff,
    /// The zone may have changed since it was read.
    Stale,
    /// It may have been carried out.
    Unknown,
}

/// What a round leaves to be done.
#[derive(Default)]
struct Round {
    again: Vec<(Due, String)>,
    after: Option<Duration>,
    words: String,
}

struct Journey<'a> {
    zone: &'a Zone,
    steps: &'a [Step<'a>],
    given_up: Arc<AtomicBool>,
    until: Instant,
    bar: Bar,
    carried: Carried,
}

impl Journey<'_> {
    fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::Relaxed)
    }

    /// From now on nothing is sent whose turn has not come.
    fn interrupt(&mut self) {
        self.given_up.store(true, Ordering::Relaxed);
        self.carried.interrupted = true;
        self.bar.say("interrupted: nothing more is sent, waiting for what was; once more ends at once");
    }

    /// Hands everything in that is due and waits for what comes of it.
    async fn round(&mut self, writer: &RecordWriter, due: Vec<Due>, stop: &Stop) -> Round {
        let given_up = Arc::clone(&self.given_up);
        let still_wanted: StillWanted = Arc::new(move || !given_up.load(Ordering::Relaxed));
        let (zone, steps) = (self.zone, self.steps);
        let submit = |due: Due| {
            let outcome = writer.submit_while(change(zone, &steps[due.step], due.again), Arc::clone(&still_wanted));
            async move { (due.step, outcome.await) }
        };
        let mut waiting = due.into_iter();
        let mut flying: FuturesUnordered<_> = waiting.by_ref().take(IN_FLIGHT).map(submit).collect();
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        let mut ends_by = None;
        let mut round = Round::default();
        while !flying.is_empty() {
            tokio::select! {
                Some((place, outcome)) = flying.next() => {
                    self.settle(place, outcome, &mut round);
                    if !self.is_given_up() {
                        flying.extend(waiting.next().map(submit));
                    }
                }
                () = stop.gently.cancelled(), if !self.carried.interrupted => {
                    self.interrupt();
                    ends_by = Some(Instant::now() + GRACE);
                }
                () = stop.at_once.cancelled() => break,
                _ = tick.tick() => {
                    if self.looks_hopeless(ends_by) {
                        break;
                    }
                }
            }
        }
        // While every call waits for the budget, nothing is on its way.
        if self.zone.budget.blocked_until().is_some() {
            self.carried.left += flying.len();
        } else {
            self.carried.unanswered += flying.len();
        }
        self.carried.left += waiting.len();
        round
    }

    /// Whether there is no sense in waiting for answers any more; says what is waited for.
    fn looks_hopeless(&mut self, ends_by: Option<Instant>) -> bool {
        let now = Instant::now();
        let blocked = self.zone.budget.blocked_until();
        if let Some(ends_by) = ends_by {
            return blocked.is_some() || now >= ends_by;
        }
        // Work that goes on is not cut off; a wait that has no end in time is.
        if now >= self.until && blocked.is_some() {
            self.given_up.store(true, Ordering::Relaxed);
            return true;
        }
        if let Some(until) = blocked {
            let until = until.strftime("%H:%M:%S");
            self.bar.say(&format!("waiting for the API budget: Cloudflare takes no call before {until} UTC"));
        } else if self.zone.budget.remaining() == 0 {
            self.bar.say("waiting for the API budget");
        }
        false
    }

    fn settle(&mut self, step: usize, outcome: ChangeOutcome, round: &mut Round) {
        let Err(failure) = outcome else {
            self.bar.advance();
            *self.carried.done.entry(self.steps[step].action()).or_default() += 1;
            return;
        };
        let again = match failure.disposition {
            Disposition::Definite => {
                self.carried.failed.push((self.steps[step].name().to_string(), failure.words));
                return;
            }
            Disposition::Wait { after } => {
                round.after = round.after.max(after);
                if failure.refused { Again::PutOff } else { Again::Stale }
            }
            Disposition::Unknown => Again::Unknown,
        };
        round.words.clone_from(&failure.words);
        round.again.push((Due { step, again }, failure.words));
    }

    /// There is no further round for these.
    fn give_up(&mut self, again: Vec<(Due, String)>) {
        for (due, words) in again {
            match due.again {
                Again::Unknown if self.carried.interrupted => self.carried.unanswered += 1,
                _ if self.carried.interrupted => self.carried.left += 1,
                _ => self.carried.failed.push((self.steps[due.step].name().to_string(), words)),
            }
        }
    }
}

/// A step as the writer takes it.
fn change(zone: &Zone, step: &Step<'_>, again: Again) -> Change {
    let mark = zone.mark();
    let seen = || Look::Seen(step.seen().iter().map(record).collect());
    let (wanted, adopt) = match step {
        Step::Delete(name, _) => {
            let look = match again {
                Again::No | Again::PutOff => seen(),
                Again::Stale | Again::Unknown => Look::Ours,
            };
            return Change::Withdraw { name: name.clone(), mark, address: None, look };
        }
        Step::Adopt(wanted, _) => (wanted, true),
        Step::Create(wanted) | Step::Update(wanted, _) | Step::Retype(wanted, _) | Step::Unify(wanted, _) => {
            (wanted, false)
        }
    };
    let look = match again {
        Again::No | Again::PutOff => seen(),
        Again::Stale => Look::Everywhere,
        Again::Unknown => Look::Ours,
    };
    let desired = DesiredRecord { name: wanted.name.clone(), target: wanted.target.clone(), ttl: wanted.ttl, mark };
    Change::Write { desired, look, adopt }
}
