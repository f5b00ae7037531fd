//! What resolvers are told: in-process for the rules, over sockets for the wire.

use std::net::SocketAddr;

use hickory_proto::{
    op::{Edns, Message, Query, ResponseCode},
    rr::{Name, RecordType},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
};

use crate::{Listen, bench::Bench, cloudflare::Plan};

async fn zone() -> Bench {
    let bench = Bench::with_plan(Plan::Pro);
    for body in [
        json!({"type": "A", "name": "a", "content": "198.51.100.1", "ttl": 120}),
        json!({"type": "A", "name": "a", "content": "198.51.100.2", "ttl": 120}),
        json!({"type": "AAAA", "name": "a", "content": "2001:db8::1"}),
        json!({"type": "CNAME", "name": "alias", "content": "a.alfredos.site", "ttl": 60}),
        json!({"type": "CNAME", "name": "far", "content": "www.example.org"}),
        json!({"type": "CNAME", "name": "dangling", "content": "nope.alfredos.site"}),
        json!({"type": "CNAME", "name": "loop1", "content": "loop2.alfredos.site"}),
        json!({"type": "CNAME", "name": "loop2", "content": "loop1.alfredos.site"}),
        json!({"type": "A", "name": "deep.er", "content": "198.51.100.3"}),
        json!({"type": "A", "name": "*.wild", "content": "198.51.100.4"}),
        json!({"type": "TXT", "name": "b.wild", "content": "here"}),
        json!({"type": "A", "name": "p", "content": "198.51.100.5", "proxied": true}),
        json!({"type": "MX", "name": "@", "content": "mx.example.org", "priority": 10}),
        json!({"type": "TXT", "name": "t", "content": "hello world"}),
        json!({"type": "NS", "name": "sub", "content": "ns.example.org"}),
        json!({"type": "SRV", "name": "_s._tcp", "data": {"priority": 1, "weight": 2, "port": 3, "target": "a.alfredos.site"}}),
        json!({"type": "CAA", "name": "@", "data": {"flags": 0, "tag": "issue", "value": "ca.example"}}),
    ] {
        let (status, answer) = bench.records("POST", "", body).await;
        assert_eq!(status, 200, "{answer}");
    }
    bench
}

/// The code and, in one line each, the answers.
fn ask(bench: &Bench, name: &str, kind: RecordType) -> (ResponseCode, Vec<String>) {
    let resolution = bench.cloud.resolve(name, kind);
    let answers = resolution
        .answers
        .iter()
        .map(|answer| format!("{} {} {} {}", answer.name, answer.ttl, answer.kind, answer.value))
        .collect();
    (resolution.code, answers)
}

