//! A local cloud, a control plane with a full pool, and the two ways to ask it for an environment.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use alfred_local_cloud::contabo as local_contabo;
use alfred_providers::counts::CallCounts;
use alfred_providers::transport::{HttpOptions, HttpTransport};
use alfred_store::{SqlOptions, SqlStore};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::pool::{self, Failure};
use crate::program::{self, Running};

/// Nothing takes nearly so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// Everything that runs. Dropping it ends it.
pub(crate) struct Stage {
    program: PathBuf,
    url: String,
    token: String,
    http: reqwest::Client,
    events: Events,
    _up: Running,
    cloud: Running,
    folder: tempfile::TempDir,
}

impl Stage {
    /// Starts all, with `count` VMs in the pool.
    pub(crate) async fn start(count: u32) -> Result<Self, Failure> {
        let program = program::path("latency")?;
        let folder = tempfile::tempdir()?;
        let mut cloud = command(&program, folder.path());
        let instances = count.to_string();
        cloud.args(["cloud", "--json", "--instant", "--instances", &instances]);
        cloud.args(["--listen", "127.0.0.1:0", "--dns", "127.0.0.1:0"]);
        let cloud = Running::start(cloud, &folder.path().join("cloud.log"))?;

        let database = format!("sqlite://{}", folder.path().join("bench.sqlite").display());
        fill_pool(cloud.told("CONTABO_API_BASE")?, &database, count).await?;

        let mut up = command(&program, folder.path());
        up.args(["up", "--json", "--listen", "127.0.0.1:0"]).env("ALFRED_DATABASE_URL", &database);
        up.envs(cloud.all_told());
        let up = Running::start(up, &folder.path().join("up.log"))?;
        let url = up.told("url")?.to_owned();
        let token = std::fs::read_to_string(folder.path().join("data").join("admin-token"))?.trim().to_owned();
        let http = reqwest::Client::builder().no_proxy().build()?;
        let events = Events::listen(&http, &url, &token).await?;
        Ok(Self { program, url, token, http, events, _up: up, cloud, folder })
    }

    /// From now on each call to a platform takes `call`, and DNS shows a change after `publication`.
    pub(crate) async fn slow_down(&self, call: Duration, publication: Duration) -> Result<(), Failure> {
        let base = self.cloud.told("CONTABO_API_BASE")?;
        let rule = json!(format!("delay={}", call.as_millis()));
        let options = json!({"publication_delay_ms": u64::try_from(publication.as_millis())?});
        for request in [
            self.http.post(format!("{base}/_admin/faults")).body(rule.to_string()),
            self.http.patch(format!("{base}/_admin/options")).body(options.to_string()),
        ] {
            request.header("content-type", "application/json").send().await?.error_for_status()?;
        }
        Ok(())
    }

    /// Runs `alfred env create --wait`; how long its process took.
    pub(crate) async fn create_by_command(&mut self) -> Result<Duration, Failure> {
        let mut create = command(&self.program, self.folder.path());
        create
            .args(["env", "create", "--wait", "--json"])
            .env("ALFRED_URL", &self.url)
            .env("ALFRED_TOKEN", &self.token);
        let began = Instant::now();
        let output = create.output()?;
        let took = began.elapsed();
        if !output.status.success() {
            return Err(format!("`env create` failed: {}", String::from_utf8_lossy(&output.stderr)).into());
        }
        let made: Value = serde_json::from_slice(&output.stdout)?;
        self.rest(only(&made)?).await?;
        Ok(took)
    }

    /// Sends a request; how long it took until an event said `active`.
    pub(crate) async fn create_by_request(&mut self) -> Result<Duration, Failure> {
        let began = Instant::now();
        let request = self.http.post(format!("{}/v1/environments", self.url)).bearer_auth(&self.token).body("{}");
        let answer = request.header("content-type", "application/json").send().await?.error_for_status()?;
        let made: Value = serde_json::from_slice(&answer.bytes().await?)?;
        let id = only(&made)?;
        tokio::time::timeout(PATIENCE, self.events.until_active(id)).await.map_err(|_| "no event came")??;
        let took = began.elapsed();
        self.rest(id).await?;
        Ok(took)
    }

