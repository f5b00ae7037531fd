//! The local cloud as a whole: one router over all services, with faults in front of it and a journal beside it.

mod door;

use std::{
    fmt,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use alfred_model::seam::{Clock, Random};
use axum::{Router, body::Body};
use bytes::Bytes;
use hickory_proto::rr::RecordType;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::json;
use tower::ServiceExt;

use crate::{
    Options, StateError, admin,
    cloudflare::{self, Cloudflare},
    contabo::{self, Contabo},
    dns::{self, Resolution},
    faults::{Fault, Faults, Target, Verdict},
    journal::{Entry, Journal, Outcome, Service},
    persistence,
    r2::{self, R2},
};

pub(crate) use door::Door;

/// How a call was lost: what a client sees as a broken connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallLost {
    /// Nothing was done and nothing answered.
    #[error("the connection was lost before the call was carried out")]
    BeforeCommit,
    /// It was done, and nothing answered.
    #[error("the connection was lost after the call was carried out")]
    AfterCommit,
    /// It was done, and half of the answer's body came.
    #[error("the connection was lost within the answer's body")]
    CutBody,
}

impl CallLost {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::BeforeCommit => "before-commit",
            Self::AfterCommit => "after-commit",
            Self::CutBody => "cut-body",
        }
    }
}

/// What a call comes to; a cut body still has the whole answer, for the listener to cut.
pub(crate) enum Reply {
    Whole(Response<Bytes>),
    Cut(Response<Bytes>),
    Lost(CallLost),
}

impl Reply {
    fn into_result(self) -> Result<Response<Bytes>, CallLost> {
        match self {
            Self::Whole(response) => Ok(response),
            Self::Cut(_) => Err(CallLost::CutBody),
            Self::Lost(lost) => Err(lost),
        }
    }
}

/// The stand-in cloud. Clones share one state.
#[derive(Clone)]
pub struct LocalCloud {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) cloudflare: Cloudflare,
    pub(crate) contabo: Contabo,
    contabo_router: Router,
    pub(crate) r2: R2,
    pub(crate) faults: Faults,
    pub(crate) journal: Journal,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) state_file: Option<std::path::PathBuf>,
    /// Whether the state file was read, so that writing it loses nothing.
    pub(crate) loaded: AtomicBool,
}

impl fmt::Debug for LocalCloud {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LocalCloud").finish_non_exhaustive()
    }
}

impl LocalCloud {
    /// Makes a cloud that nobody listens for yet. A state file is not touched: use [`LocalCloud::open`] for that.
    pub fn new(options: Options, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        let faults = Faults::new(options.faults);
        let mut contabo_options = options.contabo;
        if contabo_options.stuck.is_none() {
            let stuck = faults.clone();
            contabo_options.stuck = Some(Arc::new(move |instance| stuck.stuck_status(instance)));
        }
        let objects = options.state_file.as_deref().map(persistence::objects_folder);
        let r2 = R2::new(options.r2, objects, Arc::clone(&clock), Arc::clone(&random));
        let cloudflare = Cloudflare::new(options.cloudflare, r2.clone(), Arc::clone(&clock), Arc::clone(&random));
        let contabo = Contabo::new(contabo_options, Arc::clone(&clock), random);
        Self {
            inner: Arc::new(Inner {
                cloudflare,
                contabo_router: contabo.router(),
                contabo,
                r2,
                faults,
                journal: Journal::new(options.journal_capacity),
                clock,
                state_file: options.state_file,
                loaded: AtomicBool::new(false),
            }),
        }
    }

