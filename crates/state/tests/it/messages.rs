//! A connection in between that takes what is said apart into messages, and ends the client at a certain one.

use std::mem;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};

/// Who says a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

/// Where the real server is.
#[derive(Debug, Clone)]
pub(crate) enum Server {
    /// PostgreSQL, at its socket in the file system.
    Postgres(PathBuf),
    Nats(SocketAddr),
}

/// Passes messages on until it is the turn of the one that nobody gets: then the client is ended, and nothing more gets
/// through in either direction.
///
/// An own message that is kept back was never said. The server's is an answer: what it is about was done, and nobody was told.
pub(crate) struct Messages {
    pub(crate) address: SocketAddr,
    passed: Arc<Mutex<Passed>>,
}

struct Passed {
    /// The number of the next message, whoever says it, over all connections, from 1.
    number: usize,
    last: usize,
    end: Box<dyn FnMut() + Send>,
    ended_at: Option<Side>,
}

impl Messages {
    /// `end` is called instead of passing on message number `last`.
    pub(crate) async fn start(server: Server, last: usize, end: impl FnMut() + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let passed = Arc::new(Mutex::new(Passed { number: 1, last, end: Box::new(end), ended_at: None }));
        let passing = Arc::clone(&passed);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                client.set_nodelay(true).unwrap();
                connect(client, &server, &passing).await;
            }
        });
        Self { address, passed }
    }

    /// Whose message it was that nobody got.
    pub(crate) fn ended_at(&self) -> Option<Side> {
        self.passed.lock().unwrap().ended_at
    }
}

async fn connect(client: TcpStream, server: &Server, passed: &Arc<Mutex<Passed>>) {
    let (from_client, to_client) = client.into_split();
    let cut: fn(&[u8]) -> Option<usize> = match server {
        Server::Postgres(_) => postgres,
        Server::Nats(_) => nats,
    };
    match server {
        Server::Postgres(socket) => {
            let (from_server, to_server) = UnixStream::connect(socket).await.unwrap().into_split();
            // The first one bears no kind.
            tokio::spawn(pass(from_client, to_server, Side::Client, first_of_postgres, cut, Arc::clone(passed)));
            tokio::spawn(pass(from_server, to_client, Side::Server, cut, cut, Arc::clone(passed)));
        }
        Server::Nats(address) => {
            let server = TcpStream::connect(address).await.unwrap();
            server.set_nodelay(true).unwrap();
            let (from_server, to_server) = server.into_split();
            tokio::spawn(pass(from_client, to_server, Side::Client, cut, cut, Arc::clone(passed)));
            tokio::spawn(pass(from_server, to_client, Side::Server, cut, cut, Arc::clone(passed)));
        }
    }
}

/// Passes on what one side says. `first` and `cut` tell how long the message is that begins what was read, once that shows.
async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    side: Side,
    first: fn(&[u8]) -> Option<usize>,
    cut: fn(&[u8]) -> Option<usize>,
    passed: Arc<Mutex<Passed>>,
) {
    let mut said = Vec::new();
    let mut length_of = first;
    while from.read_buf(&mut said).await.is_ok_and(|length| length > 0) {
        while let Some(length) = length_of(&said).filter(|length| *length <= said.len()) {
            length_of = cut;
            let rest = said.split_off(length);
            let message = mem::replace(&mut said, rest);
            // Dropping an end closes it: the other side finds out that nobody is there any more.
            if !may_pass(&passed, side) || to.write_all(&message).await.is_err() {
                return;
            }
        }
    }
}

fn may_pass(passed: &Mutex<Passed>, side: Side) -> bool {
    let mut passed = passed.lock().unwrap();
    if passed.ended_at.is_some() {
        return false;
    }
    if passed.number == passed.last {
        (passed.end)();
        passed.ended_at = Some(side);
        return false;
    }
    passed.number += 1;
    true
}

/// A byte for its kind, then its length without that byte
/// (<https://www.postgresql.org/docs/current/protocol-overview.html#PROTOCOL-MESSAGE-CONCEPTS>).
fn postgres(said: &[u8]) -> Option<usize> {
    first_of_postgres(said.get(1..)?).map(|length| length + 1)
}

fn first_of_postgres(said: &[u8]) -> Option<usize> {
    let length: [u8; 4] = said.get(..4)?.try_into().unwrap();
    Some(u32::from_be_bytes(length).try_into().unwrap())
}

/// A line, and behind some kinds of them as many bytes as their last word says, and a line's end
/// (<https://docs.nats.io/reference/reference-protocols/nats-protocol>).
fn nats(said: &[u8]) -> Option<usize> {
    let line = said.windows(2).position(|end| end == b"\r\n")?;
    let text = std::str::from_utf8(&said[..line]).unwrap();
    let mut words = text.split_ascii_whitespace();
    let kind = words.next().unwrap();
    if !["PUB", "HPUB", "MSG", "HMSG"].contains(&kind) {
        return Some(line + 2);
    }
    let payload: usize = words.last().unwrap().parse().unwrap();
    Some(line + 2 + payload + 2)
}

#[test]
fn messages_are_told_apart() {
    assert_eq!(postgres(b"Q\0\0\0\x0cSELECT 1\0more"), Some(13));
    assert_eq!(postgres(b"Q\0\0\0"), None);
    assert_eq!(first_of_postgres(b"\0\0\0\x08\0\0\0\0"), Some(8));
    assert_eq!(nats(b"PING\r\nPING\r\n"), Some(6));
    assert_eq!(nats(b"PUB a.b _INBOX.c 5\r\nhel"), Some(27));
    assert_eq!(nats(b"HMSG a.b 1 12 14\r\nNATS/1.0\r\n\r\nok\r\n"), Some(34));
    assert_eq!(nats(b"PUB a.b 5"), None);
}
