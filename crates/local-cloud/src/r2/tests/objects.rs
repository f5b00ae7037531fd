//! Objects: whole, in ranges, with conditions, in lists.

use super::Stage;

#[tokio::test]
async fn what_is_put_is_got_with_all_that_was_said() {
    let stage = Stage::new().await;
    let said = [
        ("cache-control", "no-store"),
        ("content-encoding", "gzip"),
        ("content-type", "application/json"),
        ("x-amz-meta-serial", "7"),
        ("x-amz-storage-class", "STANDARD_IA"),
    ];
    let put = stage.s3("PUT", "/states/a/b%20c", &said, "hello world").await;
    assert_eq!((put.status, put.header("etag")), (200, "\"5eb63bbbe01eeed093cb22bb8f5acdc3\""));
    for method in ["GET", "HEAD"] {
        let got = stage.s3(method, "/states/a/b%20c", &[], "").await;
        assert_eq!(got.status, 200);
        for (name, value) in said {
            assert_eq!(got.header(name), value, "{method} {name}");
        }
        assert_eq!(got.header("content-length"), "11");
        assert_eq!(got.header("etag"), "\"5eb63bbbe01eeed093cb22bb8f5acdc3\"");
        assert_eq!(got.header("last-modified"), "Mon, 21 Sep 2026 14:13:20 GMT");
        assert_eq!(got.body, if method == "GET" { "hello world" } else { "" });
    }
    assert_eq!(stage.s3("DELETE", "/states/a/b%20c", &[], "").await.status, 204);
    assert_eq!(stage.s3("DELETE", "/states/a/b%20c", &[], "").await.status, 204);
    assert_eq!(stage.s3("GET", "/states/a/b%20c", &[], "").await.refusal(), (404, "NoSuchKey"));
    assert_eq!(stage.s3("HEAD", "/states/a/b%20c", &[], "").await.status, 404);
    assert_eq!(stage.s3("PUT", "/none/k", &[], "x").await.refusal(), (404, "NoSuchBucket"));
}

#[tokio::test]
async fn ranges_are_cut_and_impossible_ones_refused() {
    let stage = Stage::new().await;
    stage.s3("PUT", "/states/k", &[], "0123456789").await;
    for (range, body, told) in [
        ("bytes=0-3", "0123", "bytes 0-3/10"),
        ("bytes=4-", "456789", "bytes 4-9/10"),
        ("bytes=-3", "789", "bytes 7-9/10"),
        ("bytes=8-99", "89", "bytes 8-9/10"),
    ] {
        let got = stage.s3("GET", "/states/k", &[("range", range)], "").await;
        assert_eq!(
            (got.status, got.body.as_ref(), got.header("content-range")),
            (206, body.as_bytes(), told),
            "{range}"
        );
    }
    let got = stage.s3("GET", "/states/k", &[("range", "bytes=10-")], "").await;
    assert_eq!(got.refusal(), (416, "InvalidRange"));
}

#[tokio::test]
async fn conditions_decide_writes_and_reads_but_no_deletion() {
    let stage = Stage::new().await;
    let none = [("if-none-match", "*")];
    assert_eq!(stage.s3("PUT", "/states/k", &none, "one").await.status, 200);
    assert_eq!(stage.s3("PUT", "/states/k", &none, "two").await.refusal(), (412, "PreconditionFailed"));
    let etag = stage.s3("HEAD", "/states/k", &[], "").await.header("etag").to_owned();
    let list = format!("\"other\", W/{etag}");
    assert_eq!(stage.s3("PUT", "/states/k", &[("if-none-match", &list)], "two").await.status, 412);
    assert_eq!(stage.s3("GET", "/states/k", &[("if-none-match", &etag)], "").await.status, 304);
    assert_eq!(stage.s3("GET", "/states/k", &[("if-none-match", &etag)], "").await.body, "");
    assert_eq!(stage.s3("GET", "/states/k", &[("if-match", "\"other\"")], "").await.status, 412);
    assert_eq!(stage.s3("PUT", "/states/k", &[("if-match", &etag)], "two").await.status, 200);
    assert_eq!(stage.s3("PUT", "/states/k", &[("if-match", &etag)], "three").await.status, 412);
    assert_eq!(stage.s3("PUT", "/states/new", &[("if-match", "*")], "x").await.status, 412);
    let before = ("if-unmodified-since", "Sun, 20 Sep 2026 00:00:00 GMT");
    assert_eq!(stage.s3("PUT", "/states/k", &[before], "three").await.status, 412);
    assert_eq!(stage.s3("GET", "/states/k", &[before], "").await.status, 412);
    assert_eq!(stage.s3("GET", "/states/k", &[], "").await.body, "two");
    assert_eq!(stage.s3("DELETE", "/states/k", &[("if-match", &etag)], "").await.status, 204);
    assert_eq!(stage.s3("HEAD", "/states/k", &[], "").await.status, 404);
}

