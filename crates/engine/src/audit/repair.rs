//! Repairing what an audit found: what is ripe, within the caps, after one more look at each thing.
//!
//! A record whose environment is gone for good is withdrawn here, by the DNS writer, under an intent of its own: no
//! environment can come to need it, since its mark names the one that is gone. Everything else goes back into the
//! lifecycle: the row is fenced by its version, and whoever asks for something at the same moment wins.

use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;

use alfred_model::audit::{self, Action, Limits, Plan, Standing};
use alfred_model::environment::{Environment, Status};
use alfred_model::failure::Disposition;
use alfred_model::id::{EnvironmentId, VmId};
use alfred_model::intent::{Intent, IntentKind, Outcome};
use alfred_model::lifecycle::{self, Situation};
use alfred_model::name::DomainName;
use alfred_model::policy::later;
use alfred_model::pool;
use alfred_model::record::OwnershipMark;
use alfred_model::vm::Vm;
use alfred_providers::ProviderError;
use alfred_providers::cloudflare::{PER_PAGE_MAX, Record, RecordFilter};
use alfred_store::{Changes, IntentQuery, Lease, StoreError};
use jiff::Timestamp;

use super::{Audited, RepairOutcome, RepairReport, Repaired};
use crate::intents::NewIntent;
use crate::writer::{Change, Look};
use crate::zones::Zone;
use crate::{Engine, measure};

/// So many repairs are on their way at once, so that their writes share a batch.
const AT_ONCE: usize = 50;

/// Why a finding was not repaired.
enum Refused {
    /// It is no longer so, or not ours.
    Kept(String),
    /// It could not be done.
    Failed(String),
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        let words = error.to_string();
        if matches!(error, StoreError::Conflict { .. }) { Self::Kept(words) } else { Self::Failed(words) }
    }
}

impl From<ProviderError> for Refused {
    fn from(error: ProviderError) -> Self {
        Self::Failed(error.to_string())
    }
}

type Done = Result<(RepairOutcome, String), Refused>;

/// What one repair works with.
struct Order<'a> {
    standing: &'a Standing,
    environment: EnvironmentId,
    actor: &'a str,
    /// The store's VMs by their addresses.
    vms: &'a HashMap<Ipv4Addr, VmId>,
    open_intents: &'a [Intent],
}

impl Engine {
    pub(super) async fn repair(
        &self,
        audited: &Audited,
        limits: Limits,
        actor: &str,
    ) -> Result<RepairReport, StoreError> {
        let report = &audited.report;
        self.settle_withdrawals(audited).await?;
        let plan = planned(audited, limits);
        let vms: HashMap<Ipv4Addr, VmId> = audited.vms.iter().filter_map(|vm| Some((vm.address?, vm.id))).collect();
        let mut begun = HashSet::new();
        let (mut orders, mut repairs) = (Vec::new(), Vec::new());
        for standing in plan.places.iter().filter_map(|place| report.findings.get(*place)) {
            let in_lifecycle = standing.finding.action != Action::WithdrawRecord;
            match standing.finding.environment_id {
                Some(id) if in_lifecycle && !begun.insert(id) => {
                    let words = "it is mended together with another record of its environment".to_owned();
                    repairs.push(repaired(standing, Ok((RepairOutcome::Started, words))));
                }
                Some(environment) => {
                    let open_intents = &audited.open_intents;
                    orders.push(Order { standing, environment, actor, vms: &vms, open_intents });
                }
                None => repairs.push(repaired(standing, Err(kept("the finding names no environment")))),
            }
        }
        for orders in orders.chunks(AT_ONCE) {
            let done =
                orders.iter().map(|order| async { repaired(order.standing, self.carry_out_repair(order).await) });
            repairs.extend(futures::future::join_all(done).await);
        }
        measure::repairs(&plan, &repairs);
        for Repaired { key, subject, outcome, words } in &repairs {
            tracing::info!(%key, subject, outcome = outcome.as_str(), actor, "a repair by the audit: {words}");
        }
        let Plan { ripe, allowed, refused, .. } = plan;
        let mended = |one: &&Repaired| matches!(one.outcome, RepairOutcome::Done | RepairOutcome::Started);
        let unrepaired = ripe.saturating_sub(repairs.iter().filter(mended).count());
        Ok(RepairReport { actor: actor.to_owned(), limits, ripe, allowed, refused, repairs, unrepaired })
    }

    /// The last look, and the repair. The store is read again first: whatever came to be since is there.
    async fn carry_out_repair(&self, order: &Order<'_>) -> Done {
        let name: DomainName = order.standing.finding.subject.parse().map_err(|_| kept("its name is none of ours"))?;
        let environment = self.store.environment(order.environment).await?;
        let mark = OwnershipMark { installation: self.settings.installation, environment: order.environment };
        match (order.standing.finding.action, environment) {
            (Action::None, _) => Err(kept("nothing is to be done about it")),
            (Action::WithdrawRecord, None) => self.withdraw_orphan(order, &name, mark, None).await,
            (Action::WithdrawRecord, Some(row)) if row.status == Status::Deleted => {
                self.withdraw_orphan(order, &name, mark, Some(&row)).await
            }
            (_, None) => Err(kept("its environment is not in the store")),
            (_, Some(row)) if row.domain != name => Err(kept("its name is not its environment's")),
            (action, Some(row)) => {
                let wanted = match action {
                    Action::WithdrawRecord => IntentKind::WithdrawRecord,
                    Action::None | Action::WriteRecord | Action::RemoveDuplicate => IntentKind::WriteRecord,
                };
                if lifecycle::repair_kind(row.status, row.step, row.wish) != Some(wanted) {
                    return Err(kept("its environment is in motion, or came back"));
                }
                self.mend(order, &row, wanted, mark).await
            }
        }
    }

