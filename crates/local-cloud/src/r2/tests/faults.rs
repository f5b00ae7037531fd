//! Faults and the journal, for each kind of call.

use super::Stage;
use crate::{CallLost, journal::Outcome};

/// Each call that changes something: its name, itself, and how one sees that it was done.
const CHANGES: [(&str, &str, &str, &str); 4] = [
    ("r2.objects.put", "PUT", "/states/new", "HEAD /states/new 200"),
    ("r2.objects.delete", "DELETE", "/states/k", "HEAD /states/k 404"),
    ("r2.buckets.create", "PUT", "/other", "HEAD /other 200"),
    ("r2.uploads.create", "POST", "/states/big?uploads", "GET /states?uploads 200"),
];

async fn done(stage: &Stage, proof: &str) -> bool {
    let words: Vec<&str> = proof.split(' ').collect();
    let answered = stage.s3(words[0], words[1], &[], "").await;
    let shows = words[1] != "/states?uploads" || !answered.elements("UploadId").is_empty();
    answered.status == words[2].parse::<u16>().unwrap() && shows
}

#[tokio::test]
async fn each_fault_strikes_each_kind_of_call() {
    for (route, method, uri, proof) in CHANGES {
        for (rule, lost, carried_out) in [
            ("lost-before", Some(CallLost::BeforeCommit), false),
            ("lost-after", Some(CallLost::AfterCommit), true),
            ("cut-body", Some(CallLost::CutBody), true),
            ("status=429", None, false),
            ("status=500 after", None, true),
        ] {
            let stage = Stage::new().await;
            stage.s3("PUT", "/states/k", &[], "x").await;
            stage.bench.cloud.faults().add(format!("{route} {rule} count=1").parse().unwrap());
            let outcome = stage.bench.cloud.call_r2(stage.signed(method, uri, &[], "")).await;
            assert_eq!(outcome.as_ref().err().copied(), lost, "{route} {rule}");
            let entry = stage.bench.cloud.journal().entries().pop().unwrap();
            assert_eq!((entry.route, entry.fault.is_some()), (route, true));
            assert_eq!(done(&stage, proof).await, carried_out, "{route} {rule}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn statuses_are_s3_errors_and_may_say_when_to_come_back() {
    let stage = Stage::new().await;
    let rules = ["status=429 retry-after=3 count=1", "status=503 nth=2", "delay=5000 nth=3", "html nth=4"];
    for rule in rules {
        stage.bench.cloud.faults().add(format!("r2 {rule}").parse().unwrap());
    }
    let busy = stage.s3("GET", "/states?list-type=2", &[], "").await;
    assert_eq!((busy.refusal(), busy.header("retry-after")), ((429, "TooManyRequests"), "3"));
    assert_eq!(stage.s3("GET", "/states?list-type=2", &[], "").await.refusal(), (503, "ServiceUnavailable"));
    let before = tokio::time::Instant::now();
    assert_eq!(stage.s3("GET", "/states?list-type=2", &[], "").await.status, 200);
    assert_eq!(before.elapsed().as_secs(), 5, "in simulated time");
    assert_eq!(stage.s3("GET", "/states?list-type=2", &[], "").await.header("content-type"), "text/html");
}

#[tokio::test]
async fn the_journal_tells_each_call_and_no_signature() {
    let stage = Stage::new().await;
    stage.s3("PUT", "/states/k", &[], "x").await;
    stage.s3("GET", "/states/none", &[], "").await;
    let presigned = http::Request::get("/states/k?X-Amz-Signature=abcdef&X-Amz-Expires=60").header("host", "h");
    stage.send(presigned.body(bytes::Bytes::new()).unwrap()).await;
    let entries = stage.bench.cloud.journal().entries();
    let told: Vec<_> = entries.iter().map(|entry| (entry.route, entry.path.as_str(), entry.outcome)).collect();
    assert_eq!(told[0], ("r2.buckets.create", "/states", Outcome::Answered(200)));
    assert_eq!(told[1], ("r2.objects.put", "/states/k", Outcome::Answered(200)));
    assert_eq!(told[2], ("r2.objects.get", "/states/none", Outcome::Answered(404)));
    assert_eq!(told[3].1, "/states/k?X-Amz-Signature=…&X-Amz-Expires=60");
    assert!(entries[1].request_id.as_ref().is_some_and(|ray| ray.ends_with("-LOC")));
}
