//! Which refusal an error of the inner crates becomes.

use std::error::Error;

use alfred_engine::{OrderError, PoolRequestError, RequestError};
use alfred_model::state::write::Refusal;
use alfred_state::{BackendError, StateError};
use alfred_store::StoreError;

use super::{Code, Problem};

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let words = error.to_string();
        match error {
            StoreError::Conflict { .. } => Self::new(Code::Conflict, words),
            StoreError::SlugTaken { .. } => Self::new(Code::SlugTaken, words),
            StoreError::KeyReused => Self::new(Code::KeyReused, words),
            StoreError::OverQuota { .. } => Self::new(Code::OverQuota, words),
            StoreError::UserExists { .. } => Self::new(Code::UserExists, words),
            // A driver's error is most often a lost connection, and trying again is right for the others too.
            StoreError::Locked | StoreError::Full | StoreError::Open { .. } | StoreError::Database { .. } => {
                Self::new(Code::StoreUnavailable, "the database does not answer").because(with_sources(&error))
            }
            StoreError::Address { .. }
            | StoreError::Newer { .. }
            | StoreError::Damaged { .. }
            | StoreError::NotEmpty { .. }
            | StoreError::BadExport { .. }
            | StoreError::ExportUnwanted => Self::internal(with_sources(&error)),
        }
    }
}

impl From<RequestError> for Problem {
    fn from(error: RequestError) -> Self {
        let words = error.to_string();
        match error {
            RequestError::SlugTaken(_) => Self::new(Code::SlugTaken, words),
            RequestError::SlugForMany(_) | RequestError::Count(_) => Self::new(Code::BadCount, words),
            RequestError::NoRoom(_) => Self::new(Code::NoRoom, words),
            RequestError::NoSlug => Self::new(Code::NoSlug, words),
            RequestError::Setup(_) => Self::new(Code::BadSetup, words),
            RequestError::Domain(_) => Self::new(Code::BadSlug, words),
            RequestError::NotFound(_) => Self::new(Code::EnvironmentNotFound, words),
            RequestError::Extension { .. } => Self::new(Code::ExtensionRefused, words),
            RequestError::Retry(_) => Self::new(Code::RetryRefused, words),
            RequestError::Store(error) => error.into(),
        }
    }
}

impl From<StateError> for Problem {
    fn from(error: StateError) -> Self {
        let words = error.to_string();
        match error {
            StateError::Refused(Refusal::Locked(_)) | StateError::Locked(_) => Self::new(Code::StateLocked, words),
            StateError::Refused(_) | StateError::NoWayBack { .. } | StateError::NotDeleted(_) => {
                Self::new(Code::StateRefused, words)
            }
            StateError::NoMirror | StateError::OldUnreachable(_) | StateError::SwitchRefused(_) => {
                Self::new(Code::SwitchRefused, words)
            }
            StateError::Content(_) => Self::new(Code::BadState, words),
            StateError::NoState(_) => Self::new(Code::StateNotFound, words),
            StateError::NoVersion { .. } => Self::new(Code::VersionNotFound, words),
            StateError::Damaged { .. } | StateError::KeyMissing { .. } | StateError::Document { .. } => {
                Self::new(Code::StateDamaged, &words).because(words)
            }
            StateError::Busy(_) | StateError::NoRoom | StateError::MirrorBusy | StateError::Switching => {
                Self::new(Code::StatesUnavailable, words)
            }
            // Migrated states are looked for by whoever reads this.
            StateError::Moved(_) => Self::new(Code::StatesUnavailable, words),
            StateError::OtherPrimary { .. } | StateError::Copy(_) => {
                Self::new(Code::StatesUnavailable, "the stores of the states are not in order").because(words)
            }
            // Where the store is and what it said is for the log alone.
            StateError::Backend(error @ BackendError::Unavailable { .. }) => {
                Self::new(Code::StatesUnavailable, "the store of the states does not answer").because(error.to_string())
            }
            StateError::Backend(error) => Self::internal(error.to_string()),
        }
    }
}

impl From<OrderError> for Problem {
    fn from(error: OrderError) -> Self {
        let words = error.to_string();
        match error {
            OrderError::Held(_) => Self::new(Code::OrderHeld, words),
            OrderError::Failed(_) => Self::new(Code::OrderFailed, words),
            OrderError::Unknown { .. } => Self::new(Code::OrderUnknown, words),
            OrderError::Store(error) => error.into(),
        }
    }
}

impl From<PoolRequestError> for Problem {
    fn from(error: PoolRequestError) -> Self {
        let words = error.to_string();
        match error {
            PoolRequestError::NotFound(_) => Self::new(Code::VmNotFound, words),
            PoolRequestError::Name { .. } => Self::new(Code::VmNameWrong, words),
            PoolRequestError::Cancel(_) => Self::new(Code::CancelRefused, words),
            PoolRequestError::Known(..) | PoolRequestError::Ordered(..) | PoolRequestError::Ends(..) => {
                Self::new(Code::AdoptRefused, words)
            }
            PoolRequestError::Foreign { .. } => Self::new(Code::VmForeign, words),
            PoolRequestError::Provider(_) => Self::new(Code::ProviderUnreadable, words),
            PoolRequestError::Store(error) => error.into(),
        }
    }
}

/// An error with all its sources in one line.
pub(super) fn with_sources(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        line.push_str(": ");
        line.push_str(&error.to_string());
        source = error.source();
    }
    line
}
