//! Power actions on an instance.

use serde_json::json;

use super::audit::{Change, Kind};
use super::fields::Fields;
use super::instances::not_ready;
use super::reply::{Refusal, Reply};
use super::route::Action;
use super::secrets::SecretKind;
use super::state::{CUSTOMER, Call, Moment, State, TENANT};
use super::status::Status;
use super::time::after;

impl State {
    pub(super) fn act_on_instance(
        &mut self,
        id: &str,
        action: Action,
        call: &Call<'_>,
        moment: Moment<'_>,
    ) -> Result<Reply, Refusal> {
        let Moment { now, options, .. } = moment;
        let instance = self.instance(id, now)?;
        let id = instance.id;
        let status = instance.timed_status(now);
        if action.needs_body() {
            self.check_access(call, moment)?;
        }
        if !instance.allocated(now, options) || matches!(status, Status::Installing | Status::Error) {
            return Err(not_ready());
        }
        self.turn(id, action, status, moment);
        self.note(call, moment, Kind::Action, Change::Created, id, json!({ "new": { "action": action.as_str() } }));
        let object = json!({ "tenantId": TENANT, "customerId": CUSTOMER, "instanceId": id, "action": action.as_str() });
        Ok(Reply::one(201, &object, call.path))
    }

    /// Starting what runs and stopping what is stopped changes nothing, as the platform documents.
    fn turn(&mut self, id: i64, action: Action, status: Status, moment: Moment<'_>) {
        let Moment { now, options, random } = moment;
        let done_at = after(now, options.action.draw(random));
        let boot = options.boot.draw(random);
        let Some(instance) = self.instances.get_mut(&id) else {
            return;
        };
        match action {
            Action::Start if status == Status::Running => {}
            Action::Start | Action::Restart => {
                instance.proceed(now, [(now, Status::Running)]);
                instance.boots(after(now, boot));
            }
            Action::Stop | Action::Shutdown if status == Status::Stopped => {}
            Action::Stop => instance.proceed(now, [(now, Status::Stopped)]),
            Action::Shutdown => instance.proceed(now, [(done_at, Status::Stopped)]),
            Action::Rescue => instance.proceed(now, [(now, Status::Rescue)]),
            Action::ResetPassword => {
                instance.proceed(now, [(now, Status::ResetPassword), (done_at, Status::Running)]);
                instance.boots(after(done_at, boot));
            }
        }
    }

    /// Checks the keys and the password that a rescue or a reset is to set.
    fn check_access(&self, call: &Call<'_>, moment: Moment<'_>) -> Result<(), Refusal> {
        let mut fields = Fields::new(&call.body);
        let keys = fields.integers("sshKeys");
        let password = fields.integer("rootPassword");
        fields.text("userData", 0, moment.options.user_data_max);
        fields.finish()?;
        let is = |id: &i64, kind| self.secrets.get(id).is_some_and(|secret| secret.kind == kind);
        if let Some(key) = keys.iter().find(|key| !is(key, SecretKind::Ssh)) {
            return Err(Refusal::new(400, format!("SSH key with secretId {key} was not found")));
        }
        if password.is_some_and(|id| !is(&id, SecretKind::Password)) {
            return Err(Refusal::server_error());
        }
        Ok(())
    }
}
