//! The zone that is worked on: its client, its name, whose records are ours in it, and reads that are tried again.

use std::sync::Arc;
use std::time::Duration;

use alfred_engine::{Ours, RecordWriter};
use alfred_model::dns::plan::{Glance, SeenRecord};
use alfred_model::failure::Disposition;
use alfred_model::id::RecordId;
use alfred_model::name::DomainName;
use alfred_model::record::{Mark, OwnerName};
use alfred_providers::ProviderError;
use alfred_providers::budget::Budget;
use alfred_providers::cloudflare::{Cloudflare, Plan, Record, RecordMeta, RecordView};
use alfred_providers::counts::CallCounts;
use tokio::time::Instant;

use super::super::Context;
use super::super::up::providers::{api_share, cloudflare_options, transport, zones};
use crate::config::{Config, Key};
use crate::error::Failure;
use crate::system::SystemClock;

/// How long commands that a person waits for try again what can be tried again.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);

/// Longest pause between two tries of the same.
pub(super) const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Records on one page of a list of the zone. It bounds memory: an answer of so many takes about 10 MB. More would save
/// calls only in zones beyond it, and most zones are read in one.
pub(super) const PER_PAGE: u32 = 20_000;

/// A zone and the way to it.
pub(super) struct Zone {
    pub(super) cloudflare: Arc<Cloudflare>,
    pub(super) budget: Arc<Budget>,
    pub(super) counts: CallCounts,
    pub(super) name: DomainName,
    /// Its plan, where the zone was read.
    pub(super) plan: Option<Plan>,
    pub(super) owner: OwnerName,
}

impl Zone {
    /// The configured zone. It is read only if its name is not configured.
    pub(super) async fn open(context: &Context, owner: Option<&OwnerName>) -> Result<Self, Failure> {
        let config = &context.config;
        check_needed(config)?;
        let owner = owner_name(config, owner)?;
        let name = configured_name(config)?;
        let options = cloudflare_options(config)?;
        let (counts, budget) = (CallCounts::new(), Budget::new(Arc::new(SystemClock), api_share(config)?));
        let cloudflare = Arc::new(Cloudflare::new(transport()?, options, Arc::clone(&budget), counts.clone()));
        let (name, plan) = if let Some(name) = name {
            (name, None)
        } else {
            let (name, plan) = read_zone(context, &cloudflare).await?;
            (name, Some(plan))
        };
        Ok(Self { cloudflare, budget, counts, name, plan, owner })
    }

    /// Reads the zone's plan, if it is not known yet. A token that may not read the zone leaves it unknown.
    pub(super) async fn learn_plan(&mut self) {
        if self.plan.is_none() {
            match self.cloudflare.zone(self.cloudflare.zone_id()).await {
                Ok(zone) => self.plan = Some(zone.plan),
                Err(error) => tracing::debug!(%error, "the zone's plan could not be read"),
            }
        }
    }

    /// The owner's mark.
    pub(super) fn mark(&self) -> Mark {
        Mark::Owner(self.owner.clone())
    }

    /// The one writer of this zone's records.
    pub(super) fn writer(&self) -> RecordWriter {
        let ours = Ours::Owner(self.owner.clone());
        RecordWriter::new(Arc::clone(&self.cloudflare), &ours, self.plan.as_ref(), Arc::new(SystemClock))
    }

    /// Whether a name, as Cloudflare writes it, can be one of this zone's.
    pub(super) fn holds(&self, name: &str) -> bool {
        let (name, zone) = (name.strip_suffix('.').unwrap_or(name).as_bytes(), self.name.as_str().as_bytes());
        let Some(begins) = name.len().checked_sub(zone.len()) else { return false };
        name[begins..].eq_ignore_ascii_case(zone) && (begins == 0 || name[begins - 1] == b'.')
    }

    /// A name as it reads within the zone.
    pub(super) fn short<'a>(&self, name: &'a str) -> &'a str {
        let name = name.strip_suffix('.').unwrap_or(name);
        match name.strip_suffix(self.name.as_str()) {
            Some("") => "@",
            Some(label) => label.strip_suffix('.').unwrap_or(name),
            None => name,
        }
    }
}

