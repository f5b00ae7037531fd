//! Which service a call is for, and what of it may be written down.

use crate::{cloudflare, journal::Service};

const CONTABO_TOKEN_PATH: &str = "/auth/realms/contabo/protocol/openid-connect/token";

/// Where a call came in: paths mean one thing to the APIs and another to S3.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Door {
    /// Cloudflare's and Contabo's APIs and the controls.
    Apis,
    /// R2's S3.
    R2,
}

impl Door {
    /// The service that answers at a path.
    pub(super) fn service(self, path: &str) -> Service {
        match self {
            Self::Apis => of_path(path),
            Self::R2 => Service::R2,
        }
    }
}

fn of_path(path: &str) -> Service {
    let under = |prefix: &str| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if under(cloudflare::PREFIX) {
        Service::Cloudflare
    } else if under("/v1") || path == CONTABO_TOKEN_PATH {
        Service::Contabo
    } else {
        Service::Other
    }
}

/// A path with its query, without the signature that makes it a key to somebody's object.
pub(super) fn without_signature(path: &str) -> String {
    match path.split_once("X-Amz-Signature=") {
        None => path.to_owned(),
        Some((before, rest)) => {
            let after = rest.find('&').map_or("", |end| &rest[end..]);
            format!("{before}X-Amz-Signature=…{after}")
        }
    }
}
