//! Zones as BIND text (RFC 1035, section 5): written for an export, read for an import.
//!
//! Reading covers `$ORIGIN`, `$TTL`, comments, parentheses, quoted strings, and left-out owners, classes and TTLs.
//! `$INCLUDE` is refused, as on the platform; so is `$GENERATE`, which the platform takes.
//! <https://developers.cloudflare.com/dns/manage-dns-records/how-to/import-and-export/>

use std::{fmt::Write, sync::Arc};

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::record::{Record, RecordKind};

/// The zone as text.
pub(crate) fn write(zone: &str, records: &[Arc<Record>], now: Timestamp) -> String {
    let mut text = format!(";;\n;; Domain:     {zone}.\n;; Exported:   {now:.0}\n;;\n$ORIGIN {zone}.\n");
    let mut sorted: Vec<_> = records.iter().collect();
    sorted.sort_by_key(|record| (record.kind, record.sequence));
    for record in sorted {
        let value = match record.kind {
            kind if kind.names_a_host() && record.content != "." => format!("{}.", record.content),
            RecordKind::Txt if !record.content.starts_with('"') => {
                format!("\"{}\"", record.content.replace('\\', "\\\\").replace('"', "\\\""))
            }
            _ => record.content.clone(),
        };
        let priority = record.priority.map(|priority| format!("{priority} ")).unwrap_or_default();
        let comment = record.comment.as_ref().map(|comment| format!("{comment} ")).unwrap_or_default();
        let mut tags = record.tags.clone();
        if record.kind.proxiable() {
            tags.push(format!("cf-proxied:{}", record.proxied));
        }
        let note = match (comment.as_str(), tags.as_slice()) {
            ("", []) => String::new(),
            (comment, []) => format!(" ; {}", comment.trim_end()),
            (comment, tags) => format!(" ; {comment}cf_tags={}", tags.join(",")),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}.\t{}\tIN\t{}\t{priority}{value}{note}", record.name, record.ttl, record.kind);
    }
    text
}

/// The records of a zone file, as the bodies of creations.
pub(crate) fn read(text: &str, zone: &str, proxied: bool) -> Result<Vec<Map<String, Value>>, String> {
    let mut reader = Reader { zone, origin: format!("{zone}."), ttl: 1, owner: None, proxied };
    let mut records = Vec::new();
    for (number, line) in logical_lines(text)? {
        if let Some(record) = reader.line(&line).map_err(|reason| format!("line {number}: {reason}"))? {
            records.push(record);
        }
    }
    Ok(records)
}

/// One entry of a file: its words, and whether it began with blanks (then the owner is that of the entry before).
struct Line {
    words: Vec<Word>,
    owner_left_out: bool,
    comment: String,
}

struct Word {
    text: String,
    quoted: bool,
}

/// Splits into entries: parentheses join lines, a semicolon begins a comment, quotation marks protect both.
fn logical_lines(text: &str) -> Result<Vec<(usize, Line)>, String> {
    let mut lines = Vec::new();
    let mut depth = 0_u32;
    let mut current: Option<(usize, Line)> = None;
    for (index, physical) in text.lines().enumerate() {
        let (_, line) = current.get_or_insert_with(|| {
            let line =
                Line { words: Vec::new(), owner_left_out: physical.starts_with([' ', '\t']), comment: String::new() };
            (index + 1, line)
        });
        read_words(physical, line, &mut depth).map_err(|reason| format!("line {}: {reason}", index + 1))?;
        if depth == 0 {
            lines.extend(current.take());
        }
    }
    if depth > 0 {
        return Err("a parenthesis is not closed".into());
    }
    Ok(lines)
}

