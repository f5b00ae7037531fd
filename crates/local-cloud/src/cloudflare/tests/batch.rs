//! Batches: order, atomicity, limits.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{
    bench::{Bench, codes},
    cloudflare::{Plan, Record},
};

fn post(name: &str, content: &str) -> Value {
    json!({"type": "A", "name": name, "content": content, "ttl": 300})
}

fn all(bench: &Bench) -> Vec<Record> {
    let state = bench.cloud.cloudflare().state();
    state.zones[0].records.iter().map(|record| Record::clone(record)).collect()
}

#[tokio::test]
async fn the_lists_run_in_the_documented_order_and_answer_full_records() {
    let bench = Bench::with_plan(Plan::Free);
    let gone = bench.create("gone", "198.51.100.1").await;
    let patched = bench.create("patched", "198.51.100.2").await;
    let put = bench.create("put", "198.51.100.3").await;
    // Each step needs the one before: the post takes the name that the put leaves, which takes that of the patch, and so on.
    let body = json!({
        "posts": [post("put", "198.51.100.3")],
        "puts": [{"id": put, "type": "A", "name": "patched", "content": "198.51.100.2"}],
        "patches": [{"id": patched, "name": "gone", "content": "198.51.100.1"}],
        "deletes": [{"id": gone}],
    });
    let (status, answer) = bench.records("POST", "/batch", body).await;
    assert_eq!(status, 200, "{answer}");
    let result = &answer["result"];
    assert_eq!(result["deletes"][0]["content"], "198.51.100.1");
    assert_eq!(result["patches"][0]["name"], "gone.alfredos.site");
    assert_eq!(result["patches"][0]["ttl"], 300);
    assert_eq!(result["puts"][0]["ttl"], 1);
    assert_eq!(result["posts"][0]["name"], "put.alfredos.site");
    assert_eq!(all(&bench).len(), 3);
}

#[tokio::test]
async fn one_bad_change_undoes_all_and_is_told_first() {
    let bench = Bench::with_plan(Plan::Free);
    let kept = bench.create("kept", "198.51.100.1").await;
    let before = all(&bench);
    let body = json!({
        "deletes": [{"id": kept}],
        "posts": [post("new", "198.51.100.2"), post("bad", "nonsense"), {"type": "A"}],
    });
    let (status, answer) = bench.records("POST", "/batch", body).await;
    assert_eq!((status, codes(&answer)), (400, (1004, Some(9005))));
    assert_eq!(answer["errors"].as_array().unwrap().len(), 1);
    assert_eq!(all(&bench), before);
    let missing = json!({"deletes": [{"id": "0".repeat(32)}], "posts": [post("new", "198.51.100.2")]});
    let (_, answer) = bench.records("POST", "/batch", missing).await;
    assert_eq!(codes(&answer), (81044, None));
    assert_eq!(all(&bench), before);
}

#[tokio::test]
async fn a_batch_is_limited_by_plan_and_may_be_empty() {
    for (plan, limit) in [(Plan::Free, 200), (Plan::Pro, 3_500)] {
        let bench = Bench::with_plan(plan);
        let posts: Vec<Value> = (0..=limit).map(|number| post(&format!("n{number}"), "198.51.100.1")).collect();
        let (status, answer) = bench.records("POST", "/batch", json!({"posts": posts})).await;
        assert_eq!((status, codes(&answer)), (400, (1004, Some(9400))));
        let (status, answer) = bench.records("POST", "/batch", json!({"posts": posts[..limit]})).await;
        assert_eq!(status, 200, "{answer}");
        assert_eq!(answer["result"]["posts"].as_array().unwrap().len(), limit);
    }
    let bench = Bench::with_plan(Plan::Free);
    assert_eq!(bench.records("POST", "/batch", json!({})).await.0, 200);
    let (status, answer) = bench.records("POST", "/batch", json!({"posts": {}})).await;
    assert_eq!((status, codes(&answer)), (400, (6007, None)));
}

#[tokio::test]
async fn deletions_make_room_within_the_batch() {
    let bench = Bench::with(|options| options.zones[0].record_quota = Some(1));
    let old = bench.create("x", "198.51.100.1").await;
    let swap = json!({"deletes": [{"id": old}], "posts": [post("x", "198.51.100.2")]});
    assert_eq!(bench.records("POST", "/batch", swap).await.0, 200);
    let (_, answer) = bench.records("POST", "/batch", json!({"posts": [post("y", "198.51.100.2")]})).await;
    assert_eq!(codes(&answer), (81045, None));
}

/// One change of a random batch; `place` picks among the records that exist, or beyond them.
#[derive(Clone, Debug)]
enum Step {
    Delete(usize),
    Patch(usize, u8),
    Put(usize, u8, u8),
    Post(u8, u8),
}

