//! What runs beside terraform: a local cloud in this process, and one `alfred up` that keeps states in the store under test.

use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use alfred_local_cloud::{Listen, LocalCloud, Options, Running, cloudflare, contabo, r2};
use alfred_model::seam::{Clock, Random};
use jiff::{SignedDuration, Timestamp};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::door::Door;
use crate::proxy::client;

/// A process that has not said where it listens after this has failed.
const START_LIMIT: Duration = Duration::from_mins(1);

/// The bucket that every cloud has here.
pub(crate) const BUCKET: &str = "terraform-states";

/// Terraform and the control plane live in real time, and so must their cloud.
struct SystemClock {
    base: Timestamp,
    since: tokio::time::Instant,
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        self.base + SignedDuration::try_from(self.since.elapsed()).expect("a short test")
    }
}

#[expect(clippy::disallowed_methods, reason = "terraform signs requests with the system's time")]
fn system_time() -> Timestamp {
    Timestamp::now()
}

struct SeededRandom(Mutex<StdRng>);

impl Random for SeededRandom {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().unwrap().fill(bytes);
    }
}

/// A local cloud with a bucket.
pub(crate) struct Cloud {
    running: Running,
    contabo: contabo::Options,
    r2: r2::Options,
    http: reqwest::Client,
}

impl Cloud {
    /// Starts one. Its R2 takes one write a second for each key, as the platform does.
    pub(crate) async fn start() -> Self {
        Self::with(r2::Options::default()).await
    }

    /// Starts one whose R2 takes one write of each key in this time.
    pub(crate) async fn start_with_write_limit(interval: Duration) -> Self {
        let write_interval_ms = u64::try_from(interval.as_millis()).expect("a short time");
        Self::with(r2::Options { write_interval_ms, ..r2::Options::default() }).await
    }

    async fn with(r2: r2::Options) -> Self {
        let contabo = contabo::Options::instant();
        let options = Options { contabo: contabo.clone(), r2, ..Options::default() };
        let r2 = options.r2.clone();
        let clock = Arc::new(SystemClock { base: system_time(), since: tokio::time::Instant::now() });
        let cloud = LocalCloud::new(options, clock, Arc::new(SeededRandom(Mutex::new(StdRng::seed_from_u64(1)))));
        let running = cloud.serve(Listen::default()).await.expect("loopback can be listened on");
        let http = client();
        let cloud = Self { running, contabo, r2, http };
        cloud.create_bucket(BUCKET).await;
        cloud
    }

    async fn create_bucket(&self, name: &str) {
        let account = cloudflare::DEMO_ACCOUNT_ID;
        let url = format!("{}/client/v4/accounts/{account}/r2/buckets", self.http_origin());
        let request = self.http.post(url).bearer_auth(cloudflare::DEMO_TOKEN);
        let request = request.header("content-type", "application/json").body(json!({ "name": name }).to_string());
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "the bucket was not made: {}", answer.text().await.unwrap());
    }

    fn http_origin(&self) -> String {
        format!("http://{}", self.running.http_address)
    }

    fn r2_origin(&self) -> String {
        format!("http://{}", self.running.r2_address)
    }

    /// The bucket as Terraform's own S3 backend uses it.
    pub(crate) fn door(&self) -> Door {
        Door::Bucket {
            origin: self.r2_origin(),
            bucket: BUCKET.to_owned(),
            access_key_id: self.r2.access_key_id.clone(),
            secret_access_key: self.r2.secret_access_key.expose_secret().to_owned(),
        }
    }

    /// The configuration of a control plane that works on this cloud.
    fn variables(&self) -> Vec<(&'static str, String)> {
        let http = self.http_origin();
        vec![
            ("ALFRED_DOMAIN", cloudflare::DEMO_ZONE.to_owned()),
            ("ALFRED_LISTEN", "127.0.0.1:0".to_owned()),
            ("ALFRED_DNS_SERVER", self.running.dns_address.to_string()),
            ("ALFRED_READINESS_PORT", self.contabo.readiness_port.to_string()),
            ("CLOUDFLARE_API_BASE", format!("{http}/client/v4")),
            ("CLOUDFLARE_API_TOKEN", cloudflare::DEMO_TOKEN.to_owned()),
            ("CLOUDFLARE_ZONE_ID", cloudflare::DEMO_ZONE_ID.to_owned()),
            ("CLOUDFLARE_ACCOUNT_ID", cloudflare::DEMO_ACCOUNT_ID.to_owned()),
            ("CONTABO_API_BASE", http.clone()),
            ("CONTABO_AUTH_URL", format!("{http}/auth/realms/contabo/protocol/openid-connect/token")),
            ("CONTABO_CLIENT_ID", self.contabo.client_id.clone()),
            ("CONTABO_CLIENT_SECRET", self.contabo.client_secret.expose_secret().to_owned()),
            ("CONTABO_API_USER", self.contabo.user.clone()),
            ("CONTABO_API_PASSWORD", self.contabo.password.expose_secret().to_owned()),
            ("R2_ENDPOINT", self.r2_origin()),
            ("AWS_ACCESS_KEY_ID", self.r2.access_key_id.clone()),
            ("AWS_SECRET_ACCESS_KEY", self.r2.secret_access_key.expose_secret().to_owned()),
        ]
    }
}