fn read_words(physical: &str, line: &mut Line, depth: &mut u32) -> Result<(), &'static str> {
    let mut characters = physical.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            ';' => {
                characters.collect::<String>().trim().clone_into(&mut line.comment);
                return Ok(());
            }
            '(' => *depth += 1,
            ')' => {
                let open = depth.checked_sub(1);
                *depth = open.ok_or("a parenthesis is closed but not opened")?;
            }
            '"' => {
                let mut text = String::new();
                loop {
                    match characters.next().ok_or("a quotation is not closed")? {
                        '"' => break,
                        '\\' => text.push(characters.next().ok_or("a quotation is not closed")?),
                        other => text.push(other),
                    }
                }
                line.words.push(Word { text, quoted: true });
            }
            blank if blank.is_whitespace() => {}
            other => {
                let mut text = String::from(other);
                while let Some(next) =
                    characters.next_if(|next| !next.is_whitespace() && !matches!(next, ';' | '(' | ')' | '"'))
                {
                    text.push(next);
                }
                line.words.push(Word { text, quoted: false });
            }
        }
    }
    Ok(())
}

struct Reader<'z> {
    zone: &'z str,
    origin: String,
    ttl: u32,
    owner: Option<String>,
    proxied: bool,
}

impl Reader<'_> {
    fn line(&mut self, line: &Line) -> Result<Option<Map<String, Value>>, String> {
        let mut words = line.words.as_slice();
        let Some(first) = words.first() else {
            return Ok(None);
        };
        if first.text.starts_with('$') && !first.quoted {
            self.directive(&first.text, words.get(1))?;
            return Ok(None);
        }
        if !line.owner_left_out {
            self.owner = Some(self.absolute(&first.text));
            words = &words[1..];
        }
        let owner = self.owner.clone().ok_or("the first record has no name")?;
        let mut ttl = self.ttl;
        // TTL and class may come in either order.
        while let Some(word) = words.first() {
            if word.text.eq_ignore_ascii_case("IN") {
            } else if let Some(seconds) = seconds(&word.text) {
                ttl = seconds;
            } else {
                break;
            }
            words = &words[1..];
        }
        let (kind, value) = words.split_first().ok_or("the record has no type")?;
        let kind_name = kind.text.to_ascii_uppercase();
        // The platform makes these two itself.
        let at_apex = owner.trim_end_matches('.').eq_ignore_ascii_case(self.zone);
        if kind_name == "SOA" || (kind_name == "NS" && at_apex) {
            return Ok(None);
        }
        let kind: RecordKind = kind_name.parse().map_err(|()| format!("the type `{}` is not known", kind.text))?;
        Ok(Some(self.fields(&owner, ttl, kind, value, &line.comment)?))
    }

    fn fields(
        &self,
        owner: &str,
        ttl: u32,
        kind: RecordKind,
        value: &[Word],
        comment: &str,
    ) -> Result<Map<String, Value>, String> {
        let mut fields = Map::new();
        let mut value = value;
        if matches!(kind, RecordKind::Mx | RecordKind::Uri) {
            let (priority, rest) = value.split_first().ok_or("the priority is missing")?;
            let priority: u16 = priority.text.parse().map_err(|_| "the priority is no number")?;
            fields.insert("priority".into(), priority.into());
            value = rest;
        }
        let content = match kind {
            kind if kind.names_a_host() => self.absolute(&value.first().ok_or("the host is missing")?.text),
            RecordKind::Txt => value
                .iter()
                .map(|word| format!("\"{}\"", word.text.replace('\\', "\\\\").replace('"', "\\\"")))
                .collect::<Vec<_>>()
                .join(" "),
            _ => value.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" "),
        };
        let (comment, tags) = comment.split_once("cf_tags=").unwrap_or((comment, ""));
        let tags: Vec<&str> = tags.split(',').map(str::trim).filter(|tag| !tag.is_empty()).collect();
        let tagged_proxied = tags.contains(&"cf-proxied:true");
        let own_tags: Vec<&str> = tags.into_iter().filter(|tag| !tag.starts_with("cf-")).collect();
        fields.insert("name".into(), owner.into());
        fields.insert("type".into(), kind.as_str().into());
        fields.insert("content".into(), content.into());
        fields.insert("ttl".into(), ttl.into());
        fields.insert("proxied".into(), (kind.proxiable() && (self.proxied || tagged_proxied)).into());
        fields.insert("tags".into(), own_tags.into());
        if !comment.trim().is_empty() {
            fields.insert("comment".into(), comment.trim().into());
        }
        Ok(fields)
    }

    fn directive(&mut self, name: &str, value: Option<&Word>) -> Result<(), String> {
        let value = value.map(|word| word.text.as_str()).unwrap_or_default();
        match name.to_ascii_uppercase().as_str() {
            "$ORIGIN" if value.ends_with('.') => value.clone_into(&mut self.origin),
            "$TTL" => {
                self.ttl = seconds(value).ok_or_else(|| format!("`$TTL {value}` is no time"))?;
            }
            _ => return Err(format!("`{name} {value}` is not taken")),
        }
        Ok(())
    }

    fn absolute(&self, name: &str) -> String {
        if name == "@" {
            self.origin.clone()
        } else if name.ends_with('.') {
            name.to_owned()
        } else if self.origin == "." {
            format!("{name}.")
        } else {
            format!("{name}.{}", self.origin)
        }
    }
}

