//! Buckets of R2 over Cloudflare's REST API: making one, and the rules on it
//! (<https://developers.cloudflare.com/api/resources/r2/subresources/buckets/>). Their objects are S3's business.

use http::{HeaderValue, Method};
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::Cloudflare;
use crate::call::{Call, encode};
use crate::error::{Effect, ProviderError};

/// Says under which law a bucket lies; each has names of its own.
const JURISDICTION: http::HeaderName = http::HeaderName::from_static("cf-r2-jurisdiction");

/// Which bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketName {
    /// The account's id.
    pub account: String,
    /// The name.
    pub name: String,
    /// `eu`, `us` or `fedramp`; none, where absent. It cannot be changed later.
    pub jurisdiction: Option<&'static str>,
}

/// What was granted to browsers, and to everybody.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BucketRules {
    /// Objects below this prefix cannot be overwritten or deleted for so many seconds.
    pub lock: Option<(String, u32)>,
    /// Pages of these origins may read.
    pub cors_origins: Vec<String>,
    /// Anybody may read, at an address of `r2.dev`.
    pub public: bool,
}

impl Cloudflare {
    /// Makes a bucket, unless it is there. `location` is a hint that is honoured when a name is used for the first time:
    /// `weur`, `eeur`, `wnam`, `enam`, `apac` or `oc`. Answers whether it made one.
    pub async fn create_bucket(&self, bucket: &BucketName, location: Option<&str>) -> Result<bool, ProviderError> {
        let read = bucket_call(bucket, Effect::Read, Method::GET, "", "read bucket");
        match self.result::<IgnoredAny>(&read).await {
            Ok(_) => return Ok(false),
            Err(error) if error.status == Some(404) => {}
            Err(error) => return Err(error),
        }
        let mut body = json!({ "name": bucket.name });
        if let Some(location) = location {
            body["locationHint"] = location.into();
        }
        let target = format!("/accounts/{}/r2/buckets", encode(&bucket.account));
        let subject = format!("`{}`", bucket.name);
        let route = "POST /accounts/{account}/r2/buckets";
        let call = Call::new(Effect::Write, Method::POST, route, target, "create bucket", subject);
        self.result::<IgnoredAny>(&in_jurisdiction(call, bucket).json(&body)).await?;
        Ok(true)
    }

    /// Sets the rules of a bucket. Uploads in parts that were never ended go after seven days in any case. Setting them
    /// again is setting them once; rules of others on the bucket are replaced.
    pub async fn set_bucket_rules(&self, bucket: &BucketName, rules: &BucketRules) -> Result<(), ProviderError> {
        let week = 7 * 24 * 60 * 60;
        let uploads = json!({ "rules": [{
            "id": "alfred-open-uploads",
            "enabled": true,
            "conditions": { "prefix": "" },
            "abortMultipartUploadsTransition": { "condition": { "type": "Age", "maxAge": week } },
        }] });
        self.put_rules(bucket, "/lifecycle", "set lifecycle rules", &uploads).await?;
        if let Some((prefix, seconds)) = &rules.lock {
            let lock = json!({ "rules": [{
                "id": "alfred-versions",
                "enabled": true,
                "prefix": prefix,
                "condition": { "type": "Age", "maxAgeSeconds": seconds },
            }] });
            self.put_rules(bucket, "/lock", "set lock rules", &lock).await?;
        }
        if !rules.cors_origins.is_empty() {
            let cors = json!({ "rules": [{
                "id": "alfred-read",
                "allowed": { "methods": ["GET", "HEAD"], "origins": rules.cors_origins },
            }] });
            self.put_rules(bucket, "/cors", "set CORS rules", &cors).await?;
        }
        if rules.public {
            self.put_rules(bucket, "/domains/managed", "allow public reading", &json!({ "enabled": true })).await?;
        }
        Ok(())
    }

    async fn put_rules(
        &self,
        bucket: &BucketName,
        place: &'static str,
        operation: &'static str,
        body: &Value,
    ) -> Result<(), ProviderError> {
        let call = bucket_call(bucket, Effect::Write, Method::PUT, place, operation);
        self.result::<IgnoredAny>(&call.json(body)).await.map(drop)
    }
}

/// A call about one bucket.
fn bucket_call(
    bucket: &BucketName,
    effect: Effect,
    method: Method,
    place: &'static str,
    operation: &'static str,
) -> Call {
    let target = format!("/accounts/{}/r2/buckets/{}{place}", encode(&bucket.account), encode(&bucket.name));
    let route = match place {
        "/lifecycle" => "PUT /accounts/{account}/r2/buckets/{bucket}/lifecycle",
        "/lock" => "PUT /accounts/{account}/r2/buckets/{bucket}/lock",
        "/cors" => "PUT /accounts/{account}/r2/buckets/{bucket}/cors",
        "/domains/managed" => "PUT /accounts/{account}/r2/buckets/{bucket}/domains/managed",
        _ => "GET /accounts/{account}/r2/buckets/{bucket}",
    };
    in_jurisdiction(Call::new(effect, method, route, target, operation, format!("`{}`", bucket.name)), bucket)
}

fn in_jurisdiction(call: Call, bucket: &BucketName) -> Call {
    match bucket.jurisdiction {
        Some(jurisdiction) => call.header(JURISDICTION, HeaderValue::from_static(jurisdiction)),
        None => call,
    }
}

#[cfg(test)]
mod tests;
