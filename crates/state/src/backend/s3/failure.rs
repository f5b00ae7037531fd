//! What a failed request means.
//!
//! The client keeps the status and the body of an answer only in words, so they are read from there; the tests hold this
//! against the client's version.

use std::error::Error as _;

use object_store::Error;

/// What a request came to that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// There is no such object.
    Missing,
    /// There is one already, or somebody else is just writing it.
    Exists,
    /// It will be refused again. Says why, and what to do.
    Refused(String),
    /// Another try may succeed. Says what happened.
    Temporary(String),
}

/// Longest words that are repeated of an answer.
const WORDS_MAX: usize = 200;

impl Failure {
    pub(super) fn of(error: &Error, bucket: &str) -> Self {
        let words = chain(error);
        let code = code(&words).unwrap_or("");
        match (error, status(&words)) {
            _ if code == "NoSuchBucket" => {
                Self::Refused(format!("there is no bucket `{bucket}`: create it, or correct its name"))
            }
            (Error::NotFound { .. }, _) | (_, Some(404)) => Self::Missing,
            (Error::AlreadyExists { .. } | Error::Precondition { .. } | Error::NotModified { .. }, _)
            | (_, Some(409 | 412)) => Self::Exists,
            (_, Some(status @ (401 | 403))) => Self::Refused(match code {
                "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "Unauthorized" => {
                    format!("it does not know this access key, or its secret is another ({code}): check both")
                }
                "RequestTimeTooSkewed" => "this machine's clock is wrong (RequestTimeTooSkewed): set it".to_owned(),
                "" => format!("the access key may not do this (status {status}): it needs to read and write objects"),
                code => {
                    format!("the access key may not do this ({code}): it needs to read and write objects of `{bucket}`")
                }
            }),
            (_, Some(status @ (408 | 429))) => {
                Self::Temporary(format!("it asks to be asked more slowly (status {status})"))
            }
            (_, Some(status)) if status >= 500 => Self::Temporary(format!("it answered with status {status} {code}")),
            (_, Some(status)) => Self::Refused(format!("it answered with status {status} {code}: check the address")),
            (_, None) => Self::Temporary(shortened(&words)),
        }
    }
}

/// The messages of an error and of what caused it, each once.
fn chain(error: &Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let next = error.to_string();
        if !words.contains(&next) {
            words.push_str(": ");
            words.push_str(&next);
        }
        source = error.source();
    }
    words
}

fn status(words: &str) -> Option<u16> {
    let (_, rest) = words.split_once("status code: ")?;
    rest.get(..3)?.parse().ok()
}

/// The `Code` of S3's XML.
fn code(words: &str) -> Option<&str> {
    let (_, rest) = words.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    (code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric())).then_some(code)
}

fn shortened(words: &str) -> String {
    let shown: String = words.chars().filter(|character| !character.is_control()).take(WORDS_MAX).collect();
    if shown.len() < words.len() { shown + "…" } else { shown }
}