/// One `alfred up`; it is killed when this is dropped.
pub(crate) struct ControlPlane {
    _child: Child,
    url: String,
    token: String,
    http: reqwest::Client,
    data: TempDir,
}

impl ControlPlane {
    /// Starts one that keeps states where `place` says; in its data directory, where it says nothing. `folder` is left alone
    /// as long as it runs.
    pub(crate) async fn start(cloud: &Cloud, place: impl FnOnce(&Path) -> Option<String>) -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_alfred"));
        command
            .args(["up", "--json"])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", data.path())
            .env("ALFRED_DATA_DIR", data.path().join("data"))
            .envs(cloud.variables())
            .current_dir(data.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(data.path().join("log")).unwrap())
            .kill_on_drop(true);
        if let Some(place) = place(data.path()) {
            command.env("ALFRED_STATE", place);
        }
        let mut child = command.spawn().expect("the binary can be started");
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().expect("it was piped"));
        let read = tokio::time::timeout(START_LIMIT, stdout.read_line(&mut line)).await;
        let log = || std::fs::read_to_string(data.path().join("log")).unwrap_or_default();
        read.unwrap_or_else(|_| panic!("it does not start: {}", log())).unwrap();
        let told: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("it did not start: {}", log()));
        let url = told["url"].as_str().expect("it tells its address").to_owned();
        let token = std::fs::read_to_string(data.path().join("data/admin-token")).unwrap().trim().to_owned();
        let http = client();
        Self { _child: child, url, token, http, data }
    }

    /// Its states, as Terraform reaches them.
    pub(crate) fn door(&self) -> Door {
        Door::Tfstate { origin: self.url.clone(), token: self.token.clone() }
    }

    /// What it wrote to stderr so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.data.path().join("log")).unwrap_or_default()
    }

    /// What it says under a path.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let answer = self.http.get(format!("{}{path}", self.url)).bearer_auth(&self.token).send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{path}: {status}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// The serials of a state's versions, oldest first.
    pub(crate) async fn serials(&self, state: &str) -> Vec<u64> {
        let list = self.get(&format!("/v1/states/{}/versions", state.replace('/', "%2F"))).await;
        let versions = list["versions"].as_array().expect("a list of versions");
        versions.iter().rev().map(|version| version["serial"].as_u64().expect("a serial")).collect()
    }

    /// The content of one version.
    pub(crate) async fn version(&self, state: &str, serial: u64) -> Value {
        self.get(&format!("/v1/states/{}/versions/{serial}/content", state.replace('/', "%2F"))).await
    }

    /// The id of the lock on a state.
    pub(crate) async fn lock(&self, state: &str) -> Option<String> {
        let shown = self.get(&format!("/v1/states/{}", state.replace('/', "%2F"))).await;
        shown["lock"]["id"].as_str().map(str::to_owned)
    }

    /// What the log says was done to a state, oldest first: `lock done`, `write repeated`.
    pub(crate) async fn history(&self, state: &str) -> Vec<String> {
        let page = self.get(&format!("/v1/state-log?state={}&limit=1000", state.replace('/', "%2F"))).await;
        let lines = page["lines"].as_array().expect("a list of lines");
        let words = |line: &Value| {
            format!("{} {}", line["action"].as_str().unwrap_or_default(), line["outcome"].as_str().unwrap_or_default())
        };
        lines.iter().rev().map(words).collect()
    }
}
