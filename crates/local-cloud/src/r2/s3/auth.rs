//! Who signs S3 calls.

use s3s::{
    S3Result,
    auth::{S3Auth, SecretKey},
};
use secrecy::{ExposeSecret as _, SecretString};

use crate::r2::{Options, Refusal};

/// The one key pair of this account.
pub(in crate::r2) struct Account {
    id: String,
    secret: SecretString,
}

impl Account {
    pub(in crate::r2) fn new(options: &Options) -> Self {
        Self { id: options.access_key_id.clone(), secret: options.secret_access_key.clone() }
    }
}

#[async_trait::async_trait]
impl S3Auth for Account {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        if access_key == self.id {
            Ok(SecretKey::from(self.secret.expose_secret()))
        } else {
            Err(Refusal::UNAUTHORIZED.into())
        }
    }
}
