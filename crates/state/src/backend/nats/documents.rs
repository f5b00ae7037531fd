//! Documents: the last value of each key of the bucket.

use alfred_model::state::StateName;
use async_nats::jetstream::message::{PublishMessage, StreamMessage};
use bytes::Bytes;

use super::connection::{Connection, Published};
use super::listing::list;
use super::{from_token, token};
use crate::backend::frame::{Mark, frame, mark, unframe};
use crate::backend::{BackendError, Document, Revision, Swapped};

/// How a key-value bucket says that a key was removed.
const OPERATION: &str = "KV-Operation";
const PURGED: &str = "PURGE";

/// A change is decided anew so many times when the key's mark of removal is deleted meanwhile, or the server refuses although
/// nobody was in the way (<https://github.com/nats-io/nats-server/issues/7281>).
const ATTEMPTS: usize = 5;

fn subject(connection: &Connection, state: &StateName) -> String {
    format!("$KV.{}.{}", connection.bucket, token(state))
}

fn is_removal(message: &StreamMessage) -> bool {
    message.headers.get(OPERATION).is_some()
}

pub(super) async fn read(connection: &Connection, state: &StateName) -> Result<Option<Document>, BackendError> {
    let last = connection.last(&connection.documents, &subject(connection, state)).await?;
    let Some(message) = last.filter(|message| !is_removal(message)) else { return Ok(None) };
    let content = unframe(&message.payload).and_then(|content| content.ok_or("it is empty"));
    let content = content.map_err(|words| {
        let sequence = message.sequence;
        let words = format_args!("the document of state `{state}`, message {sequence}: {words}");
        connection.place.damaged_document(sequence, words)
    })?;
    Ok(Some(Document { revision: Revision(message.sequence), content }))
}

pub(super) async fn swap(
    connection: &Connection,
    state: &StateName,
    expected: Option<Revision>,
    content: &Bytes,
    mark: &Mark,
) -> Result<Swapped, BackendError> {
    let framed = frame(Some(content), mark);
    let message = || PublishMessage::build().payload(framed.clone());
    publish(connection, state, expected, mark, message).await
}

pub(super) async fn remove(
    connection: &Connection,
    state: &StateName,
    expected: Revision,
    mark: &Mark,
) -> Result<Swapped, BackendError> {
    let framed = frame(None, mark);
    let message =
        || PublishMessage::build().payload(framed.clone()).header(OPERATION, PURGED).header("Nats-Rollup", "sub");
    let swapped = publish(connection, state, Some(expected), mark, message).await?;
    if let Swapped::Done(Revision(sequence)) = swapped {
        // Sequences never come again, so the mark of the removal is not needed; where it stays, it is known for what it is.
        if let Err(error) = connection.documents.delete_message(sequence).await {
            tracing::debug!(state = %state, error = %error, "the mark of a removed document stays");
        }
    }
    Ok(swapped)
}

/// Makes `message` the last of its subject, if the last is the expected one.
async fn publish(
    connection: &Connection,
    state: &StateName,
    expected: Option<Revision>,
    own: &Mark,
    message: impl Fn() -> PublishMessage,
) -> Result<Swapped, BackendError> {
    let subject = subject(connection, state);
    let id = id(own);
    let mut after = match expected {
        Some(Revision(sequence)) => sequence,
        None => match connection.last(&connection.documents, &subject).await? {
            None => 0,
            Some(message) if is_removal(&message) => message.sequence,
            Some(_) => return Ok(Swapped::Conflict),
        },
    };
    let mut may_have_counted = false;
    for _ in 0..ATTEMPTS {
        let conditional = || message().expected_last_subject_sequence(after);
        match connection.publish(&subject, &id, conditional).await? {
            Published::At(sequence) => return Ok(Swapped::Done(Revision(sequence))),
            Published::Refused => {}
            Published::RefusedLater => may_have_counted = true,
        }
        let last = connection.last(&connection.documents, &subject).await?;
        let sequence = last.as_ref().map_or(0, |last| last.sequence);
        if last.as_ref().is_some_and(|last| mark(&last.payload).as_ref() == Some(own)) {
            return Ok(Swapped::Done(Revision(sequence)));
        }
        // No sequence comes again, so nothing was taken where it still is the same; but where there is nothing, something
        // may have been.
        if may_have_counted && (sequence != after || after == 0) {
            return Err(connection.place.unavailable(format_args!(
                "the answer to a change of state `{state}` was lost, and others have changed it since"
            )));
        }
        match (last, expected) {
            (Some(last), Some(Revision(expected))) if sequence == expected && !is_removal(&last) => {}
            (Some(last), None) if is_removal(&last) => after = sequence,
            (None, None) => after = 0,
            _ => return Ok(Swapped::Conflict),
        }
    }
    Err(connection
        .place
        .unavailable(format_args!("it refuses to change the document of state `{state}` without a reason")))
}

pub(super) async fn names(
    connection: &Connection,
    after: Option<&StateName>,
    limit: usize,
) -> Result<Vec<StateName>, BackendError> {
    let prefix = format!("$KV.{}.", connection.bucket);
    let last = list(connection, &connection.documents, &format!("{prefix}>")).await?;
    let live = last.iter().filter(|found| found.header(OPERATION).is_none());
    let mut names: Vec<StateName> = live
        .filter_map(|found| from_token(found.subject.strip_prefix(&prefix)?))
        .filter(|name| Some(name) > after)
        .collect();
    names.sort_unstable();
    names.dedup();
    names.truncate(limit);
    Ok(names)
}

/// The id by which the server knows a message that is sent again.
pub(super) fn id(mark: &Mark) -> String {
    format!("{:032x}", u128::from_be_bytes(*mark))
}
