//! R2's buckets and their settings, as API v4 has them. The rules are in [`crate::r2`].

use bytes::Bytes;
use http::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    super::{answer, bucket_route::BucketOperation, error::ApiError, record::wire_time},
    Call, body,
};
use crate::r2::{
    Bucket, BucketName, Core, CorsRule, Jurisdiction, LifecycleRule, Location, LockCondition, LockRule, RULES, Refusal,
    StorageClass,
};

const PER_PAGE_DEFAULT: usize = 20;
const PER_PAGE_MOST: usize = 1_000;

pub(super) fn perform(core: &Core, operation: BucketOperation, call: &Call<'_>) -> Result<Response<Bytes>, ApiError> {
    let name = named(call)?;
    let done = match operation {
        BucketOperation::List => return list(core, call, name.jurisdiction),
        BucketOperation::Get => return Ok(answer::success(&view(core.world().bucket(&name)?))),
        BucketOperation::GetCors => return cors(core, &name),
        BucketOperation::GetLifecycle => return Ok(rules(&core.world().bucket(&name)?.lifecycle)),
        BucketOperation::GetLock => return Ok(rules(&core.world().bucket(&name)?.lock)),
        BucketOperation::GetPublic => return Ok(public(core.world().bucket(&name)?)),
        BucketOperation::Create => create(core, call, name.jurisdiction),
        BucketOperation::Edit => edit(core, call, &name),
        BucketOperation::Delete => core.world().delete_bucket(&name).map(|()| nothing()).map_err(ApiError::from),
        BucketOperation::PutCors => put_cors(core, call, &name),
        BucketOperation::DeleteCors => {
            core.world().bucket_mut(&name)?.cors.clear();
            Ok(nothing())
        }
        BucketOperation::PutLifecycle => put_lifecycle(core, call, &name),
        BucketOperation::PutLock => put_lock(core, call, &name),
        BucketOperation::PutPublic => put_public(core, call, &name),
    }?;
    core.note_change();
    Ok(done)
}

/// The bucket that a call is about; the jurisdiction is a header.
fn named(call: &Call<'_>) -> Result<BucketName, ApiError> {
    let jurisdiction = match call.headers.get("cf-r2-jurisdiction") {
        None => Jurisdiction::default(),
        Some(value) => value.to_str().ok().and_then(Jurisdiction::parse).ok_or_else(|| invalid("jurisdiction"))?,
    };
    Ok(BucketName { jurisdiction, name: call.route.id.to_owned() })
}

fn invalid(what: &str) -> ApiError {
    Refusal::INVALID_ARGUMENT.saying(format!("The {what} is not valid.")).into()
}

fn nothing() -> Response<Bytes> {
    answer::success(&json!({}))
}

fn view(bucket: &Bucket) -> Value {
    json!({
        "name": bucket.name.name,
        "creation_date": wire_time(bucket.created),
        "location": bucket.location.as_str(),
        "jurisdiction": bucket.name.jurisdiction.as_str(),
        "storage_class": bucket.storage_class.to_string(),
    })
}

