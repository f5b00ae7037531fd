//! Uploads that were broken off: pieces that no message makes visible.
//!
//! A writer that was stopped for a day and goes on must not end with a version whose pieces are gone. So whoever deletes
//! pieces leaves a mark beside them and only then looks whether they are visible; a writer makes them visible and only then
//! looks whether they are all there and nothing else is. All of this is in one stream, which has one order: at least one of
//! the two sees the other.

use std::collections::{HashMap, HashSet};

use async_nats::jetstream::message::PublishMessage;
use futures::TryStreamExt as _;
use jiff::Timestamp;

use super::connection::Connection;
use super::documents::id;
use super::failure::words;
use super::listing::fold;
use super::pieces::{UPLOAD, purge};
use crate::backend::BackendError;
use crate::backend::frame::Mark;

/// Stands where a piece has its number.
const FORGOTTEN: &str = "forgotten";

/// When the newest piece of each upload was written, by subject without the piece's number.
type Newest = HashMap<String, Timestamp>;

/// Deletes the pieces of uploads that are not visible and whose newest piece was written before `before`. Says how many
/// uploads those were.
pub(super) async fn forget(
    connection: &Connection,
    before: Timestamp,
    draw: impl Fn() -> Mark,
) -> Result<usize, BackendError> {
    let contents = format!("{}-contents", connection.bucket);
    let pieces = format!("{contents}.piece.");
    // The pieces are listed first: what becomes visible meanwhile is then known to be.
    let newest: Newest = fold(connection, &connection.contents, &format!("{pieces}>"), |newest: &mut Newest, found| {
        if let Some((upload, _)) = found.subject.rsplit_once('.') {
            let at = newest.entry(upload.to_owned()).or_insert(found.at);
            *at = found.at.max(*at);
        }
    })
    .await?;
    if newest.is_empty() {
        return Ok(0);
    }
    let visible: HashSet<String> =
        fold(connection, &connection.contents, &format!("{contents}.whole.>"), |visible: &mut HashSet<_>, found| {
            visible.extend(found.header(UPLOAD).map(str::to_owned));
        })
        .await?;
    let mut forgotten = 0;
    for (subject, _) in newest.into_iter().filter(|(_, at)| *at < before) {
        let parts = subject.strip_prefix(&pieces).and_then(|rest| rest.rsplit_once('.'));
        let Some((content, upload)) = parts.filter(|(_, upload)| !visible.contains(*upload)) else { continue };
        let whole = format!("{contents}.whole.{content}");
        forgotten += usize::from(forget_one(connection, &subject, &whole, upload, &draw()).await?);
    }
    Ok(forgotten)
}

/// Deletes the pieces below `subject` unless they are visible. Answers whether it did.
async fn forget_one(
    connection: &Connection,
    subject: &str,
    whole: &str,
    upload: &str,
    mark: &Mark,
) -> Result<bool, BackendError> {
    let forgotten = format!("{subject}.{FORGOTTEN}");
    // One that is there already is as good.
    connection.publish(&forgotten, &id(mark), || PublishMessage::build().expected_last_subject_sequence(0)).await?;
    let found = connection.last(&connection.contents, whole).await?;
    let is_visible = found.is_some_and(|found| found.headers.get(UPLOAD).is_some_and(|value| value.as_str() == upload));
    purge(connection, &if is_visible { forgotten } else { format!("{subject}.>") }).await?;
    Ok(!is_visible)
}

/// Whether below `subject` there are so many pieces, and nobody is about to delete them.
pub(super) async fn is_intact(connection: &Connection, subject: &str, count: usize) -> Result<bool, BackendError> {
    let filter = format!("{subject}.*");
    let ask = || async {
        let subjects = connection.contents.info_with_subjects(&filter).await.map_err(|error| words(&error))?;
        subjects.try_collect::<Vec<_>>().await.map_err(|error| words(&error))
    };
    Ok(connection.repeat("STREAM.INFO", ask).await?.len() == count)
}
