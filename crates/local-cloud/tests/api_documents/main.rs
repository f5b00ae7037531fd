//! The providers' own API documents against what our clients send and what the local cloud answers.
//!
//! The documents are the providers' and are not part of this repository: the test reads `contabo-instances.yaml` and
//! `cloudflare-dns.json`, OpenAPI documents of Contabo's compute API and Cloudflare's DNS API, from the folder that
//! `ALFRED_API_DOCS` names. Where it is not set, the test says that it could not run, in a line that
//! `cargo xtask test` counts. The checker has tests of its own, which need no document.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test ends where something is not as it must be")]

mod check;
mod clients;
mod deviations;
mod document;
mod recorder;
mod routes;
mod schema;
mod stage;
mod strangers;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;

use alfred_providers::contabo::RequestId;

use check::{Half, Kind, Violation, check};
use deviations::Known;
use document::Document;
use recorder::Exchange;
use stage::Stage;

/// Everything that clients and strangers ask, with its answers, and a proof that nothing was left out.
async fn exchanges() -> Vec<Exchange> {
    let stage = Stage::new();
    clients::run(&stage).await;
    let called: BTreeSet<String> = stage.counts.snapshot().into_keys().map(|(_, route)| route.to_owned()).collect();
    same(&called, &routes::of_clients(), "the clients' calls");
    strangers::run(&stage).await;
    let answered = stage.cloud.journal().count_by_route();
    let answered: BTreeSet<String> = answered.into_keys().filter(|name| !name.is_empty()).map(Into::into).collect();
    same(&answered, &routes::of_cloud(), "the local cloud's calls");
    stage.recorder.exchanges()
}

/// What was tried is what there is, no less and no more.
fn same(tried: &BTreeSet<String>, known: &BTreeSet<String>, what: &str) {
    let (missing, strange): (Vec<_>, Vec<_>) = (known.difference(tried).collect(), tried.difference(known).collect());
    assert!(missing.is_empty(), "of {what}, these were not tried; add them to this test: {missing:?}");
    assert!(strange.is_empty(), "of {what}, these were tried and not found in the code: {strange:?}");
    assert!(known.len() > 20, "{what} are read from the code: {known:?}");
}

#[tokio::test(start_paused = true)]
async fn every_request_and_every_answer_is_as_the_documents_say() {
    let Some(folder) = document::folder() else {
        could_not_run("every_request_and_every_answer_is_as_the_documents_say");
        return;
    };
    let exchanges = exchanges().await;
    let (cloudflare, contabo): (Vec<Exchange>, Vec<Exchange>) =
        exchanges.into_iter().partition(|exchange| exchange.path().starts_with("/client/"));
    let document = Document::json(&folder.join("cloudflare-dns.json"));
    let mut wrong = hold("Cloudflare", &document, &cloudflare, &deviations::CLOUDFLARE);
    let document = Document::yaml(&folder.join("contabo-instances.yaml"));
    wrong.extend(hold("Contabo", &document, &contabo, &deviations::CONTABO));
    request_ids(&document, &contabo);
    assert!(wrong.is_empty(), "not as the documents say, and not listed as a deviation:\n{}", wrong.join("\n"));
}

