//! What a running `alfred up` does for its token: it follows the file that the token is in, looks at the token each day,
//! and tells metrics and log when it ends or has become old.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use alfred_model::seam::Clock as _;
use alfred_providers::cloudflare::{Cloudflare, TokenStatus};
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::findings::{self, Finding, Level};
use super::known_values::{KnownValues, fingerprint};
use crate::error::Failure;
use crate::system::SystemClock;

/// How often the token's file is read; a refusal makes the client read it at once.
const READ_EVERY: Duration = Duration::from_mins(1);

/// How often Cloudflare is asked about the token.
const ASK_EVERY: SignedDuration = SignedDuration::from_hours(24);

/// How soon it is asked again when it could not answer.
const ASK_AGAIN: SignedDuration = SignedDuration::from_mins(10);

/// Watches one token.
pub(crate) struct Watch {
    cloudflare: Arc<Cloudflare>,
    data_dir: PathBuf,
    fingerprint: String,
    /// What Cloudflare said of it, if it did.
    status: Option<TokenStatus>,
    first_seen: Option<Timestamp>,
    ask_at: Timestamp,
}

impl Watch {
    /// Goes on from what was found out at the start; `status` is nothing where Cloudflare could not be asked.
    pub(crate) fn new(cloudflare: &Arc<Cloudflare>, data_dir: PathBuf, status: Option<TokenStatus>) -> Self {
        let now = SystemClock.now();
        let value = cloudflare.token().current();
        let first_seen = KnownValues::load(&data_dir).ok().and_then(|known| Some(known.of(&value)?.first_seen));
        let wait = if status.is_some() { ASK_EVERY } else { ASK_AGAIN };
        Self {
            cloudflare: Arc::new(cloudflare.for_audit()),
            data_dir,
            fingerprint: fingerprint(&value),
            status,
            first_seen,
            ask_at: now.saturating_add(wait).unwrap_or(Timestamp::MAX),
        }
    }

    /// Watches until it is told to stop.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        loop {
            self.measure(SystemClock.now());
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep(READ_EVERY) => {}
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = self.look() => {}
            }
        }
    }

    async fn look(&mut self) {
        self.cloudflare.token().refresh().await;
        let now = SystemClock.now();
        if fingerprint(&self.cloudflare.token().current()) == self.fingerprint && now < self.ask_at {
            return;
        }
        let asked = self.cloudflare.verify_token().await;
        let mut said = vec![findings::status(&asked)];
        let wait = if asked.is_ok() { ASK_EVERY } else { ASK_AGAIN };
        self.ask_at = now.saturating_add(wait).unwrap_or(Timestamp::MAX);
        self.fingerprint = fingerprint(&self.cloudflare.token().current());
        if let Ok(status) = asked {
            self.first_seen = remember(&self.data_dir, &self.cloudflare, &status, now);
            said.push(findings::end(status.expires_on, now));
            said.push(findings::age(self.first_seen, now));
            self.status = Some(status);
        }
        said.iter().for_each(log);
    }

    #[expect(clippy::cast_precision_loss, reason = "seconds of a lifetime are far from 2^53")]
    fn measure(&self, now: Timestamp) {
        let seconds = |span: SignedDuration| span.as_secs() as f64;
        if let Some(status) = &self.status {
            let left = status.expires_on.map_or(f64::INFINITY, |end| seconds(end.duration_since(now)));
            metrics::gauge!("alfred_cloudflare_token_expires_seconds").set(left);
        }
        if let Some(first_seen) = self.first_seen {
            metrics::gauge!("alfred_cloudflare_token_age_seconds").set(seconds(now.duration_since(first_seen)));
        }
    }
}

/// Remembers the value in use, and tells since when it is known; nothing and a warning, if that cannot be kept.
fn remember(data_dir: &Path, cloudflare: &Cloudflare, status: &TokenStatus, now: Timestamp) -> Option<Timestamp> {
    let value = cloudflare.token().current();
    let noted = KnownValues::load(data_dir).and_then(|mut known| known.note(&value, status, now));
    noted.inspect_err(|failure: &Failure| tracing::warn!("the age of the Cloudflare token is not kept: {failure}")).ok()
}

fn log(finding: &Finding) {
    match finding.level {
        Level::Ok => tracing::debug!("{}", finding.line()),
        Level::Warning | Level::Unknown => tracing::warn!("{}", finding.line()),
        Level::Problem => tracing::error!("{}", finding.line()),
    }
}
