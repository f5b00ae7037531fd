//! The audit: providers, store and ledger side by side. It changes nothing.

use alfred_model::audit::{self, Finding, SeenRecord, World};
use alfred_providers::ProviderError;
use alfred_providers::cloudflare::{PER_PAGE_MAX, RecordFilter};
use alfred_providers::contabo::InstanceFilter;
use alfred_store::{EnvironmentQuery, IntentQuery, StoreError};
use jiff::Timestamp;
use serde::Serialize;

use crate::Engine;

/// Why there is no report. A read that failed is no report of emptiness (promise 9).
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// A provider could not be read.
    #[error("a provider could not be read, so nothing can be said: {0}")]
    Provider(#[from] ProviderError),
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What an audit found.
#[derive(Debug, Clone, Serialize)]
pub struct AuditReport {
    /// When it was made.
    pub at: Timestamp,
    /// Environments that are not deleted.
    pub environments: usize,
    /// VMs that are not ended.
    pub vms: usize,
    /// Records in the zone, foreign ones included.
    pub records: usize,
    /// Instances at the provider, foreign ones included.
    pub instances: usize,
    /// Records that are not ours.
    pub foreign_records: usize,
    /// Instances that are not ours.
    pub foreign_vms: usize,
    /// What is not as it should be.
    pub findings: Vec<Finding>,
}

impl Engine {
    /// Compares providers and store. What is in motion is no finding, what is foreign is not ours to judge.
    pub async fn audit(&self) -> Result<AuditReport, AuditError> {
        let (records, instances) = futures::future::try_join(self.zone_records(), self.instances()).await?;
        // The store is read after the providers: what was made meanwhile is known, and what is gone meanwhile is gone.
        let environments = self.store.environments(EnvironmentQuery::default()).await?;
        let vms = self.store.vms(false).await?;
        let open_intents = self.store.intents(IntentQuery { only_open: true, ..IntentQuery::default() }).await?;
        let now = self.clock.now();
        let compared = audit::compare(&World {
            environments: &environments,
            vms: &vms,
            open_intents: &open_intents,
            records: &records,
            instances: &instances,
            zone: &self.settings.zones[0].name,
            installation: self.settings.installation,
            now,
            grace: self.settings.policy.order_grace,
        });
        Ok(AuditReport {
            at: now,
            environments: environments.len(),
            vms: vms.len(),
            records: records.len(),
            instances: instances.len(),
            foreign_records: compared.foreign_records,
            foreign_vms: compared.foreign_vms,
            findings: compared.findings,
        })
    }

    async fn zone_records(&self) -> Result<Vec<SeenRecord>, ProviderError> {
        let all = self.zones.iter().map(|zone| async {
            let records = zone.cloudflare.for_audit().records(&RecordFilter::all(), PER_PAGE_MAX).await?;
            zone.writer.seen_whole_zone(records.iter().map(|record| record.name.as_str()));
            Ok::<_, ProviderError>(records)
        });
        let records = futures::future::try_join_all(all).await?.into_iter().flatten();
        Ok(records
            .map(|record| SeenRecord {
                id: record.id,
                name: record.name,
                kind: record.kind,
                content: record.content,
                comment: record.comment,
            })
            .collect())
    }

    async fn instances(&self) -> Result<Vec<alfred_model::vm::SeenInstance>, ProviderError> {
        let instances = self.contabo.instances(&InstanceFilter::all()).await?;
        Ok(instances.into_iter().map(crate::effects::seen).collect())
    }
}
