//! The frame: faults, journal, controls and state file, in-process and over real sockets.

use std::{fs, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http::{Request, StatusCode};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    CallLost, Listen, LocalCloud, Options, ServeError, StateError,
    bench::{self, Bench, records_path, request},
    cloudflare::{DEMO_TOKEN, Plan},
    dns::RecordType,
    journal::Outcome,
};

fn creation(name: &str) -> Request<Bytes> {
    let body = json!({"type": "A", "name": name, "content": "198.51.100.4", "ttl": 300});
    request("POST", &records_path(""), &body)
}

fn exists(bench: &Bench, name: &str) -> bool {
    !bench.cloud.resolve(&format!("{name}.alfredos.site"), RecordType::A).answers.is_empty()
}

fn faulty(rules: &[&str]) -> Bench {
    Bench::new(Options { faults: rules.iter().map(|rule| rule.parse().unwrap()).collect(), ..Options::default() })
}

#[tokio::test]
async fn in_process_calls_are_lost_as_the_rules_say() {
    for (rule, lost, done) in [
        ("lost-before", CallLost::BeforeCommit, false),
        ("lost-after", CallLost::AfterCommit, true),
        ("cut-body", CallLost::CutBody, true),
    ] {
        let bench = faulty(&[&format!("cloudflare.records.create {rule} count=1")]);
        assert_eq!(bench.cloud.call(creation("x")).await.unwrap_err(), lost);
        assert_eq!(exists(&bench, "x"), done, "{rule}");
        assert!(bench.cloud.call(creation("y")).await.is_ok());
        let entries = bench.cloud.journal().entries();
        assert_eq!(entries[0].outcome, Outcome::Lost(lost));
        assert_eq!(entries[0].fault.as_deref(), Some(&*format!("cloudflare.records.create {rule} count=1")));
        assert_eq!(entries[1].outcome, Outcome::Answered(200));
        assert_eq!(entries[1].fault, None);
    }
}

#[tokio::test]
async fn statuses_and_pages_replace_the_answer_before_or_after_the_work() {
    for (rule, status, kind, done) in [
        ("status=500", 500, "application/json", false),
        ("status=502 after", 502, "application/json", true),
        ("html", 502, "text/html", false),
        ("html=200 after", 200, "text/html", true),
    ] {
        let bench = faulty(&[rule]);
        let response = bench.send(creation("x")).await;
        assert_eq!(response.status().as_u16(), status, "{rule}");
        assert_eq!(response.headers()["content-type"], kind);
        assert_eq!(exists(&bench, "x"), done, "{rule}");
    }
    let bench = faulty(&["status=429 retry-after=3 body=slow"]);
    let response = bench.send(creation("x")).await;
    assert_eq!(response.headers()["retry-after"], "3");
    assert_eq!(response.body(), "slow");
}

#[tokio::test(start_paused = true)]
async fn a_delayed_call_is_carried_out_even_if_its_client_goes_away() {
    let bench = faulty(&["delay=1000 count=1"]);
    let patience = std::time::Duration::from_millis(500);
    assert!(tokio::time::timeout(patience, bench.cloud.call(creation("x"))).await.is_err());
    assert!(!exists(&bench, "x"));
    assert_eq!(bench.cloud.journal().entries()[0].outcome, Outcome::Open);
    tokio::time::sleep(patience * 2).await;
    assert!(exists(&bench, "x"));
    let late = faulty(&["delay=1000 after count=1"]);
    assert!(tokio::time::timeout(patience, late.cloud.call(creation("x"))).await.is_err());
    assert!(exists(&late, "x"));
}

#[tokio::test]
async fn the_journal_names_each_call_and_its_answer() {
    let bench = Bench::with_plan(Plan::Free);
    let response = bench.send(request("GET", "/zones?name=x", &Value::Null)).await;
    bench.call("GET", "/nope", Value::Null).await;
    let entries = bench.cloud.journal().entries();
    assert_eq!((entries[0].route, entries[0].path.as_str()), ("cloudflare.zones.list", "/client/v4/zones?name=x"));
    assert_eq!(entries[0].request_id.as_deref(), response.headers()["cf-ray"].to_str().ok());
    assert_eq!((entries[1].route, entries[1].outcome), ("", Outcome::Answered(400)));
    assert_eq!(bench.cloud.journal().count_by_route()["cloudflare.zones.list"], 1);
}

