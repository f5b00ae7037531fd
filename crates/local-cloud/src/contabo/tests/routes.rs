//! The names of the calls.

use std::collections::HashSet;

use http::Method;

use crate::contabo::route_name;

#[test]
fn every_call_has_a_name_of_its_own() {
    let calls = [
        ("POST", "/auth/realms/contabo/protocol/openid-connect/token", "contabo.token"),
        ("POST", "/v1/compute/instances", "contabo.instances.create"),
        ("GET", "/v1/compute/instances", "contabo.instances.list"),
        ("GET", "/v1/compute/instances/100", "contabo.instances.get"),
        ("PATCH", "/v1/compute/instances/100", "contabo.instances.rename"),
        ("PUT", "/v1/compute/instances/100", "contabo.instances.reinstall"),
        ("POST", "/v1/compute/instances/100/cancel", "contabo.instances.cancel"),
        ("POST", "/v1/compute/instances/100/actions/start", "contabo.instances.actions.start"),
        ("POST", "/v1/compute/instances/100/actions/resetPassword", "contabo.instances.actions.reset_password"),
        ("GET", "/v1/compute/instances/audits", "contabo.instances.audits"),
        ("GET", "/v1/compute/instances/actions/audits", "contabo.instances.actions.audits"),
        ("GET", "/v1/compute/images", "contabo.images.list"),
        ("GET", "/v1/compute/images/x", "contabo.images.get"),
        ("DELETE", "/v1/secrets/1", "contabo.secrets.delete"),
        ("GET", "/v1/secrets/audits", "contabo.secrets.audits"),
        ("GET", "/v1/tags/audits", "contabo.tags.audits"),
        ("GET", "/v1/tags/assignments/audits", "contabo.tags.assignments.audits"),
        ("GET", "/v1/tags/1/assignments", "contabo.tags.assignments.list"),
        ("POST", "/v1/tags/1/assignments/instance/2", "contabo.tags.assignments.create"),
        ("GET", "/_admin/machines", "contabo.admin.machines"),
        ("GET", "/_admin/machines/1/user-data", "contabo.admin.user_data"),
    ];
    for (method, path, name) in calls {
        assert_eq!(route_name(&method.parse().unwrap(), path), Some(name), "{method} {path}");
    }
    assert_eq!(calls.iter().map(|(_, _, name)| name).collect::<HashSet<_>>().len(), calls.len());
}

#[test]
fn what_is_no_call_has_no_name() {
    for (method, path) in [
        (Method::DELETE, "/v1/compute/instances/100"),
        (Method::DELETE, "/v1/compute/instances/100/cancel"),
        (Method::GET, "/v1/compute/instances/100/snapshots"),
        (Method::GET, "/v1"),
        (Method::GET, "/client/v4/zones"),
        (Method::POST, "/_admin/machines"),
        (Method::GET, ""),
    ] {
        assert_eq!(route_name(&method, path), None, "{method} {path}");
    }
}
