//! How R2 is set up.

use std::fmt;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

/// The access key of the demo's account: it may do everything in this process and is worth nothing anywhere else.
pub const DEMO_ACCESS_KEY_ID: &str = "acce55acce55acce55acce55acce55ac";
/// The secret that goes with [`DEMO_ACCESS_KEY_ID`].
pub const DEMO_SECRET_ACCESS_KEY: &str = "local-cloud-demo-r2-secret-00000000000000000000000000000000000000";

/// R2. Its default is the demo's account.
#[derive(Clone, Debug)]
pub struct Options {
    /// Who signs S3 calls.
    pub access_key_id: String,
    /// What S3 calls are signed with.
    pub secret_access_key: SecretString,
    /// Milliseconds between two writes of one key that are both accepted; 0 for no limit. R2 takes one write a second.
    /// <https://developers.cloudflare.com/r2/platform/limits/>
    pub write_interval_ms: u64,
    /// Where buckets without a hint are put.
    pub location: Location,
    /// Bytes of all contents together. More is refused with 503: a stand-in for what the platform does not limit.
    pub capacity_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            access_key_id: DEMO_ACCESS_KEY_ID.into(),
            secret_access_key: SecretString::from(DEMO_SECRET_ACCESS_KEY),
            write_interval_ms: 1_000,
            location: Location::Weur,
            capacity_bytes: 4 * 1024 * 1024 * 1024,
        }
    }
}

/// Where a bucket is, as far as hints go. <https://developers.cloudflare.com/r2/reference/data-location/>
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Location {
    /// Western North America.
    Wnam,
    /// Eastern North America.
    Enam,
    /// Western Europe.
    Weur,
    /// Eastern Europe.
    Eeur,
    /// Asia and the Pacific.
    Apac,
    /// Oceania.
    Oc,
}

impl Location {
    /// The hint, in any case of letters.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        serde_json::from_value(text.to_ascii_lowercase().into()).ok()
    }

    /// The hint, lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Wnam => "wnam",
            Self::Enam => "enam",
            Self::Weur => "weur",
            Self::Eeur => "eeur",
            Self::Apac => "apac",
            Self::Oc => "oc",
        }
    }
}

/// A namespace of buckets with an S3 endpoint of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Jurisdiction {
    /// No restriction.
    #[default]
    Default,
    /// The European Union.
    Eu,
    /// The United States.
    Us,
    /// FedRAMP, moderate.
    Fedramp,
    /// FedRAMP, high.
    FedrampHigh,
}

impl Jurisdiction {
    /// The value of `cf-r2-jurisdiction`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        serde_json::from_value(text.into()).ok()
    }

    /// The jurisdiction of the S3 endpoint that a `Host` names: `ACCOUNT.eu.r2.cloudflarestorage.com`, and
    /// `eu.localhost` for this process.
    pub(crate) fn of_host(host: &str) -> Self {
        let name = host.split(':').next().unwrap_or_default();
        name.split('.').find_map(Self::parse).unwrap_or_default()
    }

    /// The value of `cf-r2-jurisdiction`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Eu => "eu",
            Self::Us => "us",
            Self::Fedramp => "fedramp",
            Self::FedrampHigh => "fedramp-high",
        }
    }
}

/// What keeping and reading an object costs; nothing here depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum StorageClass {
    /// For what is read often.
    #[default]
    Standard,
    /// For what is read rarely.
    InfrequentAccess,
}

impl StorageClass {
    /// The REST API's name for it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        serde_json::from_value(text.into()).ok()
    }

    /// S3's name for it.
    pub(crate) fn of_s3(text: &str) -> Option<Self> {
        match text {
            "STANDARD" => Some(Self::Standard),
            "STANDARD_IA" => Some(Self::InfrequentAccess),
            _ => None,
        }
    }

    /// S3's name for it.
    pub(crate) fn s3(self) -> &'static str {
        match self {
            Self::Standard => "STANDARD",
            Self::InfrequentAccess => "STANDARD_IA",
        }
    }
}

impl fmt::Display for StorageClass {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Standard => "Standard",
            Self::InfrequentAccess => "InfrequentAccess",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_names_its_jurisdiction() {
        for (host, jurisdiction) in [
            ("127.0.0.1:7072", Jurisdiction::Default),
            ("a11fed.r2.cloudflarestorage.com", Jurisdiction::Default),
            ("a11fed.eu.r2.cloudflarestorage.com", Jurisdiction::Eu),
            ("a11fed.fedramp-high.r2.cloudflarestorage.com", Jurisdiction::FedrampHigh),
            ("eu.localhost:7072", Jurisdiction::Eu),
            ("", Jurisdiction::Default),
        ] {
            assert_eq!(Jurisdiction::of_host(host), jurisdiction, "{host}");
        }
    }

    #[test]
    fn hints_are_read_in_any_case() {
        assert_eq!(Location::parse("WEUR"), Some(Location::Weur));
        assert_eq!(Location::parse("oc"), Some(Location::Oc));
        assert_eq!(Location::parse("mars"), None);
    }
}
