//! The client of Contabo's API, version 1 (<https://api.contabo.com/>).
//!
//! It speaks for one API user. It must not know what a VM is for, nor when one should be bought: an order is sent
//! when it is told to, once, and an answer that leaves the outcome open is reported as such. Contabo knows no
//! idempotency key; a lost order is found again by its [`RequestId`] in the audits and by its display name.

mod answer;
mod audit;
mod image;
mod instance;
mod login;
mod order;
mod request_id;
mod stored_secret;

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use alfred_model::id::VmId;
use alfred_model::seam::{Clock, Random};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::call::{BaseUrl, Call, Wire, bearer};
use crate::counts::CallCounts;
use crate::error::{Blame, Effect, ErrorKind, Provider, ProviderError, describe_body};
use crate::secret::{ApiPassword, ClientSecret, Redactor};
use crate::transport::Transport;
use answer::{Envelope, hint, kind, refusal};
use login::Login;

pub use audit::{Audit, AuditAction, AuditFilter};
pub use image::Image;
pub use instance::{Instance, InstanceFilter};
pub use order::{Cancellation, CreatedInstance, OrderRequest, ReinstallRequest};
pub use request_id::{NotVersion4, RequestId};
pub use stored_secret::{StoredSecret, StoredSecretId, StoredSecretKind};

/// Where the API is.
pub const DEFAULT_BASE: &str = "https://api.contabo.com";

/// Where tokens are had.
pub const DEFAULT_AUTH_URL: &str = "https://auth.contabo.com/auth/realms/contabo/protocol/openid-connect/token";

/// Instances on one page unless told otherwise.
pub const DEFAULT_PAGE_SIZE: u32 = 100;

/// Most ids in one query, so that its URL stays short.
const IDS_MAX: usize = 50;

/// Most pages that are read of one list, so that a list without an end ends.
const PAGES_MAX: u32 = 1_000;

/// Which account a client speaks for.
#[derive(Debug, Clone)]
pub struct ContaboOptions {
    /// Where the API is; see [`DEFAULT_BASE`].
    pub base: BaseUrl,
    /// Where tokens are had; see [`DEFAULT_AUTH_URL`].
    pub auth_url: BaseUrl,
    /// The OAuth2 client's id.
    pub client_id: String,
    /// The OAuth2 client's secret.
    pub client_secret: ClientSecret,
    /// The user's login, an e-mail address.
    pub user: String,
    /// The user's API password.
    pub password: ApiPassword,
    /// Entries on one page of a list, 1 to 100; see [`DEFAULT_PAGE_SIZE`].
    pub page_size: u32,
}

/// The client. Clones share the login and the counts.
#[derive(Clone)]
pub struct Contabo {
    wire: Wire,
    options: Arc<ContaboOptions>,
    login: Arc<Login>,
    random: Arc<dyn Random>,
    redactor: Arc<Redactor>,
}

impl std::fmt::Debug for Contabo {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Contabo").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Contabo {
    /// A client that has not logged in yet. `random` makes the request ids of reads.
    pub fn new(
        transport: Arc<dyn Transport>,
        options: ContaboOptions,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        counts: CallCounts,
    ) -> Self {
        let redactor = Redactor::new([options.client_secret.expose(), options.password.expose()]);
        let wire = Wire { provider: Provider::Contabo.label(), transport, counts };
        let options = Arc::new(ContaboOptions { page_size: options.page_size.clamp(1, 100), ..options });
        let login = Arc::new(Login::new(wire.clone(), options.clone(), clock));
        Self { wire, options, login, random, redactor: Arc::new(redactor) }
    }

    /// Orders an instance, which costs money at once. [`alfred_model::failure::Disposition::Unknown`] means that it
    /// may have been bought.
    pub async fn create_instance(&self, order: &OrderRequest) -> Result<CreatedInstance, ProviderError> {
        let call = order_call(order);
        let secret = order.user_data.as_ref().map(crate::secret::UserData::expose);
        let (status, mut created): (u16, Vec<CreatedInstance>) = self.change(&call, order.request_id, secret).await?;
        match created.len() {
            1 if created[0].id.0 >= 1 => Ok(created.remove(0)),
            1 => Err(self.blame(&call).unreadable(status, "it names no instance")),
            count => Err(self.blame(&call).unreadable(status, &format!("it names {count} instances instead of one"))),
        }
    }

