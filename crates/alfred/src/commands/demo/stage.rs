//! The processes of the demo, inside this one: local cloud, control plane, and a client with a token.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use alfred_engine::{AuditSchedule, Settings};
use alfred_local_cloud::{Listen, LocalCloud, Options, Running, contabo};
use alfred_model::policy::Policy;
use alfred_providers::authority::Authority;
use alfred_providers::counts::CallCounts;
use alfred_server::{Server, ServerParts};
use alfred_store::{SqlOptions, SqlStore, Store};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::client::Client;
use crate::commands::{Context, cloud, up};
use crate::error::{Failure, chain};

pub(super) struct Stage {
    pub(super) cloud: LocalCloud,
    pub(super) client: Client,
    pub(super) counts: CallCounts,
    pub(super) authority: Arc<dyn Authority>,
    pub(super) readiness_port: u16,
    pub(super) url: String,
    pub(super) token_file: PathBuf,
    running: Running,
    store: Arc<SqlStore>,
    tasks: JoinSet<()>,
    stop: CancellationToken,
    _ready: watch::Sender<bool>,
    _folder: TempDir,
}

impl Stage {
    pub(super) async fn start(context: &Context) -> Result<Self, Failure> {
        let folder = tempfile::Builder::new().prefix("alfred-demo-").tempdir();
        let folder = folder.map_err(|error| Failure::because("cannot make a temporary folder", &error))?;
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener =
            TcpListener::bind(any).await.map_err(|error| Failure::because("cannot listen on loopback", &error))?;
        let delays = contabo::Options::demo();
        let cloud = cloud::open(Options { contabo: delays.clone(), ..Options::default() })?;
        let running = cloud::serve(&cloud, Listen { http: any, dns: any, r2: any }).await?;
        let providers = up::local::providers(&cloud, &running, &delays, &listener)?;
        let address = format!("sqlite://{}", folder.path().join("alfred.sqlite").display());
        let store = SqlStore::open(&address, SqlOptions::default()).await;
        let store = Arc::new(store.map_err(|error| Failure::new(chain(&error)))?);
        let (counts, authority) = (providers.counts.clone(), Arc::clone(&providers.authority));
        let settings = up::settings(context, &providers, &*store).await?;
        // The story has its own audits and VMs; others would only add to its count of calls.
        let settings = Settings { audit: AuditSchedule::default(), policy: Policy::local(), ..settings };
        let engine = up::engine(Arc::clone(&store) as Arc<dyn Store>, providers, settings);
        let token_file = folder.path().join("admin-token");
        let token = up::first_token::administrator(&*store, &token_file).await?;
        let token = token.ok_or_else(|| Failure::new("a new database already has an administrator"))?;
        let local = listener.local_addr().map_err(|error| Failure::because("cannot tell the address", &error))?;
        let url = format!("http://{local}");
        let client = Client::inside(url.clone(), token)?;
        let (ready, is_ready) = watch::channel(true);
        let router = Server::new(ServerParts {
            engine: Arc::clone(&engine),
            states: None,
            backups: None,
            metrics: None,
            ready: is_ready,
        })
        .router();
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(alfred_server::serve(listener, router, stop.clone()));
        tasks.spawn(engine.run(stop.clone()));
        Ok(Self {
            cloud,
            client,
            counts,
            authority,
            readiness_port: delays.readiness_port,
            url,
            token_file,
            running,
            store,
            tasks,
            stop,
            _ready: ready,
            _folder: folder,
        })
    }

    pub(super) fn cloud_url(&self) -> String {
        format!("http://{}", self.running.http_address)
    }

    pub(super) fn dns_server(&self) -> SocketAddr {
        self.running.dns_address
    }

    /// Where a connection to this address of a VM really goes on this machine.
    pub(super) fn dial(&self, address: Ipv4Addr) -> Option<SocketAddr> {
        self.cloud.contabo().dial(address)
    }

    pub(super) async fn stop(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
        self.store.close().await;
        self.running.stop().await;
    }
}
