//! Moving a state from one backend of Terraform to another with `init -migrate-state`.

use super::Store;
use crate::door::Door;
use crate::terraform::Workspace;

/// From the folder to the store, and back.
pub(crate) async fn there_and_back(store: &Store<'_>) {
    let state = "migration/from-local";
    let mut workspace = Workspace::local();
    workspace.run(["init"]).await.done();
    workspace.apply("one").await.done();

    workspace.keep_at(&store.door, state);
    migrate(&workspace).await;
    workspace.settled("one").await;
    workspace.apply("two").await.done();
    assert_eq!(workspace.pull().await.value(), "two");
    store.is_free(state).await;

    workspace.keep_here();
    migrate(&workspace).await;
    assert!(workspace.has("terraform.tfstate"));
    workspace.settled("two").await;
    workspace.apply("three").await.done();
    let stayed = Workspace::new(&store.door, state).await;
    assert_eq!(stayed.pull().await.value(), "two", "what was there before stays there");
    store.is_free(state).await;
}

/// Between this store and another one of Terraform's backends, and back.
pub(crate) async fn between(store: &Store<'_>, other: &Door) {
    let state = "migration/between";
    let mut workspace = Workspace::new(other, state).await;
    workspace.apply("one").await.done();
    for (door, value) in [(&store.door, "two"), (other, "three")] {
        let before = workspace.pull().await;
        // Both are read and written in one `init`: the variables of both are needed.
        let reached_before = workspace.variables().to_vec();
        workspace.keep_at(door, state);
        for (name, value) in reached_before {
            workspace.set(&name, &value);
        }
        migrate(&workspace).await;
        assert_eq!(workspace.pull().await.value(), before.value());
        workspace.settled(before.value()).await;
        workspace.apply(value).await.done();
        store.is_free(state).await;
    }
}

async fn migrate(workspace: &Workspace) {
    workspace.run(["init", "-migrate-state", "-force-copy"]).await.done();
}
