//! Authoritative answers from the records of the Cloudflare side, as soon as they are published.
//!
//! The lookup is a function of the published records and the question; [`server`] puts it behind UDP and TCP. It knows
//! nothing of HTTP. Not answered: DNSSEC, zone transfers, types that Cloudflare's API has no record for.

mod rdata;
pub(crate) mod server;

use hickory_proto::rr::{
    Name, RData, Record,
    rdata::{CNAME, HINFO, NS, SOA},
};
pub use hickory_proto::{op::ResponseCode, rr::RecordType};

use crate::cloudflare::{self, Cloudflare, Names, RecordKind, World};

/// How many aliases are followed inside the zones for one question.
const ALIAS_LIMIT: usize = 16;
const SOA_TTL: u32 = 1_800;
const NAME_SERVER_TTL: u32 = 86_400;

/// What a resolver is told.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) code: ResponseCode,
    pub(crate) authoritative: bool,
    pub(crate) answers: Vec<Record>,
    pub(crate) authorities: Vec<Record>,
}

/// One record of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Whose record it is, lower case, without a final dot.
    pub name: String,
    /// Its type.
    pub kind: RecordType,
    /// Seconds for which it may be remembered.
    pub ttl: u32,
    /// Its value as text: an address, a host with its final dot, a text.
    pub value: String,
}

/// The answer to a question that was asked in-process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// `NoError`, `NXDomain` for a name that does not exist, `Refused` outside the zones.
    pub code: ResponseCode,
    /// The answer section, aliases first.
    pub answers: Vec<Answer>,
}

/// Answers a question with what is published now.
pub(crate) fn resolve(cloudflare: &Cloudflare, name: &str, kind: RecordType) -> Resolution {
    let Ok(mut question) = Name::from_str_relaxed(name) else {
        return Resolution { code: ResponseCode::FormErr, answers: Vec::new() };
    };
    question.set_fqdn(true);
    let reply = look_up(cloudflare, &question, kind);
    Resolution {
        code: reply.code,
        answers: reply
            .answers
            .iter()
            .map(|record| Answer {
                name: plain(&record.name),
                kind: record.record_type(),
                ttl: record.ttl,
                value: record.data.to_string(),
            })
            .collect(),
    }
}

/// Answers a question with what is published now.
pub(crate) fn look_up(cloudflare: &Cloudflare, question: &Name, kind: RecordType) -> Reply {
    cloudflare.with_published(|world| {
        let mut reply =
            Reply { code: ResponseCode::NoError, authoritative: true, answers: Vec::new(), authorities: Vec::new() };
        if world.zone_of(&plain(question)).is_none() {
            reply.code = ResponseCode::Refused;
            reply.authoritative = false;
            return reply;
        }
        if kind == RecordType::ANY {
            // RFC 8482: a minimal answer, as the platform gives.
            let hardware = RData::HINFO(HINFO::new("RFC8482".into(), String::new()));
            reply.answers.push(Record::from_rdata(question.clone(), 3_789, hardware));
            return reply;
        }
        let mut owner = question.clone();
        for _ in 0..ALIAS_LIMIT {
            match step(world, &owner, kind, &mut reply) {
                Some(target) => owner = target,
                None => break,
            }
        }
        reply
    })
}

/// A name as the zones write it.
fn plain(name: &Name) -> String {
    let text = name.to_lowercase().to_ascii();
    text.strip_suffix('.').unwrap_or(&text).to_owned()
}

/// Answers for one owner; gives the next owner if this one is an alias to a name in the zones.
fn step(world: &World, owner: &Name, kind: RecordType, reply: &mut Reply) -> Option<Name> {
    let name = plain(owner);
    // A target outside the zones is for the resolver to follow.
    let entry = world.zone_of(&name)?;
    let zone = entry.zone.settings.name.as_str();
    let apex = name == zone;
    let names = &entry.published;
    if let Some(cut) = delegation(names, &name, zone) {
        refer(names, &cut, reply);
        return None;
    }
    if apex && kind == RecordType::SOA {
        reply.answers.extend(start_of_authority(entry));
        return None;
    }
    if apex && kind == RecordType::NS {
        reply.answers.extend(apex_name_servers(entry));
    }
    let records = if names.exists(&name) || apex {
        names.at(&name)
    } else if let Some(wildcard) = wildcard(names, &name, zone) {
        names.at(&wildcard)
    } else {
        // RFC 6604: the code is that of the last name in a chain of aliases.
        reply.code = ResponseCode::NXDomain;
        reply.authorities.extend(start_of_authority(entry));
        return None;
    };
    let before = reply.answers.len();
    for record in records {
        if record.proxied {
            edge_addresses(world, owner, kind, reply);
            break;
        }
    }
    for record in records.iter().filter(|record| !record.proxied) {
        if rdata::record_type(record.kind) == kind
            && let Some(data) = rdata::data(record)
        {
            reply.answers.push(Record::from_rdata(owner.clone(), record.served_ttl(), data));
        }
    }
    if reply.answers.len() > before || (apex && kind == RecordType::NS) {
        return None;
    }
    let alias = records.iter().find(|record| record.kind == RecordKind::Cname && !record.proxied);
    if let Some(alias) = alias
        && let Some(RData::CNAME(CNAME(target))) = rdata::data(alias)
    {
        if apex {
            return flatten(world, owner, &target, kind, reply, entry);
        }
        reply.answers.push(Record::from_rdata(owner.clone(), alias.served_ttl(), RData::CNAME(CNAME(target.clone()))));
        return Some(target);
    }
    reply.authorities.extend(start_of_authority(entry));
    None
}

