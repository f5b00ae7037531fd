//! A local cloud in simulated time, with clients and a stranger in front of it.

use std::sync::{Arc, Mutex};

use alfred_local_cloud::cloudflare::{self, DEMO_ZONE_ID, TokenOptions, TokenOwner};
use alfred_local_cloud::{LocalCloud, Options, contabo};
use alfred_model::id::ZoneId;
use alfred_model::seam::{Clock, Random};
use alfred_providers::BaseUrl;
use alfred_providers::budget::Budget;
use alfred_providers::cloudflare::{Cloudflare, CloudflareOptions};
use alfred_providers::contabo::{Contabo, ContaboOptions, RequestId};
use alfred_providers::counts::CallCounts;
use alfred_providers::secret::{ApiPassword, ApiToken, ClientSecret};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use jiff::{SignedDuration, Timestamp};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use secrecy::ExposeSecret as _;
use serde_json::Value;

use crate::recorder::Recorder;

/// A token that belongs to the account and may do everything.
pub(crate) const ACCOUNT_TOKEN: &str = "cfat_the-accounts-own-token-000000000000000000";
pub(crate) const ACCOUNT_TOKEN_ID: &str = "acc0acc0acc0acc0acc0acc0acc0acc0";
/// A token of the user that manages nothing, and is there to be rolled.
pub(crate) const ROLLED_TOKEN: &str = "cfut_a-token-that-is-only-rolled-0000000000000";
pub(crate) const ROLLED_TOKEN_ID: &str = "0110011001100110011001100110ffff";

struct Simulated {
    start: tokio::time::Instant,
    random: Mutex<StdRng>,
}

impl Clock for Simulated {
    fn now(&self) -> Timestamp {
        let epoch = Timestamp::from_second(1_800_000_000).expect("a time in 2027");
        epoch + SignedDuration::try_from(self.start.elapsed()).expect("a test is short")
    }
}

impl Random for Simulated {
    fn fill(&self, bytes: &mut [u8]) {
        self.random.lock().expect("nobody panics while drawing").fill(bytes);
    }
}

pub(crate) struct Stage {
    pub(crate) cloud: LocalCloud,
    pub(crate) recorder: Recorder,
    pub(crate) counts: CallCounts,
    pub(crate) contabo: Contabo,
    simulated: Arc<Simulated>,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let random = Mutex::new(StdRng::seed_from_u64(4));
        let simulated = Arc::new(Simulated { start: tokio::time::Instant::now(), random });
        let cloud = LocalCloud::new(options(), simulated.clone(), simulated.clone());
        let recorder = Recorder::new(cloud.clone());
        let counts = CallCounts::new();
        let credentials = contabo::Options::demo();
        let contabo = Contabo::new(
            Arc::new(recorder.clone()),
            ContaboOptions {
                base: base(""),
                auth_url: base("/auth/realms/contabo/protocol/openid-connect/token"),
                client_id: credentials.client_id,
                client_secret: ClientSecret::new(credentials.client_secret.expose_secret()),
                user: credentials.user,
                password: ApiPassword::new(credentials.password.expose_secret()),
                page_size: 2,
            },
            simulated.clone(),
            simulated.clone(),
            counts.clone(),
        );
        Self { cloud, recorder, counts, contabo, simulated }
    }

    /// A client with the user's token, or with the account's where the account is named.
    pub(crate) fn cloudflare(&self, token: &str, account: Option<&str>) -> Cloudflare {
        Cloudflare::new(
            Arc::new(self.recorder.clone()),
            CloudflareOptions {
                base: base("/client/v4"),
                token: ApiToken::new(token).into(),
                zone: ZoneId::parse(DEMO_ZONE_ID).expect("a zone's id"),
                account: account.map(ToOwned::to_owned),
            },
            Budget::new(self.simulated.clone(), 90),
            self.counts.clone(),
        )
    }

    pub(crate) fn request_id(&self) -> RequestId {
        RequestId::random(&*self.simulated)
    }

    /// A call to Cloudflare's side as other people's clients make it.
    pub(crate) async fn ask_cloudflare(&self, token: &str, method: &str, path: &str, body: &Value) -> Value {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", text(&format!("Bearer {token}")));
        self.ask(method, &format!("/client/v4{path}"), headers, body).await
    }

    /// A call to Contabo's side as other people's clients make it, with `token` or without any.
    pub(crate) async fn ask_contabo(&self, token: Option<&str>, method: &str, path: &str, body: &Value) -> Value {
        let mut headers = HeaderMap::new();
        headers.insert("x-request-id", text(&self.request_id().to_string()));
        if let Some(token) = token {
            headers.insert("authorization", text(&format!("Bearer {token}")));
        }
        self.ask(method, path, headers, body).await
    }

    async fn ask(&self, method: &str, path: &str, headers: HeaderMap, body: &Value) -> Value {
        let mut request = http::Request::builder().method(method).uri(path);
        let bytes = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        if !body.is_null() {
            request = request.header("content-type", "application/json");
        }
        request.headers_mut().expect("the parts are good").extend(headers);
        self.send(request.body(bytes).expect("the parts are good")).await
    }

    /// A stranger's request as it is.
    pub(crate) async fn send(&self, request: http::Request<Bytes>) -> Value {
        let answer = self.recorder.stranger(request).await;
        serde_json::from_slice(answer.body()).unwrap_or(Value::Null)
    }

    /// A token of Contabo's side for [`Self::ask_contabo`].
    pub(crate) async fn contabo_login(&self) -> String {
        let options = contabo::Options::demo();
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "password")
            .append_pair("client_id", &options.client_id)
            .append_pair("client_secret", options.client_secret.expose_secret())
            .append_pair("username", &options.user)
            .append_pair("password", options.password.expose_secret())
            .finish();
        let request = http::Request::post("/auth/realms/contabo/protocol/openid-connect/token")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Bytes::from(form))
            .expect("the parts are good");
        let login = self.send(request).await;
        login["access_token"].as_str().expect("the credentials are the cloud's own").to_owned()
    }
}

fn options() -> Options {
    let mut options = Options { contabo: contabo::Options::demo(), ..Options::default() };
    options.cloudflare.zones[0].plan = cloudflare::Plan::Pro;
    let account = TokenOptions { owner: TokenOwner::Account, ..TokenOptions::new(ACCOUNT_TOKEN_ID, ACCOUNT_TOKEN) };
    options
        .cloudflare
        .tokens
        .extend([TokenOptions { may_roll_tokens: true, ..account }, TokenOptions::new(ROLLED_TOKEN_ID, ROLLED_TOKEN)]);
    options
}

fn base(path: &str) -> BaseUrl {
    BaseUrl::parse(&format!("http://127.0.0.1:1{path}")).expect("a base address")
}

fn text(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).expect("plain letters")
}
