//! Who waits for a call.

use std::collections::VecDeque;

use tokio::sync::oneshot;

use super::{Permit, Priority};

/// A line for each priority, served in the order of arrival.
#[derive(Default)]
pub(super) struct Queue {
    lines: [VecDeque<oneshot::Sender<Permit>>; 4],
}

impl Queue {
    pub(super) fn join(&mut self, priority: Priority) -> oneshot::Receiver<Permit> {
        let (sender, receiver) = oneshot::channel();
        self.lines[priority.index()].push_back(sender);
        receiver
    }

    /// How many wait. Whoever has gone away meanwhile is forgotten.
    pub(super) fn waiting(&mut self, priority: Priority) -> usize {
        let line = &mut self.lines[priority.index()];
        line.retain(|sender| !sender.is_closed());
        line.len()
    }

    pub(super) fn next(&mut self, priority: Priority) -> Option<oneshot::Sender<Permit>> {
        self.lines[priority.index()].pop_front()
    }

    /// Sends everybody away; they join again.
    pub(super) fn clear(&mut self) {
        self.lines = Default::default();
    }
}
