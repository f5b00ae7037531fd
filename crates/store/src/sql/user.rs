//! Adds users and access tokens, and withdraws tokens.

use alfred_model::id::TokenId;
use alfred_model::user::{AccessToken, User};
use async_trait::async_trait;
use jiff::Timestamp;

use super::row::{TOKEN, USER, token_values, user_values};
use super::session::Session;
use super::statement::{Statement, Value};
use super::writer::Work;
use crate::StoreError;

/// A user to add.
pub(super) struct NewUser(pub(super) User);

#[async_trait]
impl Work for NewUser {
    type Answer = ();

    async fn run(&self, session: &mut Session) -> Result<(), StoreError> {
        let user = &self.0;
        let select = Statement::new("SELECT name FROM users WHERE name = ").value(user.name.as_str());
        if !session.read("looking for a user", select).await?.is_empty() {
            return Err(StoreError::UserExists { name: user.name.to_string() });
        }
        let insert = Statement::new(format!("INSERT INTO users ({USER}) VALUES ")).list_of(user_values(user));
        session.write("adding a user", insert).await?;
        Ok(())
    }
}

/// An access token to add.
pub(super) struct NewToken(pub(super) AccessToken);

#[async_trait]
impl Work for NewToken {
    type Answer = ();

    async fn run(&self, session: &mut Session) -> Result<(), StoreError> {
        let token = &self.0;
        let select = Statement::new("SELECT name FROM users WHERE name = ").value(token.user.as_str());
        if session.read("looking for the token's user", select).await?.is_empty() {
            return Err(StoreError::Conflict { what: format!("the user `{}`", token.user) });
        }
        let select = Statement::new("SELECT id FROM access_tokens WHERE id = ")
            .value(Value::shown(&token.id))
            .text(" OR hash = ")
            .value(token.hash.as_str());
        if !session.read("looking for a token", select).await?.is_empty() {
            return Err(StoreError::Conflict { what: format!("the access token {}", token.id) });
        }
        let insert =
            Statement::new(format!("INSERT INTO access_tokens ({TOKEN}) VALUES ")).list_of(token_values(token));
        session.write("adding a token", insert).await?;
        Ok(())
    }
}

/// A token to withdraw.
pub(super) struct RevokeToken {
    pub(super) id: TokenId,
    pub(super) now: Timestamp,
}

#[async_trait]
impl Work for RevokeToken {
    type Answer = bool;

    async fn run(&self, session: &mut Session) -> Result<bool, StoreError> {
        let update = Statement::new("UPDATE access_tokens SET revoked_at = ")
            .value(Value::time(self.now))
            .text(" WHERE revoked_at IS NULL AND id = ")
            .value(Value::shown(&self.id));
        Ok(session.write("withdrawing a token", update).await? > 0)
    }
}
