//! Where the platforms do not keep to their own documents, and where the documents are silent. The local cloud does as
//! the platforms do. Each entry says why it is here and where that can be read; one that nothing needs is a defect.

use serde_json::Value;

use crate::check::{Half, Violation};

/// Something that is allowed although the document says otherwise.
pub(crate) struct Deviation {
    /// What is so, in words.
    pub(crate) name: &'static str,
    /// Why it is allowed, and where that is written.
    pub(crate) reason: &'static str,
    pub(crate) half: Half,
    /// Begins of operations, such as `GET /v1/compute/instances`; each fits all that begin so.
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
            && self.operations.iter().any(|operation| violation.operation.starts_with(operation))
            && (self.applies)(violation)
    }
}

fn always(_: &Violation) -> bool {
    true
}

pub(crate) const CLOUDFLARE: &[Deviation] = &[];
pub(crate) const CONTABO: &[Deviation] = &[];