/// `300`, `5m`, `1h30m`.
fn seconds(text: &str) -> Option<u32> {
    if !text.starts_with(|character: char| character.is_ascii_digit()) {
        return None;
    }
    let mut total = 0_u32;
    let mut number = 0_u32;
    let mut open = false;
    for character in text.chars() {
        if let Some(digit) = character.to_digit(10) {
            number = number.checked_mul(10)?.checked_add(digit)?;
            open = true;
            continue;
        }
        let unit = match character.to_ascii_lowercase() {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return None,
        };
        total = total.checked_add(number.checked_mul(unit)?)?;
        number = 0;
        open = false;
    }
    if open { total.checked_add(number) } else { Some(total) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "$ORIGIN alfredos.site.\n\
        $TTL 5m ; five minutes\n\
        @ IN SOA ada.ns.cloudflare.com. dns.cloudflare.com. ( 1 2\n 3 4 5 )\n\
        @ 300 IN NS ada.ns.cloudflare.com.\n\
        www 120 IN A 198.51.100.1 ; front door cf_tags=cf-proxied:true\n\
        \tIN 1h A 198.51.100.2\n\
        mail IN MX 10 mx.example.org.\n\
        txt TXT \"a;b\" \"c\\\"d\"\n";

    #[test]
    fn a_zone_file_becomes_bodies_of_creations() {
        let records = read(FILE, "alfredos.site", false).unwrap();
        let short: Vec<String> = records
            .iter()
            .map(|fields| format!("{} {} {} {}", fields["name"], fields["ttl"], fields["type"], fields["content"]))
            .collect();
        assert_eq!(
            short,
            [
                r#""www.alfredos.site." 120 "A" "198.51.100.1""#,
                r#""www.alfredos.site." 3600 "A" "198.51.100.2""#,
                r#""mail.alfredos.site." 300 "MX" "mx.example.org.""#,
                r#""txt.alfredos.site." 300 "TXT" "\"a;b\" \"c\\\"d\"""#,
            ]
        );
        assert_eq!(records[0]["proxied"], true);
        assert_eq!(records[0]["comment"], "front door");
        assert_eq!(records[2]["priority"], 10);
    }

    #[test]
    fn what_cannot_be_read_names_its_line() {
        for (file, reason) in [
            ("$INCLUDE /etc/passwd\n", "line 1: `$INCLUDE /etc/passwd` is not taken"),
            ("\n$GENERATE 1-9 a$ A 192.0.2.$\n", "line 2: `$GENERATE 1-9` is not taken"),
            ("a A 192.0.2.1 )\n", "line 1: a parenthesis is closed but not opened"),
            ("a TXT \"open\n", "line 1: a quotation is not closed"),
            ("a NOPE x\n", "line 1: the type `NOPE` is not known"),
            ("a IN ( A\n", "a parenthesis is not closed"),
        ] {
            assert_eq!(read(file, "alfredos.site", false).unwrap_err(), reason);
        }
    }

    #[test]
    fn times_have_units_and_do_not_overflow() {
        assert_eq!(seconds("1h30m"), Some(5_400));
        assert_eq!(seconds("300"), Some(300));
        assert_eq!(seconds("99999999999"), None);
        assert_eq!(seconds("9999999w"), None);
        assert_eq!(seconds("A"), None);
    }
}
