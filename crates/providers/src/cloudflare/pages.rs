//! Turning the pages of a list: which is next, and when the list has ended.

use alfred_model::failure::Disposition;

use super::PER_PAGE_MAX;
use crate::error::{ErrorKind, ProviderError};

/// Most pages that are read of one list, so that a list without an end ends.
const PAGES_MAX: u32 = 10_000;

/// Page size that other tools are known to be served with; asked for where a larger one is refused.
const PER_PAGE_SAFE: u32 = 5_000;

pub(super) struct Pages {
    page: u32,
    per_page: u32,
    seen: u64,
    ended: bool,
}

impl Pages {
    pub(super) fn new(per_page: u32) -> Self {
        Self { page: 1, per_page: per_page.clamp(1, PER_PAGE_MAX), seen: 0, ended: false }
    }

    /// The number of the page to read and its size; nothing at the end.
    pub(super) fn next(&self) -> Option<(u32, u32)> {
        (!self.ended).then_some((self.page, self.per_page))
    }

    /// The page was refused. A first page that may have been too large is asked for once more, smaller.
    pub(super) fn refused(&mut self, error: ProviderError) -> Result<(), ProviderError> {
        let too_large = self.page == 1
            && self.per_page > PER_PAGE_SAFE
            && error.disposition == Disposition::Definite
            && error.kind == ErrorKind::Validation;
        if !too_large {
            return Err(error);
        }
        self.per_page = PER_PAGE_SAFE;
        Ok(())
    }

    /// A page with so many records was read, of so many in all where the answer says so. Why the list cannot be
    /// trusted, if it cannot.
    pub(super) fn turned(&mut self, count: usize, total: Option<u64>) -> Result<(), String> {
        self.seen += u64::try_from(count).unwrap_or(u64::MAX);
        self.ended = match total {
            Some(total) if self.seen >= total => true,
            Some(total) if count == 0 => {
                return Err(format!("the list ended after {} of {total} records", self.seen));
            }
            None => count < usize::try_from(self.per_page).unwrap_or(usize::MAX),
            Some(_) => false,
        };
        self.page += 1;
        if !self.ended && self.page > PAGES_MAX {
            return Err(format!("the list has more than {PAGES_MAX} pages"));
        }
        Ok(())
    }
}