    fn zone_of(&self, name: &DomainName) -> Result<&Zone, Refused> {
        self.zones.of(name).map_err(|failure| Refused::Failed(failure.words))
    }

    /// The record of an order as it stands now, if it is still ours.
    async fn record_now(&self, order: &Order<'_>, name: &DomainName, mark: OwnershipMark) -> Result<Record, Refused> {
        let id = order.standing.finding.record_id.as_ref().ok_or_else(|| kept("it names no record"))?;
        let record = self.zone_of(name)?.cloudflare.for_audit().record(id).await?;
        let record = record.ok_or_else(|| kept("the record is gone already"))?;
        if record.is_called(name) && record.mark() == Some(mark.into()) {
            Ok(record)
        } else {
            Err(kept("the record is not ours any more: its name or its comment was changed"))
        }
    }

    async fn withdraw_orphan(
        &self,
        order: &Order<'_>,
        name: &DomainName,
        mark: OwnershipMark,
        environment: Option<&Environment>,
    ) -> Done {
        let record = self.record_now(order, name, mark).await?;
        if let Some(vm) = self.vm_to_rest(order, &record).await? {
            self.store.commit(Changes { vms: vec![(vm, Lease::Keep)], ..Changes::default() }).await?;
        }
        let mut intent = self.withdrawal(order, name);
        self.store.commit(Changes { intents: vec![intent.clone()], ..Changes::default() }).await?;
        let change = Change::Withdraw { name: name.clone(), mark: mark.into(), address: None, look: Look::Ours };
        let done = self.zone_of(name)?.writer.submit(change).await;
        let now = self.clock.now();
        let mut changes = Changes::default();
        match &done {
            Ok(_) => {
                settle(&mut intent, Outcome::Done, format!("record {}", record.id), now);
                let words = "the audit withdrew a DNS record that was still there";
                let event = environment.map(|environment| lifecycle::event(environment, now, order.actor, words));
                changes.events.extend(event);
            }
            Err(failure) if failure.disposition == Disposition::Unknown => {
                settle(&mut intent, Outcome::Unknown, failure.words.clone(), now);
            }
            Err(failure) => settle(&mut intent, Outcome::Rejected, failure.words.clone(), now),
        }
        changes.intents.push(intent);
        self.store.commit(changes).await?;
        self.moved();
        match done {
            Ok(_) => Ok((RepairOutcome::Done, "the record is withdrawn".to_owned())),
            Err(failure) => Err(Refused::Failed(failure.words)),
        }
    }

    /// The intent of a withdrawal: one that has no outcome yet is used again.
    fn withdrawal(&self, order: &Order<'_>, name: &DomainName) -> Intent {
        let known = order.open_intents.iter().find(|intent| {
            intent.kind == IntentKind::WithdrawRecord
                && intent.environment_id == Some(order.environment)
                && intent.subject == name.as_str()
        });
        known.cloned().unwrap_or_else(|| {
            let kind = IntentKind::WithdrawRecord;
            let new = NewIntent { kind, environment: None, vm_id: None, subject: name.to_string() };
            let intent = self.new_intent(&new);
            Intent { environment_id: Some(order.environment), actor: order.actor.to_owned(), ..intent }
        })
    }

    /// Puts the environment back to the step that writes or withdraws its record. The reconciler does the rest.
    async fn mend(&self, order: &Order<'_>, environment: &Environment, kind: IntentKind, mark: OwnershipMark) -> Done {
        let record = match &order.standing.finding.record_id {
            Some(_) => Some(self.record_now(order, &environment.domain, mark).await?),
            None => None,
        };
        let address = match environment.vm_id.filter(|_| kind == IntentKind::WriteRecord) {
            Some(id) => {
                self.nobody_else_has(&environment.domain, mark, record.is_none()).await?;
                let seen = self.observe(id).await.map_err(|failure| Refused::Failed(failure.words))?;
                seen.and_then(|instance| instance.address)
            }
            None => None,
        };
        let vm = match environment.vm_id {
            Some(id) => self.store.vm(id).await?,
            None => None,
        };
        let query = IntentQuery { environment: Some(environment.id), only_open: true, ..IntentQuery::default() };
        let open_intents = self.store.intents(query).await?;
        let situation = Situation { environment, vm: vm.as_ref(), open_intents: &open_intents };
        let repaired = lifecycle::repair(&situation, address, order.actor, self.clock.now());
        let (transition, event) = repaired.map_err(|refused| kept(&refused.to_string()))?;
        let resting = match &record {
            Some(record) => self.vm_to_rest(order, record).await?,
            None => None,
        };
        let subject = environment.domain.to_string();
        let new = NewIntent { kind, environment: Some(environment), vm_id: environment.vm_id, subject };
        // Written with the row, so that the drive finds it and the ledger says who asked.
        let intent = Intent { actor: order.actor.to_owned(), ..self.new_intent(&new) };
        let changes = Changes {
            environments: vec![(transition.environment, Lease::Keep)],
            vms: transition.vm.into_iter().chain(resting).map(|vm| (vm, Lease::Keep)).collect(),
            intents: vec![intent],
            events: vec![event],
            ..Changes::default()
        };
        self.store.commit(changes).await?;
        self.poke();
        let words = match kind {
            IntentKind::WriteRecord => "the record is being written again",
            _ => "the record is being withdrawn again",
        };
        Ok((RepairOutcome::Started, words.to_owned()))
    }