#[tokio::test]
async fn a_key_takes_one_write_a_second() {
    let stage = Stage::with(|options| options.r2.write_interval_ms = 1_000).await;
    let none = [("if-none-match", "*")];
    assert_eq!(stage.s3("PUT", "/states/k", &none, "one").await.status, 200);
    stage.bench.clock.advance_ms(999);
    assert_eq!(stage.s3("PUT", "/states/k", &[], "two").await.refusal(), (429, "TooManyRequests"));
    assert_eq!(stage.s3("PUT", "/states/k", &none, "two").await.status, 412, "a condition is looked at first");
    assert_eq!(stage.s3("PUT", "/states/other", &[], "two").await.status, 200);
    stage.bench.clock.advance_ms(1);
    assert_eq!(stage.s3("PUT", "/states/k", &[], "two").await.status, 200);
    stage.bench.cloud.r2().set_write_interval(0);
    assert_eq!(stage.s3("PUT", "/states/k", &[], "three").await.status, 200);
}

#[tokio::test]
async fn copies_keep_or_replace_what_was_said() {
    let stage = Stage::new().await;
    stage.s3("PUT", "/states/k", &[("x-amz-meta-serial", "7")], "one").await;
    let source = ("x-amz-copy-source", "/states/k");
    let copied = stage.s3("PUT", "/states/copy", &[source], "").await;
    assert_eq!(
        (copied.status, copied.element("ETag").unwrap().contains("f97c5d29941bfb1b2fdab0874906ab82")),
        (200, true)
    );
    assert_eq!(stage.s3("HEAD", "/states/copy", &[], "").await.header("x-amz-meta-serial"), "7");
    let replace = [source, ("x-amz-meta-serial", "8"), ("x-amz-metadata-directive", "REPLACE")];
    assert_eq!(stage.s3("PUT", "/states/copy", &replace, "").await.status, 200);
    assert_eq!(stage.s3("GET", "/states/copy", &[], "").await.header("x-amz-meta-serial"), "8");
    let only_new = [("cf-copy-destination-if-none-match", "*"), source];
    assert_eq!(stage.s3("PUT", "/states/copy", &only_new, "").await.status, 412);
    let other = [source, ("x-amz-copy-source-if-match", "\"other\"")];
    assert_eq!(stage.s3("PUT", "/states/copy", &other, "").await.status, 412);
    let missing = [("x-amz-copy-source", "/states/none")];
    assert_eq!(stage.s3("PUT", "/states/copy", &missing, "").await.refusal(), (404, "NoSuchKey"));
}

