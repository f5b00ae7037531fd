//! Random wishes, random foreign records, and a crash between any two calls: whoever starts again and asks for the same
//! comes to the same end, and a second run writes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use alfred_engine::Look;
use alfred_local_cloud::cloudflare::Plan;
use alfred_model::failure::Disposition;
use alfred_providers::transport::{Transport, TransportError};
use async_trait::async_trait;
use bytes::Bytes;
use rand::RngExt as _;

use super::*;

const NAMES: u32 = 60;
const BATCH: &str = "POST /zones/{zone}/dns_records/batch";

/// Stops for ever, as a process that is killed, at the given call: before it is sent, or when its answer is there.
struct Crashing {
    wire: Arc<dyn Transport>,
    left: AtomicI64,
    after: bool,
}

#[async_trait]
impl Transport for Crashing {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, TransportError> {
        let crashes = self.left.fetch_sub(1, Ordering::Relaxed) == 0;
        if crashes && !self.after {
            std::future::pending::<()>().await;
        }
        let answer = self.wire.send(request).await;
        if crashes {
            std::future::pending::<()>().await;
        }
        answer
    }
}

/// What somebody wants of a name: an address of this generation, or nothing.
type Wishes = BTreeMap<u32, Option<u8>>;

struct Draw {
    random: StdRng,
}

impl Draw {
    fn below(&mut self, end: u32) -> u32 {
        self.random.random_range(0..end)
    }

    fn wishes(&mut self) -> Wishes {
        let count = 1 + self.below(NAMES);
        (0..count)
            .map(|_| (self.below(NAMES), (self.below(4) > 0).then(|| [1, 2, 3][self.below(3) as usize])))
            .collect()
    }

    /// Records of other people, also at our names and with our comments, altered or copied.
    async fn plant(&mut self, place: &Place) {
        let mut posts = Vec::new();
        for number in 0..NAMES {
            if self.below(6) > 0 {
                continue;
            }
            let copied = mark(number).comment(&name(number + 1));
            let mut altered = mark(number).comment(&name(number));
            altered.pop();
            let comment =
                [None, Some("a person's".to_owned()), Some(copied), Some(altered)][self.below(4) as usize].clone();
            let (kind, content) =
                [("A", "198.51.100.7"), ("CNAME", "example.com"), ("AAAA", "2001:db8::1"), ("TXT", "\"hello\"")]
                    [self.below(4) as usize];
            let name = name(number);
            let is_taken = view::records(&place.cloud).iter().any(|record| record.name == name.as_str());
            if kind == "CNAME" && is_taken {
                continue;
            }
            posts
                .push(json!({"type": kind, "name": name.as_str(), "content": content, "ttl": 300, "comment": comment}));
        }
        if !posts.is_empty() {
            view::stranger(&place.cloud, "POST", "/batch", json!({ "posts": posts })).await;
        }
    }
}

fn change(number: u32, wish: Option<u8>, look: Look) -> Change {
    wish.map_or_else(|| withdraw(number), |generation| write(number, generation, look))
}

fn foreign(place: &Place) -> Vec<view::SeenRecord> {
    let is_ours = |record: &view::SeenRecord| {
        let name: Option<DomainName> = record.name.parse().ok();
        let mark = record.comment.as_deref().zip(name).and_then(|(comment, name)| Mark::read(comment, &name));
        mark.is_some()
    };
    let mut foreign: Vec<_> = view::records(&place.cloud).into_iter().filter(|record| !is_ours(record)).collect();
    foreign.sort_by(|one, other| one.id.cmp(&other.id));
    foreign
}

fn is_blocked(foreign: &[view::SeenRecord], number: u32) -> bool {
    // A TXT record is no matter.
    foreign.iter().any(|record| record.name == name(number).as_str() && !record.content.starts_with('"'))
}

/// Asks for all wishes until each is granted or refused for good.
async fn settle(writer: &RecordWriter, wishes: &Wishes, what: &str) {
    let mut open: Wishes = wishes.clone();
    for _ in 0..10 {
        let asked: Vec<(u32, Option<u8>)> = open.iter().map(|(number, wish)| (*number, *wish)).collect();
        let changes = asked.iter().map(|(number, wish)| change(*number, *wish, Look::Everywhere));
        for ((number, _), outcome) in asked.iter().zip(submit(writer, changes).await) {
            match outcome.map_err(|failure| failure.disposition) {
                Ok(_) | Err(Disposition::Definite) => {
                    open.remove(number);
                }
                Err(_) => {}
            }
        }
        if open.is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    panic!("{what}: never settled: {open:?}");
}

/// Our records are exactly what was wished, each once, where nothing foreign is in the way.
fn assert_granted(place: &Place, wishes: &Wishes, foreign: &[view::SeenRecord], what: &str) {
    for (number, wish) in wishes {
        let name = name(*number);
        let records = view::records(&place.cloud).into_iter().filter(|record| record.name == name.as_str());
        let ours: Vec<String> = records
            .filter(|record| {
                record.comment.as_deref().is_some_and(|comment| Mark::read(comment, &name) == Some(mark(*number)))
            })
            .map(|record| record.content)
            .collect();
        match wish {
            None => assert!(ours.is_empty(), "{what}: {number} was withdrawn: {ours:?}"),
            Some(_) if is_blocked(foreign, *number) => {}
            Some(generation) => assert_eq!(ours, [address(*number, *generation).to_string()], "{what}: {number}"),
        }
    }
}

async fn one(seed: u64) {
    let mut draw = Draw { random: StdRng::seed_from_u64(seed) };
    let plan = if draw.below(2) == 0 { Plan::Free } else { Plan::Pro };
    let place = Place::new(seed, plan, Some(1_000));
    // Some of ours stand there from before.
    let before = draw.wishes();
    settle(&place.writer(), &before, "before").await;
    draw.plant(&place).await;
    let foreign_before = foreign(&place);
    let wishes = draw.wishes();
    let crash_at = i64::from(draw.below(6));
    let what = format!("seed {seed}, crash at call {crash_at}");
    for after in [false, true] {
        let crashing = Crashing { wire: place.wire(), left: AtomicI64::new(crash_at), after };
        let writer = place.writer_over(Arc::new(crashing));
        let look = |draw: &mut Draw| [Look::Nowhere, Look::Ours, Look::Everywhere][draw.below(3) as usize].clone();
        let changes: Vec<Change> =
            wishes.iter().map(|(number, wish)| change(*number, *wish, look(&mut draw))).collect();
        // What is asked blindly may be wrong, as after a crash; the second and third run look.
        let run = submit(&writer, changes);
        let _ = tokio::time::timeout(Duration::from_mins(2), run).await;
        drop(writer);
        assert_eq!(foreign(&place), foreign_before, "{what}: promise 3");
    }
    let writer = place.writer();
    settle(&writer, &wishes, &what).await;
    assert_granted(&place, &wishes, &foreign_before, &what);
    assert_eq!(foreign(&place), foreign_before, "{what}: promise 3");
    let batches = place.counts.of(BATCH);
    settle(&place.writer(), &wishes, &what).await;
    assert_eq!(place.counts.of(BATCH), batches, "{what}: a second run writes nothing");
}

#[tokio::test(start_paused = true)]
async fn random_wishes_with_a_crash_between_any_two_calls_converge() {
    for seed in 0..120 {
        one(seed).await;
    }
}
