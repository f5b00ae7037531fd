//! Secrets, and keeping them out of words.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// Most characters of a provider's own words that are kept.
pub const WORDS_LIMIT: usize = 300;

macro_rules! secrets {
    ($($(#[$meta:meta])* $name:ident,)+) => {$(
        $(#[$meta])*
        #[derive(Clone)]
        pub struct $name(SecretString);

        impl $name {
            /// Takes the secret's text. White space around it, as files and shells leave it, is dropped.
            pub fn new(text: &str) -> Self {
                Self(SecretString::from(text.trim().to_owned()))
            }

            /// The secret itself, for the one place that sends it.
            pub fn expose(&self) -> &str {
                self.0.expose_secret()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(concat!(stringify!($name), "([secret])"))
            }
        }
    )+};
}

secrets! {
    /// A Cloudflare API token, of any length and prefix
    /// (<https://developers.cloudflare.com/fundamentals/api/get-started/token-formats/>).
    ApiToken,
    /// The secret of a Contabo OAuth2 client.
    ClientSecret,
    /// The API password of a Contabo user, which is not the one of the web panel.
    ApiPassword,
    /// What a VM is given at its first boot (cloud-init); it mostly holds keys.
    UserData,
    /// A password or key kept in Contabo's secret store.
    StoredValue,
}

/// Makes a provider's text fit for an error: known secrets replaced, control characters removed, cut to
/// [`WORDS_LIMIT`] characters.
#[derive(Clone, Default)]
pub(crate) struct Redactor {
    known: Vec<SecretString>,
}

impl Redactor {
    pub(crate) fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let mut redactor = Self::default();
        for secret in secrets {
            redactor.learn(secret);
        }
        redactor
    }

    /// Also replaces `secret`, as it is and as it looks inside JSON and inside a URL.
    pub(crate) fn learn(&mut self, secret: &str) {
        if secret.is_empty() {
            return;
        }
        let json = serde_json::Value::from(secret).to_string();
        let json = json.trim_matches('"').to_owned();
        for form in [secret.to_owned(), json, crate::call::encode(secret)] {
            if !self.known.iter().any(|known| known.expose_secret() == form) {
                self.known.push(SecretString::from(form));
            }
        }
        // A secret that contains another must go first, or its rest would remain.
        self.known.sort_by_key(|known| std::cmp::Reverse(known.expose_secret().len()));
    }

    pub(crate) fn clean(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for known in &self.known {
            text = text.replace(known.expose_secret(), "[secret]");
        }
        let words = text.split(|character: char| character.is_control() || character.is_whitespace());
        let mut line = String::new();
        for word in words.filter(|word| !word.is_empty()) {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        match line.char_indices().nth(WORDS_LIMIT) {
            Some((end, _)) => format!("{}…", &line[..end]),
            None => line,
        }
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Redactor({} forms)", self.known.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_lose_secrets_controls_and_length() {
        let redactor = Redactor::new(["p\"ss w&rd", "p\"ss w&rd-and-more"]);
        let text = "a\u{1b}[31mb\n p\"ss w&rd, {\"p\\\"ss w&rd\"} p%22ss%20w%26rd p\"ss w&rd-and-more\0";
        assert_eq!(redactor.clean(text), "a [31mb [secret], {\"[secret]\"} [secret] [secret]");
        let long = redactor.clean(&"ö".repeat(1_000));
        assert_eq!(long.chars().count(), WORDS_LIMIT + 1);
        assert!(long.ends_with('…'));
    }

    #[test]
    fn a_secret_at_the_cut_does_not_leave_its_beginning() {
        let redactor = Redactor::new(["abcdefghijklmnop"]);
        let cleaned = redactor.clean(&format!("{}abcdefghijklmnop", "x".repeat(WORDS_LIMIT - 4)));
        assert!(!cleaned.contains("abcd"), "{cleaned}");
    }

    #[test]
    fn debug_shows_no_secret() {
        let shown = format!(
            "{:?} {:?} {:?}",
            ApiToken::new(" hunter2\n"),
            UserData::new("hunter2"),
            Redactor::new(["hunter2"])
        );
        assert!(!shown.contains("hunter2"), "{shown}");
        assert_eq!(ApiToken::new(" hunter2\n").expose(), "hunter2");
    }
}