#[tokio::test]
async fn what_does_not_match_its_digest_is_not_kept() {
    let stage = Stage::new().await;
    for (name, value, status) in [
        ("content-md5", "XrY7u+Ae7tCTyyK7j1rNww==", 200),
        ("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==", 400),
        ("x-amz-checksum-crc32", "DUoRhQ==", 200),
        ("x-amz-checksum-crc32", "AAAAAA==", 400),
        ("x-amz-checksum-sha256", "uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek=", 200),
        ("x-amz-checksum-sha256", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", 400),
    ] {
        let uri = format!("/states/{status}");
        let put = stage.s3("PUT", &uri, &[(name, value)], "hello world").await;
        assert_eq!(put.status, status, "{name}: {value} {:?}", put.body);
        if status == 400 {
            assert_eq!(put.element("Code"), Some("BadDigest"));
        }
    }
    assert_eq!(stage.s3("HEAD", "/states/400", &[], "").await.status, 404);
    let got = stage.s3("GET", "/states/200", &[("x-amz-checksum-mode", "ENABLED")], "").await;
    assert_eq!(got.header("x-amz-checksum-sha256"), "uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek=");
    let both = [("content-md5", "XrY7u+Ae7tCTyyK7j1rNww=="), ("x-amz-checksum-crc32", "DUoRhQ==")];
    assert_eq!(stage.s3("PUT", "/states/both", &both, "hello world").await.refusal(), (400, "InvalidRequest"));
}

#[tokio::test]
async fn names_and_metadata_are_bounded() {
    let stage = Stage::new().await;
    let long = "k".repeat(1_024);
    assert_eq!(stage.s3("PUT", &format!("/states/{long}"), &[], "x").await.status, 200);
    let longer = stage.s3("PUT", &format!("/states/{long}k"), &[], "x").await;
    assert_eq!(longer.refusal(), (400, "InvalidObjectName"));
    let value = "v".repeat(8_192 - "serial".len());
    assert_eq!(stage.s3("PUT", "/states/m", &[("x-amz-meta-serial", &value)], "x").await.status, 200);
    let value = format!("{value}v");
    let put = stage.s3("PUT", "/states/m", &[("x-amz-meta-serial", &value)], "x").await;
    assert_eq!(put.refusal(), (400, "MetadataTooLarge"));
    let stage = Stage::with(|options| options.r2.capacity_bytes = 10).await;
    assert_eq!(stage.s3("PUT", "/states/k", &[], "123456").await.status, 200);
    assert_eq!(stage.s3("PUT", "/states/l", &[], "123456").await.refusal(), (503, "ServiceUnavailable"));
    stage.s3("DELETE", "/states/k", &[], "").await;
    assert_eq!(stage.s3("PUT", "/states/l", &[], "123456").await.status, 200);
}

#[tokio::test]
async fn lists_come_in_pages_and_keys_are_encoded_if_asked() {
    let stage = Stage::new().await;
    for number in 0..25 {
        assert_eq!(stage.s3("PUT", &format!("/states/v/{number:02}"), &[], "x").await.status, 200);
    }
    stage.s3("PUT", "/states/a%20%26", &[], "x").await;
    let (mut keys, mut token) = (Vec::new(), String::new());
    loop {
        let more = if token.is_empty() { String::new() } else { format!("&continuation-token={token}") };
        let page = stage.s3("GET", &format!("/states?list-type=2&max-keys=10&prefix=v%2F{more}"), &[], "").await;
        assert_eq!(page.status, 200, "{:?}", page.body);
        keys.extend(page.elements("Key").into_iter().map(str::to_owned));
        match page.element("NextContinuationToken") {
            Some(next) => token = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(keys, (0..25).map(|number| format!("v/{number:02}")).collect::<Vec<_>>());
    let page = stage.s3("GET", "/states?list-type=2&delimiter=%2F&encoding-type=url", &[], "").await;
    assert_eq!(page.elements("Key"), ["a%20%26"]);
    assert_eq!(page.element("CommonPrefixes"), Some("<Prefix>v/</Prefix>"));
    let page = stage.s3("GET", "/states?list-type=2&start-after=v%2F23", &[], "").await;
    assert_eq!(page.elements("Key"), ["v/24"]);
    let page = stage.s3("GET", "/states?delimiter=%2F&max-keys=1", &[], "").await;
    assert_eq!(page.element("NextMarker"), Some("a &amp;"));
    let page = stage.s3("GET", "/states?list-type=2&continuation-token=%C3%BC", &[], "").await;
    assert_eq!(page.refusal(), (400, "InvalidArgument"));
}

#[tokio::test]
async fn many_are_deleted_at_once() {
    let stage = Stage::new().await;
    for key in ["a", "b", "c"] {
        stage.s3("PUT", &format!("/states/{key}"), &[], "x").await;
    }
    let body =
        "<Delete><Object><Key>a</Key></Object><Object><Key>none</Key></Object><Object><Key>b</Key></Object></Delete>";
    let answer = stage.s3("POST", "/states?delete", &[], body).await;
    assert_eq!((answer.status, answer.elements("Key")), (200, vec!["a", "none", "b"]));
    assert_eq!(stage.s3("GET", "/states?list-type=2", &[], "").await.elements("Key"), ["c"]);
}
