//! The chapters of the demo, each with what it shows.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use jiff::Timestamp;
use owo_colors::OwoColorize as _;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::proof;
use super::stage::Stage;
use crate::api::{CreateEnvironments, Environment, Environments, Event, Events, Vm, Vms};
use crate::commands::env::follow::{self, Goal};
use crate::commands::env::list;
use crate::error::Failure;
use crate::printer::Printer;
use crate::stop::Interrupt;
use crate::table;

pub(super) struct Story<'a> {
    printer: Printer,
    stage: &'a Stage,
    began: Instant,
    chapter: Instant,
    environments: Vec<Environment>,
    deleted: Vec<Environment>,
    steps: Vec<Value>,
    proofs: Vec<Value>,
    seconds: BTreeMap<&'static str, f64>,
    findings: Vec<usize>,
    vms: Vec<Vm>,
}

impl<'a> Story<'a> {
    pub(super) fn new(printer: Printer, stage: &'a Stage) -> Self {
        let now = Instant::now();
        Self {
            printer,
            stage,
            began: now,
            chapter: now,
            environments: Vec::new(),
            deleted: Vec::new(),
            steps: Vec::new(),
            proofs: Vec::new(),
            seconds: BTreeMap::new(),
            findings: Vec::new(),
            vms: Vec::new(),
        }
    }

    /// Says where everything is.
    pub(super) fn begin(&self) {
        let stage = self.stage;
        self.printer.note(format_args!(
            "local cloud (Cloudflare, Contabo)  {}\nDNS server of the zone             {}\ncontrol plane                      {}",
            stage.cloud_url(),
            stage.dns_server(),
            stage.url
        ));
    }

    pub(super) async fn create(&mut self, count: u32) -> Result<(), Failure> {
        self.open(&match count {
            1 => "Creating an environment".to_owned(),
            _ => format!("Creating {count} environments at once"),
        });
        let request = CreateEnvironments {
            slug: None,
            count,
            owner: None,
            ssh_keys: Vec::new(),
            time_zone: None,
            script: None,
            on_failure: None,
            ttl_seconds: None,
        };
        let made: Environments = self.stage.client.create("/v1/environments", &request).await?;
        let followed = follow::follow(
            self.printer,
            &self.stage.client,
            made.environments,
            Goal::Settled,
            &mut Interrupt::listen()?,
        )
        .await?;
        if followed.interrupted {
            return Err(Failure::new("interrupted"));
        }
        if let Some(failed) = followed.environments.iter().find(|environment| environment.status != "active") {
            let reason = failed.reason.as_deref().unwrap_or("no reason was given");
            return Err(Failure::new(format!("`{}` is {}: {reason}", failed.slug, failed.status)));
        }
        self.environments = followed.environments;
        self.close("create");
        self.tell_steps().await
    }

    /// How long each step took, by the history that the server kept.
    async fn tell_steps(&mut self) -> Result<(), Failure> {
        let mut all = Vec::new();
        for environment in &self.environments {
            let path = format!("/v1/environments/{}/events?limit=1000", environment.id);
            let history: Events = self.stage.client.get(&path).await?;
            all.push((environment.slug.clone(), step_times(&history.events)));
        }
        let columns: Vec<(&str, &str)> = COLUMNS
            .into_iter()
            .filter(|(step, _)| all.iter().any(|(_, steps)| seconds_of(steps, step).is_some()))
            .collect();
        let header: Vec<&str> =
            ["SECONDS"].into_iter().chain(columns.iter().map(|(_, title)| *title)).chain(["IN ALL"]).collect();
        let mut rows = table::table(&header);
        for (slug, steps) in &all {
            let cells = columns.iter().map(|(step, _)| table::or_dash(seconds_of(steps, step).map(tenths)));
            let total: f64 = steps.iter().map(|(_, seconds)| seconds).sum();
            rows.add_row([slug.clone()].into_iter().chain(cells).chain([tenths(total)]));
            self.steps.push(json!({
                "slug": slug,
                "steps": steps.iter().map(|(step, took)| json!({ "step": step, "seconds": took })).collect::<Vec<_>>(),
            }));
        }
        self.printer.note(format_args!("\n{}", table::text(&rows)));
        Ok(())
    }

