//! Tables and the few forms of values that they share.

use comfy_table::{ContentArrangement, Table, presets};
use jiff::{SignedDuration, Timestamp};

/// A table without lines: it reads well, and `awk` can read it too.
pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled).set_header(header);
    table
}

/// A table as text, without the blanks at the end of its lines.
pub(crate) fn text(table: &Table) -> String {
    table.to_string().lines().map(str::trim).collect::<Vec<_>>().join("\n")
}

/// A value that may be missing.
pub(crate) fn or_dash<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// How long ago, roughly, as `kubectl` and `docker` say it.
pub(crate) fn age(since: Timestamp, now: Timestamp) -> String {
    elapsed(now.duration_since(since))
}

/// A span of time, roughly.
pub(crate) fn elapsed(span: SignedDuration) -> String {
    let seconds = span.as_secs().max(0);
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7_200 => format!("{}m", seconds / 60),
        7_200..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// A time as people write it, to the second, in UTC.
pub(crate) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_told_in_the_largest_unit_that_says_enough() {
        let told = |seconds| elapsed(SignedDuration::from_secs(seconds));
        assert_eq!(told(-5), "0s");
        assert_eq!(told(119), "119s");
        assert_eq!(told(120), "2m");
        assert_eq!(told(7_199), "119m");
        assert_eq!(told(7_200), "2h");
        assert_eq!(told(172_800), "2d");
    }

    #[test]
    fn lines_of_a_table_have_no_blanks_at_their_ends() {
        let mut table = table(&["SLUG", "STATUS"]);
        table.add_row(["brave-tiger", "active"]);
        table.add_row(["ox", "error"]);
        assert_eq!(text(&table), "SLUG         STATUS\nbrave-tiger  active\nox           error");
    }
}
