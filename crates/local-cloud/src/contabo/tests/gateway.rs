//! Login, and what is checked before a call is looked at.

use axum::body::Body;
use http::{Method, Request};
use jiff::SignedDuration;
use serde_json::json;

use super::support::{Bench, INSTANCES, PASSWORD_FORM};
use crate::contabo::{Options, Rate};

#[tokio::test]
async fn a_login_gives_a_token_for_five_minutes() {
    let bench = Bench::instant().await;
    let answer = bench.token(PASSWORD_FORM).await.done(200);
    assert_eq!(answer.body["expires_in"], 300);
    assert_eq!(answer.body["refresh_expires_in"], 1_800);
    assert_eq!(answer.body["token_type"], "Bearer");
    assert!(answer.body["refresh_token"].is_string());
}

#[tokio::test]
async fn wrong_credentials_are_refused_as_keycloak_does() {
    let bench = Bench::instant().await;
    for (form, status, error) in [
        (PASSWORD_FORM.replace("=local-password", "=wrong"), 401, "invalid_grant"),
        (PASSWORD_FORM.replace("local%40", "other%40"), 401, "invalid_grant"),
        (PASSWORD_FORM.replace("=local-client-secret", "=wrong"), 401, "invalid_client"),
        (PASSWORD_FORM.replace("client_id=local-client", "client_id=other"), 401, "invalid_client"),
        (PASSWORD_FORM.replace("grant_type=password", "grant_type=client_credentials"), 400, "unsupported_grant_type"),
        (PASSWORD_FORM.replace("grant_type=password&", ""), 400, "invalid_request"),
        (String::new(), 400, "invalid_request"),
    ] {
        let answer = bench.token(&form).await;
        assert_eq!((answer.status, answer.body["error"].as_str()), (status, Some(error)), "{form}");
        assert!(answer.body["error_description"].is_string(), "{form}");
    }
}

#[tokio::test]
async fn a_login_must_be_form_encoded_and_posted() {
    let bench = Bench::instant().await;
    let path = "/auth/realms/contabo/protocol/openid-connect/token";
    let json = Request::post(path).header("content-type", "application/json").body(Body::from("{}")).unwrap();
    assert_eq!(bench.send(json).await.status, 415);
    assert_eq!(bench.send(Request::get(path).body(Body::empty()).unwrap()).await.status, 405);
}

#[tokio::test]
async fn a_refresh_token_gives_another_token_until_it_ends() {
    let bench = Bench::instant().await;
    let login = bench.token(PASSWORD_FORM).await;
    let form = format!(
        "grant_type=refresh_token&client_id=local-client&client_secret=local-client-secret&refresh_token={}",
        login.body["refresh_token"].as_str().unwrap()
    );
    bench.clock.turn(SignedDuration::from_secs(1_799));
    bench.token(&form).await.done(200);
    bench.clock.turn(SignedDuration::from_secs(1));
    assert_eq!(bench.token(&form).await.done(400).body["error"], "invalid_grant");
}

#[tokio::test]
async fn every_call_needs_a_token_that_has_not_ended() {
    let bench = Bench::instant().await;
    bench.get(INSTANCES).await.done(200);
    bench.clock.turn(SignedDuration::from_secs(299));
    bench.get(INSTANCES).await.done(200);
    bench.clock.turn(SignedDuration::from_secs(1));
    bench.get(INSTANCES).await.refused(401, "Unauthorized");
    let without = Request::get(INSTANCES).body(Body::empty()).unwrap();
    bench.send(without).await.refused(401, "Unauthorized");
    let basic = Request::get(INSTANCES).header("authorization", "Basic eDp5").body(Body::empty()).unwrap();
    bench.send(basic).await.refused(401, "Unauthorized");
}

#[tokio::test]
async fn revoked_tokens_are_refused() {
    let bench = Bench::instant().await;
    bench.contabo.revoke_tokens();
    bench.get(INSTANCES).await.refused(401, "Unauthorized");
}

