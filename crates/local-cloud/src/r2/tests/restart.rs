//! What a restart finds: everything that was saved, and no file more.

use std::{fs, path::Path};

use super::{Answered, signing::Signer};
use crate::{Listen, LocalCloud, Options, StateError, bench};

fn open(path: &Path) -> Result<LocalCloud, StateError> {
    let mut options = Options { state_file: Some(path.to_owned()), ..Options::default() };
    options.r2.write_interval_ms = 0;
    LocalCloud::open(options, bench::clock(), bench::random())
}

async fn s3(cloud: &LocalCloud, method: &str, uri: &str, body: &str) -> Answered {
    let request = Signer::default().sign(method, uri, &[], body.to_owned().into());
    let (parts, body) = cloud.call_r2(request).await.unwrap().into_parts();
    Answered { status: parts.status.as_u16(), headers: parts.headers, body }
}

fn files(folder: &Path) -> usize {
    fs::read_dir(folder).map_or(0, Iterator::count)
}

#[tokio::test]
async fn objects_and_open_uploads_outlive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (path, objects) = (folder.path().join("world.json"), folder.path().join("world.json.objects"));
    let cloud = open(&path).unwrap();
    let running = cloud.serve(Listen::default()).await.unwrap();
    s3(&cloud, "PUT", "/states", "").await;
    for (key, body) in [("k", "old"), ("k", "new"), ("gone", "x"), ("kept", "y")] {
        assert_eq!(s3(&cloud, "PUT", &format!("/states/{key}"), body).await.status, 200);
    }
    s3(&cloud, "DELETE", "/states/gone", "").await;
    while files(&objects) > 2 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let refused = Signer::default().sign("PUT", "/states/k", &[("if-none-match", "*")], "in vain".into());
    assert_eq!(cloud.call_r2(refused).await.unwrap().status(), 412);
    while files(&objects) > 2 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let id = s3(&cloud, "POST", "/states/big?uploads", "").await.element("UploadId").unwrap().to_owned();
    let part = format!("/states/big?partNumber=1&uploadId={id}");
    let etag = s3(&cloud, "PUT", &part, "part").await.header("etag").to_owned();
    running.stop().await;
    assert_eq!(files(&objects), 3, "files of what is gone are gone");
    fs::write(objects.join("0".repeat(32)), "left by a crash").unwrap();

    let again = open(&path).unwrap();
    assert_eq!(files(&objects), 3, "a file that nothing names is removed");
    assert_eq!(s3(&again, "GET", "/states/k", "").await.body, "new");
    let body = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    );
    assert_eq!(s3(&again, "POST", &format!("/states/big?uploadId={id}"), &body).await.status, 200);
    assert_eq!(s3(&again, "GET", "/states/big", "").await.body, "part");
    again.save().unwrap();
    drop(again);

    let lost = fs::read_dir(&objects).unwrap().next().unwrap().unwrap().path();
    fs::remove_file(&lost).unwrap();
    assert!(matches!(open(&path), Err(StateError::Content { content, .. }) if content == lost));
}

#[tokio::test]
async fn a_file_from_before_r2_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("world.json");
    let cloud = open(&path).unwrap();
    cloud.save().unwrap();
    let mut document: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    document.as_object_mut().unwrap().remove("r2");
    document["version"] = 1.into();
    fs::write(&path, document.to_string()).unwrap();
    assert_eq!(s3(&open(&path).unwrap(), "GET", "/", "").await.elements("Bucket").len(), 0);
}
