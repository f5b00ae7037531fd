//! Contents on their way in and out: never more than is allowed, never more of all of them together than fits, and none for
//! a client that has stopped.

use std::convert::Infallible;
use std::time::Duration;

use alfred_state::{StateError, Taken};
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use md5::{Digest as _, Md5};
use tokio::sync::mpsc;

use super::StatesService;
use crate::problem::{Code, Problem};

/// A content goes out in pieces of so many bytes.
const PIECE: usize = 64 << 10;

/// After so long without a byte the client is given up.
const SILENCE: Duration = Duration::from_secs(30);

/// The header with the MD5 of the content, in base64 (RFC 1864). Terraform sends it and compares it.
const CONTENT_MD5: &str = "content-md5";

/// A content that has arrived. Its room is given back when it is dropped.
pub(super) struct Arrived {
    pub(super) content: Bytes,
    _room: Taken,
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
    let room = service.room.take(expected as u64).await.ok_or(StateError::NoRoom)?;
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

/// The answer with a content, and its MD5. Whoever stops taking it gets no more of it, and its memory is free again.
pub(super) async fn answer(content: Bytes) -> Result<Response, Problem> {
    let md5 = md5(&content).await?;
    let length = content.len();
    let body = if length <= PIECE { Body::from(content) } else { in_pieces(content) };
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CONTENT_LENGTH, length.into());
    let md5 = HeaderValue::try_from(md5).map_err(|error| Problem::internal(error.to_string()))?;
    headers.insert(CONTENT_MD5, md5);
    Ok(response)
}

/// A body that ends early if a piece of it is not taken in time: the client sees that there is less than was announced.
fn in_pieces(content: Bytes) -> Body {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut rest = content;
        while !rest.is_empty() {
            // A copy, since a piece of the content that waits in a socket would keep all of it.
            let piece = Bytes::copy_from_slice(&rest.split_to(rest.len().min(PIECE)));
            let sent = tokio::time::timeout(SILENCE, sender.send(piece)).await;
            if !matches!(sent, Ok(Ok(()))) {
                break;
            }
        }
    });
    let pieces = futures::stream::unfold(receiver, |mut receiver| async move {
        let piece = receiver.recv().await?;
        Some((Ok::<_, Infallible>(piece), receiver))
    });
    Body::from_stream(pieces)
}

/// The MD5 of a content in base64. That of a large one takes seconds, which must not hold up others.
async fn md5(content: &Bytes) -> Result<String, Problem> {
    let content = content.clone();
    let sum = tokio::task::spawn_blocking(move || STANDARD.encode(Md5::digest(&content))).await;
    sum.map_err(|error| Problem::internal(error.to_string()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// A content that tells whether anybody has any of it.
    struct Watched(Vec<u8>, #[expect(dead_code, reason = "it is counted")] Arc<()>);

    impl AsRef<[u8]> for Watched {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }

    fn watched(length: usize) -> (Bytes, Arc<()>) {
        let watch = Arc::new(());
        let bytes = (0..=250).cycle().take(length).collect();
        (Bytes::from_owner(Watched(bytes, Arc::clone(&watch))), watch)
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_answered_is_the_content() {
        for length in [0, 1, PIECE, PIECE + 1, 5 * PIECE + 17] {
            let (content, watch) = watched(length);
            let response = answer(content.clone()).await.unwrap();
            let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
            assert_eq!(header("content-length"), length.to_string());
            assert_eq!(header("content-md5"), STANDARD.encode(Md5::digest(&content)));
            let mut pieces = response.into_body().into_data_stream();
            let mut arrived = Vec::new();
            // A slow client is served, as long as it takes something now and then.
            while let Some(piece) = pieces.next().await {
                tokio::time::sleep(SILENCE / 2).await;
                arrived.extend_from_slice(&piece.unwrap());
            }
            assert!(arrived == content, "{length}");
            drop((content, pieces));
            assert_eq!(Arc::strong_count(&watch), 1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_stops_keeps_no_memory() {
        let (content, watch) = watched(50 * PIECE);
        let mut pieces = answer(content).await.unwrap().into_body().into_data_stream();
        let first = pieces.next().await.unwrap().unwrap();
        tokio::time::sleep(SILENCE + Duration::from_secs(1)).await;
        assert_eq!(Arc::strong_count(&watch), 1);
        let mut arrived = first.len();
        while let Some(piece) = pieces.next().await {
            arrived += piece.unwrap().len();
        }
        assert!(arrived < 10 * PIECE, "it was told that there is no more: {arrived}");
    }
}
