//! What an account has beside instances: secrets, tags and images.

use serde_json::{Value, json};

use super::support::{Bench, UBUNTU};

#[tokio::test]
async fn a_secret_is_shown_only_when_it_is_read_alone() {
    let bench = Bench::instant().await;
    let body = json!({ "name": "root", "type": "password", "value": "PwdA?2092w#" });
    let created = bench.post("/v1/secrets", body).await.done(201);
    assert!(!created.text.contains("PwdA?2092w#"));
    let id = created.object()["secretId"].as_i64().unwrap();
    let list = bench.get("/v1/secrets").await.done(200);
    assert_eq!(list.object()["value"], "");
    assert_eq!(list.object()["name"], "root");
    assert_eq!(bench.get(&format!("/v1/secrets/{id}")).await.done(200).object()["value"], "PwdA?2092w#");
}

#[tokio::test]
async fn a_secret_is_validated_changed_and_deleted() {
    let bench = Bench::instant().await;
    let answer = bench.post("/v1/secrets", json!({ "name": "", "type": "pin", "value": "short" })).await;
    for words in ["name must be longer", "type must be one of", "value must be longer than or equal to 8"] {
        answer.invalid(words);
    }
    let weak = json!({ "name": "root", "type": "password", "value": "password" });
    bench.post("/v1/secrets", weak).await.invalid("upper and a lower case letter");
    let body = json!({ "name": "root", "type": "password", "value": "PwdA?2092w#" });
    let id = bench.post("/v1/secrets", body).await.object()["secretId"].as_i64().unwrap();
    let path = format!("/v1/secrets/{id}");
    bench.patch(&path, json!({ "value": "password" })).await.invalid("upper and a lower case letter");
    bench.pass(60).await;
    let changed = bench.patch(&path, json!({ "name": "admin", "value": "Other!!2092" })).await.done(200);
    assert_eq!(changed.body.get("data"), None);
    let secret = bench.get(&path).await;
    assert_eq!(secret.object()["name"], "admin");
    assert_eq!(secret.object()["value"], "Other!!2092");
    assert_eq!(secret.object()["createdAt"], "2026-04-10T08:00:00.000Z");
    assert_eq!(secret.object()["updatedAt"], "2026-04-10T08:01:00.000Z");
    assert_eq!(bench.delete(&path).await.done(204).text, "");
    bench.get(&path).await.refused(404, "Secret");
    bench.delete(&path).await.refused(404, "Secret");
    let rows: Vec<Value> =
        bench.get("/v1/secrets/audits").await.data().iter().map(|row| row["action"].clone()).collect();
    assert_eq!(rows, ["DELETED", "UPDATED", "CREATED"]);
}

#[tokio::test]
async fn secrets_are_filtered_by_name_and_type() {
    let bench = Bench::instant().await;
    for (name, kind, value) in [("root", "password", "PwdA?2092w#"), ("laptop", "ssh", "ssh-ed25519 AAAA")] {
        bench.post("/v1/secrets", json!({ "name": name, "type": kind, "value": value })).await.done(201);
    }
    assert_eq!(bench.get("/v1/secrets?type=ssh").await.object()["name"], "laptop");
    assert_eq!(bench.get("/v1/secrets?name=oo").await.object()["name"], "root");
    assert!(bench.get("/v1/secrets?type=ssh&name=root").await.data().is_empty());
}

