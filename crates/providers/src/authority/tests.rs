use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::{A, CNAME, NS, SOA};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use hickory_resolver::config::{NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use tokio::net::TcpListener;

use super::*;
use crate::testing::Counting;

type Script = fn(&Message, u32) -> Vec<Message>;

/// Answers each query with what `over_udp` makes of it (and of how many came before), and over TCP likewise.
async fn server(over_udp: Script, over_tcp: Option<Script>) -> SocketAddr {
    // The same port for both; where TCP has none free, take another.
    let (udp, tcp) = loop {
        let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
            break (udp, tcp);
        }
    };
    let address = udp.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 4_096];
        let mut count = 0;
        while let Ok((length, from)) = udp.recv_from(&mut buffer).await {
            let query = Message::from_vec(&buffer[..length]).unwrap();
            for reply in over_udp(&query, count) {
                udp.send_to(&reply.to_vec().unwrap(), from).await.unwrap();
            }
            count += 1;
        }
    });
    tokio::spawn(async move {
        while let (Some(script), Ok((mut stream, _))) = (over_tcp, tcp.accept().await) {
            let length = stream.read_u16().await.unwrap();
            let mut query = vec![0; usize::from(length)];
            stream.read_exact(&mut query).await.unwrap();
            for reply in script(&Message::from_vec(&query).unwrap(), 0) {
                let bytes = reply.to_vec().unwrap();
                stream.write_u16(u16::try_from(bytes.len()).unwrap()).await.unwrap();
                stream.write_all(&bytes).await.unwrap();
            }
        }
    });
    address
}

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

fn record(owner: &str, data: RData) -> Record {
    Record::from_rdata(name(owner), 300, data)
}

/// An authoritative reply to `query`.
fn reply(query: &Message, code: ResponseCode, answers: Vec<Record>) -> Message {
    assert!(!query.metadata.recursion_desired, "an authority is asked for what it knows itself");
    let mut message = Message::response(query.metadata.id, query.metadata.op_code);
    message.metadata.response_code = code;
    message.metadata.authoritative = true;
    message.add_queries(query.queries.clone());
    message.add_answers(answers);
    message
}

fn address(last: u8) -> RData {
    RData::A(A(Ipv4Addr::new(198, 51, 100, last)))
}

fn right(query: &Message, _: u32) -> Vec<Message> {
    vec![reply(query, ResponseCode::NoError, vec![record("a.example.com.", address(4))])]
}

async fn ask(servers: Vec<SocketAddr>) -> Vec<ServerAnswer> {
    let authority = DnsAuthority::new(Source::Fixed(servers), Arc::new(Counting::default()));
    authority.ask(&"a.example.com".parse().unwrap()).await.unwrap()
}

async fn ask_one(over_udp: Script, over_tcp: Option<Script>) -> (Vec<Ipv4Addr>, AnswerState) {
    let answer = ask(vec![server(over_udp, over_tcp).await]).await.remove(0);
    (answer.addresses, answer.state)
}

fn addresses(last: &[u8]) -> Vec<Ipv4Addr> {
    last.iter().map(|last| Ipv4Addr::new(198, 51, 100, *last)).collect()
}

#[tokio::test]
async fn every_server_says_its_own() {
    let no_such_name: Script = |query, _| vec![reply(query, ResponseCode::NXDomain, Vec::new())];
    let refused: Script = |query, _| vec![reply(query, ResponseCode::Refused, Vec::new())];
    let broken: Script = |query, _| vec![reply(query, ResponseCode::ServFail, Vec::new())];
    let no_data: Script = |query, _| vec![reply(query, ResponseCode::NoError, Vec::new())];
    let mut servers = Vec::new();
    for script in [right as Script, no_such_name, refused, broken, no_data] {
        servers.push(server(script, None).await);
    }
    let answers = ask(servers.clone()).await;
    let labels: Vec<String> = servers.iter().map(ToString::to_string).collect();
    assert_eq!(answers.iter().map(|it| it.server.clone()).collect::<Vec<_>>(), labels);
    assert_eq!((answers[0].addresses.clone(), &answers[0].state), (addresses(&[4]), &AnswerState::Answered));
    assert_eq!(answers[1].state, AnswerState::NoSuchName);
    assert_eq!(answers[2].state, AnswerState::Refused);
    assert!(matches!(answers[3].state, AnswerState::Failed(_)));
    assert_eq!(answers[4].state, AnswerState::NoData);
}

