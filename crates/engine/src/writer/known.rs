//! What is known of the zone's names for a short while, so that a new name costs no read.
//!
//! It answers one question: may a name be taken for free? It never stands for a read before a record is changed or
//! deleted: a mark that a person took off since would not be seen, and the record would be touched though it is not
//! ours any more (promise 3). The lasting index of our records is the store itself, where each environment has its
//! record's id.

use std::hash::BuildHasher as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use alfred_model::name::DomainName;
use alfred_model::policy::later;
use alfred_model::record::RECORD_TTL_SECONDS;
use alfred_model::seam::Clock;
use foldhash::HashSet;
use foldhash::fast::RandomState;
use jiff::Timestamp;

/// How long a list of the zone is good for: as long as resolvers believe one of its records.
const GOOD_FOR: Duration = Duration::from_secs(RECORD_TTL_SECONDS as u64);

pub(super) struct Known {
    clock: Arc<dyn Clock>,
    hasher: RandomState,
    state: Mutex<Option<Names>>,
}

/// Names that have records, by their hash: a collision costs a read and nothing else.
struct Names {
    taken: HashSet<u64>,
    until: Timestamp,
}

impl Known {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, hasher: RandomState::default(), state: Mutex::new(None) }
    }

    /// The zone was read as a whole and has records of these names.
    pub(super) fn whole_zone<'a>(&self, names: impl IntoIterator<Item = &'a str>) {
        let taken = names.into_iter().map(|name| self.hash(name)).collect();
        let until = later(self.clock.now(), GOOD_FOR);
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = Some(Names { taken, until });
    }

    /// Something was written at a name, or may have been.
    pub(super) fn touched(&self, name: &DomainName) {
        if let Some(names) = &mut *self.state.lock().unwrap_or_else(PoisonError::into_inner) {
            names.taken.insert(self.hash(name.as_str()));
        }
    }

    /// Whether nothing stood at a name a short while ago, as far as anybody looked.
    pub(super) fn is_free(&self, name: &DomainName) -> bool {
        let now = self.clock.now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.take_if(|names| names.until <= now || names.until > later(now, GOOD_FOR));
        state.as_ref().is_some_and(|names| !names.taken.contains(&self.hash(name.as_str())))
    }

    fn hash(&self, name: &str) -> u64 {
        let name = name.strip_suffix('.').unwrap_or(name);
        if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return self.hasher.hash_one(name.to_ascii_lowercase());
        }
        self.hasher.hash_one(name)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    struct HandClock(AtomicI64);

    impl Clock for HandClock {
        fn now(&self) -> Timestamp {
            Timestamp::from_second(self.0.load(Ordering::Relaxed)).unwrap()
        }
    }

    fn name(text: &str) -> DomainName {
        text.parse().unwrap()
    }

    #[test]
    fn a_name_is_free_only_while_a_list_of_the_zone_is_fresh_and_does_not_show_it() {
        let clock = Arc::new(HandClock(AtomicI64::new(1_000)));
        let known = Known::new(clock.clone());
        assert!(!known.is_free(&name("a.example.com")), "nobody has looked");
        known.whole_zone(["B.example.com.", "c.example.com"]);
        assert!(known.is_free(&name("a.example.com")));
        assert!(!known.is_free(&name("b.example.com")) && !known.is_free(&name("c.example.com")));
        known.touched(&name("a.example.com"));
        assert!(!known.is_free(&name("a.example.com")));
        clock.0.store(1_299, Ordering::Relaxed);
        assert!(known.is_free(&name("d.example.com")));
        clock.0.store(1_300, Ordering::Relaxed);
        assert!(!known.is_free(&name("d.example.com")), "five minutes are over");
    }

    #[test]
    fn a_clock_that_was_set_back_makes_nothing_last_longer() {
        let clock = Arc::new(HandClock(AtomicI64::new(100_000)));
        let known = Known::new(clock.clone());
        known.whole_zone(["b.example.com"]);
        clock.0.store(50_000, Ordering::Relaxed);
        assert!(!known.is_free(&name("a.example.com")));
    }
}
