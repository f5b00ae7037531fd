//! Giving the token a new value without losing it on the way.
//!
//! Rolling kills the old value at once, and its answer, with the new value, can be lost. So everything that could keep
//! the new value from being stored is tried before; the new value goes to a second file beside its place the moment it
//! is known, is proved, and is renamed into place. Whatever happens in between, the same command goes on from there: a
//! new value that is kept is proved and put in place, and one that was lost is replaced by another, for which the token
//! that manages tokens is needed. A running service waits, or uses the value in the second file.

mod replacement;

use std::sync::Arc;
use std::time::Duration;

use alfred_model::failure::Disposition;
use alfred_model::seam::Clock;
use alfred_providers::ProviderError;
use alfred_providers::budget::Budget;
use alfred_providers::cloudflare::{Cloudflare, CloudflareOptions, MayEdit, RecordFilter, TokenOwner, TokenStatus};
use alfred_providers::counts::CallCounts;
use alfred_providers::error::ErrorKind;
use alfred_providers::secret::ApiToken;
use alfred_providers::transport::Transport;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::known_values::KnownValues;
use super::token;
use crate::error::Failure;
use crate::printer::Printer;

pub(crate) use replacement::Replacement;

/// How long a new value may take to work, and a rolling to be answered: longer than the five minutes for which
/// Cloudflare blocks those that ask too often.
const PATIENCE: Duration = Duration::from_mins(6);

/// The same before anything was changed.
const PATIENCE_BEFORE: Duration = Duration::from_secs(20);

/// The longest wait between two tries; the first one waits for a second, each other twice as long as the last.
const PAUSE_MAX: Duration = Duration::from_secs(15);

/// A name that no record has: asking for it proves the right to read and costs nothing.
const NOBODYS_NAME: &str = "alfred-token-proof.invalid";

const DASHBOARD: &str = "https://dash.cloudflare.com/profile/api-tokens";

/// Makes clients for one zone that differ by their token.
pub(crate) struct Clients {
    pub(crate) transport: Arc<dyn Transport>,
    /// The options of the configured token's client.
    pub(crate) options: CloudflareOptions,
    /// One for all: tokens of one user share a budget.
    pub(crate) budget: Arc<Budget>,
}

impl Clients {
    fn with(&self, value: ApiToken) -> Cloudflare {
        let options = CloudflareOptions { token: value.into(), ..self.options.clone() };
        Cloudflare::new(Arc::clone(&self.transport), options, Arc::clone(&self.budget), CallCounts::new())
    }
}

/// Who rolls.
#[derive(Debug, Clone)]
pub(crate) enum Manager {
    /// Another token.
    Other(ApiToken),
    /// The token itself, at the risk of losing it.
    Itself,
    /// Nobody: only a rotation that was begun before can be finished.
    Nobody,
}

/// What a look has found to be done.
#[derive(Debug)]
pub(crate) enum Plan {
    /// Roll the token, and store the new value.
    Roll {
        /// The token.
        token: TokenStatus,
        /// Whether the value that is stored now works.
        alive: bool,
    },
    /// It was rolled before, and its new value waits in the second file: prove it and put it in place.
    Finish(TokenStatus, ApiToken),
}

impl Plan {
    /// Which token it is about.
    pub(crate) fn token(&self) -> &TokenStatus {
        match self {
            Self::Roll { token, .. } | Self::Finish(token, _) => token,
        }
    }
}

/// One rotation.
pub(crate) struct Rotation {
    pub(crate) printer: Printer,
    pub(crate) clients: Clients,
    pub(crate) manager: Manager,
    pub(crate) replacement: Replacement,
    pub(crate) known: KnownValues,
    pub(crate) clock: Arc<dyn Clock>,
    /// Cancelled when the user wants to stop. What was rolled is kept before.
    pub(crate) stop: CancellationToken,
}

impl Rotation {
    /// Finds out what is to be done, and that it can be done. Changes nothing.
    pub(crate) async fn look(&mut self) -> Result<Plan, Failure> {
        let value = token(&self.replacement.place().read()?);
        let client = self.clients.with(value.clone());
        let (token, alive) = match patiently(|| client.verify_token()).await {
            Ok(status) if status.status == "active" => {
                self.known.note(&value, &status, self.clock.now())?;
                self.check_edit(&client).await?;
                (status, true)
            }
            Ok(status) => return Err(unusable(&status.id, &status.status)),
            Err(error) if is_dead(&error) => match self.after_its_death(&value).await? {
                plan @ Plan::Finish(..) => return Ok(plan),
                Plan::Roll { token, alive } => (token, alive),
            },
            Err(error) => return Err(before(&error)),
        };
        self.check_manager(&client, &token).await?;
        Ok(Plan::Roll { token, alive })
    }

