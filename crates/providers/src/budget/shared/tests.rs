use std::sync::atomic::AtomicBool;

use tokio::time::Instant;

use super::super::{Budget, DEFAULT_SHARE};
use super::*;
use crate::testing::{Counting, TokioClock, with_header};

/// A text in memory that takes its time, fails where asked to, and counts.
#[derive(Default)]
struct Paper {
    text: Mutex<Option<VersionedText>>,
    reads: AtomicU32,
    swaps: AtomicU32,
    fails: AtomicBool,
    slow: AtomicU32,
}

impl Paper {
    async fn pass(&self, count: &AtomicU32) -> Result<(), String> {
        count.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(1 + u64::from(self.slow.load(Ordering::Relaxed)))).await;
        if self.fails.load(Ordering::Relaxed) { Err("the database went away".to_owned()) } else { Ok(()) }
    }

    fn write(&self, text: &str) {
        let mut held = self.text.lock().unwrap();
        let version = held.as_ref().map_or(1, |held| held.version + 1);
        *held = Some(VersionedText { text: text.to_owned(), version });
    }

    fn calls(&self) -> (u32, u32) {
        (self.reads.load(Ordering::Relaxed), self.swaps.load(Ordering::Relaxed))
    }
}

#[async_trait]
impl SharedText for Paper {
    async fn read(&self) -> Result<Option<VersionedText>, String> {
        self.pass(&self.reads).await?;
        Ok(self.text.lock().unwrap().clone())
    }

    async fn swap(&self, expected: Option<i64>, text: &str) -> Result<bool, String> {
        self.pass(&self.swaps).await?;
        if self.text.lock().unwrap().as_ref().map(|held| held.version) != expected {
            return Ok(false);
        }
        self.write(text);
        Ok(true)
    }
}

struct Replicas {
    paper: Arc<Paper>,
    clock: Arc<TokioClock>,
    random: Arc<Counting>,
    share: u32,
}

impl Replicas {
    fn new(share: u32) -> Self {
        Self { paper: Arc::default(), clock: TokioClock::start(), random: Arc::default(), share }
    }

    fn one(&self) -> Arc<Budget> {
        let (paper, clock, random) = (self.paper.clone(), self.clock.clone(), self.random.clone());
        let ledger = SharedLedger::new(paper, clock.clone(), random, Allowance::of_share(self.share));
        Budget::over(clock, Arc::new(ledger))
    }
}

async fn take(budget: &Arc<Budget>, priority: Priority, count: u32) {
    let calls = (0..count).map(|_| budget.acquire(priority));
    drop(futures::future::join_all(calls).await);
}

async fn soon(budget: &Arc<Budget>, priority: Priority) -> bool {
    tokio::time::timeout(Duration::from_secs(20), budget.acquire(priority)).await.is_ok()
}

fn answer(status: u16, name: &'static str, value: &'static str) -> http::Response<bytes::Bytes> {
    let answer = http::Response::builder().status(status).body(bytes::Bytes::new()).unwrap();
    with_header(Ok(answer), name, value).unwrap()
}

#[tokio::test(start_paused = true)]
async fn replicas_share_one_count_and_its_reserves() {
    let replicas = Replicas::new(DEFAULT_SHARE);
    let (one, other) = (replicas.one(), replicas.one());
    take(&one, Priority::Audit, 703).await;
    assert!(!soon(&other, Priority::Audit).await, "what is left is reserved");
    assert!(soon(&other, Priority::Read).await);
    take(&other, Priority::NewName, 280).await;
    take(&other, Priority::Deletion, 30).await;
    assert!(soon(&one, Priority::Deletion).await);
    let first = Instant::now();
    take(&one, Priority::Deletion, 60).await;
    assert!(first.elapsed() > Duration::from_secs(200), "only when the first calls are over: {:?}", first.elapsed());
}

#[tokio::test(start_paused = true)]
async fn under_load_a_swap_serves_many_and_waiting_costs_nothing() {
    let replicas = Replicas::new(DEFAULT_SHARE);
    let (one, other) = (replicas.one(), replicas.one());
    take(&one, Priority::Deletion, 800).await;
    let (reads, swaps) = replicas.paper.calls();
    assert!(reads <= 60 && swaps <= 60, "800 calls took {reads} reads and {swaps} swaps");
    take(&other, Priority::Deletion, 217).await;
    let before = replicas.paper.calls();
    for budget in [&one, &other] {
        for priority in [Priority::Deletion, Priority::Deletion] {
            assert!(!soon(budget, priority).await);
        }
    }
    let (reads, swaps) = (replicas.paper.calls().0 - before.0, replicas.paper.calls().1 - before.1);
    assert!(reads <= 2 && swaps == 0, "80 s of waiting took {reads} reads and {swaps} swaps");
}

