//! One HTTP connection: requests read whole, answers sent whole, cut or not at all.

use std::{
    fmt,
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::{
    body::{Body, Frame, Incoming, SizeHint},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use tokio::{net::TcpStream, sync::watch};

use crate::{
    CallLost, LocalCloud,
    cloud::{Door, Reply, json_answer},
    r2,
};

/// The most MiB of a body, which is read whole.
const BODY_LIMIT: usize = 100;
/// The same for S3, whose single uploads the platform takes up to 5 GiB.
const R2_BODY_LIMIT: usize = 512;
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) async fn serve(cloud: LocalCloud, door: Door, stream: TcpStream, mut stopped: watch::Receiver<bool>) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection cannot be set to send at once");
    }
    let service = service_fn(|request| answer(cloud.clone(), door, request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = super::told_to_stop(&mut stopped) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    // Lost calls and cut bodies end here on purpose, as do clients that go away.
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// An error makes hyper close the connection without a byte of an answer, which is what a lost call is.
async fn answer(cloud: LocalCloud, door: Door, request: Request<Incoming>) -> Result<Response<Sent>, CallLost> {
    let (parts, body) = request.into_parts();
    let limit = match door {
        Door::Apis => BODY_LIMIT,
        Door::R2 => R2_BODY_LIMIT,
    };
    let body = match Limited::new(body, limit * 1024 * 1024).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            return Ok(whole(failure(
                door,
                StatusCode::PAYLOAD_TOO_LARGE,
                &format!("the body is larger than {limit} MiB"),
            )));
        }
        Err(_) => {
            return Ok(whole(failure(door, StatusCode::BAD_REQUEST, "the body could not be read")));
        }
    };
    match cloud.reply(door, Request::from_parts(parts, body)).await {
        Reply::Whole(response) => Ok(whole(response)),
        Reply::Cut(response) => Ok(cut(response)),
        Reply::Lost(lost) => Err(lost),
    }
}

fn failure(door: Door, status: StatusCode, text: &str) -> Response<Bytes> {
    match door {
        Door::Apis => json_answer(status, &json!({"message": text})),
        Door::R2 => r2::failure(status, Some(text)),
    }
}

fn whole(response: Response<Bytes>) -> Response<Sent> {
    response.map(|bytes| Sent {
        announced: bytes.len() as u64,
        step: if bytes.is_empty() { Step::Ended } else { Step::All(bytes) },
    })
}

fn cut(response: Response<Bytes>) -> Response<Sent> {
    let mut response =
        response.map(|bytes| Sent { announced: bytes.len() as u64, step: Step::Half(bytes.slice(..bytes.len() / 2)) });
    // Announced by hand: hyper takes the header as it is, and an empty body announces nothing to be missed.
    let length = response.body().announced.max(1);
    response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    response.body_mut().announced = length;
    response
}

/// A body that is sent whole, or ends in an error halfway.
struct Sent {
    announced: u64,
    step: Step,
}

enum Step {
    All(Bytes),
    Half(Bytes),
    /// How often hyper may still flush what it has before the connection breaks.
    Flushing(u8),
    Ended,
}

/// The error that breaks a connection within a body.
#[derive(Debug)]
struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the body was cut on purpose")
    }
}

impl std::error::Error for Cut {}

impl Body for Sent {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match std::mem::replace(&mut self.step, Step::Ended) {
            Step::All(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            Step::Half(bytes) => {
                self.step = Step::Flushing(2);
                if bytes.is_empty() {
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Step::Flushing(0) => Poll::Ready(Some(Err(Cut))),
            Step::Flushing(left) => {
                self.step = Step::Flushing(left - 1);
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Step::Ended => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.step, Step::Ended)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.announced)
    }
}
