//! What orders would mean, before any of them is sent.

use jiff::Timestamp;

use super::hold::{Hold, OrderRules, PoolState, Spending, hold};

/// Why an order could not be sent once `more` others have bought a VM each; nothing, if it could.
pub fn hold_after(
    rules: &OrderRules,
    state: &PoolState,
    spending: &Spending<'_>,
    more: u32,
    now: Timestamp,
) -> Option<Hold> {
    let owned = spending.owned.saturating_add(u64::from(more));
    hold(rules, state, &Spending { owned, ..*spending }, now).or_else(|| {
        let limit = rules.month_max?;
        let ordered = spending.bought_since_month(now).saturating_add(more);
        (ordered >= limit).then_some(Hold::Month { ordered, limit })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;

    const NOW: Timestamp = Timestamp::constant(1_767_225_600, 0);

    fn held(rules: &OrderRules, owned: u64) -> [Option<Hold>; 4] {
        let spending = Spending { orders: &[], owned, own: None };
        [0, 1, 2, 3].map(|more| hold_after(rules, &PoolState::default(), &spending, more, NOW))
    }

    #[test]
    fn each_order_counts_those_before_it() {
        let rules = OrderRules { owned_max: 6, ..Policy::local().orders };
        let over = |owned| Some(Hold::Owned { owned, limit: 6 });
        assert_eq!(held(&rules, 4), [None, None, over(6), over(7)]);
        let rules = OrderRules { month_max: Some(1), ..rules };
        let month = |ordered| Some(Hold::Month { ordered, limit: 1 });
        assert_eq!(held(&rules, 0), [None, month(1), month(2), month(3)]);
    }

    #[test]
    fn what_is_off_is_off_for_all() {
        let rules = OrderRules { allowed: false, ..Policy::local().orders };
        assert_eq!(held(&rules, 0), [const { Some(Hold::Off) }; 4]);
    }
}
