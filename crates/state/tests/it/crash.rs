//! Processes that write are killed at any moment, and at each step that the store lets one tell: a system call, a request, a
//! message. Afterwards the document names complete versions only, and every version that a process had called safe is among
//! them.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use alfred_model::state::{BlobKey, Checksum};
use alfred_state::Backend;
use alfred_state::backend::{OpenOptions, open};
use alfred_testing::nats;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use sqlx::Connection as _;

use crate::bucket::{BUCKET, Bucket, Fault};
use crate::fixture::{name, nats_server, noise, postgres_address, seams, sqlite_address};
use crate::messages::{Messages, Server, Side};

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
            let (running, mut number) = (Running::start(command), 0);
            bucket.set_faults({
                let child = Arc::clone(&running.0);
                move |_| {
                    number += 1;
                    (number == step).then(|| {
                        child.lock().unwrap().kill().unwrap();
                        fault
                    })
                }
            });
            let (said, ended_well) = running.end().await;
            was_killed = !ended_well;
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

/// A writer that may be ended from elsewhere, and what it says.
struct Running(Arc<Mutex<Child>>);

impl Running {
    fn start(mut command: Command) -> Self {
        Self(Arc::new(Mutex::new(command.spawn().unwrap())))
    }

    /// Waits until it has ended. Answers which versions it called safe, and whether it came to its own end.
    async fn end(self) -> (Vec<String>, bool) {
        let output = self.0.lock().unwrap().stdout.take().unwrap();
        let waiting = tokio::task::spawn_blocking(move || {
            let said: Vec<String> = BufReader::new(output).lines().map(Result::unwrap).collect();
            (said, self.0.lock().unwrap().wait().unwrap().success())
        });
        waiting.await.unwrap()
    }
}

/// Here every message that goes over its connections is a step: the writer is killed instead of passing on message number
/// `step`, its own or the server's. `direct` is the address of the store, `through` the same by way of somebody in between.
/// Answers whose message that was; nothing, if there are not so many.
async fn kill_at_message(
    step: usize,
    server: Server,
    direct: &str,
    through: impl Fn(SocketAddr) -> String,
    lengths: &[usize],
) -> Option<Side> {
    let running = Arc::new(Mutex::new(None::<Arc<Mutex<Child>>>));
    let messages = Messages::start(server, step, {
        let running = Arc::clone(&running);
        move || running.lock().unwrap().as_ref().unwrap().lock().unwrap().kill().unwrap()
    });
    let messages = messages.await;
    let writing = {
        // Nothing is passed on before it is known whom to kill.
        let mut running = running.lock().unwrap();
        let writing = Running::start(writer(&through(messages.address), lengths.len(), lengths));
        *running = Some(Arc::clone(&writing.0));
        writing
    };
    let (said, ended_well) = writing.end().await;
    let backend = open(direct, &OpenOptions::new(seams())).await.unwrap();
    if backend.document(&name("killed")).await.unwrap().is_some() {
        check(&*backend, &said).await;
    } else {
        assert!(said.is_empty(), "{said:?} were called safe and are lost");
    }
    if ended_well {
        assert_eq!(said.len(), lengths.len());
        return None;
    }
    // The next one gets through.
    let output = writer(direct, 1, &[300]).output().unwrap();
    assert!(output.status.success(), "after message {step}: {}", String::from_utf8_lossy(&output.stdout));
    Some(messages.ended_at().unwrap_or_else(|| panic!("it failed by itself before message {step}: {said:?}")))
}

/// How many times a writer was killed, by whose message it did not get rid of.
#[derive(Default)]
struct Kills {
    own: usize,
    answers: usize,
}

impl Kills {
    fn count(&mut self, side: Side) {
        match side {
            Side::Client => self.own += 1,
            Side::Server => self.answers += 1,
        }
    }
}

/// A user with the usual password, kept after one round of hashing instead of 4,096: unoptimised programs take long over
/// those, and this test logs in some thousand times.
const QUICK_USER: &str = "DO $$ BEGIN CREATE ROLE quick SUPERUSER LOGIN PASSWORD \
     'SCRAM-SHA-256$1:YWxmcmVkIG9mIHRlc3RzIQ==$x94vqTH9bpoMZTb2h2V499tQrU3RSewZUH/tFP7Muf8=:x11DfTBx1cTDgUtTJGGktlk2mVmCUDYmBT2VzQKD0lc='; \
     EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_postgresql_at_each_message() {
    let address = postgres_address();
    let mut connection = sqlx::PgConnection::connect(&address).await.unwrap();
    sqlx::raw_sql(QUICK_USER).execute(&mut connection).await.unwrap();
    let address = address.replace("//alfred:", "//quick:");
    let (login, place) = address.split_once('@').unwrap();
    let database = place.rsplit_once('/').unwrap().1;
    let socket = alfred_testing::postgres::Server::shared().unwrap().folder().join(".s.PGSQL.5432");
    let through = |proxy: SocketAddr| format!("{login}@{proxy}/{database}?sslmode=disable");
    // One chunk, and two.
    let lengths = [300, 1_100_000];
    let mut kills = Kills::default();
    for step in 1.. {
        sqlx::raw_sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public").execute(&mut connection).await.unwrap();
        match kill_at_message(step, Server::Postgres(socket.clone()), &address, through, &lengths).await {
            Some(side) => kills.count(side),
            None => break,
        }
    }
    println!("{} kills before an own message, {} before an answer", kills.own, kills.answers);
    assert!(kills.own >= 80 && kills.answers >= 120, "hardly anything was tried");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_nats_at_each_message() {
    // Short messages, so that a content is many pieces.
    let settings = nats::Settings { max_payload: Some(64 << 10), ..nats::Settings::default() };
    let Some(server) = nats_server("crash::in_nats_at_each_message", &settings) else { return };
    let url = server.url();
    let (login, place) = url.split_once('@').unwrap();
    let lengths = [300, 400_000];
    let (mut kills, mut broken_off) = (Kills::default(), 0);
    for step in 1.. {
        let through = |proxy: SocketAddr| format!("{login}@{proxy}/step-{step}");
        let place = Server::Nats(place.parse().unwrap());
        let direct = format!("{url}/step-{step}");
        match kill_at_message(step, place, &direct, through, &lengths).await {
            Some(side) => kills.count(side),
            None => break,
        }
        // What the killed one had sent of a content goes without a trace, and nothing else does.
        let backend = open(&direct, &OpenOptions::new(seams())).await.unwrap();
        broken_off += backend.forget_uploads(Timestamp::MAX).await.unwrap();
        check(&*backend, &[]).await;
        assert_eq!(backend.forget_uploads(Timestamp::MAX).await.unwrap(), 0);
    }
    println!("{} kills before an own message, {} before an answer", kills.own, kills.answers);
    println!("{broken_off} uploads were broken off between their pieces");
    assert!(kills.own >= 18 && kills.answers >= 16 && broken_off >= 7, "hardly anything was tried");
}
