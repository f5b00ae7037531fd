//! The zone itself.

use alfred_model::id::ZoneId;
use http::Method;
use serde::Deserialize;

use super::Cloudflare;
use crate::call::Call;
use crate::error::{Effect, ProviderError};
use crate::lenient;

/// Most changes in one batch on the Free plan.
pub const FREE_BATCH_LIMIT: usize = 200;

/// Most changes in one batch on all other plans.
pub const PAID_BATCH_LIMIT: usize = 3_500;

/// A zone, as far as we care.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Zone {
    /// Its id.
    #[serde(deserialize_with = "zone_id")]
    pub id: ZoneId,
    /// Its name, such as `example.com`.
    pub name: String,
    /// `active` once its name servers are Cloudflare's.
    #[serde(default, deserialize_with = "lenient::null_as_default")]
    pub status: String,
    /// The name servers that Cloudflare gave it.
    #[serde(default, deserialize_with = "lenient::null_as_default")]
    pub name_servers: Vec<String>,
    /// What may be done with it, such as `#dns_records:edit`; Cloudflare sends it, but does not say for whom it holds.
    #[serde(default, deserialize_with = "lenient::null_as_default")]
    pub permissions: Vec<String>,
    /// Its plan.
    #[serde(default, deserialize_with = "lenient::null_as_default")]
    pub plan: Plan,
}

/// What is paid for a zone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Plan {
    /// Such as `free`.
    #[serde(default, deserialize_with = "lenient::text")]
    pub legacy_id: Option<String>,
    /// Such as `Free Website`.
    #[serde(default, deserialize_with = "lenient::text")]
    pub name: Option<String>,
}

impl Plan {
    /// Most changes in one batch, where the plan is one that is known
    /// (<https://developers.cloudflare.com/dns/manage-dns-records/how-to/batch-record-changes/>).
    pub fn batch_limit(&self) -> Option<usize> {
        match self.legacy_id.as_deref()? {
            "free" => Some(FREE_BATCH_LIMIT),
            "pro" | "business" | "enterprise" => Some(PAID_BATCH_LIMIT),
            _ => None,
        }
    }

    /// Whether records may have tags
    /// (<https://developers.cloudflare.com/dns/manage-dns-records/reference/record-attributes/>).
    pub fn has_tags(&self) -> bool {
        self.batch_limit() == Some(PAID_BATCH_LIMIT)
    }
}

/// How many records a zone holds and may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Usage {
    /// How many it may hold; absent where the account's quota counts instead.
    #[serde(rename = "record_quota", default)]
    pub quota: Option<u64>,
    /// How many it holds.
    #[serde(rename = "record_usage")]
    pub used: u64,
}

/// The zones that a token sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VisibleZones {
    /// The first of them, at most fifty.
    pub zones: Vec<Zone>,
    /// How many there are, where Cloudflare says so.
    pub total: Option<u64>,
}

impl Cloudflare {
    /// A zone by its id.
    pub async fn zone(&self, id: &ZoneId) -> Result<Zone, ProviderError> {
        let target = format!("/zones/{id}");
        let subject = format!("`{id}`");
        self.result(&Call::new(Effect::Read, Method::GET, "GET /zones/{zone}", target, "read zone", subject)).await
    }

    /// The zones called `name` that the token can see; it needs `Zone Read` for this.
    pub async fn zones(&self, name: &str) -> Result<Vec<Zone>, ProviderError> {
        let subject = format!("`{name}`");
        let call = Call::new(Effect::Read, Method::GET, "GET /zones", "/zones".to_owned(), "find zone", subject)
            .query([("name", Some(name.to_owned())), ("per_page", Some("50".to_owned()))]);
        Ok(self.page(&call).await?.items)
    }

    /// The zones that the token sees at all. It sees those that it has any permission for, `Zone Read` most of all.
    pub async fn visible_zones(&self) -> Result<VisibleZones, ProviderError> {
        let call = Call::new(Effect::Read, Method::GET, "GET /zones", "/zones".to_owned(), "list zones", "")
            .query([("per_page", Some("50".to_owned()))]);
        let super::Page { items, total } = self.page(&call).await?;
        Ok(VisibleZones { zones: items, total })
    }

    /// How full the zone is.
    pub async fn usage(&self) -> Result<Usage, ProviderError> {
        let zone = self.zone_id();
        let target = format!("/zones/{zone}/dns_records/usage");
        let route = "GET /zones/{zone}/dns_records/usage";
        let subject = format!("of zone `{zone}`");
        self.result(&Call::new(Effect::Read, Method::GET, route, target, "read usage", subject)).await
    }
}

fn zone_id<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<ZoneId, D::Error> {
    let text = String::deserialize(deserializer)?;
    ZoneId::parse(&text).ok_or_else(|| serde::de::Error::custom("a zone's id is not letters and digits"))
}
