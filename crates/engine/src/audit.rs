//! The audit: providers, store and ledger side by side.
//!
//! It reads everything, notes what it saw and forgets what it does not see any more; only a complete audit does, since
//! a read that failed says nothing. A repair then acts on what is ripe, within its caps, after one more look at each
//! thing ([`repair`]). [`schedule`] makes both happen by themselves.

mod repair;
mod report;
mod schedule;

use alfred_model::audit::{self, Finding, FindingKey, Limits, SeenRecord, World, standing};
use alfred_model::intent::Intent;
use alfred_model::name::DomainName;
use alfred_model::vm::{SeenInstance, Vm};
use alfred_providers::ProviderError;
use alfred_providers::cloudflare::{PER_PAGE_MAX, RecordFilter};
use alfred_providers::contabo::InstanceFilter;
use alfred_store::{EnvironmentQuery, IntentQuery, StoreError};

use crate::{Engine, measure};

pub use report::{AuditReport, RepairOutcome, RepairReport, Repaired};
pub use schedule::AuditSchedule;

/// A report lists at most so many findings; where there are more, something is wrong with the audit itself.
const FINDINGS_MAX: usize = 10_000;

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

/// An audit with what its repair needs to know besides.
struct Audited {
    report: AuditReport,
    vms: Vec<Vm>,
    open_intents: Vec<Intent>,
}

impl Engine {
    /// Compares providers and store, and notes what it saw. What is in motion is no finding, what is foreign is not
    /// ours to judge. It changes nothing at a provider.
    pub async fn audit(&self) -> Result<AuditReport, AuditError> {
        let _one_at_a_time = self.audit_gate.lock().await;
        Ok(self.look_at_everything().await?.report)
    }

    /// The same, and then repairs what is ripe, within `limits`, in the name of `actor`.
    pub async fn audit_and_repair(&self, limits: Limits, actor: &str) -> Result<AuditReport, AuditError> {
        let _one_at_a_time = self.audit_gate.lock().await;
        let audited = self.look_at_everything().await?;
        let repair = self.repair(&audited, limits, actor).await?;
        Ok(AuditReport { repair: Some(repair), ..audited.report })
    }

    async fn look_at_everything(&self) -> Result<Audited, AuditError> {
        let began = tokio::time::Instant::now();
        let looked = self.compare_everything().await;
        match &looked {
            Ok(audited) => measure::audit(&audited.report, began.elapsed()),
            Err(_) => measure::audit_failed(),
        }
        looked
    }

    async fn compare_everything(&self) -> Result<Audited, AuditError> {
        let (records, instances) = futures::future::try_join(self.zone_records(), self.instances()).await?;
        // The store is read after the providers: what was made meanwhile is known, and what is gone meanwhile is gone.
        let environments = self.store.environments(EnvironmentQuery::default()).await?;
        let vms = self.store.vms(false).await?;
        let open_intents = self.store.intents(IntentQuery { only_open: true, ..IntentQuery::default() }).await?;
        let now = self.clock.now();
        let policy = &self.settings.policy;
        let zones: Vec<DomainName> = self.zones.iter().map(|zone| zone.name.clone()).collect();
        let (mut compared, extent) = audit::survey(&World {
            environments: &environments,
            vms: &vms,
            open_intents: &open_intents,
            records: &records,
            instances: &instances,
            zones: &zones,
            installation: self.settings.installation,
            now,
            grace: policy.order_grace,
        });
        let left_out = compared.findings.len().saturating_sub(FINDINGS_MAX);
        compared.findings.truncate(FINDINGS_MAX);
        let keys: Vec<FindingKey> = compared.findings.iter().map(Finding::key).collect();
        let sightings = self.store.note_sightings(&keys, now).await?;
        let findings = standing(compared.findings, &sightings, policy.repair_grace, now);
        Ok(Audited {
            report: AuditReport {
                at: now,
                environments: environments.len(),
                vms: vms.len(),
                records: records.len(),
                instances: instances.len(),
                foreign_records: compared.foreign_records,
                foreign_vms: compared.foreign_vms,
                extent,
                findings,
                left_out,
                repair: None,
            },
            vms,
            open_intents,
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

    async fn instances(&self) -> Result<Vec<SeenInstance>, ProviderError> {
        let instances = self.contabo.instances(&InstanceFilter::all()).await?;
        Ok(instances.into_iter().map(crate::effects::seen).collect())
    }
}
