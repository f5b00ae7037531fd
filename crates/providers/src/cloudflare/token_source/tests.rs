use std::collections::VecDeque;

use alfred_model::failure::Disposition;
use alfred_model::id::{RecordId, ZoneId};
use async_trait::async_trait;
use bytes::Bytes;

use super::*;
use crate::budget::{Budget, DEFAULT_SHARE};
use crate::cloudflare::{Batch, Cloudflare, CloudflareOptions, RecordFilter};
use crate::counts::CallCounts;
use crate::testing::{Answer, Script, TokioClock, json, lost};
use crate::transport::Transport;
use crate::{BaseUrl, ErrorKind};

const DEAD: &str = r#"{"success":false,"errors":[{"code":9109,"message":"Invalid access token"}],"result":null}"#;
const EMPTY: &str = r#"{"success":true,"result":[],"result_info":{"total_count":0}}"#;

/// A place that holds one thing after another, and then the last of them.
#[derive(Clone)]
struct Place {
    holds: Arc<Mutex<VecDeque<Result<KeptToken, String>>>>,
    reads: Arc<Mutex<u32>>,
}

impl Place {
    fn new(holds: impl IntoIterator<Item = Result<KeptToken, String>>) -> Self {
        Self { holds: Arc::new(Mutex::new(holds.into_iter().collect())), reads: Arc::default() }
    }

    fn source(&self) -> TokenSource {
        let place = self.clone();
        let read = move || {
            *place.reads.lock().unwrap() += 1;
            let mut holds = place.holds.lock().unwrap();
            if holds.len() > 1 { holds.pop_front().unwrap() } else { holds[0].clone() }
        };
        TokenSource::reloading(ApiToken::new("old"), Arc::new(read))
    }

    fn reads(&self) -> u32 {
        *self.reads.lock().unwrap()
    }
}

#[expect(clippy::unnecessary_wraps, reason = "a place holds values and errors alike")]
fn kept(value: &str, next: NextToken) -> Result<KeptToken, String> {
    Ok(KeptToken { value: ApiToken::new(value), next })
}

fn next(value: &str) -> NextToken {
    NextToken::Value(ApiToken::new(value))
}

fn client(script: &Arc<Script>, token: TokenSource) -> Cloudflare {
    client_over(script.clone(), token)
}

fn client_over(transport: Arc<dyn Transport>, token: TokenSource) -> Cloudflare {
    let options = CloudflareOptions {
        base: BaseUrl::parse("https://api.example/client/v4").unwrap(),
        token,
        zone: ZoneId::parse("zone1").unwrap(),
        account: None,
    };
    Cloudflare::new(transport, options, Budget::new(TokioClock::start(), DEFAULT_SHARE), CallCounts::new())
}

fn dead() -> Answer {
    json(403, DEAD)
}

fn batch() -> Batch {
    Batch { deletes: vec![RecordId::parse("r1").unwrap()], ..Batch::default() }
}