#[tokio::test]
async fn a_request_id_is_required_and_must_match_the_published_pattern() {
    let bench = Bench::instant().await;
    for (id, status) in [
        ("04e0f898-37b4-48bc-a794-1a57abe6aa31", 200),
        ("04E0F898-37B4-58BC-B794-1A57ABE6AA31", 200),
        ("00000000-0000-0000-0000-000000000000", 200),
        ("019a0f89-37b4-78bc-a794-1a57abe6aa31", 400),
        ("04e0f898-37b4-48bc-c794-1a57abe6aa31", 400),
        ("04e0f89837b448bca7941a57abe6aa31", 400),
        ("04e0f898-37b4-48bc-a794-1a57abe6aa3g", 400),
        ("", 400),
    ] {
        let mut request = bench.request(&Method::GET, INSTANCES).body(Body::empty()).unwrap();
        request.headers_mut().insert("x-request-id", id.parse().unwrap());
        assert_eq!(bench.send(request).await.status, status, "`{id}`");
    }
    let mut request = bench.request(&Method::GET, INSTANCES).body(Body::empty()).unwrap();
    request.headers_mut().remove("x-request-id");
    bench.send(request).await.refused(400, "x-request-id");
}

#[tokio::test]
async fn an_empty_body_that_is_said_to_be_json_is_refused() {
    let bench = Bench::instant().await;
    let id = bench.order("one").await;
    for (method, path) in
        [(Method::GET, INSTANCES.to_owned()), (Method::POST, format!("{INSTANCES}/{id}/actions/stop"))]
    {
        let request =
            bench.request(&method, &path).header("content-type", "application/json").body(Body::empty()).unwrap();
        let answer = bench.send(request).await;
        answer.refused(400, "Body cannot be empty when content-type is set to 'application/json'");
        assert!(answer.body["message"].is_string());
    }
}

#[tokio::test]
async fn a_body_must_be_a_json_object_of_bounded_size() {
    let bench = Bench::instant().await;
    for (kind, body, status) in [
        ("application/json", "{", 400),
        ("application/json", "[]", 400),
        ("application/json; charset=utf-8", "{\"period\":1}", 201),
        ("text/plain", "{\"period\":1}", 415),
    ] {
        let request = bench.request(&Method::POST, INSTANCES).header("content-type", kind).body(Body::from(body));
        assert_eq!(bench.send(request.unwrap()).await.status, status, "{kind} {body}");
    }
    let large = "x".repeat((1 << 20) + 1);
    let request = bench.request(&Method::POST, INSTANCES).header("content-type", "application/json");
    bench.send(request.body(Body::from(large)).unwrap()).await.refused(413, "too large");
    let nested = "[".repeat(100_000);
    let request = bench.request(&Method::POST, INSTANCES).header("content-type", "application/json");
    bench.send(request.body(Body::from(nested)).unwrap()).await.refused(400, "not valid JSON");
}

#[tokio::test]
async fn more_calls_than_the_rate_allows_get_429_until_the_window_is_over() {
    let rate = Rate { calls: 2, window: SignedDuration::from_secs(10) };
    let bench = Bench::new(Options { rate: Some(rate), ..Options::instant() }).await;
    bench.get(INSTANCES).await.done(200);
    bench.get(INSTANCES).await.done(200);
    bench.post(INSTANCES, json!({ "period": 1 })).await.refused(429, "Rate-limit reached. Please wait for some time");
    bench.clock.turn(SignedDuration::from_secs(10));
    assert!(bench.get(INSTANCES).await.done(200).data().is_empty(), "a refused order must not be carried out");
}

#[tokio::test]
async fn what_the_platform_does_not_have_is_404() {
    let bench = Bench::instant().await;
    let id = bench.order("one").await;
    bench.delete(&format!("{INSTANCES}/{id}")).await.refused(404, "Cannot DELETE");
    bench.get("/v1/nothing").await.refused(404, "Cannot GET");
    bench.act(&format!("{INSTANCES}/{id}/actions/explode")).await.refused(404, "Cannot POST");
    bench.get(&format!("{INSTANCES}/1")).await.refused(404, "not found");
    bench.get(&format!("{INSTANCES}/abc")).await.invalid("instanceId must be an integer number");
}
