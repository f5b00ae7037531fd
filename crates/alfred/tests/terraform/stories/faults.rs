//! Requests and answers that are lost, and errors in their place, while terraform locks, writes and unlocks.

use http::StatusCode;

use super::Store;
use super::locks::force_unlock;
use crate::door::Door;
use crate::proxy::{Answer, Call, Fault, Proxy, Side, Times};
use crate::terraform::Workspace;

/// What must come of an apply.
#[expect(clippy::struct_excessive_bools, reason = "four facts, of which each is compared by itself")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Outcome {
    /// Terraform says that it succeeded.
    succeeds: bool,
    /// The store has what it wanted to write.
    written: bool,
    /// It left `errored.tfstate`.
    errored: bool,
    /// The lock stays, and a person has to free it.
    lock_stays: bool,
}

impl Outcome {
    /// Terraform repeats what was lost or answered with 5xx, so that once does not matter; 409 it believes. Where it is told
    /// nothing else to the end, it fails, with a state that is safe in one of two places. A lock is left only where
    /// terraform was told to fail after the store took the lock, or before the store heard that it is given back.
    fn of(fault: Fault, door: &Door) -> Self {
        let is_believed = fault.times == Times::Always || fault.answer == Answer::Status(StatusCode::CONFLICT);
        let reached = fault.side == Side::After;
        // Terraform's S3 backend does not know its own lock again when it repeats the request that took it.
        let locks_itself_out = matches!(door, Door::Bucket { .. }) && fault.call == Call::Lock && reached;
        if !is_believed && !locks_itself_out {
            return Self { succeeds: true, written: true, errored: false, lock_stays: false };
        }
        let failed = Self { succeeds: false, written: false, errored: false, lock_stays: false };
        match fault.call {
            Call::Lock => Self { lock_stays: reached, ..failed },
            Call::Write => Self { written: reached, errored: true, ..failed },
            Call::Unlock => Self { written: true, lock_stays: !reached, ..failed },
        }
    }
}

/// Every call, on both sides, with every answer, once and always.
pub(crate) fn every_fault() -> Vec<Fault> {
    let mut faults = Vec::new();
    for call in [Call::Lock, Call::Write, Call::Unlock] {
        for side in [Side::Before, Side::After] {
            for answer in [
                Answer::Lost,
                Answer::Status(StatusCode::INTERNAL_SERVER_ERROR),
                Answer::Status(StatusCode::SERVICE_UNAVAILABLE),
            ] {
                for times in [Times::Once, Times::Always] {
                    faults.push(Fault { call, side, answer, times });
                }
            }
            faults.push(Fault { call, side, answer: Answer::Status(StatusCode::CONFLICT), times: Times::Once });
        }
    }
    faults
}

/// Every call whose answer, or which itself, is lost or answered with an error once.
pub(crate) fn every_single_fault() -> Vec<Fault> {
    every_fault().into_iter().filter(|fault| fault.times == Times::Once).collect()
}

/// Lets one thing go wrong during an apply, and checks what came of it and that the work goes on. Answers whether a lock was
/// left.
pub(crate) async fn one(store: &Store<'_>, fault: Fault, number: usize) -> bool {
    let state = format!("faults/{number}");
    let proxy = Proxy::start(store.door.origin()).await;
    let workspace = Workspace::new(&store.door.through(&proxy.url), &state).await;
    workspace.apply("one").await.done();
    let before = workspace.pull().await;
    let expected = Outcome::of(fault, &store.door);

    proxy.inject(fault);
    let ended = workspace.apply("two").await;
    proxy.clear();
    let about = format!("{fault:?} on `{state}`: {}", ended.words);
    assert!(proxy.seen().iter().any(|seen| seen.went_wrong), "nothing went wrong: {about}");
    let after = workspace.pull().await;
    let lock = proxy.last_lock_id();
    let locked = workspace.run(["plan"]).await;
    let outcome = Outcome {
        succeeds: ended.code == Some(0),
        written: after.value() == "two",
        errored: workspace.has("errored.tfstate"),
        lock_stays: locked.code != Some(0),
    };
    assert_eq!(outcome, expected, "{about}");
    assert_eq!(after.lineage(), before.lineage(), "{about}");
    if !outcome.written {
        assert_eq!(after, before, "{about}");
    }

    if outcome.lock_stays {
        locked.failed_with(&lock);
        force_unlock(&workspace, &lock).await;
    }
    store.is_free(&state).await;
    if outcome.errored {
        // What terraform could not write, or did not know to be written, is pushed as it advises.
        workspace.run(["state", "push", "errored.tfstate"]).await.done();
        workspace.settled("two").await;
    }
    let from = workspace.pull().await.serial();
    workspace.apply("three").await.done();
    let last = workspace.pull().await;
    assert_eq!((last.serial(), last.value(), last.lineage()), (from + 1, "three", before.lineage()), "{about}");
    // A state that is pushed over an older one gets one serial more than it had.
    let pushed = outcome.errored && !outcome.written;
    store.has_versions(&state, (1..=last.serial()).filter(|serial| !(pushed && *serial == 2))).await;
    store.is_free(&state).await;
    outcome.lock_stays
}
