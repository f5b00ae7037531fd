//! Misbehaviour on demand: rules that say which calls go wrong, and how.
//!
//! A rule may be JSON (`/_admin/faults`) or one line (a `--fault` flag, see [`Rule`]'s `FromStr`). The same rules with
//! the same seeds and the same calls give the same faults.

mod rule;
mod text;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use rule::{Fault, Rule};
pub use text::RuleError;

use crate::journal::Service;

/// The most rules in force at once.
const RULE_LIMIT: usize = 1_000;

/// The rules in force. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    rules: Arc<Mutex<Vec<Counted>>>,
}

#[derive(Debug)]
struct Counted {
    rule: Rule,
    /// Calls that the rule was about, fired or not.
    seen: u64,
    /// Calls that it made go wrong.
    fired: u64,
}

/// A rule with what it did so far.
#[derive(Clone, Debug, serde::Serialize)]
pub struct RuleStatus {
    /// The rule.
    #[serde(flatten)]
    pub rule: Rule,
    /// The rule as one line.
    pub text: String,
    /// Calls that it was about, fired or not.
    pub seen: u64,
    /// Calls that it made go wrong.
    pub fired: u64,
}

/// A call, as far as rules look at it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'c> {
    pub(crate) service: Service,
    pub(crate) method: &'c str,
    pub(crate) path: &'c str,
    pub(crate) route: &'c str,
}

/// What happens to one call.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Verdict {
    /// Milliseconds to wait before the call is carried out.
    pub(crate) delay_before: u64,
    /// Milliseconds to wait after it was carried out.
    pub(crate) delay_after: u64,
    /// What else goes wrong: the first rule that fires.
    pub(crate) fault: Option<Fault>,
    /// The rules that fired, as text.
    pub(crate) text: Option<String>,
}

impl Faults {
    pub(crate) fn new(rules: Vec<Rule>) -> Self {
        let faults = Self::default();
        for rule in rules {
            faults.add(rule);
        }
        faults
    }

    /// Puts a rule in force, after those that are. Gives `false`, and adds nothing, when 1,000 rules are in force.
    pub fn add(&self, rule: Rule) -> bool {
        let mut rules = self.lock();
        if rules.len() >= RULE_LIMIT {
            return false;
        }
        rules.push(Counted { rule, seen: 0, fired: 0 });
        true
    }

    /// Takes all rules out of force.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// The rules in force with what they did.
    pub fn rules(&self) -> Vec<RuleStatus> {
        self.lock()
            .iter()
            .map(|counted| RuleStatus {
                rule: counted.rule.clone(),
                text: counted.rule.to_string(),
                seen: counted.seen,
                fired: counted.fired,
            })
            .collect()
    }

    /// The status that an instance is stuck in, if a rule says so.
    pub fn stuck_status(&self, instance: i64) -> Option<String> {
        self.lock().iter().find_map(|counted| match &counted.rule.fault {
            Fault::Stuck { status, instance: only } if only.is_none_or(|only| only == instance) => Some(status.clone()),
            _ => None,
        })
    }

    /// Decides what happens to a call, and counts it.
    pub(crate) fn judge(&self, target: Target<'_>) -> Verdict {
        let mut verdict = Verdict::default();
        let mut texts: Vec<String> = Vec::new();
        for counted in self.lock().iter_mut() {
            let Counted { rule, seen, fired } = counted;
            if matches!(rule.fault, Fault::Stuck { .. }) || !rule.is_about(target) {
                continue;
            }
            *seen += 1;
            if !rule.fires(*seen, *fired) {
                continue;
            }
            match &rule.fault {
                Fault::Delay { ms, after: false } => verdict.delay_before += ms,
                Fault::Delay { ms, after: true } => verdict.delay_after += ms,
                fault if verdict.fault.is_none() => verdict.fault = Some(fault.clone()),
                _ => continue,
            }
            *fired += 1;
            texts.push(rule.to_string());
        }
        verdict.text = (!texts.is_empty()).then(|| texts.join("; "));
        verdict
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Counted>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target<'c>(method: &'c str, path: &'c str, route: &'c str) -> Target<'c> {
        Target { service: Service::Contabo, method, path, route }
    }

    fn fired(rule: &str, calls: usize) -> Vec<bool> {
        let faults = Faults::new(vec![rule.parse().unwrap()]);
        (0..calls)
            .map(|_| faults.judge(target("POST", "/v1/compute/instances", "contabo.instances.create")).fault.is_some())
            .collect()
    }

    #[test]
    fn count_takes_the_first_calls_and_nth_starts_later() {
        assert_eq!(fired("POST lost-after count=2", 4), [true, true, false, false]);
        assert_eq!(fired("POST lost-after nth=3", 4), [false, false, true, false]);
        assert_eq!(fired("POST lost-after nth=2 count=2", 4), [false, true, true, false]);
        assert_eq!(fired("POST lost-after", 3), [true, true, true]);
    }

    #[test]
    fn probability_repeats_with_its_seed() {
        let one = fired("POST lost-after probability=0.5 seed=7", 64);
        assert_eq!(one, fired("POST lost-after probability=0.5 seed=7", 64));
        assert_ne!(one, fired("POST lost-after probability=0.5 seed=8", 64));
        let share = one.iter().filter(|fired| **fired).count();
        assert!((16..48).contains(&share), "{share} of 64");
        assert!(!fired("POST lost-after probability=0", 64).contains(&true));
    }

    #[test]
    fn delays_add_up_and_the_first_other_fault_wins() {
        let faults = Faults::new(
            ["delay=20", "delay=30 after", "delay=5", "status=500", "lost-before"]
                .map(|text| text.parse().unwrap())
                .to_vec(),
        );
        let verdict = faults.judge(target("GET", "/v1/compute/instances", "contabo.instances.list"));
        assert_eq!((verdict.delay_before, verdict.delay_after), (25, 30));
        assert!(matches!(verdict.fault, Some(Fault::Status { status: 500, .. })));
        assert_eq!(faults.rules()[4].fired, 0);
    }

    #[test]
    fn stuck_names_an_instance_or_all() {
        let faults = Faults::new(vec!["stuck=provisioning instance=101".parse().unwrap()]);
        assert_eq!(faults.stuck_status(101).as_deref(), Some("provisioning"));
        assert_eq!(faults.stuck_status(102), None);
        assert_eq!(faults.judge(target("GET", "/v1/compute/instances", "contabo.instances.list")), Verdict::default());
    }

    #[test]
    fn rules_are_bounded() {
        let faults = Faults::default();
        let rule: Rule = "html".parse().unwrap();
        for _ in 0..RULE_LIMIT {
            assert!(faults.add(rule.clone()));
        }
        assert!(!faults.add(rule));
        faults.clear();
        assert!(faults.rules().is_empty());
    }
}
