//! The last message of every subject below a prefix, without what it holds.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::stream::Stream;
use futures::StreamExt as _;

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
    connection.repeat(|| list_once(stream, filter)).await
}

async fn list_once(stream: &Stream<()>, filter: &str) -> Result<Vec<Found>, String> {
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
    let found = read_all(&consumer).await;
    // It is forgotten by itself, too.
    let _ = stream.delete_consumer(&consumer.cached_info().name).await;
    found
}

async fn read_all(consumer: &async_nats::jetstream::consumer::Consumer<pull::Config>) -> Result<Vec<Found>, String> {
    let (mut found, mut pending) = (Vec::new(), consumer.cached_info().num_pending);
    while pending > 0 {
        let before = found.len();
        let mut batch = consumer.fetch().max_messages(BATCH).messages().await.map_err(|error| words(&error))?;
        while let Some(message) = batch.next().await {
            let message = message.map_err(|error| error.to_string())?;
            let info = message.info().map_err(|error| error.to_string())?;
            if info.consumer_sequence != found.len() as u64 + 1 {
                return Err("messages were lost on the way".to_owned());
            }
            pending = info.pending;
            found.push(Found { subject: message.subject.to_string(), headers: message.headers.clone() });
        }
        if found.len() == before {
            // What was pending has been deleted or replaced since, unless it is lost.
            let mut consumer = consumer.clone();
            let info = consumer.info().await.map_err(|error| words(&error))?;
            if info.delivered.consumer_sequence != found.len() as u64 {
                return Err("messages were lost on the way".to_owned());
            }
            pending = info.num_pending;
        }
    }
    Ok(found)
}