#[tokio::test]
async fn aliases_are_followed_within_the_answer_and_not_beyond() {
    let chain: Script = |query, _| {
        let answers = vec![
            record("C.example.com.", address(9)),
            record("A.example.COM.", RData::CNAME(CNAME(name("b.example.com.")))),
            record("b.example.com.", RData::CNAME(CNAME(name("c.example.com.")))),
            record("c.example.com.", address(8)),
            record("stray.example.com.", address(1)),
        ];
        vec![reply(query, ResponseCode::NoError, answers)]
    };
    assert_eq!(ask_one(chain, None).await, (addresses(&[8, 9]), AnswerState::Answered));
    let outside: Script = |query, _| {
        let alias = record("a.example.com.", RData::CNAME(CNAME(name("elsewhere.net."))));
        vec![reply(query, ResponseCode::NoError, vec![alias])]
    };
    assert_eq!(ask_one(outside, None).await, (Vec::new(), AnswerState::Answered));
    let circle: Script = |query, _| {
        let alias = record("a.example.com.", RData::CNAME(CNAME(name("a.example.com."))));
        vec![reply(query, ResponseCode::NoError, vec![alias])]
    };
    assert_eq!(ask_one(circle, None).await, (Vec::new(), AnswerState::Answered));
}

#[tokio::test]
async fn what_a_name_is_an_alias_for_is_told_by_each_server() {
    let alias: Script = |query, _| {
        let answers = vec![
            record("A.example.com.", RData::CNAME(CNAME(name("B.Example.com.")))),
            record("b.example.com.", RData::CNAME(CNAME(name("c.example.com.")))),
            record("c.example.com.", address(8)),
        ];
        vec![reply(query, ResponseCode::NoError, answers)]
    };
    let none: Script = |query, _| vec![reply(query, ResponseCode::NXDomain, Vec::new())];
    let servers = vec![server(alias, None).await, server(right, None).await, server(none, None).await];
    let authority = DnsAuthority::new(Source::Fixed(servers), Arc::new(Counting::default()));
    let answers = authority.ask_fully(&"a.example.com".parse().unwrap()).await.unwrap();
    let aliases: Vec<Option<&str>> = answers.iter().map(|full| full.alias.as_deref()).collect();
    assert_eq!(aliases, [Some("b.example.com"), None, None], "the first step of the chain, and no address is one");
    assert_eq!(answers[0].answer.addresses, addresses(&[8]));
}

#[tokio::test]
async fn forged_replies_are_passed_over() {
    let forged: Script = |query, _| {
        let mut other_id = right(query, 0).remove(0);
        other_id.metadata.id ^= 1;
        let mut other_name = reply(query, ResponseCode::NXDomain, Vec::new());
        other_name.queries[0].set_name(name("b.example.com."));
        let mut other_type = reply(query, ResponseCode::NXDomain, Vec::new());
        other_type.queries[0].set_query_type(RecordType::AAAA);
        let mut no_question = reply(query, ResponseCode::NXDomain, Vec::new());
        no_question.queries.clear();
        vec![other_id, other_name, other_type, no_question, query.clone(), right(query, 0).remove(0)]
    };
    assert_eq!(ask_one(forged, None).await, (addresses(&[4]), AnswerState::Answered));
}

#[tokio::test]
async fn a_truncated_answer_is_fetched_over_tcp() {
    let truncated: Script = |query, _| {
        let mut message = reply(query, ResponseCode::NoError, Vec::new());
        message.metadata.truncation = true;
        vec![message]
    };
    let whole: Script = |query, _| {
        let answers = (1..=200).map(|last| record("a.example.com.", address(last))).collect();
        vec![reply(query, ResponseCode::NoError, answers)]
    };
    let (found, state) = ask_one(truncated, Some(whole)).await;
    assert_eq!((found.len(), state), (200, AnswerState::Answered));
    let cut: Script = |_, _| Vec::new();
    assert!(matches!(ask_one(truncated, Some(cut)).await.1, AnswerState::Failed(words) if words.contains("over TCP")));
}

