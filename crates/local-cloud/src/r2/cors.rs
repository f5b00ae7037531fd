//! Rules for browsers (CORS), as the REST API has them; S3's form is made from these.
//!
//! <https://developers.cloudflare.com/r2/buckets/cors/>. They are kept and told, and answers for public buckets obey them.

use serde::{Deserialize, Serialize};

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CorsRule {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
    pub(crate) allowed: Allowed,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) expose_headers: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) max_age_seconds: Option<u32>,
}

/// What a rule allows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Allowed {
    pub(crate) methods: Vec<String>,
    pub(crate) origins: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) headers: Vec<String>,
}

const METHODS: [&str; 5] = ["GET", "PUT", "POST", "DELETE", "HEAD"];

impl CorsRule {
    /// Whether it names methods and origins that there are.
    pub(crate) fn is_sound(&self) -> bool {
        let Allowed { methods, origins, .. } = &self.allowed;
        !methods.is_empty()
            && methods.iter().all(|method| METHODS.contains(&method.as_str()))
            && !origins.is_empty()
            && origins.iter().all(|origin| origin == "*" || origin.contains("://"))
    }

    /// The origin that an answer to `method` from `origin` names as allowed.
    pub(crate) fn allows<'o>(&'o self, method: &str, origin: &'o str) -> Option<&'o str> {
        let named = self.allowed.origins.iter().find(|allowed| *allowed == "*" || *allowed == origin)?;
        self.allowed.methods.iter().any(|allowed| allowed == method).then_some(if named == "*" { "*" } else { origin })
    }
}
