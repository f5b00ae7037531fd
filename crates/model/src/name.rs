//! Names: the slug of an environment and the DNS names made from it.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest slug: a DNS label holds 63 octets (RFC 1035 §2.3.4), and the VM's display name adds a prefix.
pub const SLUG_MAX: usize = 50;

/// Names that would mislead people or clash with what zones commonly hold.
const RESERVED: &[&str] = &[
    "admin",
    "alfred",
    "api",
    "app",
    "autoconfig",
    "autodiscover",
    "billing",
    "blog",
    "cdn",
    "cloud",
    "console",
    "dashboard",
    "dns",
    "docs",
    "edge",
    "ftp",
    "git",
    "grafana",
    "help",
    "imap",
    "internal",
    "localhost",
    "login",
    "mail",
    "metrics",
    "mx",
    "nats",
    "ns",
    "ns1",
    "ns2",
    "ns3",
    "ns4",
    "pool",
    "pop",
    "pop3",
    "root",
    "sftp",
    "smtp",
    "ssh",
    "sso",
    "staging",
    "static",
    "status",
    "support",
    "system",
    "test",
    "vpn",
    "web",
    "webmail",
    "wpad",
    "www",
];

/// Word parts that no name of ours carries, whoever chose it. Matched against whole hyphen-separated words.
const OFFENSIVE: &[&str] = &[
    "anal",
    "anus",
    "arse",
    "arsehole",
    "ass",
    "asshole",
    "bastard",
    "bellend",
    "bitch",
    "bitches",
    "bollocks",
    "boob",
    "boobs",
    "booby",
    "bugger",
    "butt",
    "chink",
    "chinks",
    "clit",
    "cock",
    "cocks",
    "cocksucker",
    "coon",
    "coons",
    "crap",
    "cum",
    "cunt",
    "cunts",
    "damn",
    "darkie",
    "dick",
    "dickhead",
    "dicks",
    "dildo",
    "douche",
    "dyke",
    "dykes",
    "erotic",
    "fag",
    "faggot",
    "faggots",
    "fags",
    "fuck",
    "fucked",
    "fucker",
    "fuckers",
    "fucking",
    "fuhrer",
    "genocide",
    "gestapo",
    "goddamn",
    "golliwog",
    "gook",
    "hitler",
    "holocaust",
    "homo",
    "hooker",
    "horny",
    "incest",
    "isis",
    "jap",
    "jerkoff",
    "jewboy",
    "jihad",
    "jizz",
    "kike",
    "kikes",
    "kkk",
    "lesbo",
    "milf",
    "molest",
    "motherfucker",
    "nazi",
    "nazis",
    "negro",
    "negroes",
    "nigga",
    "nigger",
    "niggers",
    "nonce",
    "nude",
    "nudes",
    "orgasm",
    "orgy",
    "paedo",
    "paedophile",
    "paki",
    "pedo",
    "pedophile",
    "penis",
    "pikey",
    "pimp",
    "piss",
    "pissed",
    "pisser",
    "polack",
    "poo",
    "poof",
    "poop",
    "porn",
    "porno",
    "prick",
    "pricks",
    "pussies",
    "pussy",
    "queer",
    "rape",
    "raped",
    "raping",
    "rapist",
    "rapists",
    "retard",
    "retarded",
    "scat",
    "schlong",
    "semen",
    "sex",
    "sexual",
    "sexy",
    "shit",
    "shite",
    "shits",
    "shitty",
    "skank",
    "slag",
    "slave",
    "slaves",
    "slut",
    "sluts",
    "spastic",
    "spaz",
    "sperm",
    "spic",
    "strumpet",
    "suicidal",
    "tard",
    "terrorist",
    "testicle",
    "tit",
    "tits",
    "titty",
    "towelhead",
    "trannies",
    "tranny",
    "turd",
    "turds",
    "twat",
    "twats",
    "vagina",
    "wank",
    "wanker",
    "wanking",
    "wetback",
    "whore",
    "whores",
    "wog",
    "wogs",
    "xxx",
];

