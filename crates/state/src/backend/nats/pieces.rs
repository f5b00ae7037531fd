//! Contents of versions: one message each, or several that one message makes visible.

use alfred_model::state::{BlobKey, StateName};
use async_nats::jetstream::message::PublishMessage;
use bytes::{Bytes, BytesMut};
use futures::{StreamExt as _, TryStreamExt as _};
use sha2::{Digest as _, Sha256};

use super::connection::{Connection, Published};
use super::documents::id;
use super::failure::words;
use super::listing::list;
use super::{token, uploads};
use crate::backend::frame::Mark;
use crate::backend::{BackendError, Blob, BlobEntry, Put};

/// Longest piece. Read from a stream's leader it comes in Base64 and still fits into one message of the usual length.
const PIECE_MAX: usize = 512 << 10;

/// What headers and the protocol need of a message's length, at the most.
const OVERHEAD: usize = 1_024;

/// So many pieces are under way at once.
const AT_ONCE: usize = 8;

/// Says how long the whole content is.
const SIZE: &str = "Alfred-Size";
/// Names the upload whose pieces these are; absent where the content is in the message itself.
pub(super) const UPLOAD: &str = "Alfred-Upload";
/// How many pieces there are.
const PIECES: &str = "Alfred-Pieces";
/// The SHA-256 of all of them together: they are several messages, of which one could be lost without another showing it.
const DIGEST: &str = "Alfred-Digest";

struct Subjects {
    whole: String,
    pieces: String,
}

fn subjects(connection: &Connection, state: &StateName, key: &BlobKey) -> Subjects {
    let (bucket, state, key) = (&connection.bucket, token(state), key.as_key());
    Subjects {
        whole: format!("{bucket}-contents.whole.{state}.{key}"),
        pieces: format!("{bucket}-contents.piece.{state}.{key}"),
    }
}

pub(super) async fn put(
    connection: &Connection,
    state: &StateName,
    key: &BlobKey,
    content: Blob,
    upload: &Mark,
) -> Result<Put, BackendError> {
    let subjects = subjects(connection, state, key);
    let size = content.len();
    let room = connection.message_max().saturating_sub(OVERHEAD).clamp(1, PIECE_MAX);
    let upload = id(upload);
    let head = || PublishMessage::build().header(SIZE, size.to_string()).expected_last_subject_sequence(0);
    if size <= room {
        let content = content.into_bytes();
        let message = || head().payload(content.clone());
        return publish(connection, &subjects.whole, &upload, message).await;
    }
    if connection.last(&connection.contents, &subjects.whole).await?.is_some() {
        return Ok(Put::Exists);
    }
    let put = put_pieces(connection, &subjects, content, room, &upload, head).await;
    if !matches!(put, Ok(Put::Created)) && !may_have_taken_place(&put) {
        // Nobody will ever ask for them.
        purge(connection, &format!("{}.{upload}.>", subjects.pieces)).await.unwrap_or_else(|error| {
            tracing::warn!(state = %state, error = %error, "pieces of a content that was not written are left over");
        });
    }
    put
}

/// Whether the pieces may have become visible although there is an error.
fn may_have_taken_place(put: &Result<Put, BackendError>) -> bool {
    matches!(put, Err(BackendError::Unavailable { .. }))
}

async fn put_pieces(
    connection: &Connection,
    subjects: &Subjects,
    content: Blob,
    room: usize,
    upload: &str,
    head: impl Fn() -> PublishMessage,
) -> Result<Put, BackendError> {
    let mut digest = Sha256::new();
    for piece in &content.0 {
        digest.update(piece);
    }
    let digest = hexadecimal(&digest.finalize());
    let pieces = cut(content, room);
    let count = pieces.len();
    futures::stream::iter(pieces.into_iter().enumerate())
        .map(Ok)
        .try_for_each_concurrent(AT_ONCE, async |(number, piece)| {
            let subject = format!("{}.{upload}.{number}", subjects.pieces);
            let message = || PublishMessage::build().expected_last_subject_sequence(0).payload(piece.clone());
            match connection.publish(&subject, &format!("{upload}-{number}"), message).await? {
                Published::At(_) => Ok(()),
                // The upload's name is drawn anew each time: whoever is there is an earlier sending of ours.
                _ if connection.last(&connection.contents, &subject).await?.is_some() => Ok(()),
                _ => Err(connection.place.unavailable(format_args!("it refuses `{subject}` without a reason"))),
            }
        })
        .await?;
    let message = || {
        head().header(UPLOAD, upload).header(PIECES, count.to_string()).header(DIGEST, &*digest).payload(Bytes::new())
    };
    let put = publish(connection, &subjects.whole, upload, message).await?;
    if put == Put::Created && !uploads::is_intact(connection, &format!("{}.{upload}", subjects.pieces), count).await? {
        // What was made visible is not there. It goes before anybody hears of it.
        purge(connection, &subjects.whole).await?;
        purge(connection, &format!("{}.{upload}.>", subjects.pieces)).await?;
        let words = format_args!("writing took so long that the pieces of `{}` were given up", subjects.whole);
        return Err(connection.place.unavailable(words));
    }
    Ok(put)
}

