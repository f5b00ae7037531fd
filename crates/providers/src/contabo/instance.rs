//! Instances as Contabo shows them.

use std::net::Ipv4Addr;

use alfred_model::id::VmId;
use alfred_model::vm::InstanceStatus;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::lenient;

/// An instance. Only its number is sure: before it is allocated, real answers leave out or empty most of the rest,
/// whatever the OpenAPI document requires.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Instance {
    /// Its number, at least 1.
    #[serde(rename = "instanceId", deserialize_with = "vm_id")]
    pub id: VmId,
    /// Contabo's own name, such as `vmi3220843`.
    #[serde(default, deserialize_with = "lenient::text")]
    pub name: Option<String>,
    /// The name we gave it.
    #[serde(default, deserialize_with = "lenient::text")]
    pub display_name: Option<String>,
    /// The product, such as `V153`.
    #[serde(rename = "productId", default, deserialize_with = "lenient::text")]
    pub product: Option<String>,
    /// The region, such as `EU`.
    #[serde(default, deserialize_with = "lenient::text")]
    pub region: Option<String>,
    /// The data centre.
    #[serde(default, deserialize_with = "lenient::text")]
    pub data_center: Option<String>,
    /// The image it was installed from.
    #[serde(rename = "imageId", default, deserialize_with = "lenient::text")]
    pub image: Option<String>,
    /// Its public address, once it has one.
    #[serde(rename = "ipConfig", default, deserialize_with = "address")]
    pub address: Option<Ipv4Addr>,
    /// Its status; a word that this version does not know reads [`InstanceStatus::Other`].
    #[serde(default = "no_status", deserialize_with = "status")]
    pub status: InstanceStatus,
    /// When it was ordered.
    #[serde(rename = "createdDate", default, deserialize_with = "lenient::timestamp")]
    pub created_at: Option<Timestamp>,
    /// The last day of its contract, once it is cancelled.
    #[serde(default, deserialize_with = "lenient::date")]
    pub cancel_date: Option<Date>,
    /// What went wrong at Contabo.
    #[serde(default, deserialize_with = "lenient::text")]
    pub error_message: Option<String>,
    /// Main memory in MiB.
    #[serde(default, deserialize_with = "lenient::integer")]
    pub ram_mb: Option<i64>,
    /// Processor cores.
    #[serde(default, deserialize_with = "lenient::integer")]
    pub cpu_cores: Option<i64>,
    /// Disk in MiB.
    #[serde(default, deserialize_with = "lenient::integer")]
    pub disk_mb: Option<i64>,
}

/// Which instances a list shall hold; conditions that must all hold. Whether Contabo compares names as a whole is not
/// documented: compare again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InstanceFilter {
    /// These numbers. `Some` of an empty list is no instance at all; `None` is any.
    pub ids: Option<Vec<VmId>>,
    /// The display name.
    pub display_name: Option<String>,
    /// Any of these statuses.
    pub status: Vec<InstanceStatus>,
    /// The region.
    pub region: Option<String>,
    /// Any of these products.
    pub products: Vec<String>,
}

impl InstanceFilter {
    /// Every instance of the account.
    pub fn all() -> Self {
        Self::default()
    }

    /// The instance or instances with this display name.
    pub fn display_name(name: impl Into<String>) -> Self {
        Self { display_name: Some(name.into()), ..Self::default() }
    }

    /// One query for each portion of the ids.
    pub(super) fn queries(&self, ids_max: usize) -> Vec<Vec<(&'static str, Option<String>)>> {
        let list = |words: Vec<String>| (!words.is_empty()).then(|| words.join(","));
        let query = |ids: Option<&[VmId]>| {
            vec![
                ("instanceIds", ids.and_then(|ids| list(ids.iter().map(VmId::to_string).collect()))),
                ("displayName", self.display_name.clone()),
                ("status", list(self.status.iter().map(InstanceStatus::to_string).collect())),
                ("region", self.region.clone()),
                ("productIds", list(self.products.clone())),
            ]
        };
        match &self.ids {
            None => vec![query(None)],
            Some(ids) => ids.chunks(ids_max).map(|portion| query(Some(portion))).collect(),
        }
    }

    pub(super) fn words(&self) -> String {
        self.display_name.as_ref().map(|name| format!("called `{name}`")).unwrap_or_default()
    }
}

pub(super) fn vm_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<VmId, D::Error> {
    match lenient::integer(deserializer)? {
        Some(number) if number >= 1 => Ok(VmId(number)),
        _ => Err(serde::de::Error::custom("an instance without a number")),
    }
}

/// `{"v4":{"ip":"…"}}`, of which every part may be missing, `null` or empty.
fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Ipv4Addr>, D::Error> {
    let config = Value::deserialize(deserializer)?;
    let address = config.pointer("/v4/ip").and_then(Value::as_str).and_then(|text| text.trim().parse().ok());
    Ok(address.filter(|address: &Ipv4Addr| !address.is_unspecified()))
}

fn no_status() -> InstanceStatus {
    InstanceStatus::Other
}

fn status<'de, D: Deserializer<'de>>(deserializer: D) -> Result<InstanceStatus, D::Error> {
    let word = lenient::text(deserializer)?;
    Ok(word.and_then(|word| word.to_ascii_lowercase().parse().ok()).unwrap_or_else(no_status))
}
