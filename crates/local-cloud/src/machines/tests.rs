//! Real sockets on loopback addresses.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use secrecy::SecretString;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};

use super::host::{Host, Reach};
use super::*;

/// Longer than anything here takes; a test that waits for it has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// A port that is free on all loopback addresses but for bad luck.
async fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap().port()
}

fn machine(id: i64, address: Ipv4Addr, port: u16) -> Machine {
    Machine { id, address, port, install: 0, hostname: format!("vmi{id}"), user_data: Arc::default() }
}

async fn greeting(dial: SocketAddr) -> String {
    let mut text = String::new();
    let mut stream = TcpStream::connect(dial).await.unwrap();
    tokio::time::timeout(PATIENCE, stream.read_to_string(&mut text)).await.unwrap().unwrap();
    text
}

/// A census that a test writes, and the machines that follow it.
struct Bench {
    census: Arc<Mutex<Census>>,
    changed: watch::Sender<u64>,
    machines: Machines,
}

impl Bench {
    async fn new(up: Vec<Machine>) -> Self {
        let census = Arc::new(Mutex::new(Census { up, next_change: None }));
        let changed = watch::Sender::new(0);
        let source = Arc::clone(&census);
        let machines = Machines::start(move || Some(source.lock().unwrap().clone()), changed.subscribe(), 10).await;
        Self { census, changed, machines: machines.unwrap() }
    }

    /// Changes the census, and waits until the machine at `address` is (not) listening.
    async fn until(&self, up: Vec<Machine>, address: Ipv4Addr, listening: bool) {
        self.census.lock().unwrap().up = up;
        self.changed.send_modify(|count| *count += 1);
        let dials = self.machines.dials();
        let seen = async {
            while dials.get(address).is_some() != listening {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(PATIENCE, seen).await.unwrap();
    }
}

#[tokio::test]
async fn a_machine_that_is_up_greets_and_one_that_is_not_refuses() {
    let address = Ipv4Addr::new(127, 64, 77, 1);
    let port = free_port().await;
    let bench = Bench::new(vec![machine(1, address, port)]).await;
    let dial = bench.machines.dials().get(address).unwrap();
    assert_eq!(greeting(dial).await, "SSH-2.0-OpenSSH_9.6 local-cloud\r\n");
    bench.until(Vec::new(), address, false).await;
    // The listener is closed right after its dial is withdrawn.
    let refused = async {
        while TcpStream::connect(dial).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, refused).await.unwrap();
    bench.until(vec![machine(1, address, port)], address, true).await;
    let dial = bench.machines.dials().get(address).unwrap();
    assert_eq!(greeting(dial).await, "SSH-2.0-OpenSSH_9.6 local-cloud\r\n");
    bench.machines.stop().await;
    assert!(TcpStream::connect(dial).await.is_err(), "a stopped machine must not listen");
}

#[tokio::test]
async fn the_census_is_taken_again_when_its_time_is_over() {
    let address = Ipv4Addr::new(127, 64, 77, 2);
    let up = vec![machine(1, address, free_port().await)];
    let count = Mutex::new(0);
    let census = move || {
        let mut count = count.lock().unwrap();
        *count += 1;
        // Only the second census knows the machine, and nobody tells of a change.
        let (up, next_change) =
            if *count == 1 { (Vec::new(), Some(Duration::from_millis(1))) } else { (up.clone(), None) };
        Some(Census { up, next_change })
    };
    let changed = watch::Sender::new(0);
    let machines = Machines::start(census, changed.subscribe(), 1).await.unwrap();
    let dials = machines.dials();
    let listening = async {
        while dials.get(address).is_none() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, listening).await.unwrap();
    assert!(greeting(dials.get(address).unwrap()).await.starts_with("SSH-2.0-"));
    machines.stop().await;
}

#[tokio::test]
async fn machines_share_an_address_where_there_is_only_one() {
    let addresses = [Ipv4Addr::new(127, 64, 77, 3), Ipv4Addr::new(127, 64, 77, 4)];
    let dials = Dials::default();
    let mut host = Host::with_reach(Reach::Shared, dials.clone());
    let up = [machine(1, addresses[0], 22), machine(2, addresses[1], 22)];
    host.follow(&up).await.unwrap();
    let [first, second] = addresses.map(|address| dials.get(address).unwrap());
    assert_eq!((first.ip(), second.ip()), (Ipv4Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()));
    assert_ne!(first.port(), second.port());
    assert!(greeting(first).await.starts_with("SSH-2.0-"));
    assert!(greeting(second).await.starts_with("SSH-2.0-"));
    host.close().await;
    assert!(dials.get(addresses[0]).is_none());
}

#[test]
fn an_address_that_is_not_a_loopback_address_is_never_bound() {
    for reach in [Reach::Own, Reach::Shared] {
        let dial = reach.bind_address(&machine(1, Ipv4Addr::new(192, 0, 2, 1), 22));
        assert_eq!(dial, SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0));
    }
}

#[tokio::test]
async fn an_address_in_use_is_an_error_that_names_it() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = taken.local_addr().unwrap().port();
    let mut host = Host::with_reach(Reach::Own, Dials::default());
    let up = [machine(7, Ipv4Addr::LOCALHOST, port), machine(8, Ipv4Addr::new(127, 64, 77, 5), free_port().await)];
    let error = host.follow(&up).await.unwrap_err();
    assert_eq!(error.to_string(), format!("could not listen on `127.0.0.1:{port}` for machine 7"));
}

