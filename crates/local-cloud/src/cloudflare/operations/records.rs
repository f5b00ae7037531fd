//! Records: list, read and change.

mod upload;

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    super::{
        Cloudflare, answer,
        error::ApiError,
        options::RateOptions,
        query::Query,
        random_hex,
        record::{Record, View},
        zone::{Batch, Transaction},
        zone_file,
    },
    Call, body,
};

pub(super) fn list(cloudflare: &Cloudflare, call: &Call<'_>) -> Result<Response<Bytes>, ApiError> {
    let query = Query::parse(&call.parameters)?;
    let (page, total) = {
        let mut world = cloudflare.world();
        let entry = world.zones.get_mut(call.route.zone).ok_or_else(|| ApiError::no_route(call.route.zone))?;
        let found = entry.select(&query);
        (query.page.of(&found), found.len())
    };
    let info = answer::ResultInfo::new(query.page, page.len(), total);
    Ok(answer::list(&views(&page), info))
}

pub(super) fn get(cloudflare: &Cloudflare, call: &Call<'_>) -> Result<Response<Bytes>, ApiError> {
    let record = cloudflare
        .world()
        .zones
        .get(call.route.zone)
        .and_then(|entry| entry.zone.records.get(call.route.id).cloned())
        .ok_or_else(ApiError::record_missing)?;
    Ok(answer::success(&record.view()))
}

pub(super) fn create(cloudflare: &Cloudflare, call: &Call<'_>) -> Result<Response<Bytes>, ApiError> {
    let fields: Map<String, Value> = body(call)?;
    let record = change(cloudflare, call, |transaction| transaction.create(&fields))?;
    Ok(answer::success(&record.view()))
}

pub(super) fn overwrite(cloudflare: &Cloudflare, call: &Call<'_>) -> Result<Response<Bytes>, ApiError> {
    let fields: Map<String, Value> = body(call)?;
    let record = change(cloudflare, call, |transaction| transaction.overwrite(call.route.id, &fields))?;
    Ok(answer::success(&record.view()))
}

pub(super) fn edit(cloudflare: &Cloudflare, call: &Call<'_>) -> Result<Response<Bytes>, ApiError> {
    let fields: Map<String, Value> = body(call)?;
    let record = change(cloudflare, call, |transaction| transaction.edit(call.route.id, &fields))?;
    Ok(answer::success(&record.view()))
}

pub(super) fn delete(cloudflare: &Cloudflare, call: &Call<'_>) -> Result<Response<Bytes>, ApiError> {
    let record = change(cloudflare, call, |transaction| transaction.delete(call.route.id))?;
    Ok(answer::success(&json!({"id": record.id})))
}

#[derive(Serialize)]
struct BatchResult<'r> {
    deletes: Vec<View<'r>>,
    patches: Vec<View<'r>>,
    puts: Vec<View<'r>>,
    posts: Vec<View<'r>>,
}

pub(super) fn batch(cloudflare: &Cloudflare, call: &Call<'_>) -> Result<Response<Bytes>, ApiError> {
    let batch: Batch = body(call)?;
    let outcome = change(cloudflare, call, |transaction| transaction.batch(&batch))?;
    Ok(answer::success(&BatchResult {
        deletes: views(&outcome.deletes),
        patches: views(&outcome.patches),
        puts: views(&outcome.puts),
        posts: views(&outcome.posts),
    }))
}

fn views(records: &[Arc<Record>]) -> Vec<View<'_>> {
    records.iter().map(|record| record.view()).collect()
}

fn change<T>(
    cloudflare: &Cloudflare,
    call: &Call<'_>,
    work: impl FnOnce(&mut Transaction<'_, '_>) -> Result<T, ApiError>,
) -> Result<T, ApiError> {
    let mut new_id = || random_hex(cloudflare.random(), 16);
    let (value, changed) = cloudflare.world().transact(call.route.zone, call.now, &mut new_id, work)?;
    if changed {
        cloudflare.note_change();
    }
    Ok(value)
}

pub(super) fn export(cloudflare: &Cloudflare, call: &Call<'_>) -> Result<Response<Bytes>, ApiError> {
    spend_import(cloudflare, call)?;
    let (zone, records) = {
        let world = cloudflare.world();
        let entry = world.zones.get(call.route.zone).ok_or_else(|| ApiError::no_route(call.route.zone))?;
        let records: Vec<_> = entry.zone.records.iter().cloned().collect();
        (entry.zone.settings.name.clone(), records)
    };
    Ok(answer::text(zone_file::write(&zone, &records, call.now)))
}

pub(super) async fn import(cloudflare: &Cloudflare, call: &Call<'_>) -> Result<Response<Bytes>, ApiError> {
    spend_import(cloudflare, call)?;
    let upload = upload::read(call).await?;
    let zone = cloudflare
        .world()
        .zones
        .get(call.route.zone)
        .map(|entry| entry.zone.settings.name.clone())
        .ok_or_else(|| ApiError::no_route(call.route.zone))?;
    let records = zone_file::read(&upload.file, &zone, upload.proxied).map_err(ApiError::import_unreadable)?;
    let parsed = records.len();
    // What is already there is left alone; anything else that is refused refuses the file.
    let added = change(cloudflare, call, |transaction| {
        let mut added = 0_usize;
        for fields in &records {
            match transaction.create(fields) {
                Ok(_) => added += 1,
                Err(error) if error.is_duplicate() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(added)
    })?;
    Ok(answer::success(&json!({"recs_added": added, "total_records_parsed": parsed})))
}

/// Imports and exports have a budget of their own.
/// <https://developers.cloudflare.com/dns/manage-dns-records/how-to/import-and-export/>
fn spend_import(cloudflare: &Cloudflare, call: &Call<'_>) -> Result<(), ApiError> {
    let mut world = cloudflare.world();
    let rate = RateOptions { quota: world.options.import_quota, window_seconds: 60, block_seconds: 60 };
    match world.imports.take(&call.token.budget_owner(), rate, call.now).blocked_seconds {
        Some(seconds) => Err(ApiError::throttled(seconds)),
        None => Ok(()),
    }
}
