//! Public buckets: `pub-….r2.dev` gives objects to anybody, and takes nothing.
//!
//! <https://developers.cloudflare.com/r2/buckets/public-buckets/>. Listing is not possible. Here the host is a `Host` header to
//! the S3 port: `curl -H 'host: pub-….r2.dev' http://127.0.0.1:7072/key`.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};

use super::{
    Core, Refusal,
    bucket::Bucket,
    conditions::{Conditions, Reading},
};

/// The public host that a request names.
pub(super) fn host(request: &Request<Bytes>) -> Option<String> {
    let host = request.headers().get(header::HOST)?.to_str().ok()?;
    let name = host.split(':').next().unwrap_or_default().to_ascii_lowercase();
    (name.starts_with("pub-") && name.ends_with(".r2.dev")).then_some(name)
}

/// Gives an object, or says why not.
pub(super) async fn answer(core: &Core, host: &str, request: &Request<Bytes>) -> Response<Bytes> {
    match give(core, host, request).await {
        Ok(response) => response,
        Err(status) => {
            let mut response = Response::new(Bytes::from(status.to_string()));
            *response.status_mut() = status;
            response
        }
    }
}

async fn give(core: &Core, host: &str, request: &Request<Bytes>) -> Result<Response<Bytes>, StatusCode> {
    let (object, mut headers) = {
        let world = core.world();
        let bucket = world.buckets.values().find(|bucket| bucket.public_host() == host);
        // A bucket that is not public answers as one that is not there.
        let bucket = bucket.filter(|bucket| bucket.public).ok_or(StatusCode::UNAUTHORIZED)?;
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Err(StatusCode::METHOD_NOT_ALLOWED);
        }
        let key = key(request.uri().path()).ok_or(StatusCode::BAD_REQUEST)?;
        (bucket.objects.get(&key).cloned().ok_or(StatusCode::NOT_FOUND)?, allowed(bucket, request))
    };
    let conditions = Conditions::of(request.headers(), "").map_err(|refusal| refusal.status)?;
    match conditions.read(&object) {
        Reading::Given => {}
        Reading::NotModified => return Err(StatusCode::NOT_MODIFIED),
        Reading::Failed => return Err(StatusCode::PRECONDITION_FAILED),
    }
    let bytes = core.read(&object.contents).await.map_err(|Refusal { status, .. }| status)?;
    let kind = object.description.content_type.as_deref().unwrap_or("application/octet-stream");
    for (name, value) in [(header::CONTENT_TYPE, kind.to_owned()), (header::ETAG, format!("\"{}\"", object.etag))] {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    let mut response = Response::new(bytes);
    *response.headers_mut() = headers;
    Ok(response)
}

/// The key that a path names: percent-encoded, behind the first slash.
fn key(path: &str) -> Option<String> {
    let mut bytes = path.strip_prefix('/')?.bytes();
    let mut key = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let mut digit = || bytes.next().and_then(|byte| char::from(byte).to_digit(16));
            let value = digit()? * 16 + digit()?;
            key.push(u8::try_from(value).ok()?);
        } else {
            key.push(byte);
        }
    }
    String::from_utf8(key).ok()
}

/// What a browser is told: the first rule that fits.
fn allowed(bucket: &Bucket, request: &Request<Bytes>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let Some(origin) = request.headers().get(header::ORIGIN).and_then(|origin| origin.to_str().ok()) else {
        return headers;
    };
    let method = request.method().as_str();
    if let Some((rule, named)) = bucket.cors.iter().find_map(|rule| Some((rule, rule.allows(method, origin)?))) {
        if let Ok(value) = HeaderValue::try_from(named) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, value);
        }
        if let Ok(value) = HeaderValue::try_from(rule.expose_headers.join(", "))
            && !value.is_empty()
        {
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, value);
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_decoded_and_nonsense_is_refused() {
        for (path, expected) in
            [("/a/b%20c", Some("a/b c")), ("/%C3%BC", Some("ü")), ("/%C3", None), ("/%zz", None), ("/%4", None)]
        {
            assert_eq!(key(path).as_deref(), expected, "{path}");
        }
    }
}
