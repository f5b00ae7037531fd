//! A local cloud, and control planes that keep states in a folder or in its R2.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::Failure;
use crate::program::{self, Running};

/// The bucket for everything.
pub(crate) const BUCKET: &str = "bench-states";

/// A key to encrypt states at rest with: 32 bytes.
pub(crate) const KEYS: &str = "bench:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// Where a control plane keeps states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Folder,
    R2,
}

impl Place {
    pub(crate) const ALL: [Self; 2] = [Self::Folder, Self::R2];
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Folder => "folder",
            Self::R2 => "R2",
        })
    }
}

/// The local cloud. Dropping it ends it.
pub(crate) struct Stage {
    program: PathBuf,
    cloud: Running,
    folder: TempDir,
    /// Control planes so far: each has a folder and a prefix of its own.
    count: AtomicU32,
}

impl Stage {
    /// Starts a local cloud with a bucket, whose R2 takes as many writes of a key as come: Terraform's own backend writes
    /// the lock's key more often than once a second when one apply follows another.
    pub(crate) async fn start() -> Result<Self, Failure> {
        let program = program::path("state")?;
        let folder = tempfile::tempdir()?;
        let mut cloud = command(&program, folder.path());
        cloud.args(["cloud", "--json", "--instant"]);
        cloud.args(["--listen", "127.0.0.1:0", "--dns", "127.0.0.1:0", "--r2", "127.0.0.1:0"]);
        let cloud = Running::start(cloud, &folder.path().join("cloud.log"))?;
        let http = client()?;
        let base = cloud.told("CONTABO_API_BASE")?;
        let options = json!({"r2_write_interval_ms": 0});
        let buckets = format!(
            "{}/accounts/{}/r2/buckets",
            cloud.told("CLOUDFLARE_API_BASE")?,
            cloud.told("CLOUDFLARE_ACCOUNT_ID")?
        );
        let bucket = json!({ "name": BUCKET });
        for request in [
            http.patch(format!("{base}/_admin/options")).body(options.to_string()),
            http.post(buckets).bearer_auth(cloud.told("CLOUDFLARE_API_TOKEN")?).body(bucket.to_string()),
        ] {
            request.header("content-type", "application/json").send().await?.error_for_status()?;
        }
        Ok(Self { program, cloud, folder, count: AtomicU32::new(0) })
    }

    /// What the cloud told about itself.
    pub(crate) fn cloud(&self, name: &str) -> Result<&str, Failure> {
        self.cloud.told(name)
    }

    /// From now on its R2 answers so much later, as one that is far away does.
    pub(crate) async fn be_far_away(&self, delay: Duration) -> Result<(), Failure> {
        let url = format!("{}/_admin/faults", self.cloud.told("CONTABO_API_BASE")?);
        let rule = json!(format!("r2 delay={}", delay.as_millis()));
        let request = client()?.post(url).header("content-type", "application/json").body(rule.to_string());
        request.send().await?.error_for_status()?;
        Ok(())
    }

    /// How many calls its R2 has answered.
    pub(crate) async fn r2_calls(&self) -> Result<u64, Failure> {
        // The counts are of all calls; the calls themselves are not wanted.
        let url = format!("{}/_admin/journal?since={}", self.cloud.told("CONTABO_API_BASE")?, u32::MAX);
        let answer = client()?.get(url).send().await?.error_for_status()?;
        let journal: Value = serde_json::from_slice(&answer.bytes().await?)?;
        let counts: BTreeMap<String, u64> = serde_json::from_value(journal["count_by_route"].clone())?;
        Ok(counts.iter().filter(|(route, _)| route.starts_with("r2.")).map(|(_, count)| count).sum())
    }

    /// Starts a control plane that has no states yet; with `keys` it encrypts them.
    pub(crate) fn control_plane(&self, place: Place, keys: Option<&str>) -> Result<ControlPlane, Failure> {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let home = self.folder.path().join(format!("up-{number}"));
        std::fs::create_dir(&home)?;
        let mut up = command(&self.program, &home);
        up.args(["up", "--json", "--listen", "127.0.0.1:0"]).envs(self.cloud.all_told());
        if place == Place::R2 {
            up.env("ALFRED_STATE", format!("r2://{BUCKET}/up-{number}"));
        }
        if let Some(keys) = keys {
            up.env("ALFRED_STATE_KEYS", keys);
        }
        let running = Running::start(up, &home.join("up.log"))?;
        let url = running.told("url")?.to_owned();
        let token = std::fs::read_to_string(home.join("data").join("admin-token"))?.trim().to_owned();
        Ok(ControlPlane { running, url, token, http: client()? })
    }
}

/// A control plane. Dropping it ends it.
pub(crate) struct ControlPlane {
    running: Running,
    pub(crate) url: String,
    pub(crate) token: String,
    pub(crate) http: reqwest::Client,
}

impl ControlPlane {
    pub(crate) fn process(&self) -> u32 {
        self.running.child.id()
    }

    /// Where a state is.
    pub(crate) fn state(&self, name: &str) -> String {
        format!("{}/tfstate/{name}", self.url)
    }
}

fn client() -> Result<reqwest::Client, Failure> {
    Ok(reqwest::Client::builder().no_proxy().build()?)
}

fn command(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("HOME", folder).env("ALFRED_DATA_DIR", folder.join("data")).current_dir(folder);
    command
}
