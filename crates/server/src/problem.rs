//! Refusals on the wire: problem details as RFC 9457 has them (<https://www.rfc-editor.org/rfc/rfc9457>), with a code
//! for programs and a hint for people.

mod code;
mod from;

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

pub(crate) use code::Code;

/// What the media type of a problem is.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

/// Why a request was refused, as the client reads it.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    code: Code,
    detail: String,
    hint: String,
    /// What really happened, for the log alone.
    cause: Option<String>,
    instance: Option<Uuid>,
    /// Whether the client can send a token as the password of HTTP Basic alone.
    wants_basic: bool,
}

/// The body of a refusal.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem, example = json!({
    "type": "tag:alfredos.site,2026:problem/slug_taken",
    "title": "the slug is taken",
    "status": 409,
    "detail": "the slug `brave-tiger` is taken, choose another",
    "code": "slug_taken",
    "hint": "choose another slug, or leave it out to get a generated one",
    "instance": "urn:uuid:0d7e3f5c-1f0f-4e43-9b1d-1f9b9a3a7c11"
}))]
pub(crate) struct ProblemBody {
    /// Names the kind of problem for ever; the same for the same code. It is a name, not an address.
    r#type: String,
    /// The kind of problem in a few words; the same for the same code.
    title: &'static str,
    /// The HTTP status again.
    status: u16,
    /// What happened, to what.
    detail: String,
    /// The kind of problem in one stable word, for programs.
    #[schema(schema_with = crate::schema::problem_code)]
    code: &'static str,
    /// What to do about it.
    hint: String,
    /// This very request; the server's log has the same id.
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<String>,
}

impl Problem {
    /// A refusal; the hint is the code's own until [`Problem::hint`] gives a better one.
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            hint: code.hint().to_owned(),
            cause: None,
            instance: None,
            wants_basic: false,
        }
    }

    /// A failure of ours: the client learns an id, the log learns the cause.
    pub(crate) fn internal(cause: impl Into<String>) -> Self {
        Self::new(Code::Internal, "the request failed for a reason inside the server").because(cause)
    }

    /// With a hint that fits this case better than the code's own.
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: hint.into(), ..self }
    }

    /// With a cause for the log, which the client does not see.
    pub(crate) fn because(self, cause: impl Into<String>) -> Self {
        Self { cause: Some(cause.into()), ..self }
    }

    /// Asks for HTTP Basic where no token came.
    pub(crate) fn basic(self) -> Self {
        Self { wants_basic: true, ..self }
    }

    /// With the id of the request.
    pub(crate) fn of_request(self, id: Uuid) -> Self {
        Self { instance: Some(id), ..self }
    }

    /// What happened, as the client reads it.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// What the log is told beyond the code.
    pub(crate) fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    /// The code.
    pub(crate) const fn code(&self) -> Code {
        self.code
    }

    /// What the client reads; also where a request is answered for several things at once.
    pub(crate) fn body(&self) -> ProblemBody {
        ProblemBody {
            r#type: format!("tag:alfredos.site,2026:problem/{}", self.code.word()),
            title: self.code.title(),
            status: self.code.status().as_u16(),
            detail: self.detail.clone(),
            code: self.code.word(),
            hint: self.hint.clone(),
            instance: self.instance.map(|id| format!("urn:uuid:{id}")),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self.body()).expect("a problem is text and numbers, which JSON can hold");
        let mut response = (self.code.status(), body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if self.code == Code::Unauthorized {
            let challenge = if self.wants_basic { "Basic realm=\"alfred\"" } else { "Bearer realm=\"alfred\"" };
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        // The guard takes the problem back out, logs its cause and adds the request's id.
        response.extensions_mut().insert(self);
        response
    }
}
