//! Fault rules as one line: `POST /v1/compute/instances lost-after count=1`.
//!
//! Words in any order. Which calls: an HTTP method, a path (begins with `/`), a service (`cloudflare`,
//! `contabo`, `r2`) or a call's stable name (has a dot), the last two with `*` for any characters. What: `lost-before`, `lost-after`, `cut-body`,
//! `status=N [retry-after=S] [body=TEXT] [after]`, `html[=N] [after]`, `delay=MS [after]`, `stuck=STATUS [instance=N]`.
//! When: `nth=N`, `count=N`, `probability=P [seed=N]`.

use std::{fmt, str::FromStr};

use super::rule::{Fault, Rule};
use crate::journal::Service;

const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

/// Why a line is no fault rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// A word that means nothing.
    #[error("`{0}` is no part of a fault rule; write for example `POST /v1/compute/instances lost-after count=1`")]
    Word(String),
    /// A word whose value is not what it must be.
    #[error("`{0}` needs a number in its bounds")]
    Number(String),
    /// Nothing goes wrong.
    #[error("the rule names no fault; add one, for example `lost-after` or `status=500`")]
    NoFault,
    /// More than one thing goes wrong.
    #[error("the rule names two faults, `{0}` is the second; write two rules")]
    SecondFault(String),
}

/// The parts of a fault that are words of their own.
#[derive(Default)]
struct Details {
    retry_after: Option<u64>,
    body: Option<String>,
    after: bool,
    instance: Option<i64>,
}

impl FromStr for Rule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let mut fault = None;
        let mut details = Details::default();
        let mut rule = Self::new(Fault::LostBefore);
        for word in text.split_whitespace() {
            if let Some(found) = fault_word(word)? {
                if fault.replace(found).is_some() {
                    return Err(RuleError::SecondFault(word.to_owned()));
                }
            } else if !detail_word(word, &mut details)? && !rule.when_word(word)? && !rule.which_word(word) {
                return Err(RuleError::Word(word.to_owned()));
            }
        }
        rule.fault = fault.ok_or(RuleError::NoFault)?;
        match &mut rule.fault {
            Fault::Status { retry_after, body, after, .. } => {
                *retry_after = details.retry_after;
                *body = details.body;
                *after = details.after;
            }
            Fault::Delay { after, .. } | Fault::Html { after, .. } => *after = details.after,
            Fault::Stuck { instance, .. } => *instance = details.instance,
            Fault::LostBefore | Fault::LostAfter | Fault::CutBody => {}
        }
        Ok(rule)
    }
}

fn number<T: FromStr>(word: &str, value: &str) -> Result<T, RuleError> {
    value.parse().map_err(|_| RuleError::Number(word.to_owned()))
}

fn status(word: &str, value: &str) -> Result<u16, RuleError> {
    number::<u16>(word, value)
        .ok()
        .filter(|status| (200..600).contains(status))
        .ok_or_else(|| RuleError::Number(word.to_owned()))
}

fn fault_word(word: &str) -> Result<Option<Fault>, RuleError> {
    let (key, value) = word.split_once('=').unwrap_or((word, ""));
    Ok(Some(match (key, value) {
        ("lost-before", "") => Fault::LostBefore,
        ("lost-after", "") => Fault::LostAfter,
        ("cut-body", "") => Fault::CutBody,
        ("html", "") => Fault::Html { status: 502, after: false },
        ("html", value) => Fault::Html { status: status(word, value)?, after: false },
        ("status", value) => {
            Fault::Status { status: status(word, value)?, retry_after: None, body: None, after: false }
        }
        ("delay", value) => Fault::Delay { ms: number(word, value.strip_suffix("ms").unwrap_or(value))?, after: false },
        ("stuck", value) if !value.is_empty() => Fault::Stuck { status: value.to_owned(), instance: None },
        _ => return Ok(None),
    }))
}

fn detail_word(word: &str, details: &mut Details) -> Result<bool, RuleError> {
    match word.split_once('=').unwrap_or((word, "")) {
        ("after", "") => details.after = true,
        ("before", "") => details.after = false,
        ("retry-after", value) => details.retry_after = Some(number(word, value)?),
        ("body", value) => details.body = Some(value.to_owned()),
        ("instance", value) => details.instance = Some(number(word, value)?),
        _ => return Ok(false),
    }
    Ok(true)
}

