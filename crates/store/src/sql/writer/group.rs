//! The work that goes into one transaction, and its outcomes.

use alfred_model::environment::Environment;
use alfred_model::vm::Vm;
use async_trait::async_trait;
use tokio::sync::oneshot;

use super::{Request, Work};
use crate::sql::session::Session;
use crate::sql::{assign, commit};
use crate::{Assignment, Changes, StoreError};

/// Work, its outcome once it was run, and the caller who waits for it.
pub(in crate::sql) struct Asked<W, A> {
    work: W,
    outcome: Option<Result<A, StoreError>>,
    answer: oneshot::Sender<Result<A, StoreError>>,
}

impl<W, A> Asked<W, A> {
    pub(super) fn new(work: W, answer: oneshot::Sender<Result<A, StoreError>>) -> Self {
        Self { work, outcome: None, answer }
    }

    pub(super) fn is_abandoned(&self) -> bool {
        self.answer.is_closed()
    }

    fn answer(self) {
        let nothing = || Err(StoreError::Database { doing: "writing", source: "the work was not run".into() });
        // A caller who has gone away meanwhile needs no answer.
        let _ = self.answer.send(self.outcome.unwrap_or_else(nothing));
    }

    fn fail(self, error: StoreError) {
        let _ = self.answer.send(Err(error));
    }
}

/// Work of any kind that is run by itself.
#[async_trait]
pub(in crate::sql) trait Pending: Send {
    fn is_abandoned(&self) -> bool;
    /// An error is the database's; a refusal is an outcome.
    async fn run(&mut self, session: &mut Session) -> Result<(), StoreError>;
    fn answer(self: Box<Self>);
    fn fail(self: Box<Self>, error: StoreError);
}

#[async_trait]
impl<W: Work> Pending for Asked<W, W::Answer> {
    fn is_abandoned(&self) -> bool {
        Self::is_abandoned(self)
    }

    async fn run(&mut self, session: &mut Session) -> Result<(), StoreError> {
        let before = session.writes();
        match self.work.run(session).await {
            Err(error) if !(error.is_refusal() && session.writes() == before) => return Err(error),
            outcome => self.outcome = Some(outcome),
        }
        Ok(())
    }

    fn answer(self: Box<Self>) {
        Self::answer(*self);
    }

    fn fail(self: Box<Self>, error: StoreError) {
        Self::fail(*self, error);
    }
}

/// Work that is committed together. Its callers run at the same time, so that any order is right; the two frequent
/// kinds are merged into few statements.
#[derive(Default)]
pub(super) struct Group {
    commits: Vec<Asked<Changes, Changes>>,
    assignments: Vec<Asked<Assignment, Option<(Environment, Vm)>>>,
    others: Vec<Box<dyn Pending>>,
    /// Run last: other replicas wait for these rows.
    swaps: Vec<Box<dyn Pending>>,
}

impl Group {
    pub(super) fn new(requests: impl Iterator<Item = Request>) -> Self {
        let mut group = Self::default();
        for request in requests {
            group.push(request);
        }
        group
    }

    fn push(&mut self, request: Request) {
        match request {
            Request::Commit(asked) => self.commits.push(*asked),
            Request::Assign(asked) => self.assignments.push(*asked),
            Request::Other(asked) => self.others.push(asked),
            Request::Swap(asked) => self.swaps.push(asked),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.commits.len() + self.assignments.len() + self.others.len() + self.swaps.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Each piece of work in a group of its own.
    pub(super) fn into_singles(self) -> Vec<Self> {
        let commits = self.commits.into_iter().map(|asked| Request::Commit(Box::new(asked)));
        let assignments = self.assignments.into_iter().map(|asked| Request::Assign(Box::new(asked)));
        let others = self.others.into_iter().map(Request::Other);
        let swaps = self.swaps.into_iter().map(Request::Swap);
        commits
            .chain(assignments)
            .chain(others)
            .chain(swaps)
            .map(|request| Self::new(std::iter::once(request)))
            .collect()
    }

    /// Runs everything within the session's transaction and keeps the outcomes.
    pub(super) async fn run(&mut self, session: &mut Session) -> Result<(), StoreError> {
        let changes: Vec<&Changes> = self.commits.iter().map(|asked| &asked.work).collect();
        let mut committed = commit::run(session, &changes).await?;
        let assignments: Vec<&Assignment> = self.assignments.iter().map(|asked| &asked.work).collect();
        let assigned = assign::run(session, &assignments).await?;
        for asked in self.others.iter_mut().chain(&mut self.swaps) {
            asked.run(session).await?;
        }
        let before = session.write_events().await?;
        for changes in committed.iter_mut().flatten() {
            for event in &mut changes.events {
                event.sequence += before;
            }
        }
        for (asked, outcome) in self.commits.iter_mut().zip(committed) {
            asked.outcome = Some(outcome);
        }
        for (asked, outcome) in self.assignments.iter_mut().zip(assigned) {
            asked.outcome = Some(outcome);
        }
        Ok(())
    }

    /// Tells every caller the outcome; only after the commit.
    pub(super) fn answer(self) {
        self.commits.into_iter().for_each(Asked::answer);
        self.assignments.into_iter().for_each(Asked::answer);
        self.others.into_iter().chain(self.swaps).for_each(Pending::answer);
    }

    /// Tells every caller that the database is gone.
    pub(super) fn fail(self, error: &StoreError) {
        for single in self.into_singles() {
            single.fail_with(StoreError::Database { doing: "connecting again", source: error.to_string().into() });
        }
    }

    /// Tells the one caller of a group of one.
    pub(super) fn fail_with(mut self, error: StoreError) {
        if let Some(asked) = self.commits.pop() {
            asked.fail(error);
        } else if let Some(asked) = self.assignments.pop() {
            asked.fail(error);
        } else if let Some(asked) = self.others.pop().or_else(|| self.swaps.pop()) {
            asked.fail(error);
        }
    }
}