/// The configuration with one zone: the one that was asked for, or the only one.
pub(super) fn narrowed(config: &Config, wanted: Option<&DomainName>) -> Result<Config, Failure> {
    let several = |key: Key| config.text(key).is_some_and(|text| text.contains(','));
    let is_several = several(Key::Domain) || several(Key::CloudflareZoneId);
    if !is_several && (wanted.is_none() || config.text(Key::Domain).is_none()) {
        return Ok(config.clone());
    }
    let zones = zones(config)?;
    let names = || zones.iter().map(|zone| format!("`{}`", zone.name)).collect::<Vec<_>>().join(", ");
    let Some(wanted) = wanted else {
        let failure = Failure::usage(format!("several zones are configured: {}", names()));
        return Err(failure.hint("say which one with `--zone`"));
    };
    let zone = zones.iter().find(|zone| zone.name == *wanted).ok_or_else(|| {
        Failure::usage(format!("the zone `{wanted}` is not configured; these are: {}", names()))
            .hint("name it in `ALFRED_DOMAIN`, and its id in `CLOUDFLARE_ZONE_ID`")
    })?;
    let one = config.with(Key::Domain, zone.name.as_str());
    Ok(one.with(Key::CloudflareZoneId, zone.id.as_str()))
}

/// What of the configuration a zone's name is; nothing, if it is not configured.
pub(super) fn configured_name(config: &Config) -> Result<Option<DomainName>, Failure> {
    config.parse(Key::Domain, "a zone's name, such as `example.com`")
}

fn owner_name(config: &Config, flag: Option<&OwnerName>) -> Result<OwnerName, Failure> {
    if let Some(owner) = flag {
        return Ok(owner.clone());
    }
    let expected = "an owner's name, such as `dns`: a-z, 0-9 and `-`";
    config.parse(Key::DnsOwner, expected)?.ok_or_else(|| config.wrong(Key::DnsOwner, expected))
}

fn check_needed(config: &Config) -> Result<(), Failure> {
    let mut missing = Vec::new();
    if config.secret(Key::CloudflareApiToken).is_none() {
        missing.push("`CLOUDFLARE_API_TOKEN`");
    }
    if config.text(Key::CloudflareZoneId).is_none() {
        missing.push("`CLOUDFLARE_ZONE_ID`");
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure::usage(format!("not configured: {}", missing.join(", ")))
        .hint("set them in the environment or in `.env.server`; `alfred cloud` starts a zone to try things on"))
}

async fn read_zone(context: &Context, cloudflare: &Cloudflare) -> Result<(DomainName, Plan), Failure> {
    let mut patience = Patience::new(context, PATIENCE);
    let zone = loop {
        match cloudflare.zone(cloudflare.zone_id()).await {
            Ok(zone) => break zone,
            Err(error) => {
                let told = told(&error);
                patience.wait(error).await.map_err(|_| told.hint("or set `ALFRED_DOMAIN` to the zone's name"))?;
            }
        }
    };
    let name = zone
        .name
        .parse()
        .map_err(|_| Failure::new(format!("the zone is called `{}`, which is no DNS name", zone.name)))?;
    Ok((name, zone.plan))
}

/// Tries again what may pass, until its time is over.
pub(super) struct Patience<'a> {
    context: &'a Context,
    until: Instant,
    pause: Duration,
}

impl<'a> Patience<'a> {
    pub(super) fn new(context: &'a Context, length: Duration) -> Self {
        Self { context, until: Instant::now() + length, pause: Duration::from_secs(1) }
    }

    /// Waits before the next try, or answers why there is none.
    pub(super) async fn wait(&mut self, error: ProviderError) -> Result<(), Failure> {
        let Disposition::Wait { after } = error.disposition else { return Err(told(&error)) };
        let pause = after.unwrap_or(self.pause).max(Duration::from_millis(100));
        if Instant::now() + pause > self.until {
            return Err(told(&error));
        }
        self.context.printer.note(format_args!("{error}; trying again in {} s", pause.as_secs_f64().ceil()));
        tokio::time::sleep(pause).await;
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        Ok(())
    }
}

/// A client's error as the end of a command.
pub(super) fn told(error: &ProviderError) -> Failure {
    Failure::new(error.words.clone())
}

/// What the planner looks at of a record.
pub(super) fn glance<'a>(record: &'a RecordView<'_>) -> Glance<'a> {
    Glance {
        id: &record.id,
        name: &record.name,
        kind: &record.kind,
        content: record.content(),
        ttl: record.ttl,
        proxied: record.proxied,
        comment: record.comment(),
    }
}

/// What the planner keeps of a record.
pub(super) fn seen(record: Record) -> SeenRecord {
    let Record { id, name, kind, content, ttl, proxied, comment, tags, meta, .. } = record;
    SeenRecord { id, name, kind, content, ttl, proxied, comment, tags, read_only: meta.read_only }
}

/// What the writer decides by.
pub(super) fn record(seen: &SeenRecord) -> Record {
    let SeenRecord { id, name, kind, content, ttl, proxied, comment, tags, read_only } = seen.clone();
    let id: RecordId = id;
    Record {
        id,
        name,
        kind,
        content,
        ttl,
        proxied,
        comment,
        tags,
        created_on: None,
        modified_on: None,
        meta: RecordMeta { read_only },
    }
}
