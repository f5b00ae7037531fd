//! The two streams of a bucket: made where they are missing, and kept by as many servers as are asked for.

use async_nats::jetstream::Context;
use async_nats::jetstream::context::CreateStreamError;
use async_nats::jetstream::stream::{Config, DiscardPolicy, Info, StorageType, Stream};

use super::NatsOptions;
use super::connection::{ATTEMPTS, PAUSE};
use super::denials::Denials;
use super::failure::{stream_error, words};
use crate::backend::BackendError;
use crate::backend::place::Place;

/// The stream of the bucket's documents.
pub(super) async fn documents(
    place: &Place,
    context: &Context,
    denials: &Denials,
    bucket: &str,
    options: &NatsOptions,
) -> Result<Stream<()>, BackendError> {
    let own = Config {
        // A document is its last value.
        max_messages_per_subject: 1,
        allow_rollup: true,
        ..config(options, format!("KV_{bucket}"), format!("$KV.{bucket}.>"))
    };
    stream(place, context, denials, own, options).await
}

/// The stream of the contents of versions.
pub(super) async fn contents(
    place: &Place,
    context: &Context,
    denials: &Denials,
    bucket: &str,
    options: &NatsOptions,
) -> Result<Stream<()>, BackendError> {
    let name = format!("{bucket}-contents");
    let subjects = format!("{name}.>");
    stream(place, context, denials, config(options, name, subjects), options).await
}

fn config(options: &NatsOptions, name: String, subjects: String) -> Config {
    Config {
        name,
        subjects: vec![subjects],
        max_messages_per_subject: -1,
        max_bytes: options.max_bytes.unwrap_or(-1),
        // Without room, a write is refused, and nothing old is thrown away for it.
        discard: DiscardPolicy::New,
        storage: StorageType::File,
        num_replicas: options.replicas.unwrap_or(1),
        allow_direct: true,
        ..Config::default()
    }
}

/// The stream of this name, made if there is none, on more servers than it was if more are asked for.
async fn stream(
    place: &Place,
    context: &Context,
    denials: &Denials,
    config: Config,
    options: &NatsOptions,
) -> Result<Stream<()>, BackendError> {
    let name = config.name.clone();
    let find = || async { Ok(context.get_or_create_stream(config.clone()).await?.cached_info().clone()) };
    let info: Info = repeat(place, denials, &name, find).await?;
    // Fewer are never made of more: whoever asks for fewer may not know what others asked for.
    if options.replicas.is_some_and(|asked| asked > info.config.num_replicas) {
        let more = Config { num_replicas: config.num_replicas, ..info.config };
        repeat(place, denials, &name, || context.update_stream(&more)).await?;
        tracing::info!(stream = name, replicas = config.num_replicas, "more servers keep it from now on");
    }
    context.get_stream_no_info(&name).await.map_err(|error| place.unavailable(words(&error)))
}

/// Asks until there is an answer, as long as it may be that servers are about to agree on who leads, or to come back.
async fn repeat<T, F>(place: &Place, denials: &Denials, name: &str, ask: impl Fn() -> F) -> Result<T, BackendError>
where
    F: Future<Output = Result<T, CreateStreamError>>,
{
    let mut attempt = 1;
    loop {
        let asked = denials.unless_denied("$JS.API.STREAM.", ask()).await;
        let error = match asked.map_err(|advice| place.refused(advice))? {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let (error, may_pass) = stream_error(place, name, &error);
        if attempt == ATTEMPTS || !may_pass {
            return Err(error);
        }
        attempt += 1;
        tokio::time::sleep(PAUSE).await;
    }
}