impl Rule {
    fn when_word(&mut self, word: &str) -> Result<bool, RuleError> {
        match word.split_once('=').unwrap_or((word, "")) {
            ("nth", value) => {
                let nth: u64 = number(word, value)?;
                if nth == 0 {
                    return Err(RuleError::Number(word.to_owned()));
                }
                self.nth = Some(nth);
            }
            ("count", value) => self.count = Some(number(word, value)?),
            ("seed", value) => self.seed = number(word, value)?,
            ("probability", value) => {
                let probability: f64 = number(word, value)?;
                if !(0.0..=1.0).contains(&probability) {
                    return Err(RuleError::Number(word.to_owned()));
                }
                self.probability = Some(probability);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn which_word(&mut self, word: &str) -> bool {
        if METHODS.contains(&word) {
            self.method = Some(word.to_owned());
        } else if word.starts_with('/') {
            self.path = Some(word.to_owned());
        } else if word == "cloudflare" {
            self.service = Some(Service::Cloudflare);
        } else if word == "contabo" {
            self.service = Some(Service::Contabo);
        } else if word == "r2" {
            self.service = Some(Service::R2);
        } else if word == "*" {
            self.route = None;
        } else if !word.contains('=') && (word.contains('.') || word.contains('*')) {
            self.route = Some(word.to_owned());
        } else {
            return false;
        }
        true
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.service {
            Some(Service::Cloudflare) => formatter.write_str("cloudflare ")?,
            Some(Service::Contabo) => formatter.write_str("contabo ")?,
            Some(Service::R2) => formatter.write_str("r2 ")?,
            Some(Service::Other) | None => {}
        }
        for text in [&self.method, &self.path, &self.route].into_iter().flatten() {
            write!(formatter, "{text} ")?;
        }
        write!(formatter, "{}", self.fault)?;
        if let Some(nth) = self.nth {
            write!(formatter, " nth={nth}")?;
        }
        if let Some(count) = self.count {
            write!(formatter, " count={count}")?;
        }
        if let Some(probability) = self.probability {
            write!(formatter, " probability={probability} seed={}", self.seed)?;
        }
        Ok(())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let after = |after: &bool| if *after { " after" } else { "" };
        match self {
            Self::LostBefore => formatter.write_str("lost-before"),
            Self::LostAfter => formatter.write_str("lost-after"),
            Self::CutBody => formatter.write_str("cut-body"),
            Self::Html { status, after: carried_out } => write!(formatter, "html={status}{}", after(carried_out)),
            Self::Delay { ms, after: carried_out } => write!(formatter, "delay={ms}{}", after(carried_out)),
            Self::Status { status, retry_after, body, after: carried_out } => {
                write!(formatter, "status={status}{}", after(carried_out))?;
                if let Some(seconds) = retry_after {
                    write!(formatter, " retry-after={seconds}")?;
                }
                match body {
                    Some(body) => write!(formatter, " body={body}"),
                    None => Ok(()),
                }
            }
            Self::Stuck { status, instance } => {
                write!(formatter, "stuck={status}")?;
                match instance {
                    Some(instance) => write!(formatter, " instance={instance}"),
                    None => Ok(()),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_and_written_back() {
        for line in [
            "POST /v1/compute/instances lost-after count=1",
            "cloudflare.records.batch status=429 retry-after=3 nth=2",
            "contabo GET status=500 after body=oops",
            "r2 PUT status=503",
            "r2.objects.put lost-after nth=2",
            "delay=200 after probability=0.25 seed=7",
            "cloudflare *list* html=503",
            "cut-body",
            "stuck=provisioning instance=101",
        ] {
            assert_eq!(line.parse::<Rule>().unwrap().to_string(), line);
        }
        assert_eq!("delay=20ms *".parse::<Rule>().unwrap().to_string(), "delay=20");
    }

    #[test]
    fn other_lines_are_refused_with_their_word() {
        for (line, error) in [
            ("", RuleError::NoFault),
            ("POST", RuleError::NoFault),
            ("lost-afterwards", RuleError::Word("lost-afterwards".into())),
            ("status=abc", RuleError::Number("status=abc".into())),
            ("status=42", RuleError::Number("status=42".into())),
            ("html nth=0", RuleError::Number("nth=0".into())),
            ("html probability=2", RuleError::Number("probability=2".into())),
            ("html cut-body", RuleError::SecondFault("cut-body".into())),
            ("html colour=red", RuleError::Word("colour=red".into())),
        ] {
            assert_eq!(line.parse::<Rule>().unwrap_err(), error, "{line}");
        }
    }
}
