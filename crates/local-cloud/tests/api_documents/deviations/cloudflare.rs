//! Cloudflare's DNS API.

use super::{Absent, Deviation};
use crate::check::{Half, Violation};

pub(super) const ABSENT: &[Absent] = &[
    Absent {
        name: "GET /zones",
        like: None,
        source: "https://www.npmjs.com/package/cloudflare (7.3.0), resources/zones/zones.js",
    },
    Absent {
        name: "GET /zones/{zone_id}",
        like: None,
        source: "https://www.npmjs.com/package/cloudflare (7.3.0), resources/zones/zones.js",
    },
    Absent {
        name: "GET /zones/{zone_id}/dns_records/usage",
        like: None,
        source: "https://www.npmjs.com/package/cloudflare (7.3.0), resources/dns/usage/zone.js",
    },
    Absent {
        name: "GET /accounts/{account_id}/dns_records/usage",
        like: None,
        source: "https://www.npmjs.com/package/cloudflare (7.3.0), resources/dns/usage/account.js",
    },
    Absent {
        name: "GET /user/tokens",
        like: None,
        source: "https://www.npmjs.com/package/cloudflare (7.3.0), resources/user/tokens/tokens.js",
    },
    Absent {
        name: "GET /accounts/{account_id}/tokens",
        like: None,
        source: "https://www.npmjs.com/package/cloudflare (7.3.0), resources/accounts/tokens/tokens.js",
    },
    Absent {
        name: "GET /user/tokens/{token_id}",
        like: None,
        source: "https://www.npmjs.com/package/cloudflare (7.3.0), resources/user/tokens/tokens.js",
    },
    Absent {
        name: "GET /accounts/{account_id}/tokens/{token_id}",
        like: None,
        source: "https://www.npmjs.com/package/cloudflare (7.3.0), resources/accounts/tokens/tokens.js",
    },
    Absent {
        name: "PUT /accounts/{account_id}/tokens/{token_id}/value",
        like: Some("PUT /user/tokens/{token_id}/value"),
        source: "https://www.npmjs.com/package/cloudflare (7.3.0), resources/accounts/tokens/value.js",
    },
    Absent {
        name: "GET /accounts/{account_id}/r2/buckets/{bucket_name}",
        like: None,
        source: "https://www.npmjs.com/package/cloudflare (7.3.0), resources/r2/buckets/buckets.js",
    },
    Absent {
        name: "POST /accounts/{account_id}/r2/buckets",
        like: None,
        source: "https://www.npmjs.com/package/cloudflare (7.3.0), resources/r2/buckets/buckets.js",
    },
    Absent {
        name: "PUT /accounts/{account_id}/r2/buckets/{bucket_name}/lifecycle",
        like: None,
        source: "https://www.npmjs.com/package/cloudflare (7.3.0), resources/r2/buckets/lifecycle.js",
    },
    Absent {
        name: "PUT /accounts/{account_id}/r2/buckets/{bucket_name}/lock",
        like: None,
        source: "https://www.npmjs.com/package/cloudflare (7.3.0), resources/r2/buckets/locks.js",
    },
    Absent {
        name: "PUT /accounts/{account_id}/r2/buckets/{bucket_name}/cors",
        like: None,
        source: "https://www.npmjs.com/package/cloudflare (7.3.0), resources/r2/buckets/cors.js",
    },
    Absent {
        name: "PUT /accounts/{account_id}/r2/buckets/{bucket_name}/domains/managed",
        like: None,
        source: "https://www.npmjs.com/package/cloudflare (7.3.0), resources/r2/buckets/domains/managed.js",
    },
    Absent {
        name: "GET /accounts/{account_id}/r2/buckets",
        like: None,
        source: "https://www.npmjs.com/package/cloudflare (7.3.0), resources/r2/buckets/buckets.js",
    },
    Absent {
        name: "PATCH /accounts/{account_id}/r2/buckets/{bucket_name}",
        like: None,
        source: "https://www.npmjs.com/package/cloudflare (7.3.0), resources/r2/buckets/buckets.js",
    },
    Absent {
        name: "DELETE /accounts/{account_id}/r2/buckets/{bucket_name}",
        like: None,
        source: "https://www.npmjs.com/package/cloudflare (7.3.0), resources/r2/buckets/buckets.js",
    },
    Absent {
        name: "GET /accounts/{account_id}/r2/buckets/{bucket_name}/lifecycle",
        like: None,
        source: "https://www.npmjs.com/package/cloudflare (7.3.0), resources/r2/buckets/lifecycle.js",
    },
    Absent {
        name: "GET /accounts/{account_id}/r2/buckets/{bucket_name}/lock",
        like: None,
        source: "https://www.npmjs.com/package/cloudflare (7.3.0), resources/r2/buckets/locks.js",
    },
    Absent {
        name: "GET /accounts/{account_id}/r2/buckets/{bucket_name}/cors",
        like: None,
        source: "https://www.npmjs.com/package/cloudflare (7.3.0), resources/r2/buckets/cors.js",
    },
    Absent {
        name: "DELETE /accounts/{account_id}/r2/buckets/{bucket_name}/cors",
        like: None,
        source: "https://www.npmjs.com/package/cloudflare (7.3.0), resources/r2/buckets/cors.js",
    },
    Absent {
        name: "GET /accounts/{account_id}/r2/buckets/{bucket_name}/domains/managed",
        like: None,
        source: "https://www.npmjs.com/package/cloudflare (7.3.0), resources/r2/buckets/domains/managed.js",
    },
];