    /// One instance, or none if there is none, which can also mean that it was ordered a moment ago.
    pub async fn instance(&self, id: VmId) -> Result<Option<Instance>, ProviderError> {
        let route = "GET /v1/compute/instances/{instance}";
        let call = one(Effect::Read, Method::GET, route, id, "", "read instance");
        match self.read(&call).await {
            Ok(Envelope { data, .. }) => match data.into_iter().find(|instance: &Instance| instance.id == id) {
                Some(instance) => Ok(Some(instance)),
                None => Err(self.blame(&call).unreadable(200, "it is about another instance")),
            },
            Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The instances that pass `filter`, each once. Fails rather than leave one out.
    pub async fn instances(&self, filter: &InstanceFilter) -> Result<Vec<Instance>, ProviderError> {
        let mut instances = Vec::new();
        let mut known = HashSet::new();
        for query in filter.queries(IDS_MAX) {
            let route = "GET /v1/compute/instances";
            let target = "/v1/compute/instances".to_owned();
            let call =
                Call::new(Effect::Read, Method::GET, route, target, "list instances", filter.words()).query(query);
            let listed: Vec<Instance> = self.list(&call).await?;
            instances.extend(listed.into_iter().filter(|instance| known.insert(instance.id)));
        }
        Ok(instances)
    }

    /// Gives an instance another display name, at most 255 characters.
    pub async fn rename(&self, request_id: RequestId, id: VmId, name: &str) -> Result<(), ProviderError> {
        let route = "PATCH /v1/compute/instances/{instance}";
        let call =
            one(Effect::Write, Method::PATCH, route, id, "", "rename instance").json(&json!({ "displayName": name }));
        self.done(&call, request_id, None).await
    }

    /// Wipes an instance and installs it anew. It keeps its address.
    pub async fn reinstall(
        &self,
        request_id: RequestId,
        id: VmId,
        wish: &ReinstallRequest,
    ) -> Result<(), ProviderError> {
        let route = "PUT /v1/compute/instances/{instance}";
        let call = one(Effect::Write, Method::PUT, route, id, "", "reinstall instance").json(wish);
        self.done(&call, request_id, wish.user_data.as_ref().map(crate::secret::UserData::expose)).await
    }

    /// Cancels an instance at the end of its contract. It runs until then, and the API cannot take this back.
    pub async fn cancel(&self, request_id: RequestId, id: VmId) -> Result<Cancellation, ProviderError> {
        let route = "POST /v1/compute/instances/{instance}/cancel";
        // An empty body is refused: "Body cannot be empty".
        let call = one(Effect::Write, Method::POST, route, id, "/cancel", "cancel instance").json(&json!({}));
        let (status, cancelled): (u16, Vec<Cancellation>) = self.change(&call, request_id, None).await?;
        cancelled.into_iter().next().ok_or_else(|| self.blame(&call).unreadable(status, "it names no instance"))
    }

    /// Powers an instance on; nothing happens if it is on.
    pub async fn start(&self, request_id: RequestId, id: VmId) -> Result<(), ProviderError> {
        let route = "POST /v1/compute/instances/{instance}/actions/start";
        self.done(&one(Effect::Write, Method::POST, route, id, "/actions/start", "start instance"), request_id, None)
            .await
    }

    /// Powers an instance off; nothing happens if it is off.
    pub async fn stop(&self, request_id: RequestId, id: VmId) -> Result<(), ProviderError> {
        let route = "POST /v1/compute/instances/{instance}/actions/stop";
        self.done(&one(Effect::Write, Method::POST, route, id, "/actions/stop", "stop instance"), request_id, None)
            .await
    }

    /// Restarts an instance.
    pub async fn restart(&self, request_id: RequestId, id: VmId) -> Result<(), ProviderError> {
        let route = "POST /v1/compute/instances/{instance}/actions/restart";
        let call = one(Effect::Write, Method::POST, route, id, "/actions/restart", "restart instance");
        self.done(&call, request_id, None).await
    }

    /// What was done to instances, by whom: how a lost order is found again.
    pub async fn instance_audits(&self, filter: &AuditFilter) -> Result<Vec<Audit>, ProviderError> {
        let route = "GET /v1/compute/instances/audits";
        let target = "/v1/compute/instances/audits".to_owned();
        let call = Call::new(Effect::Read, Method::GET, route, target, "list instance audits", filter.words());
        let mut known = HashSet::new();
        let mut audits: Vec<Audit> = self.list(&call.query(filter.query())).await?;
        audits.retain(|audit| known.insert(audit.id));
        Ok(audits)
    }

    /// The images an instance can be installed from.
    pub async fn images(&self, name: Option<&str>) -> Result<Vec<Image>, ProviderError> {
        let target = "/v1/compute/images".to_owned();
        let call = Call::new(Effect::Read, Method::GET, "GET /v1/compute/images", target, "list images", "")
            .query([("name", name.map(ToOwned::to_owned))]);
        let mut known = HashSet::new();
        let mut images: Vec<Image> = self.list(&call).await?;
        images.retain(|image| known.insert(image.id.clone()));
        Ok(images)
    }

    fn blame<'a>(&'a self, call: &'a Call) -> Blame<'a> {
        Blame { provider: Provider::Contabo, call, redactor: Cow::Borrowed(&self.redactor) }
    }

    /// All pages of a list. The second and later pages can repeat entries of earlier ones; the callers drop these.
    async fn list<T: DeserializeOwned>(&self, call: &Call) -> Result<Vec<T>, ProviderError> {
        let size = self.options.page_size;
        let mut entries = Vec::new();
        let mut expected = None;
        for page in 1..=PAGES_MAX {
            let query = [("page", Some(page.to_string())), ("size", Some(size.to_string()))];
            let count = match self.read::<T>(&call.clone().query(query)).await {
                Ok(Envelope { data, pagination }) => {
                    let count = data.len();
                    entries.extend(data);
                    expected = pagination.and_then(|it| it.total_elements).and_then(|it| usize::try_from(it).ok());
                    count
                }
                // Contabo has answered 404 where it means an empty list.
                Err(error) if error.kind == ErrorKind::NotFound => 0,
                Err(error) => return Err(error),
            };
            match expected {
                Some(expected) if entries.len() >= expected => return Ok(entries),
                Some(expected) if count == 0 => {
                    let why = format!("the list ended after {} of {expected} entries", entries.len());
                    return Err(self.blame(call).unreadable(200, &why));
                }
                None if count < usize::try_from(size).unwrap_or(usize::MAX) => return Ok(entries),
                _ => {}
            }
        }
        Err(self.blame(call).unreadable(200, &format!("the list has more than {PAGES_MAX} pages")))
    }

    async fn read<T: DeserializeOwned>(&self, call: &Call) -> Result<Envelope<T>, ProviderError> {
        let (answer, redactor) = self.send(call, RequestId::random(&*self.random), None).await?;
        decode(call, &answer, &redactor)
    }

    async fn change<T: DeserializeOwned>(
        &self,
        call: &Call,
        request_id: RequestId,
        secret: Option<&str>,
    ) -> Result<(u16, Vec<T>), ProviderError> {
        let (answer, redactor) = self.send(call, request_id, secret).await?;
        Ok((answer.status().as_u16(), decode(call, &answer, &redactor)?.data))
    }

    async fn done(&self, call: &Call, request_id: RequestId, secret: Option<&str>) -> Result<(), ProviderError> {
        self.change::<serde_json::Value>(call, request_id, secret).await.map(|_| ())
    }

    /// Sends a call with a token, and once more with a new one if the first is not taken. Nothing is done under a
    /// status of 401, so this holds for orders too. The redactor that comes with the answer knows all secrets that were sent.
    async fn send(
        &self,
        call: &Call,
        request_id: RequestId,
        secret: Option<&str>,
    ) -> Result<(http::Response<Bytes>, Redactor), ProviderError> {
        let mut redactor = Redactor::clone(&self.redactor);
        redactor.learn(secret.unwrap_or_default());
        for last_try in [false, true] {
            let token = self.login.token(call).await?;
            redactor.learn(token.expose());
            let blame = Blame { provider: Provider::Contabo, call, redactor: Cow::Borrowed(&redactor) };
            let authorization =
                bearer(token.expose()).ok_or_else(|| blame.unbuildable("the token cannot stand in a header"))?;
            let headers = [
                (http::header::AUTHORIZATION, authorization),
                (HeaderName::from_static("x-request-id"), request_id_header(request_id)),
            ];
            let request =
                call.request(&self.options.base, headers).map_err(|error| blame.unbuildable(&error.to_string()))?;
            let answer = self.wire.send(call.route, request).await.map_err(|error| blame.transport(&error))?;
            let status = answer.status();
            if status == http::StatusCode::UNAUTHORIZED && !last_try {
                self.login.forget(&token).await;
            } else if status.is_success() {
                return Ok((answer, redactor));
            } else {
                let refusal = refusal(&answer);
                let disposition = call.effect.refused(status.as_u16(), self.login.retry_after(&answer));
                let (kind, hint) = (kind(status.as_u16()), hint(&refusal));
                return Err(blame.refused(refusal, kind, hint, disposition));
            }
        }
        unreachable!("the second round always returns")
    }
}

fn decode<T: DeserializeOwned>(
    call: &Call,
    answer: &http::Response<Bytes>,
    redactor: &Redactor,
) -> Result<Envelope<T>, ProviderError> {
    serde_json::from_slice(answer.body()).map_err(|error| {
        let why = format!("{error}, in {}", describe_body(answer.body()));
        Blame { provider: Provider::Contabo, call, redactor: Cow::Borrowed(redactor) }
            .unreadable(answer.status().as_u16(), &why)
    })
}

fn request_id_header(id: RequestId) -> HeaderValue {
    HeaderValue::from_str(&id.to_string()).expect("a UUID is hexadecimal digits and hyphens")
}

fn order_call(order: &OrderRequest) -> Call {
    let subject = format!("`{}` ({}, {})", order.display_name, order.product, order.region);
    let route = "POST /v1/compute/instances";
    let target = "/v1/compute/instances".to_owned();
    Call::new(Effect::Order, Method::POST, route, target, "order instance", subject).json(order)
}

fn one(effect: Effect, method: Method, route: &'static str, id: VmId, rest: &str, operation: &'static str) -> Call {
    Call::new(effect, method, route, format!("/v1/compute/instances/{id}{rest}"), operation, format!("`{id}`"))
}

#[cfg(test)]
mod tests;
