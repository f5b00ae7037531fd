//! One request about one state: what the caller may do, and the line in the log that says what came of it.
//!
//! What is only read is answered after its line is written, so that nobody reads unseen. What was changed is answered even
//! if its line cannot be written: it is not undone by that, the state's own document says who did it, and a client that
//! took it for failed would do it again.

use std::sync::Arc;

use alfred_model::id::StateLogId;
use alfred_model::state::log::{StateAction, StateLogEntry, StateOutcome, bounded};
use alfred_model::state::rights::{self, Asker};
use alfred_model::state::{Right, Rights, StateGrant, StateName, StatePattern};
use alfred_state::{StateError, States};
use axum::Extension;

use super::StatesService;
use crate::app::{App, Shared};
use crate::auth::Caller;
use crate::problem::{Code, Problem};
use crate::serve::Peer;

/// Where a request came from, if it came over a connection.
pub(crate) type From = Option<Extension<Peer>>;

/// A caller at a state.
pub(crate) struct Visit {
    app: Shared,
    pub(crate) caller: Caller,
    pub(crate) name: StateName,
    pub(crate) held: Rights,
    from: From,
}

/// The states of this server; refused, where it keeps none.
pub(crate) fn service(app: &App) -> Result<&StatesService, Problem> {
    let nothing = || Problem::new(Code::NotFound, "this server keeps no Terraform states");
    app.states.as_ref().ok_or_else(nothing)
}

/// What was granted to the caller.
pub(crate) async fn grants_of(app: &App, caller: &Caller) -> Result<Vec<StateGrant>, Problem> {
    Ok(app.store().state_grants_of(&caller.user, caller.token).await?)
}

/// What the caller may do with every state of a pattern.
pub(crate) fn held(caller: &Caller, grants: &[StateGrant], on: &StatePattern) -> Rights {
    let Caller { user, role, token, states_only, .. } = caller;
    rights::held(&Asker { user, role: *role, token: *token, states_only: *states_only }, grants, on)
}

impl Visit {
    /// Reads what the caller may do with the state.
    pub(crate) async fn begin(app: &Shared, caller: Caller, name: StateName, from: From) -> Result<Self, Problem> {
        service(app)?;
        let grants = grants_of(app, &caller).await?;
        let held = held(&caller, &grants, &StatePattern::from(name.clone()));
        Ok(Self { app: Arc::clone(app), caller, name, held, from })
    }

    /// The states.
    pub(crate) fn states(&self) -> Result<&States, Problem> {
        Ok(&service(&self.app)?.states)
    }

    /// Who does it, for the state's document.
    pub(crate) fn by(&self) -> &str {
        self.caller.user.as_str()
    }

    /// Refuses whoever does not have the right, and writes that down. To those who have no right at all, the state is not
    /// there.
    pub(crate) async fn need(&self, right: Right, action: StateAction) -> Result<(), Problem> {
        if self.held.has(right) {
            return Ok(());
        }
        let mut line = self.line(action, StateOutcome::Forbidden);
        line.detail = Some(format!("the right `{right}` is missing"));
        self.log(&line).await?;
        let words = format!("`{}` has no right to {right} `{}`", self.caller.user, self.name);
        Err(Problem::new(Code::StateForbidden, words))
    }

    /// The same where a state that may not be seen is answered as if it were not there.
    pub(crate) async fn need_seen(&self, right: Right, action: StateAction) -> Result<(), Problem> {
        let refused = self.need(right, action).await;
        if self.held.is_empty() { refused.map_err(|_| no_such_state(&self.name)) } else { refused }
    }

    /// A line about this visit.
    pub(crate) fn line(&self, action: StateAction, outcome: StateOutcome) -> StateLogEntry {
        let now = self.app.now();
        let id = StateLogId::generate(now, &**self.app.engine.random());
        let mut line = StateLogEntry::new(id, now, self.by(), self.name.as_str(), action, outcome);
        line.token = Some(self.caller.token);
        line.remote = self.from.as_ref().map(|Extension(Peer(address))| address.to_string());
        line
    }

    /// Writes a line before anything is answered.
    pub(crate) async fn log(&self, line: &StateLogEntry) -> Result<(), Problem> {
        Ok(self.app.store().log_state(line).await?)
    }

    /// Writes a line about what was done; see the module.
    pub(crate) async fn log_done(&self, line: &StateLogEntry) {
        if let Err(error) = self.app.store().log_state(line).await {
            let StateLogEntry { action, outcome, actor, .. } = line;
            tracing::error!(state = %self.name, %action, %outcome, actor, %error, "the log of states lacks a line");
        }
    }

    /// Writes down that something was not done and answers why.
    pub(crate) async fn failed(&self, mut line: StateLogEntry, error: StateError) -> Problem {
        let problem = Problem::from(error);
        line.outcome =
            if problem.code().status().is_server_error() { StateOutcome::Failed } else { StateOutcome::Refused };
        line.detail = Some(bounded(problem.detail()));
        self.log_done(&line).await;
        problem
    }
}

/// There is no such state, as far as the caller may know.
pub(crate) fn no_such_state(name: &StateName) -> Problem {
    Problem::new(Code::StateNotFound, format!("there is no state `{name}`"))
}
