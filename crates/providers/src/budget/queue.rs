//! Who waits for a call, and who is next.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Notify;

use super::Priority;

/// After so many calls in the order of priority, one goes to whoever has waited longest.
const TURNS_BY_PRIORITY: u32 = 9;

/// A place in the queue. Orders by priority, then by arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket {
    priority: Priority,
    number: u64,
}

#[derive(Default)]
pub(super) struct Queue {
    waiting: BTreeMap<Ticket, Arc<Notify>>,
    by_arrival: BTreeMap<u64, Ticket>,
    arrivals: u64,
    turns: u32,
}

impl Queue {
    pub(super) fn join(&mut self, priority: Priority) -> (Ticket, Arc<Notify>) {
        let ticket = Ticket { priority, number: self.arrivals };
        self.arrivals += 1;
        let notify = Arc::new(Notify::new());
        self.waiting.insert(ticket, notify.clone());
        self.by_arrival.insert(ticket.number, ticket);
        (ticket, notify)
    }

    pub(super) fn next(&self) -> Option<Ticket> {
        if self.turns >= TURNS_BY_PRIORITY {
            return self.by_arrival.values().next().copied();
        }
        self.waiting.keys().next().copied()
    }

    pub(super) fn serve(&mut self, ticket: Ticket) {
        self.leave(ticket);
        self.turns = if self.turns >= TURNS_BY_PRIORITY { 0 } else { self.turns + 1 };
    }

    pub(super) fn leave(&mut self, ticket: Ticket) {
        self.waiting.remove(&ticket);
        self.by_arrival.remove(&ticket.number);
    }

    pub(super) fn wake_next(&self) {
        if let Some(notify) = self.next().and_then(|ticket| self.waiting.get(&ticket)) {
            notify.notify_one();
        }
    }
}