    /// Carries out what was found.
    pub(crate) async fn carry_out(&mut self, plan: Plan) -> Result<(), Failure> {
        let (target, value) = match plan {
            Plan::Finish(target, value) => (target, value),
            Plan::Roll { token: target, alive } => {
                self.replacement.rehearse()?;
                let value = self.roll(&target, alive).await?;
                self.replacement.keep(value.expose()).map_err(|failure| {
                    let words = format!("the token `{}` has a new value that cannot be kept: {failure}", target.id);
                    Failure::partly(words).hint("mend that, and run `alfred token rotate` again")
                })?;
                (target, value)
            }
        };
        self.prove(&target, &value).await?;
        self.replacement.put(value.expose()).map_err(|failure| self.kept(&format!("{failure}")))?;
        if let Err(failure) = self.known.note(&value, &target, self.clock.now()) {
            self.printer.warning(format_args!("the age of the new value is not kept: {failure}"));
        }
        Ok(())
    }

    /// The configured value is dead: an earlier rotation was interrupted, or somebody else rolled the token.
    async fn after_its_death(&self, value: &ApiToken) -> Result<Plan, Failure> {
        let place = self.replacement.place();
        if let Some(kept) = place.read_beside()?.as_ref().map(token)
            && kept.expose() != value.expose()
        {
            let client = self.clients.with(kept.clone());
            match patiently(|| client.verify_token()).await {
                // What somebody else's token left there is not ours to use.
                Ok(status) if self.known.of(value).is_some_and(|known| known.id != status.id) => {}
                Ok(status) if status.status == "active" => return Ok(Plan::Finish(status, kept)),
                Ok(status) => return Err(unusable(&status.id, &status.status)),
                // It was lost on the way, too.
                Err(error) if is_dead(&error) => {}
                Err(error) => return Err(before(&error)),
            }
        }
        let path = place.path();
        let Some(known) = self.known.of(value) else {
            let words = format!(
                "the value in `{}` is not valid, and which token it belonged to is not known here",
                path.display()
            );
            return Err(Failure::new(words).hint(format!("roll the token at {DASHBOARD} and store its value there")));
        };
        self.printer.note(format_args!("the value in `{}` is not valid any more", path.display()));
        if matches!(self.manager, Manager::Itself) {
            let words = format!("the token `{}` cannot roll itself any more: its value is not valid", known.id);
            return Err(Failure::new(words).hint(format!("roll it at {DASHBOARD}, or set `CLOUDFLARE_TOKEN_MANAGER`")));
        }
        let (id, owner) = (known.id.clone(), known.owner());
        let token = TokenStatus { id, status: "active".to_owned(), expires_on: None, not_before: None, owner };
        Ok(Plan::Roll { token, alive: false })
    }

    /// A value that cannot do its work could not be proved after it was rolled.
    async fn check_edit(&self, client: &Cloudflare) -> Result<(), Failure> {
        match patiently(|| client.may_edit()).await {
            Ok(MayEdit::Yes) => Ok(()),
            Ok(MayEdit::No(words)) => {
                let words = format!("the token may not edit the zone, and a new value would not change that: {words}");
                Err(Failure::new(words))
            }
            Err(error) => Err(before(&error)),
        }
    }

    async fn check_manager(&self, client: &Cloudflare, target: &TokenStatus) -> Result<(), Failure> {
        let (manager, variable) = match &self.manager {
            Manager::Other(value) => (&self.clients.with(value.clone()), "CLOUDFLARE_TOKEN_MANAGER"),
            Manager::Itself => (client, "CLOUDFLARE_API_TOKEN"),
            Manager::Nobody => return Err(self.without_manager(client).await),
        };
        let details = patiently(|| manager.token_details(target.owner, &target.id)).await.map_err(|error| {
            if error.disposition != Disposition::Definite {
                return before(&error);
            }
            let words = format!("the token in `{variable}` may not manage the token `{}`: {}", target.id, error.words);
            let needed = match target.owner {
                TokenOwner::User => "`API Tokens Write`",
                TokenOwner::Account => "`Account API Tokens Write`",
            };
            Failure::new(words).hint(format!("give it {needed} at {DASHBOARD}; nothing was changed"))
        })?;
        match details.status.as_deref() {
            _ if details.id != target.id => {
                Err(Failure::new(format!("Cloudflare answered with another token than `{}`", target.id)))
            }
            None | Some("active") => Ok(()),
            Some(status) => Err(unusable(&target.id, status)),
        }
    }

    async fn without_manager(&self, client: &Cloudflare) -> Failure {
        let mend = format!("make a token with `API Tokens Write` at {DASHBOARD} and set it");
        match client.may_read_tokens().await {
            Ok(true) => Failure::usage(
                "only the token itself could give itself a new value: should the answer be lost, so is the token",
            )
            .hint(format!("{mend} in `CLOUDFLARE_TOKEN_MANAGER`, or take the risk with `--self`")),
            Ok(false) | Err(_) => {
                Failure::usage("`CLOUDFLARE_TOKEN_MANAGER` is not set, and the token may not roll itself").hint(mend)
            }
        }
    }

