//! The refusals of Cloudflare's API: code, text and HTTP status as clients see them.
//!
//! Codes and texts are those reported in public threads; a source stands at each. Where Cloudflare has published neither
//! number nor text for a rule that it documents, the number here is a stand-in and says so: no client may lean on it.

use http::StatusCode;
use serde_json::{Value, json};

use crate::r2::Refusal;

/// One refusal, ready to be put into an envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    /// Each with its chain of causes; most refusals have one.
    pub(crate) errors: Vec<Message>,
    /// Seconds for the `retry-after` header.
    pub(crate) retry_after: Option<u64>,
}

/// A code with its text and the causes under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) code: u32,
    pub(crate) text: String,
    pub(crate) chain: Vec<(u32, String)>,
}

impl Message {
    pub(crate) fn to_json(&self) -> Value {
        let mut object = json!({"code": self.code, "message": self.text});
        if !self.chain.is_empty() {
            object["error_chain"] =
                self.chain.iter().map(|(code, text)| json!({"code": code, "message": text})).collect();
        }
        object
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.status, refusal.number, refusal.text)
    }
}

impl ApiError {
    fn new(status: StatusCode, code: u32, text: impl Into<String>) -> Self {
        Self { status, errors: vec![Message { code, text: text.into(), chain: Vec::new() }], retry_after: None }
    }

    fn because(mut self, code: u32, text: impl Into<String>) -> Self {
        if let Some(first) = self.errors.first_mut() {
            first.chain.push((code, text.into()));
        }
        self
    }

    fn and(mut self, code: u32, text: impl Into<String>) -> Self {
        self.errors.push(Message { code, text: text.into(), chain: Vec::new() });
        self
    }

    /// Whether the record is there already.
    pub(crate) fn is_duplicate(&self) -> bool {
        self.errors.iter().any(|message| matches!(message.code, 81057 | 81058))
    }

    /// The code of the first error, and of its first cause.
    #[cfg(test)]
    pub(crate) fn codes(&self) -> (u32, Option<u32>) {
        let first = &self.errors[0];
        (first.code, first.chain.first().map(|(code, _)| *code))
    }

    /// 1004 with a cause. Sources: 9005 yulewang/cloudflare-api-v4-ddns#16, 9021 timothymiller/cloudflare-ddns#179,
    /// 9300 kubernetes-sigs/external-dns#3706; other causes are stand-ins.
    pub(crate) fn validation(cause: u32, text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, 1004, "DNS Validation Error").because(cause, text)
    }

    /// A body that is not the JSON object that was asked for; the number is a stand-in.
    pub(crate) fn malformed_body() -> Self {
        Self::new(StatusCode::BAD_REQUEST, 6007, "Malformed JSON in request body")
    }

    /// A query parameter out of its documented bounds; the number is a stand-in.
    pub(crate) fn invalid_parameter(name: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, 1004, "DNS Validation Error")
            .because(9207, format!("Invalid value for the query parameter '{name}'."))
    }

    /// Sources: jeessy2/ddns-go#1378, certbot/certbot#10725; the older number is in jeessy2/ddns-go#1149.
    pub(crate) fn identical(older: bool) -> Self {
        if older {
            Self::new(StatusCode::BAD_REQUEST, 81057, "Record already exists.")
        } else {
            Self::new(StatusCode::BAD_REQUEST, 81058, "An identical record already exists.")
        }
    }

    /// Source: cloudflare/terraform-provider-cloudflare#1247.
    pub(crate) fn address_or_cname_exists() -> Self {
        Self::new(StatusCode::BAD_REQUEST, 81053, "An A, AAAA, or CNAME record with that host already exists.")
    }

    /// Source: cloudflare/terraform-provider-cloudflare#6482.
    pub(crate) fn cname_exists() -> Self {
        Self::new(StatusCode::BAD_REQUEST, 81054, "A CNAME record with that host already exists.")
    }

    /// The rule is in Cloudflare's documentation of record types; the number is a stand-in.
    pub(crate) fn name_servers_exist() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            81056,
            "NS records with that host already exist, or other records stand in their way.",
        )
    }

    /// Source: cloudflare/terraform-provider-cloudflare#1621.
    pub(crate) fn record_missing() -> Self {
        Self::new(StatusCode::NOT_FOUND, 81044, "Record does not exist.")
    }

    /// Source: js-org/js.org#2873.
    pub(crate) fn quota_exceeded() -> Self {
        Self::new(StatusCode::BAD_REQUEST, 81045, "Record quota exceeded.")
    }

    /// More operations than a batch may carry on this plan; the rule is documented, the number is a stand-in.
    pub(crate) fn batch_too_large(limit: usize) -> Self {
        Self::validation(9400, format!("The batch has more operations than the {limit} allowed on this plan."))
    }

    /// Source: cloudflare/cloudflare-go#118.
    pub(crate) fn no_route(path: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            7003,
            format!("Could not route to {path}, perhaps your object identifier is invalid?"),
        )
        .and(7000, "No route for that URI")
    }

    /// Source: jeessy2/ddns-go#1296, libdns/cloudflare#12.
    pub(crate) fn invalid_header() -> Self {
        Self::new(StatusCode::BAD_REQUEST, 6003, "Invalid request headers")
            .because(6111, "Invalid format for Authorization header")
    }

    /// Source: the tests of octodns/octodns-cloudflare.
    pub(crate) fn unknown_key() -> Self {
        Self::new(StatusCode::FORBIDDEN, 9103, "Unknown X-Auth-Key or X-Auth-Email")
    }

    /// Source: NginxProxyManager/nginx-proxy-manager#1665.
    pub(crate) fn invalid_token() -> Self {
        Self::new(StatusCode::FORBIDDEN, 9109, "Invalid access token")
    }

    /// Source: octodns/octodns-cloudflare#60.
    pub(crate) fn unauthorized() -> Self {
        Self::new(StatusCode::FORBIDDEN, 9109, "Unauthorized to access requested resource")
    }

    /// Source: cloudflare/terraform-provider-cloudflare#913.
    pub(crate) fn authentication() -> Self {
        Self::new(StatusCode::FORBIDDEN, 10000, "Authentication error")
    }

    /// Source: cloudflare/terraform-provider-cloudflare#5505.
    pub(crate) fn throttled(retry_after: u64) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, 971, "Please wait and consider throttling your request speed")
        }
    }

    /// An import larger than the documented 256 KiB; the number is a stand-in.
    pub(crate) fn import_too_large() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, 1013, "The zone file is larger than 256 KiB")
    }

    /// An import that could not be read; the number is a stand-in.
    pub(crate) fn import_unreadable(reason: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, 1004, "DNS Validation Error")
            .because(9405, format!("The zone file could not be read: {reason}"))
    }
}
