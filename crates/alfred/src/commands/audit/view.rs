//! The report as people read it: one line for each finding, then what each one means.

use jiff::Timestamp;
use serde::Deserialize;

use crate::error::{Failure, one_line};
use crate::printer::Printer;
use crate::table;

/// Lines fit into so many columns.
const COLUMNS: usize = 100;

/// So much of a name stands in the table; what follows it has the whole.
const SUBJECT_MAX: usize = 30;

/// So many findings are explained.
const EXPLAINED_MAX: usize = 50;

/// So many names stand in a question.
const LISTED_MAX: usize = 5;

/// The report, as far as it is shown.
#[derive(Debug, Deserialize)]
#[serde(default)]
pub(super) struct Report {
    at: Timestamp,
    environments: u64,
    vms: u64,
    records: u64,
    instances: u64,
    foreign_records: u64,
    foreign_vms: u64,
    left_out: u64,
    pub(super) findings: Vec<Finding>,
    pub(super) repair: Option<Repair>,
}

impl Default for Report {
    fn default() -> Self {
        Self {
            at: Timestamp::UNIX_EPOCH,
            environments: 0,
            vms: 0,
            records: 0,
            instances: 0,
            foreign_records: 0,
            foreign_vms: 0,
            left_out: 0,
            findings: Vec::new(),
            repair: None,
        }
    }
}

/// One thing that does not fit.
#[derive(Debug, Deserialize)]
pub(super) struct Finding {
    kind: String,
    subject: String,
    words: String,
    #[serde(default)]
    action: String,
    #[serde(default)]
    because: String,
    #[serde(default)]
    cost: String,
    since: Timestamp,
    #[serde(default)]
    ripe: bool,
    ripe_from: Timestamp,
}

/// What a repair did.
#[derive(Debug, Deserialize)]
pub(super) struct Repair {
    #[serde(default)]
    refused: Option<String>,
    #[serde(default)]
    pub(super) unrepaired: u64,
    repairs: Vec<Repaired>,
}

#[derive(Debug, Deserialize)]
struct Repaired {
    subject: String,
    outcome: String,
    words: String,
}

impl Finding {
    /// Whether a repair would act upon it now.
    pub(super) fn is_repairable(&self) -> bool {
        self.ripe && self.does_something()
    }

    fn does_something(&self) -> bool {
        !matches!(self.action.as_str(), "" | "none")
    }

    /// What a repair would do and, where it is too soon, when.
    fn what(&self, now: Timestamp) -> String {
        let what = match self.action.as_str() {
            "" | "none" => return "nothing: see below".to_owned(),
            "withdraw_record" => "withdraw the record",
            "write_record" => "write the record again",
            "remove_duplicate" => "remove the duplicate",
            other => other,
        };
        if self.ripe {
            return what.to_owned();
        }
        let left = self.ripe_from.duration_since(now);
        format!("{what} in {}", table::elapsed(left))
    }
}

pub(super) fn subject(finding: &Finding) -> &str {
    &finding.subject
}

/// `1 finding`, `2 findings`.
pub(super) fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// A few names, and how many there are besides.
pub(super) fn listed(names: &[&str]) -> String {
    let mut told: Vec<String> = names.iter().take(LISTED_MAX).map(|name| one_line(name)).collect();
    if names.len() > LISTED_MAX {
        told.push(format!("and {} more", names.len() - LISTED_MAX));
    }
    told.join(", ")
}

/// Prints what was compared and what was found.
pub(super) fn findings(printer: Printer, report: &Report) -> Result<(), Failure> {
    printer.note(format_args!(
        "compared {} environments and {} VMs with {} records ({} not ours) and {} instances ({} not ours)",
        report.environments, report.vms, report.records, report.foreign_records, report.instances, report.foreign_vms,
    ));
    if report.findings.is_empty() {
        printer.note("all is as it should be");
        return Ok(());
    }
    printer.data(rows(report))?;
    printer.data(explained(report))?;
    Ok(())
}

fn rows(report: &Report) -> String {
    let mut table = table::table(&["FINDING", "SUBJECT", "SINCE", "WHAT WOULD BE DONE"]);
    for finding in &report.findings {
        table.add_row([
            one_line(&finding.kind),
            shortened(&one_line(&finding.subject)),
            table::age(finding.since, report.at),
            finding.what(report.at),
        ]);
    }
    table::text(&table)
}