fn steps() -> impl Strategy<Value = Vec<Vec<Step>>> {
    let step = prop_oneof![
        (0..7_usize).prop_map(Step::Delete),
        (0..7_usize, 0..5_u8).prop_map(|(place, content)| Step::Patch(place, content)),
        (0..7_usize, 0..3_u8, 0..5_u8).prop_map(|(place, name, content)| Step::Put(place, name, content)),
        (0..3_u8, 0..5_u8).prop_map(|(name, content)| Step::Post(name, content)),
    ];
    prop::collection::vec(prop::collection::vec(step, 1..5), 1..12)
}

/// Name and content of a record by its id: all that the model knows. Content 0 is a CNAME, 4 is no address.
type Model = Vec<(String, u8, u8)>;

fn body(name: u8, content: u8) -> Value {
    match content {
        0 => json!({"type": "CNAME", "name": format!("n{name}"), "content": "t.example"}),
        4 => json!({"type": "A", "name": format!("n{name}"), "content": "nonsense"}),
        _ => {
            json!({"type": "A", "name": format!("n{name}"), "content": format!("198.51.100.{content}")})
        }
    }
}

/// Whether a record may be put in: the rules of addresses and aliases, said again in the simplest way.
fn fits(model: &Model, id: &str, name: u8, content: u8) -> bool {
    content != 4
        && model
            .iter()
            .filter(|(other, other_name, _)| other != id && *other_name == name)
            .all(|(_, _, other)| content != 0 && *other != 0 && *other != content)
}

/// Runs a batch on a copy; `None` if any change is refused.
fn run(model: &Model, batch: &[Step], ids: &[String]) -> Option<Model> {
    let mut model = model.clone();
    let at = |model: &Model, place: usize| model.iter().position(|(id, _, _)| ids.get(place) == Some(id));
    let rank = |step: &Step| match step {
        Step::Delete(_) => 0,
        Step::Patch(..) => 1,
        Step::Put(..) => 2,
        Step::Post(..) => 3,
    };
    let mut ordered: Vec<&Step> = batch.iter().collect();
    ordered.sort_by_key(|step| rank(step));
    for step in ordered {
        match *step {
            Step::Delete(place) => {
                let index = at(&model, place)?;
                model.remove(index);
            }
            Step::Patch(place, content) => {
                let index = at(&model, place)?;
                let (id, name, _) = model[index].clone();
                fits(&model, &id, name, content).then_some(())?;
                model[index].2 = content;
            }
            Step::Put(place, name, content) => {
                let index = at(&model, place)?;
                let id = model[index].0.clone();
                fits(&model, &id, name, content).then_some(())?;
                model[index] = (id, name, content);
            }
            Step::Post(name, content) => {
                fits(&model, "none", name, content).then_some(())?;
                model.push((String::new(), name, content));
            }
        }
    }
    Some(model)
}

fn wire(batch: &[Step], ids: &[String]) -> Value {
    let id = |place: usize| ids.get(place).cloned().unwrap_or_else(|| "f".repeat(32));
    let mut lists = json!({"deletes": [], "patches": [], "puts": [], "posts": []});
    let mut push = |list: &str, item: Value| lists[list].as_array_mut().unwrap().push(item);
    for step in batch {
        match *step {
            Step::Delete(place) => push("deletes", json!({"id": id(place)})),
            Step::Patch(place, content) => {
                let mut item = body(0, content);
                item.as_object_mut().unwrap().remove("name");
                item["id"] = id(place).into();
                push("patches", item);
            }
            Step::Put(place, name, content) => {
                let mut item = body(name, content);
                item["id"] = id(place).into();
                push("puts", item);
            }
            Step::Post(name, content) => push("posts", body(name, content)),
        }
    }
    lists
}

fn seen(bench: &Bench) -> Model {
    all(bench)
        .into_iter()
        .map(|record| {
            let name = record.name.as_bytes()[1] - b'0';
            let content = record.content.strip_prefix("198.51.100.").map_or(0, |last| last.parse().unwrap());
            (record.id, name, content)
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn batches_do_what_a_naive_model_does_or_nothing(batches in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let bench = Bench::with_plan(Plan::Free);
            for batch in batches {
                let before = seen(&bench);
                let ids: Vec<String> = before.iter().map(|(id, _, _)| id.clone()).collect();
                let expected = run(&before, &batch, &ids);
                let (status, answer) = bench.records("POST", "/batch", wire(&batch, &ids)).await;
                let after = seen(&bench);
                prop_assert_eq!(status == 200, expected.is_some(), "{}", answer);
                let mut expected = expected.unwrap_or(before);
                for ((id, _, _), (new, _, _)) in expected.iter_mut().zip(&after) {
                    if id.is_empty() {
                        id.clone_from(new);
                    }
                }
                prop_assert_eq!(&after, &expected);
                // DNS is the same set, reached through the other index.
                for name in 0..3_u8 {
                    let alias = expected.iter().any(|(_, of, content)| *of == name && *content == 0);
                    let addresses = expected.iter().filter(|(_, of, content)| *of == name && *content > 0).count();
                    let answer = bench.cloud.resolve(&format!("n{name}.alfredos.site"), crate::dns::RecordType::A);
                    prop_assert_eq!(answer.answers.len(), addresses + usize::from(alias));
                }
            }
            Ok(())
        })?;
    }
}
