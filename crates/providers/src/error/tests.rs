use super::*;

fn wait(after: Option<u64>) -> Disposition {
    Disposition::Wait { after: after.map(Duration::from_secs) }
}

#[test]
fn what_each_status_means_for_each_effect() {
    use Disposition::{Definite, Unknown};
    let after = Some(Duration::from_secs(7));
    for (status, read, write, order) in [
        (301, Definite, Definite, Unknown),
        (400, Definite, Definite, Definite),
        (401, Definite, Definite, Definite),
        (402, Definite, Definite, Definite),
        (403, Definite, Definite, Definite),
        (404, Definite, Definite, Definite),
        (405, Definite, Definite, Definite),
        (408, wait(Some(7)), wait(Some(7)), Unknown),
        (409, Definite, Definite, Unknown),
        (413, Definite, Definite, Unknown),
        (415, Definite, Definite, Definite),
        (422, Definite, Definite, Definite),
        (429, wait(Some(7)), wait(Some(7)), Unknown),
        (500, wait(Some(7)), Unknown, Unknown),
        (502, wait(Some(7)), Unknown, Unknown),
        (503, wait(Some(7)), Unknown, Unknown),
        (524, wait(Some(7)), Unknown, Unknown),
    ] {
        assert_eq!(Effect::Read.refused(status, after), read, "read {status}");
        assert_eq!(Effect::Write.refused(status, after), write, "write {status}");
        assert_eq!(Effect::Order.refused(status, after), order, "order {status}");
    }
    assert_eq!([Effect::Read.lost(), Effect::Write.lost(), Effect::Order.lost()], [wait(None), Unknown, Unknown]);
}

#[test]
fn how_long_to_wait_is_read_from_header_and_body() {
    let now: Timestamp = "2026-11-21T08:00:00Z".parse().unwrap();
    for (header, body, expected) in [
        (Some("30"), "", Some(30)),
        (Some("30"), r#"{"retry_after":90}"#, Some(30)),
        (Some("0"), r#"{"retry_after":90}"#, Some(90)),
        (Some("0"), r#"{"retry_after":"12.2"}"#, Some(13)),
        (Some("0"), "<html>", Some(0)),
        (None, r#"{"retry_after":1.5}"#, Some(2)),
        (None, r#"{"retry_after":-1}"#, None),
        (None, "[]", None),
        (None, "", None),
        (Some("soon"), "", None),
        (Some("-5"), "", None),
        (Some("NaN"), "", None),
        (Some("Sat, 21 Nov 2026 08:05:00 GMT"), "", Some(300)),
        (Some("Sat, 21 Nov 2026 07:00:00 GMT"), "", Some(0)),
        (Some("999999999999999999999999"), "", Some(86_400)),
    ] {
        let mut answer = http::Response::new(Bytes::from_static(body.as_bytes()));
        if let Some(header) = header {
            answer.headers_mut().insert(http::header::RETRY_AFTER, header.parse().unwrap());
        }
        assert_eq!(retry_after(&answer, now), expected.map(Duration::from_secs), "{header:?} {body}");
    }
}

#[test]
fn bodies_that_are_no_json_are_described() {
    assert_eq!(describe_body(b" \n"), "the body is empty");
    let page = b"<html><head><title> 502 Bad Gateway </title></head>";
    assert_eq!(describe_body(page), "a web page titled `502 Bad Gateway`");
    assert_eq!(describe_body(b"<!doctype html>"), "a web page instead of JSON");
    assert_eq!(describe_body(b"\xff oops"), "`\u{fffd} oops`");
}
