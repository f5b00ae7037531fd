//! How many changes a batch of this zone may hold, and whether its records may have tags: by the zone's plan where it
//! is known, and by what the zone takes and refuses where it is not.

use std::sync::Mutex;
use std::sync::PoisonError;

use alfred_providers::cloudflare::{FREE_BATCH_LIMIT, PAID_BATCH_LIMIT, Plan};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing is known, and the zone has not been asked.
    Unasked,
    /// The zone does not say; the larger limit is tried.
    Unsaid,
    /// So many.
    Known { limit: usize, tags: bool },
}

pub(super) struct Limit(Mutex<State>);

impl Limit {
    pub(super) fn new(plan: Option<&Plan>) -> Self {
        let state = plan.map_or(State::Unasked, of);
        Self(Mutex::new(state))
    }

    /// Whether it would help to ask the zone before so many changes are sent.
    pub(super) fn is_worth_asking(&self, changes: usize) -> bool {
        self.state() == State::Unasked && changes > FREE_BATCH_LIMIT
    }

    /// The zone's plan was asked for; it may not have been told.
    pub(super) fn asked(&self, plan: Option<&Plan>) {
        self.set(plan.map_or(State::Unsaid, of));
    }

    /// Most changes for the next batch.
    pub(super) fn changes(&self) -> usize {
        match self.state() {
            State::Known { limit, .. } => limit,
            State::Unasked => FREE_BATCH_LIMIT,
            State::Unsaid => PAID_BATCH_LIMIT,
        }
    }

    /// Whether records get tags. Only where the plan itself said so: a Free zone refuses the whole batch for one tag.
    pub(super) fn tags(&self) -> bool {
        matches!(self.state(), State::Known { tags: true, .. })
    }

    /// The zone has no tags, whatever its plan says. Whether that is news.
    pub(super) fn has_no_tags(&self) -> bool {
        let had = self.tags();
        if had {
            self.set(State::Known { limit: self.changes(), tags: false });
        }
        had
    }

    /// A batch of so many changes was refused, for a reason that no single change need be guilty of. Whether the size
    /// may be the reason; then the next one is smaller.
    pub(super) fn blame(&self, changes: usize) -> bool {
        let too_many = changes > FREE_BATCH_LIMIT && !matches!(self.state(), State::Known { tags: true, .. });
        if too_many {
            self.set(State::Known { limit: FREE_BATCH_LIMIT, tags: false });
        }
        too_many
    }

    /// A batch of so many changes was taken.
    pub(super) fn praise(&self, changes: usize) {
        if changes > FREE_BATCH_LIMIT && self.state() == State::Unsaid {
            self.set(State::Known { limit: PAID_BATCH_LIMIT, tags: false });
        }
    }

    fn state(&self) -> State {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, state: State) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }
}

fn of(plan: &Plan) -> State {
    plan.batch_limit().map_or(State::Unsaid, |limit| State::Known { limit, tags: plan.has_tags() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(legacy_id: &str) -> Plan {
        Plan { legacy_id: Some(legacy_id.to_owned()), name: None }
    }

    #[test]
    fn the_plan_decides_where_it_is_known() {
        for (legacy_id, limit, tags) in
            [("free", 200, false), ("pro", 3_500, true), ("business", 3_500, true), ("enterprise", 3_500, true)]
        {
            let known = Limit::new(Some(&plan(legacy_id)));
            assert!(!known.is_worth_asking(10_000));
            assert_eq!((known.changes(), known.tags()), (limit, tags), "{legacy_id}");
        }
    }

    #[test]
    fn an_unknown_plan_is_learnt_from_what_is_taken_and_refused() {
        let limit = Limit::new(None);
        assert!(limit.is_worth_asking(201) && !limit.is_worth_asking(200));
        limit.asked(None);
        assert!(!limit.is_worth_asking(201), "once is enough");
        assert_eq!(limit.changes(), 3_500);
        assert!(!limit.blame(200), "every zone takes that many");
        assert!(limit.blame(201));
        assert_eq!(limit.changes(), 200);
        let taken = Limit::new(Some(&plan("surprise")));
        taken.praise(201);
        assert_eq!((taken.changes(), taken.tags()), (3_500, false));
    }

    /// A paid zone that says so is never taken for a small one because of one bad record.
    #[test]
    fn a_known_paid_plan_is_not_unlearnt() {
        let limit = Limit::new(Some(&plan("pro")));
        assert!(!limit.blame(3_500));
        assert_eq!(limit.changes(), 3_500);
    }
}