fn explained(report: &Report) -> String {
    let mut lines = Vec::new();
    for finding in report.findings.iter().take(EXPLAINED_MAX) {
        lines.push(String::new());
        lines.push(format!("{} {}", one_line(&finding.kind), one_line(&finding.subject)));
        let (words, because, cost) = (one_line(&finding.words), one_line(&finding.because), one_line(&finding.cost));
        lines.extend(wrapped(&words));
        if !finding.does_something() {
            lines.extend(wrapped(&format!("nothing would be done: {because}")));
        }
        lines.extend(wrapped(&format!("costs {cost}")));
    }
    let listed = u64::try_from(report.findings.len().saturating_sub(EXPLAINED_MAX)).unwrap_or(u64::MAX);
    let more = report.left_out.saturating_add(listed);
    if more > 0 {
        lines.push(String::new());
        lines.push(format!("and {more} more; `alfred audit --json` has up to 10000"));
    }
    lines.join("\n")
}

/// Prints what a repair did.
pub(super) fn repair(printer: Printer, repair: &Repair) -> Result<(), Failure> {
    if let Some(refused) = &repair.refused {
        printer.warning(one_line(refused));
        return Ok(());
    }
    if repair.repairs.is_empty() {
        printer.note("nothing was ripe for repair");
        return Ok(());
    }
    let mut table = table::table(&["REPAIR", "SUBJECT", "WHAT WAS DONE"]);
    for one in &repair.repairs {
        table.add_row([one_line(&one.outcome), shortened(&one_line(&one.subject)), one_line(&one.words)]);
    }
    printer.data("")?;
    printer.data(table::text(&table))?;
    Ok(())
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(SUBJECT_MAX) {
        Some(_) => text.chars().take(SUBJECT_MAX - 1).chain(['…']).collect(),
        None => text.to_owned(),
    }
}

/// A text in indented lines that fit.
fn wrapped(text: &str) -> Vec<String> {
    const INDENT: &str = "  ";
    let mut lines = vec![INDENT.to_owned()];
    let mut width = INDENT.len();
    for word in text.split_whitespace() {
        let length = word.chars().count();
        let empty = width == INDENT.len();
        if !empty && width + 1 + length > COLUMNS {
            lines.push(INDENT.to_owned());
            width = INDENT.len();
        }
        if let Some(line) = lines.last_mut() {
            if width > INDENT.len() {
                line.push(' ');
                width += 1;
            }
            line.push_str(word);
            width += length;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(kind: &str, action: &str, ripe: bool) -> Finding {
        Finding {
            kind: kind.to_owned(),
            subject: "a-name-that-is-rather-long-for-a-table.alfredos.site".to_owned(),
            words: "word ".repeat(60),
            action: action.to_owned(),
            because: "it is not ours".to_owned(),
            cost: "nothing".to_owned(),
            since: Timestamp::UNIX_EPOCH,
            ripe,
            ripe_from: Timestamp::from_second(119 * 60).expect("a time"),
        }
    }

    #[test]
    fn every_line_fits_into_a_hundred_columns() {
        let mut findings = Vec::new();
        for kind in alfred_model::audit::FindingKind::ALL {
            for action in alfred_model::audit::Action::ALL {
                findings.extend([true, false].map(|ripe| finding(kind.as_str(), action.as_str(), ripe)));
            }
        }
        let report = Report { findings, left_out: 5, ..Report::default() };
        let text = format!("{}\n{}", rows(&report), explained(&report));
        assert!(text.lines().all(|line| line.chars().count() <= COLUMNS), "{text}");
        assert!(text.contains("write the record again in 119m") && text.contains("nothing: see below"), "{text}");
        assert!(text.ends_with("and 51 more; `alfred audit --json` has up to 10000"), "{text}");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let bad = Finding { subject: "a\u{1b}[31m".to_owned(), ..finding("altered_mark", "none", false) };
        let report = Report { findings: vec![bad], ..Report::default() };
        assert!(!format!("{}{}", rows(&report), explained(&report)).contains('\u{1b}'));
    }

    #[test]
    fn few_names_are_listed() {
        assert_eq!(listed(&["a", "b"]), "a, b");
        assert_eq!(listed(&["a", "b", "c", "d", "e", "f", "g"]), "a, b, c, d, e, and 2 more");
    }
}
