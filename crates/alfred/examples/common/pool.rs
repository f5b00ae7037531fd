//! A pool of VMs that are wiped and ready, for benches: bought from a local cloud and entered into a store.

use std::sync::Arc;

use alfred_local_cloud::contabo as local_contabo;
use alfred_model::seam::{Clock, Random};
use alfred_model::vm::{SeenInstance, Vm, VmState, VmStep, pool_display_name};
use alfred_providers::BaseUrl;
use alfred_providers::contabo::{Contabo, ContaboOptions, Instance, InstanceFilter, OrderRequest, RequestId};
use alfred_providers::counts::CallCounts;
use alfred_providers::secret::{ApiPassword, ClientSecret};
use alfred_providers::transport::HttpTransport;
use alfred_store::{Changes, Store};
use futures::StreamExt as _;
use jiff::Timestamp;
use rand::Rng as _;
use secrecy::ExposeSecret as _;

/// Why a bench cannot be run, or what it missed.
pub(crate) type Failure = Box<dyn std::error::Error>;

/// What is bought, as the control plane buys it.
pub(crate) const PRODUCT: &str = "V153";
/// Where.
pub(crate) const REGION: &str = "EU";
/// With which system.
pub(crate) const IMAGE: &str = "d64d5c6c-9dda-4e38-8174-0ee282474d8a";

/// The computer's clock.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "a bench runs in real time")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// The computer's random source.
pub(crate) struct SystemRandom;

impl Random for SystemRandom {
    #[expect(clippy::disallowed_methods, reason = "a bench needs no seed")]
    fn fill(&self, bytes: &mut [u8]) {
        rand::rng().fill_bytes(bytes);
    }
}

/// A client of the local cloud that listens on `http`, an address and a port.
pub(crate) fn contabo(
    http: &str,
    transport: Arc<HttpTransport>,
    local: &local_contabo::Options,
    counts: &CallCounts,
) -> Result<Contabo, Failure> {
    let options = ContaboOptions {
        base: BaseUrl::parse(&format!("http://{http}"))?,
        auth_url: BaseUrl::parse(&format!("http://{http}/auth/realms/contabo/protocol/openid-connect/token"))?,
        client_id: local.client_id.clone(),
        client_secret: ClientSecret::new(local.client_secret.expose_secret()),
        user: local.user.clone(),
        password: ApiPassword::new(local.password.expose_secret()),
        page_size: 100,
    };
    Ok(Contabo::new(transport, options, Arc::new(SystemClock), Arc::new(SystemRandom), counts.clone()))
}

/// Buys `count` VMs and enters all there are as wiped and ready; how many those are.
pub(crate) async fn fill(contabo: &Contabo, store: &dyn Store, count: u32) -> Result<u32, Failure> {
    let orders = futures::stream::iter(0..count).map(async |number| {
        let order = OrderRequest {
            request_id: RequestId::random(&SystemRandom),
            display_name: format!("alfredos-pool.{number}"),
            product: PRODUCT.to_owned(),
            region: REGION.to_owned(),
            image: IMAGE.to_owned(),
            period: 1,
            ssh_keys: Vec::new(),
            root_password: None,
            user_data: None,
            default_user: None,
        };
        contabo.create_instance(&order).await
    });
    let orders: Vec<_> = orders.buffer_unordered(16).collect().await;
    for order in orders {
        order?;
    }
    let mut ready = 0;
    for instance in contabo.instances(&InstanceFilter::all()).await? {
        store.commit(Changes { new_vms: vec![ready_vm(&instance)?], ..Changes::default() }).await?;
        ready += 1;
    }
    Ok(ready)
}

fn ready_vm(instance: &Instance) -> Result<Vm, Failure> {
    let now = SystemClock.now();
    let seen = SeenInstance {
        id: instance.id,
        display_name: pool_display_name(instance.id),
        status: instance.status,
        address: Some(instance.address.ok_or("an instance has no address")?),
        product: PRODUCT.to_owned(),
        region: REGION.to_owned(),
        cancel_date: None,
        error_message: None,
        created_at: instance.created_at,
    };
    Ok(Vm {
        state: VmState::Ready,
        step: VmStep::Settled,
        assignable_at: Some(now),
        wiped_at: Some(now),
        install_seen: true,
        wake_at: None,
        ..alfred_model::pool::adopted(&seen, None, now)
    })
}
