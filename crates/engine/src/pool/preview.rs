//! What orders for the pool would cost, and what would keep them from being sent. Nothing is written.

use alfred_model::money::Money;
use alfred_model::pool::{self, Hold, Spending};
use alfred_store::StoreError;

use crate::Engine;

/// What one order would mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderPreview {
    /// What is paid at once, where the price is known: all months of the contract's term.
    pub cost: Option<Money>,
    /// Why it would not be sent; nothing, if it would.
    pub hold: Option<Hold>,
}

impl Engine {
    /// What each of so many orders would mean, if those before it bought a VM.
    pub async fn preview_orders(&self, count: u32) -> Result<Vec<OrderPreview>, StoreError> {
        let now = self.clock.now();
        let orders = self.orders_lately(now).await?;
        let owned = self.store.owned_vms().await?;
        let (state, _) = self.pool_state().await?;
        let spending = Spending { orders: &orders, owned, own: None };
        let rules = &self.settings.policy.orders;
        let cost = rules.price.map(|price| price.times(rules.months.max(1)));
        let hold = |more| pool::hold_after(rules, &state, &spending, more, now);
        Ok((0..count).map(|more| OrderPreview { cost, hold: hold(more) }).collect())
    }
}