#[cfg(unix)]
#[test]
fn too_few_files_are_an_error_that_says_what_to_do() {
    assert!(fits(1_000, 4_096).is_ok());
    let error = fits(1_000, 1_024).unwrap_err().to_string();
    assert!(error.contains("`ulimit -n 1128`") && error.contains("1000 machines"), "{error}");
}

/// Answers requests on a socket, each with the next of these statuses, and tells of each when its caller has gone.
async fn server(statuses: Vec<&'static str>) -> (SocketAddr, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        for status in statuses {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut bytes = Vec::new();
            while !String::from_utf8_lossy(&bytes).contains("fqdn=") {
                stream.read_buf(&mut bytes).await.unwrap();
            }
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.read_to_end(&mut Vec::new()).await.unwrap();
            sender.send(String::from_utf8(bytes).unwrap()).unwrap();
        }
    });
    (address, receiver)
}

async fn next(requests: &mut mpsc::UnboundedReceiver<String>) -> String {
    tokio::time::timeout(PATIENCE, requests.recv()).await.unwrap().unwrap()
}

fn calling(id: i64, address: Ipv4Addr, port: u16, server: SocketAddr) -> Machine {
    let text =
        format!("#cloud-config\nfqdn: tiger.example.org\nphone_home:\n  url: http://{server}/booted\n  tries: 2\n");
    Machine { user_data: Arc::new(SecretString::from(text)), ..machine(id, address, port) }
}

#[tokio::test]
async fn a_machine_calls_home_once_it_listens_and_again_if_that_fails() {
    let (server, mut requests) = server(vec!["503 Service Unavailable", "200 OK"]).await;
    let address = Ipv4Addr::new(127, 64, 77, 6);
    let bench = Bench::new(vec![calling(9, address, free_port().await, server)]).await;
    next(&mut requests).await;
    let request = next(&mut requests).await;
    assert!(request.starts_with("POST /booted HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("content-type: application/x-www-form-urlencoded\r\n"), "{request}");
    assert!(request.ends_with("\r\n\r\ninstance_id=9&hostname=vmi9&fqdn=tiger.example.org"), "{request}");
    bench.machines.stop().await;
}

#[tokio::test]
async fn a_machine_calls_home_once_per_installation_not_per_boot() {
    let (server, mut requests) = server(vec!["200 OK", "200 OK"]).await;
    let address = Ipv4Addr::new(127, 64, 77, 7);
    let first = calling(9, address, free_port().await, server);
    let bench = Bench::new(vec![first.clone()]).await;
    assert!(next(&mut requests).await.starts_with("POST /booted "));
    // A boot without a call, and a wipe with one.
    bench.until(Vec::new(), address, false).await;
    bench.until(vec![first.clone()], address, true).await;
    let wiped = Machine {
        install: 1,
        user_data: Arc::new(SecretString::from(format!(
            "#cloud-config\nphone_home:\n  url: http://{server}/wiped\n  tries: 9\n"
        ))),
        ..first
    };
    bench.until(vec![wiped], address, true).await;
    let request = next(&mut requests).await;
    assert!(request.starts_with("POST /wiped HTTP/1.1\r\n"), "{request}");
    bench.machines.stop().await;
}

/// The tasks that call home end by themselves, and closing one machine takes all that have ended out of the set. A later
/// closing must not wait for them.
#[tokio::test]
async fn machines_whose_calls_home_ended_long_ago_can_be_closed() {
    let home = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}/home", home.local_addr().unwrap());
    let user_data = format!("#cloud-config\nphone_home:\n  url: {url}\n  post: [instance_id]\n  tries: 1\n");
    let port = free_port().await;
    let address = |number: u8| Ipv4Addr::new(127, 64, 79, number);
    let machines: Vec<Machine> = (1..=3)
        .map(|number| Machine {
            user_data: Arc::new(SecretString::from(user_data.clone())),
            ..machine(i64::from(number), address(number), port)
        })
        .collect();
    let bench = Bench::new(machines.clone()).await;
    for _ in 0..3 {
        let (mut stream, _) = tokio::time::timeout(PATIENCE, home.accept()).await.unwrap().unwrap();
        let mut request = [0; 1024];
        assert!(stream.read(&mut request).await.unwrap() > 0);
        stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await.unwrap();
    }
    // The answers have to reach the callers before the first machine is closed; a moment too early tests nothing.
    tokio::time::sleep(Duration::from_millis(300)).await;
    bench.until(machines[1..].to_vec(), address(1), false).await;
    bench.until(machines[2..].to_vec(), address(2), false).await;
    bench.until(Vec::new(), address(3), false).await;
}