const LIST: &str = "GET /zones/{zone_id}/dns_records";
const CREATE: &str = "POST /zones/{zone_id}/dns_records";
const PATCH: &str = "PATCH /zones/{zone_id}/dns_records/{dns_record_id}";
const BATCH: &str = "POST /zones/{zone_id}/dns_records/batch";

pub(super) const DEVIATIONS: &[Deviation] = &[
    Deviation {
        name: "a change names only what it changes",
        source: "https://developers.cloudflare.com/dns/manage-dns-records/how-to/batch-record-changes/",
        half: Half::Request,
        operations: &[PATCH, BATCH],
        places: &[
            "body/name",
            "body/ttl",
            "body/type",
            "body/patches/*/name",
            "body/patches/*/ttl",
            "body/patches/*/type",
        ],
        rule: "required",
        applies: always,
    },
    Deviation {
        name: "a record without a comment has `null` there",
        source: "https://github.com/cloudflare/cloudflare-docs, src/content/changelog/dns/2025-02-02-removed-meta-fields.mdx",
        half: Half::Answer,
        operations: &[LIST, CREATE, PATCH, BATCH],
        places: &[
            "body/result/comment",
            "body/result/*/comment",
            "body/result/patches/*/comment",
            "body/result/posts/*/comment",
        ],
        rule: "type",
        applies: is_null,
    },
    Deviation {
        name: "the message of a verified token has a `type`",
        source: "https://github.com/libdns/cloudflare/issues/12",
        half: Half::Answer,
        operations: &["GET /user/tokens/verify", "GET /accounts/{account_id}/tokens/verify"],
        places: &["body/messages/*/type"],
        rule: "additionalProperties",
        applies: |violation| violation.value["type"].is_null(),
    },
    Deviation {
        name: "the refusal of too many calls has a code below 1000",
        source: "https://github.com/cloudflare/terraform-provider-cloudflare/issues/5505",
        half: Half::Answer,
        operations: &[LIST],
        places: &["body/errors/*/code"],
        rule: "minimum",
        applies: |violation| violation.value == 971,
    },
];

fn always(_: &Violation) -> bool {
    true
}

fn is_null(violation: &Violation) -> bool {
    violation.value.is_null()
}
