//! Two stores change places.
//!
//! First each state is closed in the old primary store: its document says that it is kept in the other one, and takes no
//! change any more. So nothing can be written that is not copied. Then the record names the other store. Whoever asks for a
//! state in between is told to ask again, as Terraform does by itself.

use alfred_model::state::mirror::{MirrorRecord, Switched, Switching, Trial, TrialRules};
use alfred_model::state::{StateDocument, StateName};
use jiff::SignedDuration;

use super::{Current, Mirror, Mirrored, Stores, copy};
use crate::backend::{Backend as _, Swapped};
use crate::error::StateError;

/// A switch that has taken longer is gone on with by others: whoever began it is gone.
const ABANDONED: SignedDuration = SignedDuration::from_secs(60);

/// How often a document is closed while others change it.
const ATTEMPTS: u32 = 32;

/// What somebody asks for who wants the stores to change places.
#[derive(Debug, Clone, Default)]
pub struct SwitchRequest {
    /// Who.
    pub by: String,
    /// Why, for people.
    pub words: String,
    /// What may be lost, as the refusal without it told.
    pub loss: Option<String>,
    /// Leave the old primary store as it is: it cannot be reached.
    pub without_old: bool,
    /// The new one has to prove itself.
    pub trial: Option<TrialRules>,
}

impl Stores {
    /// Makes the secondary store the primary one. Refused if it lacks something, unless that loss is named.
    pub async fn switch(&self, request: &SwitchRequest) -> Result<MirrorRecord, StateError> {
        let Some(mirror) = &self.mirror else { return Err(StateError::NoMirror) };
        let current = self.current().await?;
        let Some(Mirrored { secondary, record: known }) = &current.mirrored else { return Err(StateError::NoMirror) };
        known.may_switch(request.loss.as_deref())?;
        secondary.states(None, 1).await?;
        if !request.without_old {
            current.primary.states(None, 1).await.map_err(|error| StateError::OldUnreachable(error.to_string()))?;
        }
        let record = self
            .change_record(mirror, |record, now| {
                if record.epoch != known.epoch || record.switching.is_some() {
                    return Err(StateError::Switching);
                }
                // Whoever fell behind since this was asked for would be lost.
                record.may_switch(request.loss.as_deref())?;
                record.switching = Some(Switching {
                    since: now,
                    by: request.by.clone(),
                    words: request.words.clone(),
                    without_old: request.without_old,
                    trial: request.trial.clone(),
                });
                Ok(true)
            })
            .await?;
        let Some(switching) = record.switching else { return Err(StateError::MirrorBusy) };
        self.carry_out(mirror, &current, &switching).await
    }

    /// Goes back to the other store, which has everything. The one that failed is left as it is where it cannot be closed.
    pub(super) async fn go_back(&self, words: &str) -> Result<MirrorRecord, StateError> {
        let by = alfred_model::lifecycle::ACTOR.to_owned();
        let request = SwitchRequest { by, words: words.to_owned(), ..SwitchRequest::default() };
        match self.switch(&request).await {
            Err(StateError::OldUnreachable(_) | StateError::Backend(_)) => {
                self.switch(&SwitchRequest { without_old: true, ..request }).await
            }
            result => result,
        }
    }

    /// Goes on with a switch whose process is gone.
    pub(super) async fn resume_switch(&self, mirror: &Mirror, switching: &Switching) -> Result<bool, StateError> {
        if self.seams.clock.now().duration_since(switching.since) < ABANDONED {
            return Ok(false);
        }
        let current = self.current().await?;
        self.carry_out(mirror, &current, switching).await.map(|_| true)
    }

    async fn carry_out(
        &self,
        mirror: &Mirror,
        current: &Current,
        switching: &Switching,
    ) -> Result<MirrorRecord, StateError> {
        match self.close_and_name(mirror, current, switching).await {
            Ok(record) => Ok(record),
            Err(error) => {
                self.call_off(mirror, current, switching).await;
                Err(error)
            }
        }
    }

    async fn close_and_name(
        &self,
        mirror: &Mirror,
        current: &Current,
        switching: &Switching,
    ) -> Result<MirrorRecord, StateError> {
        let Some(Mirrored { secondary, record: known }) = &current.mirrored else { return Err(StateError::NoMirror) };
        if !switching.without_old {
            for state in copy::all_states(&*current.primary).await? {
                self.keep_in(current, &state, Some(secondary.place())).await?;
                copy::state(&*current.primary, &**secondary, &state, None).await?;
            }
        }
        self.change_record(mirror, |record, now| {
            if record.switching.as_ref() != Some(switching) || record.epoch != known.epoch {
                return Err(StateError::Switching);
            }
            std::mem::swap(&mut record.primary, &mut record.secondary);
            record.epoch += 1;
            record.switching = None;
            let Switching { by, words, .. } = switching.clone();
            record.switched = Some(Switched { at: now, by, words });
            record.trial = switching.trial.clone().map(|rules| Trial { since: now, rules });
            if switching.without_old || record.behind.is_some() {
                record.behind = MirrorRecord::begin("", "", now).behind;
            }
            Ok(true)
        })
        .await
    }

    /// Opens again what was closed. Until that is done the switch counts as under way, and is gone on with later.
    ///
    /// A state that is opened while another process goes on with the switch loses nothing: a change is acknowledged only
    /// while the stores have not changed places, and is in both of them then.
    async fn call_off(&self, mirror: &Mirror, current: &Current, switching: &Switching) {
        if let Err(error) = self.open_again(current).await {
            tracing::error!(error = %error, "states stay closed until the store answers again");
            return;
        }
        let called_off = self
            .change_record(mirror, |record, _| Ok(record.switching.take_if(|now| now == switching).is_some()))
            .await;
        if let Err(error) = called_off {
            tracing::error!(error = %error, "a switch of the stores of states could not be called off");
        }
    }

    /// Opens the states of the primary store that an interrupted switch closed.
    async fn open_again(&self, current: &Current) -> Result<(), StateError> {
        for state in copy::all_states(&*current.primary).await? {
            if self.keep_in(current, &state, None).await? {
                self.follow(current, &state, None).await?;
            }
        }
        Ok(())
    }

    /// Writes into a state's document of the primary store where the state is kept until the stores change places. Answers
    /// whether it did not say so already.
    async fn keep_in(&self, current: &Current, state: &StateName, place: Option<&str>) -> Result<bool, StateError> {
        let store = &current.primary;
        for _ in 0..ATTEMPTS {
            let Some(found) = store.document(state).await? else { return Ok(false) };
            let unread = |words| StateError::Document { state: state.clone(), words };
            let mut document = StateDocument::parse(&found.content).map_err(unread)?;
            let elsewhere = document.kept_in.as_deref().filter(|kept| *kept != store.place());
            if elsewhere == place {
                return Ok(false);
            }
            document.kept_in = place.map(str::to_owned);
            document.epoch = document.epoch.max(current.epoch());
            document.advance(self.seams.clock.now(), alfred_model::lifecycle::ACTOR, self.seams.random.uuid());
            if let Swapped::Done(_) =
                store.swap_document(state, Some(found.revision), document.to_json().into()).await?
            {
                return Ok(true);
            }
        }
        Err(StateError::Busy(state.clone()))
    }
}
