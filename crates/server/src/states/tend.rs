//! What is done about states without anybody asking: the mirror, and what is left over or encrypted with an older key.

use std::sync::Arc;
use std::time::Duration;

use alfred_state::States;
use alfred_state::mirror::News;
use tokio_util::sync::CancellationToken;

/// The mirror is looked at so often.
const MIRROR_INTERVAL: Duration = Duration::from_secs(5);

/// What is left over is looked for after the first of these times, and then each time the second has passed.
const UPKEEP: (Duration, Duration) = (Duration::from_mins(1), Duration::from_hours(6));

/// Tends the states until `stop` is cancelled. Several replicas may do so at once.
pub async fn tend_states(states: Arc<States>, stop: CancellationToken) {
    let (first, interval) = UPKEEP;
    let upkeep = async {
        tokio::time::sleep(first).await;
        loop {
            match states.upkeep().await {
                Ok(done) if done.encrypted + done.swept + done.uploads > 0 => tracing::info!(
                    encrypted = done.encrypted,
                    swept = done.swept,
                    uploads = done.uploads,
                    "versions of states were encrypted anew, left-over contents deleted"
                ),
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "the upkeep of the states failed; it is tried again"),
            }
            tokio::time::sleep(interval).await;
        }
    };
    let mirror = async {
        loop {
            tokio::time::sleep(MIRROR_INTERVAL).await;
            match states.stores().tend().await {
                Ok(news) => news.iter().for_each(tell),
                Err(error) => tracing::warn!(%error, "the mirror of the states could not be looked at"),
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = upkeep => {}
        () = mirror => {}
    }
}

/// What nobody needs to look at is no warning.
fn tell(news: &News) {
    if news.is_good() {
        tracing::info!(%news, "the mirror of the states");
    } else {
        tracing::warn!(%news, "the mirror of the states");
    }
}
