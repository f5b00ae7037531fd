//! Users who prove themselves with credentials files, as Synadia Cloud gives them: an operator signs accounts, an account
//! signs users, and the server knows the operator (<https://docs.nats.io/running-a-nats-service/configuration/securing_nats/jwt>).

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use nkeys::KeyPair;

/// An operator with one account.
pub(crate) struct Operator {
    key: KeyPair,
    account: KeyPair,
    system: KeyPair,
}

impl Operator {
    /// Draws its keys.
    pub(crate) fn new() -> Self {
        Self { key: KeyPair::new_operator(), account: KeyPair::new_account(), system: KeyPair::new_account() }
    }

    /// What a server's configuration must say. The account may store so many bytes; `is_limit_demanded`, if each stream must say how many it
    /// may take of them.
    pub(crate) fn configuration(&self, disk_storage: u64, is_limit_demanded: bool) -> String {
        let operator = self.key.public_key();
        let (account, system) = (self.account.public_key(), self.system.public_key());
        let limits = format!(
            r#""limits":{{"subs":-1,"data":-1,"payload":-1,"imports":-1,"exports":-1,"wildcards":true,"conn":-1,"leaf":-1,"mem_storage":1000000,"disk_storage":{disk_storage},"streams":-1,"consumer":-1,"max_bytes_required":{is_limit_demanded}}},"#
        );
        let without = r#""limits":{"subs":-1,"data":-1,"payload":-1,"imports":-1,"exports":-1,"wildcards":true,"conn":-1,"leaf":-1},"#;
        let account_token = sign(&self.key, &account, &format!(r#"{limits}"type":"account","version":2"#));
        let system_token = sign(&self.key, &system, &format!(r#"{without}"type":"account","version":2"#));
        let operator_token = sign(&self.key, &operator, r#""type":"operator","version":2"#);
        format!(
            "operator: {operator_token}\nsystem_account: {system}\nresolver: MEMORY\nresolver_preload: {{\n  {account}: \
             {account_token}\n  {system}: {system_token}\n}}\n"
        )
    }

    /// The content of a new user's credentials file. `permissions` are fields of its claims, such as
    /// `"pub":{"deny":["a"]},`; it may do everything if they are empty.
    pub(crate) fn credentials(&self, permissions: &str) -> String {
        let user = KeyPair::new_user();
        let claims = format!(r#"{permissions}"subs":-1,"data":-1,"payload":-1,"type":"user","version":2"#);
        let token = sign(&self.account, &user.public_key(), &claims);
        let seed = user.seed().unwrap();
        format!(
            "-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n\
             ************************* IMPORTANT *************************\n\
             NKEY Seed printed below can be used to sign and prove identity.\n\n\
             -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
        )
    }
}

/// A token by which `issuer` says something of `subject`: `claims` are fields of JSON.
fn sign(issuer: &KeyPair, subject: &str, claims: &str) -> String {
    let header = r#"{"typ":"JWT","alg":"ed25519-nkey"}"#;
    let issuer_key = issuer.public_key();
    let body = format!(
        r#"{{"jti":"TEST","iat":1700000000,"iss":"{issuer_key}","name":"test","sub":"{subject}","nats":{{{claims}}}}}"#
    );
    let text = format!("{}.{}", BASE64_URL_SAFE_NO_PAD.encode(header), BASE64_URL_SAFE_NO_PAD.encode(body));
    let signature = issuer.sign(text.as_bytes()).unwrap();
    format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}