    /// Asks DNS and connects, for each environment.
    pub(super) async fn prove(&mut self) -> Result<(), Failure> {
        self.open("Proving that they work");
        for environment in &self.environments {
            let wanted = address(environment)?;
            let answered = proof::addresses(self.stage, environment).await?;
            if answered != [wanted] {
                let words = format!("`{}` answers {answered:?}, not {wanted}", environment.domain);
                return Err(Failure::new(words));
            }
            let greeting = proof::greeting(self.stage, wanted).await?;
            self.printer.note(format_args!(
                "{} {} → {wanted} by DNS; port {} of the VM answers `{greeting}`",
                "✓".green(),
                environment.domain,
                self.stage.readiness_port
            ));
            self.proofs.push(json!({ "domain": environment.domain, "answered": answered, "greeting": greeting }));
        }
        self.close("prove");
        if !self.printer.json() {
            self.printer.note("");
            self.printer.data(list::rows(&self.environments))?;
        }
        Ok(())
    }

    /// Compares providers, store and ledger.
    pub(super) async fn audit(&mut self) -> Result<(), Failure> {
        self.open("Auditing: does anything exist that nobody wants, or the other way round?");
        let report: Value = self.stage.client.get_slowly("/v1/audit").await?;
        let count = |name: &str| report[name].as_u64().unwrap_or_default();
        let findings = report["findings"].as_array().map_or(0, Vec::len);
        self.findings.push(findings);
        if findings > 0 {
            return Err(Failure::new(format!("the audit found {findings}: {}", report["findings"])));
        }
        self.printer.note(format_args!(
            "{} no orphan: {} environments, {} VMs, {} records and {} instances agree",
            "✓".green(),
            count("environments"),
            count("vms"),
            count("records"),
            count("instances"),
        ));
        self.close("audit");
        Ok(())
    }

    pub(super) async fn delete(&mut self) -> Result<(), Failure> {
        self.open("Deleting them");
        let mut taken = Vec::new();
        for environment in &self.environments {
            let path = format!("/v1/environments/{}", environment.id);
            self.stage.client.delete(&path).await?;
            taken.push(self.stage.client.get(&path).await?);
        }
        let followed =
            follow::follow(self.printer, &self.stage.client, taken, Goal::Gone, &mut Interrupt::listen()?).await?;
        if let Some(left) = followed.environments.iter().find(|environment| environment.status != "deleted") {
            let reason = left.reason.as_deref().unwrap_or("interrupted");
            return Err(Failure::new(format!("`{}` is {}: {reason}", left.slug, left.status)));
        }
        self.deleted = followed.environments;
        self.close("delete");
        Ok(())
    }

    /// The names are gone from DNS, the VMs are in the pool.
    pub(super) async fn prove_absence(&mut self) -> Result<(), Failure> {
        self.open("Proving that they are gone, and that no VM was lost");
        for environment in &self.environments {
            let answered = proof::addresses(self.stage, environment).await?;
            if !answered.is_empty() {
                return Err(Failure::new(format!("`{}` still answers {answered:?}", environment.domain)));
            }
            self.printer.note(format_args!("{} DNS no longer knows {}", "✓".green(), environment.domain));
        }
        let vms: Vms = self.stage.client.get("/v1/vms").await?;
        for environment in &self.environments {
            let vm = vms.vms.iter().find(|vm| Some(vm.id) == environment.vm_id);
            let vm = vm.ok_or_else(|| Failure::new(format!("the VM of `{}` is lost", environment.slug)))?;
            if vm.state != "ready" {
                return Err(Failure::new(format!("VM {} is {}, not back in the pool", vm.id, vm.state)));
            }
            let until = vm.assignable_at.map(table::time).unwrap_or_default();
            self.printer.note(format_args!(
                "{} VM {} is wiped and in the pool; it rests until {until} UTC: caches forget its old name first",
                "✓".green(),
                vm.id
            ));
        }
        self.vms = vms.vms;
        self.close("prove_absence");
        Ok(())
    }

