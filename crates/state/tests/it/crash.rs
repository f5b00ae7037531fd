//! Processes that write are killed at any moment. Afterwards the document names complete versions only, and every version
//! that a process had called safe is among them.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use alfred_model::state::{BlobKey, Checksum};
use alfred_state::Backend;
use alfred_state::backend::{OpenOptions, open};
use alfred_testing::nats;
use sha2::{Digest as _, Sha256};

use crate::bucket::{BUCKET, Bucket, Fault};
use crate::fixture::{name, nats_server, noise, postgres_address, seams, sqlite_address};

/// `examples/write_states.rs`, which `cargo test` builds beside the tests, and nextest does not.
fn program() -> PathBuf {
    let deps = std::env::current_exe().unwrap();
    let program = deps.parent().unwrap().parent().unwrap().join("examples/write_states");
    let mend = "`cargo build --workspace --example write_states` builds it, and `cargo xtask test` does so by itself";
    assert!(program.is_file(), "`{}` is not there: {mend}", program.display());
    program
}

fn writer(address: &str, count: usize, lengths: &[usize]) -> Command {
    let mut command = Command::new(program());
    command.arg(address).arg(count.to_string()).args(lengths.iter().map(usize::to_string));
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

/// Kills the writer as soon as it has called so many versions safe and `pause` has passed. Answers which ones it called
/// safe.
fn kill_after(mut child: Child, versions: usize, pause: Duration) -> Vec<String> {
    let output = BufReader::new(child.stdout.take().unwrap());
    let mut lines = output.lines().map(Result::unwrap);
    let mut said: Vec<String> = lines.by_ref().take(versions).collect();
    std::thread::sleep(pause);
    child.kill().unwrap();
    said.extend(lines);
    child.wait().unwrap();
    said
}

/// Looks at the store as the next process finds it. Answers how many versions there are.
async fn check(backend: &dyn Backend, said: &[String]) -> usize {
    let state = name("killed");
    let document = backend.document(&state).await.unwrap().unwrap();
    let text = String::from_utf8(document.content.to_vec()).unwrap();
    for (line, serial) in text.lines().zip(1..) {
        let key = BlobKey::from_key(line).unwrap();
        assert_eq!(key.version.serial, serial);
        let content = backend.blob(&state, &key).await.unwrap().unwrap_or_else(|| panic!("version {serial} is gone"));
        let digest = content.0.iter().fold(Sha256::new(), Sha256::chain_update).finalize();
        assert_eq!(Checksum(digest.into()), key.version.sha256, "version {serial} is torn");
    }
    for line in said {
        let key = line.strip_prefix("safe: ").unwrap_or_else(|| panic!("a writer failed: {line}"));
        assert!(text.lines().any(|line| line == key), "{key} was called safe and is lost");
    }
    text.lines().count()
}

/// Starts two writers at a time and kills both, again and again.
async fn kill_again_and_again(address: &str, rounds: u64, lengths: &[usize]) {
    let mut said = Vec::new();
    for round in 0..rounds {
        let children = [0, 1].map(|_| writer(address, usize::MAX, lengths).spawn().unwrap());
        let pauses = noise(2, round + 1);
        let killing = children.into_iter().zip(pauses).map(|(child, pause)| {
            let (versions, pause) = (usize::from(pause % 3), Duration::from_micros(u64::from(pause) * 100));
            tokio::task::spawn_blocking(move || kill_after(child, versions, pause))
        });
        for killed in killing.collect::<Vec<_>>() {
            said.extend(killed.await.unwrap());
        }
    }
    let backend = open(address, &OpenOptions::new(seams())).await.unwrap();
    let versions = check(&*backend, &said).await;
    println!("{}: {} kills, {versions} versions, {} of them called safe", backend.place(), rounds * 2, said.len());
    assert!(said.len() as u64 >= rounds / 2, "hardly anything was written");
    // The next one gets through.
    let output = writer(address, 1, lengths).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[tokio::test]
async fn in_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    kill_again_and_again(&folder.path().display().to_string(), 60, &[300, 200_000]).await;
}

/// Whether a process's system calls can be told and stopped here; says so for `test` if not.
fn can_trace(test: &str) -> bool {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o", "/dev/null", "true"]).stdin(Stdio::null()).stderr(Stdio::null());
    let can = command.status().is_ok_and(|status| status.success());
    if !can {
        println!("\ncould not run: {test}: `strace` is not there, or may not trace");
    }
    can
}

/// Here every one of some system calls is a step: the writer is killed when it makes it. Names are as on any of Linux's
/// architectures, those that one of them does not have with a `?` before them.
async fn kill_at_each_call(calls: &[&str], address_in: impl Fn(&tempfile::TempDir) -> String) {
    let mut kills = 0;
    for calls in calls {
        for number in 1.. {
            let folder = tempfile::tempdir().unwrap();
            let address = address_in(&folder);
            let (trace, inject) = (format!("trace={calls}"), format!("inject={calls}:signal=KILL:when={number}"));
            let mut command = Command::new("strace");
            command.args(["-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject]).arg(program());
            command.args([&address, "3", "300"]).stdin(Stdio::null()).stderr(Stdio::null());
            let output = command.output().unwrap();
            let said: Vec<String> = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
            let backend = open(&address, &OpenOptions::new(seams())).await.unwrap();
            if backend.document(&name("killed")).await.unwrap().is_some() {
                check(&*backend, &said).await;
            } else {
                assert!(said.is_empty(), "{said:?} were called safe and are lost");
            }
            if output.status.success() {
                break;
            }
            kills += 1;
            // The next one gets through.
            assert!(writer(&address, 1, &[300]).output().unwrap().status.success());
        }
    }
    println!("{kills} kills, at each of these system calls: {calls:?}");
    assert!(kills >= 30, "{kills}");
}

#[tokio::test]
async fn in_a_folder_at_each_system_call() {
    const CALLS: [&str; 7] =
        ["openat", "write", "fsync", "linkat,?link", "unlinkat,?unlink", "mkdirat,?mkdir", "flock"];
    if can_trace("crash::in_a_folder_at_each_system_call") {
        kill_at_each_call(&CALLS, |folder| folder.path().join("states").display().to_string()).await;
    }
}

#[tokio::test]
async fn in_sqlite_at_each_system_call() {
    const CALLS: [&str; 4] = ["pwrite64", "fdatasync,fsync", "unlinkat,?unlink", "ftruncate"];
    if can_trace("crash::in_sqlite_at_each_system_call") {
        kill_at_each_call(&CALLS, sqlite_address).await;
    }
}

#[tokio::test]
async fn in_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    kill_again_and_again(&sqlite_address(&folder), 40, &[300, 1_500_000]).await;
}

#[tokio::test]
async fn in_postgresql() {
    kill_again_and_again(&postgres_address(), 20, &[300, 1_500_000]).await;
}

#[tokio::test]
async fn in_nats() {
    let Some(server) = nats_server("crash::in_nats", &nats::Settings::default()) else { return };
    kill_again_and_again(&server.url(), 30, &[300, 1_500_000]).await;
}

/// Here every request is a step: the writer is killed before and after each.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_bucket_at_each_request() {
    let lengths = [300, (8 << 20) + 1];
    let mut kills = 0;
    for step in 1.. {
        let mut was_killed = false;
        for fault in [Fault::Before(503), Fault::Silence] {
            let bucket = Bucket::start().await;
            let options = bucket.options();
            let mut command = writer(&format!("r2://{BUCKET}"), 3, &lengths);
            command.env("R2_ENDPOINT", options.endpoint.as_ref().unwrap());
            command.env("AWS_ACCESS_KEY_ID", "AKIDTEST").env("AWS_SECRET_ACCESS_KEY", "secret-of-the-test");
            let child = Arc::new(Mutex::new(command.spawn().unwrap()));
            let (output, mut number) = (child.lock().unwrap().stdout.take().unwrap(), 0);
            bucket.set_faults({
                let child = Arc::clone(&child);
                move |_| {
                    number += 1;
                    (number == step).then(|| {
                        child.lock().unwrap().kill().unwrap();
                        fault
                    })
                }
            });
            let said =
                tokio::task::spawn_blocking(|| BufReader::new(output).lines().map(Result::unwrap).collect::<Vec<_>>());
            let said = said.await.unwrap();
            let status = tokio::task::spawn_blocking(move || child.lock().unwrap().wait().unwrap()).await.unwrap();
            was_killed = !status.success();
            kills += usize::from(was_killed);
            bucket.heal();
            let backend = bucket.open_at("").await;
            if backend.document(&name("killed")).await.unwrap().is_some() {
                check(&backend, &said).await;
            } else {
                assert!(said.is_empty(), "{said:?} were called safe and are lost");
            }
        }
        if !was_killed {
            break;
        }
    }
    println!("{kills} kills, before and after each request");
    assert!(kills >= 2 * 12);
}
