//! Progress on stderr: a bar on a terminal, plain lines elsewhere.

use super::exit;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Steps of the bar: tenths of a percent.
const STEPS: u64 = 1_000;
/// Distance of plain lines.
const LINE_INTERVAL: Duration = Duration::from_secs(5);
/// Distance of redraws of the bar.
const REDRAW_INTERVAL: Duration = Duration::from_millis(100);

/// Shows how far a run is.
pub(super) struct ProgressLine {
    bar: Option<ProgressBar>,
    label: String,
    simulated_s: f64,
    started: Instant,
    shown: Option<Instant>,
}

impl ProgressLine {
    /// Begins a line for a run of `simulated_s` seconds (settling and draining included).
    pub(super) fn new(label: String, simulated_s: f64) -> Self {
        let bar = on_terminal().then(|| {
            let style = ProgressStyle::with_template("{prefix} [{bar:30}] {percent:>3} %  {msg}")
                .expect("the template is well-formed")
                .progress_chars("=> ");
            ProgressBar::new(STEPS).with_style(style).with_prefix(label.clone())
        });
        Self { bar, label, simulated_s, started: Instant::now(), shown: None }
    }

    /// Shows that a share `done` (0 to 1) is simulated.
    pub(super) fn at(&mut self, done: f64) {
        let now = Instant::now();
        let interval = if self.bar.is_some() { REDRAW_INTERVAL } else { LINE_INTERVAL };
        // The first plain line comes after its interval: short runs are silent.
        let since =
            self.shown.unwrap_or(if self.bar.is_some() { self.started - interval } else { self.started });
        if now - since < interval {
            return;
        }
        self.shown = Some(now);
        let wall = (now - self.started).as_secs_f64();
        let message = describe(done, self.simulated_s, wall);
        match &self.bar {
            Some(bar) => {
                bar.set_position((done * STEPS as f64) as u64);
                bar.set_message(message);
            }
            None => exit::say(format_args!("{}: {:.0} %, {message}", self.label, done * 100.0)),
        }
    }

    /// Names the phase after the simulation.
    pub(super) fn phase(&self, name: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(name.to_owned());
        }
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Shows how far a list of long tasks is: a bar on a terminal, a plain line for each elsewhere.
pub(super) struct Stages {
    bar: Option<ProgressBar>,
    label: &'static str,
    count: usize,
    begun: usize,
}

impl Stages {
    /// Begins a bar over `count` tasks.
    pub(super) fn new(label: &'static str, count: usize) -> Self {
        let bar = on_terminal().then(|| {
            let style = ProgressStyle::with_template("{prefix} [{bar:24}] {pos} of {len}  {wide_msg}")
                .expect("the template is well-formed")
                .progress_chars("=> ");
            ProgressBar::new(count as u64).with_style(style).with_prefix(label)
        });
        Self { bar, label, count, begun: 0 }
    }

    /// Says that the next task begins; those before are done.
    pub(super) fn begin(&mut self, name: &str) {
        match &self.bar {
            Some(bar) => {
                bar.set_position(self.begun as u64);
                bar.set_message(name.to_owned());
            }
            None => exit::say(format_args!("{}: {name}, {} of {}", self.label, self.begun + 1, self.count)),
        }
        self.begun += 1;
    }

    /// Shows what the task says meanwhile.
    pub(super) fn note(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(line.to_owned()),
            None => exit::say(format_args!("  {line}")),
        }
    }

    /// Says something that stays.
    pub(super) fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| exit::say(line)),
            None => exit::say(line),
        }
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Whether a bar can be drawn.
fn on_terminal() -> bool {
    // A terminal that calls itself dumb cannot move its cursor.
    let smart = std::env::var_os("TERM").is_none_or(|term| term != "dumb");
    smart && std::io::stderr().is_terminal()
}

/// Says how fast it goes and how long it will take.
fn describe(done: f64, simulated_s: f64, wall_s: f64) -> String {
    if done <= 0.0 || wall_s <= 0.0 {
        return "starting".to_owned();
    }
    let speed = done * simulated_s / wall_s;
    let left = wall_s * (1.0 - done) / done;
    format!("{speed:.2} simulated s/s, {left:.0} s left")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speed_and_rest_follow_from_what_is_done() {
        assert_eq!(describe(0.25, 40.0, 5.0), "2.00 simulated s/s, 15 s left");
        assert_eq!(describe(0.0, 40.0, 5.0), "starting");
    }
}
