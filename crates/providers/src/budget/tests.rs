use std::sync::Mutex as StdMutex;
use std::time::Duration;

use proptest::prelude::*;
use tokio::time::Instant;

use super::*;
use crate::testing::{TokioClock, with_header};

const PRIORITIES: [Priority; 4] = [Priority::Deletion, Priority::NewName, Priority::Read, Priority::Audit];

fn answer(status: u16, name: &'static str, value: &'static str) -> http::Response<Bytes> {
    let answer = Ok(http::Response::builder().status(status).body(Bytes::new()).unwrap());
    with_header(answer, name, value).unwrap()
}

fn simulated<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(work)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_window_holds_more_than_its_share(share in 1_u32..=100, gaps in prop::collection::vec((0_u64..900, 0_usize..4), 1..2_500)) {
        let times = simulated(async {
            let budget = Budget::new(TokioClock::start(), share);
            let times = Arc::new(StdMutex::new(Vec::new()));
            let mut tasks = Vec::new();
            for (gap, priority) in gaps {
                tokio::time::sleep(Duration::from_millis(gap)).await;
                let (budget, times) = (budget.clone(), times.clone());
                tasks.push(tokio::spawn(async move {
                    drop(budget.acquire(PRIORITIES[priority]).await);
                    times.lock().unwrap().push(Instant::now());
                }));
            }
            let count = tasks.len();
            for task in tasks {
                task.await.unwrap();
            }
            let times = times.lock().unwrap().clone();
            assert_eq!(times.len(), count, "everybody is served in the end");
            times
        });
        let allowed = usize::try_from((LIMIT * share / 100).max(1)).unwrap();
        for (first, last) in times.iter().zip(times.iter().skip(allowed)) {
            prop_assert!(*last - *first >= WINDOW, "{allowed} calls and one more within {:?}", *last - *first);
        }
    }

    #[test]
    fn after_a_429_no_call_before_its_end(wait in 0_u64..100_000, callers in 1_usize..20) {
        simulated(async {
            let budget = Budget::new(TokioClock::start(), DEFAULT_SHARE);
            let permit = budget.acquire(Priority::Read).await;
            // These wait for nothing yet; their answers come late.
            let late = budget.acquire(Priority::Read).await;
            let mut refusal = answer(429, "retry-after", "0");
            refusal.headers_mut().insert("retry-after", wait.max(1).to_string().parse().unwrap());
            permit.answered(&refusal);
            late.answered(&answer(429, "retry-after", "1"));
            let began = Instant::now();
            for caller in 0..callers {
                budget.acquire(PRIORITIES[caller % 4]).await;
                assert!(began.elapsed() >= Duration::from_secs(wait.clamp(1, 86_400)), "after {:?}", began.elapsed());
            }
        });
    }
}

#[tokio::test(start_paused = true)]
async fn a_429_without_a_word_lasts_as_long_as_the_block() {
    let budget = Budget::new(TokioClock::start(), DEFAULT_SHARE);
    budget.acquire(Priority::Read).await.answered(&answer(429, "x", "y"));
    assert_eq!((budget.remaining(), budget.blocked_until()), (0, Some(budget.now() + WINDOW)));
    let began = Instant::now();
    budget.acquire(Priority::Deletion).await;
    assert!(began.elapsed() >= WINDOW);
}

