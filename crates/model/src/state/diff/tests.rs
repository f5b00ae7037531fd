use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn state(resources: &Value, outputs: &Value) -> Vec<u8> {
    let state = json!({"version": 4, "terraform_version": "1.11.4", "serial": 1, "lineage": "l",
        "outputs": outputs, "resources": resources, "check_results": null});
    serde_json::to_vec(&state).unwrap()
}

fn resource(attributes: &Value, marks: &Value) -> Vec<u8> {
    state(
        &json!([{"mode": "managed", "type": "terraform_data", "name": "a", "provider": "p", "instances": [
            {"schema_version": 0, "attributes": attributes, "sensitive_attributes": marks}]}]),
        &json!({}),
    )
}

fn get_attr(names: &[&str]) -> Value {
    names.iter().map(|name| json!({"type": "get_attr", "value": name})).collect()
}

/// The changed attributes of the only changed resource.
fn attributes(before: &[u8], after: &[u8]) -> Vec<AttributeChange> {
    let found = diff(Some(before), after).unwrap();
    assert_eq!(found.resources.len(), 1);
    found.resources.into_iter().next().unwrap().attributes
}

fn shown(changes: &[AttributeChange]) -> Vec<String> {
    let side = |shown: &Shown| match shown {
        Shown::Absent => "-".to_owned(),
        Shown::Masked => "***".to_owned(),
        Shown::Value(text) => text.clone(),
    };
    changes
        .iter()
        .map(|change| format!("{}: {} > {}", change.path, side(&change.before), side(&change.after)))
        .collect()
}

fn addresses(changes: &[Change]) -> Vec<String> {
    changes.iter().map(|change| format!("{} {}", change.kind, change.address)).collect()
}

#[test]
fn resources_are_known_by_their_whole_address() {
    let of = |instances: Value| json!({"module": "module.net[\"eu\"]", "mode": "managed", "type": "vm", "name": "a", "instances": instances});
    let data = json!({"mode": "data", "type": "zone", "name": "z", "instances": [{"attributes": {"id": 1}}]});
    let before = state(
        &json!([of(json!([
            {"index_key": 2, "attributes": {"id": "x"}},
            {"index_key": 10, "attributes": {"id": "y"}},
            {"index_key": 10, "deposed": "abcd1234", "attributes": {"id": "y"}},
        ]))]),
        &json!({}),
    );
    let after = state(
        &json!([
            data,
            of(json!([
                {"index_key": "k\"\n", "attributes": {"id": "x"}},
                {"index_key": 10, "attributes": {"id": "z"}},
            ]))
        ]),
        &json!({}),
    );
    let found = diff(Some(&before), &after).unwrap();
    assert_eq!(
        addresses(&found.resources),
        [
            "added data.zone.z",
            "removed module.net[\"eu\"].vm.a[2]",
            "changed module.net[\"eu\"].vm.a[10]",
            "removed module.net[\"eu\"].vm.a[10] (deposed abcd1234)",
            "added module.net[\"eu\"].vm.a[\"k\\\"\u{fffd}\"]",
        ]
    );
    assert_eq!(found.resource_counts, Counts { added: 2, changed: 1, removed: 2 });
}

#[test]
fn attributes_are_named_by_their_paths() {
    let before =
        resource(&json!({"id": "1", "tags": {"a b": 1, "x": 2}, "rule": [{"port": 1}], "n": null}), &json!([]));
    let after =
        resource(&json!({"id": "1", "tags": {"a b": 2, "x": 2}, "rule": [{"port": 2}, 7], "n": [1]}), &json!([]));
    assert_eq!(
        shown(&attributes(&before, &after)),
        ["n: null > [1]", "rule[0].port: 1 > 2", "rule[1]: - > 7", "tags[\"a b\"]: 1 > 2"]
    );
}

#[test]
fn what_differs_in_writing_alone_did_not_change() {
    let compact = resource(&json!({"a": 1, "b": [2]}), &json!([]));
    let read: Value = serde_json::from_slice(&compact).unwrap();
    let pretty = serde_json::to_vec_pretty(&read).unwrap();
    assert!(diff(Some(&compact), &pretty).unwrap().is_empty());
}

