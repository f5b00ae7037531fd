//! `alfred state mirror` and `alfred state switch`: the two stores of states.

use alfred_model::seam::Clock as _;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Context, confirm};
use crate::cli::StateSwitchArguments;
use crate::error::{Exit, Failure, one_line};
use crate::system::SystemClock;
use crate::table;
use crate::ttl::Ttl;

const PATH: &str = "/v1/state-mirror";

/// So far are the values indented.
const INDENT: usize = 12;

/// What the server says of two stores, as far as it is shown here.
#[derive(Debug, Deserialize)]
struct Mirror {
    primary: String,
    secondary: String,
    behind: Option<Behind>,
    switching_since: Option<Timestamp>,
    trial_until: Option<Timestamp>,
    switched: Option<Switched>,
}

#[derive(Debug, Deserialize)]
struct Behind {
    since: Timestamp,
    words: String,
    loss: String,
    states: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Switched {
    at: Timestamp,
    by: String,
    words: String,
}

/// Shows the two stores.
pub(super) async fn show(context: &Context) -> Result<Exit, Failure> {
    let (document, mirror) = read(context.client()?.get(PATH).await?)?;
    print(context, &document, &mirror)
}

/// Makes them change places.
pub(super) async fn switch(context: &Context, arguments: &StateSwitchArguments) -> Result<Exit, Failure> {
    let StateSwitchArguments { trial, max_errors, max_latency, without_old, accept_loss, yes } = arguments;
    let client = context.client()?;
    let (_, mirror) = read(client.get(PATH).await?)?;
    confirm(
        context,
        *yes,
        &format!("keep states in {} from now on, and no longer in {}", mirror.secondary, mirror.primary),
    )?;
    let seconds = |trial: &Ttl| match trial.0 {
        Some(length) => u32::try_from(length.as_secs()).map_err(|_| Failure::usage("the trial is too long")),
        None => Err(Failure::usage("a trial needs an end")),
    };
    let trial = trial.as_ref().map(seconds).transpose()?.map(|seconds| {
        json!({ "seconds": seconds, "errors_percent_max": max_errors, "latency_milliseconds_max": max_latency })
    });
    let body = json!({ "loss": accept_loss, "without_old": without_old, "trial": trial });
    let (document, mirror) = read(client.post_slowly(&format!("{PATH}/switch"), &body).await?)?;
    print(context, &document, &mirror)
}

fn print(context: &Context, document: &Value, mirror: &Mirror) -> Result<Exit, Failure> {
    if context.printer.json() {
        context.printer.document(document)?;
    } else {
        context.printer.data(told(mirror, SystemClock.now()))?;
    }
    Ok(Exit::Done)
}

/// The answer as it came, for `--json`, and as it is understood here.
fn read(document: Value) -> Result<(Value, Mirror), Failure> {
    let mirror = Mirror::deserialize(&document)
        .map_err(|error| Failure::because("the server's answer cannot be understood", &error))?;
    Ok((document, mirror))
}

fn told(mirror: &Mirror, now: Timestamp) -> String {
    let mut lines = Vec::new();
    let mut line = |label: &str, text: &str| lines.push(table::labelled(label, text, INDENT));
    line("primary", &one_line(&mirror.primary));
    line("secondary", &one_line(&mirror.secondary));
    match &mirror.behind {
        None => line("in step", "the secondary one has everything that was acknowledged"),
        Some(behind) => {
            let since = table::elapsed(now.duration_since(behind.since));
            line("behind", &format!("for {since}: {}", one_line(&behind.words)));
            let states = if behind.states.is_empty() { "any".to_owned() } else { behind.states.join(", ") };
            line("of states", &one_line(&states));
            line("loss", &format!("`{}`, if they changed places now", one_line(&behind.loss)));
        }
    }
    if let Some(since) = mirror.switching_since {
        line("switching", &format!("for {}", table::elapsed(now.duration_since(since))));
    }
    if let Some(until) = mirror.trial_until {
        line("trial", &format!("until {} UTC", table::minute(until)));
    }
    if let Some(switched) = &mirror.switched {
        let Switched { at, by, words } = switched;
        line("switched", &format!("{} UTC by {}: {}", table::minute(*at), one_line(by), one_line(words)));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_stores_are_told_with_what_is_missing() {
        let now = "2026-11-22T08:00:00Z".parse().unwrap();
        let mut mirror = Mirror {
            primary: "r2 states".to_owned(),
            secondary: "folder /var/lib/alfred/states".to_owned(),
            behind: None,
            switching_since: None,
            trial_until: Some(now),
            switched: Some(Switched { at: now, by: "root".to_owned(), words: "asked for".to_owned() }),
        };
        assert_eq!(
            told(&mirror, now),
            "primary     r2 states\nsecondary   folder /var/lib/alfred/states\n\
             in step     the secondary one has everything that was acknowledged\ntrial       until 2026-11-22 08:00 UTC\n\
             switched    2026-11-22 08:00 UTC by root: asked for"
        );
        mirror.behind = Some(Behind {
            since: "2026-11-22T07:58:00Z".parse().unwrap(),
            words: "the disk is full".to_owned(),
            loss: "2-states".to_owned(),
            states: vec!["a".to_owned(), "b".to_owned()],
        });
        let behind = told(&mirror, now);
        assert!(
            behind.contains("behind      for 2m: the disk is full\nof states   a, b\nloss        `2-states`"),
            "{behind}"
        );
    }
}