/// An alias at the apex is answered with its target's records under the apex's name; targets outside the zones are not
/// asked, so they give no data.
/// <https://developers.cloudflare.com/dns/cname-flattening/>
fn flatten(
    world: &World,
    owner: &Name,
    target: &Name,
    kind: RecordType,
    reply: &mut Reply,
    entry: &cloudflare::ZoneEntry,
) -> Option<Name> {
    let mut inner =
        Reply { code: ResponseCode::NoError, authoritative: true, answers: Vec::new(), authorities: Vec::new() };
    let mut next = Some(target.clone());
    for _ in 0..ALIAS_LIMIT {
        let Some(name) = next.filter(|name| *name != *owner) else {
            break;
        };
        next = step(world, &name, kind, &mut inner);
    }
    reply.answers.extend(
        inner
            .answers
            .into_iter()
            .filter(|record| record.record_type() == kind)
            .map(|record| Record::from_rdata(owner.clone(), record.ttl, record.data)),
    );
    if reply.answers.is_empty() {
        reply.authorities.extend(start_of_authority(entry));
    }
    None
}

/// Proxied names are answered with Cloudflare's edge, never with their content.
fn edge_addresses(world: &World, owner: &Name, kind: RecordType, reply: &mut Reply) {
    let data: Vec<RData> = match kind {
        RecordType::A => world.options.edge_v4.iter().map(|address| RData::A((*address).into())).collect(),
        RecordType::AAAA => world.options.edge_v6.iter().map(|address| RData::AAAA((*address).into())).collect(),
        _ => Vec::new(),
    };
    reply.answers.extend(data.into_iter().map(|data| Record::from_rdata(owner.clone(), 300, data)));
}

/// The highest name below the apex, at or above `name`, that is delegated with NS records.
fn delegation(names: &Names, name: &str, zone: &str) -> Option<String> {
    cloudflare::self_and_ancestors(name)
        .take_while(|ancestor| ancestor.len() > zone.len())
        .filter(|ancestor| names.at(ancestor).iter().any(|record| record.kind == RecordKind::Ns))
        .last()
        .map(str::to_owned)
}

fn refer(names: &Names, cut: &str, reply: &mut Reply) {
    let Some(owner) = absolute(cut) else {
        return;
    };
    reply.authoritative = !reply.answers.is_empty();
    reply.authorities.extend(names.at(cut).iter().filter(|record| record.kind == RecordKind::Ns).filter_map(
        |record| rdata::data(record).map(|data| Record::from_rdata(owner.clone(), record.served_ttl(), data)),
    ));
}

/// The wildcard that stands for a name that does not exist: the one below its closest existing ancestor (RFC 4592).
fn wildcard(names: &Names, name: &str, zone: &str) -> Option<String> {
    let encloser =
        cloudflare::self_and_ancestors(name).skip(1).find(|ancestor| names.exists(ancestor) || *ancestor == zone)?;
    let wildcard = format!("*.{encloser}");
    names.exists(&wildcard).then_some(wildcard)
}

fn absolute(name: &str) -> Option<Name> {
    let mut name = Name::from_ascii(name).ok()?;
    name.set_fqdn(true);
    Some(name)
}

fn start_of_authority(entry: &cloudflare::ZoneEntry) -> Option<Record> {
    let settings = &entry.zone.settings;
    let primary = absolute(settings.name_servers.first().map_or("ns.invalid", String::as_str))?;
    let mailbox = absolute("dns.cloudflare.com")?;
    let data = SOA::new(primary, mailbox, entry.serial, 10_000, 2_400, 604_800, SOA_TTL);
    Some(Record::from_rdata(absolute(&settings.name)?, SOA_TTL, RData::SOA(data)))
}

fn apex_name_servers(entry: &cloudflare::ZoneEntry) -> Vec<Record> {
    let settings = &entry.zone.settings;
    let Some(owner) = absolute(&settings.name) else {
        return Vec::new();
    };
    settings
        .name_servers
        .iter()
        .filter_map(|server| absolute(server))
        .map(|server| Record::from_rdata(owner.clone(), NAME_SERVER_TTL, RData::NS(NS(server))))
        .collect()
}

#[cfg(test)]
mod tests;
