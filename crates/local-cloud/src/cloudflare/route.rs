//! Which call a method and a path are.

use http::Method;

use super::bucket_route::{self, BucketOperation};

/// The prefix of all paths.
pub(crate) const PREFIX: &str = "/client/v4";

/// A call of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    ListZones,
    GetZone,
    ListRecords,
    CreateRecord,
    GetRecord,
    OverwriteRecord,
    EditRecord,
    DeleteRecord,
    BatchRecords,
    ExportRecords,
    ImportRecords,
    ZoneUsage,
    AccountUsage,
    ListUserTokens,
    ListAccountTokens,
    GetUserToken,
    GetAccountToken,
    VerifyUserToken,
    VerifyAccountToken,
    RollUserToken,
    RollAccountToken,
    Buckets(BucketOperation),
}

impl Operation {
    /// The name in the journal and in fault rules.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ListZones => "cloudflare.zones.list",
            Self::GetZone => "cloudflare.zones.get",
            Self::ListRecords => "cloudflare.records.list",
            Self::CreateRecord => "cloudflare.records.create",
            Self::GetRecord => "cloudflare.records.get",
            Self::OverwriteRecord => "cloudflare.records.overwrite",
            Self::EditRecord => "cloudflare.records.edit",
            Self::DeleteRecord => "cloudflare.records.delete",
            Self::BatchRecords => "cloudflare.records.batch",
            Self::ExportRecords => "cloudflare.records.export",
            Self::ImportRecords => "cloudflare.records.import",
            Self::ZoneUsage => "cloudflare.records.usage",
            Self::AccountUsage => "cloudflare.account.usage",
            Self::ListUserTokens | Self::ListAccountTokens => "cloudflare.tokens.list",
            Self::GetUserToken | Self::GetAccountToken => "cloudflare.tokens.get",
            Self::VerifyUserToken | Self::VerifyAccountToken => "cloudflare.tokens.verify",
            Self::RollUserToken | Self::RollAccountToken => "cloudflare.tokens.roll",
            Self::Buckets(operation) => operation.name(),
        }
    }

    /// Whether it changes records.
    pub(crate) fn edits(self) -> bool {
        matches!(
            self,
            Self::CreateRecord
                | Self::OverwriteRecord
                | Self::EditRecord
                | Self::DeleteRecord
                | Self::BatchRecords
                | Self::ImportRecords
        )
    }
}

/// A call with the identifiers of its path; those it does not have are empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route<'p> {
    pub(crate) operation: Operation,
    pub(crate) zone: &'p str,
    pub(crate) account: &'p str,
    /// The record's or the token's id, or the bucket's name.
    pub(crate) id: &'p str,
}

/// The call that a path (with prefix, without query) is, if it is one.
pub(crate) fn route<'p>(method: &Method, path: &'p str) -> Option<Route<'p>> {
    let rest = path.strip_prefix(PREFIX)?.strip_prefix('/')?;
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let segments: Vec<&str> = rest.split('/').take(8).collect();
    let none = "";
    let (operation, zone, account, id) = match (method.as_str(), segments.as_slice()) {
        ("GET", ["zones"]) => (Operation::ListZones, none, none, none),
        ("GET", ["zones", zone]) => (Operation::GetZone, *zone, none, none),
        ("GET", ["zones", zone, "dns_records"]) => (Operation::ListRecords, *zone, none, none),
        ("POST", ["zones", zone, "dns_records"]) => (Operation::CreateRecord, *zone, none, none),
        ("POST", ["zones", zone, "dns_records", "batch"]) => (Operation::BatchRecords, *zone, none, none),
        ("GET", ["zones", zone, "dns_records", "export"]) => (Operation::ExportRecords, *zone, none, none),
        ("POST", ["zones", zone, "dns_records", "import"]) => (Operation::ImportRecords, *zone, none, none),
        ("GET", ["zones", zone, "dns_records", "usage"]) => (Operation::ZoneUsage, *zone, none, none),
        ("GET", ["zones", zone, "dns_records", id]) => (Operation::GetRecord, *zone, none, *id),
        ("PUT", ["zones", zone, "dns_records", id]) => (Operation::OverwriteRecord, *zone, none, *id),
        ("PATCH", ["zones", zone, "dns_records", id]) => (Operation::EditRecord, *zone, none, *id),
        ("DELETE", ["zones", zone, "dns_records", id]) => (Operation::DeleteRecord, *zone, none, *id),
        ("GET", ["accounts", account, "dns_records", "usage"]) => (Operation::AccountUsage, none, *account, none),
        ("GET", ["user", "tokens", "verify"]) => (Operation::VerifyUserToken, none, none, none),
        ("GET", ["accounts", account, "tokens", "verify"]) => (Operation::VerifyAccountToken, none, *account, none),
        ("GET", ["user", "tokens"]) => (Operation::ListUserTokens, none, none, none),
        ("GET", ["accounts", account, "tokens"]) => (Operation::ListAccountTokens, none, *account, none),
        ("GET", ["user", "tokens", id]) => (Operation::GetUserToken, none, none, *id),
        ("GET", ["accounts", account, "tokens", id]) => (Operation::GetAccountToken, none, *account, *id),
        ("PUT", ["user", "tokens", id, "value"]) => (Operation::RollUserToken, none, none, *id),
        ("PUT", ["accounts", account, "tokens", id, "value"]) => (Operation::RollAccountToken, none, *account, *id),
        (method, ["accounts", account, "r2", "buckets", rest @ ..]) => {
            let (operation, bucket) = bucket_route::route(method, rest)?;
            (Operation::Buckets(operation), none, *account, bucket)
        }
        _ => return None,
    };
    Some(Route { operation, zone, account, id })
}

/// The stable name of a call, for the journal and for fault rules.
pub fn route_name(method: &Method, path: &str) -> Option<&'static str> {
    route(method, path).map(|route| route.operation.name())
}