    /// Rolls until an answer holds a new value. Each rolling makes what came of an earlier one worthless. `alive` says
    /// whether the old value worked at the beginning.
    async fn roll(&self, target: &TokenStatus, alive: bool) -> Result<ApiToken, Failure> {
        let manager = match &self.manager {
            Manager::Other(value) => self.clients.with(value.clone()),
            Manager::Itself | Manager::Nobody => self.clients.with(token(&self.replacement.place().read()?)),
        };
        let mut tries = Tries::new(PATIENCE);
        let mut lost = !alive;
        loop {
            let error = match manager.roll_token(target.owner, &target.id).await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            lost |= error.disposition == Disposition::Unknown;
            if lost
                && matches!(self.manager, Manager::Itself)
                && manager.verify_token().await.is_err_and(|e| is_dead(&e))
            {
                let path = self.replacement.place().path();
                let words = format!("the token `{}` was rolled and its new value is lost: {}", target.id, error.words);
                let mend = format!("roll it at {DASHBOARD}, and store its value in `{}`", path.display());
                return Err(Failure::new(words).hint(mend));
            }
            let refused = error.disposition == Disposition::Definite;
            if refused || self.stop.is_cancelled() || !self.pause(&mut tries, &error.words).await {
                if lost {
                    let words =
                        format!("whether the token `{}` has a new value is not known: {}", target.id, error.words);
                    return Err(Failure::partly(words).hint("run `alfred token rotate` again"));
                }
                self.replacement.abandon();
                return Err(Failure::new(format!("the token has its old value still: {}", error.words)));
            }
        }
    }

    /// Waits until the new value does the token's work.
    async fn prove(&self, target: &TokenStatus, value: &ApiToken) -> Result<(), Failure> {
        let client = self.clients.with(value.clone());
        let mut tries = Tries::new(PATIENCE);
        loop {
            let words = match proof(&client, target).await {
                Ok(()) => return Ok(()),
                Err(words) => words,
            };
            if self.stop.is_cancelled() || !self.pause(&mut tries, &words).await {
                return Err(self.kept(&format!("the new value is not proved: {words}")));
            }
        }
    }

    /// The new value is known and is not in its place.
    fn kept(&self, words: &str) -> Failure {
        let place = self.replacement.place();
        let words =
            format!("{words}; it is kept in `{}`, and the old one is not valid any more", place.beside().display());
        Failure::partly(words).hint("run `alfred token rotate` again, which goes on from there")
    }

    /// Waits before the next try; says no, if there is none.
    async fn pause(&self, tries: &mut Tries, why: &str) -> bool {
        let Some(pause) = tries.next() else { return false };
        self.printer.note(format_args!("trying again in {} s: {why}", pause.as_secs()));
        tokio::select! {
            biased;
            () = self.stop.cancelled() => false,
            () = tokio::time::sleep(pause) => true,
        }
    }
}

/// Verified as the right token, may edit the zone, reads its records. Right after it was rolled some of Cloudflare's
/// places may not know the new value yet, so that a refusal is not believed either.
async fn proof(client: &Cloudflare, target: &TokenStatus) -> Result<(), String> {
    let words = |error: ProviderError| error.words;
    let status = client.verify_token().await.map_err(words)?;
    if (status.id.as_str(), status.status.as_str()) != (target.id.as_str(), "active") {
        return Err(format!("it belongs to the token `{}`, which is {}", status.id, status.status));
    }
    if let MayEdit::No(words) = client.may_edit().await.map_err(words)? {
        return Err(words);
    }
    client.records(&RecordFilter::name(NOBODYS_NAME), 5).await.map_err(words)?;
    Ok(())
}

/// Asks what changes nothing, and again for a short while if that has to wait.
async fn patiently<T>(mut ask: impl AsyncFnMut() -> Result<T, ProviderError>) -> Result<T, ProviderError> {
    let mut tries = Tries::new(PATIENCE_BEFORE);
    loop {
        match ask().await {
            Err(error) if error.disposition != Disposition::Definite => match tries.next() {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(error),
            },
            answer => return answer,
        }
    }
}

/// The waits between tries that end in time.
struct Tries {
    end: Instant,
    pause: Duration,
}

impl Tries {
    fn new(patience: Duration) -> Self {
        Self { end: Instant::now() + patience, pause: Duration::from_secs(1) }
    }

    fn next(&mut self) -> Option<Duration> {
        let pause = self.pause;
        self.pause = (pause * 2).min(PAUSE_MAX);
        (Instant::now() + pause <= self.end).then_some(pause)
    }
}

fn is_dead(error: &ProviderError) -> bool {
    error.kind == ErrorKind::Permission && error.disposition == Disposition::Definite
}

fn unusable(id: &str, status: &str) -> Failure {
    Failure::new(format!("the token `{id}` is {status}, and a new value would not change that"))
        .hint(format!("make a new one at {DASHBOARD}"))
}

fn before(error: &ProviderError) -> Failure {
    Failure::new(format!("nothing was changed: {}", error.words))
}

#[cfg(test)]
mod tests;
