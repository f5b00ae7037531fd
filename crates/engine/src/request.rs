//! What users ask for: create, delete, retry. Each is one write to the store; the reconcilers do the rest.

use std::time::Duration;

use alfred_model::environment::{Environment, OnFailure, Setup, Status, Step, Wish};
use alfred_model::event::Event;
use alfred_model::expiry::{self, Expiry, ExtensionRefused};
use alfred_model::id::{BatchId, EnvironmentId};
use alfred_model::lifecycle::{self, RetryRefused, Situation};
use alfred_model::name::{BadDomain, DomainName, Slug};
use alfred_model::user::{QuotaUse, User, UserName};
use alfred_store::{Changes, IdempotencyKey, IntentQuery, Lease, NewEnvironments, StoreError};
use jiff::Timestamp;

use crate::{Engine, NoRoom};

/// At most so many environments in one request.
pub const COUNT_MAX: u32 = 1000;

/// A collision of generated slugs is settled by drawing again; so often before giving up.
const SLUG_ATTEMPTS: usize = 8;

/// A single environment's collisions before a number is added to its name.
const PLAIN_ATTEMPTS: usize = 3;

/// A row's version moves while a worker has it; so often is it read again.
const CONFLICT_ATTEMPTS: usize = 20;

/// A request for environments.
#[derive(Debug, Clone)]
pub struct CreateEnvironments {
    /// The slug, where the user chose one; only with a count of 1.
    pub slug: Option<Slug>,
    /// How many.
    pub count: u32,
    /// Who they belong to.
    pub owner: UserName,
    /// Who asks.
    pub actor: UserName,
    /// What the owner wants on the VM.
    pub setup: Setup,
    /// What becomes of a VM bought for it if it fails.
    pub on_failure: OnFailure,
    /// How long they live from now on; for ever, where absent. It was granted to whoever asks.
    pub life: Option<Duration>,
    /// The client's own name for the request and a hash of the request.
    pub idempotency: Option<(String, String)>,
}

