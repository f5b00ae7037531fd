use std::net::Ipv4Addr;
use std::time::Duration;

use alfred_model::failure::Disposition;
use alfred_model::id::{EnvironmentId, InstallationId};
use alfred_model::record::{DesiredRecord, OwnershipMark, RECORD_TTL_SECONDS, Target};

use super::*;
use crate::ErrorKind;
use crate::budget::DEFAULT_SHARE;
use crate::testing::{Answer, Script, TokioClock, json, lost, not_sent, with_header};

const TOKEN: &str = "cfut_very-secret-token";
const RECORD: &str = r#"{"id":"r1","name":"A.Example.com","type":"A","content":"198.51.100.4","proxiable":true,
    "proxied":false,"ttl":300,"settings":{},"meta":{},"comment":null,"tags":[],
    "created_on":"2025-03-17T20:37:05.368097Z","modified_on":"2025-03-17T20:37:05.368097Z","zone_id":"old"}"#;

pub(super) fn client(script: &Arc<Script>) -> Cloudflare {
    let options = CloudflareOptions {
        base: BaseUrl::parse("https://api.example/client/v4/").unwrap(),
        token: ApiToken::new(TOKEN).into(),
        zone: ZoneId::parse("zone1").unwrap(),
        account: None,
    };
    let budget = Budget::new(TokioClock::start(), DEFAULT_SHARE);
    Cloudflare::new(script.clone(), options, budget, CallCounts::new())
}

fn id(text: &str) -> RecordId {
    RecordId::parse(text).unwrap()
}

fn new_record() -> NewRecord {
    NewRecord {
        name: "a.example.com".into(),
        kind: "A".into(),
        content: "198.51.100.4".into(),
        ttl: 300,
        proxied: false,
        comment: Some("mine".into()),
        tags: Vec::new(),
    }
}

