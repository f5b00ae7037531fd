//! `.env.server`: lines `NAME=value`, in a file that only its owner may read.
//!
//! The format is what `docker --env-file` and systemd's `EnvironmentFile=` both read: no expansion, comments on lines
//! of their own, a value optionally in matching quotes.

use std::collections::HashMap;
use std::path::Path;

use super::{FILE_MAX, Key};
use crate::error::Failure;
use crate::files;

/// Each variable with its line; none, if there is no such file.
pub(super) fn read(path: &Path) -> Result<HashMap<String, (usize, String)>, Failure> {
    files::check_private(path)?;
    match files::read_text(path, FILE_MAX)? {
        Some(text) => parse(path, &text),
        None => Ok(HashMap::new()),
    }
}

pub(super) fn parse(path: &Path, text: &str) -> Result<HashMap<String, (usize, String)>, Failure> {
    let mut variables = HashMap::new();
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let place = format!("{}:{number}", path.display());
        // A line that is not understood may be a secret: it is never repeated in the error.
        let (name, value) = line
            .strip_prefix("export ")
            .unwrap_or(line)
            .split_once('=')
            .ok_or_else(|| Failure::usage(format!("{place}: a line must be `NAME=value`")))?;
        let name = name.trim();
        let named = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !named {
            return Err(Failure::usage(format!("{place}: a line must be `NAME=value`")));
        }
        check_known(&place, name)?;
        let value = unquote(value.trim()).ok_or_else(|| {
            Failure::usage(format!("{place}: the value of `{name}` begins with a quote that does not end"))
        })?;
        if variables.insert(name.to_owned(), (number, value.to_owned())).is_some() {
            return Err(Failure::usage(format!("{place}: `{name}` is there twice: keep one of the lines")));
        }
    }
    Ok(variables)
}

/// `text` with another value on the line of `variable`; all else stays as it is, byte for byte. The value must hold no
/// white space and no quotes.
pub(super) fn replaced(text: &str, variable: &str, value: &str) -> Option<String> {
    let mut found = false;
    let lines = text.split_inclusive('\n').map(|line| {
        let Some((before, after)) = line.split_once('=') else { return line.to_owned() };
        let name = before.trim();
        if name.strip_prefix("export ").unwrap_or(name).trim() != variable {
            return line.to_owned();
        }
        found = true;
        let old = after.trim();
        let quote = old.get(..1).filter(|first| matches!(*first, "\"" | "'")).unwrap_or_default();
        // An empty value begins where the line does.
        let lead = if old.is_empty() { 0 } else { after.len() - after.trim_start().len() };
        let (lead, rest) = after.split_at(lead);
        let tail = &rest[old.len()..];
        format!("{before}={lead}{quote}{value}{quote}{tail}")
    });
    let replaced: String = lines.collect();
    found.then_some(replaced)
}

/// A misspelt name of ours is an error; a name of somebody else's may be for another program.
fn check_known(place: &str, name: &str) -> Result<(), Failure> {
    let ours = ["ALFRED_", "CLOUDFLARE_", "CONTABO_"].iter().any(|prefix| name.starts_with(prefix));
    let bare = name.strip_suffix("_FILE").unwrap_or(name);
    if !ours || Key::ALL.iter().any(|key| key.variable() == bare) {
        return Ok(());
    }
    let name: String = name.chars().take(64).collect();
    Err(Failure::usage(format!("{place}: unknown variable `{name}`")).hint("`alfred config show` lists the variables"))
}

fn unquote(value: &str) -> Option<&str> {
    match value.chars().next() {
        Some(quote @ ('"' | '\'')) => value[1..].strip_suffix(quote),
        _ => Some(value),
    }
}
