//! The DNS writer by itself: changes are handed in directly, as the engine, the audit and `alfred dns` do.

mod absence;
mod counts;
mod faults;
mod wishes;

use std::net::Ipv4Addr;
use std::sync::Arc;

use alfred_engine::{Change, ChangeOutcome, Look, Ours, RecordWriter};
use alfred_local_cloud::cloudflare::{self as local_cloudflare, DEMO_ZONE, DEMO_ZONE_ID, Plan, ZoneOptions};
use alfred_local_cloud::{LocalCloud, Options};
use alfred_model::id::{EnvironmentId, InstallationId, ZoneId};
use alfred_model::name::DomainName;
use alfred_model::record::{DesiredRecord, Mark, OwnershipMark, RECORD_TTL_SECONDS, Target};
use alfred_model::seam::{Clock, Random};
use alfred_providers::budget::Budget;
use alfred_providers::cloudflare::{Cloudflare, CloudflareOptions};
use alfred_providers::counts::CallCounts;
use alfred_providers::transport::Transport;
use alfred_providers::{BaseUrl, secret};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::json;
use uuid::Uuid;

use crate::view::{self, STRANGERS_TOKEN};
use crate::world::{SeededRandom, SimulatedClock, Wire};

const INSTALLATION: InstallationId = InstallationId(Uuid::from_u128(0xa1f));

/// A zone, and clients and writers that come and go.
pub(crate) struct Place {
    pub(crate) cloud: LocalCloud,
    clock: Arc<dyn Clock>,
    budget: Arc<Budget>,
    pub(crate) counts: CallCounts,
}

impl Place {
    /// A zone of this plan with room for so many records; the plan's own quota, where not said.
    pub(crate) fn new(seed: u64, plan: Plan, record_quota: Option<u64>) -> Self {
        let mut options = Options::default();
        options.cloudflare.zones =
            vec![ZoneOptions { record_quota, ..ZoneOptions::new(DEMO_ZONE_ID, DEMO_ZONE, plan) }];
        let stranger = local_cloudflare::TokenOptions::new("57a57a57a57a57a57a57a57a57a57a57", STRANGERS_TOKEN);
        options
            .cloudflare
            .tokens
            .push(local_cloudflare::TokenOptions { owner: local_cloudflare::TokenOwner::Account, ..stranger });
        let clock: Arc<dyn Clock> = Arc::new(SimulatedClock::new());
        let random: Arc<dyn Random> = Arc::new(SeededRandom::new(StdRng::seed_from_u64(seed)));
        let cloud = LocalCloud::new(options, Arc::clone(&clock), random);
        Self { cloud, budget: Budget::new(Arc::clone(&clock), 100), clock, counts: CallCounts::new() }
    }

    fn wire(&self) -> Arc<dyn Transport> {
        Arc::new(Wire { cloud: self.cloud.clone() })
    }

    fn client(&self, transport: Arc<dyn Transport>) -> Arc<Cloudflare> {
        let options = CloudflareOptions {
            base: BaseUrl::parse("http://127.0.0.1:1/client/v4").expect("a base address"),
            token: secret::ApiToken::new(local_cloudflare::DEMO_TOKEN).into(),
            zone: ZoneId::parse(DEMO_ZONE_ID).expect("a zone id"),
            account: None,
        };
        Arc::new(Cloudflare::new(transport, options, Arc::clone(&self.budget), self.counts.clone()))
    }

    /// A writer that knows nothing of the zone yet.
    pub(crate) fn writer(&self) -> RecordWriter {
        self.writer_over(self.wire())
    }

    pub(crate) fn writer_over(&self, transport: Arc<dyn Transport>) -> RecordWriter {
        let ours = Ours::Installation(INSTALLATION);
        RecordWriter::new(self.client(transport), &ours, None, Arc::clone(&self.clock))
    }

    /// Puts so many records there that are not ours.
    pub(crate) async fn plant(&self, count: u32) {
        let records: Vec<_> = (0..count)
            .map(|number| json!({"type": "A", "name": format!("foreign-{number}"), "content": "198.51.100.7", "ttl": 300}))
            .collect();
        for posts in records.chunks(200) {
            view::stranger(&self.cloud, "POST", "/batch", json!({ "posts": posts })).await;
        }
    }

    /// Calls made since the last time this was asked.
    pub(crate) fn calls(&self, before: &mut u64) -> u64 {
        let total = self.counts.total();
        let made = total - *before;
        *before = total;
        made
    }
}

pub(crate) fn name(number: u32) -> DomainName {
    format!("brave-tiger-{number}.{DEMO_ZONE}").parse().expect("a name")
}

pub(crate) fn mark(number: u32) -> Mark {
    OwnershipMark { installation: INSTALLATION, environment: EnvironmentId(Uuid::from_u128(u128::from(number) + 1)) }
        .into()
}

pub(crate) fn address(number: u32, generation: u8) -> Ipv4Addr {
    let [_, _, high, low] = number.to_be_bytes();
    Ipv4Addr::new(10, generation, high, low)
}

pub(crate) fn write(number: u32, generation: u8, look: Look) -> Change {
    let desired = DesiredRecord {
        name: name(number),
        target: Target::Address(address(number, generation)),
        ttl: RECORD_TTL_SECONDS,
        mark: mark(number),
    };
    Change::Write { desired, look, adopt: false }
}

pub(crate) fn withdraw(number: u32) -> Change {
    Change::Withdraw { name: name(number), mark: mark(number), address: None, look: Look::Ours }
}

/// Hands all changes in at once; the outcomes in the same order.
pub(crate) async fn submit(writer: &RecordWriter, changes: impl IntoIterator<Item = Change>) -> Vec<ChangeOutcome> {
    futures::future::join_all(changes.into_iter().map(|change| writer.submit(change))).await
}
