//! The lookup behind UDP and TCP, with hickory-server as the wire.

use std::{io, net::SocketAddr, time::Duration};

use hickory_proto::{
    op::{Edns, Header, HeaderCounts, MessageType, Metadata, OpCode, ResponseCode},
    rr::DNSClass,
};
use hickory_server::{
    Server,
    net::runtime::Time,
    server::{Request, RequestHandler, ResponseHandler, ResponseInfo},
    zone_handler::MessageResponseBuilder,
};
use tokio::net::{TcpListener, UdpSocket};

use super::{Reply, look_up};
use crate::cloudflare::Cloudflare;

/// How long an idle TCP connection is kept.
const TCP_TIMEOUT: Duration = Duration::from_secs(10);
/// Answers waiting to be sent on one TCP connection.
const TCP_BUFFER: usize = 32;
/// The largest UDP answer, whatever the client offers.
/// <https://www.dnsflagday.net/2020/>
const UDP_PAYLOAD: u16 = 1_232;
/// How often a free port is looked for that both protocols can have.
const PORT_TRIES: usize = 20;

/// A running DNS server; it stops when dropped.
pub(crate) struct DnsServer {
    pub(crate) address: SocketAddr,
    server: Server<Authority>,
}

impl DnsServer {
    /// Binds UDP and TCP on one port. With port 0, any that is free for both.
    pub(crate) async fn bind(cloudflare: Cloudflare, address: SocketAddr) -> io::Result<Self> {
        let (udp, tcp) = bind_both(address).await?;
        let address = udp.local_addr()?;
        let mut server = Server::new(Authority { cloudflare });
        server.register_socket(udp);
        server.register_listener(tcp, TCP_TIMEOUT, TCP_BUFFER);
        Ok(Self { address, server })
    }

    /// Stops listening and waits for the listeners to end.
    pub(crate) async fn stop(mut self) {
        if let Err(error) = self.server.shutdown_gracefully().await {
            tracing::debug!(%error, "the dns server did not end cleanly");
        }
    }
}

async fn bind_both(address: SocketAddr) -> io::Result<(UdpSocket, TcpListener)> {
    let mut tries = if address.port() == 0 { PORT_TRIES } else { 1 };
    loop {
        tries -= 1;
        let udp = UdpSocket::bind(address).await?;
        match TcpListener::bind(udp.local_addr()?).await {
            Ok(tcp) => return Ok((udp, tcp)),
            Err(error) if tries == 0 => return Err(error),
            Err(_) => {}
        }
    }
}

struct Authority {
    cloudflare: Cloudflare,
}

impl Authority {
    fn reply(&self, request: &Request) -> Reply {
        let refused = |code| Reply { code, authoritative: false, answers: Vec::new(), authorities: Vec::new() };
        if request.edns.as_ref().is_some_and(|edns| edns.version() > 0) {
            return refused(ResponseCode::BADVERS);
        }
        if request.metadata.op_code != OpCode::Query {
            return refused(ResponseCode::NotImp);
        }
        let Ok(info) = request.request_info() else {
            return refused(ResponseCode::FormErr);
        };
        if info.query.query_class() != DNSClass::IN {
            return refused(ResponseCode::Refused);
        }
        look_up(&self.cloudflare, info.query.original().name(), info.query.query_type())
    }
}

#[async_trait::async_trait]
impl RequestHandler for Authority {
    async fn handle_request<R: ResponseHandler, T: Time>(
        &self,
        request: &Request,
        mut response_handle: R,
    ) -> ResponseInfo {
        let reply = self.reply(request);
        let mut metadata = Metadata::response_from_request(&request.metadata);
        metadata.authoritative = reply.authoritative;
        metadata.response_code = reply.code;
        let edns = request.edns.as_ref().map(|asked| {
            let mut edns = Edns::new();
            edns.set_max_payload(asked.max_payload().clamp(512, UDP_PAYLOAD)).set_version(0);
            edns
        });
        let mut builder = MessageResponseBuilder::from_message_request(request);
        if let Some(edns) = &edns {
            builder.edns(edns);
        }
        let response = builder.build(metadata, &reply.answers, &reply.authorities, [], []);
        match response_handle.send_response(response).await {
            Ok(info) => info,
            Err(error) => {
                tracing::debug!(%error, "a dns answer could not be sent");
                let mut metadata = Metadata::new(request.metadata.id, MessageType::Response, OpCode::Query);
                metadata.response_code = ResponseCode::ServFail;
                ResponseInfo::from(Header { metadata, counts: HeaderCounts::default() })
            }
        }
    }
}
