//! Waiting for environments. Events only say where and when to look; what is shown and decided on is the row itself, so
//! that a missed event, a restarted server or a changed address costs a moment and never an answer.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _};

use crate::api::{Environment, Event};
use crate::client::{Client, ClientError, EventStream};
use crate::error::{Failure, one_line};
use crate::printer::Printer;
use crate::progress::Progress;
use crate::stop::Interrupt;

/// What changed on the way is read this often; what an event says is at its end, at once.
const TICK: Duration = Duration::from_millis(250);

/// Everything that is not settled is read once in so many ticks, in case an event was missed.
const SWEEP_TICKS: u64 = 16;

/// So many rows are read at once.
const CONCURRENCY: usize = 8;

/// A sweep reads so many rows; the rest comes with the next one.
const SWEEP_MAX: usize = 200;

/// So many ticks without any answer, and the server is taken for gone: five minutes.
const SILENT_TICKS: u64 = 1200;

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::commands) enum Goal {
    /// Active, or failed.
    Settled,
    /// Deleted.
    Gone,
}

impl Goal {
    fn is_reached(self, environment: &Environment) -> bool {
        match self {
            Self::Settled => environment.is_settled(),
            Self::Gone => environment.attention || environment.status == "deleted",
        }
    }

    /// Whether an event's status says that the environment may be there.
    fn may_be_reached(self, status: &str) -> bool {
        match self {
            Self::Settled => matches!(status, "active" | "error" | "deleted"),
            Self::Gone => status == "deleted",
        }
    }
}

/// How waiting ended.
pub(in crate::commands) struct Followed {
    /// The rows as last read, in the order of the request.
    pub(in crate::commands) environments: Vec<Environment>,
    /// Whether the user stopped waiting before the end.
    pub(in crate::commands) interrupted: bool,
}

/// Waits until each environment has reached the goal, showing progress.
pub(in crate::commands) async fn follow(
    printer: Printer,
    client: &Client,
    environments: Vec<Environment>,
    goal: Goal,
    interrupt: &mut Interrupt,
) -> Result<Followed, Failure> {
    let mut waiting = Waiting::new(printer, environments, goal);
    let mut events: Option<EventStream> = None;
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut count: u64 = 0;
    while !waiting.is_over() {
        tokio::select! {
            biased;
            () = interrupt.next() => return Ok(waiting.end(true)),
            event = next(&mut events) => {
                if waiting.heard_all(event, &mut events) {
                    waiting.read(client).await?;
                }
            }
            _ = ticks.tick() => {
                if events.is_none() && count.is_multiple_of(SWEEP_TICKS) {
                    events = client.events(None, None).await.ok();
                }
                if count.is_multiple_of(SWEEP_TICKS) {
                    waiting.sweep();
                }
                waiting.read(client).await?;
                count += 1;
            }
        }
    }
    Ok(waiting.end(false))
}

/// The next event; never, while there is no stream.
async fn next(events: &mut Option<EventStream>) -> Option<Event> {
    match events {
        Some(events) => events.next().await,
        None => std::future::pending().await,
    }
}

struct Waiting {
    goal: Goal,
    order: Vec<String>,
    rows: BTreeMap<String, Environment>,
    open: BTreeSet<String>,
    dirty: BTreeSet<String>,
    progress: Progress,
    silent: u64,
    swept: String,
}

impl Waiting {
    fn new(printer: Printer, environments: Vec<Environment>, goal: Goal) -> Self {
        let order: Vec<String> = environments.iter().map(|environment| environment.id.clone()).collect();
        let mut waiting = Self {
            goal,
            open: order.iter().cloned().collect(),
            order,
            rows: BTreeMap::new(),
            dirty: BTreeSet::new(),
            progress: Progress::new(printer),
            silent: 0,
            swept: String::new(),
        };
        for environment in environments {
            waiting.take(environment);
        }
        waiting
    }

    fn is_over(&self) -> bool {
        self.open.is_empty()
    }

    /// Takes an event and those that came with it; whether something is worth a look at once.
    fn heard_all(&mut self, first: Option<Event>, events: &mut Option<EventStream>) -> bool {
        let mut urgent = false;
        let mut heard = Some(first);
        while let Some(event) = heard {
            let Some(event) = event else {
                *events = None;
                break;
            };
            urgent |= self.heard(&event);
            heard = next(events).now_or_never();
        }
        urgent
    }

    fn heard(&mut self, event: &Event) -> bool {
        let is_open = self.open.contains(&event.environment_id);
        if is_open {
            self.dirty.insert(event.environment_id.clone());
        }
        is_open && self.goal.may_be_reached(&event.status)
    }

    /// Marks the next part of what is open, going round.
    fn sweep(&mut self) {
        let from = std::mem::take(&mut self.swept);
        let part: Vec<String> = self.open.range(from..).take(SWEEP_MAX).cloned().collect();
        if part.len() == SWEEP_MAX {
            self.swept = part.last().cloned().unwrap_or_default();
        }
        self.dirty.extend(part);
    }

    async fn read(&mut self, client: &Client) -> Result<(), Failure> {
        if self.dirty.is_empty() {
            return Ok(());
        }
        let ids = std::mem::take(&mut self.dirty);
        let mut answers = futures::stream::iter(ids)
            .map(async |id| {
                let answer = client.get::<Environment>(&format!("/v1/environments/{id}")).await;
                (id, answer)
            })
            .buffer_unordered(CONCURRENCY);
        let mut failed = None;
        let mut answered = Vec::new();
        while let Some((id, answer)) = answers.next().await {
            match answer {
                Ok(environment) => answered.push(environment),
                Err(error) if error.may_pass() => failed = Some((id, error)),
                Err(error) => return Err(error.into()),
            }
        }
        drop(answers);
        let any = !answered.is_empty();
        for environment in answered {
            self.take(environment);
        }
        self.note_silence(any, failed)
    }

    /// Servers are restarted; only a long silence ends the wait.
    fn note_silence(&mut self, answered: bool, failed: Option<(String, ClientError)>) -> Result<(), Failure> {
        if answered {
            self.silent = 0;
        }
        let Some((id, error)) = failed else { return Ok(()) };
        self.dirty.insert(id);
        if self.silent == 0 {
            self.progress.note(&format!("{}; still trying", one_line(&error.to_string())));
        }
        self.silent += 1;
        if self.silent < SILENT_TICKS {
            return Ok(());
        }
        let failure = Failure::partly(error.to_string());
        Err(failure.hint("the request itself is not lost, follow it later with `alfred env watch --all`"))
    }

    fn take(&mut self, environment: Environment) {
        // A reason is shown while it waits: it says why nothing moves.
        let words = environment.reason.as_deref().map_or_else(|| environment.doing().to_owned(), one_line);
        self.progress.update(&environment.slug, &words, &environment.status);
        if self.goal.is_reached(&environment) {
            self.open.remove(&environment.id);
        }
        self.rows.insert(environment.id.clone(), environment);
    }

    fn end(mut self, interrupted: bool) -> Followed {
        self.progress.finish();
        let environments = self.order.iter().filter_map(|id| self.rows.remove(id)).collect();
        Followed { environments, interrupted }
    }
}
