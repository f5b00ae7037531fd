//! The single effects: one call at a provider, told to the decisions as they need it.

use std::net::Ipv4Addr;
use std::sync::Arc;

use alfred_model::environment::{Environment, Setup};
use alfred_model::failure::Failure;
use alfred_model::id::{RecordId, VmId};
use alfred_model::intent::Intent;
use alfred_model::lifecycle::{Report, ServerSays};
use alfred_model::pool::VmReport;
use alfred_model::record::{DesiredRecord, OwnershipMark, RECORD_TTL_SECONDS, Target};
use alfred_model::user_data::UserData;
use alfred_model::vm::{InstanceStatus, SeenInstance};
use alfred_providers::authority::AnswerState;
use alfred_providers::contabo::{Instance, OrderRequest, ReinstallRequest, RequestId};
use alfred_providers::secret;
use jiff::Timestamp;

use crate::Engine;
use crate::writer::{Change, Look, StillWanted};

/// The request id that an intent was written with. A row that holds none that Contabo takes cannot be sent.
pub(crate) fn request_id(intent: Option<&Intent>) -> Result<RequestId, Failure> {
    intent.and_then(|intent| RequestId::try_from(intent.request_id).ok()).ok_or_else(|| {
        Failure::definite("the intent has no request id of version 4: this row was not written by alfred")
    })
}

/// An instance as the decisions see it.
pub(crate) fn seen(instance: Instance) -> SeenInstance {
    SeenInstance {
        id: instance.id,
        display_name: instance.display_name.unwrap_or_default(),
        status: instance.status,
        address: instance.address,
        product: instance.product.unwrap_or_default(),
        region: instance.region.unwrap_or_default(),
        cancel_date: instance.cancel_date,
        error_message: instance.error_message,
        created_at: instance.created_at,
    }
}

impl Engine {
    /// Buys a VM for an environment. The intent has been written.
    pub(crate) async fn order(&self, environment: &Environment, intent: Option<&Intent>) -> Report {
        let data = self.environment_user_data(environment, intent);
        match self.buy(environment.vm_display_name(), data, intent).await {
            Ok(instance) => Report::Ordered(instance),
            Err(failure) => Report::OrderFailed(failure),
        }
    }

    /// Buys a VM under a display name. The intent has been written.
    pub(crate) async fn buy(
        &self,
        display_name: String,
        user_data: Result<String, Failure>,
        intent: Option<&Intent>,
    ) -> Result<SeenInstance, Failure> {
        let request = OrderRequest {
            request_id: request_id(intent)?,
            display_name,
            product: self.settings.product.clone(),
            region: self.settings.region.clone(),
            image: self.settings.image.clone(),
            period: self.settings.policy.orders.months,
            ssh_keys: Vec::new(),
            root_password: None,
            user_data: Some(secret::UserData::new(&user_data?)),
            default_user: None,
        };
        let instance = self.contabo.create_instance(&request).await.map_err(|error| error.failure())?;
        Ok(SeenInstance {
            id: instance.id,
            display_name: request.display_name,
            status: InstanceStatus::Provisioning,
            address: None,
            product: request.product,
            region: request.region,
            cancel_date: None,
            error_message: None,
            created_at: instance.created_at,
        })
    }

    pub(crate) async fn name_vm(&self, id: VmId, name: &str, intent: Option<&Intent>) -> Result<(), Failure> {
        self.contabo.rename(request_id(intent)?, id, name).await.map_err(|error| error.failure())
    }

    pub(crate) async fn install_vm(
        &self,
        id: VmId,
        user_data: Result<String, Failure>,
        intent: Option<&Intent>,
    ) -> Result<(), Failure> {
        let request = ReinstallRequest {
            image: self.settings.image.clone(),
            ssh_keys: Vec::new(),
            root_password: None,
            user_data: Some(secret::UserData::new(&user_data?)),
            default_user: None,
        };
        self.contabo.reinstall(request_id(intent)?, id, &request).await.map_err(|error| error.failure())
    }

    pub(crate) async fn start_vm(&self, id: VmId, intent: Option<&Intent>) -> Result<(), Failure> {
        self.contabo.start(request_id(intent)?, id).await.map_err(|error| error.failure())
    }

