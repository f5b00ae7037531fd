//! The list of routes and the layers around them.

use std::sync::Arc;

use alfred_engine::Engine;
use axum::body::Bytes;
use axum::http::Uri;
use axum::{Extension, Router, middleware};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::watch;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::{App, Shared};
use crate::auth::{self, Gate};
use crate::backups::{self, BackupService};
use crate::problem::{Code, Problem};
use crate::states::{self, StatesParts, StatesService};
use crate::{audit, call_home, environments, events, guard, ledger, openapi, pool, probes, quota, tokens, users, vms};

/// What the server works with.
pub struct ServerParts {
    /// The engine, whether or not its loops run in this process.
    pub engine: Arc<Engine>,
    /// The Terraform states; without them their paths answer 404.
    pub states: Option<StatesParts>,
    /// Makes backups; without it they are answered as not configured.
    pub backups: Option<Arc<BackupService>>,
    /// Renders `/metrics`; without one that path answers 404.
    pub metrics: Option<PrometheusHandle>,
    /// Whether start-up is over and traffic is welcome; `/readyz` shows it.
    pub ready: watch::Receiver<bool>,
}

/// The HTTP API.
pub struct Server {
    app: Shared,
}

impl Server {
    /// Takes the parts; nothing is read or opened.
    pub fn new(parts: ServerParts) -> Self {
        let ServerParts { engine, states, backups, metrics, ready } = parts;
        let states = states.map(StatesService::new);
        let gate = Gate::new(Arc::clone(engine.store()), Arc::clone(engine.clock()));
        Self { app: Arc::new(App { engine, gate, seats: Arc::default(), states, backups, metrics, ready }) }
    }

    /// All routes behind authentication and the outer guard, to be given to [`serve`](crate::serve).
    pub fn router(self) -> Router {
        let (router, document) = routes().split_for_parts();
        let document = openapi::Rendered(Bytes::from(openapi::render(document)));
        // Layers are listed from the inside out. The guard is outermost, so that it also sees what the others refuse.
        router
            .fallback(no_such_path)
            .layer(Extension(document))
            .layer(middleware::from_fn_with_state(Arc::clone(&self.app), auth::admit))
            .layer(middleware::from_fn_with_state(Arc::clone(&self.app), guard::guard))
            .with_state(self.app)
    }
}

/// Every route. Adding one here also documents it: path and document come from the same attribute.
pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::with_openapi(openapi::document())
        .routes(routes!(environments::create, environments::list))
        .routes(routes!(environments::show, environments::delete))
        .routes(routes!(environments::retry))
        .routes(routes!(environments::extend))
        .routes(routes!(events::history))
        .routes(routes!(events::stream))
        .routes(routes!(environments::show_cost))
        .routes(routes!(vms::list))
        .routes(routes!(vms::order))
        .routes(routes!(vms::cancel))
        .routes(routes!(vms::adopt))
        .routes(routes!(pool::show))
        .routes(routes!(pool::pause))
        .routes(routes!(pool::resume))
        .routes(routes!(ledger::list))
        .routes(routes!(ledger::abandon))
        .routes(routes!(audit::show))
        .routes(routes!(audit::repair))
        .routes(routes!(users::create, users::list))
        .routes(routes!(quota::own))
        .routes(routes!(quota::show, quota::set))
        .routes(routes!(tokens::create, tokens::list))
        .routes(routes!(tokens::withdraw))
        .routes(routes!(tokens::whoami))
        .merge(state_routes())
        .routes(routes!(backups::routes::list, backups::routes::make))
        .routes(routes!(call_home::call_home))
        .routes(routes!(probes::healthz))
        .routes(routes!(probes::readyz))
        .routes(routes!(probes::metrics))
        .routes(routes!(openapi::show))
}

/// Those about Terraform states.
fn state_routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(states::list::list))
        .routes(routes!(states::list::show, states::remove::delete))
        .routes(routes!(states::versions::list))
        .routes(routes!(states::versions::download))
        .routes(routes!(states::versions::pin, states::versions::unpin))
        .routes(routes!(states::versions::diff))
        .routes(routes!(states::versions::roll_back))
        .routes(routes!(states::versions::verify))
        .routes(routes!(states::locks::lock, states::locks::unlock))
        .routes(routes!(states::settings::set))
        .routes(routes!(states::grants::list, states::grants::grant, states::grants::revoke))
        .routes(routes!(states::log::list))
        .route(states::terraform::PATH, axum::routing::any(states::terraform::serve))
        .routes(routes!(states::mirror::show))
        .routes(routes!(states::mirror::switch))
        .route_layer(middleware::from_fn(states::finish))
}

async fn no_such_path(uri: Uri) -> Problem {
    let path: String = uri.path().chars().take(100).collect();
    Problem::new(Code::NotFound, format!("there is nothing at `{path}`")).hint("`/openapi.json` lists every path")
}
