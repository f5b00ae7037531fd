//! What there is to say of a token: each finding one line, with what to do about it.
//!
//! Pure: answers of Cloudflare and the time in, words out. The words stand the same in `alfred token check`, at the
//! start of `alfred up` and in its log.

use alfred_model::failure::Disposition;
use alfred_model::id::ZoneId;
use alfred_providers::ProviderError;
use alfred_providers::cloudflare::{MayEdit, TokenStatus, VisibleZones};
use alfred_providers::error::ErrorKind;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

/// A token that ends sooner than this is warned of.
const ENDS_SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

/// A value that is older than this is warned of: two weeks before it is 90 days old.
const OLD: SignedDuration = SignedDuration::from_hours(76 * 24);

/// Most zones that are named in a line.
const ZONES_NAMED: usize = 5;

const DASHBOARD: &str = "https://dash.cloudflare.com/profile/api-tokens";

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Level {
    /// As it should be.
    Ok,
    /// It works, and should be mended.
    Warning,
    /// It does not work.
    Problem,
    /// Cloudflare did not say for the moment.
    Unknown,
}

impl Level {
    /// The word in front of a line.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Problem => "problem",
            Self::Unknown => "unknown",
        }
    }
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// What was looked at: `status`, `end`, `age`, `edit`, `zones` or `tokens`.
    pub(crate) check: &'static str,
    /// How bad it is.
    pub(crate) level: Level,
    /// What was found.
    pub(crate) words: String,
    /// What to do about it.
    pub(crate) mend: Option<String>,
}

impl Finding {
    fn ok(check: &'static str, words: impl Into<String>) -> Self {
        Self { check, level: Level::Ok, words: words.into(), mend: None }
    }

    fn bad(check: &'static str, level: Level, words: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { check, level, words: words.into(), mend: Some(mend.into()) }
    }

    /// What could not be asked, or a problem, if it was refused for good.
    fn failed(check: &'static str, error: &ProviderError) -> Self {
        if error.disposition != Disposition::Definite {
            let words = format!("`CLOUDFLARE_API_TOKEN` cannot be checked now: {}", error.words);
            return Self { check, level: Level::Unknown, words, mend: None };
        }
        // Where the permission is missing, the client's own words already say which.
        let mend =
            (error.kind != ErrorKind::Permission).then(|| format!("check its value, or make a new one at {DASHBOARD}"));
        let words = format!("`CLOUDFLARE_API_TOKEN` does not work: {}", error.words);
        Self { check, level: Level::Problem, words, mend }
    }

    /// The line, with what to do at its end.
    pub(crate) fn line(&self) -> String {
        match &self.mend {
            Some(mend) => format!("{}: {mend}", self.words),
            None => self.words.clone(),
        }
    }
}

/// Whether it is active.
pub(crate) fn status(answer: &Result<TokenStatus, ProviderError>) -> Finding {
    match answer {
        Ok(token) if token.status == "active" => {
            Finding::ok("status", format!("the token `{}` in `CLOUDFLARE_API_TOKEN` is active", token.id))
        }
        Ok(token) => {
            let words = format!("the token `{}` in `CLOUDFLARE_API_TOKEN` is {}", token.id, token.status);
            Finding::bad("status", Level::Problem, words, format!("make a new one at {DASHBOARD}"))
        }
        Err(error) => Finding::failed("status", error),
    }
}

/// When it ends.
pub(crate) fn end(expires_on: Option<Timestamp>, now: Timestamp) -> Finding {
    let Some(end) = expires_on else { return Finding::ok("end", "the token has no end") };
    let left = end.duration_since(now);
    let mend = format!("give it a later end at {DASHBOARD}; a new value does not change when it ends");
    let day = end.strftime("%Y-%m-%d");
    if left <= SignedDuration::ZERO {
        Finding::bad("end", Level::Problem, format!("the token ended on {day}"), mend)
    } else if left < ENDS_SOON {
        Finding::bad("end", Level::Warning, format!("the token ends on {day}, in {}", days(left)), mend)
    } else {
        Finding::ok("end", format!("the token ends on {day}, in {}", days(left)))
    }
}