/// What is neither as the document says nor listed as a deviation, and what is listed and never met.
fn hold(provider: &str, document: &Document, exchanges: &[Exchange], known: &Known) -> Vec<String> {
    let mut met: BTreeMap<String, u64> = BTreeMap::new();
    let mut wrong: BTreeMap<(String, Half, String, String), (u64, String)> = BTreeMap::new();
    for violation in exchanges.iter().flat_map(|exchange| check(document, known.absent, exchange)) {
        if let Some(deviation) = known.deviations.iter().find(|deviation| deviation.allows(&violation)) {
            // Each of its places and operations must be met, not only one of them.
            *met.entry(deviation.name.to_owned()).or_default() += 1;
            for part in [&violation.place, &violation.operation] {
                *met.entry(format!("{}: {part}", deviation.name)).or_default() += 1;
            }
            continue;
        }
        let Violation { operation, half, place, rule, words, .. } = violation;
        wrong.entry((operation, half, place, rule)).or_insert((0, words)).0 += 1;
    }
    let kinds = exchanges.iter().map(|exchange| check::kind(document, known.absent, exchange));
    let absent: Vec<_> =
        kinds.filter_map(|kind| if let Kind::Absent(absent) = kind { Some(absent) } else { None }).collect();
    for one in &absent {
        *met.entry(one.name.to_owned()).or_default() += 1;
    }
    let unchecked = absent.iter().filter(|one| one.like.is_none()).count();
    let requests = exchanges.iter().filter(|exchange| exchange.by_client).count();
    assert!(requests > 20 && exchanges.len() > requests + unchecked, "{provider}: next to nothing was checked");
    println!("{provider}: {requests} requests and {} answers; {unchecked} are not in the document", exchanges.len());
    let listed = known.deviations.iter().map(|it| (it.name, it.source));
    let listed: Vec<_> = listed.chain(known.absent.iter().map(|it| (it.name, it.source))).collect();
    for (name, source) in &listed {
        println!("  {} times: {name} ({source})", met.get(*name).copied().unwrap_or_default());
    }
    let parts = known.deviations.iter().flat_map(|it| {
        let parts = it.places.iter().chain(it.operations);
        parts.map(|part| format!("{}: {part}", it.name))
    });
    let stale = listed.iter().map(|(name, _)| (*name).to_owned()).chain(parts).filter(|part| !met.contains_key(part));
    let stale = stale.map(|part| format!("{provider}: listed as a deviation, and none or never met: {part}"));
    let wrong = wrong.into_iter().map(|((operation, half, place, rule), (count, words))| {
        let words: String = words.chars().take(300).collect();
        format!("{provider}: {count} × {half:?} of {operation}, {place}: {rule}: {words}")
    });
    stale.chain(wrong).collect()
}

/// Every call to Contabo's API carries an id of the document's own pattern; the checker would say so if not, unless the
/// document lost its pattern.
fn request_ids(document: &Document, exchanges: &[Exchange]) {
    let operation = document.operation(&http::Method::GET, "/v1/compute/instances").expect("it is in the document");
    let parameters = document.at(&format!("{}/parameters", operation.pointer)).expect("it has parameters");
    let index = parameters.as_array().unwrap().iter().position(|parameter| parameter["name"] == "x-request-id");
    let pointer = format!("{}/parameters/{}/schema", operation.pointer, index.expect("it is in the document"));
    let pattern = document.validator(&pointer);
    assert!(!pattern.is_valid(&"019a0b5e-37b4-7bbc-a794-1a57abe6aa31".into()), "version 7 does not fit the pattern");
    let mut seen = BTreeSet::new();
    for exchange in exchanges.iter().filter(|exchange| exchange.by_client && exchange.path().starts_with("/v1/")) {
        let id = exchange.headers["x-request-id"].to_str().unwrap();
        assert!(pattern.is_valid(&id.into()), "{} {} was sent with `{id}`", exchange.method, exchange.target);
        seen.insert(id.to_owned());
    }
    println!("Contabo: {} request ids fit the document's pattern", seen.len());
    assert!(seen.len() > 20, "each call has an id of its own: {}", seen.len());
}

/// Without documents too: no call carries a version 7 UUID, and the type that holds request ids takes none.
#[tokio::test(start_paused = true)]
async fn a_version_7_uuid_never_leaves_as_a_request_id() {
    let mut sent = 0;
    for exchange in exchanges().await.iter().filter(|exchange| exchange.by_client) {
        for (name, value) in exchange.headers.iter().filter(|(name, _)| name.as_str().ends_with("request-id")) {
            let id = uuid::Uuid::try_parse(value.to_str().unwrap()).unwrap();
            assert_eq!(id.get_version_num(), 4, "`{name}` of {} {}", exchange.method, exchange.target);
            sent += 1;
        }
    }
    assert!(sent > 20, "{sent} request ids were looked at");
    let timestamp = uuid::Timestamp::from_unix(uuid::NoContext, 1_800_000_000, 0);
    RequestId::try_from(uuid::Uuid::new_v7(timestamp)).unwrap_err();
    RequestId::try_from(uuid::uuid!("04e0f898-37b4-48bc-a794-1a57abe6aa31")).unwrap();
}

/// Says so past the test harness, which hides what passing tests print.
fn could_not_run(test: &str) {
    // A line of its own: the harness may have begun one.
    let line = format!(
        "\ncould not run: api_documents::{test}: set `{}` to a folder with `contabo-instances.yaml` and \
         `cloudflare-dns.json`, the providers' API documents\n",
        document::VARIABLE
    );
    std::io::stdout().write_all(line.as_bytes()).expect("the output is open");
}
