//! Where the platforms do not keep to their own documents, and where the documents are silent. The local cloud does as
//! the platforms do. Each entry says why it is here and where that can be read; one that nothing needs is a defect.

mod cloudflare;
mod contabo;

use crate::check::{Half, Violation};

/// What is known of one provider's document beside the document.
pub(crate) struct Known {
    pub(crate) absent: &'static [Absent],
    pub(crate) deviations: &'static [Deviation],
}

pub(crate) const CLOUDFLARE: Known = Known { absent: cloudflare::ABSENT, deviations: cloudflare::DEVIATIONS };
pub(crate) const CONTABO: Known = Known { absent: contabo::ABSENT, deviations: contabo::DEVIATIONS };

/// An operation that the platform has and the document lacks.
pub(crate) struct Absent {
    /// Such as `GET /zones/{zone_id}`.
    pub(crate) name: &'static str,
    /// An operation of the document that has the same requests and answers, if there is one.
    pub(crate) like: Option<&'static str>,
    /// Where it is published.
    pub(crate) source: &'static str,
}

/// Something that is allowed although the document says otherwise.
pub(crate) struct Deviation {
    /// What is so, in words.
    pub(crate) name: &'static str,
    /// Where that can be read.
    pub(crate) source: &'static str,
    pub(crate) half: Half,
    /// The operations in which it is so.
    pub(crate) operations: &'static [&'static str],
    /// Places, such as `body/data/*/name`.
    pub(crate) places: &'static [&'static str],
    pub(crate) rule: &'static str,
    /// Whether it is so in this case.
    pub(crate) applies: fn(&Violation) -> bool,
}

impl Deviation {
    pub(crate) fn allows(&self, violation: &Violation) -> bool {
        self.half == violation.half
            && self.rule == violation.rule
            && self.places.contains(&violation.place.as_str())
            && self.operations.contains(&violation.operation.as_str())
            && (self.applies)(violation)
    }
}
