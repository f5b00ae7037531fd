//! A connection in between that loses messages and answers.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// What becomes of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Pass,
    /// The next message like the pattern does not arrive.
    LoseMessage,
    /// The next message like the pattern arrives, and its answer does not.
    LoseAnswer,
    /// Nobody gets through.
    Closed,
}

/// Passes everything on, until it is told to cut a connection around a message.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    server: SocketAddr,
    message: &'static [u8],
    answer: &'static [u8],
    mode: Mutex<Mode>,
    cut: Notify,
}

impl Proxy {
    /// `message` is in what the client says, `answer` in what the server says to it.
    pub(crate) async fn start(server: SocketAddr, message: &'static [u8], answer: &'static [u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared { server, message, answer, mode: Mutex::new(Mode::Pass), cut: Notify::new() });
        let passing = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if passing.mode() != Mode::Closed {
                    tokio::spawn(pass_on(client, Arc::clone(&passing)));
                }
            }
        });
        Self { address, shared }
    }

    pub(crate) fn lose_message(&self) {
        self.shared.set(Mode::LoseMessage);
    }

    /// After that nobody gets through, until [`open`](Self::open).
    pub(crate) fn lose_answer(&self) {
        self.shared.set(Mode::LoseAnswer);
    }

    /// Waits until a connection was cut.
    pub(crate) async fn cut(&self) {
        self.shared.cut.notified().await;
    }

    pub(crate) fn open(&self) {
        self.shared.set(Mode::Pass);
    }
}

impl Shared {
    fn mode(&self) -> Mode {
        *self.mode.lock().unwrap()
    }

    fn set(&self, mode: Mode) {
        *self.mode.lock().unwrap() = mode;
    }
}

async fn pass_on(mut client: TcpStream, shared: Arc<Shared>) {
    let Ok(mut server) = TcpStream::connect(shared.server).await else { return };
    let (mut from_client, mut from_server) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    let (mut said, mut answered) = (Vec::new(), Vec::new());
    let mut is_lost = false;
    loop {
        tokio::select! {
            read = client.read(&mut from_client) => {
                let Ok(length @ 1..) = read else { return };
                let mode = shared.mode();
                if has(&mut said, &from_client[..length], shared.message) {
                    if mode == Mode::LoseMessage {
                        shared.set(Mode::Pass);
                        return shared.cut.notify_one();
                    }
                    is_lost |= mode == Mode::LoseAnswer;
                }
                if server.write_all(&from_client[..length]).await.is_err() {
                    return;
                }
            }
            read = server.read(&mut from_server) => {
                let Ok(length @ 1..) = read else { return };
                if is_lost {
                    if has(&mut answered, &from_server[..length], shared.answer) {
                        shared.set(Mode::Closed);
                        return shared.cut.notify_one();
                    }
                } else if client.write_all(&from_server[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Whether `pattern` is in what was said so far, of which the end is kept.
fn has(said: &mut Vec<u8>, more: &[u8], pattern: &[u8]) -> bool {
    said.extend_from_slice(more);
    let is_there = said.windows(pattern.len()).any(|part| part == pattern);
    let kept = if is_there { 0 } else { said.len().min(pattern.len() - 1) };
    said.drain(..said.len() - kept);
    is_there
}
