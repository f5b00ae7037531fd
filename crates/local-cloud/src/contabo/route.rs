//! Which call a method and path mean.

use http::Method;

/// The path of Contabo's token endpoint; on the platform it is on another host.
pub(crate) const TOKEN_PATH: &str = "/auth/realms/contabo/protocol/openid-connect/token";

/// A power action on an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Start,
    Stop,
    Restart,
    Shutdown,
    Rescue,
    ResetPassword,
}

impl Action {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Shutdown => "shutdown",
            Self::Rescue => "rescue",
            Self::ResetPassword => "resetPassword",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        [Self::Start, Self::Stop, Self::Restart, Self::Shutdown, Self::Rescue, Self::ResetPassword]
            .into_iter()
            .find(|action| action.as_str() == word)
    }

    /// Whether the platform requires a body with it.
    pub(crate) const fn needs_body(self) -> bool {
        matches!(self, Self::Rescue | Self::ResetPassword)
    }
}

/// One call of the API. Ids are as they stand in the path, unchecked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    InstanceCreate,
    InstanceList,
    InstanceGet(String),
    InstanceRename(String),
    InstanceReinstall(String),
    InstanceCancel(String),
    InstanceAction(String, Action),
    InstanceAudits,
    ActionAudits,
    ImageList,
    ImageGet(String),
    SecretCreate,
    SecretList,
    SecretGet(String),
    SecretUpdate(String),
    SecretDelete(String),
    SecretAudits,
    TagCreate,
    TagList,
    TagGet(String),
    TagUpdate(String),
    TagDelete(String),
    TagAudits,
    AssignmentList(String),
    AssignmentGet(Assigned),
    AssignmentCreate(Assigned),
    AssignmentDelete(Assigned),
    AssignmentAudits,
}

/// A tag and the resource that it is, or is to be, assigned to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Assigned {
    pub(crate) tag: String,
    pub(crate) kind: String,
    pub(crate) resource: String,
}

impl Route {
    /// The call that `method` and `path` mean; `None` if the platform has no such call or this cloud does not cover it.
    pub(crate) fn parse(method: &Method, path: &str) -> Option<Self> {
        let segments: Vec<&str> = path.strip_prefix("/v1/")?.split('/').collect();
        match segments.as_slice() {
            ["compute", "instances", rest @ ..] => Self::instances(method, rest),
            ["compute", "images", rest @ ..] => match (method.as_str(), rest) {
                ("GET", []) => Some(Self::ImageList),
                ("GET", [id]) => Some(Self::ImageGet((*id).to_owned())),
                _ => None,
            },
            ["secrets", rest @ ..] => Self::secrets(method, rest),
            ["tags", rest @ ..] => Self::tags(method, rest),
            _ => None,
        }
    }

    fn instances(method: &Method, rest: &[&str]) -> Option<Self> {
        let owned = |id: &&str| (*id).to_owned();
        Some(match (method.as_str(), rest) {
            ("POST", []) => Self::InstanceCreate,
            ("GET", []) => Self::InstanceList,
            ("GET", ["audits"]) => Self::InstanceAudits,
            ("GET", ["actions", "audits"]) => Self::ActionAudits,
            ("GET", [id]) => Self::InstanceGet(owned(id)),
            ("PATCH", [id]) => Self::InstanceRename(owned(id)),
            ("PUT", [id]) => Self::InstanceReinstall(owned(id)),
            ("POST", [id, "cancel"]) => Self::InstanceCancel(owned(id)),
            ("POST", [id, "actions", action]) => Self::InstanceAction(owned(id), Action::parse(action)?),
            _ => return None,
        })
    }

    fn secrets(method: &Method, rest: &[&str]) -> Option<Self> {
        let owned = |id: &&str| (*id).to_owned();
        Some(match (method.as_str(), rest) {
            ("POST", []) => Self::SecretCreate,
            ("GET", []) => Self::SecretList,
            ("GET", ["audits"]) => Self::SecretAudits,
            ("GET", [id]) => Self::SecretGet(owned(id)),
            ("PATCH", [id]) => Self::SecretUpdate(owned(id)),
            ("DELETE", [id]) => Self::SecretDelete(owned(id)),
            _ => return None,
        })
    }

