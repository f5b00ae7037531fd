//! One question and its reply, as values.

use std::net::Ipv4Addr;

use alfred_model::name::DomainName;
use alfred_model::seam::Random;
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};

use super::AnswerState;

/// Most aliases that are followed within an answer.
const ALIASES_MAX: usize = 8;

pub(super) struct Question {
    id: u16,
    query: Query,
    bytes: Vec<u8>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) addresses: Vec<Ipv4Addr>,
    /// What the name itself is an alias for, in lower case and without a final dot.
    pub(super) alias: Option<String>,
    pub(super) state: AnswerState,
    pub(super) truncated: bool,
}

impl Question {
    pub(super) fn new(name: &DomainName, random: &dyn Random) -> Result<Self, String> {
        let mut id = [0; 2];
        random.fill(&mut id);
        let name = Name::from_ascii(format!("{name}.")).map_err(|error| error.to_string())?;
        let query = Query::query(name, RecordType::A);
        let mut message = Message::new(u16::from_be_bytes(id), MessageType::Query, OpCode::Query);
        message.metadata.recursion_desired = false;
        message.add_query(query.clone());
        let bytes = message.to_vec().map_err(|error| error.to_string())?;
        Ok(Self { id: u16::from_be_bytes(id), query, bytes })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The reply in `bytes`, if it is one to this question.
    pub(super) fn read(&self, bytes: &[u8]) -> Option<Reply> {
        let message = Message::from_vec(bytes).ok()?;
        let metadata = &message.metadata;
        let fits = metadata.id == self.id
            && metadata.message_type == MessageType::Response
            && metadata.op_code == OpCode::Query
            && message.queries.len() == 1
            && message.queries[0].query_type() == RecordType::A
            && message.queries[0].query_class() == self.query.query_class()
            && message.queries[0].name() == self.query.name();
        fits.then(|| self.judge(&message))
    }

    fn judge(&self, message: &Message) -> Reply {
        let failed = |words: String| (Vec::new(), AnswerState::Failed(words));
        let (addresses, state) = match message.metadata.response_code {
            ResponseCode::NoError => match self.follow(message) {
                Some(addresses) => (addresses, AnswerState::Answered),
                None if is_final(message) => (Vec::new(), AnswerState::NoData),
                None => failed("it refers to other servers, so it is not authoritative for the name".to_owned()),
            },
            ResponseCode::NXDomain => (Vec::new(), AnswerState::NoSuchName),
            ResponseCode::Refused => (Vec::new(), AnswerState::Refused),
            other => failed(format!("it answered {other}")),
        };
        let alias = if state == AnswerState::Answered { self.alias(message) } else { None };
        Reply { addresses, alias, state, truncated: message.metadata.truncation }
    }

    fn alias(&self, message: &Message) -> Option<String> {
        let mut own = message.answers.iter().filter(|record| record.name == *self.query.name());
        own.find_map(|record| match &record.data {
            RData::CNAME(target) => Some(target.0.to_ascii().trim_end_matches('.').to_ascii_lowercase()),
            _ => None,
        })
    }

    /// The addresses of the name or of what it is an alias for; none if the name has neither.
    fn follow(&self, message: &Message) -> Option<Vec<Ipv4Addr>> {
        let mut owner = self.query.name();
        let mut found = false;
        for _ in 0..=ALIASES_MAX {
            let own = || message.answers.iter().filter(|record| record.name == *owner);
            let mut addresses: Vec<Ipv4Addr> = own()
                .filter_map(|record| match &record.data {
                    RData::A(address) => Some(address.0),
                    _ => None,
                })
                .collect();
            if !addresses.is_empty() {
                addresses.sort_unstable();
                addresses.dedup();
                return Some(addresses);
            }
            let alias = own().find_map(|record| match &record.data {
                RData::CNAME(target) => Some(&target.0),
                _ => None,
            });
            match alias {
                Some(target) => owner = target,
                None => break,
            }
            found = true;
        }
        found.then(Vec::new)
    }
}

/// Whether an answer without records is the server's last word: an authoritative one is, and so is one with the zone's
/// SOA record (RFC 2308 §2.2). A referral to other servers is neither.
fn is_final(message: &Message) -> bool {
    let has_soa = message.authorities.iter().any(|record| record.record_type() == RecordType::SOA);
    message.metadata.authoritative || has_soa
}
