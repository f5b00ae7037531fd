//! The last message of every subject below a prefix, without its content.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::consumer::{AckPolicy, Consumer, DeliverPolicy, pull};
use async_nats::jetstream::stream::Stream;
use futures::StreamExt as _;
use jiff::Timestamp;

use super::connection::Connection;
use super::failure::words;
use crate::backend::BackendError;

/// Messages that are asked for at once.
const BATCH: usize = 500;

/// Who lists and then ends leaves a consumer behind for so long.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(30);

/// A message without its content.
pub(super) struct Found {
    pub(super) subject: String,
    /// When the server took it.
    pub(super) at: Timestamp,
    headers: Option<HeaderMap>,
}

impl Found {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.as_ref()?.get(name).map(AsRef::as_ref)
    }
}

/// Lists the last messages of the subjects that `filter` names, in the order in which they were written.
pub(super) async fn list(
    connection: &Connection,
    stream: &Stream<()>,
    filter: &str,
) -> Result<Vec<Found>, BackendError> {
    fold(connection, stream, filter, |list: &mut Vec<Found>, found| list.push(found)).await
}

/// Brings the same messages together, one after the other: for more than need be kept. Begins anew, from nothing, when
/// one was lost on the way.
pub(super) async fn fold<T: Default>(
    connection: &Connection,
    stream: &Stream<()>,
    filter: &str,
    take: impl Fn(&mut T, Found),
) -> Result<T, BackendError> {
    connection.repeat("CONSUMER.", || fold_once(stream, filter, &take)).await
}

async fn fold_once<T: Default>(stream: &Stream<()>, filter: &str, take: impl Fn(&mut T, Found)) -> Result<T, String> {
    let config = pull::Config {
        deliver_policy: DeliverPolicy::LastPerSubject,
        filter_subject: filter.to_owned(),
        ack_policy: AckPolicy::None,
        headers_only: true,
        inactive_threshold: FORGOTTEN_AFTER,
        memory_storage: true,
        num_replicas: 1,
        ..pull::Config::default()
    };
    let consumer = stream.create_consumer(config).await.map_err(|error| words(&error))?;
    let folded = read_all(&consumer, take).await;
    // It is forgotten by itself, too.
    let _ = stream.delete_consumer(&consumer.cached_info().name).await;
    folded
}

async fn read_all<T: Default>(consumer: &Consumer<pull::Config>, take: impl Fn(&mut T, Found)) -> Result<T, String> {
    let (mut folded, mut count, mut pending) = (T::default(), 0, consumer.cached_info().num_pending);
    while pending > 0 {
        let before = count;
        let mut batch = consumer.fetch().max_messages(BATCH).messages().await.map_err(|error| words(&error))?;
        while let Some(message) = batch.next().await {
            let message = message.map_err(|error| error.to_string())?;
            let info = message.info().map_err(|error| error.to_string())?;
            count += 1;
            if info.consumer_sequence != count {
                return Err("messages were lost on the way".to_owned());
            }
            pending = info.pending;
            let at =
                Timestamp::from_nanosecond(info.published.unix_timestamp_nanos()).map_err(|error| words(&error))?;
            take(&mut folded, Found { subject: message.subject.to_string(), at, headers: message.headers.clone() });
        }
        if count == before {
            // What was pending has been deleted or replaced since, unless it is lost.
            let mut consumer = consumer.clone();
            let info = consumer.info().await.map_err(|error| words(&error))?;
            if info.delivered.consumer_sequence != count {
                return Err("messages were lost on the way".to_owned());
            }
            pending = info.num_pending;
        }
    }
    Ok(folded)
}