pub(super) fn result(value: &str) -> Answer {
    json(200, &format!(r#"{{"result":{value},"success":true,"errors":[],"messages":[]}}"#))
}

fn page(records: &[&str], total: usize) -> Answer {
    let list: Vec<String> = records
        .iter()
        .map(|id| format!(r#"{{"id":"{id}","name":"{id}.example.com","type":"A","content":"192.0.2.1"}}"#))
        .collect();
    let list = list.join(",");
    json(200, &format!(r#"{{"result":[{list}],"success":true,"result_info":{{"total_count":{total}}}}}"#))
}

pub(super) fn error(code: i64, message: &str) -> String {
    format!(r#"{{"success":false,"errors":[{{"code":{code},"message":"{message}"}}],"messages":[],"result":null}}"#)
}

/// The calls that each error is tried on: their name and whether they are writes.
const CALLS: [(&str, bool); 12] = [
    ("records", false),
    ("record", false),
    ("zone", false),
    ("zones", false),
    ("usage", false),
    ("verify_token", false),
    ("create", true),
    ("put", true),
    ("patch", true),
    ("delete", true),
    ("batch", true),
    ("roll_token", true),
];

async fn call(client: &Cloudflare, name: &str) -> Result<(), ProviderError> {
    match name {
        "records" => client.records(&RecordFilter::all(), 5_000).await.map(|_| ()),
        "record" => client.record(&id("r1")).await.map(|_| ()),
        "zone" => client.zone(&ZoneId::parse("zone1").unwrap()).await.map(|_| ()),
        "zones" => client.zones("example.com").await.map(|_| ()),
        "usage" => client.usage().await.map(|_| ()),
        "verify_token" => client.verify_token().await.map(|_| ()),
        "create" => client.create(&new_record()).await.map(|_| ()),
        "put" => client.put(&id("r1"), &new_record()).await.map(|_| ()),
        "patch" => client.patch(&RecordPatch { ttl: Some(60), ..RecordPatch::new(id("r1")) }).await.map(|_| ()),
        "delete" => client.delete(&id("r1")).await,
        "batch" => client.batch(&Batch { deletes: vec![id("r1")], ..Batch::default() }).await.map(|_| ()),
        "roll_token" => client.roll_token(TokenOwner::User, "t1").await.map(|_| ()),
        other => panic!("no call {other}"),
    }
}

#[tokio::test(start_paused = true)]
async fn what_each_failure_means_for_each_call() {
    let wait = |after| Disposition::Wait { after };
    let cases: Vec<(&str, Answer, Disposition, Disposition)> = vec![
        ("not sent", not_sent(), wait(None), wait(None)),
        ("lost", lost(), wait(None), Disposition::Unknown),
        ("500", json(500, ""), wait(None), Disposition::Unknown),
        ("502 page", json(502, "<html><title>Bad gateway</title>"), wait(None), Disposition::Unknown),
        ("cut body", json(200, r#"{"result":"#), wait(None), Disposition::Unknown),
        ("page under 200", json(200, "<html>"), wait(None), Disposition::Unknown),
        ("no result", json(200, r#"{"success":true,"result":null}"#), wait(None), Disposition::Unknown),
        ("408", json(408, ""), wait(None), wait(None)),
        ("429", json(429, &error(971, "Please wait")), wait(None), wait(None)),
        (
            "429 with a wait",
            with_header(json(429, ""), "retry-after", "120"),
            wait(Some(Duration::from_mins(2))),
            wait(Some(Duration::from_mins(2))),
        ),
        ("400", json(400, &error(1004, "DNS Validation Error")), Disposition::Definite, Disposition::Definite),
        ("403", json(403, &error(10_000, "Authentication error")), Disposition::Definite, Disposition::Definite),
        ("success: false", json(200, &error(81_045, "Full")), Disposition::Definite, Disposition::Definite),
        ("redirect", json(302, ""), Disposition::Definite, Disposition::Definite),
    ];
    for (case, answer, for_read, for_write) in cases {
        for (name, writes) in CALLS {
            let script = Script::new([answer.clone()]);
            let error = call(&client(&script), name).await.unwrap_err();
            assert_eq!(error.disposition, if writes { for_write } else { for_read }, "{case}, {name}: {error}");
            assert_eq!(error.failure().refused, case.starts_with("429"), "{case}, {name}");
            assert_eq!(script.sent().len(), 1, "{case}, {name}: nothing is sent twice");
            assert!(error.words.contains("Cloudflare") && !error.words.ends_with('.'), "{}", error.words);
        }
    }
}

#[tokio::test]
async fn codes_are_read_wherever_they_stand() {
    use ErrorKind::{
        AlreadyExists, Identical, NameConflict, NotFound, Permission, QuotaExceeded, RateLimited, Validation,
    };
    for (status, code, kind) in [
        (400, 81_057, AlreadyExists),
        (400, 81_058, Identical),
        (400, 81_053, NameConflict),
        (400, 81_054, NameConflict),
        (404, 81_044, NotFound),
        (400, 81_044, NotFound),
        (400, 81_045, QuotaExceeded),
        (400, 9_005, Validation),
        (404, 7_003, Validation),
        (403, 1_038, Validation),
        (403, 9_109, Permission),
        (400, 6_111, Permission),
        (429, 10_100, RateLimited),
        (400, 10_429, RateLimited),
        (404, 1, ErrorKind::Other),
        (500, 81_058, ErrorKind::Other),
    ] {
        let chained = format!(
            r#"{{"success":false,"errors":[{{"code":1,"message":"outer","error_chain":[{{"code":{code},"message":"inner."}}]}}]}}"#
        );
        for body in [error(code, "top"), chained] {
            let got = client(&Script::new([json(status, &body)])).create(&new_record()).await.unwrap_err();
            assert_eq!(got.kind, kind, "{status} {body}");
            assert!(got.codes.contains(&code));
        }
    }
}

#[tokio::test]
async fn words_name_the_record_the_reason_and_the_mend() {
    let body = r#"{"errors":[{"code":1004,"message":"DNS Validation Error","error_chain":[{"code":9021,"message":"TTL must be between 60 and 86400 seconds, or 1 for Automatic."}]}]}"#;
    let error = client(&Script::new([json(400, body)])).create(&new_record()).await.unwrap_err();
    assert_eq!(
        error.words,
        "create record `a.example.com` at Cloudflare was refused with status 400: DNS Validation Error (1004): TTL must \
         be between 60 and 86400 seconds, or 1 for Automatic (9021)"
    );
    assert_eq!(error.codes, [1004, 9021]);
    let error = client(&Script::new([json(403, &self::error(9109, "no"))])).delete(&id("r1")).await.unwrap_err();
    assert!(error.words.ends_with("create one with `DNS Write` on it"), "{error}");
    let error = client(&Script::new([lost()])).delete(&id("r1")).await.unwrap_err();
    assert_eq!(
        error.words,
        "delete record `r1` at Cloudflare got no whole answer: connection reset; whether it was done is not known"
    );
}

#[tokio::test]
async fn requests_are_as_documented() {
    let record = result(RECORD);
    let answers = [
        page(&[], 0),
        record.clone(),
        record.clone(),
        record.clone(),
        record,
        result(r#"{"id":"r1"}"#),
        result(r#"{"deletes":[{"id":"r1"}],"patches":null}"#),
        result(r#"{"record_quota":null,"record_usage":7}"#),
        result(r#"{"id":"zone1","name":"example.com","name_servers":null,"plan":{"legacy_id":"free"}}"#),
        result("[]"),
        result(r#"{"id":"t","status":"active"}"#),
        result(r#""cfut_new""#),
    ];
    let script = Script::new(answers);
    let client = client(&script);
    client
        .records(&RecordFilter { kind: Some("A".into()), ..RecordFilter::comment_startswith("alfred:v1:") }, 5)
        .await
        .unwrap();
    assert_eq!(client.record(&id("r1")).await.unwrap().unwrap().content, "198.51.100.4");
    client.create(&new_record()).await.unwrap();
    client.put(&id("r1"), &NewRecord { comment: None, ..new_record() }).await.unwrap();
    client.patch(&RecordPatch { content: Some("192.0.2.9".into()), ..RecordPatch::new(id("r1")) }).await.unwrap();
    client.delete(&id("r1")).await.unwrap();
    client.batch(&Batch { deletes: vec![id("r1")], ..Batch::default() }).await.unwrap();
    assert_eq!(client.usage().await.unwrap(), Usage { quota: None, used: 7 });
    assert_eq!(client.zone(&ZoneId::parse("zone1").unwrap()).await.unwrap().plan.legacy_id.unwrap(), "free");
    client.zones("example.com").await.unwrap();
    client.verify_token().await.unwrap();
    assert_eq!(client.roll_token(TokenOwner::User, "t/1").await.unwrap().expose(), "cfut_new");
    let base = "https://api.example/client/v4";
    let body = r#"{"name":"a.example.com","type":"A","content":"198.51.100.4","ttl":300,"proxied":false"#;
    assert_eq!(
        script.sent(),
        [
            format!("GET {base}/zones/zone1/dns_records?type=A&comment.startswith=alfred%3Av1%3A&page=1&per_page=5"),
            format!("GET {base}/zones/zone1/dns_records/r1"),
            format!(r#"POST {base}/zones/zone1/dns_records {body},"comment":"mine"}}"#),
            format!("PUT {base}/zones/zone1/dns_records/r1 {body}}}"),
            format!(r#"PATCH {base}/zones/zone1/dns_records/r1 {{"content":"192.0.2.9"}}"#),
            format!("DELETE {base}/zones/zone1/dns_records/r1"),
            format!(r#"POST {base}/zones/zone1/dns_records/batch {{"deletes":[{{"id":"r1"}}]}}"#),
            format!("GET {base}/zones/zone1/dns_records/usage"),
            format!("GET {base}/zones/zone1"),
            format!("GET {base}/zones?name=example.com&per_page=50"),
            format!("GET {base}/user/tokens/verify"),
            format!("PUT {base}/user/tokens/t%2F1/value {{}}"),
        ]
    );
    for (index, sent) in script.sent().iter().enumerate() {
        assert_eq!(script.header(index, "authorization").unwrap(), format!("Bearer {TOKEN}"));
        let has_body = sent.split(' ').count() > 2;
        assert_eq!(script.header(index, "content-type").is_some(), has_body, "{sent}");
    }
    assert_eq!(client.wire.counts.total(), 12);
    assert_eq!(client.wire.counts.of("POST /zones/{zone}/dns_records/batch"), 1);
}

#[tokio::test]
async fn a_batch_is_one_call_in_the_documented_order_and_an_empty_one_none() {
    let batch = Batch {
        posts: vec![new_record()],
        puts: vec![(id("p1"), NewRecord { comment: None, ..new_record() })],
        patches: vec![RecordPatch { ttl: Some(60), ..RecordPatch::new(id("q1")) }],
        deletes: vec![id("d1"), id("d2")],
    };
    let full =
        format!(r#"{{"deletes":[{RECORD},{{"id":"d2"}}],"patches":[{RECORD}],"puts":[{RECORD}],"posts":[{RECORD}]}}"#);
    let short = format!(r#"{{"patches":[{RECORD}],"puts":[{RECORD}],"posts":[]}}"#);
    let script = Script::new([result(&full), result(&short)]);
    let client = client(&script);
    assert_eq!(client.batch(&Batch::default()).await.unwrap(), BatchResult::default());
    assert_eq!(client.batch(&batch).await.unwrap().posts[0].id, id("r1"));
    let error = client.batch(&batch).await.unwrap_err();
    assert_eq!(error.disposition, Disposition::Unknown, "an answer that shows less than was asked proves nothing");
    assert!(error.words.contains("it shows 0 of 1 posts"), "{error}");
    let record = r#""name":"a.example.com","type":"A","content":"198.51.100.4","ttl":300,"proxied":false"#;
    assert_eq!(script.sent().len(), 2);
    assert_eq!(
        script.sent()[0].split_once(" {").unwrap().1,
        format!(
            r#""deletes":[{{"id":"d1"}},{{"id":"d2"}}],"patches":[{{"id":"q1","ttl":60}}],"puts":[{{"id":"p1",{record}}}],"posts":[{{{record},"comment":"mine"}}]}}"#
        )
    );
}

#[tokio::test]
async fn pages_are_read_until_the_total_and_never_cut_short() {
    // The total changes meanwhile, and a record comes twice.
    let script = Script::new([page(&["a", "b"], 5), page(&["b", "c"], 4)]);
    let records = client(&script).records(&RecordFilter::all(), 2).await.unwrap();
    assert_eq!(records.iter().map(|record| record.id.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
    assert!(script.sent()[1].ends_with("page=2&per_page=2"));
    // The server gives less per page than asked for.
    let script = Script::new([page(&["a"], 2), page(&["b"], 2)]);
    assert_eq!(client(&script).records(&RecordFilter::all(), PER_PAGE_MAX).await.unwrap().len(), 2);
    // No paging at all.
    let script = Script::new([result(&format!("[{RECORD}]"))]);
    assert_eq!(client(&script).records(&RecordFilter::all(), 2).await.unwrap().len(), 1);
    // It ends too early; a record cannot be read; a later page fails.
    for second in [page(&[], 3), result(r#"[{"name":"x","type":"A"}]"#), json(500, "")] {
        let error = client(&Script::new([page(&["a"], 3), second])).records(&RecordFilter::all(), 1).await.unwrap_err();
        assert_eq!(error.disposition, Disposition::Wait { after: None }, "{error}");
    }
}

#[tokio::test]
async fn a_page_that_may_be_too_large_is_asked_for_once_more_and_smaller() {
    let refused = || json(400, &error(1004, "DNS Validation Error"));
    let script = Script::new([refused(), page(&["a", "b"], 2)]);
    assert_eq!(client(&script).records(&RecordFilter::all(), PER_PAGE_MAX).await.unwrap().len(), 2);
    let sizes: Vec<bool> = script.sent().iter().map(|sent| sent.contains("per_page=5000000")).collect();
    assert_eq!(sizes, [true, false]);
    let script = Script::new([refused(), refused()]);
    assert!(client(&script).records(&RecordFilter::all(), PER_PAGE_MAX).await.is_err());
    let script = Script::new([json(403, &error(10_000, "Authentication error"))]);
    assert!(client(&script).records(&RecordFilter::all(), PER_PAGE_MAX).await.is_err(), "the size is not to blame");
}

#[tokio::test]
async fn each_record_is_shown_once_however_the_pages_shift() {
    let script = Script::new([page(&["a", "b"], 4), page(&["b", "c"], 4), page(&["d"], 4)]);
    let mut seen = Vec::new();
    let count =
        client(&script).each_record(&RecordFilter::all(), 2, |record| seen.push(record.id.to_string())).await.unwrap();
    assert_eq!((count, seen), (3, ["a", "b", "c"].map(str::to_owned).to_vec()));
    let script = Script::new([page(&["a"], 3), page(&[], 3)]);
    assert!(client(&script).each_record(&RecordFilter::all(), 1, |_| {}).await.is_err(), "a list that ends early");
    let script = Script::new([json(500, "")]);
    assert!(client(&script).each_record(&RecordFilter::all(), 1, |_| {}).await.is_err());
}

#[tokio::test]
async fn a_list_may_be_large_and_other_answers_may_not() {
    let script = Script::new([page(&[], 0), result(RECORD)]);
    let client = client(&script);
    client.records(&RecordFilter::all(), 1).await.unwrap();
    client.record(&id("r1")).await.unwrap();
    let requests = script.requests.lock().unwrap();
    let limits: Vec<_> =
        requests.iter().map(|it| it.extensions().get::<crate::transport::AnswerLimit>().unwrap().0).collect();
    assert_eq!(limits, [LIST_ANSWER_LIMIT, crate::transport::ANSWER_LIMIT]);
}

#[test]
fn records_are_read_leniently() {
    let record: Record = serde_json::from_str(RECORD).unwrap();
    assert!(record.is_called(&"a.example.com".parse().unwrap()));
    assert_eq!((record.ttl, record.comment.as_deref(), record.meta.read_only), (300, None, false));
    let bare = r#"{"id":"r2","name":"x.example.com.","type":"TXT","content":null,"ttl":null,"proxied":null,"comment":7,
        "tags":null,"meta":{"read_only":true},"modified_on":"never"}"#;
    let record: Record = serde_json::from_str(bare).unwrap();
    assert_eq!((record.content.as_str(), record.ttl, record.modified_on, record.meta.read_only), ("", 1, None, true));
    for broken in [r#"{"name":"x","type":"A"}"#, r#"{"id":"../x","name":"x","type":"A"}"#, r#"{"id":"x","type":"A"}"#] {
        assert!(serde_json::from_str::<Record>(broken).is_err(), "{broken}");
    }
    assert!(same_name("A.b.", "a.B") && same_name("", ".") && !same_name("a.b", "aa.b"));
}

#[test]
fn a_record_is_ours_by_an_intact_mark_for_its_own_name() {
    let mark = OwnershipMark {
        installation: InstallationId(uuid::Uuid::from_u128(1)),
        environment: EnvironmentId(uuid::Uuid::from_u128(2)),
    };
    let desired = DesiredRecord {
        name: "a.example.com".parse().unwrap(),
        target: Target::Address(Ipv4Addr::new(198, 51, 100, 4)),
        ttl: RECORD_TTL_SECONDS,
        mark: mark.into(),
    };
    let written = NewRecord::from(&desired);
    assert_eq!((written.kind.as_str(), written.ttl, written.proxied), ("A", 300, false));
    let mut record: Record = serde_json::from_str(RECORD).unwrap();
    assert_eq!(record.mark(), None);
    record.comment = written.comment;
    assert_eq!(record.mark(), Some(mark.into()), "whatever the case of the name");
    record.name = "b.example.com".into();
    assert_eq!(record.mark(), None, "copied from another record");
    record.name = "*.example.com".into();
    assert_eq!(record.mark(), None);
}

#[tokio::test]
async fn permission_to_edit_is_found_without_touching_anything() {
    let script = Script::new([
        json(404, &error(81_044, "Record does not exist.")),
        json(403, &error(10_000, "Authentication error")),
        lost(),
    ]);
    let client = client(&script);
    assert_eq!(client.may_edit().await.unwrap(), MayEdit::Yes);
    assert!(matches!(client.may_edit().await.unwrap(), MayEdit::No(words) if words.contains("`DNS Write`")));
    assert_eq!(client.may_edit().await.unwrap_err().disposition, Disposition::Wait { after: None });
    let zeros = "0".repeat(32);
    assert!(script.sent()[0].ends_with(&format!("/dns_records/{zeros}")), "{:?}", script.sent());
}

#[tokio::test]
async fn an_accounts_token_is_verified_on_the_accounts_path() {
    let script = Script::new([json(401, &error(1000, "Invalid API Token")), result(r#"{"id":"t","status":"active"}"#)]);
    let mut client = client(&script);
    client.options = Arc::new(CloudflareOptions { account: Some("acc1".into()), ..(*client.options).clone() });
    let status = client.verify_token().await.unwrap();
    assert_eq!((status.status.as_str(), status.owner), ("active", TokenOwner::Account));
    assert!(script.sent()[1].ends_with("/accounts/acc1/tokens/verify"));
}

#[tokio::test]
async fn a_record_that_is_not_there_is_none_only_by_its_code() {
    let script =
        Script::new([json(404, &error(81_044, "gone")), json(404, "<html>"), json(404, &error(7003, "no zone"))]);
    let client = client(&script);
    assert_eq!(client.record(&id("r1")).await.unwrap(), None);
    assert_eq!(client.record(&id("r1")).await.unwrap_err().kind, ErrorKind::Other);
    assert_eq!(client.record(&id("r1")).await.unwrap_err().kind, ErrorKind::Validation);
}

#[tokio::test(start_paused = true)]
async fn a_429_stops_the_budget_for_as_long_as_it_says() {
    let script = Script::new([with_header(json(429, r#"{"retry_after":40}"#), "retry-after", "0"), page(&[], 0)]);
    let client = client(&script);
    let began = tokio::time::Instant::now();
    assert!(client.records(&RecordFilter::all(), 1).await.is_err());
    client.records(&RecordFilter::all(), 1).await.unwrap();
    assert!(began.elapsed() >= Duration::from_secs(40));
}

#[tokio::test]
async fn the_token_is_shown_by_nothing() {
    let echo = format!(r#"{{"success":false,"errors":[{{"code":6003,"message":"bad header: Bearer {TOKEN}"}}]}}"#);
    let client = client(&Script::new([json(400, &echo), json(200, TOKEN), json(500, TOKEN)]));
    let mut shown = vec![format!("{client:?} {:?}", client.budget)];
    for _ in 0..3 {
        let error = client.create(&new_record()).await.unwrap_err();
        shown.extend([error.to_string(), format!("{error:?} {:?}", error.failure())]);
    }
    let shown = shown.join("\n");
    assert!(!shown.contains(TOKEN), "{shown}");
    assert!(shown.contains("[secret]"));
    let request = client
        .create_call(&new_record())
        .request(&client.options.base, [(http::header::AUTHORIZATION, bearer(TOKEN).unwrap())]);
    assert!(!format!("{:?}", request.unwrap()).contains(TOKEN));
}

#[test]
fn deletions_go_before_new_names_and_reads_before_audits() {
    let client = client(&Script::new([]));
    let posts = Batch { posts: vec![new_record()], ..Batch::default() };
    let both = Batch { deletes: vec![id("r1")], ..posts.clone() };
    let list = client.list_call(&RecordFilter::all(), 1, 1);
    for (call, priority) in [
        (client.delete_call(&id("r1")), Priority::Deletion),
        (client.batch_call(&both), Priority::Deletion),
        (client.batch_call(&posts), Priority::NewName),
        (client.create_call(&new_record()), Priority::NewName),
        (list.clone(), Priority::Read),
    ] {
        assert_eq!(client.priority(&call), priority, "{}", call.route);
    }
    assert_eq!(client.for_audit().priority(&list), Priority::Audit);
}

#[tokio::test(start_paused = true)]
async fn a_batch_may_be_built_after_its_turn_was_taken() {
    let answer = format!(r#"{{"posts":[{RECORD}],"deletes":[],"patches":[],"puts":[]}}"#);
    let script = Script::new([result(&answer)]);
    let client = client(&script);
    let before = client.budget.remaining();
    let turn = client.turn(Priority::NewName).await;
    assert_eq!(client.budget.remaining(), before - 1, "the turn is counted when it is taken");
    let batch = Batch { posts: vec![new_record()], ..Batch::default() };
    assert_eq!(client.batch_in(turn, &batch).await.unwrap().posts.len(), 1);
    assert_eq!(client.budget.remaining(), before - 1, "and not again when the call is made");
    let turn = client.turn(Priority::NewName).await;
    client.batch_in(turn, &Batch::default()).await.unwrap();
    assert_eq!(script.sent().len(), 1, "an empty batch is no call");
}
