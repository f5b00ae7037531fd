//! What is for sale: products, regions, add-ons and images.
//!
//! Product ids, names and disk sizes, regions and the Ubuntu 22.04 image are those of the platform's OpenAPI document
//! (<https://api.contabo.com/>, summer 2026). The ids of add-ons and of the images beside Ubuntu are this cloud's own.

use serde::{Deserialize, Serialize};

/// Where a VM stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the platform's own short names")]
pub enum Region {
    #[serde(rename = "EU")]
    Eu,
    #[serde(rename = "US-central")]
    UsCentral,
    #[serde(rename = "US-east")]
    UsEast,
    #[serde(rename = "US-west")]
    UsWest,
    #[serde(rename = "SIN")]
    Sin,
    #[serde(rename = "UK")]
    Uk,
    #[serde(rename = "AUS")]
    Aus,
    #[serde(rename = "JPN")]
    Jpn,
    #[serde(rename = "IND")]
    Ind,
}

impl Region {
    /// All of them, in the platform's order.
    pub const ALL: [Self; 9] =
        [Self::Eu, Self::UsCentral, Self::UsEast, Self::UsWest, Self::Sin, Self::Uk, Self::Aus, Self::Jpn, Self::Ind];

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Eu => "EU",
            Self::UsCentral => "US-central",
            Self::UsEast => "US-east",
            Self::UsWest => "US-west",
            Self::Sin => "SIN",
            Self::Uk => "UK",
            Self::Aus => "AUS",
            Self::Jpn => "JPN",
            Self::Ind => "IND",
        }
    }

    /// The region with that word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|region| region.as_str() == word)
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Eu => "European Union",
            Self::UsCentral => "United States (Central)",
            Self::UsEast => "United States (East)",
            Self::UsWest => "United States (West)",
            Self::Sin => "Asia (Singapore)",
            Self::Uk => "United Kingdom",
            Self::Aus => "Australia (Sydney)",
            Self::Jpn => "Asia (Japan)",
            Self::Ind => "Asia (India)",
        }
    }
}

/// Something that can be ordered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// The id to order it by, such as `V153`.
    pub id: String,
    /// Its name, such as `Cloud VPS 4`.
    pub name: String,
    /// Its category: `hdd`, `ssd`, `vds`, `nvme` or `performance`.
    pub category: String,
    /// Cores.
    pub cores: u32,
    /// Memory in MB.
    pub ram_mb: u64,
    /// Disk in MB.
    pub disk_mb: u64,
    /// Where it is sold; empty is everywhere.
    pub regions: Vec<Region>,
}

impl Product {
    pub(crate) fn sold_in(&self, region: Region) -> bool {
        self.regions.is_empty() || self.regions.contains(&region)
    }
}

/// The products of the default options.
pub(crate) fn products() -> Vec<Product> {
    // Id, name, category, cores, memory in GB, disk in GB.
    const PRODUCTS: [(&str, &str, &str, u32, u64, u64); 22] = [
        ("V153", "Cloud VPS 4", "ssd", 4, 8, 100),
        ("V154", "Cloud VPS 6", "ssd", 6, 12, 200),
        ("V155", "Cloud VPS 8", "ssd", 8, 24, 300),
        ("V156", "Cloud VPS 12", "ssd", 12, 48, 400),
        ("V157", "Cloud VPS 16", "ssd", 16, 64, 500),
        ("V158", "Cloud VPS 18", "ssd", 18, 96, 600),
        ("V159", "Cloud VPS Plus 4", "nvme", 4, 8, 150),
        ("V160", "Cloud VPS Plus 6", "nvme", 6, 12, 300),
        ("V161", "Cloud VPS Plus 8", "nvme", 8, 24, 450),
        ("V162", "Cloud VPS Plus 12", "nvme", 12, 48, 600),
        ("V163", "Cloud VPS Plus 16", "nvme", 16, 64, 750),
        ("V164", "Cloud VPS Plus 18", "nvme", 18, 96, 900),
        ("V93", "VPS 10 Storage", "ssd", 2, 4, 300),
        ("V96", "VPS 20 Storage", "ssd", 3, 8, 400),
        ("V99", "VPS 30 Storage", "ssd", 6, 18, 1000),
        ("V102", "VPS 40 Storage", "ssd", 8, 30, 1200),
        ("V105", "VPS 50 Storage", "ssd", 14, 50, 1400),
        ("V8", "VDS S", "vds", 3, 24, 180),
        ("V9", "VDS M", "vds", 4, 32, 240),
        ("V10", "VDS L", "vds", 6, 48, 360),
        ("V11", "VDS XL", "vds", 8, 64, 480),
        ("V16", "VDS XXL", "vds", 12, 96, 720),
    ];
    PRODUCTS
        .into_iter()
        .map(|(id, name, category, cores, ram_gb, disk_gb)| Product {
            id: id.to_owned(),
            name: name.to_owned(),
            category: category.to_owned(),
            cores,
            ram_mb: ram_gb * 1_024,
            disk_mb: disk_gb * 1_024,
            regions: Vec::new(),
        })
        .collect()
}

/// Add-ons that are ordered by name, and the ids under which an instance lists them.
pub(crate) const ADD_ONS: [(&str, i64); 5] = [
    ("privateNetworking", 1477),
    ("additionalIps", 1478),
    ("backup", 1479),
    ("extraStorage", 1480),
    ("customImage", 1481),
];

/// An image that a VM can be installed from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Image {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) version: String,
    pub(crate) windows: bool,
}

impl Image {
    pub(crate) fn os_type(&self) -> &'static str {
        if self.windows { "Windows" } else { "Linux" }
    }
}

/// The image of an order that names none: Ubuntu 22.04.
pub(crate) const DEFAULT_IMAGE: &str = "afecbb85-e2fc-46f0-9684-b46b1faf00bb";

/// The product of an order that names none.
pub(crate) const DEFAULT_PRODUCT: &str = "V153";

/// The standard images, in the order in which lists show them.
pub(crate) fn standard_images() -> Vec<Image> {
    [
        ("d64d5c6c-9dda-4e38-8174-0ee282474d8a", "ubuntu-24.04", "Ubuntu 24.04 (LTS)", "24.04", false),
        (DEFAULT_IMAGE, "ubuntu-22.04", "Ubuntu 22.04 (LTS)", "22.04", false),
        ("1fcd5f2a-0f3c-4c6b-9d63-6a5f6ad1d012", "debian-12", "Debian 12", "12", false),
        ("7a3fb0e4-56d1-4d2e-8f0a-9b6a4f1c2019", "windows-server-2019-se", "Windows Server 2019", "2019", true),
    ]
    .into_iter()
    .map(|(id, name, description, version, windows)| Image {
        id: id.to_owned(),
        name: name.to_owned(),
        description: description.to_owned(),
        version: version.to_owned(),
        windows,
    })
    .collect()
}
