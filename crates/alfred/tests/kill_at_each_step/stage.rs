//! The world around the processes: a local cloud with foreign things in it, a data directory, perhaps a database.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};

use alfred_local_cloud::{Listen, LocalCloud, Options, Running, cloudflare, contabo};
use alfred_model::seam::{Clock, Random};
use jiff::{SignedDuration, Timestamp};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use secrecy::ExposeSecret as _;
use tempfile::TempDir;

struct TestClock {
    start: tokio::time::Instant,
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        // The processes use the system's clock, and compare what the cloud says with it.
        static BASE: std::sync::LazyLock<(Timestamp, tokio::time::Instant)> =
            std::sync::LazyLock::new(|| (system_time(), tokio::time::Instant::now()));
        let (base, since) = *BASE;
        let _ = self.start;
        base + SignedDuration::try_from(since.elapsed()).expect("a short test")
    }
}

#[expect(clippy::disallowed_methods, reason = "the killed processes live in real time, and so must their cloud")]
fn system_time() -> Timestamp {
    Timestamp::now()
}

struct TestRandom(Mutex<StdRng>);

impl Random for TestRandom {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().unwrap().fill(bytes);
    }
}

/// Addresses of machines must not meet those of other clouds on this machine.
static NEXT_BLOCK: AtomicU8 = AtomicU8::new(0);

pub(crate) struct Stage {
    pub(crate) cloud: LocalCloud,
    pub(crate) running: Running,
    pub(crate) data: TempDir,
    pub(crate) readiness_port: u16,
    pub(crate) database: Option<String>,
    contabo: contabo::Options,
}

impl Stage {
    pub(crate) async fn new(seed: u64, database: Option<String>) -> Self {
        let block = NEXT_BLOCK.fetch_add(1, Ordering::Relaxed);
        let mut options = Options { contabo: contabo::Options::instant(), ..Options::default() };
        options.contabo.pool_base = Ipv4Addr::new(127, 128 + block / 2, 128 * (block % 2), 0);
        options.contabo.pool_prefix = 17;
        options.contabo.readiness_port = 2322;
        let contabo = options.contabo.clone();
        let clock = Arc::new(TestClock { start: tokio::time::Instant::now() });
        let random = Arc::new(TestRandom(Mutex::new(StdRng::seed_from_u64(seed))));
        let cloud = LocalCloud::new(options, clock, random);
        let any = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        let running = cloud.serve(Listen { http: any, dns: any, r2: any }).await.expect("loopback can be listened on");
        let data = tempfile::tempdir().expect("a temporary directory");
        let readiness_port = contabo.readiness_port;
        Self { cloud, running, data, readiness_port, database, contabo }
    }

    /// The configuration of a control plane that works on this stage.
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        let http = format!("http://{}", self.running.http_address);
        let mut variables = vec![
            ("ALFRED_DOMAIN", cloudflare::DEMO_ZONE.to_owned()),
            ("ALFRED_LISTEN", "127.0.0.1:0".to_owned()),
            ("ALFRED_DNS_SERVER", self.running.dns_address.to_string()),
            ("ALFRED_READINESS_PORT", self.readiness_port.to_string()),
            ("CLOUDFLARE_API_BASE", format!("{http}/client/v4")),
            ("CLOUDFLARE_API_TOKEN", cloudflare::DEMO_TOKEN.to_owned()),
            ("CLOUDFLARE_ZONE_ID", cloudflare::DEMO_ZONE_ID.to_owned()),
            ("CONTABO_API_BASE", http.clone()),
            ("CONTABO_AUTH_URL", format!("{http}/auth/realms/contabo/protocol/openid-connect/token")),
            ("CONTABO_CLIENT_ID", self.contabo.client_id.clone()),
            ("CONTABO_CLIENT_SECRET", self.contabo.client_secret.expose_secret().to_owned()),
            ("CONTABO_API_USER", self.contabo.user.clone()),
            ("CONTABO_API_PASSWORD", self.contabo.password.expose_secret().to_owned()),
        ];
        if let Some(database) = &self.database {
            variables.push(("ALFRED_DATABASE_URL", database.clone()));
        }
        variables
    }
}
