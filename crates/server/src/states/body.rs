//! Reading a content on its way in: never more than is allowed, and never more of all of them together than fits.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use md5::{Digest as _, Md5};
use tokio::sync::OwnedSemaphorePermit;

use super::StatesService;
use crate::problem::{Code, Problem};

/// Room is counted in so many bytes.
pub(super) const UNIT: usize = 64 * 1024;

/// After so long without a byte the client is given up.
const SILENCE: Duration = Duration::from_secs(30);

/// The header with the MD5 of the content, in base64 (RFC 1864). Terraform sends it and compares it.
pub(super) const CONTENT_MD5: &str = "content-md5";

/// So much room a content of this length takes.
pub(super) const fn units(length: usize) -> usize {
    length.div_ceil(UNIT)
}

/// A content that has arrived. Its room is given back when it is dropped.
pub(super) struct Arrived {
    pub(super) content: Bytes,
    _room: OwnedSemaphorePermit,
}

/// Reads a content. One that is too long is refused before it is read, where its length is announced, and otherwise as
/// soon as it is known.
pub(super) async fn read(service: &StatesService, headers: &HeaderMap, body: Body) -> Result<Arrived, Problem> {
    let limit = service.size_max;
    let too_large = || {
        Problem::new(Code::TooLarge, format!("the state has more than {limit} bytes"))
            .hint("an administrator can allow larger ones with `ALFRED_STATE_SIZE_MAX`")
    };
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let expected = announced.map_or(Ok(limit), usize::try_from).unwrap_or(usize::MAX);
    if expected > limit {
        return Err(too_large());
    }
    let wanted = u32::try_from(units(expected)).unwrap_or(u32::MAX);
    let room = Arc::clone(&service.room).acquire_many_owned(wanted).await;
    let room = room.map_err(|_| Problem::new(Code::NotReady, "the server stops"))?;
    let mut arrived = BytesMut::with_capacity(announced.map_or(0, |_| expected));
    let mut sum = Md5::new();
    let mut stream = body.into_data_stream();
    loop {
        let silent = |_| Problem::new(Code::RequestTooSlow, "the content stopped to arrive");
        let Some(part) = tokio::time::timeout(SILENCE, stream.next()).await.map_err(silent)? else { break };
        let part = part.map_err(|_| Problem::new(Code::BadRequest, "the content broke off"))?;
        if part.len() > limit - arrived.len() {
            return Err(too_large());
        }
        sum.update(&part);
        arrived.extend_from_slice(&part);
    }
    check(headers, &STANDARD.encode(sum.finalize()))?;
    Ok(Arrived { content: arrived.freeze(), _room: room })
}

/// Compares the checksum with the one that was sent, if one was.
fn check(headers: &HeaderMap, actual: &str) -> Result<(), Problem> {
    match headers.get(CONTENT_MD5) {
        Some(sent) if sent.as_bytes() != actual.as_bytes() => {
            let words =
                format!("the content's MD5 is `{actual}` and not what `Content-MD5` says: it was changed on the way");
            Err(Problem::new(Code::BadState, words).hint("send it again"))
        }
        _ => Ok(()),
    }
}

/// The MD5 of a content in base64. That of a large one takes seconds, which must not hold up others.
pub(super) async fn md5(content: &Bytes) -> Result<String, Problem> {
    let content = content.clone();
    let sum = tokio::task::spawn_blocking(move || STANDARD.encode(Md5::digest(&content))).await;
    sum.map_err(|error| Problem::internal(error.to_string()))
}
