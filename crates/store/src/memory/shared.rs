//! Shared values in memory.

use super::tables::Tables;
use crate::SharedValue;

impl Tables {
    pub(super) fn swap_shared_value(&mut self, name: &str, expected: Option<i64>, text: &str) -> bool {
        let found = self.shared_values.get(name).map(|value| value.version);
        if found != expected {
            return false;
        }
        let version = found.unwrap_or(0) + 1;
        // As the databases keep it.
        let text = text.replace('\0', "\u{fffd}");
        self.shared_values.insert(name.to_owned(), SharedValue { text, version });
        true
    }
}