    /// Waits until nothing more is done for an environment: the next one is alone then.
    async fn rest(&self, id: &str) -> Result<(), Failure> {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            let request = self.http.get(format!("{}/v1/environments/{id}", self.url)).bearer_auth(&self.token);
            let answer = request.send().await?.error_for_status()?;
            let environment: Value = serde_json::from_slice(&answer.bytes().await?)?;
            match (environment["status"].as_str(), environment["step"].as_str()) {
                (Some("active"), Some("settled")) => return Ok(()),
                (Some("active"), _) => tokio::time::sleep(Duration::from_millis(10)).await,
                _ => return Err(format!("it is not active: {environment}").into()),
            }
        }
        Err("an environment does not come to rest".into())
    }

    /// The calls that the cloud has answered.
    pub(crate) async fn calls(&self) -> Result<Calls, Failure> {
        let base = self.cloud.told("CONTABO_API_BASE")?;
        let answer = self.http.get(format!("{base}/_admin/journal")).send().await?.error_for_status()?;
        let journal: Value = serde_json::from_slice(&answer.bytes().await?)?;
        Ok(Calls(serde_json::from_value(journal["count_by_route"].clone())?))
    }
}

fn command(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("HOME", folder).env("ALFRED_DATA_DIR", folder.join("data")).current_dir(folder);
    command
}

async fn fill_pool(base: &str, database: &str, count: u32) -> Result<(), Failure> {
    let store = SqlStore::open(database, SqlOptions::default()).await?;
    let transport = Arc::new(HttpTransport::new(&HttpOptions::from_environment())?);
    let http = base.trim_start_matches("http://");
    let contabo = pool::contabo(http, transport, &local_contabo::Options::instant(), &CallCounts::new())?;
    let filled = pool::fill(&contabo, &store, count).await?;
    store.close().await;
    if filled == count { Ok(()) } else { Err(format!("the pool holds {filled} VMs, not {count}").into()) }
}

/// The id of the only environment of an answer.
fn only(made: &Value) -> Result<&str, Failure> {
    match made["environments"].as_array().map(Vec::as_slice) {
        Some([one]) => one["id"].as_str().ok_or_else(|| "an environment without an id".into()),
        _ => Err(format!("not one environment: {made}").into()),
    }
}

/// Calls by their stable names.
pub(crate) struct Calls(BTreeMap<String, u64>);

impl Calls {
    /// Those that came after `earlier`.
    pub(crate) fn since(self, earlier: &Self) -> Self {
        let each = self.0.into_iter().map(|(name, count)| {
            let before = earlier.0.get(&name).copied().unwrap_or_default();
            (name, count - before)
        });
        Self(each.filter(|(_, count)| *count > 0).collect())
    }

    /// How many fall to each of so many creations.
    pub(crate) fn each(&self, creations: u32) -> String {
        #[expect(clippy::cast_precision_loss, reason = "counts of calls are far below 2^53")]
        let share = |count: u64| count as f64 / f64::from(creations);
        let each = self.0.iter().map(|(name, count)| format!("{:.2} {name}", share(*count)));
        each.collect::<Vec<_>>().join(", ")
    }
}

/// The control plane's events, as they come.
struct Events {
    source: BoxStream<'static, reqwest::Result<bytes::Bytes>>,
    buffer: String,
}

impl Events {
    async fn listen(http: &reqwest::Client, url: &str, token: &str) -> Result<Self, Failure> {
        let answer = http.get(format!("{url}/v1/events")).bearer_auth(token).send().await?.error_for_status()?;
        Ok(Self { source: answer.bytes_stream().boxed(), buffer: String::new() })
    }

    async fn until_active(&mut self, id: &str) -> Result<(), Failure> {
        loop {
            while let Some(end) = self.buffer.find('\n') {
                let line: String = self.buffer.drain(..=end).collect();
                let Some(data) = line.strip_prefix("data:") else { continue };
                let event: Value = serde_json::from_str(data.trim())?;
                if event["environment_id"] == id && event["status"] == "active" {
                    return Ok(());
                }
            }
            let bytes = self.source.next().await.ok_or("the events ended")??;
            self.buffer.push_str(std::str::from_utf8(&bytes)?);
        }
    }
}