#[test]
fn listed_secrets_are_masked_wherever_they_stand_and_whoever_lists_them() {
    // As Terraform 1.11.4 writes it: the path has no `value`, and `output` is not listed.
    let of = |secret: &str| {
        let value = json!({"value": {"pw": secret, "plain": secret.len()}, "type": ["object", {"pw": "string"}]});
        json!({"input": value, "output": value, "note": format!("it is {secret}!")})
    };
    let marks = json!([get_attr(&["input", "pw"])]);
    let expected = [
        "input.plain: 9 > 11",
        "input.pw: *** > ***",
        "note: *** > ***",
        "output.plain: 9 > 11",
        "output.pw: *** > ***",
    ];
    let (before, after) = (of("topsecret"), of("othersecret"));
    assert_eq!(shown(&attributes(&resource(&before, &marks), &resource(&after, &marks))), expected);
    let one_side = attributes(&resource(&before, &marks), &resource(&after, &json!([])));
    assert!(
        one_side
            .iter()
            .filter(|change| change.path != "output.plain" && change.path != "input.plain")
            .all(|change| change.before == Shown::Masked && change.after == Shown::Masked)
    );
    let indexed =
        json!([[{"type": "get_attr", "value": "list"}, {"type": "index", "value": {"value": 1, "type": "number"}}]]);
    let list = |item: &str| json!({"list": ["same", item, {"a": item}]});
    assert_eq!(
        shown(&attributes(&resource(&list("one"), &indexed), &resource(&list("two"), &indexed))),
        ["list[1]: *** > ***", "list[2].a: *** > ***"]
    );
}

#[test]
fn what_nobody_is_sure_about_is_masked() {
    let of = |value: &Value| resource(&json!({"a": {"b": value}, "id": value}), &json!([]));
    for (before, after) in [
        (json!("-----BEGIN RSA"), json!("x")),
        (json!("postgres://me:pw@host/db"), json!("postgres://host/db")),
        (json!({"db_password": 1}), json!(7)),
    ] {
        let found = shown(&attributes(&of(&before), &of(&after)));
        assert_eq!(found, ["a.b: *** > ***", "id: *** > ***"], "{before}");
    }
    let named = |value: u8| resource(&json!({"api_token": value, "size": value}), &json!([]));
    assert_eq!(shown(&attributes(&named(1), &named(2))), ["api_token: *** > ***", "size: 1 > 2"]);
    // A list of secrets that is not understood, or leads nowhere.
    let with = |value: u8, marks: &Value| resource(&json!({"a": {"x": value + 10}, "b": value}), marks);
    for (marks, expected) in [
        (json!("all"), ["a.x: *** > ***", "b: *** > ***"]),
        (json!([[]]), ["a.x: *** > ***", "b: *** > ***"]),
        (json!([["a"]]), ["a.x: *** > ***", "b: *** > ***"]),
        (json!([get_attr(&["a", "nowhere"])]), ["a.x: *** > ***", "b: 1 > 2"]),
        (json!([[{"type": "get_attr", "value": "a"}, {"type": "new", "value": 1}]]), ["a.x: *** > ***", "b: 1 > 2"]),
    ] {
        assert_eq!(shown(&attributes(&with(1, &marks), &with(2, &marks))), expected, "{marks}");
    }
    let typed = |value: &str| {
        state(
            &json!([{"mode": "managed", "type": "random_password", "name": "a", "instances": [
                {"attributes": {"result": value}}]}]),
            &json!({}),
        )
    };
    assert_eq!(shown(&attributes(&typed("one"), &typed("two"))), ["result: *** > ***"]);
}

#[test]
fn outputs_are_compared_and_their_secrets_are_masked_everywhere() {
    let of = |value: &str, size: u8| {
        state(
            &json!([{"mode": "managed", "type": "vm", "name": "a", "instances": [{"attributes": {"env": value}}]}]),
            &json!({"hidden": {"value": value, "type": "string", "sensitive": true},
                "size": {"value": size, "type": "number"}, "odd": {"value": "odd-one", "sensitive": "odd"}}),
        )
    };
    let found = diff(Some(&of("topsecret", 1)), &of("othersecret", 2)).unwrap();
    assert_eq!(addresses(&found.outputs), ["changed hidden", "changed size"]);
    assert_eq!(shown(&found.outputs[0].attributes), ["(value): *** > ***"]);
    assert_eq!(shown(&found.outputs[1].attributes), ["(value): 1 > 2"]);
    assert_eq!(shown(&found.resources[0].attributes), ["env: *** > ***"]);
    let first = diff(None, &of("topsecret", 1)).unwrap();
    assert_eq!(first.output_counts, Counts { added: 3, changed: 0, removed: 0 });
    assert!(!format!("{first:?}").contains("topsecret"));
}

#[test]
fn a_tainted_resource_changed() {
    let of = |status: &str| {
        state(
            &json!([{"mode": "managed", "type": "vm", "name": "a", "instances": [{"status": status, "attributes": {}}]}]),
            &json!({}),
        )
    };
    assert_eq!(shown(&attributes(&of(""), &of("tainted"))), ["(status): - > \"tainted\""]);
}

