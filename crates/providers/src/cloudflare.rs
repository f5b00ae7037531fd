//! The client of Cloudflare's DNS API, version 4 (<https://developers.cloudflare.com/api/resources/dns/>).
//!
//! It speaks for one token about one zone. It must not know which records are wanted; it only tells ours from others'
//! by the mark they carry ([`Record::mark`]).

mod answer;
mod batch;
mod bucket;
mod filter;
mod pages;
mod record;
mod token;
mod token_source;
mod view;
mod zone;

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use alfred_model::failure::Disposition;
use alfred_model::id::{RecordId, ZoneId};
use bytes::Bytes;
use http::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::budget::{Budget, Permit, Priority};
use crate::call::{BaseUrl, Call, Wire, bearer};
use crate::counts::CallCounts;
use crate::error::{Blame, Effect, ErrorKind, Provider, ProviderError, describe_body};
use crate::secret::ApiToken;
use crate::transport::{LIST_ANSWER_LIMIT, Transport};
use answer::{Envelope, refusal, refuses_the_token};
use pages::Pages;
use token_source::Renewal;

pub use batch::{Batch, BatchResult};
pub use bucket::{BucketName, BucketRules};
pub use filter::RecordFilter;
pub use record::{NewRecord, Record, RecordMeta, RecordPatch, same_name};
pub use token::{MayEdit, TokenDetails, TokenOwner, TokenStatus};
pub use token_source::{KeptToken, NextToken, ReadToken, TokenSource};
pub use view::RecordView;
pub use zone::{FREE_BATCH_LIMIT, PAID_BATCH_LIMIT, Plan, Usage, VisibleZones, Zone};

/// Where the API is.
pub const DEFAULT_BASE: &str = "https://api.cloudflare.com/client/v4";

/// Most records on one page (Cloudflare's OpenAPI document, `dns-records_per_page`). One page is one moment: records
/// that others delete meanwhile cannot push ours between two pages.
pub const PER_PAGE_MAX: u32 = 5_000_000;

/// How long a call is put off that met a token which is being rolled.
const TOKEN_WAIT: Duration = Duration::from_secs(2);

const RECORDS: &str = "GET /zones/{zone}/dns_records";

/// Which account and zone a client speaks about.
#[derive(Debug, Clone)]
pub struct CloudflareOptions {
    /// Where the API is; see [`DEFAULT_BASE`].
    pub base: BaseUrl,
    /// The token; `DNS Write` on the zone is enough for all but finding a zone by its name.
    pub token: TokenSource,
    /// The zone.
    pub zone: ZoneId,
    /// The account, where the token belongs to the account and not to a user.
    pub account: Option<String>,
}

/// The client. Clones share the budget and the counts.
#[derive(Clone)]
pub struct Cloudflare {
    wire: Wire,
    options: Arc<CloudflareOptions>,
    budget: Arc<Budget>,
    reads_as: Priority,
}

impl std::fmt::Debug for Cloudflare {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Cloudflare").field("options", &self.options).finish_non_exhaustive()
    }
}

/// Leave to make one call, taken before the request is built; see [`Cloudflare::turn`]. Dropping it unused gives the
/// call up: it stays counted.
#[derive(Debug)]
#[must_use = "a turn that is not used is a call that nobody makes"]
pub struct Turn {
    permit: Permit,
}

impl Cloudflare {
    /// A client. `budget` must be the one of this token.
    pub fn new(
        transport: Arc<dyn Transport>,
        options: CloudflareOptions,
        budget: Arc<Budget>,
        counts: CallCounts,
    ) -> Self {
        let wire = Wire { provider: Provider::Cloudflare.label(), transport, counts };
        Self { wire, options: Arc::new(options), budget, reads_as: Priority::Read }
    }

    /// The same client, with its reads waiting behind all other calls.
    #[must_use]
    pub fn for_audit(&self) -> Self {
        self.reading_as(Priority::Audit)
    }

    /// The same client, with its reads waiting as calls of this priority do: whoever reads in order to delete is as
    /// urgent as the deletion.
    #[must_use]
    pub fn reading_as(&self, priority: Priority) -> Self {
        Self { reads_as: priority, ..self.clone() }
    }