/// Why a request was not taken.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// Another environment has the slug.
    #[error("the slug `{0}` is taken, choose another")]
    SlugTaken(String),
    /// Slug and count contradict each other.
    #[error("a slug can be chosen for one environment only, not for {0}")]
    SlugForMany(u32),
    /// None or too many.
    #[error("the count must be from 1 to {COUNT_MAX}, not {0}")]
    Count(u32),
    /// No free slug was found.
    #[error("no free slug was found in {SLUG_ATTEMPTS} draws: try again, or choose one")]
    NoSlug,
    /// What the owner wants on the VM cannot be done.
    #[error(transparent)]
    Setup(#[from] alfred_model::user_data::BadUserData),
    /// Slug and zone make no DNS name.
    #[error(transparent)]
    Domain(#[from] BadDomain),
    /// No zone has room.
    #[error(transparent)]
    NoRoom(#[from] NoRoom),
    /// There is none of this name.
    #[error("there is no environment `{0}`")]
    NotFound(String),
    /// It cannot be extended.
    #[error("`{slug}` is not extended: {refused}")]
    Extension {
        /// Which environment.
        slug: String,
        /// Why.
        refused: ExtensionRefused,
    },
    /// It cannot be retried.
    #[error(transparent)]
    Retry(#[from] RetryRefused),
    /// The store refused or failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Engine {
    /// Takes a request for environments: the rows are written, with their owner and the wish, before this returns.
    pub async fn create(&self, request: CreateEnvironments) -> Result<Vec<Environment>, RequestError> {
        if request.count == 0 || request.count > COUNT_MAX {
            return Err(RequestError::Count(request.count));
        }
        if request.slug.is_some() && request.count > 1 {
            return Err(RequestError::SlugForMany(request.count));
        }
        alfred_model::user_data::check_setup(&request.setup)?;
        for attempt in 0..SLUG_ATTEMPTS {
            // In a large fleet one of many plain names is nearly always taken; with a number hardly any is.
            let numbered = attempt >= if request.count == 1 { PLAIN_ATTEMPTS } else { 1 };
            match self.try_create(&request, numbered).await {
                Err(RequestError::Store(StoreError::SlugTaken { slug })) => {
                    if request.slug.is_some() {
                        return Err(RequestError::SlugTaken(slug));
                    }
                }
                result => return result,
            }
        }
        Err(RequestError::NoSlug)
    }

    async fn try_create(&self, request: &CreateEnvironments, numbered: bool) -> Result<Vec<Environment>, RequestError> {
        let count = usize::try_from(request.count).unwrap_or(usize::MAX);
        let mut places = match self.find_room(count).await? {
            Ok(places) => places,
            Err(no_room) => return self.answered_before(request, no_room).await,
        };
        let now = self.clock.now();
        let batch = BatchId::generate(now, &*self.random);
        let expiry = Expiry::after(request.life, now, &self.settings.policy.expiry);
        let asked_for = match expiry.at {
            Some(at) => format!("asked for, until {}", expiry::moment(at)),
            None => "asked for".to_owned(),
        };
        let mut slugs = std::collections::HashSet::new();
        let mut new = NewEnvironments {
            environments: Vec::new(),
            events: Vec::new(),
            idempotency: idempotency_key(request, now),
            quota: self.settings.policy.quota,
        };
        for number in 0..count {
            let slug = if let Some(slug) = &request.slug {
                slug.clone()
            } else {
                let plain = |slug: &Slug| !slug.as_str().ends_with(|last: char| last.is_ascii_digit());
                let unfit = |slug: &Slug| slugs.contains(slug) || (numbered && plain(slug));
                alfred_model::slug::generate_unlike(&*self.random, &unfit).ok_or(RequestError::NoSlug)?
            };
            slugs.insert(slug.clone());
            let mut environment = self.new_environment(request, places.zone(number).environment(&slug)?, slug, now);
            environment.batch = Some(batch);
            environment.set_expiry(expiry.clone());
            new.events.push(lifecycle::event(&environment, now, request.actor.as_str(), asked_for.as_str()));
            new.environments.push(environment);
        }
        let environments = self.store.create_environments(new).await?;
        places.take();
        self.poke();
        if request.life.is_some() {
            self.ends_moved.notify_one();
        }
        Ok(environments)
    }

    /// A request that was carried out before is answered as it was then, however full the zones are now.
    async fn answered_before(
        &self,
        request: &CreateEnvironments,
        no_room: NoRoom,
    ) -> Result<Vec<Environment>, RequestError> {
        let before = match idempotency_key(request, self.clock.now()) {
            Some(key) => self.store.created_before(&key).await?,
            None => None,
        };
        before.ok_or(RequestError::NoRoom(no_room))
    }

    fn new_environment(
        &self,
        request: &CreateEnvironments,
        domain: DomainName,
        slug: Slug,
        now: Timestamp,
    ) -> Environment {
        Environment {
            id: EnvironmentId::generate(now, &*self.random),
            domain,
            slug,
            status: Status::Provisioning,
            step: Step::AssignVm,
            wish: Wish::Present,
            owner: request.owner.clone(),
            vm_id: None,
            address: None,
            record_id: None,
            setup: request.setup.clone(),
            on_failure: request.on_failure,
            attempts: 0,
            step_since: now,
            assigned_at: None,
            released_at: None,
            wake_at: Some(now),
            reason: None,
            attention: false,
            expires_at: None,
            warn_at: None,
            warned_at: None,
            expiry_bound: None,
            batch: None,
            created_at: now,
            updated_at: now,
            version: 0,
        }
    }

    /// Takes the wish to delete an environment. The wish is never refused and never lost; asking twice is the same as
    /// asking once.
    pub async fn delete(&self, id: EnvironmentId, actor: &UserName) -> Result<Environment, RequestError> {
        let environment = self.store.wish_absent(id, actor.as_str(), self.clock.now()).await?;
        self.poke();
        environment.ok_or_else(|| RequestError::NotFound(id.to_string()))
    }

    /// Tries again: after an error from the beginning, while waiting at once.
    pub async fn retry(
        &self,
        id: EnvironmentId,
        abandon_order: bool,
        actor: &UserName,
    ) -> Result<Environment, RequestError> {
        let mut conflict = None;
        for _ in 0..CONFLICT_ATTEMPTS {
            match self.try_retry(id, abandon_order, actor).await {
                Err(RequestError::Store(error @ StoreError::Conflict { .. })) => conflict = Some(error),
                result => return result,
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(conflict.map_or_else(|| RequestError::NotFound(id.to_string()), RequestError::Store))
    }

    async fn try_retry(
        &self,
        id: EnvironmentId,
        abandon_order: bool,
        actor: &UserName,
    ) -> Result<Environment, RequestError> {
        let environment = self.store.environment(id).await?.ok_or_else(|| RequestError::NotFound(id.to_string()))?;
        let query = IntentQuery { environment: Some(id), only_open: true, ..IntentQuery::default() };
        let open_intents = self.store.intents(query).await?;
        let situation = Situation { environment: &environment, vm: None, open_intents: &open_intents };
        let (transition, event) = lifecycle::retry(&situation, abandon_order, actor.as_str(), self.clock.now())?;
        let changes = Changes {
            environments: vec![(transition.environment, Lease::Keep)],
            intents: transition.intents,
            events: vec![event],
            ..Changes::default()
        };
        let written = self.store.commit(changes).await?;
        self.poke();
        let row = written.environments.into_iter().next();
        row.map(|(environment, _)| environment).ok_or_else(|| RequestError::NotFound(id.to_string()))
    }

    /// How much of a user's quota is used.
    pub async fn quota(&self, owner: &User) -> Result<QuotaUse, StoreError> {
        let used = self.store.live_environments(&owner.name).await?;
        Ok(QuotaUse { used, limit: owner.quota.or(self.settings.policy.quota), own: owner.quota.is_some() })
    }

    /// Events that belong to an environment, oldest first.
    pub async fn history(&self, id: EnvironmentId, after: i64, limit: usize) -> Result<Vec<Event>, StoreError> {
        self.store.events(Some(id), after, limit).await
    }
}

fn idempotency_key(request: &CreateEnvironments, now: Timestamp) -> Option<IdempotencyKey> {
    let (key, request_hash) = request.idempotency.clone()?;
    Some(IdempotencyKey { user: request.actor.clone(), key, request_hash, at: now })
}
