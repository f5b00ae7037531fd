//! The `object_store` crate, over sockets: what our own states go through.

use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt as _;
use object_store::{
    Error, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload, UpdateVersion, WriteMultipart,
    aws::{AmazonS3, AmazonS3Builder, S3CopyIfNotExists},
    path::Path,
};

use super::Stage;
use crate::{
    Listen, Running,
    r2::{DEMO_ACCESS_KEY_ID, DEMO_SECRET_ACCESS_KEY},
};

impl Stage {
    async fn client(&self) -> (Running, AmazonS3) {
        // Whoever is second finds one installed, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let running = self.bench.cloud.serve(Listen::default()).await.unwrap();
        let client = AmazonS3Builder::new()
            .with_endpoint(format!("http://{}", running.r2_address))
            .with_allow_http(true)
            .with_region("auto")
            .with_bucket_name("states")
            .with_access_key_id(DEMO_ACCESS_KEY_ID)
            .with_secret_access_key(DEMO_SECRET_ACCESS_KEY)
            .with_copy_if_not_exists(S3CopyIfNotExists::Header("cf-copy-destination-if-none-match".into(), "*".into()))
            .build()
            .unwrap();
        (running, client)
    }
}

fn options(mode: PutMode) -> PutOptions {
    PutOptions { mode, ..PutOptions::default() }
}

#[tokio::test]
async fn writes_are_compare_and_set() {
    let stage = Stage::new().await;
    let (running, client) = stage.client().await;
    let key = Path::from("app/state");
    let first = client.put_opts(&key, "one".into(), options(PutMode::Create)).await.unwrap();
    let again = client.put_opts(&key, "two".into(), options(PutMode::Create)).await.unwrap_err();
    assert!(matches!(again, Error::AlreadyExists { .. }), "{again}");
    let version = UpdateVersion { e_tag: first.e_tag, version: None };
    client.put_opts(&key, "two".into(), options(PutMode::Update(version.clone()))).await.unwrap();
    let outdated = client.put_opts(&key, "three".into(), options(PutMode::Update(version))).await.unwrap_err();
    assert!(matches!(outdated, Error::Precondition { .. }), "{outdated}");
    assert_eq!(client.get(&key).await.unwrap().bytes().await.unwrap(), "two");
    assert_eq!(client.get_range(&key, 1..3).await.unwrap(), "wo");
    let copy = Path::from("app/copy");
    client.copy_if_not_exists(&key, &copy).await.unwrap();
    assert!(matches!(client.copy_if_not_exists(&key, &copy).await, Err(Error::AlreadyExists { .. })));
    let listed: Vec<_> =
        client.list(Some(&Path::from("app"))).map_ok(|found| found.location).try_collect().await.unwrap();
    assert_eq!(listed, [copy.clone(), key.clone()]);
    client.delete(&copy).await.unwrap();
    assert!(matches!(client.head(&copy).await, Err(Error::NotFound { .. })));
    running.stop().await;
}

#[tokio::test]
async fn large_objects_go_up_in_parts() {
    let stage = Stage::new().await;
    let (running, client) = stage.client().await;
    let key = Path::from("large");
    let body = Bytes::from((0..12 * 1024 * 1024_u32).map(|place| place.to_le_bytes()[1]).collect::<Vec<u8>>());
    let upload = client.put_multipart(&key).await.unwrap();
    let mut writer = WriteMultipart::new_with_chunk_size(upload, 5 * 1024 * 1024);
    writer.put(body.clone());
    writer.finish().await.unwrap();
    assert!(client.get(&key).await.unwrap().bytes().await.unwrap() == body);
    running.stop().await;
}

/// Twenty rounds of four clients that create the same key, over connections of their own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_four_clients_creates() {
    let stage = Stage::new().await;
    let (running, client) = stage.client().await;
    let client = Arc::new(client);
    for round in 0..20 {
        let key = Path::from(format!("lock-{round}"));
        let tasks: Vec<_> = (0..4)
            .map(|number: u32| {
                let (client, key) = (Arc::clone(&client), key.clone());
                let body = PutPayload::from(number.to_string());
                tokio::spawn(async move { client.put_opts(&key, body, options(PutMode::Create)).await.is_ok() })
            })
            .collect();
        let mut winners = 0;
        for task in tasks {
            winners += u32::from(task.await.unwrap());
        }
        assert_eq!(winners, 1, "round {round}");
    }
    running.stop().await;
}