#[tokio::test]
async fn a_tag_is_validated_unique_and_changed() {
    let bench = Bench::instant().await;
    for (body, words) in [
        (json!({ "color": "#0A78C3" }), "name should not be empty"),
        (json!({ "name": "a" }), "color should not be empty"),
        (json!({ "name": "a b", "color": "#0A78C3" }), "name may contain"),
        (json!({ "name": "x".repeat(256), "color": "#0A78C3" }), "name must be shorter"),
        (json!({ "name": "a", "color": "blue" }), "color must be a hexadecimal color"),
    ] {
        bench.post("/v1/tags", body).await.invalid(words);
    }
    let id = bench.post("/v1/tags", json!({ "name": "env:one", "color": "#0A78C3" })).await.done(201).object()["tagId"]
        .clone();
    bench.post("/v1/tags", json!({ "name": "env:one", "color": "#FFF" })).await.refused(409, "already exists");
    bench.patch(&format!("/v1/tags/{id}"), json!({ "name": "env:two" })).await.done(200);
    let tag = bench.get(&format!("/v1/tags/{id}")).await.done(200);
    assert_eq!((&tag.object()["name"], &tag.object()["color"]), (&json!("env:two"), &json!("#0A78C3")));
    assert_eq!(bench.get("/v1/tags?name=two").await.data().len(), 1);
    assert!(bench.get("/v1/tags?name=one").await.data().is_empty());
}

#[tokio::test]
async fn a_tag_is_assigned_once_and_stays_while_it_is() {
    let bench = Bench::instant().await;
    let instance = bench.order("brave-tiger").await;
    let tag = bench.post("/v1/tags", json!({ "name": "env", "color": "#0A78C3" })).await.object()["tagId"].clone();
    let path = format!("/v1/tags/{tag}/assignments/instance/{instance}");
    let created = bench.act(&path).await.done(201);
    assert_eq!(created.body["_links"]["_resource"], format!("/v1/compute/instances/{instance}"));
    bench.act(&path).await.refused(409, "already assigned");
    let assignment = bench.get(&path).await.done(200);
    assert_eq!(assignment.object()["resourceName"], "brave-tiger");
    assert_eq!(assignment.object()["resourceId"], instance.to_string());
    let list = format!("/v1/tags/{tag}/assignments");
    assert_eq!(bench.get(&format!("{list}?resourceType=instance")).await.data().len(), 1);
    assert!(bench.get(&format!("{list}?resourceType=image")).await.data().is_empty());
    bench.delete(&format!("/v1/tags/{tag}")).await.refused(409, "is assigned");
    bench.delete(&path).await.done(204);
    bench.delete(&path).await.refused(404, "Assignment");
    bench.delete(&format!("/v1/tags/{tag}")).await.done(204);
    bench.get(&list).await.refused(404, "Tag");
    let rows = bench.get(&format!("/v1/tags/assignments/audits?resourceId={instance}")).await;
    assert_eq!(rows.data().len(), 2);
    assert_eq!(rows.data()[0]["resourceType"], "instance");
}

#[tokio::test]
async fn a_tag_is_assigned_only_to_what_exists() {
    let bench = Bench::instant().await;
    let tag = bench.post("/v1/tags", json!({ "name": "env", "color": "#0A78C3" })).await.object()["tagId"].clone();
    for resource in ["instance/1", "image/x", "object-storage/1", "planet/1"] {
        bench.act(&format!("/v1/tags/{tag}/assignments/{resource}")).await.refused(404, "not found");
    }
    bench.act(&format!("/v1/tags/{tag}/assignments/image/{UBUNTU}")).await.done(201);
    bench.act("/v1/tags/99/assignments/image/x").await.refused(404, "Tag 99");
}

#[tokio::test]
async fn standard_images_are_listed_and_read() {
    let bench = Bench::instant().await;
    let all = bench.get("/v1/compute/images").await.done(200);
    assert!(all.data().iter().all(|image| image["standardImage"] == true && image["tags"] == json!([])));
    let found = bench.get("/v1/compute/images?name=ubuntu-24&standardImage=true").await;
    assert_eq!(found.object()["imageId"], UBUNTU);
    assert!(bench.get("/v1/compute/images?standardImage=false").await.data().is_empty());
    assert_eq!(bench.get("/v1/compute/images?search=windows").await.object()["osType"], "Windows");
    let image = bench.get(&format!("/v1/compute/images/{UBUNTU}")).await.done(200);
    assert_eq!(image.object()["name"], "ubuntu-24.04");
    bench.get("/v1/compute/images/nothing").await.refused(404, "Image");
}
