//! The kinds of refusals: one table, so that status, word and advice cannot drift apart.

use axum::http::StatusCode;

macro_rules! codes {
    ($($(#[$meta:meta])* $name:ident = $status:ident, $word:literal, $title:literal, $hint:literal;)+) => {
        /// A kind of refusal.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Code {
            $($(#[$meta])* $name,)+
        }

        impl Code {
            /// Every code.
            pub(crate) const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The HTTP status it is answered with.
            pub(crate) const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)+ }
            }

            /// The word that programs compare; it never changes.
            pub(crate) const fn word(self) -> &'static str {
                match self { $(Self::$name => $word,)+ }
            }

            /// The same in a few words for people.
            pub(crate) const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)+ }
            }

            /// What to do about it, where nothing better is known.
            pub(crate) const fn hint(self) -> &'static str {
                match self { $(Self::$name => $hint,)+ }
            }
        }
    };
}

codes! {
    /// The request is not understood, in no way that another code names.
    BadRequest = BAD_REQUEST, "bad_request", "the request cannot be understood",
        "compare the request with `/openapi.json`";
    /// The body is no JSON, or not of the expected form.
    BadJson = BAD_REQUEST, "bad_json", "the body is not what was expected",
        "compare the body with the schema in `/openapi.json`";
    /// A part of the path or the query is not of the expected form.
    BadParameter = BAD_REQUEST, "bad_parameter", "a parameter is not what was expected",
        "compare the parameters with `/openapi.json`";
    /// The idempotency key is not of the expected form.
    BadIdempotencyKey = BAD_REQUEST, "bad_idempotency_key", "the idempotency key cannot be used",
        "send one `Idempotency-Key` of 1 to 255 visible ASCII characters, such as a UUID";
    /// No token, or none that is valid.
    Unauthorized = UNAUTHORIZED, "unauthorized", "a valid access token is needed",
        "send `Authorization: Bearer TOKEN`; an administrator makes tokens with `alfred token`";
    /// The token is valid, but its user may not do this.
    AdministratorOnly = FORBIDDEN, "administrator_only", "only an administrator may do this",
        "ask an administrator, or use an administrator's token";
    /// There is nothing at this path.
    NotFound = NOT_FOUND, "not_found", "there is nothing at this path",
        "`/openapi.json` lists every path";
    /// The caller has no such environment.
    EnvironmentNotFound = NOT_FOUND, "environment_not_found", "there is no such environment",
        "`GET /v1/environments` lists yours";
    /// The caller has no such token.
    TokenNotFound = NOT_FOUND, "token_not_found", "there is no such token",
        "`GET /v1/tokens` lists yours";
    /// The path names no user.
    UserNotFound = NOT_FOUND, "user_not_found", "there is no such user",
        "`GET /v1/users` lists them";
    /// There is no such VM.
    VmNotFound = NOT_FOUND, "vm_not_found", "there is no such VM",
        "`GET /v1/vms` lists those that are known, `GET /v1/audit` those that are not";
    /// The ledger has no such line.
    IntentNotFound = NOT_FOUND, "intent_not_found", "the ledger has no such line",
        "`GET /v1/ledger` lists its lines, `GET /v1/pool` the orders of which nothing is known";
    /// The path knows other methods.
    MethodNotAllowed = METHOD_NOT_ALLOWED, "method_not_allowed", "the path does not take this method",
        "the `allow` header lists the methods that it takes";
    /// The client took too long to send its request.
    RequestTooSlow = REQUEST_TIMEOUT, "request_too_slow", "the request took too long to arrive",
        "send the whole body without pausing";
    /// Another environment has the slug.
    SlugTaken = CONFLICT, "slug_taken", "the slug is taken",
        "choose another slug, or leave it out to get a generated one";
    /// The owner would have more environments than they may.
    OverQuota = CONFLICT, "over_quota", "the quota does not allow that many environments",
        "delete environments, or ask an administrator for a larger quota; `GET /v1/quota` shows yours";
    /// No zone has room for the names.
    NoRoom = CONFLICT, "no_room", "no zone has room for that many names",
        "delete environments, give `alfred up` another zone, or move a zone to a larger plan";
    /// The idempotency key was used for another request.
    KeyReused = CONFLICT, "key_reused", "the idempotency key belongs to another request",
        "use a new key for a new request, and the same body with the same key";
    /// This environment cannot be extended.
    ExtensionRefused = CONFLICT, "extension_refused", "the environment cannot be extended",
        "look at its status and end with `GET /v1/environments/SLUG`";
    /// This environment cannot be retried now.
    RetryRefused = CONFLICT, "retry_refused", "the environment cannot be retried now",
        "look at its status and reason with `GET /v1/environments/SLUG`";
    /// Something changed the row at the same time.
    Conflict = CONFLICT, "conflict", "something else changed it at the same time",
        "read it again and repeat the request";
    /// There is a user of this name.
    UserExists = CONFLICT, "user_exists", "there is a user of this name",
        "choose another name, or make a token for the one that exists";
    /// A VM is not bought now.
    OrderHeld = CONFLICT, "order_held", "no VM is bought now",
        "`GET /v1/pool` tells what is allowed and what is capped";
    /// The VM cannot be cancelled.
    CancelRefused = CONFLICT, "cancel_refused", "the VM cannot be cancelled",
        "look at its state with `GET /v1/vms`";
    /// The VM cannot be adopted.
    AdoptRefused = CONFLICT, "adopt_refused", "the VM cannot be adopted",
        "look at its state with `GET /v1/vms`, and at orders of which nothing is known with `GET /v1/pool`";
    /// The VM may be anybody's.
    VmForeign = CONFLICT, "vm_foreign", "the VM is not called as ours are",
        "make sure whose it is; `foreign` takes it all the same and erases it";
    /// The line of the ledger cannot be abandoned.
    AbandonRefused = CONFLICT, "abandon_refused", "it cannot be abandoned",
        "only an order for the pool of which nothing is known can be; `GET /v1/pool` lists them";
    /// The body is larger than the path takes.
    TooLarge = PAYLOAD_TOO_LARGE, "too_large", "the body is too large",
        "send at most 1 MiB";
    /// The body is not said to be JSON.
    UnsupportedMediaType = UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "the body must be JSON",
        "send `content-type: application/json`";
    /// The slug is none.
    BadSlug = UNPROCESSABLE_ENTITY, "bad_slug", "the slug cannot be used",
        "use 1 to 50 of a-z, 0-9 and `-`, such as `brave-tiger`, or leave it out";
    /// What is wanted on the VM cannot be done.
    BadSetup = UNPROCESSABLE_ENTITY, "bad_setup", "the setup of the VM cannot be used",
        "correct the key, time zone or script that the detail names";
    /// None or too many environments, or a slug for many.
    BadCount = UNPROCESSABLE_ENTITY, "bad_count", "the count cannot be used",
        "ask for 1 to 1000 at once, and choose a slug only for one";
    /// A time to live is too short or too long.
    BadTtl = UNPROCESSABLE_ENTITY, "bad_ttl", "the time to live cannot be used",
        "ask for a time within the bounds that the detail names";
    /// The name that was given is not the VM's.
    VmNameWrong = UNPROCESSABLE_ENTITY, "vm_name_wrong", "the VM's name is needed to confirm",
        "give the VM's `display_name`, as a proof that this one is meant";
    /// The reason of a pause cannot be kept.
    BadReason = UNPROCESSABLE_ENTITY, "bad_reason", "the reason cannot be used",
        "give at most 200 characters in one line, or none";
    /// A user name is none.
    BadUserName = UNPROCESSABLE_ENTITY, "bad_user_name", "the user name cannot be used",
        "use 1 to 64 of a-z, 0-9, `.`, `_`, `@` and `-`, beginning with a letter or digit";
    /// There is no user of this name.
    UnknownUser = UNPROCESSABLE_ENTITY, "unknown_user", "there is no user of this name",
        "`POST /v1/users` makes one, `GET /v1/users` lists them";
    /// The label or the lifetime of a token cannot be used.
    BadToken = UNPROCESSABLE_ENTITY, "bad_token", "the token cannot be made like this",
        "give a label of at most 100 characters and an expiry in the future, or none";
    /// There is no such state, or none that the caller may see.
    StateNotFound = NOT_FOUND, "state_not_found", "there is no such state",
        "`GET /v1/states` lists yours";
    /// The state has no such version.
    VersionNotFound = NOT_FOUND, "version_not_found", "the state has no such version",
        "`GET /v1/states/NAME/versions` lists those that are kept";
    /// The caller has no right to do this with the state.
    StateForbidden = FORBIDDEN, "state_forbidden", "the right to do this with the state is missing",
        "ask whoever administers the state to grant the right that the detail names";
    /// The token is good for states alone.
    TokenForStates = FORBIDDEN, "token_for_states", "the token is good for states alone",
        "use a token that is not limited to states";
    /// Somebody has the lock.
    StateLocked = LOCKED, "state_locked", "the state is locked",
        "wait until the holder is done, or take the lock away with the right to do so";
    /// The state does not allow it.
    StateRefused = CONFLICT, "state_refused", "the state does not allow it",
        "compare what is there with what came; `GET /v1/states/NAME/versions` lists what is there";
    /// Two stores of states do not change places.
    SwitchRefused = CONFLICT, "switch_refused", "the stores of states do not change places",
        "`GET /v1/state-mirror` shows what is missing";
    /// There is no place for backups.
    NoBackups = CONFLICT, "no_backups", "no place for backups is configured",
        "start the server with `ALFRED_BACKUP`, a folder or a bucket";
    /// A backup is being made at this moment.
    BackupUnderWay = CONFLICT, "backup_under_way", "a backup is being made",
        "`GET /v1/backups` tells when it is done";
    /// The backup was not made.
    BackupFailed = BAD_GATEWAY, "backup_failed", "the backup was not made",
        "the detail says why; those that were made before are untouched";
    /// The content is no state, or not what its checksum says.
    BadState = BAD_REQUEST, "bad_state", "the content is no state",
        "send a whole state as Terraform writes it";
    /// The text is no name of a state.
    BadStateName = BAD_REQUEST, "bad_state_name", "the name of the state cannot be used",
        "use `a-z`, `0-9`, `-`, `_` and `.`, in parts joined by `/`; in paths of `/v1` a `/` is written `%2F`";
    /// The text is no pattern, or there is nobody of that name.
    BadGrant = UNPROCESSABLE_ENTITY, "bad_grant", "the rights cannot be granted like this",
        "name one user or one token, a state or `NAME/*` or `*`, and at least one right";
    /// A stored version is damaged, or its key is missing.
    StateDamaged = INTERNAL_SERVER_ERROR, "state_damaged", "what is stored of the state cannot be read",
        "an administrator finds the cause in the detail and in the server's log";
    /// The store of the states does not answer.
    StatesUnavailable = SERVICE_UNAVAILABLE, "states_unavailable", "the store of the states does not answer",
        "try again in a few seconds; an administrator finds the cause in the server's log";
    /// Something inside failed.
    Internal = INTERNAL_SERVER_ERROR, "internal", "the server failed",
        "try again; if it stays, tell an administrator the `instance` of this answer";
    /// An order was not carried out.
    OrderFailed = BAD_GATEWAY, "order_failed", "the order was not carried out",
        "the detail has the provider's words; nothing was bought";
    /// Nobody knows what came of an order.
    OrderUnknown = BAD_GATEWAY, "order_unknown", "it is not known whether a VM was bought",
        "do not order again for it: it is looked for; `GET /v1/pool` tells what came of it";
    /// The store does not answer.
    StoreUnavailable = SERVICE_UNAVAILABLE, "store_unavailable", "the database does not answer",
        "try again in a few seconds; an administrator finds the cause in the server's log";
    /// Start-up is not over, or the server is about to stop.
    NotReady = SERVICE_UNAVAILABLE, "not_ready", "the server is not ready",
        "try again in a few seconds";
    /// The answer took too long.
    AnswerTooSlow = SERVICE_UNAVAILABLE, "answer_too_slow", "the answer took too long",
        "find out with a read whether the request was carried out before repeating it without an idempotency key";
    /// No free slug was found.
    NoSlug = SERVICE_UNAVAILABLE, "no_slug", "no free slug was found",
        "try again, or choose a slug";
    /// Too many listen to events.
    TooManyStreams = SERVICE_UNAVAILABLE, "too_many_streams", "too many event streams are open",
        "close streams that are not needed, or poll `GET /v1/environments/SLUG/events`";
    /// The VM provider could not be read.
    ProviderUnreadable = SERVICE_UNAVAILABLE, "provider_unreadable", "the VM provider could not be read",
        "try again in a minute; the detail has the provider's words";
    /// The audit could not be carried out.
    AuditFailed = SERVICE_UNAVAILABLE, "audit_failed", "the audit could not be carried out",
        "see in the server's log which provider could not be read, then try again";
}

impl Code {
    /// The code for a refusal that no route of ours made, such as the router's own.
    pub(crate) fn for_status(status: StatusCode) -> Self {
        match status {
            StatusCode::UNAUTHORIZED => Self::Unauthorized,
            StatusCode::FORBIDDEN => Self::AdministratorOnly,
            StatusCode::NOT_FOUND => Self::NotFound,
            StatusCode::METHOD_NOT_ALLOWED => Self::MethodNotAllowed,
            StatusCode::REQUEST_TIMEOUT => Self::RequestTooSlow,
            StatusCode::CONFLICT => Self::Conflict,
            StatusCode::PAYLOAD_TOO_LARGE => Self::TooLarge,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::UnsupportedMediaType,
            status if status.is_client_error() => Self::BadRequest,
            _ => Self::Internal,
        }
    }
}
