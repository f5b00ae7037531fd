//! What becomes of environments, live: one line for each while it lasts, redrawn on a terminal, appended elsewhere.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use owo_colors::OwoColorize as _;

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
    bar: Option<ProgressBar>,
    done: bool,
}

impl Progress {
    /// Shows nothing yet.
    pub(crate) fn new(printer: Printer) -> Self {
        Self { printer, screen: MultiProgress::new(), lines: BTreeMap::new(), shown: 0 }
    }

    /// Says where an environment stands: its status, and its step in words for a person.
    pub(crate) fn update(&mut self, slug: &str, words: &str, status: &str) {
        let line = self.lines.entry(slug.to_owned()).or_insert_with(|| Line {
            status: String::new(),
            words: String::new(),
            bar: None,
            done: false,
        });
        if line.status == status && line.words == words {
            return;
        }
        status.clone_into(&mut line.status);
        words.clone_into(&mut line.words);
        line.done = matches!(status, "active" | "error" | "deleted");
        if self.printer.live() {
            self.redraw(slug);
        } else {
            self.printer.note(plain(slug, status, words));
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
            let took = line.bar.take().map(|bar| {
                self.shown -= 1;
                let took = bar.elapsed();
                bar.finish_and_clear();
                took
            });
            let text = finished(slug, &line.status, &line.words, took);
            let _ = self.screen.println(text);
        } else if line.bar.is_none() && self.shown < LINES_MAX {
            line.bar = Some(self.screen.add(bar(slug)));
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
            let bar = self.screen.add(bar(slug));
            bar.set_message(doing(&line.status, &line.words));
            line.bar = Some(bar);
            self.shown += 1;
        }
    }
}

fn bar(slug: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner:.cyan} {prefix:28} {elapsed:>4} {wide_msg}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner());
    let bar = ProgressBar::new_spinner().with_style(style).with_prefix(slug.to_owned());
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

fn doing(status: &str, words: &str) -> String {
    if words.is_empty() { status.to_owned() } else { format!("{status}: {words}") }
}

fn plain(slug: &str, status: &str, words: &str) -> String {
    format!("{slug}  {}", doing(status, words))
}

fn finished(slug: &str, status: &str, words: &str, took: Option<Duration>) -> String {
    let took = took.map(|took| format!(" in {:.1} s", took.as_secs_f64())).unwrap_or_default();
    let text = plain(slug, status, words);
    match status {
        "error" => format!("{} {text}{took}", "✗".red()),
        _ => format!("{} {text}{took}", "✓".green()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::printer::Verbosity;

    #[test]
    fn lines_say_status_and_step() {
        assert_eq!(plain("ox", "provisioning", "ordering a VM"), "ox  provisioning: ordering a VM");
        assert_eq!(plain("ox", "active", ""), "ox  active");
        let line = finished("ox", "active", "", Some(Duration::from_millis(2_345)));
        assert!(line.ends_with("ox  active in 2.3 s"), "{line}");
    }

    #[test]
    fn a_thousand_environments_take_a_bounded_number_of_lines() {
        let mut progress = Progress::new(Printer::new(Verbosity::Quiet, false));
        progress.screen.set_draw_target(indicatif::ProgressDrawTarget::hidden());
        let slugs: Vec<String> = (0..1_000).map(|number| format!("ox-{number}")).collect();
        for slug in &slugs {
            progress.lines.insert(
                slug.clone(),
                Line { status: "provisioning".into(), words: String::new(), bar: None, done: false },
            );
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
