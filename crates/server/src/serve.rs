//! The listener: connections with bounded heads, bounded numbers and an orderly end.

use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

/// So many connections at once; more wait in the system's queue.
const CONNECTIONS_MAX: usize = 1024;

/// A request's head must have arrived after so long, also on a connection that is kept open.
const HEAD_TIME: Duration = Duration::from_secs(30);

/// The longest head, in bytes; it is also how much of a body is held at once.
const HEAD_MAX: usize = 64 * 1024;

/// After the stop, requests that have begun get so long to end.
const DRAIN_TIME: Duration = Duration::from_secs(10);

/// When the system refuses a connection for want of something, such as file descriptors, it is asked again after this.
const REFUSED_PAUSE: Duration = Duration::from_millis(200);

/// Tells long answers, which would never end by themselves, that the server stops.
#[derive(Clone)]
pub(crate) struct Stopping(pub(crate) CancellationToken);

/// The other end of the connection. What stands in headers about it is not believed: anybody can write it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// Serves `router` on `listener` until `stop` is cancelled and then lets the requests that have begun end, for at most
/// ten seconds. Event streams end at once; their clients resume with `Last-Event-ID`.
///
/// What fails on one connection is logged and harms no other.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let router = router.layer(Extension(Stopping(stop.clone())));
    let seats = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accept(&listener, &seats) => accepted,
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok((stream, peer, seat)) => {
                let (router, stop) = (router.clone(), stop.clone());
                connections.spawn(async move {
                    converse(stream, peer, router, stop).await;
                    drop(seat);
                });
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::error!(%error, "cannot take a connection");
                tokio::time::sleep(REFUSED_PAUSE).await;
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn accept(
    listener: &TcpListener,
    seats: &Arc<Semaphore>,
) -> io::Result<(TcpStream, Peer, tokio::sync::OwnedSemaphorePermit)> {
    let seat = Arc::clone(seats).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, address) = listener.accept().await?;
    Ok((stream, Peer(address.ip()), seat))
}

async fn converse(stream: TcpStream, peer: Peer, router: Router, stop: CancellationToken) {
    // Answers are small, and an event shall not wait for the next one.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot turn off delayed sending");
    }
    let service = router.map_request(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        request
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(HEAD_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            tokio::time::timeout(DRAIN_TIME, connection).await.ok()
        }
    };
    match ended {
        Some(Ok(())) => {}
        Some(Err(error)) => tracing::debug!(%error, "a connection broke off"),
        None => tracing::warn!("a request was cut off: it had not ended ten seconds after the stop"),
    }
}

/// Whether the error is that of a client which went away before it was taken.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}
