//! The local cloud in a process of its own: `fill MARKS WORKLOAD` puts there what a workload begins with, `end MARKS
//! WORKLOAD` answers what came of it. It ends when its input does.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;

use alfred_local_cloud::cloudflare::{DEMO_ZONE, DEMO_ZONE_ID, Plan, RateOptions, Record, RecordKind, ZoneOptions};
use alfred_local_cloud::{Listen, LocalCloud, Options};
use alfred_model::name::DomainName;
use alfred_model::record::{Mark, RECORD_TTL_SECONDS};
use alfred_model::seam::{Clock, Random};
use jiff::Timestamp;
use rand::Rng as _;
use uuid::Uuid;

use crate::Failure;
use crate::workload::Workload;

/// Whose records they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Marks {
    /// Their comments say that they are those of the owner `dns`, alfred's default.
    Owner,
    /// They have no comments.
    None,
}

impl Marks {
    const ALL: [(Self, &'static str); 2] = [(Self::Owner, "owner"), (Self::None, "none")];

    fn comment(self, name: &str) -> Result<Option<String>, Failure> {
        if self == Self::None {
            return Ok(None);
        }
        let name: DomainName = name.parse()?;
        Ok(Some(Mark::Owner("dns".parse()?).comment(&name)))
    }
}

/// What a run did.
#[derive(Debug, Clone, Copy)]
pub(crate) struct End {
    /// API calls.
    pub(crate) calls: u64,
    /// Those that are no reads.
    pub(crate) writes: u64,
    /// Records that are not as wanted, missing or too many.
    pub(crate) wrong: u64,
}

/// The cloud, as the bench sees it.
pub(crate) struct CloudProcess {
    /// Where its Cloudflare API is.
    pub(crate) base: String,
    child: Child,
    answers: BufReader<ChildStdout>,
}

impl Drop for CloudProcess {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // It ends by itself; if it is gone already there is nothing to wait for.
        let _ = self.child.wait();
    }
}

impl CloudProcess {
    pub(crate) fn start() -> Result<Self, Failure> {
        let mut child =
            Command::new(std::env::current_exe()?).arg("cloud").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let answers = BufReader::new(child.stdout.take().ok_or("the cloud has no output")?);
        let mut cloud = Self { base: String::new(), child, answers };
        cloud.base = cloud.answer()?;
        Ok(cloud)
    }

    /// Makes the zone hold what `workload` begins with, and forgets the calls so far.
    pub(crate) fn fill(&mut self, marks: Marks, workload: Workload) -> Result<(), Failure> {
        let answer = self.ask("fill", marks, workload)?;
        if answer == "filled" { Ok(()) } else { Err(format!("the cloud says `{answer}`").into()) }
    }

    /// What was done since then.
    pub(crate) fn end(&mut self, marks: Marks, workload: Workload) -> Result<End, Failure> {
        let answer = self.ask("end", marks, workload)?;
        let numbers: Vec<u64> = answer.split(' ').map(str::parse).collect::<Result<_, _>>()?;
        let [calls, writes, wrong] = numbers[..] else { return Err(format!("the cloud says `{answer}`").into()) };
        Ok(End { calls, writes, wrong })
    }

    fn ask(&mut self, what: &str, marks: Marks, workload: Workload) -> Result<String, Failure> {
        let word = Marks::ALL.iter().find(|(other, _)| *other == marks).map_or("", |(_, word)| word);
        let input = self.child.stdin.as_mut().ok_or("the cloud has no input")?;
        writeln!(input, "{what} {word} {}", workload.words())?;
        self.answer()
    }

    fn answer(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let line = line.trim();
        if line.is_empty() { Err("the local cloud ended".into()) } else { Ok(line.to_owned()) }
    }
}

struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "a bench runs in real time")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

struct SystemRandom;

impl Random for SystemRandom {
    #[expect(clippy::disallowed_methods, reason = "a bench needs no seed")]
    fn fill(&self, bytes: &mut [u8]) {
        rand::rng().fill_bytes(bytes);
    }
}

/// The process of the cloud.
pub(crate) fn serve() -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut options = Options::default();
    let zone = ZoneOptions::new(DEMO_ZONE_ID, DEMO_ZONE, Plan::Free);
    options.cloudflare.zones = vec![ZoneOptions { record_quota: Some(1_000_000), ..zone }];
    // Several runs of octoDNS within five minutes are more than Cloudflare would answer.
    options.cloudflare.rate = RateOptions { quota: 1_000_000, ..RateOptions::default() };
    let cloud = LocalCloud::new(options, Arc::new(SystemClock), Arc::new(SystemRandom));
    let running = runtime.block_on(cloud.serve(Listen::default()))?;
    println!("http://{}/client/v4", running.http_address);
    for line in std::io::stdin().lines() {
        println!("{}", carry_out(&cloud, &line?)?);
    }
    runtime.block_on(running.stop());
    Ok(())
}

fn carry_out(cloud: &LocalCloud, line: &str) -> Result<String, Failure> {
    let (what, rest) = line.split_once(' ').ok_or("a line of one word")?;
    let (word, workload) = rest.split_once(' ').ok_or("a line of two words")?;
    let (marks, _) = Marks::ALL.into_iter().find(|(_, other)| *other == word).ok_or("unknown marks")?;
    let workload: Workload = workload.parse()?;
    if what == "fill" {
        fill(cloud, marks, workload)?;
        return Ok("filled".to_owned());
    }
    let end = end(cloud, marks, workload)?;
    Ok(format!("{} {} {}", end.calls, end.writes, end.wrong))
}

fn fill(cloud: &LocalCloud, marks: Marks, workload: Workload) -> Result<(), Failure> {
    let now = SystemClock.now();
    let records = (1..).zip(workload.before()).map(|(sequence, (label, address))| {
        let name = format!("{label}.{DEMO_ZONE}");
        let record = Record {
            id: Uuid::new_v5(&Uuid::NAMESPACE_DNS, name.as_bytes()).simple().to_string(),
            kind: RecordKind::A,
            content: address.to_string(),
            priority: None,
            data: None,
            ttl: RECORD_TTL_SECONDS,
            proxied: false,
            settings: serde_json::Map::new(),
            comment: marks.comment(&name)?,
            tags: Vec::new(),
            created_on: now,
            modified_on: now,
            comment_modified_on: None,
            tags_modified_on: None,
            sequence,
            name,
        };
        Ok(Arc::new(record))
    });
    let mut state = cloud.cloudflare().state();
    state.zones.first_mut().ok_or("the cloud has no zone")?.records = records.collect::<Result<_, Failure>>()?;
    cloud.cloudflare().restore(state);
    cloud.journal().clear();
    Ok(())
}

fn end(cloud: &LocalCloud, marks: Marks, workload: Workload) -> Result<End, Failure> {
    let calls = cloud.journal().count_by_route().values().sum();
    let writes = cloud.journal().entries().iter().filter(|entry| entry.method != "GET").count();
    let mut wanted: HashMap<String, String> =
        workload.after().map(|(label, address)| (format!("{label}.{DEMO_ZONE}"), address.to_string())).collect();
    let mut wrong = 0;
    for record in cloud.cloudflare().state().zones.iter().flat_map(|zone| &zone.records) {
        let is_wanted = wanted.remove(&record.name).is_some_and(|content| content == record.content);
        let is_marked = record.comment == marks.comment(&record.name)?;
        wrong += usize::from(!(is_wanted && is_marked && record.ttl == RECORD_TTL_SECONDS));
    }
    Ok(End { calls, writes: u64::try_from(writes)?, wrong: u64::try_from(wrong + wanted.len())? })
}
