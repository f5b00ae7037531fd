//! Exports and imports.

use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};

use crate::{
    bench::{Bench, codes, records_path, request},
    cloudflare::Plan,
};

fn upload(file: &str, proxied: &str) -> Request<Bytes> {
    let mut request = request("POST", &records_path("/import"), &Value::Null);
    let kind = "multipart/form-data; boundary=XX".parse().unwrap();
    request.headers_mut().insert("content-type", kind);
    *request.body_mut() = Bytes::from(format!(
        "--XX\r\ncontent-disposition: form-data; name=\"file\"; filename=\"zone.txt\"\r\n\r\n{file}\r\n\
         --XX\r\ncontent-disposition: form-data; name=\"proxied\"\r\n\r\n{proxied}\r\n--XX--\r\n"
    ));
    request
}

async fn import(bench: &Bench, file: &str) -> (u16, Value) {
    let response = bench.send(upload(file, "false")).await;
    (response.status().as_u16(), serde_json::from_slice(response.body()).unwrap())
}

#[tokio::test]
async fn an_export_imports_into_the_same_records() {
    let bench = Bench::with_plan(Plan::Pro);
    for body in [
        json!({"type": "A", "name": "a", "content": "198.51.100.1", "ttl": 300, "comment": "mark", "tags": ["t:v"]}),
        json!({"type": "CNAME", "name": "c", "content": "a.alfredos.site", "proxied": true}),
        json!({"type": "TXT", "name": "t", "content": "\"quoted \\\" ; text\""}),
        json!({"type": "MX", "name": "@", "content": "mx.example.org", "priority": 10}),
        json!({"type": "SRV", "name": "_s._tcp", "data": {"priority": 1, "weight": 2, "port": 3, "target": "a.alfredos.site"}}),
        json!({"type": "CAA", "name": "@", "data": {"flags": 0, "tag": "issue", "value": "ca.example"}}),
    ] {
        let (status, answer) = bench.records("POST", "", body).await;
        assert_eq!(status, 200, "{answer}");
    }
    let response = bench.send(request("GET", &records_path("/export"), &Value::Null)).await;
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/plain"));
    let text = String::from_utf8(response.body().to_vec()).unwrap();
    assert!(
        text.contains("a.alfredos.site.\t300\tIN\tA\t198.51.100.1 ; mark cf_tags=t:v,cf-proxied:false\n"),
        "{text}"
    );
    let again = Bench::with_plan(Plan::Pro);
    let (status, answer) = import(&again, &text).await;
    assert_eq!((status, &answer["result"]), (200, &json!({"recs_added": 6, "total_records_parsed": 6})), "{answer}");
    let short = |bench: &Bench| {
        let mut records: Vec<String> = bench.cloud.cloudflare().state().zones[0]
            .records
            .iter()
            .map(|record| {
                let mut record = crate::cloudflare::Record::clone(record);
                record.id.clear();
                record.sequence = 0;
                format!("{record:?}")
            })
            .collect();
        records.sort();
        records
    };
    assert_eq!(short(&again), short(&bench));
    let (_, answer) = import(&again, &text).await;
    assert_eq!(answer["result"], json!({"recs_added": 0, "total_records_parsed": 6}));
}

#[tokio::test]
async fn an_import_is_all_or_nothing_and_can_proxy() {
    let bench = Bench::with_plan(Plan::Free);
    let (status, answer) = import(&bench, "a 300 IN A 198.51.100.1\nb 5 IN A 198.51.100.1\n").await;
    assert_eq!((status, codes(&answer)), (400, (1004, Some(9021))));
    assert!(bench.cloud.cloudflare().state().zones[0].records.is_empty());
    let response = bench.send(upload("a 300 IN A 198.51.100.1\n", "true")).await;
    assert_eq!(response.status().as_u16(), 200);
    assert!(bench.cloud.cloudflare().state().zones[0].records[0].proxied);
}

#[tokio::test]
async fn imports_are_bounded_in_size_and_number() {
    let bench = Bench::with_plan(Plan::Free);
    let (status, _) = import(&bench, &"; filler\n".repeat(40_000)).await;
    assert_eq!(status, 413);
    let (status, answer) = bench.records("POST", "/import", json!({})).await;
    assert_eq!((status, codes(&answer)), (400, (1004, Some(9405))));
    assert_eq!(import(&bench, "").await.0, 200);
    let (status, answer) = import(&bench, "").await;
    assert_eq!((status, codes(&answer)), (429, (971, None)));
    bench.clock.advance_ms(60_000);
    assert_eq!(import(&bench, "").await.0, 200);
}
