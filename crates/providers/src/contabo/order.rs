//! What is asked of an instance, and what is answered.

use alfred_model::id::VmId;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize, Serializer};

use super::instance::vm_id;
use super::request_id::RequestId;
use crate::lenient;
use crate::secret::UserData;

/// An order of one instance.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderRequest {
    /// By which the order is found again; write it down first.
    #[serde(skip)]
    pub request_id: RequestId,
    /// A name that no other instance has, at most 255 characters: the second way to find the order again.
    pub display_name: String,
    /// The product, such as `V153`. Contabo changes these from time to time.
    #[serde(rename = "productId")]
    pub product: String,
    /// The region, such as `EU`.
    pub region: String,
    /// The image's id.
    #[serde(rename = "imageId")]
    pub image: String,
    /// Months paid in advance: 1, 12 or 24.
    pub period: u32,
    /// Ids of stored SSH keys.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ssh_keys: Vec<i64>,
    /// The id of a stored password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root_password: Option<i64>,
    /// Run at the first boot (cloud-init).
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "exposed")]
    pub user_data: Option<UserData>,
    /// `admin`, `root` or `administrator`; Contabo takes `admin` where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_user: Option<String>,
}

/// What an order bought. It has no address yet.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreatedInstance {
    /// The new instance.
    #[serde(rename = "instanceId", deserialize_with = "vm_id")]
    pub id: VmId,
    /// When it was ordered.
    #[serde(rename = "createdDate", default, deserialize_with = "lenient::timestamp")]
    pub created_at: Option<Timestamp>,
    /// The product that was bought.
    #[serde(rename = "productId", default, deserialize_with = "lenient::text")]
    pub product: Option<String>,
    /// The region it is in.
    #[serde(default, deserialize_with = "lenient::text")]
    pub region: Option<String>,
}

/// A new installation. Everything that is absent is gone afterwards, user data and keys included.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReinstallRequest {
    /// The image's id.
    #[serde(rename = "imageId")]
    pub image: String,
    /// Ids of stored SSH keys.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ssh_keys: Vec<i64>,
    /// The id of a stored password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root_password: Option<i64>,
    /// Run at the first boot (cloud-init).
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "exposed")]
    pub user_data: Option<UserData>,
    /// `admin`, `root` or `administrator`; Contabo takes `admin` where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_user: Option<String>,
}

/// What a cancellation says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cancellation {
    /// The last day of the contract. Where absent, read the instance until it shows.
    #[serde(default, deserialize_with = "lenient::date")]
    pub cancel_date: Option<Date>,
}

#[expect(clippy::ref_option, reason = "serde hands over a reference to the field")]
fn exposed<S: Serializer>(user_data: &Option<UserData>, serializer: S) -> Result<S::Ok, S::Error> {
    user_data.as_ref().map(UserData::expose).serialize(serializer)
}
