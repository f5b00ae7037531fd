//! The audit that nobody asks for: every now and then, by one replica at a time.

use std::sync::Arc;
use std::time::Duration;

use alfred_model::audit::Limits;
use alfred_model::policy::later;
use tokio_util::sync::CancellationToken;

use crate::Engine;

/// Who acts where the schedule repairs.
const ACTOR: &str = "audit";

/// How often audits are made, and what they may do.
#[derive(Debug, Clone, Default)]
pub struct AuditSchedule {
    /// How long after the start the first one is due.
    pub first: Duration,
    /// How long after one the next one is due; none are made, where absent.
    pub every: Option<Duration>,
    /// How much they may repair; they only tell, where absent.
    pub repair: Option<Limits>,
}

impl Engine {
    /// Audits by the schedule until `stop` is cancelled.
    pub(crate) async fn audit_loop(self: Arc<Self>, stop: CancellationToken) {
        let Some(every) = self.settings.audit.every else { return };
        let mut wait = self.jittered(self.settings.audit.first);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
            let now = self.clock.now();
            let next = self.jittered(every);
            wait = match self.store.take_audit_turn(now, later(now, next)).await {
                Ok(None) => {
                    tokio::select! {
                        biased;
                        () = stop.cancelled() => return,
                        () = self.scheduled_audit() => {}
                    }
                    next
                }
                // A little later than it is due, so that replicas that wait for one time do not all ask at once.
                Ok(Some(due)) => {
                    let left = Duration::try_from(due.duration_since(now)).unwrap_or_default();
                    left.saturating_add(self.jittered(every / 20))
                }
                Err(error) => {
                    tracing::error!(error = %error, "the turn to audit could not be taken");
                    next
                }
            };
        }
    }

    async fn scheduled_audit(&self) {
        let done = match self.settings.audit.repair {
            Some(limits) => self.audit_and_repair(limits, ACTOR).await,
            None => self.audit().await,
        };
        match done {
            Ok(report) if report.findings.is_empty() => tracing::info!("the audit finds all as it should be"),
            Ok(report) => {
                let ripe = report.findings.iter().filter(|standing| standing.ripe).count();
                let findings = report.findings.len() + report.left_out;
                tracing::warn!(findings, ripe, "the audit has findings: `alfred audit` shows them");
            }
            Err(error) => tracing::warn!(error = %error, "the audit could not be made"),
        }
    }

    /// From three quarters to five quarters of `wait`, so that installations do not all ask the providers at once.
    pub(crate) fn jittered(&self, wait: Duration) -> Duration {
        wait.mul_f64(0.75 + self.random.unit() / 2.0)
    }
}