#[tokio::test]
async fn answers_follow_the_records() {
    use ResponseCode::{NXDomain, NoError, Refused};
    let bench = zone().await;
    let one = "a.alfredos.site 120 A 198.51.100.1";
    let two = "a.alfredos.site 120 A 198.51.100.2";
    for (name, kind, code, answers) in [
        ("a.alfredos.site", RecordType::A, NoError, vec![one, two]),
        ("A.AlfredOS.Site.", RecordType::A, NoError, vec![one, two]),
        ("a.alfredos.site", RecordType::AAAA, NoError, vec!["a.alfredos.site 300 AAAA 2001:db8::1"]),
        ("a.alfredos.site", RecordType::TXT, NoError, vec![]),
        ("nope.alfredos.site", RecordType::A, NXDomain, vec![]),
        ("er.alfredos.site", RecordType::A, NoError, vec![]),
        ("x.a.alfredos.site", RecordType::A, NXDomain, vec![]),
        ("alfredos.site", RecordType::A, NoError, vec![]),
        ("example.org", RecordType::A, Refused, vec![]),
        ("notalfredos.site", RecordType::A, Refused, vec![]),
        (
            "alias.alfredos.site",
            RecordType::A,
            NoError,
            vec!["alias.alfredos.site 60 CNAME a.alfredos.site.", one, two],
        ),
        ("alias.alfredos.site", RecordType::CNAME, NoError, vec!["alias.alfredos.site 60 CNAME a.alfredos.site."]),
        ("far.alfredos.site", RecordType::A, NoError, vec!["far.alfredos.site 300 CNAME www.example.org."]),
        (
            "dangling.alfredos.site",
            RecordType::A,
            NXDomain,
            vec!["dangling.alfredos.site 300 CNAME nope.alfredos.site."],
        ),
        ("x.wild.alfredos.site", RecordType::A, NoError, vec!["x.wild.alfredos.site 300 A 198.51.100.4"]),
        ("y.x.wild.alfredos.site", RecordType::A, NoError, vec!["y.x.wild.alfredos.site 300 A 198.51.100.4"]),
        ("x.wild.alfredos.site", RecordType::TXT, NoError, vec![]),
        ("b.wild.alfredos.site", RecordType::A, NoError, vec![]),
        ("x.b.wild.alfredos.site", RecordType::A, NXDomain, vec![]),
        (
            "p.alfredos.site",
            RecordType::A,
            NoError,
            vec!["p.alfredos.site 300 A 192.0.2.10", "p.alfredos.site 300 A 192.0.2.11"],
        ),
        (
            "p.alfredos.site",
            RecordType::AAAA,
            NoError,
            vec!["p.alfredos.site 300 AAAA 2001:db8::10", "p.alfredos.site 300 AAAA 2001:db8::11"],
        ),
        ("alfredos.site", RecordType::MX, NoError, vec!["alfredos.site 300 MX 10 mx.example.org."]),
        ("alfredos.site", RecordType::CAA, NoError, vec!["alfredos.site 300 CAA 0 issue \"ca.example\""]),
        ("t.alfredos.site", RecordType::TXT, NoError, vec!["t.alfredos.site 300 TXT hello world"]),
        (
            "_s._tcp.alfredos.site",
            RecordType::SRV,
            NoError,
            vec!["_s._tcp.alfredos.site 300 SRV 1 2 3 a.alfredos.site."],
        ),
        ("host.sub.alfredos.site", RecordType::A, NoError, vec![]),
    ] {
        let expected = (code, answers.into_iter().map(str::to_owned).collect());
        assert_eq!(ask(&bench, name, kind), expected, "{name} {kind}");
    }
    assert_eq!(ask(&bench, "alfredos.site", RecordType::NS).1.len(), 2);
    assert_eq!(ask(&bench, "alfredos.site", RecordType::SOA).1.len(), 1);
    assert_eq!(ask(&bench, &"x.".repeat(300), RecordType::A).0, ResponseCode::FormErr);
    let (code, answers) = ask(&bench, "loop1.alfredos.site", RecordType::A);
    assert_eq!((code, answers.len()), (NoError, super::ALIAS_LIMIT));
}

#[tokio::test]
async fn an_alias_at_the_apex_is_flattened() {
    let bench = Bench::with_plan(Plan::Free);
    bench.create("a", "198.51.100.1").await;
    let body = json!({"type": "CNAME", "name": "@", "content": "a.alfredos.site"});
    assert_eq!(bench.records("POST", "", body).await.0, 200);
    assert_eq!(ask(&bench, "alfredos.site", RecordType::A).1, ["alfredos.site 300 A 198.51.100.1"]);
    assert_eq!(ask(&bench, "alfredos.site", RecordType::MX).1, Vec::<String>::new());
}

#[tokio::test]
async fn changes_show_after_the_publication_delay_and_in_order() {
    let bench = Bench::with(|options| options.publication_delay_ms = 1_000);
    let id = bench.create("x", "198.51.100.1").await;
    assert_eq!(ask(&bench, "x.alfredos.site", RecordType::A).0, ResponseCode::NXDomain);
    bench.clock.advance_ms(600);
    bench.records("PATCH", &format!("/{id}"), json!({"content": "198.51.100.2"})).await;
    bench.clock.advance_ms(400);
    assert_eq!(ask(&bench, "x.alfredos.site", RecordType::A).1, ["x.alfredos.site 300 A 198.51.100.1"]);
    bench.records("DELETE", &format!("/{id}"), Value::Null).await;
    bench.clock.advance_ms(600);
    assert_eq!(ask(&bench, "x.alfredos.site", RecordType::A).1, ["x.alfredos.site 300 A 198.51.100.2"]);
    bench.clock.advance_ms(400);
    assert_eq!(ask(&bench, "x.alfredos.site", RecordType::A).0, ResponseCode::NXDomain);
}

fn question(name: &str, kind: RecordType) -> Message {
    let mut message = Message::query();
    message.metadata.id = 4_711;
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    message
}

