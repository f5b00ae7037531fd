use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::config::Sources;
use crate::printer::Verbosity;

/// A server that gives one scripted answer per connection and remembers what it was sent. An empty answer is a lost
/// one.
struct Scripted {
    address: std::net::SocketAddr,
    seen: Arc<std::sync::Mutex<Vec<String>>>,
}

impl Scripted {
    async fn start(answers: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
        let record = Arc::clone(&seen);
        let count = AtomicUsize::new(0);
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = vec![0; 65_536];
                let length = stream.read(&mut request).await.unwrap();
                record.lock().unwrap().push(String::from_utf8_lossy(&request[..length]).into_owned());
                let answer = answers.get(count.fetch_add(1, Ordering::SeqCst)).copied().unwrap_or_default();
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Self { address, seen }
    }

    fn client(&self) -> Client {
        client(&format!("http://{}", self.address), Some("secret"))
    }

    fn header(&self, call: usize, name: &str) -> Option<String> {
        let seen = self.seen.lock().unwrap();
        let lines = seen[call].lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned()).next()
    }
}

fn client(url: &str, token: Option<&str>) -> Client {
    // Another test may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut environment = HashMap::from([("ALFRED_URL".to_owned(), url.to_owned())]);
    environment.extend(token.map(|token| ("ALFRED_TOKEN".to_owned(), token.to_owned())));
    let directory = std::path::PathBuf::from("/nonexistent");
    let config = Config::load(&Sources { environment, directory, ..Sources::default() }).unwrap();
    Client::new(&config, None, Printer::new(Verbosity::Quiet, false)).unwrap()
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\nconnection: close\r\n\r\n{\"a\":\"b\"}";
const TAKEN: &str = "HTTP/1.1 409 Conflict\r\nconnection: close\r\n\r\n\
    {\"detail\":\"the slug `ox` is taken\",\"code\":\"slug_taken\",\"hint\":\"choose another\\u001b\"}\n";
const BARE: &str = "HTTP/1.1 401 Unauthorized\r\nconnection: close\r\n\r\nnope";

#[tokio::test]
async fn a_lost_creation_is_sent_again_under_the_same_key() {
    let server = Scripted::start(&["", "", OK]).await;
    let answer: HashMap<String, String> = server.client().create("/v1/environments", &"body").await.unwrap();
    assert_eq!(answer["a"], "b");
    let keys: Vec<_> = (0..3).map(|call| server.header(call, "idempotency-key").unwrap()).collect();
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    assert_eq!(server.header(0, "authorization").as_deref(), Some("Bearer secret"));
}

#[tokio::test]
async fn what_must_not_be_done_twice_is_sent_once() {
    let server = Scripted::start(&["", OK]).await;
    let answer: Result<HashMap<String, String>, _> = server.client().post("/v1/tokens", &"body").await;
    assert!(matches!(answer, Err(ClientError::Lost(_))), "{answer:?}");
    assert_eq!(server.seen.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_problem_is_one_line_with_its_hint() {
    let server = Scripted::start(&[TAKEN, BARE]).await;
    let client = server.client();
    let error = client.get::<Problem>("/").await.unwrap_err();
    assert!(matches!(&error, ClientError::Refused { code, .. } if code == "slug_taken"), "{error:?}");
    assert_eq!(error.to_string(), "the slug `ox` is taken: choose another");
    let error = client.get::<Problem>("/").await.unwrap_err();
    assert!(error.to_string().contains("ALFRED_TOKEN"), "{error}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_with_how_to_start_one() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = client(&url, None).get::<Problem>("/").await.unwrap_err();
    assert!(error.to_string().contains("start one with `alfred up --local`"), "{error}");
}

#[test]
fn the_token_is_in_no_debug_output() {
    assert!(!format!("{:?}", client("http://127.0.0.1:1", Some("hunter2"))).contains("hunter2"));
}

#[test]
fn this_machines_token_is_shown_to_this_machine_only() {
    let directory = tempfile::tempdir().unwrap();
    files::write_private(&directory.path().join(TOKEN_FILE), "local\n").unwrap();
    let found = |url: &str| {
        let environment = HashMap::from([
            ("ALFRED_URL".to_owned(), url.to_owned()),
            ("ALFRED_DATA_DIR".to_owned(), directory.path().display().to_string()),
        ]);
        let sources = Sources { environment, directory: "/nonexistent".into(), ..Sources::default() };
        let url = reqwest::Url::parse(url).unwrap();
        find_token(&Config::load(&sources).unwrap(), None, is_loopback(&url)).unwrap()
    };
    assert_eq!(found("http://[::1]:7070").unwrap().expose_secret(), "local");
    assert_eq!(found("http://localhost:7070").unwrap().expose_secret(), "local");
    assert!(found("https://alfred.example.com").is_none());
    assert!(found("https://127.0.0.1.example.com").is_none());
}

#[test]
fn texts_are_encoded_for_queries() {
    assert_eq!(encode("a b/+é~"), "a%20b%2F%2B%C3%A9~");
}
