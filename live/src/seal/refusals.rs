//! Lines about refusals, each cause now and then: a stranger must not be able to fill a log.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Distance of lines that say the same.
const SAME_LINE: Duration = Duration::from_secs(10);
/// Different lines that are told apart within that time; further ones are counted only.
const LINES_MAX: usize = 64;

/// What was refused since it was last said.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    lines: BTreeMap<String, Line>,
    unlisted: u64,
}

#[derive(Debug, Default)]
struct Line {
    said: Option<Instant>,
    since: u64,
}

impl Refusals {
    /// Notes that something was refused.
    pub(super) fn note(&mut self, text: String) {
        if self.lines.len() >= LINES_MAX && !self.lines.contains_key(&text) {
            self.unlisted += 1;
            return;
        }
        self.lines.entry(text).or_default().since += 1;
    }

    /// Returns the lines that are due.
    pub(super) fn take(&mut self) -> Vec<String> {
        self.take_at(Instant::now())
    }

    fn take_at(&mut self, now: Instant) -> Vec<String> {
        let mut due = Vec::new();
        self.lines.retain(|text, line| {
            if line.said.is_some_and(|said| now.saturating_duration_since(said) < SAME_LINE) {
                return true;
            }
            let times = std::mem::take(&mut line.since);
            match times {
                0 => return false,
                1 => due.push(text.clone()),
                times => due.push(format!("{text} ({times} times)")),
            }
            line.said = Some(now);
            true
        });
        let unlisted = std::mem::take(&mut self.unlisted);
        if unlisted > 0 {
            due.push(format!("{unlisted} more refusals of other kinds"));
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Aim: a flood of refusals becomes few lines, which say how many there were.
    #[test]
    fn the_same_line_is_said_now_and_then() {
        let (mut refusals, start) = (Refusals::default(), Instant::now());
        for _ in 0..1_000 {
            refusals.note("a".to_owned());
        }
        assert_eq!(refusals.take_at(start), ["a (1000 times)"]);
        refusals.note("a".to_owned());
        assert!(refusals.take_at(start + SAME_LINE / 2).is_empty());
        assert_eq!(refusals.take_at(start + SAME_LINE), ["a"]);
        for number in 0..1_000 {
            refusals.note(number.to_string());
        }
        let said = refusals.take_at(start + SAME_LINE * 2);
        assert!(
            said.len() <= LINES_MAX + 1 && said.last().is_some_and(|line| line.contains("more refusals"))
        );
    }
}
