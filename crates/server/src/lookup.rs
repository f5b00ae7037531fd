//! Finding what a path names, as far as the caller may see it.

use alfred_model::environment::Environment;
use alfred_model::id::EnvironmentId;
use alfred_model::name::Slug;
use alfred_model::user::{User, UserName};

use crate::app::App;
use crate::auth::Caller;
use crate::input::shortened;
use crate::problem::{Code, Problem};

/// The length of a UUID with its hyphens, the only form in which we write one.
const UUID_LENGTH: usize = 36;

/// The environment with this id, or with this slug now. Others' environments are answered as if they did not exist.
pub(crate) async fn environment(app: &App, caller: &Caller, name: &str) -> Result<Environment, Problem> {
    let mut found = None;
    if let Some(id) = environment_id(name) {
        found = app.store().environment(id).await?;
    }
    // A slug may look like an id; what is an id is taken as one.
    if found.is_none()
        && let Ok(slug) = name.parse::<Slug>()
    {
        found = app.store().environment_by_slug(&slug).await?;
    }
    found.filter(|environment| caller.sees(environment)).ok_or_else(|| {
        Problem::new(Code::EnvironmentNotFound, format!("there is no environment `{}`", shortened(name)))
    })
}

/// The user of this name; refused, if there is none.
pub(crate) async fn user(app: &App, name: &str) -> Result<User, Problem> {
    let name = user_name(name)?;
    let user = app.store().user(&name).await?;
    user.ok_or_else(|| Problem::new(Code::UnknownUser, format!("there is no user `{name}`")))
}

/// Reads a user name.
pub(crate) fn user_name(text: &str) -> Result<UserName, Problem> {
    text.parse().map_err(|error: alfred_model::user::BadUserName| Problem::new(Code::BadUserName, error.to_string()))
}

fn environment_id(text: &str) -> Option<EnvironmentId> {
    if text.len() == UUID_LENGTH { text.parse().ok() } else { None }
}
