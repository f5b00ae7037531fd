//! The ordinary course: `init`, `plan`, `apply`, `destroy`, `state pull` and `state push`.

use super::Store;
use crate::terraform::{Pulled, Workspace};

/// From the first `init` to `destroy`.
pub(crate) async fn from_init_to_destroy(store: &Store<'_>) {
    let state = "life/first";
    let workspace = Workspace::new(&store.door, state).await;
    let planned = workspace.run(["plan", "-detailed-exitcode"]).await;
    assert_eq!(planned.code, Some(2), "there is something to do: {}", planned.words);
    assert_eq!(workspace.pull().await.serial(), 0, "a plan writes nothing");

    workspace.apply("one").await.done();
    let first = workspace.pull().await;
    assert_eq!((first.serial(), first.value()), (1, "one"));
    workspace.settled("one").await;
    workspace.apply("one").await.done();
    assert_eq!(workspace.pull().await, first, "an apply that changes nothing writes nothing");

    workspace.apply("two").await.done();
    let second = workspace.pull().await;
    assert_eq!((second.serial(), second.value(), second.lineage()), (2, "two", first.lineage()));

    let another = Workspace::new(&store.door, state).await;
    another.settled("two").await;
    another.run(["destroy", "-auto-approve"]).await.done();
    let last = workspace.pull().await;
    assert_eq!((last.serial(), last.lineage()), (3, first.lineage()));
    assert_eq!(last.0["resources"], serde_json::json!([]));
    store.has_versions(state, [1, 2, 3]).await;
    if let Some(ours) = store.ours {
        for version in [&first, &second, &last] {
            let kept = ours.version(state, version.serial()).await;
            assert_eq!(&Pulled(kept), version, "every version can be read back");
        }
    }
    store.is_free(state).await;
}

/// What was pulled can be pushed with a higher serial; an older serial and another lineage are refused, by Terraform and,
/// when it is told to push all the same, by us.
pub(crate) async fn push_and_pull(store: &Store<'_>) {
    let state = "life/push";
    let workspace = Workspace::new(&store.door, state).await;
    workspace.apply("one").await.done();
    let first = workspace.pull().await;

    // Terraform counts on when it pushes something else than what is there.
    let mut changed = first.clone();
    changed.0["serial"] = 7.into();
    push(&workspace, &changed, false).await.done();
    let pushed = workspace.pull().await;
    assert_eq!((pushed.serial(), pushed.value(), pushed.lineage()), (8, "one", first.lineage()));
    push(&workspace, &pushed, false).await.done();
    assert_eq!(workspace.pull().await, pushed);

    push(&workspace, &first, false)
        .await
        .failed_with("cannot import state with serial 1 over newer state with serial 8");
    let mut foreign = pushed.clone();
    foreign.0["lineage"] = "9d6a2ef2-7c1f-4f4b-9c65-000000000000".into();
    foreign.0["serial"] = 20.into();
    push(&workspace, &foreign, false).await.failed_with("lineage");

    if let Some(ours) = store.ours {
        for refused in [&first, &foreign] {
            push(&workspace, refused, true).await.failed_with("409");
        }
        assert_eq!(workspace.pull().await, pushed, "what was refused is not there");
        assert_eq!(ours.serials(state).await, [1, 8]);
    }
    workspace.apply("two").await.done();
    assert_eq!(workspace.pull().await.serial(), 9);
    store.is_free(state).await;
}

async fn push(workspace: &Workspace, state: &Pulled, force: bool) -> crate::terraform::Ended {
    std::fs::write(workspace.path("pushed.json"), state.0.to_string()).unwrap();
    if force {
        workspace.run(["state", "push", "-force", "pushed.json"]).await
    } else {
        workspace.run(["state", "push", "pushed.json"]).await
    }
}
