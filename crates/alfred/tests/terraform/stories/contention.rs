//! Many applies of one state at once.

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;

use super::Store;
use super::locks::refusal;
use crate::proxy::{Call, Proxy};
use crate::terraform::{Gate, Workspace, end_of};

/// So many applies begin at the same time.
const APPLIES: usize = 50;

/// So many times.
const ROUNDS: usize = 2;

/// So many that wait for each other. Terraform asks again after 1, 2, 4, 8 and then every 16 seconds.
const PATIENT: usize = 6;

/// Of applies that begin at once exactly one gets the lock: it holds it until all others have ended, each with an error that
/// names the holder. Nothing that was written is lost, and nothing else is written.
pub(crate) async fn one_of_fifty(store: &Store<'_>) {
    let state = "contention/fifty";
    let proxy = Proxy::start(store.door.origin()).await;
    let workspace = Workspace::new(&store.door.through(&proxy.url), state).await;
    workspace.apply("before").await.done();
    let mut written = vec![(1, "before".to_owned())];
    for round in 0..ROUNDS {
        let gate = Gate::closed();
        let gate_variable = format!("-var=gate={}", gate.file().display());
        let asked_before = proxy.seen().len();
        let mut running: FuturesUnordered<_> = (0..APPLIES)
            .map(|number| {
                let value = format!("-var=value=round-{round}-apply-{number}");
                let child = workspace.start(["apply", "-auto-approve", &value, &gate_variable]);
                async move { (number, end_of(child, "apply beside many").await) }
            })
            .collect();
        let mut refused = Vec::new();
        while refused.len() < APPLIES - 1 {
            refused.push(running.next().await.expect("one holds the lock, all others end"));
        }
        let seen = proxy.seen();
        let asked = || seen[asked_before..].iter().filter(|seen| seen.call == Call::Lock);
        let got: Vec<_> = asked().filter(|seen| seen.status.is_some_and(|status| status.is_success())).collect();
        assert_eq!(got.len(), 1, "exactly one got the lock");
        let holder = got[0].lock_id.as_deref().expect("a lock has an id");
        assert_eq!(asked().filter(|seen| seen.status == Some(refusal(&store.door))).count(), APPLIES - 1);
        for (_, ended) in &refused {
            ended.failed_with("Error acquiring the state lock");
            ended.failed_with(holder);
        }
        if let Some(ours) = store.ours {
            assert_eq!(ours.lock(state).await.as_deref(), Some(holder));
        }
        gate.open();
        let (winner, ended) = running.next().await.expect("one is left");
        ended.done();
        assert!(refused.iter().all(|(number, _)| *number != winner));
        let value = format!("round-{round}-apply-{winner}");
        assert_eq!(gate.entered(), [value.as_str()], "nobody else began to change anything");
        let serial = written.last().map_or(0, |(serial, _)| *serial) + 1;
        written.push((serial, value));
        let pulled = workspace.pull().await;
        assert_eq!((pulled.serial(), pulled.value()), (written[round + 1].0, written[round + 1].1.as_str()));
    }
    store.has_versions(state, written.iter().map(|(serial, _)| *serial)).await;
    if let Some(ours) = store.ours {
        for (serial, value) in &written {
            let version = ours.version(state, *serial).await;
            assert_eq!(version["outputs"]["value"]["value"], value.as_str(), "version {serial} is what was written");
        }
    }
    store.is_free(state).await;
}

/// Applies that wait for each other all succeed, and none overwrites what another one wrote.
pub(crate) async fn all_who_wait(store: &Store<'_>) {
    let state = "contention/waiting";
    let workspace = Workspace::new(&store.door, state).await;
    let workspace = &workspace;
    let running: FuturesUnordered<_> = (0..PATIENT)
        .map(|number| {
            let value = format!("-var=value=apply-{number}");
            let start = move || workspace.start(["apply", "-auto-approve", &value, "-lock-timeout=100s"]);
            let first = start();
            async move { store.patient(first, start).await.done() }
        })
        .collect();
    let ended: Vec<_> = running.collect().await;
    assert_eq!(ended.len(), PATIENT);
    let count = PATIENT as u64;
    assert_eq!(workspace.pull().await.serial(), count, "each of {count} changes is one serial");
    store.has_versions(state, 1..=count).await;
    if let Some(ours) = store.ours {
        let mut values = Vec::new();
        for serial in 1..=count {
            let version = ours.version(state, serial).await;
            values.push(version["outputs"]["value"]["value"].as_str().expect("a value").to_owned());
        }
        values.sort();
        let all: Vec<_> = (0..PATIENT).map(|number| format!("apply-{number}")).collect();
        assert_eq!(values, all, "each change was written once");
    }
    store.is_free(state).await;
}