/// Creates the message that makes a content visible.
async fn publish(
    connection: &Connection,
    subject: &str,
    upload: &str,
    message: impl Fn() -> PublishMessage,
) -> Result<Put, BackendError> {
    if let Published::At(_) = connection.publish(subject, upload, message).await? {
        return Ok(Put::Created);
    }
    // It may have been refused because an earlier sending of it was taken.
    let Some(found) = connection.last(&connection.contents, subject).await? else {
        return Err(connection.place.unavailable(format_args!("it refuses `{subject}` without a reason")));
    };
    let is_ours = found.headers.get("Nats-Msg-Id").is_some_and(|value| value.as_str() == upload);
    Ok(if is_ours { Put::Created } else { Put::Exists })
}

pub(super) async fn get(
    connection: &Connection,
    state: &StateName,
    key: &BlobKey,
) -> Result<Option<Blob>, BackendError> {
    let subjects = subjects(connection, state, key);
    let Some(whole) = connection.last(&connection.contents, &subjects.whole).await? else { return Ok(None) };
    let header = |name| whole.headers.get(name).map(async_nats::HeaderValue::as_str);
    let damaged = |words: &str| connection.place.damaged(format_args!("version {key} of state `{state}`: {words}"));
    let size: usize = header(SIZE).and_then(|size| size.parse().ok()).ok_or_else(|| damaged("it has no length"))?;
    let Some(upload) = header(UPLOAD) else {
        let is_whole = whole.payload.len() == size;
        return if is_whole { Ok(Some(whole.payload.into())) } else { Err(damaged("it is not as long as it was")) };
    };
    let count: usize =
        header(PIECES).and_then(|count| count.parse().ok()).ok_or_else(|| damaged("it has no pieces"))?;
    let pieces = futures::stream::iter(0..count)
        .map(|number| get_piece(connection, format!("{}.{upload}.{number}", subjects.pieces)))
        .buffered(AT_ONCE);
    let Some(pieces) = pieces.try_collect::<Vec<_>>().await?.into_iter().collect::<Option<Vec<_>>>() else {
        // It may have been deleted since.
        let still = connection.last(&connection.contents, &subjects.whole).await?;
        return if still.is_some() { Err(damaged("a piece of it is gone")) } else { Ok(None) };
    };
    let mut digest = Sha256::new();
    for piece in &pieces {
        digest.update(piece);
    }
    let blob = Blob(pieces);
    if blob.len() != size || header(DIGEST) != Some(&hexadecimal(&digest.finalize())) {
        return Err(damaged("its pieces are not what was written"));
    }
    Ok(Some(blob))
}

/// A piece, from any replica that has it.
async fn get_piece(connection: &Connection, subject: String) -> Result<Option<Bytes>, BackendError> {
    if let Ok(message) = connection.contents.direct_get_last_for_subject(&*subject).await {
        return Ok(Some(message.payload));
    }
    Ok(connection.last(&connection.contents, &subject).await?.map(|message| message.payload))
}

pub(super) async fn entries(connection: &Connection, state: &StateName) -> Result<Vec<BlobEntry>, BackendError> {
    let prefix = format!("{}-contents.whole.{}.", connection.bucket, token(state));
    let found = list(connection, &connection.contents, &format!("{prefix}*")).await?;
    let mut entries = Vec::with_capacity(found.len());
    for found in found {
        let key = found.subject.strip_prefix(&prefix).and_then(BlobKey::from_key);
        let size = found.header(SIZE).and_then(|size| size.parse().ok());
        let (Some(key), Some(size)) = (key, size) else {
            return Err(connection.place.damaged(format_args!("`{}` is no version of state `{state}`", found.subject)));
        };
        entries.push(BlobEntry { key, size });
    }
    entries.sort_unstable_by_key(|entry| entry.key);
    Ok(entries)
}

pub(super) async fn delete(connection: &Connection, state: &StateName, key: &BlobKey) -> Result<(), BackendError> {
    let subjects = subjects(connection, state, key);
    // What makes it visible goes first.
    purge(connection, &subjects.whole).await?;
    purge(connection, &format!("{}.>", subjects.pieces)).await
}

pub(super) async fn purge(connection: &Connection, filter: &str) -> Result<(), BackendError> {
    let ask = || async { connection.contents.purge().filter(filter).await.map_err(|error| words(&error)) };
    connection.repeat("STREAM.PURGE", ask).await.map(drop)
}

fn hexadecimal(digest: &[u8]) -> String {
    digest.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// The content in pieces of `room` bytes, of which the last may be shorter.
fn cut(content: Blob, room: usize) -> Vec<Bytes> {
    let (mut pieces, mut current) = (Vec::new(), BytesMut::new());
    for mut piece in content.0 {
        while !piece.is_empty() {
            let taken = piece.split_to(piece.len().min(room - current.len()));
            if current.is_empty() && taken.len() == room {
                pieces.push(taken);
                continue;
            }
            current.extend_from_slice(&taken);
            if current.len() == room {
                pieces.push(current.split().freeze());
            }
        }
    }
    if !current.is_empty() {
        pieces.push(current.freeze());
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_have_one_length_but_for_the_last() {
        let zeros = |length| Bytes::from(vec![0; length]);
        let content = Blob(vec![zeros(3), zeros(0), zeros(30), zeros(7), zeros(5)]);
        let lengths: Vec<usize> = cut(content, 10).iter().map(Bytes::len).collect();
        assert_eq!(lengths, [10, 10, 10, 10, 5]);
        assert_eq!(cut(zeros(20).into(), 10).len(), 2);
    }
}
