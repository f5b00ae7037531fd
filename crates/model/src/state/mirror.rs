//! Two stores that hold the same states: which of them counts, whether the other has everything, and when to go back.
//!
//! What was acknowledged is in both stores, or the record says that the secondary one is behind; the record is written
//! before the acknowledgement. So a record that says nothing of the kind is a proof that either store may go on alone.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::name::StateName;

/// So many names of states that are behind are kept; of more it is only known that there are more.
const BEHIND_MAX: usize = 200;

/// What is known about two stores that mirror each other. There is one record for an installation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MirrorRecord {
    /// The store whose answer counts, by its place.
    pub primary: String,
    /// The store that follows, by its place.
    pub secondary: String,
    /// Grows with each switch.
    pub epoch: u64,
    /// Whether and why the secondary one lacks something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<Behind>,
    /// A switch that has begun and not ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub switching: Option<Switching>,
    /// The primary one has to prove itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial: Option<Trial>,
    /// The last switch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub switched: Option<Switched>,
}

/// What the secondary store lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Behind {
    /// Since when.
    pub since: Timestamp,
    /// Why, for people.
    pub words: String,
    /// States of which it lacks something.
    #[serde(default)]
    pub states: BTreeSet<StateName>,
    /// Any state may lack something.
    #[serde(default)]
    pub all: bool,
    /// Everything was copied once: changes are copied again from now on, and what is left is to compare once more.
    #[serde(default)]
    pub closing: bool,
}

impl Behind {
    /// Whether a change of `state` need not be copied now, because it is copied with the rest.
    pub fn covers(&self, state: &StateName) -> bool {
        !self.closing && (self.all || self.states.contains(state))
    }
}

/// A switch under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switching {
    /// Since when.
    pub since: Timestamp,
    /// Who asked for it.
    pub by: String,
    /// Why, for people.
    pub words: String,
    /// Whether the old primary store is left as it is, because it cannot be reached.
    pub without_old: bool,
    /// The trial that follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial: Option<TrialRules>,
}

/// A switch that took place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switched {
    /// When.
    pub at: Timestamp,
    /// Who asked for it, or `alfred`.
    pub by: String,
    /// Why, for people.
    pub words: String,
}

/// When a new primary store has failed its trial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrialRules {
    /// How long the trial lasts, in seconds.
    pub seconds: u32,
    /// More failed calls of a hundred are too many.
    pub errors_percent_max: u8,
    /// A slower median of calls, in milliseconds, is too slow. No bound, where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_milliseconds_max: Option<u32>,
    /// Fewer calls than this within the window say nothing.
    pub calls_min: u32,
    /// Only calls of the last so many seconds count.
    pub window_seconds: u32,
}

impl Default for TrialRules {
    /// Half an hour; a tenth of at least 5 calls of the last minute.
    fn default() -> Self {
        Self {
            seconds: 1_800,
            errors_percent_max: 10,
            latency_milliseconds_max: None,
            calls_min: 5,
            window_seconds: 60,
        }
    }
}

/// A trial under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// Since when.
    pub since: Timestamp,
    /// What is asked of the store.
    pub rules: TrialRules,
}

/// One call of a store, as it was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeenCall {
    /// When it ended.
    pub at: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// Whether the store failed.
    pub failed: bool,
}

/// What a trial has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing yet.
    GoesOn,
    /// The store keeps the states.
    Passed,
    /// It does not do. Says why.
    Failed(String),
}

