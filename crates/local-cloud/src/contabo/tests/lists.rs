//! Lists: filters, order, pages.

use serde_json::json;

use super::support::{Bench, INSTANCES};
use crate::contabo::{Delay, NameMatch, Options};

#[tokio::test]
async fn an_empty_list_has_an_empty_last_link() {
    let bench = Bench::instant().await;
    let answer = bench.get(INSTANCES).await.done(200);
    assert_eq!(answer.body["_pagination"], json!({ "size": 10, "totalElements": 0, "totalPages": 0, "page": 1 }));
    assert_eq!(answer.body["_links"]["last"], "");
    assert!(answer.data().is_empty());
}

#[tokio::test]
async fn a_list_has_pages_of_ten_and_links_between_them() {
    let bench = Bench::instant().await;
    let mut ids = Vec::new();
    for _ in 0..25 {
        ids.push(bench.order("x").await);
    }
    let first = bench.get(INSTANCES).await;
    assert_eq!(first.ids(), ids[..10]);
    assert_eq!(first.body["_pagination"], json!({ "size": 10, "totalElements": 25, "totalPages": 3, "page": 1 }));
    assert_eq!(first.body["_links"].get("previous"), None);
    let last = bench.get(&format!("{INSTANCES}?page=3")).await;
    assert_eq!(last.ids(), ids[20..]);
    assert_eq!(last.body["_links"]["previous"], "/v1/compute/instances?page=2&size=10");
    assert_eq!(last.body["_links"]["last"], "/v1/compute/instances?page=3&size=10");
    assert_eq!(last.body["_links"].get("next"), None);
    assert!(bench.get(&format!("{INSTANCES}?page=4")).await.data().is_empty());
    assert!(bench.get(&format!("{INSTANCES}?page=9223372036854775807&size=100")).await.data().is_empty());
}

#[tokio::test]
async fn pages_start_at_one_and_have_at_most_a_hundred_elements() {
    let bench = Bench::instant().await;
    for (query, words) in [
        ("page=0", "page must not be less than 1"),
        ("size=0", "size must not be"),
        ("size=x", "size must be an integer"),
    ] {
        bench.get(&format!("{INSTANCES}?{query}")).await.invalid(words);
    }
    assert_eq!(bench.get(&format!("{INSTANCES}?size=1000")).await.body["_pagination"]["size"], 100);
}

#[tokio::test]
async fn later_pages_can_repeat_elements() {
    let bench = Bench::new(Options { duplicate_pages: true, ..Options::instant() }).await;
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(bench.order("x").await);
    }
    assert_eq!(bench.get(&format!("{INSTANCES}?size=2")).await.ids(), ids[..2]);
    let second = bench.get(&format!("{INSTANCES}?size=2&page=2")).await;
    assert_eq!(second.ids(), ids[1..3], "the last element of the first page is met again");
    assert_eq!(second.body["_pagination"]["totalPages"], 3);
    assert_eq!(bench.get(&format!("{INSTANCES}?size=2&page=3")).await.ids(), ids[3..], "and none is lost");
}

#[tokio::test]
async fn a_list_is_ordered_by_several_fields() {
    let bench = Bench::instant().await;
    let a1 = bench.order("a").await;
    let b = bench.order("b").await;
    let a2 = bench.order("a").await;
    for (order, expected) in [
        ("orderBy=displayName:ASC&orderBy=instanceId:DESC", [a2, a1, b]),
        ("orderBy=displayName:DESC,instanceId:ASC", [b, a1, a2]),
        ("orderBy=instanceId:desc", [a2, b, a1]),
        ("orderBy=createdDate", [a1, b, a2]),
    ] {
        assert_eq!(bench.get(&format!("{INSTANCES}?{order}")).await.ids(), expected, "{order}");
    }
    bench.get(&format!("{INSTANCES}?orderBy=colour:ASC")).await.refused(400, "colour");
    bench.get(&format!("{INSTANCES}?orderBy=name:UP")).await.refused(400, "UP");
}

#[tokio::test]
async fn every_filter_narrows_the_list() {
    let bench = Bench::instant().await;
    let one = bench.order("brave-tiger").await;
    let body = json!({
        "period": 1, "displayName": "calm-otter", "region": "UK", "productId": "V159", "addOns": { "backup": {} },
    });
    let two = bench.post(INSTANCES, body).await.object()["instanceId"].as_i64().unwrap();
    bench.act(&format!("{INSTANCES}/{two}/actions/stop")).await.done(201);
    let both = vec![one, two];
    for (filter, expected) in [
        (format!("name=vmi{one}"), vec![one]),
        ("displayName=calm-otter".to_owned(), vec![two]),
        ("displayName=TIGER".to_owned(), vec![one]),
        ("displayName=".to_owned(), both.clone()),
        ("dataCenter=United%20Kingdom%201".to_owned(), vec![two]),
        ("region=EU".to_owned(), vec![one]),
        (format!("instanceId={two}"), vec![two]),
        (format!("instanceIds={one},{two}"), both.clone()),
        ("instanceIds=1".to_owned(), vec![]),
        ("status=running".to_owned(), vec![one]),
        ("status=running,stopped".to_owned(), both.clone()),
        ("productIds=V159,V160".to_owned(), vec![two]),
        ("productTypes=ssd".to_owned(), vec![one]),
        ("addOnIds=1479".to_owned(), vec![two]),
        ("ipConfig=true".to_owned(), both.clone()),
        ("ipConfig=false".to_owned(), vec![]),
        ("suspended=false".to_owned(), both.clone()),
        ("suspended=true".to_owned(), vec![]),
        ("search=otter".to_owned(), vec![two]),
        ("search=127.64.0.1".to_owned(), vec![one]),
        ("customerId=1".to_owned(), vec![]),
        ("tenantId=DE".to_owned(), both),
        ("region=EU&status=stopped".to_owned(), vec![]),
    ] {
        assert_eq!(bench.get(&format!("{INSTANCES}?{filter}")).await.done(200).ids(), expected, "{filter}");
    }
    bench.get(&format!("{INSTANCES}?status=gone")).await.invalid("status 'gone'");
    bench.get(&format!("{INSTANCES}?ipConfig=maybe")).await.invalid("ipConfig must be a boolean value");
    bench.get(&format!("{INSTANCES}?instanceIds=1,x")).await.invalid("instanceIds must be an integer number");
}

#[tokio::test]
async fn name_filters_can_be_exact() {
    let bench = Bench::new(Options { name_match: NameMatch::Exact, ..Options::instant() }).await;
    let id = bench.order("brave-tiger").await;
    assert!(bench.get(&format!("{INSTANCES}?displayName=tiger")).await.data().is_empty());
    assert_eq!(bench.get(&format!("{INSTANCES}?displayName=brave-tiger")).await.ids(), [id]);
}

#[tokio::test]
async fn an_address_cannot_be_searched_before_it_is_given() {
    let options =
        Options { provisioning: Delay::seconds(10, 0), unlisted_after_create: Delay::ZERO, ..Options::default() };
    let bench = Bench::new(options).await;
    let id = bench.order("one").await;
    assert!(bench.get(&format!("{INSTANCES}?search=127.64")).await.data().is_empty());
    assert_eq!(bench.get(&format!("{INSTANCES}?ipConfig=false")).await.ids(), [id]);
    bench.pass(10).await;
    assert_eq!(bench.get(&format!("{INSTANCES}?search=127.64")).await.ids(), [id]);
}