async fn over_udp(server: SocketAddr, message: &Message) -> Message {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.send_to(&message.to_vec().unwrap(), server).await.unwrap();
    let mut buffer = vec![0; 65_535];
    let length = socket.recv(&mut buffer).await.unwrap();
    Message::from_vec(&buffer[..length]).unwrap()
}

async fn over_tcp(server: SocketAddr, message: &Message) -> Message {
    let mut stream = TcpStream::connect(server).await.unwrap();
    let bytes = message.to_vec().unwrap();
    stream.write_u16(u16::try_from(bytes.len()).unwrap()).await.unwrap();
    stream.write_all(&bytes).await.unwrap();
    let length = stream.read_u16().await.unwrap();
    let mut buffer = vec![0; usize::from(length)];
    stream.read_exact(&mut buffer).await.unwrap();
    Message::from_vec(&buffer).unwrap()
}

#[tokio::test]
async fn udp_and_tcp_give_the_same_authoritative_answer() {
    let bench = zone().await;
    let running = bench.cloud.serve(Listen::default()).await.unwrap();
    let asked = question("A.alfredos.site.", RecordType::A);
    for answer in [over_udp(running.dns_address, &asked).await, over_tcp(running.dns_address, &asked).await] {
        assert_eq!(answer.metadata.id, 4_711);
        assert!(answer.metadata.authoritative && !answer.metadata.recursion_available);
        assert_eq!(answer.answers.len(), 2);
        assert_eq!(answer.answers[0].name.to_ascii(), "A.alfredos.site.");
    }
    running.stop().await;
}

#[tokio::test]
async fn absence_comes_with_the_start_of_authority_and_delegations_with_servers() {
    let bench = zone().await;
    let running = bench.cloud.serve(Listen::default()).await.unwrap();
    for (name, code, authoritative, authority) in [
        ("nope.alfredos.site.", ResponseCode::NXDomain, true, Some(RecordType::SOA)),
        ("er.alfredos.site.", ResponseCode::NoError, true, Some(RecordType::SOA)),
        ("host.sub.alfredos.site.", ResponseCode::NoError, false, Some(RecordType::NS)),
        ("example.org.", ResponseCode::Refused, false, None),
    ] {
        let answer = over_udp(running.dns_address, &question(name, RecordType::A)).await;
        assert_eq!(answer.metadata.response_code, code, "{name}");
        assert_eq!(answer.metadata.authoritative, authoritative, "{name}");
        let first = answer.authorities.first().map(hickory_proto::rr::Record::record_type);
        assert_eq!(first, authority, "{name}");
    }
    running.stop().await;
}

#[tokio::test]
async fn a_large_answer_is_cut_on_udp_and_whole_on_tcp() {
    let bench = Bench::with_plan(Plan::Free);
    for number in 0..100 {
        bench.create("many", &format!("198.51.100.{number}")).await;
    }
    let running = bench.cloud.serve(Listen::default()).await.unwrap();
    let plain = question("many.alfredos.site.", RecordType::A);
    let mut extended = plain.clone();
    let mut edns = Edns::new();
    edns.set_max_payload(4_096);
    extended.set_edns(edns);
    for (message, limit) in [(&plain, 512), (&extended, 1_232)] {
        let answer = over_udp(running.dns_address, message).await;
        assert!(answer.metadata.truncation);
        assert!(answer.to_vec().unwrap().len() <= limit);
        assert!(answer.answers.len() < 100);
    }
    let whole = over_tcp(running.dns_address, &extended).await;
    assert_eq!((whole.answers.len(), whole.metadata.truncation), (100, false));
    running.stop().await;
}

#[tokio::test]
async fn hostile_datagrams_do_not_stop_the_server() {
    let bench = zone().await;
    let running = bench.cloud.serve(Listen::default()).await.unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let valid = question("a.alfredos.site.", RecordType::A).to_vec().unwrap();
    for length in 0..valid.len() {
        socket.send_to(&valid[..length], running.dns_address).await.unwrap();
    }
    let mut pointer_loop = valid.clone();
    pointer_loop[12..14].copy_from_slice(&[0xc0, 12]);
    socket.send_to(&pointer_loop, running.dns_address).await.unwrap();
    let answer = over_udp(running.dns_address, &question("a.alfredos.site.", RecordType::A)).await;
    assert_eq!(answer.answers.len(), 2);
    running.stop().await;
}