    /// Makes a cloud and, if there is a state file, goes on from what it says. A file that cannot be understood is an
    /// error and is left as it is.
    pub fn open(options: Options, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Result<Self, StateError> {
        let cloud = Self::new(options, clock, random);
        persistence::load(&cloud)?;
        Ok(cloud)
    }

    /// Writes the state file now, if there is one and it was read; serving does this by itself.
    pub fn save(&self) -> Result<(), StateError> {
        persistence::save(self)
    }

    /// The calls so far.
    pub fn journal(&self) -> &Journal {
        &self.inner.journal
    }

    /// The fault rules in force.
    pub fn faults(&self) -> &Faults {
        &self.inner.faults
    }

    /// The Cloudflare side.
    pub fn cloudflare(&self) -> &Cloudflare {
        &self.inner.cloudflare
    }

    /// The Contabo side.
    pub fn contabo(&self) -> &Contabo {
        &self.inner.contabo
    }

    /// R2.
    pub fn r2(&self) -> &R2 {
        &self.inner.r2
    }

    /// Answers a DNS question as the listeners would, without one. The name may have a final dot.
    pub fn resolve(&self, name: &str, kind: RecordType) -> Resolution {
        dns::resolve(&self.inner.cloudflare, name, kind)
    }

    /// Answers one HTTP request as the listener of the APIs would, without one: faults and journal included.
    ///
    /// # Errors
    /// What a client would see as a broken connection.
    pub async fn call(&self, request: Request<Bytes>) -> Result<Response<Bytes>, CallLost> {
        self.reply(Door::Apis, request).await.into_result()
    }

    /// Answers one S3 request as the listener of R2 would, without one: faults and journal included.
    ///
    /// # Errors
    /// What a client would see as a broken connection.
    pub async fn call_r2(&self, request: Request<Bytes>) -> Result<Response<Bytes>, CallLost> {
        self.reply(Door::R2, request).await.into_result()
    }

    pub(crate) async fn reply(&self, door: Door, request: Request<Bytes>) -> Reply {
        let path = request.uri().path();
        let service = door.service(path);
        // The controls must work while everything else is made to fail, and are no traffic of a client.
        if service == Service::Other {
            return Reply::Whole(self.other(request).await);
        }
        let route = match service {
            Service::Cloudflare => cloudflare::route_name(request.method(), path),
            Service::R2 => Some(r2::route_name(&request)),
            _ => contabo::route_name(request.method(), path),
        }
        .unwrap_or_default();
        let verdict = self.inner.faults.judge(Target { service, method: request.method().as_str(), path, route });
        let sequence = self.inner.journal.begin(Entry {
            sequence: 0,
            time: self.inner.clock.now(),
            service,
            method: request.method().as_str().to_owned(),
            path: request
                .uri()
                .path_and_query()
                .map_or_else(|| path.to_owned(), |path| door::without_signature(path.as_str())),
            route,
            outcome: Outcome::Open,
            request_id: text_header(request.headers(), "x-request-id"),
            fault: verdict.text.clone(),
        });
        let reply = self.carry_out(service, request, verdict).await;
        let (outcome, ray) = match &reply {
            Reply::Whole(response) => {
                (Outcome::Answered(response.status().as_u16()), text_header(response.headers(), "cf-ray"))
            }
            Reply::Cut(response) => (Outcome::Lost(CallLost::CutBody), text_header(response.headers(), "cf-ray")),
            Reply::Lost(lost) => (Outcome::Lost(*lost), None),
        };
        self.inner.journal.finish(sequence, outcome, ray);
        reply
    }

    async fn carry_out(&self, service: Service, request: Request<Bytes>, verdict: Verdict) -> Reply {
        match &verdict.fault {
            Some(Fault::LostBefore) => {
                pause(verdict.delay_before).await;
                return Reply::Lost(CallLost::BeforeCommit);
            }
            Some(fault @ (Fault::Status { after: false, .. } | Fault::Html { after: false, .. })) => {
                pause(verdict.delay_before).await;
                return Reply::Whole(instead(service, fault));
            }
            _ => {}
        }
        let response = if verdict.delay_before > 0 {
            self.late(service, request, verdict.delay_before).await
        } else {
            self.answer(service, request).await
        };
        pause(verdict.delay_after).await;
        match &verdict.fault {
            Some(Fault::LostAfter) => Reply::Lost(CallLost::AfterCommit),
            Some(Fault::CutBody) => Reply::Cut(response),
            Some(fault @ (Fault::Status { .. } | Fault::Html { .. })) => Reply::Whole(instead(service, fault)),
            _ => Reply::Whole(response),
        }
    }

    /// Carries a call out after a wait, also when its client has gone by then: a slow platform does the same.
    async fn late(&self, service: Service, request: Request<Bytes>, milliseconds: u64) -> Response<Bytes> {
        let cloud = self.clone();
        let work = tokio::spawn(async move {
            pause(milliseconds).await;
            cloud.answer(service, request).await
        });
        work.await.unwrap_or_else(|error| {
            tracing::error!(%error, "a delayed call failed");
            json_answer(StatusCode::INTERNAL_SERVER_ERROR, &json!({"message": "internal error"}))
        })
    }

    async fn answer(&self, service: Service, request: Request<Bytes>) -> Response<Bytes> {
        match service {
            Service::Cloudflare => self.inner.cloudflare.answer(request).await,
            Service::R2 => self.inner.r2.answer(request).await,
            _ => self.routed(request).await,
        }
    }

    async fn other(&self, request: Request<Bytes>) -> Response<Bytes> {
        if let Some(path) = request.uri().path().strip_prefix(admin::PREFIX) {
            if let Some(refusal) = admin::refuse_foreign_host(&request) {
                return refusal;
            }
            if path.starts_with("machines") {
                return self.routed(request).await;
            }
            return admin::answer(self, &request);
        }
        let text = format!("no service answers at `{}`", request.uri().path());
        json_answer(StatusCode::NOT_FOUND, &json!({"error": text}))
    }

    async fn routed(&self, request: Request<Bytes>) -> Response<Bytes> {
        let router = self.inner.contabo_router.clone();
        let answered = match router.oneshot(request.map(Body::from)).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        let (parts, body) = answered.into_parts();
        match body.collect().await {
            Ok(body) => Response::from_parts(parts, body.to_bytes()),
            Err(error) => {
                tracing::error!(%error, "an answer could not be read");
                json_answer(StatusCode::INTERNAL_SERVER_ERROR, &json!({"message": "internal error"}))
            }
        }
    }
}

async fn pause(milliseconds: u64) {
    if milliseconds > 0 {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    }
}

fn text_header(headers: &http::HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// The answer that a fault gives in place of the right one.
fn instead(service: Service, fault: &Fault) -> Response<Bytes> {
    let code = |status: u16| {
        StatusCode::from_u16(status)
            .ok()
            .filter(|status| status.as_u16() >= 200)
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    };
    match fault {
        Fault::Html { status, .. } => {
            let status = code(*status);
            let page = format!(
                "<!DOCTYPE html>\n<html><head><title>{status}</title></head>\
                 <body><center><h1>{status}</h1></center><hr><center>local-cloud</center></body></html>\n"
            );
            let mut response = Response::new(Bytes::from(page));
            *response.status_mut() = status;
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
            response
        }
        Fault::Status { status, retry_after, body, .. } => {
            let status = code(*status);
            let mut response = if service == Service::R2 {
                r2::failure(status, body.as_deref())
            } else if let Some(body) = body {
                json_bytes(status, Bytes::from(body.clone()))
            } else {
                let text = format!("fault: status {}", status.as_u16());
                let errors = json!([{"code": u32::from(status.as_u16()) + 10_000, "message": text}]);
                // Both platforms' clients find their own error shape in it.
                let body = json!({
                    "success": false, "errors": errors, "messages": [], "result": null,
                    "statusCode": status.as_u16(), "message": text,
                });
                json_answer(status, &body)
            };
            if let Some(seconds) = retry_after {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(*seconds));
            }
            response
        }
        _ => json_answer(StatusCode::INTERNAL_SERVER_ERROR, &json!({"message": "internal error"})),
    }
}

pub(crate) fn json_answer(status: StatusCode, body: &serde_json::Value) -> Response<Bytes> {
    json_bytes(status, Bytes::from(body.to_string()))
}

pub(crate) fn json_bytes(status: StatusCode, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests;
