//! A thousand address changes while somebody asks the zone's DNS server for every name all the time: real packets, real
//! HTTP, real time.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use alfred_engine::Look;
use alfred_local_cloud::Listen;
use alfred_local_cloud::cloudflare::Plan;
use alfred_local_cloud::faults::{Fault, Rule};
use alfred_providers::transport::{HttpOptions, HttpTransport};
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};
use jiff::Timestamp;
use tokio::net::UdpSocket;

use super::*;

const NAMES: u32 = 1_000;
const POLLERS: u32 = 4;

struct RealClock;

impl Clock for RealClock {
    #[expect(clippy::disallowed_methods, reason = "sockets live in real time")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// What the pollers have seen.
#[derive(Default)]
struct Seen {
    old: AtomicU64,
    new: AtomicU64,
    rounds: AtomicU64,
}

/// The addresses that the server answers for a name; nothing if no packet came back.
async fn ask(socket: &UdpSocket, id: u16, name: &DomainName) -> Option<(ResponseCode, Vec<Ipv4Addr>)> {
    let mut question = Message::new(id, MessageType::Query, OpCode::Query);
    question.add_query(Query::query(Name::from_ascii(format!("{name}.")).unwrap(), RecordType::A));
    socket.send(&question.to_vec().unwrap()).await.unwrap();
    let mut buffer = [0; 1_232];
    loop {
        let read = tokio::time::timeout(Duration::from_secs(2), socket.recv(&mut buffer)).await.ok()?.unwrap();
        let answer = Message::from_vec(&buffer[..read]).unwrap();
        if answer.id != id {
            continue;
        }
        let addresses = answer.answers.iter().filter_map(|record| match &record.data {
            RData::A(address) => Some(address.0),
            _ => None,
        });
        return Some((answer.response_code, addresses.collect()));
    }
}

/// Asks for each of its names again and again. Every answer must be the old address or the new one.
async fn poll(server: SocketAddr, part: u32, seen: Arc<Seen>, stop: Arc<AtomicBool>) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(server).await.unwrap();
    let mut id = 0_u16;
    while !stop.load(Ordering::Relaxed) {
        for number in (0..NAMES).filter(|number| number % POLLERS == part) {
            id = id.wrapping_add(1);
            // A packet that got lost says nothing of the name.
            let Some((code, addresses)) = ask(&socket, id, &name(number)).await else { continue };
            assert_eq!(code, ResponseCode::NoError, "{} is absent", name(number));
            if addresses == [address(number, 1)] {
                seen.old.fetch_add(1, Ordering::Relaxed);
            } else {
                assert_eq!(addresses, [address(number, 2)], "neither the old address nor the new one");
                seen.new.fetch_add(1, Ordering::Relaxed);
            }
        }
        seen.rounds.fetch_add(1, Ordering::Relaxed);
    }
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let waited = tokio::time::timeout(Duration::from_mins(1), async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("{what} never came to pass"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_name_is_ever_absent_and_none_answers_with_a_third_address_while_a_thousand_change() {
    let mut options = Options::default();
    options.cloudflare.zones =
        vec![ZoneOptions { record_quota: Some(2_000), ..ZoneOptions::new(DEMO_ZONE_ID, DEMO_ZONE, Plan::Free) }];
    // A record's change reaches the DNS some time after the API said yes.
    options.cloudflare.publication_delay_ms = 40;
    let clock: Arc<dyn Clock> = Arc::new(RealClock);
    let random: Arc<dyn Random> = Arc::new(SeededRandom::new(StdRng::seed_from_u64(60)));
    let cloud = LocalCloud::new(options, Arc::clone(&clock), random);
    let running = cloud.serve(Listen::default()).await.unwrap();
    let transport: Arc<dyn Transport> = Arc::new(HttpTransport::new(&HttpOptions::default()).unwrap());
    let client = CloudflareOptions {
        base: BaseUrl::parse(&format!("http://{}/client/v4", running.http_address)).unwrap(),
        token: secret::ApiToken::new(local_cloudflare::DEMO_TOKEN).into(),
        zone: ZoneId::parse(DEMO_ZONE_ID).unwrap(),
        account: None,
    };
    let budget = Budget::new(Arc::clone(&clock), 100);
    let cloudflare = Arc::new(Cloudflare::new(transport, client, budget, CallCounts::new()));
    let writer = RecordWriter::new(cloudflare, &Ours::Installation(INSTALLATION), None, clock);
    let written = submit(&writer, (0..NAMES).map(|number| write(number, 1, Look::Nowhere))).await;
    assert!(written.iter().all(Result::is_ok), "{written:?}");
    tokio::time::sleep(Duration::from_millis(200)).await;

    // Each batch takes a while, so that the names are asked for between and during them.
    let slow = Fault::Delay { ms: 60, after: false };
    cloud.faults().add(Rule { route: Some("cloudflare.records.batch".to_owned()), ..Rule::new(slow) });
    let (seen, stop) = (Arc::new(Seen::default()), Arc::new(AtomicBool::new(false)));
    let pollers: Vec<_> = (0..POLLERS)
        .map(|part| tokio::spawn(poll(running.dns_address, part, Arc::clone(&seen), Arc::clone(&stop))))
        .collect();
    until("a round before the change", || seen.rounds.load(Ordering::Relaxed) >= u64::from(POLLERS)).await;
    let before = seen.old.load(Ordering::Relaxed);
    let changed = submit(&writer, (0..NAMES).map(|number| write(number, 2, Look::Ours))).await;
    assert!(changed.iter().all(Result::is_ok), "{changed:?}");
    until("a round of new addresses", || {
        pollers.iter().any(tokio::task::JoinHandle::is_finished)
            || seen.new.load(Ordering::Relaxed) >= 3 * u64::from(NAMES)
    })
    .await;
    stop.store(true, Ordering::Relaxed);
    for poller in pollers {
        poller.await.expect("every answer was right");
    }
    let (old, new) = (seen.old.load(Ordering::Relaxed), seen.new.load(Ordering::Relaxed));
    println!("{old} answers with the old address ({} of them while it changed), {new} with the new one", old - before);
    assert!(before >= u64::from(NAMES) && old > before, "the names were asked for while they changed");
    let addresses: HashMap<String, String> =
        view::records(&cloud).into_iter().map(|record| (record.name, record.content)).collect();
    assert_eq!(addresses.len(), NAMES as usize);
    assert!((0..NAMES).all(|number| addresses[name(number).as_str()] == address(number, 2).to_string()));
    running.stop().await;
}
