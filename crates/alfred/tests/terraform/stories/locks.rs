//! Locks: waiting for one, and what is left of one whose holder was killed.

use http::StatusCode;

use super::Store;
use crate::door::Door;
use crate::proxy::{Call, Proxy};
use crate::terraform::{Gate, Workspace, end_of};

/// Whoever waits with `-lock-timeout` gets the lock once it is free, and is told who has it if it is not in time.
pub(crate) async fn waiting(store: &Store<'_>) {
    let state = "locks/waiting";
    let proxy = Proxy::start(store.door.origin()).await;
    let first = Workspace::new(&store.door.through(&proxy.url), state).await;
    let gate = Gate::closed();
    let holding = first.apply_at(&gate, "one").await;
    let holder = proxy.last_lock_id();

    first.run(["plan", "-lock-timeout=1s"]).await.failed_with(&holder);
    let refused = proxy.seen().iter().filter(|seen| seen.status == Some(refusal(&store.door))).count();
    assert!(refused > 0, "the lock was asked for while it was held");

    let start = || first.start(["apply", "-auto-approve", "-var=value=two", "-lock-timeout=90s"]);
    let second = start();
    proxy.until(Call::Lock, refusal(&store.door), refused + 1).await;
    gate.open();
    end_of(holding, "apply of the first").await.done();
    store.patient(second, start).await.done();
    let pulled = first.pull().await;
    assert_eq!((pulled.serial(), pulled.value()), (2, "two"));
    store.has_versions(state, [1, 2]).await;
    store.is_free(state).await;
}

/// `kill -9` of terraform while it holds the lock: the lock stays, the next one is told whose it is, and `force-unlock` frees
/// it. What was applied before is there.
pub(crate) async fn killed(store: &Store<'_>) {
    let state = "locks/killed";
    let proxy = Proxy::start(store.door.origin()).await;
    let workspace = Workspace::new(&store.door.through(&proxy.url), state).await;
    workspace.apply("one").await.done();
    let before = workspace.pull().await;
    let gate = Gate::closed();
    let mut holding = workspace.apply_at(&gate, "two").await;
    let holder = proxy.last_lock_id();
    holding.start_kill().unwrap();
    let ended = end_of(holding, "apply that was killed").await;
    assert_eq!(ended.code, None, "it was killed: {}", ended.words);

    for _ in 0..2 {
        workspace.run(["plan"]).await.failed_with(&holder);
    }
    if let Some(ours) = store.ours {
        assert_eq!(ours.lock(state).await.as_deref(), Some(holder.as_str()));
    }
    assert_eq!(workspace.pull().await, before, "reading needs no lock");
    force_unlock(&workspace, &holder).await;
    store.is_free(state).await;
    workspace.apply("three").await.done();
    let pulled = workspace.pull().await;
    assert_eq!((pulled.serial(), pulled.value(), pulled.lineage()), (2, "three", before.lineage()));
    store.has_versions(state, [1, 2]).await;
}

/// `terraform force-unlock`, as a person would use it.
pub(crate) async fn force_unlock(workspace: &Workspace, id: &str) {
    let ended = workspace.run(["force-unlock", "-force", id]).await.done();
    assert!(ended.words.contains("successfully unlocked"), "{}", ended.words);
}

/// How a store says that somebody else has the lock.
pub(crate) fn refusal(door: &Door) -> StatusCode {
    match door {
        Door::Tfstate { .. } => StatusCode::LOCKED,
        Door::Bucket { .. } => StatusCode::PRECONDITION_FAILED,
    }
}
