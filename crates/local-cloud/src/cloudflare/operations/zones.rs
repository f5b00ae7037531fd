//! Zones and the use of their quotas.

use bytes::Bytes;
use http::Response;
use serde_json::{Value, json};

use super::{
    super::{
        Cloudflare, World, answer,
        error::ApiError,
        options::{Options, Permission, TokenOptions},
        query::Page,
        record::wire_time,
        zone::Zone,
    },
    Call,
};

const PER_PAGE_DEFAULT: usize = 20;

pub(super) fn list(cloudflare: &Cloudflare, call: &Call<'_>) -> Result<Response<Bytes>, ApiError> {
    let page = Page::parse(&call.parameters, PER_PAGE_DEFAULT, 1..=50)?;
    let world = cloudflare.world();
    let mut found: Vec<&Zone> = world
        .zones
        .values()
        .map(|entry| &entry.zone)
        .filter(|zone| call.token.covers(&zone.settings.id))
        .filter(|zone| call.parameters.iter().all(|(key, value)| passes(zone, &world.options, key, value)))
        .collect();
    found.sort_by(|one, other| one.settings.name.cmp(&other.settings.name));
    if call.parameters.iter().any(|(key, value)| key == "direction" && value == "desc") {
        found.reverse();
    }
    let shown: Vec<Value> = page.of(&found).into_iter().map(|zone| view(zone, &world.options, &call.token)).collect();
    let info = answer::ResultInfo::new(page, shown.len(), found.len());
    Ok(answer::list(&shown, info))
}

fn passes(zone: &Zone, options: &Options, key: &str, value: &str) -> bool {
    let account = &options.account_name;
    match key {
        "name" => text_passes(&zone.settings.name, value),
        "status" => value == "active",
        "account.id" => value == options.account_id,
        "account.name" => text_passes(account, value),
        _ => true,
    }
}

/// Zone filters carry their operator in the value: `contains:fredos`.
/// <https://developers.cloudflare.com/api/resources/zones/methods/list/>
fn text_passes(text: &str, filter: &str) -> bool {
    let text = text.to_lowercase();
    let filter = filter.to_lowercase();
    match filter.split_once(':') {
        Some(("equal", wanted)) => text == wanted,
        Some(("not_equal", wanted)) => text != wanted,
        Some(("starts_with" | "starts_with_case_sensitive", wanted)) => text.starts_with(wanted),
        Some(("ends_with" | "ends_with_case_sensitive", wanted)) => text.ends_with(wanted),
        Some(("contains" | "contains_case_sensitive", wanted)) => text.contains(wanted),
        _ => text == filter,
    }
}

pub(super) fn get(cloudflare: &Cloudflare, call: &Call<'_>) -> Result<Response<Bytes>, ApiError> {
    let world = cloudflare.world();
    let entry = world.zones.get(call.route.zone).ok_or_else(|| ApiError::no_route(call.route.zone))?;
    Ok(answer::success(&view(&entry.zone, &world.options, &call.token)))
}

pub(super) fn usage(cloudflare: &Cloudflare, call: &Call<'_>) -> Result<Response<Bytes>, ApiError> {
    let world = cloudflare.world();
    let entry = world.zones.get(call.route.zone).ok_or_else(|| ApiError::no_route(call.route.zone))?;
    Ok(answer::success(&json!({
        "record_quota": World::quota(&entry.zone),
        "record_usage": entry.zone.records.len(),
    })))
}

pub(super) fn account_usage(cloudflare: &Cloudflare) -> Response<Bytes> {
    let world = cloudflare.world();
    answer::success(&json!({
        "record_quota": world.options.account_quota,
        "record_usage": world.account_usage(),
    }))
}

fn view(zone: &Zone, options: &Options, token: &TokenOptions) -> Value {
    let settings = &zone.settings;
    let mut permissions = vec!["#dns_records:read", "#zone:read"];
    if token.permission == Permission::Edit {
        permissions.insert(0, "#dns_records:edit");
    }
    let plan = settings.plan.id();
    let title = match plan {
        "free" => "Free Website",
        "pro" => "Pro Website",
        "business" => "Business Website",
        _ => "Enterprise Website",
    };
    let created_on = wire_time(zone.created_on);
    json!({
        "id": settings.id,
        "name": settings.name,
        "status": "active",
        "paused": false,
        "type": "full",
        "development_mode": 0,
        "name_servers": settings.name_servers,
        "original_name_servers": null,
        "original_registrar": null,
        "original_dnshost": null,
        "created_on": created_on,
        "modified_on": created_on,
        "activated_on": created_on,
        "meta": {
            "step": 2,
            "custom_certificate_quota": 0,
            "page_rule_quota": 3,
            "phishing_detected": false,
            "cdn_only": false,
            "dns_only": false,
            "foundation_dns": false,
        },
        "owner": {"id": null, "type": "user", "email": null},
        "account": {"id": options.account_id, "name": options.account_name},
        "tenant": {"id": null, "name": null},
        "tenant_unit": {"id": null},
        "permissions": permissions,
        "plan": {
            "id": plan,
            "name": title,
            "price": 0,
            "currency": "USD",
            "frequency": "",
            "is_subscribed": plan != "free",
            "can_subscribe": false,
            "legacy_id": plan,
            "legacy_discount": false,
            "externally_managed": false,
        },
    })
}
