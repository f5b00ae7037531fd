//! Contabo's compute API.

use alfred_local_cloud::contabo::Status;

use super::{Absent, Deviation};
use crate::check::{Half, Violation};

pub(super) const ABSENT: &[Absent] = &[Absent {
    name: "POST /auth/realms/contabo/protocol/openid-connect/token",
    like: None,
    source: "https://api.contabo.com/api-v1.yaml, the description at its head",
}];

const LIST: &str = "GET /v1/compute/instances";
const GET: &str = "GET /v1/compute/instances/{instanceId}";

/// Reads real answers before they are complete, and says which parts were missing in them.
const FIELD_REPORT: &str = "https://github.com/amerged-org/cloudflare-postgres, apps/api/src/providers/contabo.ts";

pub(super) const DEVIATIONS: &[Deviation] = &[
    Deviation {
        name: "a filter holds several statuses, as in the document's own example of it",
        source: "https://api.contabo.com/api-v1.yaml, operation retrieveInstancesList",
        half: Half::Request,
        operations: &[LIST],
        places: &["query/status"],
        rule: "enum",
        applies: several_statuses,
    },
    Deviation {
        name: "what an instance has only once it is allocated is `null` before",
        source: FIELD_REPORT,
        half: Half::Answer,
        operations: &[LIST, GET],
        places: &[
            "body/data/*/name",
            "body/data/*/dataCenter",
            "body/data/*/ipConfig",
            "body/data/*/macAddress",
            "body/data/*/ramMb",
            "body/data/*/diskMb",
            "body/data/*/vHostId",
            "body/data/*/vHostNumber",
            "body/data/*/vHostName",
        ],
        rule: "type",
        applies: |violation| violation.value.is_null() && is_unallocated(violation),
    },
    Deviation {
        name: "before an instance is allocated it may have an empty IPv4 address and no IPv6 address",
        source: FIELD_REPORT,
        half: Half::Answer,
        operations: &[LIST, GET],
        places: &["body/data/*/ipConfig/v6"],
        rule: "required",
        applies: is_unallocated,
    },
    Deviation {
        name: "an instance that is not cancelled may have `null` for its end",
        source: FIELD_REPORT,
        half: Half::Answer,
        operations: &[LIST, GET],
        places: &["body/data/*/cancelDate"],
        rule: "type",
        applies: |violation| violation.value.is_null(),
    },
    Deviation {
        name: "an instance that is not cancelled may have an empty text for its end, which is no date",
        source: FIELD_REPORT,
        half: Half::Answer,
        operations: &[LIST, GET],
        places: &["body/data/*/cancelDate"],
        rule: "format",
        applies: |violation| violation.value == "",
    },
    Deviation {
        name: "the document's pattern of an instance's end is `yyyy-mm-dd`, which no date fits",
        source: "https://api.contabo.com/api-v1.yaml, operation retrieveInstance",
        half: Half::Answer,
        operations: &[LIST, GET],
        places: &["body/data/*/cancelDate"],
        rule: "pattern",
        applies: |violation| violation.value.is_string(),
    },
    Deviation {
        name: "a history's row has `null` where the request had no trace id",
        source: FIELD_REPORT,
        half: Half::Answer,
        operations: &[
            "GET /v1/compute/instances/audits",
            "GET /v1/compute/instances/actions/audits",
            "GET /v1/secrets/audits",
            "GET /v1/tags/audits",
            "GET /v1/tags/assignments/audits",
        ],
        places: &["body/data/*/traceId"],
        rule: "type",
        applies: |violation| violation.value.is_null(),
    },
    Deviation {
        name: "a list of secrets has the links of other lists, as in the document's own example of it",
        source: "https://api.contabo.com/api-v1.yaml, operation retrieveSecretList",
        half: Half::Answer,
        operations: &["GET /v1/secrets"],
        places: &["body/_links/first", "body/_links/last"],
        rule: "additionalProperties",
        applies: |_| true,
    },
    Deviation {
        name: "a secret's value is shown only where one is read, as its description says",
        source: "https://api.contabo.com/api-v1.yaml, operation retrieveSecretList",
        half: Half::Answer,
        operations: &["GET /v1/secrets", "POST /v1/secrets"],
        places: &["body/data/*/value"],
        rule: "minLength",
        applies: |violation| violation.value == "",
    },
    Deviation {
        name: "an assignment has a link called by the kind of its resource, as in the document's own example of it",
        source: "https://api.contabo.com/api-v1.yaml, operation retrieveAssignment",
        half: Half::Answer,
        operations: &[
            "GET /v1/tags/{tagId}/assignments/{resourceType}/{resourceId}",
            "POST /v1/tags/{tagId}/assignments/{resourceType}/{resourceId}",
        ],
        places: &["body/_links/instance"],
        rule: "additionalProperties",
        applies: |_| true,
    },
    Deviation {
        name: "an instance that is cancelled already cannot be cancelled",
        source: "https://github.com/contabo/terraform-provider-contabo/issues/38",
        half: Half::Answer,
        operations: &["POST /v1/compute/instances/{instanceId}/cancel"],
        places: &["status/422"],
        rule: "missing",
        applies: |_| true,
    },
    Deviation {
        name: "a body that is no JSON is refused; the status is HTTP's own",
        source: "https://www.rfc-editor.org/rfc/rfc9110#section-15.5.16",
        half: Half::Answer,
        operations: &["PATCH /v1/compute/instances/{instanceId}"],
        places: &["status/415"],
        rule: "missing",
        applies: |_| true,
    },
];

/// Words of the document, more than one.
fn several_statuses(violation: &Violation) -> bool {
    let words = violation.value.as_str().unwrap_or_default();
    words.contains(',') && words.split(',').all(|word| Status::parse(word).is_some())
}

/// Whether the instance has no address yet.
fn is_unallocated(violation: &Violation) -> bool {
    let address = violation.entry.pointer("/ipConfig/v4/ip");
    address.is_none_or(|address| address == "")
}
