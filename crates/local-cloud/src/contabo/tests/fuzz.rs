//! No input brings the cloud down.

use axum::body::Body;
use http::Method;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::Value;

use super::support::Bench;
use crate::contabo::Options;

/// Paths of all kinds, with ids that exist, that do not, and that are none.
fn path() -> impl Strategy<Value = String> {
    let id =
        prop_oneof![Just("203000001"), Just("1"), Just("-1"), Just("99999999999999999999"), Just("x"), Just("%00")];
    let head = prop_oneof![
        Just("/v1/compute/instances"),
        Just("/v1/compute/images"),
        Just("/v1/secrets"),
        Just("/v1/tags"),
        Just("/v1/tags/assignments/audits"),
        Just("/v1/compute/instances/audits"),
    ];
    let tail = prop_oneof![
        Just(""),
        Just("/cancel"),
        Just("/actions/start"),
        Just("/actions/rescue"),
        Just("/assignments"),
        Just("/assignments/instance/203000001"),
    ];
    let query = "(\\?(page|size|orderBy|startDate|instanceIds|status|search)=[-a-zA-Z0-9%:,.]{0,24}){0,1}";
    (head, prop::option::of(id), tail, query).prop_map(|(head, id, tail, query)| match id {
        Some(id) => format!("{head}/{id}{tail}{query}"),
        None => format!("{head}{query}"),
    })
}

/// Bodies with the fields that are known, and values that are not what they should be.
fn body() -> impl Strategy<Value = Value> {
    let value = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
        Just(serde_json::json!([1, "a", null, {}])),
        Just(serde_json::json!({ "addonsIds": [null, { "id": 1, "quantity": -1 }] })),
        Just(Value::from("d64d5c6c-9dda-4e38-8174-0ee282474d8a")),
        Just(Value::from("9999-12-30T00:00:00Z")),
        Just(Value::from(1)),
    ];
    let field = prop_oneof![
        Just("period"),
        Just("displayName"),
        Just("imageId"),
        Just("sshKeys"),
        Just("rootPassword"),
        Just("addOns"),
        Just("userData"),
        Just("cancelDate"),
        Just("name"),
        Just("value"),
        Just("type"),
        Just("color"),
    ];
    prop::collection::hash_map(field.prop_map(str::to_owned), value, 0..6)
        .prop_map(|fields| Value::Object(fields.into_iter().collect()))
}

fn method() -> impl Strategy<Value = Method> {
    prop_oneof![Just(Method::GET), Just(Method::POST), Just(Method::PATCH), Just(Method::PUT), Just(Method::DELETE)]
}

proptest! {
    // The same cases in each run: a failure is seen by whoever caused it.
    #![proptest_config(ProptestConfig {
        cases: 200,
        rng_seed: RngSeed::Fixed(20),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_call_is_answered_and_every_refusal_says_why(
        calls in prop::collection::vec((method(), path(), body()), 1..20),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let bench = Bench::new(Options::instant()).await;
            bench.order("one").await;
            for (method, path, body) in calls {
                let request = bench
                    .request(&method, &path)
                    .header("content-type", "application/json")
                    .body(Body::from(body.to_string()))
                    .unwrap();
                let answer = bench.send(request).await;
                if answer.status >= 400 {
                    assert_eq!(answer.body["statusCode"], answer.status, "{method} {path} {body}");
                    assert!(!answer.body["message"].is_null(), "{method} {path} {body}");
                }
                // The lists survive whatever was done.
                bench.get("/v1/compute/instances?size=100").await.done(200);
                bench.get("/v1/compute/instances/audits").await.done(200);
            }
        });
    }
}
