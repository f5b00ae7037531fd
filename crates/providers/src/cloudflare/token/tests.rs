use std::sync::Arc;

use super::*;
use crate::cloudflare::CloudflareOptions;
use crate::cloudflare::tests::{client, error, result};
use crate::testing::{Script, json};

#[tokio::test]
async fn tokens_are_managed_on_the_paths_of_their_owner() {
    let details = result(r#"{"id":"t/1","name":"dns","status":"active","policies":[{}]}"#);
    let script = Script::new([details.clone(), details, result(r#""cfat_new""#)]);
    let mut client = client(&script);
    client.options = Arc::new(CloudflareOptions { account: Some("acc1".into()), ..(*client.options).clone() });
    let read = client.token_details(TokenOwner::User, "t/1").await.unwrap();
    assert_eq!((read.name.as_deref(), read.status.as_deref()), (Some("dns"), Some("active")));
    client.token_details(TokenOwner::Account, "t/1").await.unwrap();
    assert_eq!(client.roll_token(TokenOwner::Account, "t/1").await.unwrap().expose(), "cfat_new");
    let base = "https://api.example/client/v4";
    assert_eq!(
        script.sent(),
        [
            format!("GET {base}/user/tokens/t%2F1"),
            format!("GET {base}/accounts/acc1/tokens/t%2F1"),
            format!("PUT {base}/accounts/acc1/tokens/t%2F1/value {{}}"),
        ]
    );
    assert_eq!(client.wire.counts.of("PUT /accounts/{account}/tokens/{token}/value"), 1);
    assert_eq!(client.wire.counts.of("GET /user/tokens/{token}"), 1);
}

#[tokio::test]
async fn a_new_value_that_cannot_be_one_is_an_unknown_outcome_that_shows_nothing() {
    for value in ["", "two words", "quoted\"", "line\nbreak", &"x".repeat(257)] {
        let body = serde_json::json!({"success": true, "result": value}).to_string();
        let error = client(&Script::new([json(200, &body)])).roll_token(TokenOwner::User, "t1").await.unwrap_err();
        assert_eq!(error.disposition, Disposition::Unknown);
        assert!(value.is_empty() || !error.words.contains(value), "{error}");
    }
}

#[tokio::test]
async fn who_may_read_tokens_is_found_on_both_paths() {
    let refused = || json(403, &error(10_000, "Authentication error"));
    for (answers, may) in [
        (vec![result("[{}]")], Some(true)),
        (vec![refused(), result("[]")], Some(true)),
        (vec![refused(), refused()], Some(false)),
        (vec![refused(), json(500, "")], None),
    ] {
        let script = Script::new(answers);
        let mut client = client(&script);
        client.options = Arc::new(CloudflareOptions { account: Some("acc1".into()), ..(*client.options).clone() });
        assert_eq!(client.may_read_tokens().await.ok(), may);
        assert!(script.sent()[0].ends_with("/user/tokens?per_page=5"), "{:?}", script.sent());
    }
    assert!(
        !client(&Script::new([refused()])).may_read_tokens().await.unwrap(),
        "without an account there is one path"
    );
}

#[tokio::test]
async fn visible_zones_are_one_page_and_a_count() {
    let zones = r##"{"success":true,"result":[{"id":"z1","name":"a.b","permissions":["#dns_records:edit"]},
        {"id":"z2","name":"c.d","permissions":null}],"result_info":{"total_count":60}}"##;
    let script = Script::new([json(200, zones)]);
    let seen = client(&script).visible_zones().await.unwrap();
    assert_eq!((seen.zones.len(), seen.total), (2, Some(60)));
    assert_eq!(seen.zones[0].permissions, ["#dns_records:edit"]);
    assert!(script.sent()[0].ends_with("/zones?per_page=50"));
}
