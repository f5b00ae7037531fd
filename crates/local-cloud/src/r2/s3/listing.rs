//! Lists of objects over S3, both versions.

use std::sync::Arc;

use s3s::{
    S3Request, S3Result,
    dto::{
        CommonPrefix, EncodingType, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output,
        Object as S3Object, ObjectStorageClass,
    },
};

use super::input::{bucket_name, etag, page_limit, timestamp};
use crate::r2::{
    Core, Refusal,
    listing::{self, Page, Query},
    object::Object,
};

pub(super) fn version_2(core: &Core, request: S3Request<ListObjectsV2Input>) -> S3Result<ListObjectsV2Output> {
    let name = bucket_name(&request, &request.input.bucket);
    let input = request.input;
    let (prefix, delimiter) = (input.prefix.unwrap_or_default(), input.delimiter.unwrap_or_default());
    let limit = page_limit(input.max_keys)?;
    let from = match &input.continuation_token {
        Some(token) => listing::read_token(token)
            .ok_or_else(|| Refusal::INVALID_ARGUMENT.saying("The continuation token provided is incorrect"))?,
        None => input.start_after.as_deref().map(listing::behind).unwrap_or_default(),
    };
    let url = asks_for_urls(input.encoding_type.as_ref());
    let world = core.world();
    let objects = &world.bucket(&name)?.objects;
    let page = listing::list(objects, &Query { prefix: &prefix, delimiter: &delimiter, from: &from, limit });
    let count = page.objects.len() + page.prefixes.len();
    Ok(ListObjectsV2Output {
        key_count: i32::try_from(count).ok(),
        contents: shown(&page, url),
        common_prefixes: prefixes(&page, url),
        is_truncated: Some(page.next.is_some()),
        next_continuation_token: page.next.as_deref().map(listing::token),
        continuation_token: input.continuation_token,
        start_after: input.start_after.map(|after| text(&after, url)),
        name: Some(name.name),
        prefix: Some(text(&prefix, url)),
        delimiter: (!delimiter.is_empty()).then(|| text(&delimiter, url)),
        max_keys: i32::try_from(limit).ok(),
        encoding_type: input.encoding_type,
        ..ListObjectsV2Output::default()
    })
}

pub(super) fn version_1(core: &Core, request: S3Request<ListObjectsInput>) -> S3Result<ListObjectsOutput> {
    let name = bucket_name(&request, &request.input.bucket);
    let input = request.input;
    let (prefix, delimiter) = (input.prefix.unwrap_or_default(), input.delimiter.unwrap_or_default());
    let limit = page_limit(input.max_keys)?;
    let marker = input.marker.unwrap_or_default();
    let from = listing::behind_marker(&marker, &delimiter);
    let url = asks_for_urls(input.encoding_type.as_ref());
    let world = core.world();
    let objects = &world.bucket(&name)?.objects;
    let page = match &from {
        Some(from) => listing::list(objects, &Query { prefix: &prefix, delimiter: &delimiter, from, limit }),
        None => Page::default(),
    };
    Ok(ListObjectsOutput {
        contents: shown(&page, url),
        common_prefixes: prefixes(&page, url),
        is_truncated: Some(page.next.is_some()),
        next_marker: page.next.is_some().then(|| page.last.as_deref().map(|last| text(last, url))).flatten(),
        marker: Some(text(&marker, url)),
        name: Some(name.name),
        prefix: Some(text(&prefix, url)),
        delimiter: (!delimiter.is_empty()).then(|| text(&delimiter, url)),
        max_keys: i32::try_from(limit).ok(),
        encoding_type: input.encoding_type,
        ..ListObjectsOutput::default()
    })
}

fn asks_for_urls(kind: Option<&EncodingType>) -> bool {
    kind.is_some_and(|kind| kind.as_str() == EncodingType::URL)
}

pub(super) fn text(key: &str, url: bool) -> String {
    if url { listing::encoded(key) } else { key.to_owned() }
}

fn shown(page: &Page<'_>, url: bool) -> Option<Vec<S3Object>> {
    let shown = |(key, object): &(&str, &Arc<Object>)| S3Object {
        key: Some(text(key, url)),
        e_tag: Some(etag(&object.etag)),
        last_modified: Some(timestamp(object.modified)),
        size: i64::try_from(object.size()).ok(),
        storage_class: Some(ObjectStorageClass::from(object.description.storage_class.s3().to_owned())),
        ..S3Object::default()
    };
    (!page.objects.is_empty()).then(|| page.objects.iter().map(shown).collect())
}

fn prefixes(page: &Page<'_>, url: bool) -> Option<Vec<CommonPrefix>> {
    let shown = |prefix: &String| CommonPrefix { prefix: Some(text(prefix, url)) };
    (!page.prefixes.is_empty()).then(|| page.prefixes.iter().map(shown).collect())
}