/// What the calls of a store say about its trial.
pub fn verdict(trial: &Trial, calls: &[SeenCall], now: Timestamp) -> Verdict {
    let rules = &trial.rules;
    let seconds = |seconds: u32| jiff::SignedDuration::from_secs(i64::from(seconds));
    let begin = now.checked_sub(seconds(rules.window_seconds)).unwrap_or(Timestamp::MIN).max(trial.since);
    let mut took: Vec<Duration> = Vec::new();
    let mut failed = 0_usize;
    for call in calls.iter().filter(|call| call.at >= begin) {
        took.push(call.took);
        failed += usize::from(call.failed);
    }
    let counts = !took.is_empty() && took.len() >= usize::try_from(rules.calls_min).unwrap_or(usize::MAX);
    if counts && failed * 100 > took.len() * usize::from(rules.errors_percent_max) {
        let words = format!(
            "{failed} of {} calls failed within {} s, more than {} %",
            took.len(),
            rules.window_seconds,
            rules.errors_percent_max
        );
        return Verdict::Failed(words);
    }
    if counts && let Some(bound) = rules.latency_milliseconds_max {
        took.sort_unstable();
        let median = took[took.len() / 2];
        if median > Duration::from_millis(bound.into()) {
            let words =
                format!("half of {} calls took {} ms or longer, more than {bound} ms", took.len(), median.as_millis());
            return Verdict::Failed(words);
        }
    }
    let over = trial.since.checked_add(seconds(rules.seconds)).is_ok_and(|end| now >= end);
    if over { Verdict::Passed } else { Verdict::GoesOn }
}

/// Why two stores do not change places.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SwitchRefusal {
    /// The secondary store lacks versions.
    #[error("{secondary} lacks something of {count} since {since}: {words}; wait until it caught up, or name the loss")]
    Behind {
        /// The store that lacks them.
        secondary: String,
        /// Of how many states, in words.
        count: String,
        /// Since when.
        since: Timestamp,
        /// Why.
        words: String,
    },
    /// The loss that was named is not what is missing now.
    #[error("the loss that was named ({named}) is not what is missing now ({missing})")]
    OtherLoss {
        /// By whoever asks.
        named: String,
        /// Now.
        missing: String,
    },
}

impl Behind {
    /// Of how many states something is missing, in words: what a person repeats who accepts the loss.
    pub fn count(&self) -> String {
        match (self.all, self.states.len()) {
            (true, _) => "all-states".to_owned(),
            (false, 1) => "1-state".to_owned(),
            (false, count) => format!("{count}-states"),
        }
    }
}

impl MirrorRecord {
    /// Two stores that meet for the first time: the second one lacks everything until it was compared.
    pub fn begin(primary: &str, secondary: &str, now: Timestamp) -> Self {
        let words = "it has not been compared yet".to_owned();
        Self {
            primary: primary.to_owned(),
            secondary: secondary.to_owned(),
            epoch: 0,
            behind: Some(Behind { since: now, words, states: BTreeSet::new(), all: true, closing: false }),
            switching: None,
            trial: None,
            switched: None,
        }
    }

    /// Notes that the secondary store lacks something of `state`. Answers whether that is news.
    pub fn fall_behind(&mut self, state: &StateName, words: &str, now: Timestamp) -> bool {
        let new =
            || Behind { since: now, words: words.to_owned(), states: BTreeSet::new(), all: false, closing: false };
        let behind = self.behind.get_or_insert_with(new);
        if behind.covers(state) {
            return false;
        }
        behind.closing = false;
        if behind.all {
            return true;
        }
        if behind.states.len() >= BEHIND_MAX {
            behind.all = true;
            behind.states.clear();
        } else {
            behind.states.insert(state.clone());
        }
        true
    }

