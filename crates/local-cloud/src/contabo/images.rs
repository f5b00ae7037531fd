//! Images: list and get. Custom images cannot be uploaded here.

use serde_json::{Value, json};

use super::catalogue::Image;
use super::page::{SortKey, page};
use super::reply::{Refusal, Reply};
use super::state::{CUSTOMER, Call, Moment, State, TENANT, images};

impl State {
    pub(super) fn list_images(call: &Call<'_>, moment: Moment<'_>) -> Result<Reply, Refusal> {
        let standard = call.query.boolean("standardImage")?;
        let name = call.query.get("name").map(str::to_lowercase);
        let search = call.query.get("search").map(str::to_lowercase);
        let matching = images(moment.options)
            .into_iter()
            // All images here are standard ones.
            .filter(|_| standard != Some(false))
            .filter(|image| name.as_ref().is_none_or(|name| image.name.to_lowercase().contains(name)))
            .filter(|image| {
                search.as_ref().is_none_or(|text| {
                    image.name.to_lowercase().contains(text) || image.os_type().to_lowercase().contains(text)
                })
            })
            .collect();
        page(call.path, matching, &call.query, moment.options, sort_key, |image| {
            let mut object = wire(image);
            object["tags"] = json!([]);
            object
        })
    }

    pub(super) fn get_image(id: &str, call: &Call<'_>, moment: Moment<'_>) -> Result<Reply, Refusal> {
        images(moment.options)
            .iter()
            .find(|image| image.id.eq_ignore_ascii_case(id))
            .map(|image| Reply::one(200, &wire(image), call.path))
            .ok_or_else(|| Refusal::not_found(&format!("Image {id}")))
    }
}

fn sort_key(image: &Image, field: &str) -> Option<SortKey> {
    Some(SortKey::Text(match field {
        "imageId" => image.id.clone(),
        "name" => image.name.clone(),
        "osType" => image.os_type().to_owned(),
        "version" => image.version.clone(),
        _ => return None,
    }))
}

fn wire(image: &Image) -> Value {
    json!({
        "imageId": image.id,
        "tenantId": TENANT,
        "customerId": CUSTOMER,
        "name": image.name,
        "description": image.description,
        "url": "",
        "sizeMb": 2_252,
        "uploadedSizeMb": 0,
        "osType": image.os_type(),
        "version": image.version,
        "format": "qcow2",
        "status": "downloaded",
        "errorMessage": "",
        "standardImage": true,
        "creationDate": "2024-04-25T00:00:00.000Z",
        "lastModifiedDate": "2024-04-25T00:00:00.000Z",
    })
}