#[tokio::test]
async fn a_lost_query_is_asked_again() {
    let second: Script = |query, count| if count == 0 { Vec::new() } else { right(query, count) };
    assert_eq!(ask_one(second, None).await, (addresses(&[4]), AnswerState::Answered));
}

#[tokio::test]
async fn a_referral_proves_nothing_and_a_soa_does() {
    let referral: Script = |query, _| {
        let mut message = reply(query, ResponseCode::NoError, Vec::new());
        message.metadata.authoritative = false;
        message.add_authority(record("example.com.", RData::NS(NS(name("ns1.example.com.")))));
        vec![message]
    };
    assert!(matches!(ask_one(referral, None).await.1, AnswerState::Failed(words) if words.contains("authoritative")));
    let negative: Script = |query, _| {
        let mut message = reply(query, ResponseCode::NoError, Vec::new());
        message.metadata.authoritative = false;
        let soa = SOA::new(name("ns1.example.com."), name("dns.example.com."), 1, 1, 1, 1, 1);
        message.add_authority(record("example.com.", RData::SOA(soa)));
        vec![message]
    };
    assert_eq!(ask_one(negative, None).await.1, AnswerState::NoData);
}

#[tokio::test]
async fn a_port_without_a_server_fails_and_an_empty_list_is_an_error() {
    // Connected elsewhere, the socket keeps the port and takes nothing from us.
    let held = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    held.connect("127.0.0.1:9").await.unwrap();
    let closed = held.local_addr().unwrap();
    let answers = ask(vec![closed]).await;
    assert!(matches!(&answers[0].state, AnswerState::Failed(words) if words.contains(&closed.to_string())));
    let authority = DnsAuthority::new(Source::Fixed(Vec::new()), Arc::new(Counting::default()));
    assert_eq!(authority.ask(&"a.example.com".parse().unwrap()).await, Err(AuthorityError::EmptyList));
}

/// A resolver for `example.com` that is, at the same port, its authoritative server.
fn zone_script(query: &Message, count: u32) -> Vec<Message> {
    let asked = query.queries[0].name().to_ascii().to_ascii_lowercase();
    let answers = match (asked.as_str(), query.queries[0].query_type()) {
        ("example.com.", RecordType::NS) => {
            vec![record("example.com.", RData::NS(NS(name("ns1.example.com."))))]
        }
        ("ns1.example.com.", RecordType::A) => {
            vec![record("ns1.example.com.", RData::A(A(Ipv4Addr::LOCALHOST)))]
        }
        ("a.example.com.", RecordType::A) => return right(query, count),
        _ => Vec::new(),
    };
    let mut message = Message::response(query.metadata.id, query.metadata.op_code);
    message.metadata.authoritative = true;
    message.metadata.recursion_available = true;
    message.add_queries(query.queries.clone());
    message.add_answers(answers);
    vec![message]
}

async fn zone_authority(zone: &str) -> DnsAuthority {
    let address = server(zone_script, None).await;
    let mut upstream = NameServerConfig::udp(address.ip());
    upstream.connections[0].port = address.port();
    let config = ResolverConfig::from_name_servers(vec![upstream]);
    let resolver = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default()).build().unwrap();
    let mut authority = DnsAuthority::with_resolver(zone.parse().unwrap(), resolver, Arc::new(Counting::default()));
    if let Servers::Zone(zone) = &mut authority.servers {
        zone.port = address.port();
    }
    authority
}

#[tokio::test]
async fn the_zones_servers_are_found_by_their_names() {
    let authority = zone_authority("example.com").await;
    for _ in 0..2 {
        let answers = authority.ask(&"a.example.com".parse().unwrap()).await.unwrap();
        let expected =
            ServerAnswer { server: "ns1.example.com".into(), addresses: addresses(&[4]), state: AnswerState::Answered };
        assert_eq!(answers, [expected]);
    }
}

#[tokio::test]
async fn a_zone_without_servers_is_an_error_that_says_what_to_do() {
    let error = zone_authority("example.net").await.ask(&"a.example.net".parse().unwrap()).await.unwrap_err();
    assert!(matches!(error, AuthorityError::NoServers { .. }));
    assert!(error.to_string().contains("`ALFRED_DNS_SERVER`"), "{error}");
}
