//! Tokens: who is let in, what they may do, and how often.

use http::Request;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{
    bench::{Bench, codes, records_path, request},
    cloudflare::{
        DEMO_ACCOUNT_ID, DEMO_MANAGER_TOKEN, DEMO_MANAGER_TOKEN_ID, DEMO_TOKEN_ID, DEMO_ZONE_ID, Permission, Plan,
        RateOptions, TokenOptions, TokenOwner, TokenStatus, ZoneOptions,
    },
};

const OTHER_ZONE_ID: &str = "0123456789abcdef0123456789abcdef";

async fn with_header(bench: &Bench, header: Option<(&str, &str)>, path: &str) -> (u16, Value) {
    let mut request = request("GET", path, &Value::Null);
    request.headers_mut().remove("authorization");
    if let Some((name, value)) = header {
        let name: http::HeaderName = name.parse().unwrap();
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    let response = bench.send(request).await;
    (response.status().as_u16(), serde_json::from_slice(response.body()).unwrap())
}

async fn with_token(bench: &Bench, token: &str, method: &str, path: &str, body: Value) -> (u16, Value) {
    let mut request = request(method, path, &body);
    request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    let response = bench.send(request).await;
    (response.status().as_u16(), serde_json::from_slice(response.body()).unwrap())
}

fn with_tokens(tokens: Vec<TokenOptions>) -> Bench {
    Bench::with(|options| {
        options.zones.push(ZoneOptions::new(OTHER_ZONE_ID, "example.org", Plan::Pro));
        options.tokens.extend(tokens);
    })
}

#[tokio::test]
async fn headers_without_a_proper_token_are_invalid() {
    let bench = Bench::with_plan(Plan::Free);
    let path = records_path("");
    for header in [
        None,
        Some(("authorization", "")),
        Some(("authorization", "Bearer")),
        Some(("authorization", "Bearer two words")),
        Some(("authorization", "Basic abc")),
        Some(("authorization", "Bearer \"quoted\"")),
    ] {
        let (status, answer) = with_header(&bench, header, &path).await;
        assert_eq!((status, codes(&answer)), (400, (6003, Some(6111))), "{header:?}");
    }
    let (status, answer) = with_header(&bench, Some(("x-auth-key", "abc")), &path).await;
    assert_eq!((status, codes(&answer)), (403, (9103, None)));
}

#[tokio::test]
async fn unknown_tokens_are_refused_differently_on_account_paths() {
    let bench = Bench::with_plan(Plan::Free);
    let (status, answer) = with_token(&bench, "cfut_nobody", "GET", &records_path(""), Value::Null).await;
    assert_eq!((status, codes(&answer)), (403, (9109, None)));
    let path = format!("/accounts/{DEMO_ACCOUNT_ID}/tokens/verify");
    let (status, answer) = with_token(&bench, "cfut_nobody", "GET", &path, Value::Null).await;
    assert_eq!((status, codes(&answer)), (403, (10000, None)));
}

#[tokio::test]
async fn a_token_does_what_its_permissions_say_and_no_more() {
    let bench = with_tokens(vec![
        TokenOptions { permission: Permission::Read, ..TokenOptions::new("r", "reader") },
        TokenOptions { zones: Some(vec![OTHER_ZONE_ID.into()]), ..TokenOptions::new("o", "other") },
    ]);
    let body = json!({"type": "A", "name": "x", "content": "198.51.100.4"});
    assert_eq!(with_token(&bench, "reader", "GET", &records_path(""), Value::Null).await.0, 200);
    for (method, rest) in [("POST", ""), ("POST", "/batch"), ("DELETE", "/x"), ("PUT", "/x"), ("PATCH", "/x")] {
        let (status, answer) = with_token(&bench, "reader", method, &records_path(rest), body.clone()).await;
        assert_eq!((status, codes(&answer)), (403, (10000, None)), "{method} {rest}");
    }
    let (status, answer) = with_token(&bench, "other", "GET", &records_path(""), Value::Null).await;
    assert_eq!((status, codes(&answer)), (403, (10000, None)));
    let (status, answer) = with_token(&bench, "other", "GET", &format!("/zones/{DEMO_ZONE_ID}"), Value::Null).await;
    assert_eq!((status, codes(&answer)), (403, (9109, None)));
    let (_, answer) = with_token(&bench, "other", "GET", "/zones", Value::Null).await;
    assert_eq!(answer["result_info"]["total_count"], 1);
    assert_eq!(answer["result"][0]["name"], "example.org");
    let path = format!("/zones/{OTHER_ZONE_ID}/dns_records");
    assert_eq!(with_token(&bench, "other", "POST", &path, body).await.0, 200);
}

#[tokio::test]
async fn verification_tells_the_status_on_the_owners_path() {
    let end: Timestamp = "2026-09-21T15:00:00Z".parse().unwrap();
    let bench = with_tokens(vec![
        TokenOptions { expires_on: Some(end), ..TokenOptions::new("e", "ends") },
        TokenOptions { status: TokenStatus::Disabled, ..TokenOptions::new("d", "off") },
        TokenOptions { owner: TokenOwner::Account, ..TokenOptions::new("a", "account") },
    ]);
    let user = "/user/tokens/verify";
    let account = format!("/accounts/{DEMO_ACCOUNT_ID}/tokens/verify");
    let (status, answer) = bench.call("GET", user, Value::Null).await;
    assert_eq!((status, &answer["result"]), (200, &json!({"id": DEMO_TOKEN_ID, "status": "active"})));
    assert_eq!(
        answer["messages"],
        json!([{"code": 10000, "message": "This API Token is valid and active", "type": null}])
    );
    let (_, answer) = with_token(&bench, "ends", "GET", user, Value::Null).await;
    assert_eq!(answer["result"], json!({"id": "e", "status": "active", "expires_on": "2026-09-21T15:00:00Z"}));
    let (_, answer) = with_token(&bench, "off", "GET", user, Value::Null).await;
    assert_eq!((&answer["result"]["status"], &answer["messages"]), (&json!("disabled"), &json!([])));
    assert_eq!(codes(&with_token(&bench, "off", "GET", "/zones", Value::Null).await.1), (9109, None));
    bench.clock.advance_ms(i64::try_from(SignedDuration::from_hours(1).as_millis()).unwrap());
    let (_, answer) = with_token(&bench, "ends", "GET", user, Value::Null).await;
    assert_eq!(answer["result"]["status"], "expired");
    assert_eq!(codes(&with_token(&bench, "ends", "GET", "/zones", Value::Null).await.1), (9109, None));
    assert_eq!(with_token(&bench, "account", "GET", &account, Value::Null).await.0, 200);
    assert_eq!(codes(&with_token(&bench, "account", "GET", user, Value::Null).await.1), (9109, None));
    assert_eq!(codes(&bench.call("GET", &account, Value::Null).await.1), (10000, None));
    let wrong = format!("/accounts/{OTHER_ZONE_ID}/tokens/verify");
    assert_eq!(codes(&bench.call("GET", &wrong, Value::Null).await.1), (10000, None));
}

#[tokio::test]
async fn a_rolled_token_dies_at_once() {
    let bench = with_tokens(vec![TokenOptions::new("plain", "plain")]);
    let path = format!("/user/tokens/{DEMO_TOKEN_ID}/value");
    let (status, answer) = with_token(&bench, "plain", "PUT", &path, json!({})).await;
    assert_eq!((status, codes(&answer)), (403, (10000, None)));
    let (status, answer) = bench.call("PUT", &path, json!({})).await;
    assert_eq!(status, 200, "{answer}");
    let value = answer["result"].as_str().unwrap();
    assert!(value.starts_with("cfut_"));
    assert_eq!(bench.call("GET", "/zones", Value::Null).await.0, 403);
    assert_eq!(with_token(&bench, value, "GET", "/zones", Value::Null).await.0, 200);
    let state = bench.cloud.cloudflare().state();
    assert!(!format!("{state:?}").contains(value), "a token must not be in a debug text");
}

#[tokio::test]
async fn tokens_are_read_by_who_may_manage_them_and_never_with_their_values() {
    let bench = with_tokens(vec![
        TokenOptions { zones: Some(vec![OTHER_ZONE_ID.into()]), name: "dns".into(), ..TokenOptions::new("p", "plain") },
        TokenOptions { owner: TokenOwner::Account, status: TokenStatus::Disabled, ..TokenOptions::new("a", "account") },
    ]);
    let account = format!("/accounts/{DEMO_ACCOUNT_ID}/tokens");
    for path in ["/user/tokens", "/user/tokens/p", account.as_str(), &format!("{account}/a")] {
        let (status, answer) = with_token(&bench, "plain", "GET", path, Value::Null).await;
        assert_eq!((status, codes(&answer)), (403, (10000, None)), "{path}");
        let (status, answer) = with_token(&bench, DEMO_MANAGER_TOKEN, "GET", path, Value::Null).await;
        assert_eq!(status, 200, "{path}: {answer}");
        let shown = answer.to_string();
        assert!(!shown.contains("plain") && !shown.contains(DEMO_MANAGER_TOKEN), "{shown}");
    }
    let (_, answer) = with_token(&bench, DEMO_MANAGER_TOKEN, "GET", "/user/tokens?per_page=5", Value::Null).await;
    let ids: Vec<&str> =
        answer["result"].as_array().unwrap().iter().map(|token| token["id"].as_str().unwrap()).collect();
    assert_eq!(ids, [DEMO_TOKEN_ID, DEMO_MANAGER_TOKEN_ID, "p"]);
    assert_eq!(answer["result_info"]["total_count"], 3);
    let (_, answer) = with_token(&bench, DEMO_MANAGER_TOKEN, "GET", &account, Value::Null).await;
    assert_eq!((&answer["result"][0]["id"], &answer["result"][0]["status"]), (&json!("a"), &json!("disabled")));
    let (_, answer) = with_token(&bench, DEMO_MANAGER_TOKEN, "GET", "/user/tokens/p", Value::Null).await;
    let token = &answer["result"];
    assert_eq!((&token["name"], &token["status"]), (&json!("dns"), &json!("active")));
    assert_eq!(
        token["policies"][0]["resources"],
        json!({format!("com.cloudflare.api.account.zone.{OTHER_ZONE_ID}"): "*"})
    );
    assert_eq!(token["policies"][0]["permission_groups"][0]["name"], "DNS Write");
    // The other owner's path does not know it, and pages have the documented sizes.
    for path in ["/user/tokens/a", "/user/tokens/nobody"] {
        let (status, answer) = with_token(&bench, DEMO_MANAGER_TOKEN, "GET", path, Value::Null).await;
        assert_eq!((status, codes(&answer)), (400, (7003, None)), "{path}");
    }
    assert_eq!(bench.call("GET", "/user/tokens?per_page=4", Value::Null).await.0, 400);
}

#[tokio::test]
async fn the_demos_manager_manages_tokens_and_sees_no_zone() {
    let bench = Bench::with_plan(Plan::Free);
    let (_, answer) = with_token(&bench, DEMO_MANAGER_TOKEN, "GET", "/zones", Value::Null).await;
    assert_eq!(answer["result_info"]["total_count"], 0);
    assert_eq!(with_token(&bench, DEMO_MANAGER_TOKEN, "GET", &records_path(""), Value::Null).await.0, 403);
    let path = format!("/user/tokens/{DEMO_TOKEN_ID}/value");
    assert_eq!(with_token(&bench, DEMO_MANAGER_TOKEN, "PUT", &path, json!({})).await.0, 200);
}

#[tokio::test]
async fn the_budget_is_shared_by_a_user_and_ends_in_a_block() {
    let bench = with_tokens(vec![
        TokenOptions::new("second", "second"),
        TokenOptions { owner: TokenOwner::Account, ..TokenOptions::new("a", "account") },
    ]);
    let rate = RateOptions { quota: 3, ..RateOptions::default() };
    bench.cloud.cloudflare().set_rate(rate);
    let response = bench.send(request("GET", "/zones", &Value::Null)).await;
    assert_eq!(response.headers()["ratelimit"], "\"default\";r=2;t=300");
    assert_eq!(response.headers()["ratelimit-policy"], "\"default\";q=3;w=300");
    assert!(!response.headers()["cf-ray"].is_empty());
    assert!(!response.headers().contains_key("retry-after"));
    with_token(&bench, "second", "GET", "/zones", Value::Null).await;
    // A call to nowhere counts as well.
    assert_eq!(codes(&bench.call("GET", "/nowhere", Value::Null).await.1), (7003, None));
    bench.clock.advance_ms(100_000);
    let response = bench.send(request("GET", "/zones", &Value::Null)).await;
    assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (429, &"300".parse().unwrap()));
    let answer: Value = serde_json::from_slice(response.body()).unwrap();
    assert_eq!(codes(&answer), (971, None));
    bench.clock.advance_ms(299_000);
    let response = bench.send(request("GET", "/zones", &Value::Null)).await;
    assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (429, &"1".parse().unwrap()));
    assert_eq!(with_token(&bench, "account", "GET", "/zones", Value::Null).await.0, 200);
    bench.clock.advance_ms(1_000);
    assert_eq!(bench.call("GET", "/zones", Value::Null).await.0, 200);
}

#[tokio::test]
async fn an_answer_without_a_token_has_the_headers_too() {
    let bench = Bench::with_plan(Plan::Free);
    let request = Request::get("/client/v4/zones").body(bytes::Bytes::new()).unwrap();
    let response = bench.send(request).await;
    assert_eq!(response.headers()["ratelimit"], "\"default\";r=1200;t=300");
}