#[tokio::test(start_paused = true)]
async fn a_refused_write_is_sent_once_more_with_the_newer_value() {
    let done = r#"{"success":true,"result":{"deletes":[{"id":"r1"}]}}"#;
    for refusal in [dead(), json(401, ""), json(403, &DEAD.replace("9109", "10000"))] {
        let place = Place::new([kept("new\n", NextToken::None)]);
        let script = Script::new([refusal, json(200, done)]);
        let client = client(&script, place.source());
        client.batch(&batch()).await.unwrap();
        let sent: Vec<_> = (0..2).map(|index| script.header(index, "authorization").unwrap()).collect();
        assert_eq!(sent, ["Bearer old", "Bearer new"]);
        assert_eq!(script.sent()[0], script.sent()[1], "the same call");
        assert_eq!(client.token().current().expose(), "new");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_refusal_of_the_token_looks_nowhere_and_repeats_nothing() {
    for answer in
        [lost(), json(500, DEAD), json(404, DEAD), json(403, "<html>"), json(400, r#"{"errors":[{"code":1004}]}"#)]
    {
        let place = Place::new([kept("new", NextToken::None)]);
        let script = Script::new([answer]);
        client(&script, place.source()).batch(&batch()).await.unwrap_err();
        assert_eq!((script.sent().len(), place.reads()), (1, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_value_that_is_refused_too_is_not_tried_a_third_time() {
    let place = Place::new([kept("new", NextToken::None)]);
    let script = Script::new([dead(), dead()]);
    let error = client(&script, place.source()).batch(&batch()).await.unwrap_err();
    assert_eq!((error.kind, error.disposition), (ErrorKind::Permission, Disposition::Definite));
    assert_eq!(script.sent().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn refusals_look_no_more_often_than_once_a_second() {
    let place = Place::new([kept("old", NextToken::None)]);
    let script = Script::new((0..102).map(|_| dead()));
    let client = client(&script, place.source());
    let all = RecordFilter::all();
    let refused = (0..100).map(|_| client.records(&all, 1));
    for result in futures::future::join_all(refused).await {
        assert_eq!(result.unwrap_err().disposition, Disposition::Definite);
    }
    assert_eq!((place.reads(), script.sent().len()), (1, 100));
    // A later one is not told what an earlier look found: it waits for its own.
    let began = Instant::now();
    tokio::time::advance(Duration::from_millis(1)).await;
    client.records(&RecordFilter::all(), 1).await.unwrap_err();
    assert_eq!((place.reads(), script.sent().len()), (2, 101));
    assert!(began.elapsed() >= LOOK_AGAIN);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_for_want_of_a_permission_does_not_hide_a_new_value() {
    let place = Place::new([kept("old", NextToken::None), kept("new", NextToken::None)]);
    let script = Script::new([json(403, &DEAD.replace("9109", "10000")), dead(), json(200, EMPTY)]);
    let client = client(&script, place.source());
    assert!(!client.may_read_tokens().await.unwrap());
    tokio::time::advance(Duration::from_millis(1)).await;
    client.records(&RecordFilter::all(), 1).await.unwrap();
}

/// Knows the new value alone, in whatever order calls come: those that were refused early may be back before others
/// have had their turn.
struct Rolled;

#[async_trait]
impl Transport for Rolled {
    async fn send(&self, request: http::Request<Bytes>) -> Answer {
        let is_new = request.headers().get("authorization").is_some_and(|value| value == "Bearer new");
        if is_new { json(200, EMPTY) } else { dead() }
    }
}

#[tokio::test(start_paused = true)]
async fn all_that_are_refused_at_a_time_look_once_and_go_on() {
    let place = Place::new([kept("new", NextToken::None)]);
    let client = client_over(Arc::new(Rolled), place.source());
    let all = RecordFilter::all();
    let calls = (0..50).map(|_| client.records(&all, 1));
    assert!(futures::future::join_all(calls).await.iter().all(Result::is_ok));
    assert_eq!(place.reads(), 1);
}

#[tokio::test(start_paused = true)]
async fn while_the_token_is_being_rolled_a_refused_call_waits_for_its_new_value() {
    let under_way = || kept("old", NextToken::UnderWay);
    let place = Place::new([under_way(), under_way(), kept("old", next("new"))]);
    let script = Script::new([dead(), json(200, EMPTY)]);
    let waiting = client(&script, place.source());
    waiting.records(&RecordFilter::all(), 1).await.unwrap();
    assert_eq!(script.header(1, "authorization").unwrap(), "Bearer new");
    // It takes too long: nothing is refused for good.
    let place = Place::new([under_way()]);
    let script = Script::new([dead(), dead()]);
    let waiting = client(&script, place.source());
    for _ in 0..2 {
        let error = waiting.records(&RecordFilter::all(), 1).await.unwrap_err();
        assert_eq!(error.disposition, Disposition::Wait { after: Some(Duration::from_secs(2)) });
        assert!(error.words.contains("was put off") && error.words.contains("is being rolled"), "{error}");
    }
    assert_eq!(place.reads(), 2 * (1 + UNDER_WAY_LOOKS));
}

#[tokio::test(start_paused = true)]
async fn a_look_from_time_to_time_follows_changes_of_the_place_alone() {
    let place = Place::new([
        kept("old", next("ignored while the kept one works")),
        Err("no such file".to_owned()),
        kept("new", NextToken::None),
        kept("new", NextToken::None),
    ]);
    let source = place.source();
    let seen = [source.refresh().await, source.refresh().await, source.refresh().await, source.refresh().await];
    assert_eq!(seen, [false, false, true, false]);
    assert_eq!(source.current().expose(), "new");
    // The value in use is ahead of the place: the old one that is still kept there is not taken back.
    let place = Place::new([kept("old", next("new")), kept("old", next("new")), kept("new", NextToken::None)]);
    let source = place.source();
    assert!(matches!(source.after_refusal(&ApiToken::new("old")).await, Renewal::Value(_)));
    assert_eq!([source.refresh().await, source.refresh().await], [false, false]);
    assert_eq!(source.current().expose(), "new");
}

#[tokio::test(start_paused = true)]
async fn no_value_that_was_ever_used_is_shown() {
    let place = Place::new([kept("cfut_secret-two", NextToken::None)]);
    let echo = r#"{"success":false,"errors":[{"code":9109,"message":"no old, no cfut_secret-two"}]}"#;
    let script = Script::new([dead(), json(403, echo)]);
    let client = client(&script, place.source());
    let error = client.batch(&batch()).await.unwrap_err();
    let shown = format!("{error} {error:?} {client:?} {:?}", client.token());
    assert!(!shown.contains("cfut_secret-two"), "{shown}");
    assert!(error.words.contains("no [secret], no [secret]"), "{error}");
}