    /// Whether nothing foreign decides where the name leads by now; with `absent`, whether there is no record at all.
    async fn nobody_else_has(&self, name: &DomainName, mark: OwnershipMark, absent: bool) -> Result<(), Refused> {
        let filter = RecordFilter::name(name.as_str());
        let there = self.zone_of(name)?.cloudflare.for_audit().records(&filter, PER_PAGE_MAX).await?;
        let leads = |record: &&Record| {
            let kinds = ["A", "AAAA", "CNAME", "NS"];
            record.is_called(name) && kinds.iter().any(|kind| record.kind.eq_ignore_ascii_case(kind))
        };
        match there.iter().filter(leads).find(|record| absent || record.mark() != Some(mark.into())) {
            Some(_) if absent => Err(kept("there is a record by now")),
            Some(_) => Err(kept("a record that is not ours stands at the name")),
            None => Ok(()),
        }
    }

    /// The VM of the pool that a wrong record leads to. It rests until the repair is surely over and resolvers have
    /// forgotten the name (promise 4).
    async fn vm_to_rest(&self, order: &Order<'_>, record: &Record) -> Result<Option<Vm>, StoreError> {
        let address = record.content.parse::<Ipv4Addr>().ok();
        let Some(id) = address.and_then(|address| order.vms.get(&address)) else { return Ok(None) };
        let now = self.clock.now();
        let policy = &self.settings.policy;
        let until = later(now, policy.step_deadline.saturating_add(policy.name_rest));
        Ok(self.store.vm(*id).await?.and_then(|vm| pool::rest(&vm, until, now)))
    }

    /// Withdrawals of earlier repairs whose outcome nobody knows: where the record is not found any more, they were
    /// done.
    async fn settle_withdrawals(&self, audited: &Audited) -> Result<(), StoreError> {
        let (report, now) = (&audited.report, self.clock.now());
        if report.left_out > 0 || report.extent.shrunken().is_some() {
            return Ok(());
        }
        let grace = self.settings.policy.order_grace;
        let old = |intent: &&Intent| {
            intent.kind == IntentKind::WithdrawRecord && later(intent.created_at, grace) <= report.at
        };
        for intent in audited.open_intents.iter().filter(old) {
            let Some(id) = intent.environment_id else { continue };
            let about = |standing: &Standing| {
                standing.finding.environment_id == Some(id) && standing.finding.subject == intent.subject
            };
            let gone = self.store.environment(id).await?.is_none_or(|row| row.status == Status::Deleted);
            if gone && !report.findings.iter().any(about) {
                let mut intent = intent.clone();
                settle(&mut intent, Outcome::Done, "the audit does not find the record any more".to_owned(), now);
                self.store.commit(Changes { intents: vec![intent], ..Changes::default() }).await?;
            }
        }
        Ok(())
    }
}

fn planned(audited: &Audited, limits: Limits) -> Plan {
    let report = &audited.report;
    let mut plan = audit::plan(&report.findings, &report.extent, limits);
    if report.left_out > 0 && plan.ripe > 0 && plan.refused.is_none() {
        let findings = report.findings.len() + report.left_out;
        plan.refused = Some(format!("there are {findings} findings, too many to be true: nothing is repaired"));
        plan.places.clear();
    }
    if let Some(why) = &plan.refused {
        tracing::warn!(ripe = plan.ripe, allowed = plan.allowed, "the audit repairs nothing: {why}");
    }
    plan
}

fn settle(intent: &mut Intent, outcome: Outcome, answer: String, now: Timestamp) {
    intent.outcome = outcome;
    intent.answer = Some(answer);
    intent.settled_at = (!outcome.is_open()).then_some(now);
}

fn kept(words: &str) -> Refused {
    Refused::Kept(words.to_owned())
}

fn repaired(standing: &Standing, done: Done) -> Repaired {
    let (outcome, words) = match done {
        Ok(done) => done,
        Err(Refused::Kept(words)) => (RepairOutcome::Kept, words),
        Err(Refused::Failed(words)) => (RepairOutcome::Failed, words),
    };
    Repaired { key: standing.key.clone(), subject: standing.finding.subject.clone(), outcome, words }
}
