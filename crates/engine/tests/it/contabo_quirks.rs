//! Contabo's quirks and faults, one test each and named after it: the real engine and the real client live through a
//! whole environment's life on the local cloud, which has the quirk, in simulated time. The end must be right, one VM
//! bought, and the quirk must have been met.

mod answers;
mod audits;
mod broken_calls;
mod cancellation;
mod life;
mod orders;
mod sign_in;
mod statuses;
