//! Changing a state's document by compare-and-set, whatever the store answers.

use std::time::Duration;

use alfred_model::state::{StateDocument, StateName};
use jiff::Timestamp;

use super::States;
use crate::backend::{Backend as _, BackendError, Document, Recalled, Revision, Swapped};
use crate::error::StateError;
use crate::mirror::Current;

/// How often a change is tried while others change the same state.
const ATTEMPTS: u32 = 24;

/// How often a store that does not answer is asked what became of a change.
const LOOKS: u32 = 3;

/// The longest pause between two tries.
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// What a change of a document comes to.
pub(super) enum Change<T> {
    /// The document is to be written, and then this is the answer.
    Write(T),
    /// The document stays as it is, and this is the answer.
    Leave(T),
}

/// The document of a state in the store that counts. Fails if the state is kept in another one.
pub(super) async fn load(
    current: &Current,
    state: &StateName,
) -> Result<Option<(Revision, StateDocument)>, StateError> {
    match current.primary.document(state).await? {
        Some(found) => own(current, state, &found).map(Some),
        None => Ok(None),
    }
}

/// The same as it was a moment ago, if the store knows that without being asked: good for trying a change, and for no
/// answer.
pub(super) fn recall(current: &Current, state: &StateName) -> Option<(Option<Revision>, StateDocument)> {
    match current.primary.recalled_document(state) {
        Recalled::Nothing => None,
        Recalled::Absent => Some((None, StateDocument::new())),
        Recalled::Present(found) => {
            // What is wrong with it is told when it is read.
            let (revision, document) = own(current, state, &found).ok()?;
            Some((Some(revision), document))
        }
    }
}

fn own(current: &Current, state: &StateName, found: &Document) -> Result<(Revision, StateDocument), StateError> {
    let Document { revision, content } = found;
    let unread = |words| StateError::Document { state: state.clone(), words };
    let document = StateDocument::parse(content).map_err(unread)?;
    // What was decided before the stores changed places last holds no longer.
    let is_decided = document.epoch >= current.epoch();
    match document.kept_in.as_deref().filter(|kept| is_decided && *kept != current.primary.place()) {
        Some(place) => Err(StateError::Moved(place.to_owned())),
        None => Ok((*revision, document)),
    }
}

impl States {
    /// Changes a state's document in the store that counts now, and brings the change to the other one.
    pub(super) async fn change<T>(
        &self,
        state: &StateName,
        by: &str,
        change: impl Fn(&mut StateDocument, Timestamp) -> Result<Change<T>, StateError>,
    ) -> Result<T, StateError> {
        let change = &change;
        self.in_current(|current| async move {
            let answer = self.change_in(&current, state, by, change).await?;
            self.stores.follow(&current, state, None).await?;
            Ok(answer)
        })
        .await
    }

    /// Applies `change` to the newest document until it was written, or needs no writing. `change` may be called several
    /// times, each time with another document; a change that took place although the store did not say so is found by its
    /// id, or by `change` itself, which then has nothing left to do.
    ///
    /// After a failure of the store it may have taken place: the other store is then compared with it.
    pub(super) async fn change_in<T>(
        &self,
        current: &Current,
        state: &StateName,
        by: &str,
        change: impl Fn(&mut StateDocument, Timestamp) -> Result<Change<T>, StateError>,
    ) -> Result<T, StateError> {
        let changed = self.try_change(current, state, by, change).await;
        if let Err(error @ (StateError::Backend(_) | StateError::Busy(_))) = &changed {
            self.stores.compare_later(current, state, &error.to_string()).await;
        }
        changed
    }

    async fn try_change<T>(
        &self,
        current: &Current,
        state: &StateName,
        by: &str,
        change: impl Fn(&mut StateDocument, Timestamp) -> Result<Change<T>, StateError>,
    ) -> Result<T, StateError> {
        let mut unanswered: Vec<(uuid::Uuid, T)> = Vec::new();
        let mut looks = 0;
        let mut recalled = recall(current, state);
        for attempt in 1..=ATTEMPTS {
            let is_recalled = recalled.is_some();
            let loaded = match recalled.take() {
                Some(recalled) => Ok(recalled),
                None => load(current, state).await.map(|loaded| match loaded {
                    Some((revision, document)) => (Some(revision), document),
                    None => (None, StateDocument::new()),
                }),
            };
            let (revision, mut document) = match loaded {
                Err(StateError::Backend(error @ BackendError::Unavailable { .. })) if !unanswered.is_empty() => {
                    looks += 1;
                    if looks > LOOKS {
                        return Err(error.into());
                    }
                    self.pause(attempt).await;
                    continue;
                }
                loaded => loaded?,
            };
            if let Some(index) = unanswered.iter().position(|(id, _)| *id == document.write_id) {
                return Ok(unanswered.swap_remove(index).1);
            }
            let now = self.seams.clock.now();
            let answer = match change(&mut document, now) {
                Ok(Change::Write(answer)) => answer,
                // What was true a moment ago is no answer.
                Ok(Change::Leave(_)) | Err(_) if is_recalled => continue,
                Ok(Change::Leave(answer)) => return Ok(answer),
                Err(error) => return Err(error),
            };
            document.advance(now, by, self.seams.random.uuid());
            document.epoch = document.epoch.max(current.epoch());
            document.kept_in = None;
            match current.primary.swap_document(state, revision, document.to_json().into()).await {
                Ok(Swapped::Done(_)) => return Ok(answer),
                Ok(Swapped::Conflict) => {}
                Err(error @ BackendError::Unavailable { .. }) => {
                    tracing::warn!(state = %state, error = %error, "it is not known whether a change took place");
                    unanswered.push((document.write_id, answer));
                    looks += 1;
                    if looks > LOOKS {
                        return Err(error.into());
                    }
                }
                Err(error) => return Err(error.into()),
            }
            self.pause(attempt).await;
        }
        Err(StateError::Busy(state.clone()))
    }

    /// Longer with each attempt, and never as long as others wait.
    async fn pause(&self, attempt: u32) {
        let bound = Duration::from_millis(4).saturating_mul(1 << attempt.min(10)).min(PAUSE_MAX);
        tokio::time::sleep(bound.mul_f64(self.seams.random.unit())).await;
    }
}
