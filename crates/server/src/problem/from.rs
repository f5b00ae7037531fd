//! Which refusal an error of the inner crates becomes.

use std::error::Error;

use alfred_engine::{OrderError, PoolRequestError, RequestError};
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
            StoreError::Address { .. } | StoreError::Newer { .. } | StoreError::Damaged { .. } => {
                Self::internal(with_sources(&error))
            }
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
