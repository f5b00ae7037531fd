//! What the server's HTTP API says, as this program reads it.
//!
//! Reading is lenient: words of a newer server are kept as they are, and fields that this version does not know are
//! passed on to `--json` unchanged.

mod pool;
mod state;

use alfred_model::money::Money;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::ttl::Ttl;
pub(crate) use pool::{Cost, Lapse, OneOrder, Order, Ordered, Pool, PoolVm, VmRequest};
pub(crate) use state::{
    AttributeChange, Change, ChangeCounts, State, StateDiff, StateGrant, StateGrants, StateLock, StateLog,
    StateSettings, StateVerification, StateVersion, StateVersions, States,
};

/// An environment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Environment {
    pub(crate) id: String,
    pub(crate) slug: String,
    pub(crate) domain: String,
    pub(crate) address: Option<String>,
    pub(crate) vm_id: Option<i64>,
    pub(crate) status: String,
    pub(crate) step: String,
    pub(crate) owner: String,
    pub(crate) reason: Option<String>,
    #[serde(default)]
    pub(crate) attention: bool,
    #[serde(default)]
    pub(crate) expires_at: Option<Timestamp>,
    #[serde(default)]
    pub(crate) expiry_warned_at: Option<Timestamp>,
    #[serde(default)]
    pub(crate) expires_at_most: Option<Timestamp>,
    #[serde(default)]
    pub(crate) batch: Option<String>,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// One page of environments, or those that a request made.
#[derive(Debug, Serialize, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the fields have the names that the API gives them")]
pub(crate) struct Environments {
    pub(crate) environments: Vec<Environment>,
    /// The request that made them, in its answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) batch: Option<String>,
    /// What is left of their owner's quota, in the same answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) quota: Option<Quota>,
    #[serde(default, skip_serializing)]
    pub(crate) next_cursor: Option<String>,
}

/// A request for environments.
#[derive(Debug, Serialize)]
pub(crate) struct CreateEnvironments {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) slug: Option<String>,
    pub(crate) count: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) owner: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) ssh_keys: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) time_zone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) script: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) on_failure: Option<String>,
    /// Absent for what is usual, null for no end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ttl_seconds: Option<Ttl>,
}

/// Another end for an environment; none, where null.
#[derive(Debug, Serialize)]
pub(crate) struct Extend {
    pub(crate) ttl_seconds: Ttl,
}

/// How many environments a user may have and has.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Quota {
    pub(crate) user: String,
    pub(crate) used: u64,
    pub(crate) limit: Option<u32>,
    #[serde(default)]
    pub(crate) own: bool,
    #[serde(default)]
    pub(crate) nearly_used: bool,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// A quota to set; that of all, where null.
#[derive(Debug, Serialize)]
pub(crate) struct SetQuota {
    pub(crate) quota: Option<u32>,
}

/// One line of an environment's history.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Event {
    pub(crate) sequence: i64,
    pub(crate) environment_id: String,
    #[serde(default)]
    pub(crate) slug: Option<String>,
    pub(crate) at: Timestamp,
    pub(crate) status: String,
    pub(crate) step: String,
    pub(crate) actor: String,
    pub(crate) message: String,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// One page of a history.
#[derive(Debug, Deserialize)]
pub(crate) struct Events {
    pub(crate) events: Vec<Event>,
}

/// A VM.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Vm {
    pub(crate) id: i64,
    pub(crate) display_name: String,
    pub(crate) address: Option<String>,
    pub(crate) state: String,
    pub(crate) assignable_at: Option<Timestamp>,
    pub(crate) paid_until: Option<Timestamp>,
    #[serde(default)]
    pub(crate) ends: bool,
    pub(crate) price: Option<Money>,
    pub(crate) reason: Option<String>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// All VMs.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Vms {
    pub(crate) vms: Vec<Vm>,
}

/// An access token, without its secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Token {
    pub(crate) id: String,
    pub(crate) user: String,
    pub(crate) label: String,
    pub(crate) created_at: Timestamp,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) revoked_at: Option<Timestamp>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// All access tokens.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Tokens {
    pub(crate) tokens: Vec<Token>,
}

/// An error, as RFC 9457 has it, with the members that this server adds.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Problem {
    pub(crate) title: Option<String>,
    pub(crate) detail: Option<String>,
    pub(crate) code: Option<String>,
    pub(crate) hint: Option<String>,
}

impl Environments {
    /// Environments as a document.
    pub(crate) fn of(environments: Vec<Environment>) -> Self {
        Self { environments, batch: None, quota: None, next_cursor: None }
    }
}

impl Environment {
    /// Whether nothing more will happen by itself.
    pub(crate) fn is_settled(&self) -> bool {
        self.attention || matches!(self.status.as_str(), "active" | "error" | "deleted")
    }

    /// What the use of its VM has cost, where that is known.
    pub(crate) fn cost(&self) -> Option<Cost> {
        Cost::deserialize(self.rest.get("cost")?).ok()
    }

    /// What is being done, for a person.
    pub(crate) fn doing(&self) -> &str {
        match self.status.as_str() {
            "provisioning" | "deleting" => step_words(&self.step),
            _ => "",
        }
    }
}

/// A step in words for a person; a word that this version does not know stays as it is.
pub(crate) fn step_words(step: &str) -> &str {
    match step {
        "assign_vm" => "taking a VM from the pool",
        "order_vm" => "ordering a VM",
        "name_vm" => "naming the VM",
        "install_vm" => "installing the VM",
        "start_vm" => "starting the VM",
        "await_vm" => "waiting for the VM to run",
        "reach_vm" => "waiting for the VM to accept connections",
        "write_record" => "writing the DNS record",
        "verify_record" => "asking the DNS servers for the name",
        "withdraw_record" => "withdrawing the DNS record",
        "await_absence" => "waiting for the name to vanish",
        "release_vm" => "giving the VM back",
        "settled" => "",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use alfred_model::environment::Step;

    use super::*;

    #[test]
    fn every_step_has_words_for_people() {
        for step in Step::ALL {
            assert!(!step_words(step.as_str()).contains('_'), "{step}");
        }
        assert_eq!(step_words("something_new"), "something_new");
    }

    #[test]
    fn fields_of_a_newer_server_are_passed_on() {
        let text = r#"{"id":"1","slug":"brave-tiger","domain":"brave-tiger.alfredos.site","address":null,"vm_id":null,
            "status":"hibernating","step":"settled","owner":"ada","reason":null,
            "created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z","colour":"blue"}"#;
        let environment: Environment = serde_json::from_str(text).unwrap();
        assert_eq!(environment.status, "hibernating");
        assert_eq!(serde_json::to_value(&environment).unwrap()["colour"], "blue");
    }
}
