//! The place of one secret in a file: the file that a `*_FILE` variable names, or a line of `.env.server`.
//!
//! What else is in the file is kept as it is. While the secret is being replaced a second file stands beside the first
//! one, its name ending in `.rotating`: with the old value as long as the new one is not known, then with the new one.

use std::fs;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};

use super::{FILE_MAX, Key, env_file};
use crate::error::Failure;
use crate::files;

/// Where a secret is kept.
#[derive(Debug, Clone)]
pub(crate) struct SecretPlace {
    path: PathBuf,
    /// The variable whose line it is; the whole file is the secret, where there is none.
    variable: Option<&'static str>,
}

impl SecretPlace {
    /// The whole file.
    pub(super) fn file(path: &Path) -> Self {
        Self { path: absolute(path), variable: None }
    }

    /// One line of a file of variables.
    pub(super) fn line(path: &Path, key: Key) -> Self {
        Self { path: absolute(path), variable: Some(key.variable()) }
    }

    /// The file itself: where a link leads to, so that replacing it replaces no link.
    pub(crate) fn path(&self) -> PathBuf {
        fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone())
    }

    /// The second file.
    pub(crate) fn beside(&self) -> PathBuf {
        files::with_ending(&self.path(), ".rotating")
    }

    /// The secret.
    pub(crate) fn read(&self) -> Result<SecretString, Failure> {
        let path = self.path();
        let text = self.text()?;
        self.value_in(&path, text.expose_secret())
    }

    /// The secret in the second file, if there is one.
    pub(crate) fn read_beside(&self) -> Result<Option<SecretString>, Failure> {
        let path = self.beside();
        files::read_text(&path, FILE_MAX)?.map(|text| self.value_in(&path, &text)).transpose()
    }

    /// The whole text of the file.
    pub(crate) fn text(&self) -> Result<SecretString, Failure> {
        let path = self.path();
        let text = files::read_text(&path, FILE_MAX)?;
        let gone = || Failure::new(format!("`{}` is not there any more", path.display()));
        text.map(SecretString::from).ok_or_else(gone)
    }

    /// `text`, the file's, with another secret in it.
    pub(crate) fn with_value(&self, text: &str, value: &str) -> Result<SecretString, Failure> {
        let Some(variable) = self.variable else {
            let old = text.trim_end_matches(['\r', '\n']);
            return Ok(format!("{value}{}", &text[old.len()..]).into());
        };
        let gone = || Failure::new(format!("`{}` has no line `{variable}=` any more", self.path().display()));
        env_file::replaced(text, variable, value).map(SecretString::from).ok_or_else(gone)
    }

    fn value_in(&self, path: &Path, text: &str) -> Result<SecretString, Failure> {
        let value = match self.variable {
            None => text.trim().to_owned(),
            Some(variable) => {
                let mut lines = env_file::parse(path, text)?;
                lines.remove(variable).map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
            }
        };
        if value.is_empty() {
            return Err(Failure::new(format!("`{}` holds no value any more", path.display())));
        }
        Ok(value.into())
    }
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(directory: &Path, text: &str, variable: Option<&'static str>) -> SecretPlace {
        let path = directory.join("place");
        fs::write(&path, text).unwrap();
        SecretPlace { path, variable }
    }

    fn replaced(place: &SecretPlace, value: &str) -> String {
        let text = place.text().unwrap();
        place.with_value(text.expose_secret(), value).unwrap().expose_secret().to_owned()
    }

    #[test]
    fn a_whole_file_keeps_its_line_end() {
        let directory = tempfile::tempdir().unwrap();
        for (text, then) in [("old", "new"), ("old\n", "new\n"), ("old\r\n", "new\r\n"), (" old \n\n", "new\n\n")] {
            let place = place(directory.path(), text, None);
            assert_eq!(place.read().unwrap().expose_secret(), "old");
            assert_eq!(replaced(&place, "new"), then);
        }
    }

    #[test]
    fn all_but_the_value_of_the_line_stays_byte_for_byte() {
        let directory = tempfile::tempdir().unwrap();
        let before = "\u{feff}# CLOUDFLARE_API_TOKEN=not this\r\n\n  A = b=c \n";
        let after = "\nCLOUDFLARE_API_TOKEN_2=x\n#end";
        for (line, then) in [
            ("CLOUDFLARE_API_TOKEN=old", "CLOUDFLARE_API_TOKEN=new"),
            ("  export CLOUDFLARE_API_TOKEN =  'old' \t\r", "  export CLOUDFLARE_API_TOKEN =  'new' \t\r"),
            ("export  CLOUDFLARE_API_TOKEN=\"old\"", "export  CLOUDFLARE_API_TOKEN=\"new\""),
            ("CLOUDFLARE_API_TOKEN=", "CLOUDFLARE_API_TOKEN=new"),
        ] {
            let text = format!("{before}{line}{after}");
            let place = place(directory.path(), &text, Some("CLOUDFLARE_API_TOKEN"));
            assert_eq!(replaced(&place, "new"), format!("{before}{then}{after}"));
        }
        let place = place(directory.path(), "A=1\n", Some("CLOUDFLARE_API_TOKEN"));
        let words = place.with_value("A=1\n", "new").unwrap_err().to_string();
        assert!(words.contains("no line `CLOUDFLARE_API_TOKEN=`") && !words.contains("new"), "{words}");
    }

    #[test]
    fn what_is_read_is_what_the_configuration_reads() {
        let directory = tempfile::tempdir().unwrap();
        let text = "export CLOUDFLARE_API_TOKEN = \"old\"\nOTHER='x'\n";
        let place = place(directory.path(), text, Some("CLOUDFLARE_API_TOKEN"));
        assert_eq!(place.read().unwrap().expose_secret(), "old");
        fs::write(directory.path().join("place"), "OTHER=1\n").unwrap();
        assert!(place.read().unwrap_err().to_string().contains("holds no value"));
        fs::remove_file(directory.path().join("place")).unwrap();
        assert!(place.read().unwrap_err().to_string().contains("is not there any more"));
    }

    #[test]
    fn the_second_file_is_beside_what_a_link_leads_to() {
        let directory = tempfile::tempdir().unwrap();
        let real = directory.path().join("real");
        fs::create_dir(&real).unwrap();
        fs::write(real.join("token"), "old").unwrap();
        std::os::unix::fs::symlink(real.join("token"), directory.path().join("link")).unwrap();
        let place = SecretPlace::file(&directory.path().join("link"));
        assert_eq!(place.beside(), fs::canonicalize(&real).unwrap().join("token.rotating"));
        assert!(place.read_beside().unwrap().is_none());
        fs::write(place.beside(), "new\n").unwrap();
        assert_eq!(place.read_beside().unwrap().unwrap().expose_secret(), "new");
    }
}