fn list(core: &Core, call: &Call<'_>, jurisdiction: Jurisdiction) -> Result<Response<Bytes>, ApiError> {
    let said = |name: &str| {
        call.parameters
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    };
    let per_page = match said("per_page") {
        None => PER_PAGE_DEFAULT,
        Some(text) => text
            .parse()
            .ok()
            .filter(|number| (1..=PER_PAGE_MOST).contains(number))
            .ok_or_else(|| invalid("per_page"))?,
    };
    let descending = said("direction") == Some("desc");
    // A cursor is opaque to clients; here it is the last name of the page before.
    let after = said("cursor").or(said("start_after")).unwrap_or_default();
    let part = said("name_contains").unwrap_or_default();
    let world = core.world();
    let mut found: Vec<&Bucket> = world
        .buckets
        .values()
        .filter(|bucket| bucket.name.jurisdiction == jurisdiction && bucket.name.name.contains(part))
        .collect();
    if descending {
        found.reverse();
    }
    let behind = |bucket: &&Bucket| {
        let name = bucket.name.name.as_str();
        after.is_empty() || if descending { name < after } else { name > after }
    };
    let mut page: Vec<&Bucket> = found.into_iter().filter(behind).take(per_page + 1).collect();
    let more = page.len() > per_page;
    page.truncate(per_page);
    let cursor = page.last().filter(|_| more).map_or("", |bucket| bucket.name.name.as_str());
    let shown: Vec<Value> = page.iter().map(|bucket| view(bucket)).collect();
    Ok(answer::success_with_info(&json!({"buckets": shown}), &json!({"cursor": cursor, "per_page": per_page})))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Creation {
    name: String,
    location_hint: Option<String>,
    storage_class: Option<String>,
}

fn create(core: &Core, call: &Call<'_>, jurisdiction: Jurisdiction) -> Result<Response<Bytes>, ApiError> {
    let wanted: Creation = body(call)?;
    let hint = match wanted.location_hint.as_deref() {
        None | Some("") => None,
        Some(text) => Some(Location::parse(text).ok_or_else(|| invalid("location hint"))?),
    };
    let class = match wanted.storage_class.as_deref() {
        None => StorageClass::default(),
        Some(text) => StorageClass::parse(text).ok_or_else(|| invalid("storage class"))?,
    };
    let id = core.random_hex(16);
    let name = BucketName { jurisdiction, name: wanted.name };
    Ok(answer::success(&view(core.world().create_bucket(name, id, hint, class, call.now)?)))
}

/// The storage class of objects to come is a header, and the only thing that can be edited.
fn edit(core: &Core, call: &Call<'_>, name: &BucketName) -> Result<Response<Bytes>, ApiError> {
    let text = call.headers.get("cf-r2-storage-class").and_then(|value| value.to_str().ok());
    let class = text.and_then(StorageClass::parse).ok_or_else(|| invalid("storage class"))?;
    let mut world = core.world();
    let bucket = world.bucket_mut(name)?;
    bucket.storage_class = class;
    Ok(answer::success(&view(bucket)))
}

#[derive(Deserialize)]
struct Rules<T> {
    #[serde(default = "Vec::new")]
    rules: Vec<T>,
}

fn rules<T: Serialize>(rules: &[T]) -> Response<Bytes> {
    answer::success(&json!({"rules": rules}))
}

/// The rules of a body, if there are not too many and each is sound.
fn given<T: serde::de::DeserializeOwned>(call: &Call<'_>, sound: impl Fn(&T) -> bool) -> Result<Vec<T>, ApiError> {
    let Rules { rules } = serde_json::from_slice(call.body).map_err(|_| Refusal::MALFORMED)?;
    if rules.len() > RULES || !rules.iter().all(sound) {
        return Err(Refusal::MALFORMED.into());
    }
    Ok(rules)
}

fn cors(core: &Core, name: &BucketName) -> Result<Response<Bytes>, ApiError> {
    let world = core.world();
    let bucket = world.bucket(name)?;
    if bucket.cors.is_empty() { Err(Refusal::NO_CORS.into()) } else { Ok(rules(&bucket.cors)) }
}

fn put_cors(core: &Core, call: &Call<'_>, name: &BucketName) -> Result<Response<Bytes>, ApiError> {
    let rules = given(call, CorsRule::is_sound)?;
    core.world().bucket_mut(name)?.cors = rules;
    Ok(nothing())
}

fn put_lifecycle(core: &Core, call: &Call<'_>, name: &BucketName) -> Result<Response<Bytes>, ApiError> {
    let rules = given(call, |rule: &LifecycleRule| !rule.id.is_empty())?;
    core.world().bucket_mut(name)?.lifecycle = rules;
    Ok(nothing())
}

fn put_lock(core: &Core, call: &Call<'_>, name: &BucketName) -> Result<Response<Bytes>, ApiError> {
    let lasts = |rule: &LockRule| !matches!(rule.condition, LockCondition::Age { max_age_seconds: 0 });
    let rules = given(call, |rule: &LockRule| !rule.id.is_empty() && lasts(rule))?;
    core.world().bucket_mut(name)?.lock = rules;
    Ok(nothing())
}

fn public(bucket: &Bucket) -> Response<Bytes> {
    answer::success(&json!({"bucketId": bucket.id, "domain": bucket.public_host(), "enabled": bucket.public}))
}

#[derive(Deserialize)]
struct Publicity {
    enabled: bool,
}

fn put_public(core: &Core, call: &Call<'_>, name: &BucketName) -> Result<Response<Bytes>, ApiError> {
    let Publicity { enabled } = body(call)?;
    let mut world = core.world();
    let bucket = world.bucket_mut(name)?;
    bucket.public = enabled;
    Ok(public(bucket))
}
