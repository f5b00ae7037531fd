//! The one task that writes: it gathers what all callers want written and commits it together.
//!
//! A commit costs a flush of the disk or a round trip to the server, whatever it holds. So everything that has gathered
//! while the previous group was written goes into one transaction, and nobody is answered before it is committed.
//!
//! Each piece of work decides before it writes: whoever is refused (a conflict, a taken slug) has written nothing, and
//! the others go on. That is checked, not trusted. If the database itself fails, the group is rolled back and each
//! piece is tried alone, so that only the one at fault fails. Savepoints would do the same for two more statements
//! per piece, and would not help where the transaction as a whole is lost.

mod group;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use alfred_model::environment::Environment;
use alfred_model::vm::Vm;
use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::connection::Connector;
use super::failure::{Next, next};
use super::session::Session;
use super::shared::Swap;
use crate::{Assignment, Changes, StoreError};
use group::{Asked, Group, Pending};

/// So many callers may wait for the writer before the next has to wait for room.
const QUEUE: usize = 1024;

/// How often a piece of work that stood in another replica's way is tried alone.
const ATTEMPTS: u32 = 5;

/// Something to be written. It is run again from the start if the group it was in fails.
#[async_trait]
pub(super) trait Work: Send + Sync + 'static {
    /// What the caller gets.
    type Answer: Send + 'static;

    /// Does it. An error of [`StoreError::is_refusal`]'s kinds must come before the first write.
    async fn run(&self, session: &mut Session) -> Result<Self::Answer, StoreError>;
}

/// Work on its way to the writer.
pub(super) enum Request {
    Commit(Box<Asked<Changes, Changes>>),
    Assign(Box<Asked<Assignment, Option<(Environment, Vm)>>>),
    Other(Box<dyn Pending>),
    Swap(Box<dyn Pending>),
}

impl Request {
    fn is_abandoned(&self) -> bool {
        match self {
            Self::Commit(asked) => asked.is_abandoned(),
            Self::Assign(asked) => asked.is_abandoned(),
            Self::Other(asked) | Self::Swap(asked) => asked.is_abandoned(),
        }
    }
}

/// Where callers leave their work.
pub(super) struct Writer {
    queue: mpsc::Sender<Request>,
}

impl Writer {
    /// Starts the task. It ends, and closes its connection, when this value is dropped and the queue is empty.
    pub(super) fn start(
        connector: Connector,
        session: Session,
        statements: Arc<AtomicU64>,
        group: usize,
    ) -> (Self, JoinHandle<()>) {
        let (queue, requests) = mpsc::channel(QUEUE);
        let task = Task { connector, session: Some(session), statements, group: group.max(1) };
        (Self { queue }, tokio::spawn(task.serve(requests)))
    }

    pub(super) async fn commit(&self, changes: Changes) -> Result<Changes, StoreError> {
        self.ask(|answer| Request::Commit(Box::new(Asked::new(changes, answer)))).await
    }

    pub(super) async fn assign(&self, assignment: Assignment) -> Result<Option<(Environment, Vm)>, StoreError> {
        self.ask(|answer| Request::Assign(Box::new(Asked::new(assignment, answer)))).await
    }

    pub(super) async fn run<W: Work>(&self, work: W) -> Result<W::Answer, StoreError> {
        self.ask(|answer| Request::Other(Box::new(Asked::new(work, answer)))).await
    }

    pub(super) async fn swap(&self, swap: Swap) -> Result<bool, StoreError> {
        self.ask(|answer| Request::Swap(Box::new(Asked::new(swap, answer)))).await
    }

    async fn ask<A>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<A, StoreError>>) -> Request,
    ) -> Result<A, StoreError> {
        let closed = || StoreError::Database { doing: "handing work to the writer", source: "it has ended".into() };
        let (answer, answered) = oneshot::channel();
        self.queue.send(request(answer)).await.map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }
}

struct Task {
    connector: Connector,
    /// Absent after it broke.
    session: Option<Session>,
    statements: Arc<AtomicU64>,
    group: usize,
}

impl Task {
    async fn serve(mut self, mut requests: mpsc::Receiver<Request>) {
        let mut gathered = Vec::with_capacity(self.group);
        while requests.recv_many(&mut gathered, self.group).await > 0 {
            // Whoever has gone away is not served: nobody would know what was claimed for them.
            let group = Group::new(gathered.drain(..).filter(|request| !request.is_abandoned()));
            self.serve_group(group).await;
        }
        if let Some(session) = self.session.take() {
            session.close().await;
        }
    }

    async fn serve_group(&mut self, mut group: Group) {
        if group.is_empty() {
            return;
        }
        let Err(error) = self.attempt(&mut group).await else { return group.answer() };
        if self.session.is_none()
            && let Err(error) = self.reconnect().await
        {
            return group.fail(&error);
        }
        if group.len() > 1 {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a group of {} writes failed, each is tried alone",
                group.len()
            );
        }
        for single in group.into_singles() {
            self.serve_single(single).await;
        }
    }

    async fn serve_single(&mut self, mut single: Group) {
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.attempt(&mut single).await {
                Ok(()) => return single.answer(),
                Err(error) if attempt < ATTEMPTS && next(&error) == Next::Again => {}
                Err(error) => return single.fail_with(error),
            }
        }
    }

    /// Runs the group in one transaction. After an error nothing of it is written (save that the answer to a commit
    /// may have been lost: then the versions have changed, and trying again ends in a conflict, not in a second write).
    async fn attempt(&mut self, group: &mut Group) -> Result<(), StoreError> {
        if self.session.is_none() {
            self.reconnect().await?;
        }
        let Some(session) = self.session.as_mut() else {
            return Err(StoreError::Database { doing: "writing", source: "there is no connection".into() });
        };
        let outcome = async {
            session.begin().await?;
            group.run(session).await?;
            session.commit().await
        };
        let outcome = outcome.await;
        if outcome.is_err() && session.roll_back().await.is_err() {
            // The connection is broken, or the database has rolled back by itself; a new one begins clean either way.
            self.session = None;
        }
        outcome
    }

    async fn reconnect(&mut self) -> Result<(), StoreError> {
        let connection = self.connector.connect().await?;
        self.session = Some(Session::new(
            connection,
            self.connector.dialect,
            Arc::clone(&self.statements),
            self.connector.on_commit.clone(),
        ));
        Ok(())
    }
}