/// Why a text is no slug.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSlug {
    /// Nothing there.
    #[error("a slug must not be empty")]
    Empty,
    /// Too long.
    #[error("a slug has at most {SLUG_MAX} characters, this one has {0}")]
    TooLong(usize),
    /// A character that a DNS label of ours does not have.
    #[error("a slug is made of a-z, 0-9 and `-`; `{0}` is none of these")]
    Character(char),
    /// A hyphen at the edge, or in the third and fourth place, which is kept for encoded names (RFC 5890).
    #[error("a slug must not begin or end with `-`, nor have `--` in its third and fourth place")]
    Hyphen,
    /// Kept for other uses.
    #[error("the slug `{0}` is reserved, choose another")]
    Reserved(String),
    /// Not a word we put before people.
    #[error("the slug `{0}` contains a word that is not allowed, choose another")]
    Offensive(String),
}

/// The name of an environment: one lower-case DNS label such as `brave-tiger`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Slug(String);

impl Slug {
    /// The slug as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Slug {
    type Err = BadSlug;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err(BadSlug::Empty);
        }
        if let Some(bad) = text.chars().find(|character| !matches!(character, 'a'..='z' | '0'..='9' | '-')) {
            return Err(BadSlug::Character(bad));
        }
        if text.len() > SLUG_MAX {
            return Err(BadSlug::TooLong(text.len()));
        }
        if text.starts_with('-') || text.ends_with('-') || text.get(2..4) == Some("--") {
            return Err(BadSlug::Hyphen);
        }
        if RESERVED.contains(&text) {
            return Err(BadSlug::Reserved(text.to_owned()));
        }
        if text.split('-').any(|word| OFFENSIVE.contains(&word)) {
            return Err(BadSlug::Offensive(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for Slug {
    type Error = BadSlug;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Slug> for String {
    fn from(slug: Slug) -> Self {
        slug.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

/// Why a text is no domain name of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadDomain {
    /// Not a DNS name as RFC 1035 has it.
    #[error("`{0}` is no DNS name: labels of 1 to 63 of a-z, 0-9, `_` and `-`, at most 253 characters in all")]
    Syntax(String),
    /// It has no dot.
    #[error("`{0}` is a single label, a zone has at least two, such as `example.com`")]
    SingleLabel(String),
}

/// A DNS name without the final dot, in lower case, ASCII only (Unicode names come as Punycode).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DomainName(String);

impl DomainName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of an environment in the zone called by this name.
    pub fn environment(&self, slug: &Slug) -> Result<Self, BadDomain> {
        format!("{slug}.{self}").parse()
    }

    /// Whether this name is below `zone`; the apex is not.
    pub fn is_below(&self, zone: &Self) -> bool {
        is_below(&self.0, zone)
    }
}

/// The name that `text` stands for, as [`DomainName`] writes it; borrowed where `text` is written so already.
pub(crate) fn canonical(text: &str) -> Option<Cow<'_, str>> {
    if has_syntax(text) && text.contains('.') {
        return Some(Cow::Borrowed(text));
    }
    text.parse().ok().map(|DomainName(name)| Cow::Owned(name))
}

/// Whether a name that is written as [`DomainName`] writes it is below `zone`.
pub(crate) fn is_below(name: &str, zone: &DomainName) -> bool {
    name.strip_suffix(zone.as_str()).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
}

/// Whether it is labels of a DNS name of ours in lower case with dots between.
fn has_syntax(name: &str) -> bool {
    let label_fits = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(label_fits)
}

impl FromStr for DomainName {
    type Err = BadDomain;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        if !has_syntax(&name) {
            return Err(BadDomain::Syntax(text.chars().take(80).collect()));
        }
        if !name.contains('.') {
            return Err(BadDomain::SingleLabel(name));
        }
        Ok(Self(name))
    }
}

impl TryFrom<String> for DomainName {
    type Error = BadDomain;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<DomainName> for String {
    fn from(name: DomainName) -> Self {
        name.0
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

#[cfg(test)]
mod tests;
