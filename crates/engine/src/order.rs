//! Settling an order of which nothing is known (promise 5): the provider's audits by request id, then the display
//! name. Nothing is ever sent again here.

use alfred_model::failure::Failure;
use alfred_model::id::VmId;
use alfred_model::intent::Intent;
use alfred_model::lifecycle::Report;
use alfred_model::policy::later;
use alfred_model::vm::SeenInstance;
use alfred_providers::contabo::{Audit, AuditAction, AuditFilter, InstanceFilter};
use alfred_store::StoreError;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::Engine;
use crate::effects::{request_id, seen};

/// The provider's clock may differ from ours by so much.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_hours(24);

/// Nothing that came of the intent can be older than this.
pub(crate) fn earliest(intent: &Intent) -> Timestamp {
    intent.created_at.saturating_sub(CLOCK_SKEW).unwrap_or(Timestamp::MIN)
}

/// What the provider shows of an order.
pub(crate) enum Came {
    /// This VM came of it.
    Found(SeenInstance),
    /// So many VMs may have come of it, and that is not one.
    NotFound {
        /// How many.
        matches: usize,
    },
    /// The provider could not be read.
    NotReadable(Failure),
}

/// What the audits say of a request.
struct Traces {
    /// The instances that it created.
    created: Vec<VmId>,
    /// Whether it created one whose number they do not tell.
    without_number: bool,
}

/// Which request created an instance.
enum Creator {
    /// The one that is asked about.
    This,
    /// Another one: the VM is somebody else's.
    Another,
    /// The audits do not say, or not yet.
    Untold,
}

impl From<Came> for Report {
    fn from(came: Came) -> Self {
        match came {
            Came::Found(instance) => Self::OrderFound(instance),
            Came::NotFound { matches } => Self::OrderNotFound { matches },
            Came::NotReadable(failure) => Self::ReadFailed(failure),
        }
    }
}

impl Engine {
    /// What came of an order, whoever it was for.
    pub(crate) async fn what_came(&self, intent: &Intent) -> Result<Came, StoreError> {
        match self.created_by(intent).await {
            Err(failure) => Ok(Came::NotReadable(failure)),
            Ok(Traces { created, .. }) if created.len() > 1 => Ok(Came::NotFound { matches: created.len() }),
            Ok(Traces { created, without_number }) => match created.first() {
                Some(id) => Ok(self.confirm(intent, *id).await),
                None => self.find_by_name(intent, without_number).await,
            },
        }
    }

    /// What the provider's audits name as created by the intent's request. An instance number of 0 is one that the provider
    /// had not given yet.
    async fn created_by(&self, intent: &Intent) -> Result<Traces, Failure> {
        let filter = AuditFilter {
            request_id: Some(request_id(Some(intent))?),
            start: Some(earliest(intent).to_zoned(TimeZone::UTC).date()),
            ..AuditFilter::default()
        };
        let audits = self.contabo.instance_audits(&filter).await.map_err(|error| error.failure())?;
        let ours = |audit: &&Audit| audit.action == AuditAction::Created && audit.request_id == Some(intent.request_id);
        let mut created: Vec<VmId> =
            audits.iter().filter(ours).filter_map(|audit| audit.instance_id).filter(|id| id.0 > 0).collect();
        created.sort_unstable();
        created.dedup();
        let without_number = created.is_empty() && audits.iter().any(|audit| ours(&audit));
        Ok(Traces { created, without_number })
    }

    /// The audits name one instance: it is ours if it is shown and carries the name that was ordered.
    async fn confirm(&self, intent: &Intent, id: VmId) -> Came {
        match self.contabo.instance(id).await {
            Err(error) => Came::NotReadable(error.failure()),
            Ok(None) => Came::NotFound { matches: 0 },
            Ok(Some(instance)) => {
                let seen = seen(instance);
                if seen.display_name == intent.subject { Came::Found(seen) } else { Came::NotFound { matches: 1 } }
            }
        }
    }

    /// The audits may lag: the display name tells too, among VMs that no row knows and that are not older than the
    /// order.
    ///
    /// An environment's VM is named after its slug, which another installation on the same account may have chosen too:
    /// while the audits may still say whose the VM is, its name proves nothing, unless they say that the request made one
    /// (promise 3). The pool's VMs are named after their order, like no other.
    async fn find_by_name(&self, intent: &Intent, certain: bool) -> Result<Came, StoreError> {
        let name = &intent.subject;
        let filter = InstanceFilter::display_name(name);
        let instances = match self.contabo.instances(&filter).await {
            Ok(instances) => instances,
            Err(error) => return Ok(Came::NotReadable(error.failure())),
        };
        let mut matches: Vec<SeenInstance> = Vec::new();
        for instance in instances {
            let recent = instance.created_at.is_none_or(|created| created >= earliest(intent));
            let seen = seen(instance);
            if recent && seen.display_name == *name && self.store.vm(seen.id).await?.is_none() {
                matches.push(seen);
            }
        }
        Ok(match <[SeenInstance; 1]>::try_from(matches) {
            Ok([only]) => match self.creator(only.id, intent).await {
                Err(failure) => Came::NotReadable(failure),
                Ok(Creator::Another) => Came::NotFound { matches: 0 },
                Ok(Creator::Untold) if !certain && self.audits_may_lag(intent) => Came::NotFound { matches: 1 },
                Ok(Creator::Untold | Creator::This) => Came::Found(only),
            },
            Err(matches) => Came::NotFound { matches: matches.len() },
        })
    }

    fn audits_may_lag(&self, intent: &Intent) -> bool {
        intent.environment_id.is_some() && self.clock.now() < later(intent.created_at, self.settings.policy.order_grace)
    }

    /// Which request created the instance, by the audits' word.
    async fn creator(&self, id: VmId, intent: &Intent) -> Result<Creator, Failure> {
        let filter = AuditFilter { instance_id: Some(id), ..AuditFilter::default() };
        let audits = self.contabo.instance_audits(&filter).await.map_err(|error| error.failure())?;
        let created = audits.iter().filter(|audit| audit.action == AuditAction::Created);
        let requests: Vec<_> = created.filter_map(|audit| audit.request_id).collect();
        Ok(match requests.as_slice() {
            [] => Creator::Untold,
            all if all.iter().all(|request_id| *request_id == intent.request_id) => Creator::This,
            _ => Creator::Another,
        })
    }
}
