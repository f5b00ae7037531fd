//! The controls under `/_admin/`: state, journal, faults and adjustable options.
//!
//! No token is asked for, since only loopback is listened on; a web page in a browser must not reach them either, so
//! requests whose `Host` is not loopback are refused (DNS rebinding), as are those that a foreign page sends.

use std::net::IpAddr;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header, uri::Authority};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    LocalCloud,
    cloud::{json_answer, json_bytes},
    cloudflare::RateOptions,
    faults::Rule,
};

pub(crate) const PREFIX: &str = "/_admin/";

/// The refusal of a request that did not mean this host.
pub(crate) fn refuse_foreign_host(request: &Request<Bytes>) -> Option<Response<Bytes>> {
    let named = request
        .headers()
        .get(header::HOST)
        .map(|host| host.to_str().unwrap_or("?"))
        .or_else(|| request.uri().authority().map(Authority::as_str));
    if named.is_none_or(is_loopback) && is_own_origin(request.headers()) {
        return None;
    }
    let text = "the controls answer on loopback only; call them as `http://127.0.0.1:PORT/_admin/`";
    Some(json_answer(StatusCode::FORBIDDEN, &json!({"error": text})))
}

fn is_own_origin(headers: &HeaderMap) -> bool {
    match headers.get(header::ORIGIN).map(|origin| origin.to_str()) {
        None => true,
        Some(Ok(origin)) => origin.split_once("://").is_some_and(|(_, authority)| is_loopback(authority)),
        Some(Err(_)) => false,
    }
}

fn is_loopback(authority: &str) -> bool {
    let Ok(authority) = authority.parse::<Authority>() else {
        return false;
    };
    let host = authority.host();
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// What may be changed while the cloud runs.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Adjustment {
    publication_delay_ms: Option<u64>,
    rate: Option<RateOptions>,
    r2_write_interval_ms: Option<u64>,
}

/// Answers a control call; its path begins with `/_admin/`.
pub(crate) fn answer(cloud: &LocalCloud, request: &Request<Bytes>) -> Response<Bytes> {
    let path = request.uri().path().strip_prefix(PREFIX).unwrap_or_default();
    match (request.method(), path) {
        (&Method::GET, "state") => state(cloud),
        (&Method::GET, "journal") => journal(cloud, request),
        (&Method::DELETE, "journal") => {
            cloud.journal().clear();
            no_content()
        }
        (&Method::GET, "faults") => ok(&json!({"faults": cloud.faults().rules()})),
        (&Method::POST, "faults") => add_faults(cloud, request.body()),
        (&Method::DELETE, "faults") => {
            cloud.faults().clear();
            no_content()
        }
        (&Method::GET, "options") => options(cloud),
        (&Method::PATCH, "options") => adjust(cloud, request.body()),
        _ => refusal(StatusCode::NOT_FOUND, "no such control; there are state, journal, faults, options, machines"),
    }
}

fn state(cloud: &LocalCloud) -> Response<Bytes> {
    // Token values stay out: whoever may look at the state need not be able to write.
    let zones = cloud.cloudflare().state().zones;
    ok(&json!({"cloudflare": {"zones": zones}, "contabo": cloud.contabo().state(), "r2": cloud.r2().state()}))
}

fn journal(cloud: &LocalCloud, request: &Request<Bytes>) -> Response<Bytes> {
    let since = match request.uri().query().and_then(|query| query.strip_prefix("since=")) {
        None => 0,
        Some(number) => match number.parse() {
            Ok(number) => number,
            Err(_) => return refusal(StatusCode::BAD_REQUEST, "`since` must be a sequence number"),
        },
    };
    let counts = cloud.journal().count_by_route();
    ok(&json!({"entries": cloud.journal().since(since), "count_by_route": counts}))
}

/// Takes one rule or a list; each is an object or one line of text.
fn add_faults(cloud: &LocalCloud, body: &Bytes) -> Response<Bytes> {
    let given: Value = match serde_json::from_slice(body) {
        Ok(given) => given,
        Err(error) => {
            return refusal(StatusCode::BAD_REQUEST, &format!("the body is no JSON: {error}"));
        }
    };
    let items = match given {
        Value::Array(items) => items,
        one => vec![one],
    };
    let mut rules: Vec<Rule> = Vec::new();
    for item in items {
        let rule = match item {
            Value::String(text) => text.parse::<Rule>().map_err(|error| error.to_string()),
            object => serde_json::from_value(object).map_err(|error| error.to_string()),
        };
        match rule {
            Ok(rule) => rules.push(rule),
            Err(error) => return refusal(StatusCode::BAD_REQUEST, &error),
        }
    }
    for rule in rules {
        if !cloud.faults().add(rule) {
            return refusal(StatusCode::BAD_REQUEST, "too many rules are in force; delete them first");
        }
    }
    ok(&json!({"faults": cloud.faults().rules()}))
}

fn options(cloud: &LocalCloud) -> Response<Bytes> {
    let (publication_delay_ms, rate) = cloud.cloudflare().adjustable();
    let interval = cloud.r2().write_interval();
    ok(&json!({"publication_delay_ms": publication_delay_ms, "rate": rate, "r2_write_interval_ms": interval}))
}

fn adjust(cloud: &LocalCloud, body: &Bytes) -> Response<Bytes> {
    let adjustment: Adjustment = match serde_json::from_slice(body) {
        Ok(adjustment) => adjustment,
        Err(error) => return refusal(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    if let Some(milliseconds) = adjustment.publication_delay_ms {
        cloud.cloudflare().set_publication_delay(milliseconds);
    }
    if let Some(rate) = adjustment.rate {
        cloud.cloudflare().set_rate(rate);
    }
    if let Some(milliseconds) = adjustment.r2_write_interval_ms {
        cloud.r2().set_write_interval(milliseconds);
    }
    options(cloud)
}

fn ok(body: &Value) -> Response<Bytes> {
    json_answer(StatusCode::OK, body)
}

fn no_content() -> Response<Bytes> {
    json_bytes(StatusCode::NO_CONTENT, Bytes::new())
}

fn refusal(status: StatusCode, text: &str) -> Response<Bytes> {
    json_answer(status, &json!({"error": text}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_are_taken() {
        for host in ["localhost", "LOCALHOST:80", "127.0.0.1:7071", "127.9.8.7", "[::1]:80"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["evil.example", "127.0.0.1.evil.example", "192.168.0.1", "[::2]", "", "localhost.evil:80"] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
