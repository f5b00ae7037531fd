//! Lists: pages, filters, order.

use serde_json::{Value, json};

use crate::{
    bench::{Bench, codes},
    cloudflare::Plan,
};

async fn zone() -> Bench {
    let bench = Bench::with_plan(Plan::Pro);
    for body in [
        json!({"type": "TXT", "name": "note", "content": "Hello World", "ttl": 60}),
        json!({"type": "A", "name": "one", "content": "198.51.100.1", "ttl": 300, "comment": "alfred:one", "tags": ["Team:Blue"]}),
        json!({"type": "A", "name": "two", "content": "198.51.100.2", "ttl": 120, "comment": "Alfred:two", "tags": ["team:red", "old"]}),
        json!({"type": "CNAME", "name": "alias", "content": "one.alfredos.site", "proxied": true}),
        json!({"type": "A", "name": "one", "content": "198.51.100.3", "ttl": 300}),
    ] {
        let (status, answer) = bench.records("POST", "", body).await;
        assert_eq!(status, 200, "{answer}");
    }
    bench
}

async fn contents(bench: &Bench, query: &str) -> Vec<String> {
    let (status, answer) = bench.records("GET", query, Value::Null).await;
    assert_eq!(status, 200, "{query} {answer}");
    answer["result"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| record["content"].as_str().unwrap().trim_start_matches("198.51.100.").to_owned())
        .collect()
}

#[tokio::test]
async fn filters_select_as_documented() {
    let bench = zone().await;
    let alias = "one.alfredos.site";
    let text = "Hello World";
    for (query, expected) in [
        ("", vec!["1", "2", "3", alias, text]),
        ("?name=ONE.alfredos.site", vec!["1", "3"]),
        ("?name.exact=one.alfredos.site&content.endswith=.3", vec!["3"]),
        ("?name=one", vec![]),
        ("?name.contains=N", vec!["1", "3", text]),
        ("?name.startswith=t", vec!["2"]),
        ("?name.endswith=alfredos.site&type=A", vec!["1", "2", "3"]),
        ("?content=198.51.100.2", vec!["2"]),
        ("?content.contains=world", vec![text]),
        ("?comment.exact=ALFRED:ONE", vec!["1"]),
        ("?comment.startswith=alfred%3A", vec!["1", "2"]),
        ("?comment.present", vec!["1", "2"]),
        ("?comment.absent=&type=A", vec!["3"]),
        ("?proxied=true", vec![alias]),
        ("?tag.present=team", vec!["1", "2"]),
        ("?tag.absent=team&type=A", vec!["3"]),
        ("?tag=team:blue", vec!["1"]),
        ("?tag.contains=team:re&tag.present=old", vec!["2"]),
        ("?tag.exact=team:blue&tag.present=old", vec![]),
        ("?tag.exact=team:blue&tag.present=old&tag_match=any", vec!["1", "2"]),
        ("?match=any&name=two.alfredos.site&type=TXT", vec!["2", text]),
        ("?match=any&name=nope.alfredos.site", vec![]),
        ("?search=one", vec!["1", "3", alias]),
        ("?unknown=x&type=TXT", vec![text]),
    ] {
        assert_eq!(contents(&bench, query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn order_and_direction_sort_and_keep_creation_order_within() {
    let bench = zone().await;
    for (query, expected) in [
        ("?type=A&order=ttl", vec!["2", "1", "3"]),
        ("?type=A&order=ttl&direction=desc", vec!["1", "3", "2"]),
        ("?type=A&order=content&direction=desc", vec!["3", "2", "1"]),
        ("?order=name&type=A", vec!["1", "3", "2"]),
        ("?order=proxied&direction=desc&per_page=1", vec!["one.alfredos.site"]),
    ] {
        assert_eq!(contents(&bench, query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn pages_tell_where_they_are() {
    let bench = zone().await;
    for (query, expected) in [
        ("", json!({"page": 1, "per_page": 100, "count": 5, "total_count": 5, "total_pages": 1})),
        ("?per_page=2&page=3", json!({"page": 3, "per_page": 2, "count": 1, "total_count": 5, "total_pages": 3})),
        ("?per_page=2&page=4", json!({"page": 4, "per_page": 2, "count": 0, "total_count": 5, "total_pages": 3})),
        (
            "?per_page=5000000&type=SRV",
            json!({"page": 1, "per_page": 5_000_000, "count": 0, "total_count": 0, "total_pages": 0}),
        ),
    ] {
        let (_, answer) = bench.records("GET", query, Value::Null).await;
        assert_eq!(answer["result_info"], expected, "{query}");
        let length = answer["result"].as_array().unwrap().len();
        assert_eq!(json!(length), expected["count"]);
    }
    bench.create("three", "198.51.100.9").await;
    let (_, answer) = bench.records("GET", "?per_page=1", Value::Null).await;
    assert_eq!(answer["result_info"]["total_count"], 6);
}

#[tokio::test]
async fn parameters_out_of_bounds_are_refused() {
    let bench = zone().await;
    for query in [
        "?page=0",
        "?page=x",
        "?per_page=0",
        "?per_page=5000001",
        "?order=id",
        "?direction=up",
        "?match=some",
        "?proxied=1",
        "?type=NOPE",
        "?page=99999999999999999999999",
    ] {
        let (status, answer) = bench.records("GET", query, Value::Null).await;
        assert_eq!((status, codes(&answer)), (400, (1004, Some(9207))), "{query}");
    }
    let far = format!("?page={}", usize::MAX);
    assert_eq!(contents(&bench, &far).await, Vec::<String>::new());
}
