//! Which S3 call a method and a path are, for the journal and for fault rules.

use http::{Method, Request};

/// The stable name of a call; empty for one that means nothing.
pub(crate) fn name<B>(request: &Request<B>) -> &'static str {
    let path = request.uri().path().trim_start_matches('/');
    let query = request.uri().query().unwrap_or_default();
    let has = |name: &str| query.split('&').any(|pair| pair.split('=').next().is_some_and(|key| key == name));
    match path.split_once('/') {
        None if path.is_empty() => {
            if request.method() == Method::GET {
                "r2.buckets.list"
            } else {
                ""
            }
        }
        None | Some((_, "")) => of_bucket(request.method(), &has),
        Some(_) => of_object(request.method(), &has, request.headers().contains_key("x-amz-copy-source")),
    }
}

fn of_bucket(method: &Method, has: &dyn Fn(&str) -> bool) -> &'static str {
    match method.as_str() {
        "GET" if has("cors") => "r2.cors.get",
        "PUT" if has("cors") => "r2.cors.put",
        "DELETE" if has("cors") => "r2.cors.delete",
        "GET" if has("lifecycle") => "r2.lifecycle.get",
        "PUT" if has("lifecycle") => "r2.lifecycle.put",
        "GET" if has("location") => "r2.buckets.location",
        "GET" if has("encryption") => "r2.buckets.encryption",
        "GET" if has("uploads") => "r2.uploads.list",
        "POST" if has("delete") => "r2.objects.delete_many",
        "GET" => "r2.objects.list",
        "PUT" => "r2.buckets.create",
        "HEAD" => "r2.buckets.head",
        "DELETE" => "r2.buckets.delete",
        _ => "",
    }
}

fn of_object(method: &Method, has: &dyn Fn(&str) -> bool, copies: bool) -> &'static str {
    match method.as_str() {
        "POST" if has("uploads") => "r2.uploads.create",
        "POST" if has("uploadId") => "r2.uploads.complete",
        "PUT" if has("uploadId") && copies => "r2.uploads.copy_part",
        "PUT" if has("uploadId") => "r2.uploads.put_part",
        "GET" if has("uploadId") => "r2.uploads.get",
        "DELETE" if has("uploadId") => "r2.uploads.abort",
        "PUT" if copies => "r2.objects.copy",
        "PUT" => "r2.objects.put",
        "GET" => "r2.objects.get",
        "HEAD" => "r2.objects.head",
        "DELETE" => "r2.objects.delete",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_have_names() {
        for (method, uri, expected) in [
            ("GET", "/", "r2.buckets.list"),
            ("GET", "/b?list-type=2&prefix=x", "r2.objects.list"),
            ("PUT", "/b/", "r2.buckets.create"),
            ("POST", "/b?delete", "r2.objects.delete_many"),
            ("PUT", "/b/k/l", "r2.objects.put"),
            ("PUT", "/b/k?partNumber=1&uploadId=x", "r2.uploads.put_part"),
            ("POST", "/b/k?uploads", "r2.uploads.create"),
            ("POST", "/b/k?uploadId=x", "r2.uploads.complete"),
            ("PATCH", "/b/k", ""),
        ] {
            let request = Request::builder().method(method).uri(uri).body(()).unwrap();
            assert_eq!(name(&request), expected, "{method} {uri}");
        }
        let copy = Request::put("/b/k").header("x-amz-copy-source", "/b/l").body(()).unwrap();
        assert_eq!(name(&copy), "r2.objects.copy");
    }
}
