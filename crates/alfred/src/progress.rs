//! What becomes of environments, live: one line for each while it lasts, with the time that each step took; redrawn on
//! a terminal, appended elsewhere.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use owo_colors::OwoColorize as _;
use tokio::time::Instant;

use crate::printer::Printer;

/// More lines than this are not redrawn at once; the next one takes the place of the first that is done.
const LINES_MAX: usize = 20;

/// Shows progress on stderr until it is finished or dropped.
pub(crate) struct Progress {
    printer: Printer,
    screen: MultiProgress,
    lines: BTreeMap<String, Line>,
    shown: usize,
}

struct Line {
    status: String,
    words: String,
    began: Instant,
    step_began: Instant,
    bar: Option<ProgressBar>,
    done: bool,
}

impl Line {
    fn new() -> Self {
        let now = Instant::now();
        Self { status: String::new(), words: String::new(), began: now, step_began: now, bar: None, done: false }
    }
}

impl Progress {
    /// Shows nothing yet.
    pub(crate) fn new(printer: Printer) -> Self {
        Self { printer, screen: MultiProgress::new(), lines: BTreeMap::new(), shown: 0 }
    }

    /// Says where an environment stands: its status, and its step in words for a person.
    pub(crate) fn update(&mut self, slug: &str, words: &str, status: &str) {
        let line = self.lines.entry(slug.to_owned()).or_insert_with(Line::new);
        if line.status == status && line.words == words {
            return;
        }
        let ended = (!line.words.is_empty()).then(|| step_ended(slug, &line.words, line.step_began.elapsed()));
        status.clone_into(&mut line.status);
        words.clone_into(&mut line.words);
        line.step_began = Instant::now();
        line.done = matches!(status, "active" | "error" | "deleted");
        let finished = line.done.then(|| finished(slug, status, words, line.began.elapsed()));
        if let Some(ended) = ended {
            self.note(&ended);
        }
        if self.printer.live() {
            self.redraw(slug);
        }
        if let Some(finished) = finished {
            self.note(&finished);
        }
    }

    /// Writes a line above those that are redrawn.
    pub(crate) fn note(&self, text: &str) {
        if self.printer.live() {
            // A terminal that cannot be written to shows nothing either way.
            let _ = self.screen.println(text);
        } else {
            self.printer.note(text);
        }
    }

    /// Takes the lines away; what was finished stays on the screen.
    pub(crate) fn finish(self) {
        let _ = self.screen.clear();
    }

    fn redraw(&mut self, slug: &str) {
        let Some(line) = self.lines.get_mut(slug) else { return };
        if line.done {
            if let Some(bar) = line.bar.take() {
                self.shown -= 1;
                bar.finish_and_clear();
            }
        } else if line.bar.is_none() && self.shown < LINES_MAX {
            line.bar = Some(bar(&self.screen, slug));
            self.shown += 1;
        }
        if let Some(bar) = &line.bar {
            bar.set_message(doing(&line.status, &line.words));
        }
        self.fill();
    }

    /// Gives free places to environments that have none yet.
    fn fill(&mut self) {
        let free = LINES_MAX.saturating_sub(self.shown);
        let waiting = self.lines.iter_mut().filter(|(_, line)| !line.done && line.bar.is_none());
        for (slug, line) in waiting.take(free) {
            let bar = bar(&self.screen, slug);
            bar.set_message(doing(&line.status, &line.words));
            line.bar = Some(bar);
            self.shown += 1;
        }
    }
}

/// How many of many changes were made: one bar on a terminal, lines for what must be waited for elsewhere.
pub(crate) struct Bar {
    printer: Printer,
    shown: ProgressBar,
    said: std::sync::Mutex<String>,
}

impl Bar {
    /// A bar of `length` steps; it is seen on a terminal alone.
    pub(crate) fn new(printer: Printer, length: usize) -> Self {
        let shown = if printer.live() { ProgressBar::new(length as u64) } else { ProgressBar::hidden() };
        let style = ProgressStyle::with_template("{bar:30.cyan} {pos}/{len} {elapsed:>4} {wide_msg}");
        shown.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        if printer.live() {
            // Or nothing is seen before the first batch is answered.
            shown.enable_steady_tick(Duration::from_millis(100));
        }
        Self { printer, shown, said: std::sync::Mutex::default() }
    }

    /// One more step was done.
    pub(crate) fn advance(&self) {
        self.shown.inc(1);
        if self.printer.live() {
            self.shown.set_message("");
        }
    }

    /// Says what is waited for; the same thing once.
    pub(crate) fn say(&self, text: &str) {
        let mut said = self.said.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if *said == text {
            return;
        }
        text.clone_into(&mut said);
        if self.printer.live() {
            self.shown.set_message(crate::error::one_line(text));
        } else {
            self.printer.note(crate::error::one_line(text));
        }
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        self.shown.finish_and_clear();
    }
}

/// A line at the foot of the screen. It is put there before it is drawn: a bar that draws itself first leaves a line behind.
fn bar(screen: &MultiProgress, slug: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner:.cyan} {prefix:28} {elapsed:>4} {wide_msg}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner());
    let bar = screen.add(ProgressBar::new_spinner());
    bar.set_style(style);
    bar.set_prefix(slug.to_owned());
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

fn doing(status: &str, words: &str) -> String {
    if words.is_empty() { status.to_owned() } else { format!("{status}: {words}") }
}

fn step_ended(slug: &str, words: &str, took: Duration) -> String {
    format!("  {slug:28} {:>6.1} s  {words}", took.as_secs_f64())
}

fn finished(slug: &str, status: &str, words: &str, took: Duration) -> String {
    let mark = if status == "error" { "✗".red().to_string() } else { "✓".green().to_string() };
    format!("{mark} {slug:28} {:>6.1} s  {}", took.as_secs_f64(), doing(status, words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::printer::Verbosity;

    #[test]
    fn lines_say_what_took_how_long() {
        let step = step_ended("ox", "ordering a VM", Duration::from_millis(150));
        assert_eq!(step, format!("  {:28}    0.1 s  ordering a VM", "ox"));
        let line = finished("ox", "active", "", Duration::from_millis(2_345));
        assert!(line.ends_with("   2.3 s  active"), "{line}");
        assert!(finished("ox", "error", "sold out", Duration::ZERO).ends_with("error: sold out"));
    }

    #[test]
    fn a_thousand_environments_take_a_bounded_number_of_lines() {
        let mut progress = Progress::new(Printer::new(Verbosity::Quiet, false));
        progress.screen.set_draw_target(indicatif::ProgressDrawTarget::hidden());
        let slugs: Vec<String> = (0..1_000).map(|number| format!("ox-{number}")).collect();
        for slug in &slugs {
            progress.lines.insert(slug.clone(), Line { status: "provisioning".into(), ..Line::new() });
            progress.redraw(slug);
        }
        assert_eq!(progress.shown, LINES_MAX);
        for slug in &slugs {
            progress.lines.get_mut(slug).unwrap().done = true;
            progress.redraw(slug);
            let bars = progress.lines.values().filter(|line| line.bar.is_some()).count();
            assert_eq!(progress.shown, bars);
        }
        assert_eq!(progress.shown, 0);
        progress.finish();
    }
}