#[test]
fn what_cannot_be_read_is_said_and_not_guessed() {
    let encrypted = br#"{"serial":1,"lineage":"l","meta":{},"encrypted_data":"YQ==","encryption_version":"v0"}"#;
    let plain = resource(&json!({}), &json!([]));
    assert_eq!(diff(Some(&plain), encrypted), Err(DiffError::Opaque));
    assert_eq!(diff(Some(encrypted), &plain), Err(DiffError::Opaque));
    assert_eq!(diff(None, br#"{"version":3,"serial":1,"modules":[]}"#), Err(DiffError::Format(3)));
    assert!(matches!(diff(None, b"<html>"), Err(DiffError::Content(_))));
    assert!(matches!(diff(None, br#"{"version":4,"serial":1,"resources":7}"#), Err(DiffError::Content(_))));
}

#[test]
fn the_answer_is_bounded_whatever_is_compared() {
    let many = |value: usize| {
        let instances: Vec<Value> = (0..CHANGES_MAX + 5)
            .map(|index| {
                let attributes: serde_json::Map<String, Value> = (0..if index < 60 { 200 } else { 1 })
                    .map(|number| (format!("a{number}"), json!(format!("{value}{}", "x".repeat(300)))))
                    .collect();
                json!({"index_key": index, "attributes": attributes})
            })
            .collect();
        state(&json!([{"mode": "managed", "type": "vm", "name": "a", "instances": instances}]), &json!({}))
    };
    let found = diff(Some(&many(1)), &many(2)).unwrap();
    assert_eq!(found.resource_counts.changed, CHANGES_MAX + 5);
    assert_eq!(found.resources.len(), CHANGES_MAX);
    assert_eq!(found.resources.iter().map(|change| change.attributes.len()).sum::<usize>(), ATTRIBUTES_MAX);
    assert_eq!((found.resources[0].attributes.len(), found.resources[0].attributes_omitted), (100, 100));
    assert!(
        matches!(&found.resources[0].attributes[0].before, Shown::Value(text) if text.chars().count() == VALUE_MAX)
    );
}

#[test]
fn what_is_nested_deeper_than_anybody_reads_is_compared_as_text() {
    let deep = |value: u8| {
        let nested = format!("{}{value}{}", "[".repeat(5_000), "]".repeat(5_000));
        format!(
            r#"{{"version":4,"serial":1,"resources":[{{"type":"vm","name":"a","instances":[{{"attributes":{{"a":{nested}}}}}]}}]}}"#
        )
    };
    assert_eq!(shown(&attributes(deep(1).as_bytes(), deep(2).as_bytes())), ["(attributes): *** > ***"]);
    assert!(diff(Some(deep(1).as_bytes()), deep(1).as_bytes()).unwrap().is_empty());
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from)
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map("value|type|[a-z]{1,6}", inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn a_difference_is_found_exactly_where_there_is_one(one in any_json(), other in any_json(), marks in any_json()) {
        let (before, after) = (resource(&one, &marks), resource(&other, &marks));
        prop_assert!(diff(Some(&before), &before).unwrap().is_empty());
        let there = diff(Some(&before), &after).unwrap();
        // The type beside a value of any type is not compared.
        if one == other {
            prop_assert!(there.is_empty());
        }
        let back = diff(Some(&after), &before).unwrap();
        prop_assert_eq!(there.resource_counts, back.resource_counts);
    }

    #[test]
    fn a_listed_secret_is_never_shown(parts in prop::collection::vec("[a-z]{1,5}", 1..5), tail in any_json()) {
        let secret = "h7Zq-secret-value";
        let nest = |text: &str| parts.iter().rev().fold(json!(text), |inner, name| json!({name.as_str(): inner, "size": tail.clone()}));
        let names: Vec<&str> = parts.iter().map(String::as_str).collect();
        let marks = json!([get_attr(&names)]);
        let found = diff(Some(&resource(&nest(secret), &marks)), &resource(&nest("other-secret-value"), &json!([]))).unwrap();
        let text = format!("{found:?}");
        prop_assert!(!text.contains("secret-value"));
    }

    #[test]
    fn nothing_makes_it_panic(content in prop::collection::vec(any::<u8>(), 0..200), odd in any_json()) {
        let _ = diff(None, &content);
        let _ = diff(Some(&state(&odd, &odd)), &state(&json!([{"instances": [odd]}]), &odd));
    }
}
