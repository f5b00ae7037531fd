//! Reading how many tests passed and failed from what the runners print.

/// What one runner said, summed over all its test binaries.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) passed: u64,
    pub(super) failed: u64,
    pub(super) skipped: u64,
    /// What tests said that passed without having done what they are for, each once.
    pub(super) could_not_run: Vec<String>,
}

/// With this a test says that it could not run: it stands at the begin of a line, whatever the runner puts before it.
const COULD_NOT_RUN: &str = "could not run: ";

impl Count {
    /// Reads one line: cargo's `test result: …` of each binary, or nextest's `Summary […] … tests run: …`.
    pub(super) fn read(&mut self, line: &str) {
        let line = without_colour(line);
        if let Some(words) = line.trim_start().strip_prefix(COULD_NOT_RUN) {
            if !self.could_not_run.iter().any(|known| known == words) {
                self.could_not_run.push(words.to_owned());
            }
            return;
        }
        // Cargo's line stands at the edge; indented, it is what nextest repeats of a test that failed.
        let numbers = line.strip_prefix("test result: ").or_else(|| {
            let summary = line.trim_start().strip_prefix("Summary ")?;
            summary.split_once("run: ").map(|(_, numbers)| numbers)
        });
        for part in numbers.unwrap_or_default().split([';', ',', '.']) {
            self.add(part.trim());
        }
    }

    /// Adds one part, such as `3 passed`, `1 timed out` or `2 passed (1 slow)`.
    fn add(&mut self, part: &str) {
        let Some((number, word)) = part.split_once(' ') else { return };
        let Ok(number) = number.parse::<u64>() else { return };
        match word.split([' ', '(']).next().unwrap_or_default() {
            "passed" => self.passed += number,
            "failed" | "timed" | "exec" => self.failed += number,
            "skipped" | "ignored" => self.skipped += number,
            _ => {}
        }
    }
}

/// The line without terminal sequences, which runners write when colour is forced.
fn without_colour(line: &str) -> String {
    let mut plain = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        plain.push_str(before);
        rest = after.split_once('m').map_or("", |(_, rest)| rest);
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(lines: &[&str]) -> (u64, u64, u64) {
        let mut count = Count::default();
        for line in lines {
            count.read(line);
        }
        (count.passed, count.failed, count.skipped)
    }

    #[test]
    fn cargo_counts_each_binary() {
        let lines = [
            "test a::b ... ok",
            "test result: ok. 41 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.76s",
            "test result: FAILED. 1 passed; 3 failed; 0 ignored; 0 measured; 32 filtered out; finished in 5.58s",
        ];
        assert_eq!(count(&lines), (42, 3, 2));
    }

    #[test]
    fn nextest_counts_once_for_all() {
        let line = "     Summary [   5.2s] 12 tests run: 9 passed (1 slow), 2 failed, 1 timed out, 4 skipped";
        assert_eq!(count(&[line]), (9, 3, 4));
        let line = "\u{1b}[32;1m     Summary\u{1b}[0m [   0.1s] \u{1b}[1m1\u{1b}[0m test run: \u{1b}[1m1\u{1b}[0m \u{1b}[32;1mpassed\u{1b}[0m, 0 skipped";
        assert_eq!(count(&[line]), (1, 0, 0));
    }

    #[test]
    fn a_failure_that_nextest_repeats_is_counted_once() {
        let lines = [
            "    test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 41 filtered out; finished in 0.16s",
            "     Summary [ 198.992s] 695 tests run: 694 passed, 1 failed, 0 skipped",
        ];
        assert_eq!(count(&lines), (694, 1, 0));
    }

    #[test]
    fn a_test_that_says_it_could_not_run_is_heard_once() {
        let mut count = Count::default();
        for line in
            ["    could not run: a::b: set `X`", "could not run: a::b: set `X`", "it could not run: no", "    ok"]
        {
            count.read(line);
        }
        assert_eq!(count.could_not_run, ["a::b: set `X`"]);
    }

    #[test]
    fn what_tests_print_is_not_counted() {
        assert_eq!(count(&["7 passed", "result: 7 passed", "a test result: ok. 7 passed"]), (0, 0, 0));
    }
}
