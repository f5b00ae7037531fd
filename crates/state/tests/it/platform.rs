//! The local cloud's R2, which answers as the platform does: S3 that checks signatures, one write a second for each key.

use std::sync::Arc;

use alfred_local_cloud::cloudflare::{DEMO_ACCOUNT_ID, DEMO_TOKEN};
use alfred_local_cloud::r2::{DEMO_ACCESS_KEY_ID, DEMO_SECRET_ACCESS_KEY};
use alfred_local_cloud::{Listen, LocalCloud, Options, Running};
use alfred_state::backend::{OpenOptions, Patience, open};
use alfred_state::{Backend, BackendError};
use async_trait::async_trait;
use bytes::Bytes;

use crate::fixture::{Chance, Store, SystemClock, blob, done, key, name, noise, seams};

pub(crate) struct Platform {
    running: Running,
}

impl Platform {
    /// With a bucket `states`, of which each key takes one write in `write_interval_ms`.
    pub(crate) async fn start(write_interval_ms: u64) -> Self {
        let mut options = Options::default();
        options.r2.write_interval_ms = write_interval_ms;
        let cloud = LocalCloud::new(options, Arc::new(SystemClock), Chance::new());
        let running = cloud.serve(Listen::default()).await.unwrap();
        let address = running.http_address;
        let url = format!("http://{address}/client/v4/accounts/{DEMO_ACCOUNT_ID}/r2/buckets");
        // The first client of a process brings the cryptography that all use.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let create =
            reqwest::Client::new().post(url).bearer_auth(DEMO_TOKEN).header("content-type", "application/json");
        let answer = create.body(r#"{"name":"states"}"#).send().await.unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
        Self { running }
    }

    fn options(&self) -> OpenOptions {
        let mut options = OpenOptions::new(seams());
        options.endpoint = Some(format!("http://{}", self.running.r2_address));
        options.access_key_id = Some(DEMO_ACCESS_KEY_ID.into());
        options.secret_access_key = Some(DEMO_SECRET_ACCESS_KEY.into());
        options
    }
}

#[async_trait]
impl Store for Platform {
    async fn open(&self) -> Arc<dyn Backend> {
        open("r2://states/team", &self.options()).await.unwrap()
    }
}

#[tokio::test]
async fn states_never_meet_the_limit_of_writes_to_one_key() {
    let platform = Platform::start(3_600_000).await;
    let mut options = platform.options();
    // The first 429 would be the end.
    options.patience = Patience { attempts: 1, ..Patience::default() };
    let backend = open("r2://states/team", &options).await.unwrap();
    let state = name("busy");
    let mut revision = None;
    for serial in 0..40 {
        backend.put_blob(&state, &key(serial, 1), blob(&noise(100, serial))).await.unwrap();
        revision = Some(done(backend.swap_document(&state, revision, noise(100, serial)).await.unwrap()));
    }
    done(backend.remove_document(&state, revision.unwrap()).await.unwrap());
    done(backend.swap_document(&state, None, Bytes::from_static(b"{}")).await.unwrap());
}

#[tokio::test]
async fn wrong_credentials_and_names_are_told() {
    let platform = Platform::start(0).await;
    let (mut unknown, mut wrong, mut nowhere) = (platform.options(), platform.options(), platform.options());
    unknown.access_key_id = Some("0123456789abcdef0123456789abcdef".into());
    wrong.secret_access_key = Some("correct-horse".into());
    nowhere.endpoint = Some("http://127.0.0.1:1".to_owned());
    nowhere.patience.attempts = 1;
    for (address, options, words) in [
        ("r2://states", &unknown, "refused: it does not know this access key"),
        ("r2://states", &wrong, "refused: it does not know this access key"),
        ("r2://missing", &platform.options(), "refused: there is no bucket `missing`"),
        ("r2://states", &nowhere, "is not available: "),
    ] {
        let error: BackendError = open(address, options).await.map(drop).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
        assert!(!error.to_string().contains("horse"), "{error}");
    }
}