#[tokio::test(start_paused = true)]
async fn a_429_seen_by_one_holds_for_all() {
    let replicas = Replicas::new(DEFAULT_SHARE);
    let (one, other) = (replicas.one(), replicas.one());
    take(&other, Priority::Read, 1).await;
    let began = Instant::now();
    one.acquire(Priority::Read).await.answered(&answer(429, "retry-after", "120"));
    // Nobody waits at `one`: it tells the others nevertheless.
    tokio::time::sleep(Duration::from_secs(1)).await;
    drop(other.acquire(Priority::Deletion).await);
    assert!(began.elapsed() >= Duration::from_mins(2), "{:?}", began.elapsed());
    assert!(began.elapsed() < Duration::from_secs(122), "and no longer: {:?}", began.elapsed());
    assert!(soon(&one, Priority::Read).await);
}

#[tokio::test(start_paused = true)]
async fn what_the_server_counts_is_told_with_the_next_call() {
    let replicas = Replicas::new(DEFAULT_SHARE);
    let (one, other) = (replicas.one(), replicas.one());
    let mut low = answer(200, "ratelimit", r#""default";r=125;t=100"#);
    low.headers_mut().insert("ratelimit-policy", r#""default";q=1200;w=300"#.parse().unwrap());
    one.acquire(Priority::Read).await.answered(&low);
    assert_eq!(one.remaining(), 5);
    take(&one, Priority::Read, 1).await;
    let began = Instant::now();
    take(&other, Priority::Deletion, 4).await;
    assert!(began.elapsed() < Duration::from_secs(5));
    take(&other, Priority::Deletion, 1).await;
    assert!(began.elapsed() >= Duration::from_secs(95), "{:?}", began.elapsed());
    // A note that is kept for long does not make the newer calls of others older than they are.
    one.acquire(Priority::Read).await.answered(&low);
    take(&other, Priority::Deletion, 3).await;
    tokio::time::sleep(Duration::from_secs(90)).await;
    take(&other, Priority::Deletion, 9).await;
    take(&one, Priority::Deletion, 1).await;
    let slots = Ledger::from_text(&replicas.paper.text.lock().unwrap().as_ref().unwrap().text).unwrap();
    let remaining =
        |seconds| slots.remaining(Allowance::default(), replicas.clock.now() + Duration::from_secs(seconds));
    assert_eq!((remaining(15), remaining(290)), (1_080 - 21, 1_080 - 10));
}

#[tokio::test(start_paused = true)]
async fn without_the_ledger_calls_wait() {
    let replicas = Replicas::new(DEFAULT_SHARE);
    let budget = replicas.one();
    replicas.paper.fails.store(true, Ordering::Relaxed);
    assert!(!soon(&budget, Priority::Deletion).await);
    assert!((2..=20).contains(&replicas.paper.calls().0), "{:?}", replicas.paper.calls());
    let began = Instant::now();
    let waiting = tokio::spawn(async move { drop(budget.acquire(Priority::Deletion).await) });
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert!(!waiting.is_finished());
    replicas.paper.fails.store(false, Ordering::Relaxed);
    waiting.await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(75), "it recovers by itself: {:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_ledger_is_kept_and_grants_nothing() {
    let replicas = Replicas::new(DEFAULT_SHARE);
    replicas.paper.write("{}");
    let budget = replicas.one();
    assert!(!soon(&budget, Priority::Deletion).await);
    assert_eq!(
        (replicas.paper.calls().1, replicas.paper.text.lock().unwrap().as_ref().unwrap().text.as_str()),
        (0, "{}")
    );
}

#[tokio::test(start_paused = true)]
async fn a_grant_that_comes_too_late_is_given_up() {
    let replicas = Replicas::new(DEFAULT_SHARE);
    let budget = replicas.one();
    replicas.paper.slow.store(10_000, Ordering::Relaxed);
    let waiting = tokio::spawn({
        let budget = budget.clone();
        async move { drop(budget.acquire(Priority::Deletion).await) }
    });
    tokio::time::sleep(Duration::from_secs(35)).await;
    assert!(!waiting.is_finished());
    replicas.paper.slow.store(0, Ordering::Relaxed);
    waiting.await.unwrap();
    let counted = 1_080 - budget.remaining();
    assert!((2..=3).contains(&counted), "what was given up stays counted: {counted}");
}

#[test]
fn replicas_that_race_never_take_more_than_there_is() {
    for seed in 0..8_u32 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let times = runtime.block_on(async {
            let replicas = Replicas::new(10);
            let times = Arc::new(Mutex::new(Vec::new()));
            let mut tasks = Vec::new();
            for number in 0..15_u32 {
                let budget = replicas.one();
                for call in 0..40_u32 {
                    let (budget, times) = (budget.clone(), times.clone());
                    tasks.push(tokio::spawn(async move {
                        tokio::time::sleep(Duration::from_millis(u64::from(
                            (number * 7 + call * 13 * (seed + 1)) % 900,
                        )))
                        .await;
                        drop(budget.acquire(Priority::ALL[usize::try_from((number + call) % 4).unwrap()]).await);
                        times.lock().unwrap().push(Instant::now());
                    }));
                }
            }
            for task in tasks {
                task.await.unwrap();
            }
            std::mem::take(&mut *times.lock().unwrap())
        });
        assert_eq!(times.len(), 600);
        for (first, last) in times.iter().zip(times.iter().skip(120)) {
            assert!(*last - *first >= super::super::WINDOW, "seed {seed}: {:?}", *last - *first);
        }
    }
}
