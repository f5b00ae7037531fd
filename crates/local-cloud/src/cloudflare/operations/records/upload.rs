//! The upload of a zone file: a multipart form with `file` and `proxied`.

use axum::{
    body::Body,
    extract::{FromRequest, Multipart, Request},
};
use http::header;

use super::{ApiError, Call};

/// <https://developers.cloudflare.com/dns/manage-dns-records/how-to/import-and-export/>
const FILE_LIMIT: usize = 256 * 1024;

pub(super) struct Upload {
    pub(super) file: String,
    pub(super) proxied: bool,
}

pub(super) async fn read(call: &Call<'_>) -> Result<Upload, ApiError> {
    // Room for the form around the file.
    if call.body.len() > FILE_LIMIT + 4_096 {
        return Err(ApiError::import_too_large());
    }
    let mut request = Request::new(Body::from(call.body.clone()));
    if let Some(content_type) = call.headers.get(header::CONTENT_TYPE) {
        request.headers_mut().insert(header::CONTENT_TYPE, content_type.clone());
    }
    let mut form = Multipart::from_request(request, &())
        .await
        .map_err(|_| ApiError::import_unreadable("the body is no multipart form"))?;
    let mut file = None;
    let mut proxied = false;
    while let Some(field) = form.next_field().await.map_err(ApiError::import_unreadable)? {
        match field.name() {
            Some("file") => {
                let text = field.text().await.map_err(ApiError::import_unreadable)?;
                if text.len() > FILE_LIMIT {
                    return Err(ApiError::import_too_large());
                }
                file = Some(text);
            }
            Some("proxied") => {
                let text = field.text().await.map_err(ApiError::import_unreadable)?;
                proxied = text.trim() == "true";
            }
            _ => {}
        }
    }
    Ok(Upload { file: file.ok_or_else(|| ApiError::import_unreadable("the form has no field `file`"))?, proxied })
}
