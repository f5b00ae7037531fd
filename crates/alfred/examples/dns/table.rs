//! The figures as they print, and whether they are what they should be.

use std::time::Duration;

use crate::cost::Cost;
use crate::workload::Workload;

/// So many times fewer calls than octoDNS.
const CALLS_AIM: f64 = 100.0;

/// So many times less CPU than octoDNS.
const CPU_AIM: f64 = 50.0;

/// The most that a look at a hundred thousand records, all as wanted, may cost alfred.
const LARGE: u32 = 100_000;
const LARGE_CPU_AIM: Duration = Duration::from_millis(500);
const LARGE_PEAK_AIM: u64 = 80 * 1024 * 1024;

/// What a workload cost each.
pub(crate) struct Row {
    pub(crate) workload: Workload,
    pub(crate) alfred: Cost,
    pub(crate) octodns: Cost,
}

/// All that was measured.
#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
}

/// Prints what the columns are.
pub(crate) fn print_head() {
    println!();
    print_line("workload", "", ["calls", "wall s", "CPU s", "peak MiB"].map(str::to_owned));
}

impl Table {
    /// Prints a workload's lines at once: the next ones may take minutes.
    pub(crate) fn print(&mut self, row: Row) {
        print_line(&row.workload.title(), "alfred", figures(&row.alfred));
        print_line("", "octoDNS", figures(&row.octodns));
        print_line("", "ratio", row.ratios().map(|ratio| format!("{ratio:.0}")));
        self.rows.push(row);
    }

    /// Prints each aim with its figure. Answers whether those are met that do not depend on the machine.
    pub(crate) fn print_aims(&self) -> bool {
        println!();
        let mut counts_are_met = true;
        for row in &self.rows {
            let (title, [calls, _, cpu, _]) = (row.workload.title(), row.ratios());
            let is_met = calls >= CALLS_AIM;
            counts_are_met &= is_met;
            print_aim(is_met, &format!("{title}: at least {CALLS_AIM:.0} times fewer calls, is {calls:.0}"));
            print_aim(cpu >= CPU_AIM, &format!("{title}: at least {CPU_AIM:.0} times less CPU, is {cpu:.0}"));
            if row.workload.records == LARGE {
                row.print_large_aims();
            }
        }
        counts_are_met
    }
}

impl Row {
    /// How much more octoDNS took: calls, wall, CPU, peak.
    fn ratios(&self) -> [f64; 4] {
        let (alfred, octodns) = (&self.alfred, &self.octodns);
        [
            number(octodns.calls) / number(alfred.calls),
            octodns.wall.as_secs_f64() / alfred.wall.as_secs_f64(),
            octodns.cpu.as_secs_f64() / alfred.cpu.as_secs_f64(),
            number(octodns.peak) / number(alfred.peak),
        ]
    }

    fn print_large_aims(&self) {
        let (title, cost) = (self.workload.title(), &self.alfred);
        let (most, is) = (LARGE_CPU_AIM.as_secs_f64(), cost.cpu.as_secs_f64());
        print_aim(cost.cpu < LARGE_CPU_AIM, &format!("{title}: less than {most} s CPU, is {is:.2}"));
        let (most, is) = (mebibytes(LARGE_PEAK_AIM), mebibytes(cost.peak));
        print_aim(cost.peak < LARGE_PEAK_AIM, &format!("{title}: less than {most:.0} MiB, is {is:.1}"));
    }
}

fn print_line(title: &str, tool: &str, [calls, wall, cpu, peak]: [String; 4]) {
    println!("{title:<26} {tool:<8} {calls:>7} {wall:>8} {cpu:>8} {peak:>9}");
}

fn print_aim(is_met: bool, words: &str) {
    println!("{:<8} {words}", if is_met { "met" } else { "not met" });
}

fn figures(cost: &Cost) -> [String; 4] {
    [
        grouped(cost.calls),
        format!("{:.2}", cost.wall.as_secs_f64()),
        format!("{:.2}", cost.cpu.as_secs_f64()),
        format!("{:.1}", mebibytes(cost.peak)),
    ]
}

/// A number with its thousands set apart.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn mebibytes(bytes: u64) -> f64 {
    number(bytes) / 1024.0 / 1024.0
}

#[expect(clippy::cast_precision_loss, reason = "calls and bytes of memory are far below 2^53")]
fn number(number: u64) -> f64 {
    number as f64
}
