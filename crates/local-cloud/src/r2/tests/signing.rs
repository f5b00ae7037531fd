//! Signature version 4, as clients make it, with an unsigned body.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>

use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::Request;
use sha2::{Digest as _, Sha256};

use crate::r2::{DEMO_ACCESS_KEY_ID, DEMO_SECRET_ACCESS_KEY};

pub(super) struct Signer {
    pub(super) id: String,
    pub(super) secret: String,
    pub(super) host: String,
}

impl Default for Signer {
    fn default() -> Self {
        Self { id: DEMO_ACCESS_KEY_ID.into(), secret: DEMO_SECRET_ACCESS_KEY.into(), host: "127.0.0.1:7072".into() }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

impl Signer {
    /// A signed request; the URI is a path with its query, both encoded.
    pub(super) fn sign(&self, method: &str, uri: &str, headers: &[(&str, &str)], body: Bytes) -> Request<Bytes> {
        #[expect(clippy::disallowed_methods, reason = "signatures are checked against the system's clock")]
        let now = jiff::Timestamp::now();
        let time = now.strftime("%Y%m%dT%H%M%SZ").to_string();
        let day = &time[..8];
        let mut all: Vec<(String, String)> = vec![
            ("host".into(), self.host.clone()),
            ("x-amz-content-sha256".into(), "UNSIGNED-PAYLOAD".into()),
            ("x-amz-date".into(), time.clone()),
        ];
        all.extend(headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        all.sort();
        let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
        let mut pairs: Vec<String> = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| if pair.contains('=') { pair.to_owned() } else { format!("{pair}=") })
            .collect();
        pairs.sort();
        let names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
        let names = names.join(";");
        let lines = all.iter().map(|(name, value)| format!("{name}:{value}\n")).collect::<Vec<_>>().concat();
        let canonical = format!("{method}\n{path}\n{}\n{lines}\n{names}\nUNSIGNED-PAYLOAD", pairs.join("&"));
        let scope = format!("{day}/auto/s3/aws4_request");
        let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hex(&Sha256::digest(canonical.as_bytes())));
        let key = mac(format!("AWS4{}", self.secret).as_bytes(), day);
        let key = mac(&mac(&mac(&key, "auto"), "s3"), "aws4_request");
        let signature = hex(&mac(&key, &text));
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in &all {
            request = request.header(name, value);
        }
        request
            .header(
                "authorization",
                format!(
                    "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
                    self.id
                ),
            )
            .header("content-length", body.len())
            .body(body)
            .unwrap()
    }
}
