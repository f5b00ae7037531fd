//! New lines of the ledger, and the one-time tokens with which VMs call home.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Mutex;

use alfred_model::environment::Environment;
use alfred_model::id::{IntentId, VmId};
use alfred_model::intent::{Intent, IntentKind, Outcome};
use alfred_model::lifecycle::{self, ACTOR};
use alfred_store::{Changes, StoreError};
use sha2::{Digest, Sha256};

use crate::Engine;

/// What a new intent is about.
pub(crate) struct NewIntent<'a> {
    pub(crate) kind: IntentKind,
    pub(crate) environment: Option<&'a Environment>,
    pub(crate) vm_id: Option<VmId>,
    pub(crate) subject: String,
}

/// An intent that is about to be written, with the secret that goes into the VM and nowhere else.
pub(crate) struct Prepared {
    pub(crate) row: Intent,
    token: Option<String>,
}

/// The call-home tokens of installations that are being sent. Only their hashes are stored: after a crash the
/// installation is sent again with a new token.
#[derive(Default)]
pub(crate) struct CallHomeTokens(Mutex<HashMap<IntentId, String>>);

impl CallHomeTokens {
    pub(crate) fn remember(&self, prepared: &Prepared) {
        if let Some(token) = &prepared.token {
            self.lock().insert(prepared.row.id, token.clone());
        }
    }

    fn take(&self, intent: IntentId) -> Option<String> {
        self.lock().remove(&intent)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<IntentId, String>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// SHA-256 of a secret, in lower-case hexadecimal: what is stored instead of it.
pub fn secret_hash(secret: &str) -> String {
    Sha256::digest(secret.as_bytes()).iter().fold(String::with_capacity(64), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        text
    })
}

impl Engine {
    pub(crate) fn new_intent(&self, new: &NewIntent<'_>) -> Intent {
        let now = self.clock.now();
        Intent {
            id: IntentId::generate(now, &*self.random),
            kind: new.kind,
            environment_id: new.environment.map(|environment| environment.id),
            vm_id: new.vm_id,
            request_id: self.random.uuid(),
            subject: new.subject.clone(),
            actor: new.environment.map_or_else(|| ACTOR.to_owned(), |environment| environment.owner.to_string()),
            outcome: Outcome::Open,
            audit_id: None,
            answer: None,
            refused: false,
            call_home_hash: None,
            called_home_at: None,
            created_at: now,
            settled_at: None,
        }
    }

    /// Gives an installation its one-time token, where VMs can call home.
    pub(crate) fn with_call_home(&self, mut intent: Intent) -> Prepared {
        let installs = matches!(intent.kind, IntentKind::OrderVm | IntentKind::InstallVm);
        if !installs || self.settings.call_home_base.is_none() {
            return Prepared { row: intent, token: None };
        }
        let mut bytes = [0; 32];
        self.random.fill(&mut bytes);
        let token = bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
            write!(text, "{byte:02x}").expect("writing to a string cannot fail");
            text
        });
        intent.call_home_hash = Some(secret_hash(&token));
        Prepared { row: intent, token: Some(token) }
    }

    /// Where the VM of this installation calls home.
    pub(crate) fn call_home_url(&self, intent: Option<&Intent>) -> Option<String> {
        let base = self.settings.call_home_base.as_deref()?;
        let token = self.call_home_tokens.take(intent?.id)?;
        Some(format!("{}/v1/call-home/{token}", base.trim_end_matches('/')))
    }

    /// A VM called home; whether that installation was waiting for it. Each token works once.
    pub async fn call_home(&self, token: &str) -> Result<bool, StoreError> {
        let Some(intent) = self.store.call_home(&secret_hash(token), self.clock.now()).await? else {
            return Ok(false);
        };
        if let Some(id) = intent.environment_id
            && let Some(environment) = self.store.environment(id).await?
        {
            let event = lifecycle::event(&environment, self.clock.now(), lifecycle::ACTOR, "VM called home");
            self.store.commit(Changes { events: vec![event], ..Changes::default() }).await?;
        }
        self.poke();
        self.vms_due.notify_one();
        Ok(true)
    }
}