    /// The same client, about another zone that the token may edit.
    #[must_use]
    pub fn for_zone(&self, zone: ZoneId) -> Self {
        let options = CloudflareOptions { zone, ..(*self.options).clone() };
        Self { options: Arc::new(options), ..self.clone() }
    }

    /// The zone this client speaks about.
    pub fn zone_id(&self) -> &ZoneId {
        &self.options.zone
    }

    /// The token's value in use, shared by all clones of this client.
    pub fn token(&self) -> &TokenSource {
        &self.options.token
    }

    /// The records that pass `filter`, `per_page` at a time, each once. Fails rather than leave one out: a list that
    /// ends before its own total is no list.
    pub async fn records(&self, filter: &RecordFilter, per_page: u32) -> Result<Vec<Record>, ProviderError> {
        let mut records: Vec<Record> = Vec::new();
        let mut known = std::collections::HashSet::new();
        self.pages(filter, per_page, |page: Page<Record>| {
            records.extend(page.items.into_iter().filter(|record| known.insert(record.id.clone())));
        })
        .await?;
        Ok(records)
    }

    /// Shows each record that passes `filter` to `look`, and keeps none: memory does not grow with the list but for
    /// the ids. Otherwise as [`Self::records`]; answers how many there were.
    pub async fn each_record(
        &self,
        filter: &RecordFilter,
        per_page: u32,
        mut look: impl FnMut(&RecordView<'_>),
    ) -> Result<u64, ProviderError> {
        let mut known: HashSet<Box<str>, foldhash::fast::RandomState> = HashSet::default();
        let mut pages = Pages::new(per_page);
        while let Some((page, per_page)) = pages.next() {
            let call = self.list_call(filter, page, per_page);
            let answer = match self.send(&call).await {
                Ok(answer) if answer.status().is_success() => answer,
                Ok(answer) => {
                    pages.refused(self.refused(&call, &answer))?;
                    continue;
                }
                Err(error) => return Err(error),
            };
            let (_, envelope): (u16, Envelope<Vec<RecordView<'_>>>) = self.read(&call, &answer)?;
            let total = envelope.total();
            let items = envelope.result.ok_or_else(|| self.blame(&call).unreadable(200, "it has no list"))?;
            for record in &items {
                if known.insert(record.id.as_ref().into()) {
                    look(record);
                }
            }
            pages.turned(items.len(), total).map_err(|why| self.blame(&call).unreadable(200, &why))?;
        }
        Ok(u64::try_from(known.len()).unwrap_or(u64::MAX))
    }

    async fn pages<T: DeserializeOwned>(
        &self,
        filter: &RecordFilter,
        per_page: u32,
        mut take: impl FnMut(Page<T>),
    ) -> Result<(), ProviderError> {
        let mut pages = Pages::new(per_page);
        while let Some((page, per_page)) = pages.next() {
            let call = self.list_call(filter, page, per_page);
            let page: Page<T> = match self.page(&call).await {
                Ok(page) => page,
                Err(error) => {
                    pages.refused(error)?;
                    continue;
                }
            };
            pages.turned(page.items.len(), page.total).map_err(|why| self.blame(&call).unreadable(200, &why))?;
            take(page);
        }
        Ok(())
    }

    /// One record, or none if there is no such record.
    pub async fn record(&self, id: &RecordId) -> Result<Option<Record>, ProviderError> {
        let call = self.one(Effect::Read, Method::GET, "GET /zones/{zone}/dns_records/{record}", id, "read record");
        match self.result(&call).await {
            Ok(record) => Ok(Some(record)),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Creates a record.
    pub async fn create(&self, record: &NewRecord) -> Result<Record, ProviderError> {
        self.result(&self.create_call(record)).await
    }

    /// Replaces a record; what `record` does not say goes back to its default.
    pub async fn put(&self, id: &RecordId, record: &NewRecord) -> Result<Record, ProviderError> {
        let route = "PUT /zones/{zone}/dns_records/{record}";
        self.result(&self.one(Effect::Write, Method::PUT, route, id, "replace record").json(record)).await
    }

    /// Changes parts of a record; what `patch` does not say stays.
    pub async fn patch(&self, patch: &RecordPatch) -> Result<Record, ProviderError> {
        let route = "PATCH /zones/{zone}/dns_records/{record}";
        let call = self.one(Effect::Write, Method::PATCH, route, &patch.id, "change record");
        self.result(&call.json(&patch.changes())).await
    }

    /// Deletes a record. That it is gone already comes as [`ErrorKind::NotFound`].
    pub async fn delete(&self, id: &RecordId) -> Result<(), ProviderError> {
        let _: Deleted = self.result(&self.delete_call(id)).await?;
        Ok(())
    }

    /// Waits until the budget allows one call. Whoever gathers changes takes the turn first and builds the request
    /// afterwards, so that what arrives during the wait still goes with this call. Dropping the future gives the place
    /// in the queue to the next.
    pub async fn turn(&self, priority: Priority) -> Turn {
        Turn { permit: self.budget.acquire(priority).await }
    }

    /// Makes all changes of `batch` or none. An empty batch is no call.
    pub async fn batch(&self, batch: &Batch) -> Result<BatchResult, ProviderError> {
        if batch.is_empty() {
            return Ok(BatchResult::default());
        }
        let priority = self.priority(&self.batch_call(batch));
        self.batch_in(self.turn(priority).await, batch).await
    }

    /// Makes all changes of `batch` or none, in a turn that was taken before. An empty batch is no call; its turn is
    /// given up.
    pub async fn batch_in(&self, turn: Turn, batch: &Batch) -> Result<BatchResult, ProviderError> {
        if batch.is_empty() {
            return Ok(BatchResult::default());
        }
        let call = self.batch_call(batch);
        let answer = self.send_in(turn, &call).await?;
        let (status, envelope): (u16, Envelope<BatchResult>) = self.read(&call, &answer)?;
        let done = envelope.result.ok_or_else(|| self.blame(&call).unreadable(status, "it has no result"))?;
        match done.missing(batch) {
            None => Ok(done),
            Some(why) => Err(self.blame(&call).unreadable(status, &why)),
        }
    }

    fn list_call(&self, filter: &RecordFilter, page: u32, per_page: u32) -> Call {
        let zone = &self.options.zone;
        Call::new(
            Effect::Read,
            Method::GET,
            RECORDS,
            format!("/zones/{zone}/dns_records"),
            "list records",
            filter.words(),
        )
        .query(filter.query())
        .query([("page", Some(page.to_string())), ("per_page", Some(per_page.to_string()))])
        .answer_limit(LIST_ANSWER_LIMIT)
    }

    fn create_call(&self, record: &NewRecord) -> Call {
        let target = format!("/zones/{}/dns_records", self.options.zone);
        let subject = format!("`{}`", record.name);
        let route = "POST /zones/{zone}/dns_records";
        Call::new(Effect::Write, Method::POST, route, target, "create record", subject).json(record)
    }

    fn delete_call(&self, id: &RecordId) -> Call {
        self.one(Effect::Write, Method::DELETE, "DELETE /zones/{zone}/dns_records/{record}", id, "delete record")
    }

    fn batch_call(&self, batch: &Batch) -> Call {
        let target = format!("/zones/{}/dns_records/batch", self.options.zone);
        let route = "POST /zones/{zone}/dns_records/batch";
        Call::new(Effect::Write, Method::POST, route, target, "change records", batch.words()).json(batch)
    }

    fn one(&self, effect: Effect, method: Method, route: &'static str, id: &RecordId, operation: &'static str) -> Call {
        let target = format!("/zones/{}/dns_records/{id}", self.options.zone);
        Call::new(effect, method, route, target, operation, format!("`{id}`"))
    }

    fn blame<'a>(&'a self, call: &'a Call) -> Blame<'a> {
        Blame { provider: Provider::Cloudflare, call, redactor: Cow::Owned(self.options.token.redactor()) }
    }

    /// Deletes go first, and so does a batch that has any; then other writes; then reads.
    fn priority(&self, call: &Call) -> Priority {
        let deletes_in_batch = || call.route.ends_with("/batch") && call.body.as_deref().is_some_and(batch::deletes);
        match call.effect {
            Effect::Read => self.reads_as,
            Effect::Write | Effect::Order if call.method == Method::DELETE || deletes_in_batch() => Priority::Deletion,
            Effect::Write | Effect::Order => Priority::NewName,
        }
    }

    async fn result<T: DeserializeOwned>(&self, call: &Call) -> Result<T, ProviderError> {
        let (status, envelope): (u16, Envelope<T>) = self.ask(call).await?;
        envelope.result.ok_or_else(|| self.blame(call).unreadable(status, "it has no result"))
    }

    async fn page<T: DeserializeOwned>(&self, call: &Call) -> Result<Page<T>, ProviderError> {
        let (status, envelope): (u16, Envelope<Vec<T>>) = self.ask(call).await?;
        let total = envelope.total();
        let items = envelope.result.ok_or_else(|| self.blame(call).unreadable(status, "it has no list"))?;
        Ok(Page { items, total })
    }

    async fn ask<T: DeserializeOwned>(&self, call: &Call) -> Result<(u16, Envelope<T>), ProviderError> {
        let answer = self.send(call).await?;
        self.read(call, &answer)
    }

    fn read<'a, T: Deserialize<'a>>(
        &self,
        call: &Call,
        answer: &'a http::Response<Bytes>,
    ) -> Result<(u16, Envelope<T>), ProviderError> {
        let status = answer.status().as_u16();
        if !answer.status().is_success() {
            return Err(self.refused(call, answer));
        }
        match serde_json::from_slice::<Envelope<T>>(answer.body()) {
            Ok(envelope) if envelope.success => Ok((status, envelope)),
            Ok(_) => Err(self.refused(call, answer)),
            Err(error) if serde_json::from_slice::<Failed>(answer.body()).is_ok_and(|failed| !failed.success) => {
                tracing::debug!(%error, "a failure has an unexpected result");
                Err(self.refused(call, answer))
            }
            Err(error) => {
                let why = format!("{error}, in {}", describe_body(answer.body()));
                Err(self.blame(call).unreadable(status, &why))
            }
        }
    }

    /// Sends a call, and once more if it was refused because of the token and the token has a newer value. Such a
    /// refusal comes before anything is done, so that a write may be sent again after it.
    async fn send(&self, call: &Call) -> Result<http::Response<Bytes>, ProviderError> {
        self.send_in(self.turn(self.priority(call)).await, call).await
    }

    async fn send_in(&self, turn: Turn, call: &Call) -> Result<http::Response<Bytes>, ProviderError> {
        let used = self.options.token.current();
        let answer = self.send_with(turn, call, &used).await?;
        if !refuses_the_token(&answer) {
            return Ok(answer);
        }
        match self.options.token.after_refusal(&used).await {
            Renewal::Value(newer) => self.send_with(self.turn(self.priority(call)).await, call, &newer).await,
            Renewal::UnderWay => {
                let disposition = Disposition::Wait { after: Some(TOKEN_WAIT) };
                let hint = "the token is being rolled: its new value is waited for";
                Err(self.blame(call).refused(refusal(&answer), ErrorKind::Permission, Some(hint), disposition))
            }
            Renewal::Nothing => Ok(answer),
        }
    }

    async fn send_with(
        &self,
        turn: Turn,
        call: &Call,
        token: &ApiToken,
    ) -> Result<http::Response<Bytes>, ProviderError> {
        let token = bearer(token.expose()).ok_or_else(|| {
            self.blame(call).unbuildable("the token in `CLOUDFLARE_API_TOKEN` cannot stand in a header")
        })?;
        let request = call
            .request(&self.options.base, [(http::header::AUTHORIZATION, token)])
            .map_err(|error| self.blame(call).unbuildable(&error.to_string()))?;
        let answer = self.wire.send(call.route, request).await.map_err(|error| self.blame(call).transport(&error))?;
        turn.permit.answered(&answer);
        Ok(answer)
    }

    fn refused(&self, call: &Call, answer: &http::Response<Bytes>) -> ProviderError {
        let refusal = refusal(answer);
        let verdict = answer::judge(call.effect, &refusal, answer, self.budget.now());
        self.blame(call).refused(refusal, verdict.kind, verdict.hint, verdict.disposition)
    }
}

struct Page<T> {
    items: Vec<T>,
    total: Option<u64>,
}

/// What the answer to a deletion says; its id is ours and not needed again.
#[derive(Deserialize)]
struct Deleted {}

/// An answer of which only the verdict can be read.
#[derive(Deserialize)]
struct Failed {
    success: bool,
}

#[cfg(test)]
mod tests;
