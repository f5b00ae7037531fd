//! Checks one public SSH key as a line of `authorized_keys`, without options.
//!
//! Options are refused because they are code: `command="…"` runs on each login. The rest is checked to its last byte,
//! so that a key that was cut when it was copied is found now and not when its owner stands before a locked door.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::KEY_MAX;
use crate::printable::{is_printable, printable};

/// What is wrong with an SSH key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyProblem {
    /// Longer than [`KEY_MAX`].
    #[error("it has {0} bytes, at most {KEY_MAX} are taken")]
    TooLong(usize),
    /// A private key.
    #[error("this is a private key: give the public one, from the file ending in `.pub`, and replace this pair")]
    Private,
    /// More than one line.
    #[error("it has more than one line, or a line break at its end: give each key as one line")]
    LineBreak,
    /// A character that nobody sees or that a terminal acts on.
    #[error("it contains the invisible character U+{:04X}: remove it", u32::from(*.0))]
    Character(char),
    /// Something before the key's type.
    #[error("options before the key are not taken: begin with the key's type, such as `ssh-ed25519`")]
    Options,
    /// A type that is unknown, or that OpenSSH no longer takes.
    #[error("`{0}` is no key type that is taken; make a key with `ssh-keygen -t ed25519`")]
    Type(String),
    /// The part after the type is missing or is no base64.
    #[error("what follows the type is no base64: copy the whole line of the `.pub` file")]
    Base64,
    /// The base64 holds a key of another type.
    #[error("it says `{0}`, but it holds another type of key: copy the whole line of the `.pub` file")]
    OtherType(&'static str),
    /// It ends too early, or goes on after its end, or holds numbers that cannot be right.
    #[error("it is cut or damaged: copy the whole line of the `.pub` file")]
    Damaged,
}

/// What stands in one part of a key.
#[derive(Clone, Copy)]
enum Part {
    /// Just this.
    Text(&'static str),
    /// So many bytes.
    Exactly(usize),
    /// So many bytes, or more.
    AtLeast(usize),
}

/// The types that are taken and the parts that follow the type's name inside the base64: RFC 4253 §6.6 (`ssh-rsa`;
/// OpenSSH takes none below 1,024 bits), RFC 5656 §3.1 (`ecdsa-…`), RFC 8709 §4 (`ssh-ed25519`) and
/// <https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.u2f> (`sk-…`).
const TYPES: &[(&str, &[Part])] = &[
    ("ssh-ed25519", &[Part::Exactly(32)]),
    ("ssh-rsa", &[Part::AtLeast(1), Part::AtLeast(128)]),
    ("ecdsa-sha2-nistp256", &[Part::Text("nistp256"), Part::Exactly(65)]),
    ("ecdsa-sha2-nistp384", &[Part::Text("nistp384"), Part::Exactly(97)]),
    ("ecdsa-sha2-nistp521", &[Part::Text("nistp521"), Part::Exactly(133)]),
    ("sk-ssh-ed25519@openssh.com", &[Part::Exactly(32), Part::AtLeast(1)]),
    ("sk-ecdsa-sha2-nistp256@openssh.com", &[Part::Text("nistp256"), Part::Exactly(65), Part::AtLeast(1)]),
];

/// Whether `line` is a public key without options, with or without a comment.
pub(super) fn check(line: &str) -> Result<(), KeyProblem> {
    if line.len() > KEY_MAX {
        return Err(KeyProblem::TooLong(line.len()));
    }
    if line.contains("PRIVATE KEY") {
        return Err(KeyProblem::Private);
    }
    if line.contains(['\n', '\r']) {
        return Err(KeyProblem::LineBreak);
    }
    if let Some(bad) = line.chars().find(|character| !is_printable(*character)) {
        return Err(KeyProblem::Character(bad));
    }
    let mut words = line.splitn(3, ' ');
    let name = words.next().unwrap_or_default();
    let Some(&(name, parts)) = TYPES.iter().find(|(known, _)| *known == name) else {
        let is_type = |word: &str| TYPES.iter().any(|(known, _)| *known == word);
        let has_options = name.contains('=') || line.split([' ', '"', ',']).any(is_type);
        return Err(if has_options { KeyProblem::Options } else { KeyProblem::Type(printable(name, 32)) });
    };
    let body = STANDARD.decode(words.next().unwrap_or_default()).map_err(|_| KeyProblem::Base64)?;
    check_body(name, parts, &body)
}

fn check_body(name: &'static str, parts: &[Part], body: &[u8]) -> Result<(), KeyProblem> {
    if body.is_empty() {
        return Err(KeyProblem::Base64);
    }
    let (found, mut rest) = take(body).ok_or(KeyProblem::Damaged)?;
    if found != name.as_bytes() {
        return Err(KeyProblem::OtherType(name));
    }
    for part in parts {
        let (found, after) = take(rest).ok_or(KeyProblem::Damaged)?;
        let fits = match *part {
            Part::Text(text) => found == text.as_bytes(),
            Part::Exactly(length) => found.len() == length,
            Part::AtLeast(length) => found.len() >= length,
        };
        if !fits {
            return Err(KeyProblem::Damaged);
        }
        rest = after;
    }
    if rest.is_empty() { Ok(()) } else { Err(KeyProblem::Damaged) }
}

/// One string as SSH writes it: four bytes of length, then so many bytes (RFC 4251 §5).
fn take(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}