    /// Cancels a VM that has no end date yet; one that has is done already, and one that is not there cannot be.
    pub(crate) async fn cancel_vm(&self, id: VmId, intent: Option<&Intent>) -> VmReport {
        let request_id = match request_id(intent) {
            Ok(request_id) => request_id,
            Err(failure) => return VmReport::Wrote(Err(failure)),
        };
        match self.observe(id).await {
            Err(failure) => VmReport::Wrote(Err(failure)),
            Ok(None) => VmReport::Seen(None),
            Ok(Some(instance)) if instance.cancel_date.is_some() => VmReport::Wrote(Ok(())),
            Ok(Some(_)) => {
                let cancelled = self.contabo.cancel(request_id, id).await;
                VmReport::Wrote(cancelled.map(|_| ()).map_err(|error| error.failure()))
            }
        }
    }

    pub(crate) async fn observe(&self, id: VmId) -> Result<Option<SeenInstance>, Failure> {
        self.reader.read(id).await
    }

    pub(crate) fn environment_user_data(
        &self,
        environment: &Environment,
        intent: Option<&Intent>,
    ) -> Result<String, Failure> {
        let data = UserData {
            hostname: environment.slug.to_string(),
            fqdn: Some(environment.domain.clone()),
            setup: environment.setup.clone(),
            call_home_url: self.call_home_url(intent),
            open_ports: vec![self.settings.readiness_port],
        };
        data.render().map_err(|error| Failure::definite(error.to_string()))
    }

    /// The standard installation, for a VM that is called `display_name` for now.
    pub(crate) fn pool_user_data(&self, display_name: &str, intent: Option<&Intent>) -> Result<String, Failure> {
        let data = UserData {
            hostname: display_name.replace('.', "-"),
            fqdn: None,
            setup: Setup::default(),
            call_home_url: self.call_home_url(intent),
            open_ports: vec![self.settings.readiness_port],
        };
        data.render().map_err(|error| Failure::definite(error.to_string()))
    }

    pub(crate) fn mark(&self, environment: &Environment) -> OwnershipMark {
        OwnershipMark { installation: self.settings.installation, environment: environment.id }
    }

    pub(crate) async fn write_record(
        &self,
        environment: &Environment,
        address: Ipv4Addr,
        read_first: bool,
        claimed_at: Timestamp,
    ) -> Result<RecordId, Failure> {
        let desired = DesiredRecord {
            name: environment.domain.clone(),
            target: Target::Address(address),
            ttl: RECORD_TTL_SECONDS,
            mark: self.mark(environment).into(),
        };
        let look = match read_first {
            true => Look::Ours,
            false if self.is_free(environment).await => Look::Nowhere,
            false => Look::Everywhere,
        };
        let change = Change::Write { desired, look, adopt: false };
        let zone = self.zones.of(&environment.domain)?;
        let written = zone.writer.submit_while(change, self.while_leased(claimed_at)).await?;
        written.ok_or_else(|| Failure::unknown("the DNS writer named no record"))
    }

    /// A change may wait for minutes until the budget has room: by then the row may be another replica's.
    fn while_leased(&self, claimed_at: Timestamp) -> StillWanted {
        let leases = self.leases.clone();
        Arc::new(move || leases.holds(claimed_at))
    }

    /// Whether nothing at all stands at the name, by the authoritative servers' own word: asking them costs no call of
    /// the API's budget. Without their word the zone is read.
    async fn is_free(&self, environment: &Environment) -> bool {
        let answers = self.authority.ask(&environment.domain).await.unwrap_or_default();
        !answers.is_empty() && answers.iter().all(|answer| answer.state == AnswerState::NoSuchName)
    }

    pub(crate) async fn withdraw_record(
        &self,
        environment: &Environment,
        claimed_at: Timestamp,
    ) -> Result<(), Failure> {
        let change = Change::Withdraw {
            name: environment.domain.clone(),
            mark: self.mark(environment).into(),
            address: environment.address,
            look: Look::Ours,
        };
        let zone = self.zones.of(&environment.domain)?;
        zone.writer.submit_while(change, self.while_leased(claimed_at)).await.map(|_| ())
    }

    pub(crate) async fn ask_servers(&self, environment: &Environment) -> Report {
        match self.authority.ask(&environment.domain).await {
            Ok(answers) => Report::ServersSay(
                answers
                    .into_iter()
                    .map(|answer| ServerSays {
                        server: answer.server,
                        addresses: match answer.state {
                            AnswerState::Answered => Ok(answer.addresses),
                            AnswerState::NoSuchName | AnswerState::NoData => Ok(Vec::new()),
                            AnswerState::Refused => Err("it does not serve the zone".to_owned()),
                            AnswerState::Failed(words) => Err(words),
                        },
                    })
                    .collect(),
            ),
            Err(error) => Report::ReadFailed(Failure::wait(error.to_string(), None)),
        }
    }
}
