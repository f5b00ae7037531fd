use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// Answers each connection with `answer` after reading something, and counts the connections.
async fn server(answer: Vec<u8>) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = connections.clone();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            let mut request = [0; 4096];
            let _ = socket.read(&mut request).await;
            let _ = socket.write_all(&answer).await;
        }
    });
    (base, connections)
}

fn transport(call_timeout: Duration) -> HttpTransport {
    HttpTransport::new(&HttpOptions { call_timeout, ..HttpOptions::default() }).unwrap()
}

fn post(url: &str) -> http::Request<Bytes> {
    http::Request::post(url).body(Bytes::from_static(b"{}")).unwrap()
}

#[tokio::test]
async fn an_answer_of_any_status_comes_back_whole() {
    let (base, connections) =
        server(b"HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 4\r\n\r\nbody".to_vec()).await;
    let answer = transport(Duration::from_secs(20)).send(post(&base)).await.unwrap();
    assert_eq!(answer.status(), 302, "redirects are not followed");
    assert_eq!(answer.headers()["location"], "/elsewhere");
    assert_eq!(answer.body().as_ref(), b"body");
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_refused_connection_a_missing_name_and_a_failed_handshake_are_not_sent() {
    let held = crate::testing::refusing_port();
    let closed = held.local_addr().unwrap();
    let (plain, _) = server(b"this is no TLS\r\n\r\n".to_vec()).await;
    for url in [format!("http://{closed}"), "http://no-such-name.invalid".into(), plain.replace("http://", "https://")]
    {
        let error = transport(Duration::from_secs(20)).send(post(&url)).await.unwrap_err();
        assert!(matches!(error, TransportError::NotSent { .. }), "{url}: {error:?}");
    }
}

#[tokio::test]
async fn a_closed_connection_a_cut_body_and_silence_are_lost_and_not_sent_again() {
    let cut = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"cut".to_vec();
    for answer in [Vec::new(), cut] {
        let (base, connections) = server(answer).await;
        let error = transport(Duration::from_secs(20)).send(post(&base)).await.unwrap_err();
        assert!(matches!(error, TransportError::Lost { .. }), "{error:?}");
        assert_eq!(connections.load(Ordering::SeqCst), 1);
    }
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let error = transport(Duration::from_millis(200)).send(post(&url)).await.unwrap_err();
    assert!(matches!(&error, TransportError::Lost { words } if words.starts_with("timed out")), "{error:?}");
}

#[tokio::test]
async fn an_answer_beyond_its_limit_is_lost() {
    let (base, _) = server(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n12345".to_vec()).await;
    for (limit, fits) in [(5, true), (4, false)] {
        let mut request = post(&base);
        request.extensions_mut().insert(AnswerLimit(limit));
        assert_eq!(transport(Duration::from_secs(20)).send(request).await.is_ok(), fits, "limit {limit}");
    }
}

#[tokio::test]
async fn this_machine_is_reached_without_the_proxy() {
    let (base, _) = server(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_vec()).await;
    let (proxy, proxied) = server(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n".to_vec()).await;
    let options = HttpOptions { proxy: Some(proxy), ..HttpOptions::default() };
    let transport = HttpTransport::new(&options).unwrap();
    assert_eq!(transport.send(post(&base)).await.unwrap().status(), 200);
    assert_eq!(proxied.load(Ordering::SeqCst), 0);
    let error = transport.send(post("https://api.example.invalid")).await.unwrap_err();
    assert!(matches!(error, TransportError::NotSent { .. }), "{error:?}");
    assert_eq!(proxied.load(Ordering::SeqCst), 1, "elsewhere goes through the proxy");
}

#[test]
fn a_proxy_that_is_no_url_is_named_without_its_text() {
    let options = HttpOptions { proxy: Some("user:hunter2@proxy".into()), ..HttpOptions::default() };
    // `user:` reads as a scheme, so this one parses; what has no scheme at all does not.
    assert!(HttpTransport::new(&options).is_ok());
    let options = HttpOptions { proxy: Some("hunter2".into()), ..HttpOptions::default() };
    let words = HttpTransport::new(&options).unwrap_err().to_string();
    assert!(words.contains("`HTTPS_PROXY`") && !words.contains("hunter2"), "{words}");
}
