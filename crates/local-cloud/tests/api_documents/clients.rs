//! Every operation of our clients, with every field that its request can have.
//!
//! Requests are written out without `..Default::default()`: a new field does not compile before it is given here.

use std::time::Duration;

use alfred_local_cloud::cloudflare::{DEMO_ACCOUNT_ID, DEMO_MANAGER_TOKEN, DEMO_TOKEN, DEMO_ZONE};
use alfred_model::id::VmId;
use alfred_model::vm::InstanceStatus;
use alfred_providers::budget::Priority;
use alfred_providers::cloudflare::{
    Batch, BucketName, BucketRules, Cloudflare, NewRecord, PER_PAGE_MAX, RecordFilter, RecordPatch, TokenOwner,
};
use alfred_providers::contabo::{AuditFilter, InstanceFilter, OrderRequest, ReinstallRequest, StoredSecretKind};
use alfred_providers::secret::{StoredValue, UserData};

use crate::stage::{ACCOUNT_TOKEN, ACCOUNT_TOKEN_ID, ROLLED_TOKEN, ROLLED_TOKEN_ID, Stage};

const UBUNTU: &str = "d64d5c6c-9dda-4e38-8174-0ee282474d8a";

/// Makes every call that the clients can make, and waits for what they start.
pub(crate) async fn run(stage: &Stage) {
    let user = stage.cloudflare(DEMO_TOKEN, None);
    records(&user).await;
    batches(&user).await;
    zones(&user).await;
    tokens(stage).await;
    buckets(&user).await;
    let vm = orders(stage).await;
    lists(stage, vm).await;
    changes(stage, vm).await;
    secrets(stage).await;
}

/// In a jurisdiction and in none, with every rule and with none.
async fn buckets(client: &Cloudflare) {
    for (jurisdiction, location) in [(None, None), (Some("eu"), Some("weur"))] {
        let account = DEMO_ACCOUNT_ID.to_owned();
        let bucket = BucketName { account, name: "states".to_owned(), jurisdiction };
        assert!(client.create_bucket(&bucket, location).await.unwrap());
        assert!(!client.create_bucket(&bucket, location).await.unwrap(), "it is there");
        let nothing = BucketRules { lock: None, cors_origins: Vec::new(), public: false };
        client.set_bucket_rules(&bucket, &nothing).await.unwrap();
        let everything = BucketRules {
            lock: Some(("blobs/".to_owned(), 86_400)),
            cors_origins: vec!["https://a.example".to_owned()],
            public: true,
        };
        client.set_bucket_rules(&bucket, &everything).await.unwrap();
    }
}

fn record(label: &str, content: &str) -> NewRecord {
    NewRecord {
        name: format!("{label}.{DEMO_ZONE}"),
        kind: "A".to_owned(),
        content: content.to_owned(),
        ttl: 300,
        proxied: false,
        comment: Some("a comment".to_owned()),
        tags: vec!["team:dns".to_owned()],
    }
}

fn bare(label: &str, kind: &str, content: &str) -> NewRecord {
    NewRecord {
        name: format!("{label}.{DEMO_ZONE}"),
        kind: kind.to_owned(),
        content: content.to_owned(),
        ttl: 1,
        proxied: kind == "CNAME",
        comment: None,
        tags: Vec::new(),
    }
}

async fn records(client: &Cloudflare) {
    let made = client.create(&record("full", "192.0.2.1")).await.unwrap();
    client.create(&bare("bare", "A", "192.0.2.2")).await.unwrap();
    client.create(&bare("six", "AAAA", "2001:db8::1")).await.unwrap();
    client.create(&bare("alias", "CNAME", &format!("full.{DEMO_ZONE}"))).await.unwrap();
    client.create(&bare("words", "TXT", "\"some words\"")).await.unwrap();
    let every_filter = RecordFilter {
        name_exact: Some(format!("full.{DEMO_ZONE}")),
        name_endswith: Some(DEMO_ZONE.to_owned()),
        kind: Some("A".to_owned()),
        content_exact: Some("192.0.2.1".to_owned()),
        comment_startswith: Some("a comm".to_owned()),
        comment_exact: Some("a comment".to_owned()),
    };
    assert_eq!(client.records(&every_filter, PER_PAGE_MAX).await.unwrap().len(), 1);
    assert_eq!(client.for_audit().records(&RecordFilter::all(), 2).await.unwrap().len(), 5);
    let nobody = RecordFilter::name(format!("nobody.{DEMO_ZONE}"));
    assert_eq!(client.each_record(&nobody, 100, |_| {}).await.unwrap(), 0);
    assert!(client.record(&made.id).await.unwrap().is_some());
    client.put(&made.id, &record("full", "192.0.2.3")).await.unwrap();
    for patch in patches(&RecordPatch::new(made.id.clone())) {
        client.patch(&patch).await.unwrap();
    }
    client.delete(&made.id).await.unwrap();
    assert!(client.record(&made.id).await.unwrap().is_none(), "a failure is an answer too");
    client.delete(&made.id).await.unwrap_err();
}

