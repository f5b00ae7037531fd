//! What a call is answered with.

use serde_json::{Value, json};

/// An answer: a status code and, except for 204, a JSON body.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reply {
    /// The HTTP status code.
    pub(crate) status: u16,
    /// The body; `None` is an empty one.
    pub(crate) body: Option<Value>,
}

impl Reply {
    pub(crate) fn new(status: u16, body: Value) -> Self {
        Self { status, body: Some(body) }
    }

    /// The envelope of a single object: `data` is an array all the same.
    pub(crate) fn one(status: u16, object: &Value, self_link: &str) -> Self {
        Self::new(status, json!({ "data": [object], "_links": { "self": self_link } }))
    }

    pub(crate) fn links(status: u16, self_link: &str) -> Self {
        Self::new(status, json!({ "_links": { "self": self_link } }))
    }

    pub(crate) fn empty() -> Self {
        Self { status: 204, body: None }
    }
}

/// A refusal. Validation yields a list of sentences, everything else one: clients have to take both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    status: u16,
    messages: Messages,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Messages {
    One(String),
    Many(Vec<String>),
}

impl Refusal {
    pub(crate) fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, messages: Messages::One(message.into()) }
    }

    pub(crate) fn invalid(messages: Vec<String>) -> Self {
        Self { status: 400, messages: Messages::Many(messages) }
    }

    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(404, format!("{what} not found"))
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(401, "Unauthorized")
    }

    pub(crate) fn empty_body() -> Self {
        Self::new(400, "Body cannot be empty")
    }

    pub(crate) fn server_error() -> Self {
        Self::new(500, "Internal server error")
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        let message = match refusal.messages {
            Messages::One(message) => Value::from(message),
            Messages::Many(messages) => Value::from(messages),
        };
        Self::new(refusal.status, json!({ "statusCode": refusal.status, "message": message }))
    }
}