    /// Whether the stores may change places. `loss` is what whoever asks accepts to lose, as [`Behind::count`] tells it.
    pub fn may_switch(&self, loss: Option<&str>) -> Result<(), SwitchRefusal> {
        match (&self.behind, loss) {
            (None, _) => Ok(()),
            (Some(behind), None) => Err(SwitchRefusal::Behind {
                secondary: self.secondary.clone(),
                count: behind.count(),
                since: behind.since,
                words: behind.words.clone(),
            }),
            (Some(behind), Some(loss)) if behind.count() == loss => Ok(()),
            (Some(behind), Some(loss)) => {
                Err(SwitchRefusal::OtherLoss { named: loss.to_owned(), missing: behind.count() })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn name(text: &str) -> StateName {
        text.parse().unwrap()
    }

    fn record() -> MirrorRecord {
        MirrorRecord { behind: None, ..MirrorRecord::begin("a", "b", at(0)) }
    }

    #[test]
    fn stores_change_places_only_where_nothing_is_lost_or_the_loss_is_named() {
        assert_eq!(record().may_switch(None), Ok(()));
        assert!(matches!(MirrorRecord::begin("a", "b", at(0)).may_switch(None), Err(SwitchRefusal::Behind { .. })));
        let mut behind = record();
        assert!(behind.fall_behind(&name("x"), "the disk is full", at(1)));
        assert!(!behind.fall_behind(&name("x"), "again", at(2)), "no news");
        let error = behind.may_switch(None).unwrap_err().to_string();
        assert!(error.contains("b lacks something of 1-state") && error.contains("the disk is full"), "{error}");
        assert_eq!(behind.may_switch(Some("1-state")), Ok(()));
        assert!(behind.fall_behind(&name("y"), "still", at(3)));
        assert!(matches!(behind.may_switch(Some("1-state")), Err(SwitchRefusal::OtherLoss { .. })));
        assert_eq!(behind.may_switch(Some("2-states")), Ok(()));
    }

    #[test]
    fn a_failure_while_the_rest_is_compared_opens_it_again() {
        let mut record = MirrorRecord::begin("a", "b", at(0));
        assert!(!record.fall_behind(&name("x"), "w", at(1)), "all is behind already");
        record.behind.as_mut().unwrap().closing = true;
        assert!(!record.behind.as_ref().unwrap().covers(&name("x")), "it is copied again");
        assert!(record.fall_behind(&name("x"), "w", at(1)));
        assert!(record.behind.as_ref().unwrap().covers(&name("x")));
    }

    #[test]
    fn what_is_behind_is_bounded() {
        let mut record = record();
        for number in 0..1_000 {
            record.fall_behind(&name(&format!("s{number}")), "w", at(0));
        }
        let behind = record.behind.unwrap();
        assert!(behind.all && behind.states.is_empty());
    }

    #[test]
    fn a_trial_ends_by_errors_by_slowness_or_by_time() {
        let rules = TrialRules { latency_milliseconds_max: Some(100), ..TrialRules::default() };
        let trial = Trial { since: at(1_000), rules };
        let calls = |count: usize, failed: usize, milliseconds| -> Vec<SeenCall> {
            let call =
                |index| SeenCall { at: at(1_010), took: Duration::from_millis(milliseconds), failed: index < failed };
            (0..count).map(call).collect()
        };
        assert_eq!(verdict(&trial, &[], at(1_020)), Verdict::GoesOn);
        assert_eq!(verdict(&trial, &calls(4, 4, 1), at(1_020)), Verdict::GoesOn, "too few to say anything");
        assert_eq!(verdict(&trial, &calls(10, 1, 1), at(1_020)), Verdict::GoesOn, "a tenth is allowed");
        assert!(
            matches!(verdict(&trial, &calls(10, 2, 1), at(1_020)), Verdict::Failed(words) if words.contains("2 of 10 calls failed"))
        );
        assert!(
            matches!(verdict(&trial, &calls(10, 0, 101), at(1_020)), Verdict::Failed(words) if words.contains("101 ms"))
        );
        assert_eq!(verdict(&trial, &calls(10, 0, 100), at(1_020)), Verdict::GoesOn);
        assert_eq!(verdict(&trial, &calls(10, 9, 1), at(1_071)), Verdict::GoesOn, "they are too long ago");
        assert_eq!(verdict(&trial, &calls(10, 9, 1), at(2_800)), Verdict::Passed);
        let before: Vec<SeenCall> = calls(10, 9, 1).into_iter().map(|call| SeenCall { at: at(999), ..call }).collect();
        assert_eq!(verdict(&trial, &before, at(1_001)), Verdict::GoesOn, "the other store's calls do not count");
    }
}
