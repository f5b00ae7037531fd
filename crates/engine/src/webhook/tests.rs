use super::message::{key, signature};
use super::*;

fn secret(text: &str) -> SecretString {
    text.to_owned().into()
}

/// The example of the specification's own libraries; checked beside them with another implementation of HMAC.
#[test]
fn signatures_are_those_of_standard_webhooks() {
    let key = key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let body = r#"{"test": 2432232314}"#;
    let signed = signature(key.expose_secret(), "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body);
    assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

#[test]
fn an_address_and_a_secret_are_checked_and_not_repeated() {
    struct Nowhere;
    #[async_trait::async_trait]
    impl Transport for Nowhere {
        async fn send(
            &self,
            _: http::Request<bytes::Bytes>,
        ) -> Result<http::Response<bytes::Bytes>, alfred_providers::transport::TransportError> {
            Ok(http::Response::default())
        }
    }
    let good = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let new = |url: &str, text: &str| Webhook::new(url, &secret(text), Arc::new(Nowhere)).err();
    for url in ["https://example.com/hooks/4711", "http://127.0.0.1:9/x?y=z"] {
        assert_eq!(new(url, good), None, "{url}");
    }
    for url in
        ["", "example.com", "/hooks", "ftp://example.com/", "https://", "https://user:hunter2@example.com/", "a b"]
    {
        assert_eq!(new(url, good), Some(BadWebhook::Address), "{url}");
    }
    for text in ["", "hunter2", "whsec_", "whsec_aHVudGVyMg==", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_!"] {
        assert_eq!(new("https://example.com/", text), Some(BadWebhook::Secret), "{text}");
    }
}

#[test]
fn one_sends_at_a_time_and_not_before_its_time() {
    let at = |seconds: i64| Timestamp::from_second(1_800_000_000 + seconds).unwrap();
    let place = Place::past(7);
    assert_eq!(place.wait("a", at(0)), None);
    let held = place.held_by("a", at(30));
    assert_eq!(
        (held.wait("a", at(0)), held.wait("b", at(10)), held.wait("b", at(30))),
        (None, Some(Duration::from_secs(20)), None)
    );
    let again = held.again(at(5));
    assert_eq!(
        (again.attempts, again.wait("a", at(1)), again.wait("b", at(5))),
        (1, Some(Duration::from_secs(4)), None)
    );
    assert_eq!((Place::past(9).after, Place::past(9).attempts), (9, 0));
}
