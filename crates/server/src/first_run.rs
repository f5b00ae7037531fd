//! The first administrator of a new installation.

use alfred_model::id::TokenId;
use alfred_model::seam::{Clock, Random};
use alfred_model::user::{AccessToken, Role, User, UserName};
use alfred_store::{Store, StoreError};
use secrecy::SecretString;

use crate::auth::secret;

/// The name of the first user.
const FIRST_USER: &str = "admin";

/// Why there is no first administrator.
#[derive(Debug, thiserror::Error)]
pub enum FirstRunError<E> {
    /// The store refused or failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The secret could not be kept, so that the token was not made.
    #[error("the token could not be kept")]
    Keep(E),
}

/// Makes the user `admin` with an administrator's token, if there is no user yet, and answers the token's secret: it
/// is nowhere else, and is not told again. Nothing, if there are users.
///
/// `keep` puts the secret where its owner finds it. It is called before the token is made, because only its hash is
/// stored: if the process ends in between, the next start makes another one, and the secret that was kept opens
/// nothing. The other way round nobody could ever get in. For the same reason a first run that ended between the user
/// and the token is finished now.
pub async fn first_run<E>(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    keep: impl FnOnce(&SecretString) -> Result<(), E>,
) -> Result<Option<SecretString>, FirstRunError<E>> {
    let name: UserName = FIRST_USER.parse().expect("`admin` is five letters");
    let users = store.users().await?;
    match users.as_slice() {
        [] => {
            let user = User { name: name.clone(), role: Role::Administrator, quota: None, created_at: clock.now() };
            match store.create_user(&user).await {
                Ok(()) => {}
                // Another replica was first and tells the secret.
                Err(StoreError::UserExists { .. }) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
        [only] if only.name == name && store.tokens().await?.is_empty() => {}
        _ => return Ok(None),
    }
    make_token(store, clock, random, name, "first run", keep).await.map(Some)
}

/// Makes another administrator's token, for the user `admin` or the first administrator by name, and answers its secret:
/// for records that were restored where the secrets of their tokens are lost. Nothing, if there is no administrator.
/// `keep` is called as by [`first_run`].
pub async fn another_token<E>(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    keep: impl FnOnce(&SecretString) -> Result<(), E>,
) -> Result<Option<SecretString>, FirstRunError<E>> {
    let mut administrators = store.users().await?;
    administrators.retain(|user| user.role == Role::Administrator);
    administrators.sort_by_key(|user| user.name.as_str() != FIRST_USER);
    let Some(user) = administrators.into_iter().next() else { return Ok(None) };
    make_token(store, clock, random, user.name, "after a restore", keep).await.map(Some)
}

async fn make_token<E>(
    store: &dyn Store,
    clock: &dyn Clock,
    random: &dyn Random,
    user: UserName,
    label: &str,
    keep: impl FnOnce(&SecretString) -> Result<(), E>,
) -> Result<SecretString, FirstRunError<E>> {
    let (secret, hash) = secret::mint(random);
    keep(&secret).map_err(FirstRunError::Keep)?;
    let now = clock.now();
    let token = AccessToken {
        id: TokenId::generate(now, random),
        user,
        label: label.to_owned(),
        hash,
        created_at: now,
        expires_at: None,
        states_only: false,
        revoked_at: None,
    };
    store.create_token(&token).await?;
    Ok(secret)
}
