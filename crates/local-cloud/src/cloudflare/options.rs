//! How the Cloudflare side is set up, and the limits that follow from a zone's plan.

use std::net::{Ipv4Addr, Ipv6Addr};

use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

/// The account that owns the demo's zone.
pub const DEMO_ACCOUNT_ID: &str = "a11fed05a11fed05a11fed05a11fed05";
/// The id of the demo's zone, `alfredos.site`.
pub const DEMO_ZONE_ID: &str = "5170e5170e5170e5170e5170e5170e00";
/// The name of the demo's zone.
pub const DEMO_ZONE: &str = "alfredos.site";
/// The demo's token: it may edit all zones of this process and is worth nothing anywhere else.
pub const DEMO_TOKEN: &str = "cfut_local-cloud-demo-token-0000000000000000";
/// The id of the demo's token.
pub const DEMO_TOKEN_ID: &str = "70ce70ce70ce70ce70ce70ce70ce70ce";
/// The demo's token that manages tokens and touches no zone; worth nothing anywhere else.
pub const DEMO_MANAGER_TOKEN: &str = "cfut_local-cloud-demo-manager-00000000000000";
/// The id of the demo's token that manages tokens.
pub const DEMO_MANAGER_TOKEN_ID: &str = "3a4a3a4a3a4a3a4a3a4a3a4a3a4a3a4a";

/// A Cloudflare plan, which sets most limits of a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Plan {
    /// No charge: 200 records, no tags.
    Free,
    /// 3,500 records.
    Pro,
    /// 3,500 records.
    Business,
    /// Records count against the account's quota.
    Enterprise,
}

impl Plan {
    /// The plan's `legacy_id`.
    pub fn id(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Pro => "pro",
            Self::Business => "business",
            Self::Enterprise => "enterprise",
        }
    }

    /// Records a zone may hold; `None` where the account's quota applies. Free zones made before 2024-09-01 may hold
    /// 1,000: give them [`ZoneOptions::record_quota`].
    /// <https://developers.cloudflare.com/dns/manage-dns-records/>
    pub fn record_quota(self) -> Option<u64> {
        match self {
            Self::Free => Some(200),
            Self::Pro | Self::Business => Some(3_500),
            Self::Enterprise => None,
        }
    }

    /// Operations in one batch.
    /// <https://developers.cloudflare.com/dns/manage-dns-records/how-to/batch-record-changes/>
    pub fn batch_limit(self) -> usize {
        if self == Self::Free { 200 } else { 3_500 }
    }

    /// Characters in a comment.
    /// <https://developers.cloudflare.com/dns/manage-dns-records/reference/record-attributes/>
    pub fn comment_limit(self) -> usize {
        if self == Self::Free { 100 } else { 500 }
    }

    /// Tags on a record.
    /// <https://developers.cloudflare.com/dns/manage-dns-records/reference/record-attributes/>
    pub fn tag_limit(self) -> usize {
        if self == Self::Free { 0 } else { 20 }
    }

    /// The smallest TTL in seconds besides 1 (automatic).
    /// <https://developers.cloudflare.com/dns/manage-dns-records/reference/ttl/>
    pub fn least_ttl(self) -> u32 {
        if self == Self::Enterprise { 30 } else { 60 }
    }
}

/// A zone that exists from the start.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ZoneOptions {
    /// 32 hexadecimal digits.
    pub id: String,
    /// The zone's name, lower case, without a final dot.
    pub name: String,
    /// The plan, which sets the limits.
    pub plan: Plan,
    /// Records the zone may hold instead of the plan's number.
    pub record_quota: Option<u64>,
    /// Two names that the zone says it is served by.
    pub name_servers: Vec<String>,
}

impl ZoneOptions {
    /// A zone with Cloudflare-like name servers.
    pub fn new(id: impl Into<String>, name: impl Into<String>, plan: Plan) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
            plan,
            record_quota: None,
            name_servers: vec!["ada.ns.cloudflare.com".into(), "bob.ns.cloudflare.com".into()],
        }
    }
}

/// What a token may do in the zones it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// List and get (`DNS Read`).
    Read,
    /// Also create, change and delete (`DNS Write`).
    Edit,
}

/// Whether a token works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenStatus {
    /// It works, until it expires.
    Active,
    /// Somebody switched it off.
    Disabled,
}