/// A change of each field alone, and of all.
fn patches(nothing: &RecordPatch) -> Vec<RecordPatch> {
    let RecordPatch { id, content: _, ttl: _, proxied: _, comment: _ } = nothing;
    vec![
        RecordPatch { content: Some("192.0.2.4".to_owned()), ..nothing.clone() },
        RecordPatch { ttl: Some(3_600), ..nothing.clone() },
        RecordPatch { proxied: Some(true), ..nothing.clone() },
        RecordPatch { comment: Some(String::new()), ..nothing.clone() },
        RecordPatch {
            id: id.clone(),
            content: Some("192.0.2.5".to_owned()),
            ttl: Some(1),
            proxied: Some(false),
            comment: Some("another".to_owned()),
        },
    ]
}

async fn batches(client: &Cloudflare) {
    let posts = vec![record("one", "192.0.2.11"), record("two", "192.0.2.12"), bare("three", "A", "192.0.2.13")];
    let made = client.batch(&Batch { deletes: vec![], patches: vec![], puts: vec![], posts }).await.unwrap().posts;
    let [one, two, three] = &made[..] else { panic!("three records were made: {made:?}") };
    let all = Batch {
        deletes: vec![one.id.clone()],
        patches: patches(&RecordPatch::new(two.id.clone())),
        puts: vec![(three.id.clone(), record("three", "192.0.2.23"))],
        posts: vec![bare("four", "A", "192.0.2.14")],
    };
    let turn = client.turn(Priority::Deletion).await;
    client.batch_in(turn, &all).await.unwrap();
    let again = Batch { deletes: vec![one.id.clone()], ..Batch::default() };
    client.batch(&again).await.unwrap_err();
}

async fn zones(client: &Cloudflare) {
    let found = client.zones(DEMO_ZONE).await.unwrap().remove(0);
    client.zone(&found.id).await.unwrap();
    assert_eq!(client.visible_zones().await.unwrap().zones.len(), 1);
    assert!(client.usage().await.unwrap().used > 0);
}

async fn tokens(stage: &Stage) {
    // Neither its user's nor the account's: both are asked.
    let nobody = stage.cloudflare(ROLLED_TOKEN, Some(DEMO_ACCOUNT_ID));
    assert!(!nobody.may_read_tokens().await.unwrap());
    let manager = stage.cloudflare(DEMO_MANAGER_TOKEN, None);
    manager.verify_token().await.unwrap();
    manager.may_edit().await.unwrap();
    assert!(manager.may_read_tokens().await.unwrap());
    manager.token_details(TokenOwner::User, ROLLED_TOKEN_ID).await.unwrap();
    manager.roll_token(TokenOwner::User, ROLLED_TOKEN_ID).await.unwrap();
    let account = stage.cloudflare(ACCOUNT_TOKEN, Some(DEMO_ACCOUNT_ID));
    assert_eq!(account.verify_token().await.unwrap().owner, TokenOwner::Account);
    account.may_read_tokens().await.unwrap();
    account.token_details(TokenOwner::Account, ACCOUNT_TOKEN_ID).await.unwrap();
    account.roll_token(TokenOwner::Account, ACCOUNT_TOKEN_ID).await.unwrap();
}

