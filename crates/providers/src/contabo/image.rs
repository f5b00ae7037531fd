//! What an instance can be installed from.

use serde::Deserialize;

use crate::lenient;

/// An image.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Image {
    /// Its id, a UUID as text.
    #[serde(rename = "imageId")]
    pub id: String,
    /// Its name, such as `ubuntu-24.04`.
    #[serde(default, deserialize_with = "lenient::text")]
    pub name: Option<String>,
    /// `Linux` or `Windows`.
    #[serde(default, deserialize_with = "lenient::text")]
    pub os_type: Option<String>,
    /// Its version.
    #[serde(default, deserialize_with = "lenient::text")]
    pub version: Option<String>,
    /// Whether Contabo made it.
    #[serde(default, deserialize_with = "lenient::null_as_default")]
    pub standard_image: bool,
}
