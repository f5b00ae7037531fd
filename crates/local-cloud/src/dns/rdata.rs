//! Records of the API as data of DNS.

use hickory_proto::rr::{Name, RData, RecordType, rdata};

use crate::cloudflare::{Record, RecordKind};

/// Bytes in one string of a TXT record.
const STRING_LIMIT: usize = 255;

pub(super) fn record_type(kind: RecordKind) -> RecordType {
    kind.as_str().parse().unwrap_or(RecordType::ZERO)
}

/// The record's data, or `None` where the content does not make sense as such: then nothing is answered for it.
pub(super) fn data(record: &Record) -> Option<RData> {
    match record.kind {
        RecordKind::A => record.content.parse().ok().map(RData::A),
        RecordKind::Aaaa => record.content.parse().ok().map(RData::AAAA),
        RecordKind::Cname => Some(RData::CNAME(rdata::CNAME(host(&record.content)?))),
        RecordKind::Ns => Some(RData::NS(rdata::NS(host(&record.content)?))),
        RecordKind::Ptr => Some(RData::PTR(rdata::PTR(host(&record.content)?))),
        RecordKind::Mx => Some(RData::MX(rdata::MX::new(record.priority?, host(&record.content)?))),
        RecordKind::Txt => {
            Some(RData::TXT(rdata::TXT::from_bytes(strings(&record.content).iter().map(Vec::as_slice).collect())))
        }
        RecordKind::Srv => {
            let data = record.data.as_ref()?;
            let number = |key: &str| u16::try_from(data.get(key)?.as_u64()?).ok();
            Some(RData::SRV(rdata::SRV::new(
                number("priority")?,
                number("weight")?,
                number("port")?,
                host(data.get("target")?.as_str()?)?,
            )))
        }
        kind => RData::try_from_str(record_type(kind), &record.content).ok(),
    }
}

fn host(content: &str) -> Option<Name> {
    let mut name = Name::from_ascii(content).ok()?;
    name.set_fqdn(true);
    Some(name)
}

/// The strings of a TXT record: those in quotation marks, or the whole content; long ones are cut.
fn strings(content: &str) -> Vec<Vec<u8>> {
    let parts = if content.starts_with('"') { quoted(content) } else { vec![content.as_bytes().to_vec()] };
    let mut strings: Vec<Vec<u8>> = Vec::new();
    for part in parts {
        if part.is_empty() {
            strings.push(Vec::new());
        }
        strings.extend(part.chunks(STRING_LIMIT).map(<[u8]>::to_vec));
    }
    strings
}

fn quoted(content: &str) -> Vec<Vec<u8>> {
    let mut parts = Vec::new();
    let mut current: Option<Vec<u8>> = None;
    let mut bytes = content.bytes();
    while let Some(byte) = bytes.next() {
        match (&mut current, byte) {
            (Some(_), b'"') => parts.extend(current.take()),
            (Some(part), b'\\') => part.extend(bytes.next()),
            (Some(part), other) => part.push(other),
            (None, b'"') => current = Some(Vec::new()),
            (None, _) => {}
        }
    }
    parts.extend(current);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_unquoted_and_unescaped() {
        assert_eq!(strings("plain text"), [b"plain text".to_vec()]);
        assert_eq!(strings(r#""a" "b\"c""#), [b"a".to_vec(), b"b\"c".to_vec()]);
        assert_eq!(strings(r#""open"#), [b"open".to_vec()]);
        assert_eq!(strings(r#""""#), [Vec::<u8>::new()]);
        let lengths: Vec<usize> = strings(&"x".repeat(600)).iter().map(Vec::len).collect();
        assert_eq!(lengths, [255, 255, 90]);
    }
}