async fn orders(stage: &Stage) -> VmId {
    let client = &stage.contabo;
    let key = StoredValue::new("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBqWBJgKXcVQdbPMQdmmnkVFVBLYQqVUVKbYbvLJ6YYb a");
    let key = client.create_secret(stage.request_id(), "key", StoredSecretKind::Ssh, &key).await.unwrap();
    let password = StoredValue::new("Correct!Horse?9");
    let kind = StoredSecretKind::Password;
    let password = client.create_secret(stage.request_id(), "password", kind, &password).await.unwrap();
    let bare = OrderRequest {
        request_id: stage.request_id(),
        display_name: "alfredos-bare-order".to_owned(),
        product: "V153".to_owned(),
        region: "EU".to_owned(),
        image: UBUNTU.to_owned(),
        period: 1,
        ssh_keys: Vec::new(),
        root_password: None,
        user_data: None,
        default_user: None,
    };
    let full = OrderRequest {
        request_id: stage.request_id(),
        display_name: "alfredos-full-order".to_owned(),
        ssh_keys: vec![key.id.0],
        root_password: Some(password.id.0),
        user_data: Some(UserData::new("#cloud-config\nhostname: full\n")),
        default_user: Some("root".to_owned()),
        ..bare.clone()
    };
    let vm = client.create_instance(&bare).await.unwrap().id;
    let other = client.create_instance(&full).await.unwrap().id;
    // Listed, and not yet allocated: one of them has an odd number, the other an even one.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(client.instances(&InstanceFilter::all()).await.unwrap().len(), 2);
    assert!(client.instance(vm).await.unwrap().is_some() && client.instance(other).await.unwrap().is_some());
    let sold_out = OrderRequest { product: "V91".to_owned(), request_id: stage.request_id(), ..bare };
    client.create_instance(&sold_out).await.unwrap_err();
    tokio::time::sleep(Duration::from_mins(1)).await;
    vm
}

async fn lists(stage: &Stage, vm: VmId) {
    let client = &stage.contabo;
    let every_filter = InstanceFilter {
        ids: Some(vec![vm]),
        display_name: Some("alfredos-bare-order".to_owned()),
        status: vec![InstanceStatus::Running, InstanceStatus::Stopped],
        region: Some("EU".to_owned()),
        products: vec!["V153".to_owned(), "V154".to_owned()],
    };
    assert_eq!(client.instances(&every_filter).await.unwrap().len(), 1);
    assert!(client.instances(&InstanceFilter::display_name("nobody")).await.unwrap().is_empty());
    assert!(client.instance(VmId(1)).await.unwrap().is_none());
    let filter = AuditFilter {
        request_id: Some(stage.request_id()),
        instance_id: Some(vm),
        start: Some(jiff::civil::date(2027, 1, 14)),
        end: Some(jiff::civil::date(2027, 1, 16)),
    };
    assert!(client.instance_audits(&filter).await.unwrap().is_empty());
    assert!(client.instance_audits(&AuditFilter::default()).await.unwrap().len() >= 2);
    assert!(client.images(None).await.unwrap().len() > 2, "several pages");
    assert!(!client.images(Some("ubuntu-24.04")).await.unwrap().is_empty());
}

async fn changes(stage: &Stage, vm: VmId) {
    let client = &stage.contabo;
    client.rename(stage.request_id(), vm, "alfredos-renamed").await.unwrap();
    client.stop(stage.request_id(), vm).await.unwrap();
    client.start(stage.request_id(), vm).await.unwrap();
    client.restart(stage.request_id(), vm).await.unwrap();
    tokio::time::sleep(Duration::from_mins(1)).await;
    let bare = ReinstallRequest {
        image: UBUNTU.to_owned(),
        ssh_keys: Vec::new(),
        root_password: None,
        user_data: None,
        default_user: None,
    };
    let secrets = client.secrets(None).await.unwrap();
    let id = |kind| secrets.iter().find(|secret| secret.kind == Some(kind)).map(|secret| secret.id.0);
    let full = ReinstallRequest {
        image: UBUNTU.to_owned(),
        ssh_keys: id(StoredSecretKind::Ssh).into_iter().collect(),
        root_password: id(StoredSecretKind::Password),
        user_data: Some(UserData::new("#cloud-config\n{}\n")),
        default_user: Some("admin".to_owned()),
    };
    for wish in [bare, full] {
        client.reinstall(stage.request_id(), vm, &wish).await.unwrap();
        tokio::time::sleep(Duration::from_mins(1)).await;
    }
    client.cancel(stage.request_id(), vm).await.unwrap();
    client.cancel(stage.request_id(), VmId(1)).await.unwrap_err();
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert!(client.instance(vm).await.unwrap().unwrap().cancel_date.is_some());
}

async fn secrets(stage: &Stage) {
    let client = &stage.contabo;
    let named = client.secrets(Some("key")).await.unwrap();
    client.delete_secret(stage.request_id(), named[0].id).await.unwrap();
    client.delete_secret(stage.request_id(), named[0].id).await.unwrap_err();
}
