//! What people ask of single VMs: to take one in, to let one's contract end. Each is one write to the store; the
//! reconcilers do the rest.

use alfred_model::id::VmId;
use alfred_model::intent::{Intent, IntentKind};
use alfred_model::lifecycle::ACTOR;
use alfred_model::pool::{self, CancelRefused, ContractView};
use alfred_model::vm::{DISPLAY_NAME_PREFIX, SeenInstance, Vm, VmState, pool_display_name};
use alfred_store::{Changes, IntentQuery, Lease, StoreError};
use jiff::tz::TimeZone;

use crate::Engine;
use crate::intents::NewIntent;

/// What a request would do, before it is done.
#[derive(Debug, Clone)]
pub struct VmPreview {
    /// The VM as it would be; as it is, where its row exists and nothing else changes.
    pub vm: Vm,
    /// What is paid for it.
    pub contract: ContractView,
    /// What is given up, in words for a person.
    pub gives_up: String,
}

/// Why a request about a VM was not taken.
#[derive(Debug, thiserror::Error)]
pub enum PoolRequestError {
    /// There is none of this number.
    #[error("there is no VM {0}: `alfred vm list` shows those that are known, `alfred audit` those that are not")]
    NotFound(VmId),
    /// The name that was given is not its name.
    #[error("VM {id} is called `{name}`: give that name to confirm")]
    Name {
        /// Which.
        id: VmId,
        /// What it is called.
        name: String,
    },
    /// It cannot be cancelled.
    #[error(transparent)]
    Cancel(#[from] CancelRefused),
    /// It is ours already.
    #[error("VM {0} is {1}: there is nothing to adopt")]
    Known(VmId, VmState),
    /// It is not called as ours are.
    #[error(
        "VM {id} is called `{name}`, which is no name that alfred gives: it may be anybody's. To take it all the same, with \
         all that is on it erased, say so (`--foreign`)"
    )]
    Foreign {
        /// Which.
        id: VmId,
        /// What it is called.
        name: String,
    },
    /// An order may have bought it.
    #[error(
        "VM {0} may be what came of the order for `{1}`, which is still being looked for: wait until that is settled, or \
         abandon the order"
    )]
    Ordered(VmId, String),
    /// It ends today or has ended.
    #[error("the contract of VM {0} ends on {1}: it is of no use")]
    Ends(VmId, jiff::civil::Date),
    /// The provider could not be read.
    #[error("the provider could not be read: {0}")]
    Provider(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Engine {
    /// What cancelling a VM would mean.
    pub async fn preview_cancel(&self, id: VmId) -> Result<VmPreview, PoolRequestError> {
        let vm = self.store.vm(id).await?.ok_or(PoolRequestError::NotFound(id))?;
        let now = self.clock.now();
        pool::to_cancel(&vm, now)?;
        let contract = pool::contract(&vm, now);
        let gives_up = match contract.avoidable_from {
            Some(from) => format!(
                "VM {id} ends with its contract, on {} if the provider takes four weeks' notice; it cannot be undone \
                 through the API, and nothing that is paid comes back",
                from.to_zoned(TimeZone::UTC).date()
            ),
            None => format!(
                "VM {id} ends with its contract, on a day that the provider says afterwards; it cannot be undone through the \
                 API, and nothing that is paid comes back"
            ),
        };
        Ok(VmPreview { vm, contract, gives_up })
    }

    /// Lets a VM's contract end. `name` is its display name, as a proof that this one is meant.
    pub async fn cancel_contract(&self, id: VmId, name: &str, actor: &str) -> Result<Vm, PoolRequestError> {
        let vm = self.store.vm(id).await?.ok_or(PoolRequestError::NotFound(id))?;
        let row = pool::to_cancel(&vm, self.clock.now())?;
        if vm.display_name != name {
            return Err(PoolRequestError::Name { id, name: vm.display_name });
        }
        self.write_request(row, IntentKind::CancelVm, actor).await
    }

    /// Lets a contract end that the plan has found to be unneeded, if that is still so.
    pub(super) async fn let_lapse(&self, id: VmId) -> Result<(), StoreError> {
        let Some(vm) = self.store.vm(id).await?.filter(|vm| vm.state == VmState::Ready) else { return Ok(()) };
        let Ok(row) = pool::to_cancel(&vm, self.clock.now()) else { return Ok(()) };
        tracing::info!(vm = %id, "a contract that nobody needs is let lapse");
        match self.write_request(row, IntentKind::CancelVm, ACTOR).await {
            Err(PoolRequestError::Store(error)) if !matches!(error, StoreError::Conflict { .. }) => Err(error),
            _ => Ok(()),
        }
    }

    /// What taking a VM into the pool would mean.
    pub async fn preview_adopt(&self, id: VmId, foreign: bool) -> Result<VmPreview, PoolRequestError> {
        let (vm, _) = self.adoptable(id, foreign).await?;
        let contract = pool::contract(&vm, self.clock.now());
        let gives_up = format!(
            "all data on VM {id} (`{}`, {} in {}) is erased for ever; it is installed anew and belongs to the pool",
            vm.display_name, vm.product, vm.region
        );
        Ok(VmPreview { vm, contract, gives_up })
    }

    /// Takes a VM into the pool by way of a wipe: one that no row knows, or one that was kept out. `name` is its display
    /// name, as a proof that this one is meant.
    pub async fn adopt(&self, id: VmId, name: &str, foreign: bool, actor: &str) -> Result<Vm, PoolRequestError> {
        let (vm, known) = self.adoptable(id, foreign).await?;
        if vm.display_name != name {
            return Err(PoolRequestError::Name { id, name: vm.display_name });
        }
        if known {
            return self.write_request(vm, IntentKind::NameVm, actor).await;
        }
        let intent = self.request_intent(&vm, IntentKind::NameVm, actor);
        let changes = Changes { new_vms: vec![vm.clone()], intents: vec![intent], ..Changes::default() };
        let written = self.store.commit(changes).await?;
        self.vms_due.notify_one();
        self.moved();
        Ok(written.new_vms.into_iter().next().unwrap_or(vm))
    }

    /// The VM's row as it would be, and whether there is one already.
    async fn adoptable(&self, id: VmId, foreign: bool) -> Result<(Vm, bool), PoolRequestError> {
        let now = self.clock.now();
        if let Some(vm) = self.store.vm(id).await? {
            return match pool::taken_back(&vm, now) {
                Some(row) => Ok((row, true)),
                None => Err(PoolRequestError::Known(id, vm.state)),
            };
        }
        let instance =
            self.contabo.instance(id).await.map_err(|error| PoolRequestError::Provider(error.to_string()))?;
        let instance = crate::effects::seen(instance.ok_or(PoolRequestError::NotFound(id))?);
        self.refuse_ordered(&instance).await?;
        if !instance.display_name.starts_with(DISPLAY_NAME_PREFIX) && !foreign {
            return Err(PoolRequestError::Foreign { id, name: instance.display_name });
        }
        let mut vm = pool::adopted(&instance, None, now);
        vm.contract.price = self.settings.policy.orders.price.filter(|_| vm.product == self.settings.product);
        match pool::usable_until(&vm).zip(vm.cancel_date) {
            Some((until, last_day)) if until <= now => Err(PoolRequestError::Ends(id, last_day)),
            _ => Ok((vm, false)),
        }
    }

    async fn refuse_ordered(&self, instance: &SeenInstance) -> Result<(), PoolRequestError> {
        let open = IntentQuery { kind: Some(IntentKind::OrderVm), only_open: true, ..IntentQuery::default() };
        let orders = self.store.intents(open).await?;
        match orders.into_iter().find(|order| order.subject == instance.display_name) {
            Some(order) => Err(PoolRequestError::Ordered(instance.id, order.subject)),
            None => Ok(()),
        }
    }

    /// Writes the row together with the intent under which the reconciler will carry the request out, so that the ledger
    /// names who asked.
    async fn write_request(&self, row: Vm, kind: IntentKind, actor: &str) -> Result<Vm, PoolRequestError> {
        let intent = self.request_intent(&row, kind, actor);
        let changes = Changes { vms: vec![(row.clone(), Lease::Release)], intents: vec![intent], ..Changes::default() };
        let written = self.store.commit(changes).await?;
        self.vms_due.notify_one();
        self.moved();
        Ok(written.vms.into_iter().next().map_or(row, |(vm, _)| vm))
    }

    fn request_intent(&self, vm: &Vm, kind: IntentKind, actor: &str) -> Intent {
        let mut intent = self.new_intent(&NewIntent {
            kind,
            environment: None,
            vm_id: Some(vm.id),
            subject: pool_display_name(vm.id),
        });
        actor.clone_into(&mut intent.actor);
        intent
    }
}
