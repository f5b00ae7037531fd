//! Which records a list shall hold.

/// Conditions that must all hold. Cloudflare compares texts without regard to case; compare again where it matters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordFilter {
    /// The full name.
    pub name_exact: Option<String>,
    /// The end of the name.
    pub name_endswith: Option<String>,
    /// The type, such as `A`.
    pub kind: Option<String>,
    /// The content, such as an address.
    pub content_exact: Option<String>,
    /// The beginning of the comment.
    pub comment_startswith: Option<String>,
    /// The whole comment.
    pub comment_exact: Option<String>,
}

impl RecordFilter {
    /// Every record of the zone.
    pub fn all() -> Self {
        Self::default()
    }

    /// The records called `name`, of any type.
    pub fn name(name: impl Into<String>) -> Self {
        Self { name_exact: Some(name.into()), ..Self::default() }
    }

    /// The records whose comment begins with `beginning`.
    pub fn comment_startswith(beginning: impl Into<String>) -> Self {
        Self { comment_startswith: Some(beginning.into()), ..Self::default() }
    }

    pub(super) fn query(&self) -> [(&'static str, Option<String>); 6] {
        [
            ("name.exact", self.name_exact.clone()),
            ("name.endswith", self.name_endswith.clone()),
            ("type", self.kind.clone()),
            ("content.exact", self.content_exact.clone()),
            ("comment.startswith", self.comment_startswith.clone()),
            ("comment.exact", self.comment_exact.clone()),
        ]
    }

    pub(super) fn words(&self) -> String {
        let set = self.query().into_iter().filter_map(|(name, value)| Some(format!("`{name}={}`", value?)));
        let conditions: Vec<String> = set.collect();
        if conditions.is_empty() { String::new() } else { format!("with {}", conditions.join(", ")) }
    }
}
