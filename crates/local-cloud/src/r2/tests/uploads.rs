//! Uploads in parts.

use bytes::Bytes;

use super::{Answered, Stage};

const MIB: usize = 1024 * 1024;

impl Stage {
    async fn begin(&self) -> String {
        self.s3("POST", "/states/big?uploads", &[], "").await.element("UploadId").unwrap().to_owned()
    }

    async fn part(&self, id: &str, number: u32, bytes: Vec<u8>) -> String {
        let put = self.s3("PUT", &format!("/states/big?partNumber={number}&uploadId={id}"), &[], bytes).await;
        assert_eq!(put.status, 200, "{:?}", put.body);
        put.header("etag").to_owned()
    }

    async fn complete(&self, id: &str, parts: &[(u32, &str)], headers: &[(&str, &str)]) -> Answered {
        let parts: Vec<String> = parts
            .iter()
            .map(|(number, etag)| format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"))
            .collect();
        let body = format!("<CompleteMultipartUpload>{}</CompleteMultipartUpload>", parts.concat());
        self.s3("POST", &format!("/states/big?uploadId={id}"), headers, body).await
    }
}

#[tokio::test]
async fn parts_become_one_object() {
    let stage = Stage::new().await;
    let id = stage.begin().await;
    let two = stage.part(&id, 2, vec![2; 3]).await;
    let _replaced = stage.part(&id, 1, vec![0; 5 * MIB]).await;
    let one = stage.part(&id, 1, vec![1; 5 * MIB]).await;
    let listed = stage.s3("GET", &format!("/states/big?uploadId={id}"), &[], "").await;
    assert_eq!(listed.elements("PartNumber"), ["1", "2"]);
    let uploads = stage.s3("GET", "/states?uploads", &[], "").await;
    assert_eq!(uploads.elements("UploadId"), [id.as_str()]);
    assert_eq!(stage.s3("HEAD", "/states/big", &[], "").await.status, 404, "nothing is seen before the end");
    let done = stage.complete(&id, &[(1, &one), (2, &two)], &[("if-none-match", "*")]).await;
    assert_eq!(done.status, 200, "{:?}", done.body);
    let got = stage.s3("GET", "/states/big", &[], "").await;
    assert_eq!(got.body, Bytes::from([vec![1; 5 * MIB], vec![2; 3]].concat()));
    assert!(got.header("etag").ends_with("-2\""), "{}", got.header("etag"));
    let last = stage.s3("GET", "/states/big?partNumber=2", &[], "").await;
    assert_eq!((last.status, last.body.as_ref(), last.header("x-amz-mp-parts-count")), (206, &[2; 3][..], "2"));
    let over = stage.s3("GET", "/states/big", &[("range", "bytes=5242879-5242880")], "").await;
    assert_eq!(over.body.as_ref(), [1, 2]);
    assert_eq!(stage.complete(&id, &[(1, &one), (2, &two)], &[]).await.refusal(), (404, "NoSuchUpload"));
    assert_eq!(stage.s3("GET", "/states?uploads", &[], "").await.elements("UploadId"), [""; 0]);
}

#[tokio::test]
async fn parts_that_do_not_fit_are_refused_and_the_upload_stays() {
    let stage = Stage::new().await;
    let id = stage.begin().await;
    let small = stage.part(&id, 1, vec![1; 5 * MIB - 1]).await;
    let five = stage.part(&id, 2, vec![2; 5 * MIB]).await;
    let six = stage.part(&id, 3, vec![3; 6 * MIB]).await;
    let last = stage.part(&id, 4, vec![4; 1]).await;
    for (parts, refusal) in [
        (vec![(1, small.as_str()), (4, &last)], (400, "EntityTooSmall")),
        (vec![(2, five.as_str()), (3, &six), (4, &last)], (400, "InvalidPart")),
        (vec![(2, five.as_str()), (3, &six)], (400, "InvalidPart")),
        (vec![(4, last.as_str()), (2, &five)], (400, "InvalidPartOrder")),
        (vec![(2, last.as_str())], (400, "InvalidPart")),
        (vec![(9, last.as_str())], (400, "InvalidPart")),
    ] {
        assert_eq!(stage.complete(&id, &parts, &[]).await.refusal(), refusal, "{parts:?}");
    }
    stage.s3("PUT", "/states/big", &[], "there").await;
    let refused = stage.complete(&id, &[(4, &last)], &[("if-none-match", "*")]).await;
    assert_eq!(refused.refusal(), (412, "PreconditionFailed"));
    assert_eq!(stage.complete(&id, &[(4, &last)], &[]).await.status, 200);
    for number in ["0", "10001"] {
        let uri = format!("/states/big?partNumber={number}&uploadId={id}");
        assert_eq!(stage.s3("PUT", &uri, &[], "x").await.refusal(), (400, "InvalidArgument"));
    }
}

#[tokio::test]
async fn aborted_and_old_uploads_are_gone() {
    let stage = Stage::new().await;
    let id = stage.begin().await;
    stage.part(&id, 1, vec![1; 1]).await;
    assert_eq!(stage.s3("DELETE", "/states", &[], "").await.refusal(), (409, "BucketNotEmpty"));
    assert_eq!(stage.s3("DELETE", &format!("/states/big?uploadId={id}"), &[], "").await.status, 204);
    let again = stage.s3("DELETE", &format!("/states/big?uploadId={id}"), &[], "").await;
    assert_eq!(again.refusal(), (404, "NoSuchUpload"));
    let id = stage.begin().await;
    stage.bench.clock.advance_ms(7 * 86_400_000);
    let uri = format!("/states/big?partNumber=1&uploadId={id}");
    assert_eq!(stage.s3("PUT", &uri, &[], "x").await.refusal(), (404, "NoSuchUpload"));
    assert_eq!(stage.s3("DELETE", "/states", &[], "").await.status, 204);
}

#[tokio::test]
async fn parts_are_copied_from_objects() {
    let stage = Stage::new().await;
    stage.s3("PUT", "/states/k", &[], "0123456789").await;
    let id = stage.begin().await;
    let uri = format!("/states/big?partNumber=1&uploadId={id}");
    let headers = [("x-amz-copy-source", "/states/k"), ("x-amz-copy-source-range", "bytes=2-4")];
    let copied = stage.s3("PUT", &uri, &headers, "").await;
    assert_eq!(copied.status, 200, "{:?}", copied.body);
    let etag = copied.element("ETag").unwrap().replace("&quot;", "");
    assert_eq!(stage.complete(&id, &[(1, &etag)], &[]).await.status, 200);
    assert_eq!(stage.s3("GET", "/states/big", &[], "").await.body, "234");
}
