//! An environment as its owner sees it.

use std::net::Ipv4Addr;

use alfred_model::environment::{Environment, Status, Step};
use alfred_model::id::{BatchId, EnvironmentId, RecordId, VmId};
use alfred_model::name::{DomainName, Slug};
use alfred_model::user::UserName;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::cost::CostView;

/// An environment. What its owner gave for the VM (keys, script) is not shown: a script may hold secrets.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Environment, example = json!({
    "id": "01926f3c-7a1b-7c3d-9e4f-5a6b7c8d9e0f",
    "slug": "brave-tiger",
    "domain": "brave-tiger.alfredos.site",
    "address": "203.0.113.7",
    "vm_id": 100_200_300,
    "dns_record_id": "372e67954025e0ba6aaa6d586b9e0b59",
    "status": "active",
    "step": "settled",
    "owner": "alice",
    "reason": null,
    "attention": false,
    "attempts": 0,
    "expires_at": "2026-03-08T09:30:00Z",
    "expiry_warned_at": null,
    "expires_at_most": null,
    "batch": "01926f3c-7a1b-7c3d-9e4f-5a6b7c8d9e00",
    "cost": {
        "vm_id": 100_200_300,
        "price": "5.50 EUR",
        "from": "2026-03-01T09:30:04Z",
        "to": null,
        "hours": 73.0,
        "amount": "0.55 EUR"
    },
    "created_at": "2026-03-01T09:30:00Z",
    "updated_at": "2026-03-01T09:34:12Z"
}))]
pub(crate) struct EnvironmentView {
    /// Its id: for ever its own.
    #[schema(value_type = uuid::Uuid)]
    id: EnvironmentId,
    /// Its name, unique among those that are not deleted.
    #[schema(value_type = String)]
    slug: Slug,
    /// Its full DNS name.
    #[schema(value_type = String)]
    domain: DomainName,
    /// The address that its name answers with, once known.
    #[schema(value_type = Option<String>, format = Ipv4)]
    address: Option<Ipv4Addr>,
    /// Its VM: Contabo's instance number.
    #[schema(value_type = Option<i64>)]
    vm_id: Option<VmId>,
    /// Its DNS record: Cloudflare's id, while the record may exist.
    #[schema(value_type = Option<String>)]
    dns_record_id: Option<RecordId>,
    /// Where it stands.
    #[schema(schema_with = crate::schema::status)]
    status: Status,
    /// What is done next.
    #[schema(schema_with = crate::schema::step)]
    step: Step,
    /// Whose it is.
    #[schema(value_type = String)]
    owner: UserName,
    /// Why it waits or failed, and what to do.
    reason: Option<String>,
    /// Whether it goes no further until a person acts.
    attention: bool,
    /// How often the current step was tried and failed.
    attempts: u32,
    /// When it is deleted by itself; null for never.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// When its owner was warned of `expires_at`; null until then.
    #[schema(value_type = Option<String>, format = DateTime)]
    expiry_warned_at: Option<Timestamp>,
    /// How far it can be extended; null for any time.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at_most: Option<Timestamp>,
    /// The request that it was asked for in, by which `GET /v1/environments` finds all of them.
    #[schema(value_type = Option<uuid::Uuid>)]
    batch: Option<BatchId>,
    /// What the use of its VM has cost. Only where one environment is read; null in lists and where it had no VM.
    pub(super) cost: Option<CostView>,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<&Environment> for EnvironmentView {
    fn from(environment: &Environment) -> Self {
        Self {
            id: environment.id,
            slug: environment.slug.clone(),
            domain: environment.domain.clone(),
            address: environment.address,
            vm_id: environment.vm_id,
            dns_record_id: environment.record_id.clone(),
            status: environment.shown_status(),
            step: environment.step,
            owner: environment.owner.clone(),
            reason: environment.reason.clone(),
            attention: environment.attention,
            attempts: environment.attempts,
            expires_at: environment.expires_at,
            expiry_warned_at: environment.warned_at,
            expires_at_most: environment.expiry_bound.as_ref().map(|bound| bound.at),
            batch: environment.batch,
            cost: None,
            created_at: environment.created_at,
            updated_at: environment.updated_at,
        }
    }
}
