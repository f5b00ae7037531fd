//! What the small S3 does and says.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use alfred_model::seam::Clock as _;
use axum::body::Body;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use md5::{Digest as _, Md5};

use super::{Asked, Contents, Object};

/// R2 refuses shorter parts, but for the last.
const PART_MIN: usize = 5 << 20;

pub(super) fn call(method: &Method, asked: &Asked) -> &'static str {
    let has = |name| asked.query.contains_key(name);
    match method.as_str() {
        "PUT" if has("partNumber") => "part",
        "PUT" => "put",
        "POST" if has("uploads") => "upload",
        "POST" => "complete",
        "HEAD" => "head",
        "DELETE" if has("uploadId") => "abort",
        "DELETE" => "delete",
        _ if asked.key.is_empty() => "list",
        _ => "get",
    }
}

pub(super) fn answer(call: &str, asked: &Asked, contents: &mut Contents) -> Response {
    match call {
        "put" => put(asked, asked.body.clone(), contents),
        "get" | "head" => match contents.objects.get(&asked.key) {
            Some(object) => object_response(object, call == "get"),
            None => error(StatusCode::NOT_FOUND, "NoSuchKey"),
        },
        "delete" => {
            contents.objects.remove(&asked.key);
            StatusCode::NO_CONTENT.into_response()
        }
        "list" => list(asked, contents),
        "upload" => {
            contents.next_upload += 1;
            let id = format!("upload-{}", contents.next_upload);
            contents.uploads.insert(id.clone(), BTreeMap::new());
            xml(&format!("<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"))
        }
        "part" => match contents.uploads.get_mut(&asked.query["uploadId"]) {
            Some(parts) => {
                parts.insert(asked.query["partNumber"].parse().unwrap(), asked.body.clone());
                ([("etag", e_tag(&asked.body))], ()).into_response()
            }
            None => error(StatusCode::NOT_FOUND, "NoSuchUpload"),
        },
        "complete" => complete(asked, contents),
        "abort" => {
            contents.uploads.remove(&asked.query["uploadId"]);
            StatusCode::NO_CONTENT.into_response()
        }
        other => panic!("`{other}` is not known"),
    }
}

fn put(asked: &Asked, content: Bytes, contents: &mut Contents) -> Response {
    if asked.only_new && contents.objects.contains_key(&asked.key) {
        return error(StatusCode::PRECONDITION_FAILED, "PreconditionFailed");
    }
    let object = Object { e_tag: e_tag(&content), content, modified_at: contents.clock.now() };
    let response = ([("etag", object.e_tag.clone())], ()).into_response();
    contents.objects.insert(asked.key.clone(), object);
    response
}

fn complete(asked: &Asked, contents: &mut Contents) -> Response {
    let id = &asked.query["uploadId"];
    let Some(parts) = contents.uploads.get(id) else {
        return error(StatusCode::NOT_FOUND, "NoSuchUpload");
    };
    let lengths: Vec<usize> = parts.values().map(Bytes::len).collect();
    let (last, others) = lengths.split_last().unwrap();
    if others.iter().any(|length| *length != others[0] || *length < PART_MIN)
        || others.first().is_some_and(|first| last > first)
    {
        return error(StatusCode::BAD_REQUEST, "InvalidPart");
    }
    let content: Bytes = parts.values().flatten().copied().collect();
    if put(asked, content, contents).status() != StatusCode::OK {
        return error(StatusCode::PRECONDITION_FAILED, "PreconditionFailed");
    }
    contents.uploads.remove(id);
    let e_tag = &contents.objects[&asked.key].e_tag;
    xml(&format!("<CompleteMultipartUploadResult><ETag>{e_tag}</ETag></CompleteMultipartUploadResult>"))
}

fn list(asked: &Asked, contents: &Contents) -> Response {
    let query = |name| asked.query.get(name).map_or("", String::as_str);
    let limit: usize = query("max-keys").parse().unwrap();
    let after = query("start-after");
    let mut text = String::from("<ListBucketResult>");
    let found = contents.objects.iter().filter(|(key, _)| key.starts_with(query("prefix")) && key.as_str() > after);
    for (key, object) in found.take(limit) {
        let (size, e_tag, modified_at) = (object.content.len(), &object.e_tag, object.modified_at);
        write!(
            text,
            "<Contents><Key>{key}</Key><Size>{size}</Size><ETag>{e_tag}</ETag>\
             <LastModified>{modified_at}</LastModified></Contents>"
        )
        .unwrap();
    }
    xml(&(text + "</ListBucketResult>"))
}

fn object_response(object: &Object, with_content: bool) -> Response {
    let body = if with_content { Body::from(object.content.clone()) } else { Body::empty() };
    Response::builder()
        .header("etag", &object.e_tag)
        .header("content-length", object.content.len())
        .header("last-modified", object.modified_at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
        .body(body)
        .unwrap()
}

pub(super) fn error(status: StatusCode, code: &str) -> Response {
    (status, format!("<Error><Code>{code}</Code><Message>no</Message></Error>")).into_response()
}

fn xml(text: &str) -> Response {
    ([("content-type", "application/xml")], text.to_owned()).into_response()
}

fn e_tag(content: &Bytes) -> String {
    format!("\"{:032x}\"", u128::from_be_bytes(Md5::digest(content).into()))
}

/// Undoes percent-encoding.
pub(super) fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first == b'%' {
            let (digits, after) = rest.split_at(2);
            bytes.push(u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap());
            rest = after;
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).unwrap()
}

pub(super) fn query(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect()
}
