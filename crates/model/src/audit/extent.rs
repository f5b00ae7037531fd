//! How much there was to compare: a list that was cut short looks like a world in which everything is lost.

use serde::{Deserialize, Serialize};

/// What an audit read, and how much of what the store expects was there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extent {
    /// Records in all zones.
    pub records: usize,
    /// Those with an intact mark of this installation.
    pub own_records: usize,
    /// Environments whose record should be there.
    pub records_expected: usize,
    /// Those of them that have one.
    pub records_found: usize,
    /// VMs that the provider should show.
    pub vms_expected: usize,
    /// Those of them that it shows.
    pub vms_found: usize,
}

impl Extent {
    /// Why no repair may trust these lists: one is empty, or shows less than half of what it should (promise 9).
    pub fn shrunken(&self) -> Option<String> {
        if self.records == 0 {
            return Some("the list of records is empty".to_owned());
        }
        if self.records_found.saturating_mul(2) < self.records_expected {
            return Some(format!(
                "the list of records shows {} of the {} that the store expects",
                self.records_found, self.records_expected
            ));
        }
        if self.vms_found.saturating_mul(2) < self.vms_expected {
            return Some(format!(
                "the list of VMs shows {} of the {} that the store expects",
                self.vms_found, self.vms_expected
            ));
        }
        None
    }
}