async fn control(cloud: &LocalCloud, method: &str, path: &str, body: &str) -> (StatusCode, Value) {
    let request = Request::builder()
        .method(method)
        .uri(format!("/_admin/{path}"))
        .header("host", "localhost:7071")
        .body(Bytes::from(body.to_owned()))
        .unwrap();
    let response = cloud.call(request).await.unwrap();
    (response.status(), serde_json::from_slice(response.body()).unwrap_or_default())
}

#[tokio::test]
async fn controls_show_and_change_what_they_name() {
    let bench = Bench::with_plan(Plan::Free);
    let cloud = &bench.cloud;
    bench.create("x", "198.51.100.4").await;
    let (_, state) = control(cloud, "GET", "state", "").await;
    assert_eq!(state["cloudflare"]["zones"][0]["records"][0]["name"], "x.alfredos.site");
    assert!(!state.to_string().contains(DEMO_TOKEN));
    let (status, faults) =
        control(cloud, "POST", "faults", r#"["html count=1", {"fault": {"kind": "lost-after"}}]"#).await;
    assert_eq!((status, faults["faults"].as_array().unwrap().len()), (StatusCode::OK, 2));
    for bad in ["[\"nope\"]", "{}", "x", r#"[{"fault": {"kind": "lost-after"}, "counts": 1}]"#] {
        assert_eq!(control(cloud, "POST", "faults", bad).await.0, StatusCode::BAD_REQUEST, "{bad}");
    }
    assert_eq!(cloud.faults().rules().len(), 2);
    assert_eq!(control(cloud, "DELETE", "faults", "").await.0, StatusCode::NO_CONTENT);
    assert!(cloud.faults().rules().is_empty());
    let (_, journal) = control(cloud, "GET", "journal?since=0", "").await;
    assert_eq!(journal["entries"][0]["route"], "cloudflare.records.create");
    assert_eq!(journal["entries"][0]["outcome"], json!({"answered": 200}));
    let (_, journal) = control(cloud, "GET", "journal?since=1", "").await;
    assert_eq!(journal["entries"], json!([]));
    assert_eq!(control(cloud, "GET", "journal?since=x", "").await.0, StatusCode::BAD_REQUEST);
    assert_eq!(control(cloud, "DELETE", "journal", "").await.0, StatusCode::NO_CONTENT);
    assert!(cloud.journal().entries().is_empty());
    let (_, options) = control(cloud, "PATCH", "options", r#"{"publication_delay_ms": 60000}"#).await;
    assert_eq!(options["publication_delay_ms"], 60_000);
    bench.create("y", "198.51.100.4").await;
    assert!(!exists(&bench, "y"));
    assert_eq!(control(cloud, "PATCH", "options", r#"{"delay": 1}"#).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(control(cloud, "GET", "nope", "").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn controls_refuse_foreign_hosts_and_pages() {
    let bench = Bench::with_plan(Plan::Free);
    for (header, value) in [("host", "evil.example"), ("origin", "https://evil.example"), ("origin", "null")] {
        let request = Request::get("/_admin/state").header(header, value).body(Bytes::new()).unwrap();
        assert_eq!(bench.send(request).await.status(), StatusCode::FORBIDDEN, "{header} {value}");
    }
}

/// Sends one request on a new connection and reads until the server closes it or `keep` bytes are there.
async fn raw(address: SocketAddr, request: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A reset is one way of closing.
    let _ = stream.read_to_end(&mut answer).await;
    answer
}

fn raw_creation(name: &str) -> String {
    let body = json!({"type": "A", "name": name, "content": "198.51.100.4"}).to_string();
    format!(
        "POST /client/v4{} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {DEMO_TOKEN}\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n{body}",
        records_path(""),
        body.len()
    )
}

#[tokio::test]
async fn over_a_socket_lost_calls_close_without_a_byte() {
    for (rule, done) in [("lost-before", false), ("lost-after", true)] {
        let bench = faulty(&[rule]);
        let running = bench.cloud.serve(Listen::default()).await.unwrap();
        assert_eq!(raw(running.http_address, &raw_creation("x")).await, b"", "{rule}");
        assert_eq!(exists(&bench, "x"), done, "{rule}");
        running.stop().await;
    }
}

#[tokio::test]
async fn over_a_socket_a_cut_body_announces_all_and_sends_half() {
    let bench = faulty(&["cut-body"]);
    let running = bench.cloud.serve(Listen::default()).await.unwrap();
    let answer = String::from_utf8(raw(running.http_address, &raw_creation("x")).await).unwrap();
    running.stop().await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let announced: usize =
        head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
    assert!(head.starts_with("HTTP/1.1 200"));
    assert_eq!(body.len(), announced / 2);
    assert!(exists(&bench, "x"));
}

#[tokio::test]
async fn a_connection_serves_several_requests() {
    let bench = Bench::with_plan(Plan::Free);
    let running = bench.cloud.serve(Listen::default()).await.unwrap();
    let first = raw_creation("x").replace("connection: close\r\n", "");
    let answer = String::from_utf8(raw(running.http_address, &format!("{first}{}", raw_creation("y"))).await).unwrap();
    assert_eq!(answer.matches("HTTP/1.1 200").count(), 2, "{answer}");
    running.stop().await;
    assert!(exists(&bench, "x") && exists(&bench, "y"));
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused() {
    let bench = Bench::with_plan(Plan::Free);
    let running = bench.cloud.serve(Listen::default()).await.unwrap();
    let head =
        "POST /client/v4/zones HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 104857601\r\n\r\n";
    let mut stream = TcpStream::connect(running.http_address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = vec![b' '; 1 << 20];
    for _ in 0..101 {
        if stream.write_all(&chunk).await.is_err() {
            break;
        }
    }
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
    running.stop().await;
}

#[tokio::test]
async fn only_loopback_is_listened_on_and_stopping_frees_the_ports() {
    let bench = Bench::with_plan(Plan::Free);
    let everywhere = SocketAddr::from(([0, 0, 0, 0], 0));
    let listen = Listen { http: everywhere, ..Listen::default() };
    assert!(matches!(bench.cloud.serve(listen).await, Err(ServeError::NotLoopback(address)) if address == everywhere));
    let running = bench.cloud.serve(Listen::default()).await.unwrap();
    let again = Listen { http: running.http_address, dns: running.dns_address, r2: running.r2_address };
    assert!(matches!(bench.cloud.serve(again).await, Err(ServeError::Bind { service: "HTTP", .. })));
    running.stop().await;
    bench.cloud.serve(again).await.unwrap().stop().await;
}

fn open(path: &std::path::Path) -> Result<LocalCloud, StateError> {
    let options = Options { state_file: Some(path.to_owned()), ..Options::default() };
    LocalCloud::open(options, bench::clock(), bench::random())
}

#[tokio::test]
async fn the_state_file_carries_everything_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cloud.json");
    let cloud = open(&path).unwrap();
    let running = cloud.serve(Listen::default()).await.unwrap();
    cloud.call(creation("x")).await.unwrap();
    running.stop().await;
    let again = open(&path).unwrap();
    let name = "x.alfredos.site";
    assert_eq!(again.resolve(name, RecordType::A), cloud.resolve(name, RecordType::A));
    assert_eq!(again.resolve(name, RecordType::A).answers.len(), 1);
    let records = |cloud: &LocalCloud| cloud.cloudflare().state().zones[0].records.clone();
    assert_eq!(records(&again), records(&cloud));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn changes_are_written_while_serving() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cloud.json");
    let cloud = open(&path).unwrap();
    let running = cloud.serve(Listen::default()).await.unwrap();
    cloud.call(creation("x")).await.unwrap();
    while !fs::read_to_string(&path).is_ok_and(|text| text.contains("x.alfredos.site")) {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    drop(running);
    assert!(open(&path).is_ok());
}

#[test]
fn a_file_that_is_not_understood_is_an_error_and_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cloud.json");
    for (text, newer) in [("{\"version\": 1", false), ("[]", false), ("{\"version\": 3, \"new\": 1}", true)] {
        fs::write(&path, text).unwrap();
        let error = open(&path).unwrap_err();
        assert_eq!(matches!(error, StateError::Newer { found: 3, .. }), newer, "{error}");
        assert!(newer || matches!(error, StateError::Damaged { .. }), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}

#[tokio::test]
async fn a_file_that_was_not_read_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cloud.json");
    fs::write(&path, "kept").unwrap();
    let options = Options { state_file: Some(path.clone()), ..Options::default() };
    let cloud = LocalCloud::new(options, bench::clock(), Arc::clone(&bench::random()) as Arc<_>);
    assert!(matches!(cloud.serve(Listen::default()).await, Err(ServeError::State(StateError::NotLoaded { .. }))));
    assert!(cloud.save().is_err());
    assert_eq!(fs::read_to_string(&path).unwrap(), "kept");
}
