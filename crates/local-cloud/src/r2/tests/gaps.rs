//! Who is let in, what R2 does not have, and what nobody should send.

use bytes::Bytes;
use http::Request;
use proptest::prelude::*;

use super::{Stage, signing::Signer};

#[tokio::test]
async fn only_signatures_of_the_account_are_taken() {
    let stage = Stage::new().await;
    let sign = |signer: Signer| signer.sign("GET", "/states?list-type=2", &[], Bytes::new());
    let wrong = sign(Signer { secret: "wrong".into(), ..Signer::default() });
    assert_eq!(stage.send(wrong).await.refusal(), (403, "SignatureDoesNotMatch"));
    let stranger = sign(Signer { id: "stranger".into(), ..Signer::default() });
    assert_eq!(stage.send(stranger).await.refusal(), (401, "Unauthorized"));
    let unsigned = Request::get("/states?list-type=2").header("host", "127.0.0.1").body(Bytes::new()).unwrap();
    assert_eq!(stage.send(unsigned).await.refusal(), (403, "AccessDenied"));
    let mut moved = sign(Signer::default());
    *moved.uri_mut() = "/states?list-type=2&prefix=x".parse().unwrap();
    assert_eq!(stage.send(moved).await.refusal(), (403, "SignatureDoesNotMatch"));
    let second = Request::get("/states").header("authorization", "AWS id:signature").body(Bytes::new()).unwrap();
    assert_eq!(stage.send(second).await.status, 401);
    let second = Request::get("/states/k?AWSAccessKeyId=id&Signature=x&Expires=1").body(Bytes::new()).unwrap();
    assert_eq!(stage.send(second).await.status, 401);
    let presigned = "/states/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=acce55acce55acce55acce55acce55ac%2F20200101\
                     %2Fauto%2Fs3%2Faws4_request&X-Amz-Date=20200101T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host\
                     &X-Amz-Signature=0000000000000000000000000000000000000000000000000000000000000000";
    let old = Request::get(presigned).header("host", "127.0.0.1").body(Bytes::new()).unwrap();
    assert_eq!(stage.send(old).await.refusal(), (400, "ExpiredRequest"));
}

#[tokio::test]
async fn what_r2_does_not_have_is_501() {
    let stage = Stage::new().await;
    stage.s3("PUT", "/states/k", &[], "x").await;
    let of_bucket = [
        "versioning",
        "versions",
        "acl",
        "policy",
        "tagging",
        "object-lock",
        "website",
        "logging",
        "replication",
        "notification",
        "publicAccessBlock",
        "requestPayment",
        "ownershipControls",
        "accelerate",
        "policyStatus",
    ];
    for name in of_bucket {
        assert_eq!(
            stage.s3("GET", &format!("/states?{name}"), &[], "").await.refusal(),
            (501, "NotImplemented"),
            "{name}"
        );
    }
    for name in ["acl", "tagging", "retention", "legal-hold", "torrent", "attributes"] {
        let got = stage.s3("GET", &format!("/states/k?{name}"), &[("x-amz-object-attributes", "ETag")], "").await;
        assert_eq!(got.refusal(), (501, "NotImplemented"), "{name}");
    }
    let versioning = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    let put = stage.s3("PUT", "/states?versioning", &[], versioning).await;
    assert_eq!(put.refusal(), (501, "NotImplemented"));
    assert_eq!(stage.s3("PUT", "/states/k", &[("x-amz-acl", "private")], "x").await.refusal(), (501, "NotImplemented"));
    let chunked = Request::put("/states/k")
        .header("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
        .body(Bytes::new())
        .unwrap();
    assert_eq!(stage.send(chunked).await.refusal(), (501, "NotImplemented"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is sent gets an answer, and no 500.
    #[test]
    fn nonsense_is_answered(
        method in prop::sample::select(vec!["GET", "PUT", "POST", "DELETE", "HEAD", "PATCH"]),
        path in prop::sample::select(vec!["/", "/states", "/states/k", "/states/", "//", "/states//k", "/S/k"]),
        query in "[a-zA-Z0-9=&%-]{0,40}",
        known in prop::sample::select(vec![
            "", "uploads", "uploadId=x&partNumber=1", "delete", "cors", "lifecycle", "list-type=2&max-keys=0",
            "max-keys=-1", "list-type=2&continuation-token=x", "partNumber=99999999999&uploadId=x",
        ]),
        header in prop::sample::select(vec![
            "range", "if-match", "if-modified-since", "x-amz-copy-source", "content-md5", "x-amz-storage-class",
            "x-amz-copy-source-range", "x-amz-checksum-crc32", "content-type",
        ]),
        value in "[ -~]{0,30}",
        body in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let stage = Stage::new().await;
            let query = if known.is_empty() { query } else { known.to_owned() };
            let uri = format!("{path}?{query}");
            let signed = stage.signed(method, &uri, &[(header, value.trim())], body);
            let answered = stage.send(signed).await;
            prop_assert!(answered.status < 500 || answered.status == 501, "{} {:?}", answered.status, answered.body);
            Ok(())
        })?;
    }
}
