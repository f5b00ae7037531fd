//! What a configuration of Terraform says to have its state kept: behind `/tfstate` of a control plane, or in a bucket with
//! Terraform's own S3 backend.

/// A way to a store of states.
#[derive(Debug, Clone)]
pub(crate) enum Door {
    /// The HTTP backend of a control plane.
    Tfstate {
        /// Such as `http://127.0.0.1:7070`.
        origin: String,
        token: String,
    },
    /// Terraform's own S3 backend with `use_lockfile`.
    Bucket {
        /// Such as `http://127.0.0.1:7072`.
        origin: String,
        bucket: String,
        access_key_id: String,
        secret_access_key: String,
    },
}

impl Door {
    pub(crate) fn origin(&self) -> &str {
        match self {
            Self::Tfstate { origin, .. } | Self::Bucket { origin, .. } => origin,
        }
    }

    /// The same store, reached through a proxy.
    pub(crate) fn through(&self, proxy: &str) -> Self {
        let mut door = self.clone();
        match &mut door {
            Self::Tfstate { origin, .. } | Self::Bucket { origin, .. } => proxy.clone_into(origin),
        }
        door
    }

    /// The `backend` block. That of S3 is what R2 needs:
    /// <https://developers.cloudflare.com/terraform/advanced-topics/remote-backend/>, and `use_lockfile`.
    pub(crate) fn block(&self, state: &str) -> String {
        match self {
            Self::Tfstate { .. } => "terraform {\n  backend \"http\" {}\n}\n".to_owned(),
            Self::Bucket { origin, bucket, .. } => format!(
                r#"terraform {{
  backend "s3" {{
    bucket                      = "{bucket}"
    key                         = "{state}"
    region                      = "auto"
    endpoints                   = {{ s3 = "{origin}" }}
    use_path_style              = true
    use_lockfile                = true
    skip_credentials_validation = true
    skip_metadata_api_check     = true
    skip_region_validation      = true
    skip_requesting_account_id  = true
    skip_s3_checksum            = true
  }}
}}
"#
            ),
        }
    }

    /// What stands in the environment: addresses and secrets. Repeated requests do not wait here.
    pub(crate) fn variables(&self, state: &str) -> Vec<(String, String)> {
        let own =
            |pairs: &[(&str, &str)]| pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        match self {
            Self::Tfstate { origin, token } => {
                let address = format!("{origin}/tfstate/{state}");
                own(&[
                    ("TF_HTTP_ADDRESS", &address),
                    ("TF_HTTP_LOCK_ADDRESS", &address),
                    ("TF_HTTP_UNLOCK_ADDRESS", &address),
                    ("TF_HTTP_USERNAME", "terraform"),
                    ("TF_HTTP_PASSWORD", token),
                    ("TF_HTTP_RETRY_WAIT_MIN", "0"),
                    ("TF_HTTP_RETRY_WAIT_MAX", "0"),
                ])
            }
            Self::Bucket { access_key_id, secret_access_key, .. } => own(&[
                ("AWS_ACCESS_KEY_ID", access_key_id),
                ("AWS_SECRET_ACCESS_KEY", secret_access_key),
                ("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required"),
            ]),
        }
    }
}