    fn tags(method: &Method, rest: &[&str]) -> Option<Self> {
        let owned = |id: &&str| (*id).to_owned();
        let assigned = |tag, kind, resource| Assigned { tag: owned(tag), kind: owned(kind), resource: owned(resource) };
        Some(match (method.as_str(), rest) {
            ("POST", []) => Self::TagCreate,
            ("GET", []) => Self::TagList,
            ("GET", ["audits"]) => Self::TagAudits,
            ("GET", ["assignments", "audits"]) => Self::AssignmentAudits,
            ("GET", [id]) => Self::TagGet(owned(id)),
            ("PATCH", [id]) => Self::TagUpdate(owned(id)),
            ("DELETE", [id]) => Self::TagDelete(owned(id)),
            ("GET", [tag, "assignments"]) => Self::AssignmentList(owned(tag)),
            ("GET", [tag, "assignments", kind, id]) => Self::AssignmentGet(assigned(tag, kind, id)),
            ("POST", [tag, "assignments", kind, id]) => Self::AssignmentCreate(assigned(tag, kind, id)),
            ("DELETE", [tag, "assignments", kind, id]) => Self::AssignmentDelete(assigned(tag, kind, id)),
            _ => return None,
        })
    }

    /// The stable name by which faults, budgets and metrics speak of the call.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::InstanceCreate => "contabo.instances.create",
            Self::InstanceList => "contabo.instances.list",
            Self::InstanceGet(_) => "contabo.instances.get",
            Self::InstanceRename(_) => "contabo.instances.rename",
            Self::InstanceReinstall(_) => "contabo.instances.reinstall",
            Self::InstanceCancel(_) => "contabo.instances.cancel",
            Self::InstanceAction(_, Action::Start) => "contabo.instances.actions.start",
            Self::InstanceAction(_, Action::Stop) => "contabo.instances.actions.stop",
            Self::InstanceAction(_, Action::Restart) => "contabo.instances.actions.restart",
            Self::InstanceAction(_, Action::Shutdown) => "contabo.instances.actions.shutdown",
            Self::InstanceAction(_, Action::Rescue) => "contabo.instances.actions.rescue",
            Self::InstanceAction(_, Action::ResetPassword) => "contabo.instances.actions.reset_password",
            Self::InstanceAudits => "contabo.instances.audits",
            Self::ActionAudits => "contabo.instances.actions.audits",
            Self::ImageList => "contabo.images.list",
            Self::ImageGet(_) => "contabo.images.get",
            Self::SecretCreate => "contabo.secrets.create",
            Self::SecretList => "contabo.secrets.list",
            Self::SecretGet(_) => "contabo.secrets.get",
            Self::SecretUpdate(_) => "contabo.secrets.update",
            Self::SecretDelete(_) => "contabo.secrets.delete",
            Self::SecretAudits => "contabo.secrets.audits",
            Self::TagCreate => "contabo.tags.create",
            Self::TagList => "contabo.tags.list",
            Self::TagGet(_) => "contabo.tags.get",
            Self::TagUpdate(_) => "contabo.tags.update",
            Self::TagDelete(_) => "contabo.tags.delete",
            Self::TagAudits => "contabo.tags.audits",
            Self::AssignmentList(_) => "contabo.tags.assignments.list",
            Self::AssignmentGet(_) => "contabo.tags.assignments.get",
            Self::AssignmentCreate(_) => "contabo.tags.assignments.create",
            Self::AssignmentDelete(_) => "contabo.tags.assignments.delete",
            Self::AssignmentAudits => "contabo.tags.assignments.audits",
        }
    }

    /// Whether the platform requires a body.
    pub(crate) const fn needs_body(&self) -> bool {
        match self {
            Self::InstanceCreate
            | Self::InstanceRename(_)
            | Self::InstanceReinstall(_)
            | Self::InstanceCancel(_)
            | Self::SecretCreate
            | Self::SecretUpdate(_)
            | Self::TagCreate
            | Self::TagUpdate(_) => true,
            Self::InstanceAction(_, action) => action.needs_body(),
            _ => false,
        }
    }
}

/// The stable name of the call that `method` and `path` mean, such as `contabo.instances.create`; `None` if there is none.
/// `path` is without the query.
pub fn route_name(method: &Method, path: &str) -> Option<&'static str> {
    if path == TOKEN_PATH {
        return (method == Method::POST).then_some("contabo.token");
    }
    if method == Method::GET {
        if path == "/_admin/machines" {
            return Some("contabo.admin.machines");
        }
        if path.strip_prefix("/_admin/machines/").is_some_and(|rest| rest.ends_with("/user-data")) {
            return Some("contabo.admin.user_data");
        }
    }
    Route::parse(method, path).map(|route| route.name())
}