/// How old its value is, as far as this data directory remembers: Cloudflare does not tell.
pub(crate) fn age(first_seen: Option<Timestamp>, now: Timestamp) -> Finding {
    let Some(first_seen) = first_seen else {
        let words = "the age of the token's value is not known";
        return Finding { check: "age", level: Level::Unknown, words: words.to_owned(), mend: None };
    };
    let age = now.duration_since(first_seen).max(SignedDuration::ZERO);
    let words = format!("the token's value was first seen here {} ago", days(age));
    if age > OLD {
        let mend = "run `alfred token rotate` before it is 90 days old";
        Finding::bad("age", Level::Warning, words, mend)
    } else {
        Finding::ok("age", words)
    }
}

/// Whether it may edit the zone.
pub(crate) fn edit(answer: &Result<MayEdit, ProviderError>, zone: &str) -> Finding {
    match answer {
        Ok(MayEdit::Yes) => Finding::ok("edit", format!("the token may edit the zone `{zone}`")),
        Ok(MayEdit::No(words)) => {
            let words = format!("the token in `CLOUDFLARE_API_TOKEN` may not edit the zone `{zone}`: {words}");
            Finding::bad("edit", Level::Problem, words, format!("give it `DNS Write` on the zone at {DASHBOARD}"))
        }
        Err(error) => Finding::failed("edit", error),
    }
}

/// Whether it sees zones that are not configured.
pub(crate) fn zones(answer: &Result<VisibleZones, ProviderError>, configured: &[ZoneId]) -> Finding {
    let seen = match answer {
        Ok(seen) => seen,
        // A token with `DNS Write` alone need not be let into the list at all.
        Err(error) if error.disposition == Disposition::Definite => {
            return Finding::ok("zones", "the token may not list zones");
        }
        Err(error) => return Finding::failed("zones", error),
    };
    let others: Vec<&str> =
        seen.zones.iter().filter(|zone| !configured.contains(&zone.id)).map(|zone| zone.name.as_str()).collect();
    let unnamed = seen.total.unwrap_or_default().saturating_sub(u64::try_from(seen.zones.len()).unwrap_or(u64::MAX));
    if others.is_empty() && unnamed == 0 {
        return Finding::ok("zones", "the token sees no zone but those that are configured");
    }
    let count = u64::try_from(others.len()).unwrap_or(u64::MAX).saturating_add(unnamed);
    let named: Vec<String> = others.iter().take(ZONES_NAMED).map(|name| format!("`{name}`")).collect();
    let more = if count > u64::try_from(named.len()).unwrap_or(u64::MAX) { " and others" } else { "" };
    let plural = if count == 1 { "zone that is" } else { "zones that are" };
    let words = format!("the token sees {count} {plural} not configured: {}{more}", named.join(", "));
    Finding::bad("zones", Level::Warning, words, format!("limit it to the zone it is for at {DASHBOARD}"))
}

/// Whether it may read API tokens.
pub(crate) fn tokens(answer: &Result<bool, ProviderError>) -> Finding {
    match answer {
        Ok(false) => Finding::ok("tokens", "the token may not read API tokens"),
        Ok(true) => {
            let words = "the token may read API tokens, and perhaps make and change them";
            let mend = format!(
                "take `API Tokens` from its permissions at {DASHBOARD}; a token of its own in \
                 `CLOUDFLARE_TOKEN_MANAGER` is enough for `alfred token rotate`"
            );
            Finding::bad("tokens", Level::Warning, words, mend)
        }
        Err(error) => Finding::failed("tokens", error),
    }
}

fn days(span: SignedDuration) -> String {
    match span.as_hours() / 24 {
        0 => format!("{} hours", span.as_hours()),
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    }
}

#[cfg(test)]
mod tests;
