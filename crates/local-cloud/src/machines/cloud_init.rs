//! The part of cloud-init's configuration that shows on the network: the name, and the call home.
//!
//! See <https://cloudinit.readthedocs.io/en/latest/reference/modules.html#phone-home>.

use serde::Deserialize;

/// The keys that are understood; all others are ignored.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct CloudConfig {
    pub(super) hostname: Option<String>,
    pub(super) fqdn: Option<String>,
    pub(super) phone_home: Option<PhoneHome>,
}

/// Where a machine reports that it is installed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct PhoneHome {
    pub(super) url: String,
    #[serde(default)]
    pub(super) post: Post,
    pub(super) tries: Option<u32>,
}

/// Which fields it reports: `all`, or a list of names.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(super) enum Post {
    List(Vec<String>),
    Word(String),
}

impl Default for Post {
    fn default() -> Self {
        Self::Word("all".to_owned())
    }
}

impl Post {
    /// Whether the field is to be reported.
    pub(super) fn has(&self, name: &str) -> bool {
        match self {
            Self::List(names) => names.iter().any(|own| own == name),
            Self::Word(word) => word == "all",
        }
    }
}

impl CloudConfig {
    /// Reads user data. `None` if it is not a cloud-config or cannot be read: cloud-init logs such an error and goes on.
    pub(super) fn parse(user_data: &str) -> Option<Self> {
        if user_data.lines().next().map(str::trim_end) != Some("#cloud-config") {
            return None;
        }
        serde_saphyr::from_str(user_data).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_home_is_read_among_keys_that_are_not_understood() {
        let config = CloudConfig::parse(
            "#cloud-config\nusers:\n  - name: dev\nfqdn: brave-tiger.example.org\nphone_home:\n  \
             url: http://127.0.0.1:7070/v1/booted\n  post: [instance_id, fqdn]\n  tries: 3\n",
        )
        .unwrap();
        let phone_home = config.phone_home.unwrap();
        assert_eq!(phone_home.url, "http://127.0.0.1:7070/v1/booted");
        assert_eq!(phone_home.tries, Some(3));
        assert!(phone_home.post.has("fqdn") && !phone_home.post.has("hostname"));
        assert_eq!(config.fqdn.as_deref(), Some("brave-tiger.example.org"));
    }

    #[test]
    fn a_call_home_without_a_list_reports_everything() {
        let config = CloudConfig::parse("#cloud-config\nphone_home: {url: 'http://127.0.0.1/'}\n").unwrap();
        assert!(config.phone_home.unwrap().post.has("hostname"));
    }

    #[test]
    fn what_is_no_cloud_config_is_not_read() {
        for text in
            ["", "#!/bin/sh\ntrue\n", "phone_home: {url: x}\n", "#cloud-config\nphone_home: [", "#cloud-config\n- 1\n"]
        {
            assert_eq!(CloudConfig::parse(text), None, "`{text}`");
        }
    }
}
