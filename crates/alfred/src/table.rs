//! Tables and the few forms of values that they share.

use comfy_table::{ContentArrangement, Table, presets};
use jiff::{SignedDuration, Timestamp};

/// What is written for people fits into so many columns, where it can be broken at all.
pub(crate) const COLUMNS: usize = 100;

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

/// A time to the minute, in UTC.
pub(crate) fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M").to_string()
}

/// The day of a time, in UTC.
pub(crate) fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

/// As much of a name as a column has room for.
pub(crate) fn shortened(name: &str, room: usize) -> String {
    if name.chars().count() <= room {
        return name.to_owned();
    }
    let kept: String = name.chars().take(room.saturating_sub(1)).collect();
    format!("{kept}…")
}

/// `text` over as many lines of [`COLUMNS`] as it takes, the first after `label`, the others below its beginning. What
/// stands in backticks is not broken, so that a command can be copied.
pub(crate) fn labelled(label: &str, text: &str, indent: usize) -> String {
    let mut lines = vec![format!("{label:indent$}")];
    let mut empty = true;
    let mut quoted = false;
    let words = text.split(|character: char| {
        quoted ^= character == '`';
        character.is_whitespace() && !quoted
    });
    for word in words.filter(|word| !word.is_empty()) {
        let line = lines.last().map_or(0, |line| line.chars().count());
        if !empty && line + 1 + word.chars().count() > COLUMNS {
            lines.push(" ".repeat(indent));
            empty = true;
        }
        if let Some(line) = lines.last_mut() {
            if !empty {
                line.push(' ');
            }
            line.push_str(word);
        }
        empty = false;
    }
    lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n")
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
    fn a_long_text_is_broken_below_its_beginning() {
        let text = "word ".repeat(40);
        let told = labelled("label", &text, 10);
        let lines: Vec<&str> = told.lines().collect();
        assert_eq!(lines.len(), 3, "{told}");
        assert!(lines[0].starts_with("label     word word") && lines[1].starts_with("          word word"), "{told}");
        assert!(lines.iter().all(|line| line.chars().count() <= COLUMNS && !line.ends_with(' ')), "{told}");
        assert_eq!(told.split_whitespace().filter(|part| *part == "word").count(), 40);
        assert_eq!(labelled("label", "", 10), "label");
        let long = "x".repeat(200);
        assert_eq!(labelled("a", &long, 2), format!("a {long}"));
        let told = labelled("", &format!("{} `a b c d e f g h`: then", "x".repeat(90)), 0);
        assert_eq!(told.lines().nth(1), Some("`a b c d e f g h`: then"));
    }

    #[test]
    fn a_name_has_no_more_room_than_there_is() {
        assert_eq!(shortened("brave-tiger", 11), "brave-tiger");
        assert_eq!(shortened("brave-tiger", 6), "brave…");
    }

    #[test]
    fn lines_of_a_table_have_no_blanks_at_their_ends() {
        let mut table = table(&["SLUG", "STATUS"]);
        table.add_row(["brave-tiger", "active"]);
        table.add_row(["ox", "error"]);
        assert_eq!(text(&table), "SLUG         STATUS\nbrave-tiger  active\nox           error");
    }
}