#[tokio::test(start_paused = true)]
async fn the_servers_count_is_believed_where_it_is_lower() {
    let budget = Budget::new(TokioClock::start(), DEFAULT_SHARE);
    assert_eq!(budget.remaining(), 1_080);
    let mut reading = answer(200, "ratelimit", r#""default";r=123;t=30, "other";r=9000;t=2"#);
    reading.headers_mut().insert("ratelimit-policy", r#""default";q=1200;w=300"#.parse().unwrap());
    budget.acquire(Priority::Read).await.answered(&reading);
    assert_eq!(budget.remaining(), 3, "120 of 1,200 are kept back");
    // An answer that was overtaken does not raise the count again.
    let overtaken = answer(200, "ratelimit", r#""default";r=900;t=30"#);
    budget.acquire(Priority::Read).await.answered(&overtaken);
    assert_eq!(budget.remaining(), 2);
    let began = Instant::now();
    for _ in 0..2 {
        drop(budget.acquire(Priority::Read).await);
    }
    assert!(began.elapsed() < Duration::from_secs(30));
    drop(budget.acquire(Priority::Read).await);
    assert!(began.elapsed() >= Duration::from_secs(30));
    assert!(budget.remaining() > 1_000, "afterwards our own count holds again");
}

/// Uses up all calls that the smallest budget has for deletions: nine of twelve, three being set aside for the others.
async fn use_up(budget: &Arc<Budget>) {
    for _ in 0..9 {
        drop(budget.acquire(Priority::Deletion).await);
    }
}

#[tokio::test(start_paused = true)]
async fn priority_goes_first_and_nobody_waits_for_ever() {
    let budget = Budget::new(TokioClock::start(), 1);
    use_up(&budget).await;
    let order = Arc::new(StdMutex::new(Vec::new()));
    let mut tasks = Vec::new();
    // All audits come first, and deletions are more than there are calls.
    for priority in [Priority::Audit, Priority::Read, Priority::NewName, Priority::Deletion] {
        for _ in 0..30 {
            let (budget, order) = (budget.clone(), order.clone());
            tasks.push(tokio::spawn(async move {
                drop(budget.acquire(priority).await);
                order.lock().unwrap().push(priority);
            }));
        }
    }
    for task in tasks {
        task.await.unwrap();
    }
    let order = order.lock().unwrap().clone();
    // The first three windows: the trickles, and all else for deletions.
    let begin = &order[..3 + 2 * 12];
    let count = |priority| begin.iter().filter(|it| **it == priority).count();
    assert_eq!(PRIORITIES.map(count), [18, 3, 3, 3], "{begin:?}");
    let last_of = |priority| order.iter().rposition(|it| *it == priority).unwrap();
    assert!(last_of(Priority::Deletion) < last_of(Priority::NewName));
    assert!(last_of(Priority::NewName) < last_of(Priority::Read));
    assert!(last_of(Priority::Read) < last_of(Priority::Audit));
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_gives_up_gives_its_turn_to_the_next() {
    let budget = Budget::new(TokioClock::start(), 1);
    use_up(&budget).await;
    drop(budget.acquire(Priority::Audit).await);
    let first = tokio::spawn({
        let budget = budget.clone();
        async move { budget.acquire(Priority::Deletion).await }
    });
    let second = tokio::spawn({
        let budget = budget.clone();
        async move { drop(budget.acquire(Priority::Audit).await) }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    first.abort();
    second.await.unwrap();
    assert!(first.await.unwrap_err().is_cancelled());
}

#[tokio::test(start_paused = true)]
async fn an_address_makes_two_hundred_calls_a_second() {
    let budget = Budget::new(TokioClock::start(), 100);
    let began = Instant::now();
    let mut times = Vec::new();
    for _ in 0..900 {
        drop(budget.acquire(Priority::Deletion).await);
        times.push(began.elapsed());
    }
    for (first, last) in times.iter().zip(times.iter().skip(200)) {
        let span = last.saturating_sub(*first);
        assert!(span >= Duration::from_secs(1), "200 calls and one more within {span:?}");
    }
    assert!(times[899] < Duration::from_secs(5), "and they do not wait for longer: {:?}", times[899]);
}

#[tokio::test(start_paused = true)]
async fn whoever_goes_away_while_waiting_costs_no_call() {
    let budget = Budget::new(TokioClock::start(), 1);
    use_up(&budget).await;
    for _ in 0..50 {
        let gone = tokio::time::timeout(Duration::from_secs(2), budget.acquire(Priority::Deletion)).await;
        assert!(gone.is_err());
    }
    tokio::time::sleep(WINDOW * 2).await;
    assert_eq!(budget.remaining(), 12);
    assert!(!budget.lock().served, "with nobody waiting, no task runs");
}