/// Whose token it is. All tokens of a user share one request budget; an account's token has its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenOwner {
    /// A user's token, verified at `/user/tokens/verify`.
    User,
    /// An account's token, verified at `/accounts/{id}/tokens/verify`.
    Account,
}

/// An API token.
#[derive(Clone, Debug)]
pub struct TokenOptions {
    /// 32 hexadecimal digits.
    pub id: String,
    /// What its owner called it.
    pub name: String,
    /// What goes behind `Bearer`.
    pub value: SecretString,
    /// Ids of the zones it may touch; `None` for all of the account.
    pub zones: Option<Vec<String>>,
    /// What it may do there.
    pub permission: Permission,
    /// When it stops working.
    pub expires_on: Option<Timestamp>,
    /// Whether it was switched off.
    pub status: TokenStatus,
    /// Whose it is.
    pub owner: TokenOwner,
    /// Whether it may read and roll tokens, itself included.
    pub may_roll_tokens: bool,
    /// What it may do with R2's buckets over the REST API; `None` for nothing. S3 has keys of its own.
    pub r2: Option<Permission>,
}

impl TokenOptions {
    /// A user's token for all zones, with edit permission and without end.
    pub fn new(id: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            name: "token".into(),
            value: SecretString::from(value.into()),
            zones: None,
            permission: Permission::Edit,
            expires_on: None,
            status: TokenStatus::Active,
            owner: TokenOwner::User,
            may_roll_tokens: false,
            r2: None,
        }
    }
}

/// The request budget of one token owner.
/// <https://developers.cloudflare.com/fundamentals/api/reference/limits/>
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateOptions {
    /// Requests in a window.
    pub quota: u32,
    /// Length of a window in seconds.
    pub window_seconds: u32,
    /// How long all calls are refused once a window was overdrawn, in seconds.
    pub block_seconds: u32,
}

impl Default for RateOptions {
    fn default() -> Self {
        Self { quota: 1_200, window_seconds: 300, block_seconds: 300 }
    }
}

/// The Cloudflare side. Its default is the demo's account.
#[derive(Clone, Debug)]
pub struct Options {
    /// 32 hexadecimal digits.
    pub account_id: String,
    /// The account's name.
    pub account_name: String,
    /// The zones.
    pub zones: Vec<ZoneOptions>,
    /// The tokens.
    pub tokens: Vec<TokenOptions>,
    /// Records that all Enterprise zones may hold together.
    pub account_quota: u64,
    /// The request budget.
    pub rate: RateOptions,
    /// Imports and exports a minute for one token owner.
    pub import_quota: u32,
    /// Milliseconds from a committed change to the first DNS answer that shows it.
    pub publication_delay_ms: u64,
    /// Answers an identical record with 81057, as older answers did, in place of 81058.
    pub older_duplicate_code: bool,
    /// IPv4 addresses that stand in for Cloudflare's edge in answers for proxied records.
    pub edge_v4: Vec<Ipv4Addr>,
    /// IPv6 addresses that stand in for Cloudflare's edge in answers for proxied records.
    pub edge_v6: Vec<Ipv6Addr>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            account_id: DEMO_ACCOUNT_ID.into(),
            account_name: "local cloud".into(),
            zones: vec![ZoneOptions::new(DEMO_ZONE_ID, DEMO_ZONE, Plan::Free)],
            tokens: vec![
                TokenOptions {
                    may_roll_tokens: true,
                    r2: Some(Permission::Edit),
                    ..TokenOptions::new(DEMO_TOKEN_ID, DEMO_TOKEN)
                },
                TokenOptions {
                    name: "token manager".into(),
                    zones: Some(Vec::new()),
                    permission: Permission::Read,
                    may_roll_tokens: true,
                    ..TokenOptions::new(DEMO_MANAGER_TOKEN_ID, DEMO_MANAGER_TOKEN)
                },
            ],
            account_quota: 1_000_000,
            rate: RateOptions::default(),
            import_quota: 3,
            publication_delay_ms: 0,
            older_duplicate_code: false,
            // TEST-NET-1 and the documentation prefix: nobody is reached by accident.
            edge_v4: vec![Ipv4Addr::new(192, 0, 2, 10), Ipv4Addr::new(192, 0, 2, 11)],
            edge_v6: vec![
                Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x10),
                Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x11),
            ],
        }
    }
}