    /// What it cost, in calls to the providers.
    pub(super) fn count_calls(&mut self) {
        self.open("What it cost in API calls");
        let mut rows = table::table(&["PROVIDER", "CALL", "CALLS"]);
        for ((provider, route), count) in self.stage.counts.snapshot() {
            rows.add_row([provider.to_owned(), route.to_owned(), count.to_string()]);
        }
        self.printer.note(table::text(&rows));
        let took = self.began.elapsed();
        self.printer.note(format_args!(
            "\n{} calls in all; the whole story took {}",
            self.stage.counts.total(),
            seconds(took)
        ));
    }

    pub(super) fn first_domain(&self) -> &str {
        self.environments.first().map_or("", |environment| environment.domain.as_str())
    }

    /// Everything as one document.
    pub(super) fn report(&self) -> Value {
        let calls: Vec<Value> = self
            .stage
            .counts
            .snapshot()
            .into_iter()
            .map(|((provider, route), count)| json!({ "provider": provider, "call": route, "calls": count }))
            .collect();
        json!({
            "environments": self.environments,
            "steps": self.steps,
            "proofs": self.proofs,
            "deleted": self.deleted,
            "vms": self.vms,
            "audit_findings": self.findings,
            "api_calls": calls,
            "api_calls_total": self.stage.counts.total(),
            "seconds": self.seconds,
            "seconds_total": rounded(self.began.elapsed()),
        })
    }

    fn open(&mut self, title: &str) {
        self.chapter = Instant::now();
        self.printer.note(format_args!("\n{}", title.bold()));
    }

    fn close(&mut self, name: &'static str) {
        *self.seconds.entry(name).or_default() += rounded(self.chapter.elapsed());
    }
}

/// The steps of a creation with their titles in the table.
const COLUMNS: [(&str, &str); 8] = [
    ("assign_vm", "POOL"),
    ("order_vm", "ORDER"),
    ("name_vm", "NAME"),
    ("install_vm", "INSTALL"),
    ("await_vm", "RUN"),
    ("reach_vm", "CONNECT"),
    ("write_record", "RECORD"),
    ("verify_record", "ANSWER"),
];

/// The steps of a history, in order, with the seconds that each took. Something that happened beside the steps, such as
/// a VM that calls home, begins none.
fn step_times(events: &[Event]) -> Vec<(String, f64)> {
    let mut begun: Vec<(String, Timestamp)> = Vec::new();
    for event in events {
        if begun.iter().all(|(step, _)| *step != event.step) {
            begun.push((event.step.clone(), event.at));
        }
    }
    let ends = begun.iter().skip(1).map(|(_, at)| *at);
    begun
        .iter()
        .zip(ends)
        .map(|((step, at), end)| (step.clone(), (end.duration_since(*at).as_secs_f64() * 1000.0).round() / 1000.0))
        .collect()
}

fn seconds_of(steps: &[(String, f64)], step: &str) -> Option<f64> {
    steps.iter().find(|(name, _)| name == step).map(|(_, seconds)| *seconds)
}

fn tenths(seconds: f64) -> String {
    format!("{seconds:.1}")
}

fn address(environment: &Environment) -> Result<Ipv4Addr, Failure> {
    let address = environment.address.as_deref().and_then(|text| text.parse().ok());
    address.ok_or_else(|| Failure::new(format!("`{}` is active without an address", environment.slug)))
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

fn rounded(time: Duration) -> f64 {
    (time.as_secs_f64() * 1000.0).round() / 1000.0
}
