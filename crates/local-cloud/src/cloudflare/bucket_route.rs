//! Which call about R2's buckets a method and a path are, below `/accounts/{id}/r2/buckets`.
//!
//! <https://developers.cloudflare.com/api/resources/r2/subresources/buckets/>

/// A call about buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BucketOperation {
    List,
    Create,
    Get,
    Edit,
    Delete,
    GetCors,
    PutCors,
    DeleteCors,
    GetLifecycle,
    PutLifecycle,
    GetLock,
    PutLock,
    GetPublic,
    PutPublic,
}

impl BucketOperation {
    /// The name in the journal and in fault rules.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::List => "cloudflare.buckets.list",
            Self::Create => "cloudflare.buckets.create",
            Self::Get => "cloudflare.buckets.get",
            Self::Edit => "cloudflare.buckets.edit",
            Self::Delete => "cloudflare.buckets.delete",
            Self::GetCors => "cloudflare.buckets.cors.get",
            Self::PutCors => "cloudflare.buckets.cors.put",
            Self::DeleteCors => "cloudflare.buckets.cors.delete",
            Self::GetLifecycle => "cloudflare.buckets.lifecycle.get",
            Self::PutLifecycle => "cloudflare.buckets.lifecycle.put",
            Self::GetLock => "cloudflare.buckets.lock.get",
            Self::PutLock => "cloudflare.buckets.lock.put",
            Self::GetPublic => "cloudflare.buckets.public.get",
            Self::PutPublic => "cloudflare.buckets.public.put",
        }
    }

    /// Whether it changes anything.
    pub(crate) fn edits(self) -> bool {
        !matches!(self, Self::List | Self::Get | Self::GetCors | Self::GetLifecycle | Self::GetLock | Self::GetPublic)
    }
}

/// The call, with the bucket's name, that the rest of a path is.
pub(super) fn route<'p>(method: &str, rest: &[&'p str]) -> Option<(BucketOperation, &'p str)> {
    use BucketOperation as Operation;
    Some(match (method, rest) {
        ("GET", []) => (Operation::List, ""),
        ("POST", []) => (Operation::Create, ""),
        ("GET", [name]) => (Operation::Get, *name),
        ("PATCH", [name]) => (Operation::Edit, *name),
        ("DELETE", [name]) => (Operation::Delete, *name),
        ("GET", [name, "cors"]) => (Operation::GetCors, *name),
        ("PUT", [name, "cors"]) => (Operation::PutCors, *name),
        ("DELETE", [name, "cors"]) => (Operation::DeleteCors, *name),
        ("GET", [name, "lifecycle"]) => (Operation::GetLifecycle, *name),
        ("PUT", [name, "lifecycle"]) => (Operation::PutLifecycle, *name),
        ("GET", [name, "lock"]) => (Operation::GetLock, *name),
        ("PUT", [name, "lock"]) => (Operation::PutLock, *name),
        ("GET", [name, "domains", "managed"]) => (Operation::GetPublic, *name),
        ("PUT", [name, "domains", "managed"]) => (Operation::PutPublic, *name),
        _ => return None,
    })
}
