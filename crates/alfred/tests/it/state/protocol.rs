//! The HTTP backend's protocol, request by request, with everything that can be wrong with one.

use super::stage::{Stage, base64, lock, state};

#[test]
fn locks_and_writes_may_be_repeated_and_others_are_told_who_has_the_lock() {
    let stage = Stage::new();
    let token = stage.administrator();
    let ask = |method: &str, query: &str, body: &[u8]| stage.ask(&token, method, &format!("/tfstate/a/b{query}"), body);
    assert_eq!(ask("GET", "", b"").status, 404);
    for _ in 0..2 {
        assert_eq!(ask("LOCK", "", &lock("first")).status, 200);
    }
    let refused = ask("LOCK", "", &lock("second"));
    assert_eq!((refused.status, refused.body), (423, lock_as_kept("first")));
    for _ in 0..2 {
        assert_eq!(ask("POST", "?ID=first", &state(1, "l", "one")).status, 200);
    }
    assert_eq!(ask("PUT", "?ID=first", &state(2, "l", "two")).status, 200);
    let (under_none, under_another) =
        (ask("POST", "", &state(3, "l", "x")), ask("POST", "?ID=second", &state(3, "l", "x")));
    for refused in [under_none, under_another] {
        assert_eq!((refused.status, refused.body), (423, lock_as_kept("first")));
    }
    assert_eq!(ask("DELETE", "", b"").status, 423);
    assert_eq!(ask("UNLOCK", "", &lock("second")).status, 423);
    for _ in 0..2 {
        assert_eq!(ask("UNLOCK", "", &lock("first")).status, 200);
    }
    let read = ask("GET", "", b"");
    assert_eq!((read.status, &read.body), (200, &state(2, "l", "two")));
    assert_eq!(read.header("content-length").unwrap(), read.body.len().to_string());
    assert_eq!(read.header("content-md5").unwrap().len(), 24);
    let head = ask("HEAD", "", b"");
    assert_eq!((head.status, head.body.len()), (200, 0));
    // Terraform's force-unlock: no body.
    assert_eq!(ask("LOCK", "", &lock("third")).status, 200);
    assert_eq!(ask("UNLOCK", "", b"").status, 200);
    assert_eq!(ask("LOCK", "", &lock("fourth")).status, 200);
    assert_eq!(ask("UNLOCK", "", br#"{"ID":"fourth"}"#).status, 200);
    for _ in 0..2 {
        assert_eq!(ask("DELETE", "", b"").status, 200);
    }
    assert_eq!(ask("GET", "", b"").status, 404);
    assert_eq!(stage.told("state versions a/b")["versions"].as_array().unwrap().len(), 2, "they are kept");
}

/// What is kept of a lock's description, in the order in which it is answered.
fn lock_as_kept(id: &str) -> Vec<u8> {
    format!(
        r#"{{"ID":"{id}","Operation":"OperationTypeApply","Who":"me@here","Created":"2026-11-22T06:00:00.123456789Z","Info":"","Path":"","Version":"1.11.4"}}"#
    )
    .into_bytes()
}

#[test]
fn what_must_not_be_written_is_refused_with_what_is_there_and_what_came() {
    let stage = Stage::with(&[("ALFRED_STATE_SIZE_MAX", "4KiB")]);
    let token = stage.administrator();
    let post = |body: &[u8]| stage.ask(&token, "POST", "/tfstate/a", body);
    assert_eq!(post(&state(5, "l", "five")).status, 200);
    for (body, words) in [
        (state(4, "l", "four"), "serial 4"),
        (state(5, "l", "another"), "serial 5"),
        (state(6, "other", "six"), "`other`"),
    ] {
        let refused = post(&body);
        assert_eq!((refused.status, refused.json()["code"].as_str()), (409, Some("state_refused")));
        let detail = refused.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(words), "{detail}");
    }
    for bad in [&b"<html>"[..], b"", b"{}", b"[]", br#"{"version":4}"#, br#"{"version":4,"serial":-1,"lineage":"l"}"#] {
        let refused = post(bad);
        assert_eq!((refused.status, refused.json()["code"].as_str()), (400, Some("bad_state")), "{bad:?}");
    }
    let six = state(6, "l", "six");
    let sent = |md5: &str| stage.ask_with(&token, "POST", "/tfstate/a", &[("content-md5", md5)], &six);
    let refused = sent(&base64(&[0; 16]));
    assert_eq!((refused.status, refused.json()["code"].as_str()), (400, Some("bad_state")));
    // Too long: by what is announced, before anything is read, and by what arrives.
    let announced = stage.ask_with(&token, "POST", "/tfstate/a", &[("content-length", "1000000000000")], b"");
    let chunked = [("transfer-encoding", "chunked"), ("content-length", "")];
    let mut body = b"2000\r\n".to_vec();
    body.extend([b' '; 0x2000]);
    body.extend(b"\r\n0\r\n\r\n");
    let arrived = stage.raw("POST", "/tfstate/a", &[("authorization", &format!("Bearer {token}")), chunked[0]], &body);
    for refused in [announced, arrived] {
        assert_eq!((refused.status, refused.json()["code"].as_str()), (413, Some("too_large")));
    }
    assert_eq!(stage.ask(&token, "GET", "/tfstate/a", b"").body, state(5, "l", "five"), "nothing of this changed it");
}

#[test]
fn requests_that_mean_nothing_are_refused_in_one_form() {
    let stage = Stage::new();
    let token = stage.administrator();
    for (method, path, body, status, code) in [
        ("GET", "/tfstate/A", &b""[..], 400, "bad_state_name"),
        ("GET", "/tfstate/a/../b", b"", 400, "bad_state_name"),
        ("GET", "/tfstate/a%00", b"", 400, "bad_state_name"),
        ("GET", "/tfstate/a/", b"", 400, "bad_state_name"),
        ("GET", "/tfstate/", b"", 404, "not_found"),
        ("PATCH", "/tfstate/a", b"", 405, "method_not_allowed"),
        ("LOCK", "/tfstate/a", b"", 400, "bad_json"),
        ("LOCK", "/tfstate/a", b"{}", 400, "bad_json"),
        ("LOCK", "/tfstate/a", br#"{"ID":""}"#, 400, "bad_json"),
        ("UNLOCK", "/tfstate/a", b"nonsense", 400, "bad_json"),
        ("GET", "/v1/states/a%2Fb", b"", 404, "state_not_found"),
        ("GET", "/v1/states/a%2F", b"", 400, "bad_state_name"),
        ("GET", "/v1/states?cursor=%2F", b"", 400, "bad_state_name"),
        ("GET", "/v1/state-log?cursor=x", b"", 400, "bad_parameter"),
    ] {
        let refused = stage.raw(
            method,
            path,
            &[("authorization", &format!("Bearer {token}")), ("content-length", &body.len().to_string())],
            body,
        );
        assert_eq!((refused.status, refused.json()["code"].as_str()), (status, Some(code)), "{method} {path}");
        assert_eq!(refused.header("content-type").as_deref(), Some("application/problem+json"), "{method} {path}");
    }
    assert!(!stage.up.stderr().contains("panicked"));
}

#[test]
fn what_the_client_encrypted_is_kept_as_it_is() {
    let stage = Stage::new();
    let token = stage.administrator();
    let encrypted = |serial: u64| {
        format!(r#"{{"serial":{serial},"lineage":"l","meta":{{"k":"e30="}},"encrypted_data":"c2VjcmV0","encryption_version":"v0"}}"#)
            .into_bytes()
    };
    for serial in [1, 2] {
        assert_eq!(stage.ask(&token, "POST", "/tfstate/tofu", &encrypted(serial)).status, 200);
    }
    assert_eq!(stage.ask(&token, "GET", "/tfstate/tofu", b"").body, encrypted(2));
    assert!(stage.done("state show tofu").stdout.contains("encrypted by the client"));
    let diff = stage.place.line("state diff tofu");
    assert_eq!(diff.code, 1);
    assert!(diff.one_line().contains("encrypted before it was sent"), "{diff:?}");
    let back = stage.place.line("state roll-back tofu 1 --yes");
    assert!(back.code == 1 && back.one_line().contains("download it"), "{back:?}");
}
