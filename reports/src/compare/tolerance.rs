//! What may differ, and by how much.

use super::CompareError;

/// The tolerances of a comparison. Shares are plain numbers here (0.03 is 3 %).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerances {
    /// How far the ratio of mean goodputs may be from 1, with its whole interval.
    pub goodput: f64,
    /// How far the ratio of offered rates may be from 1.
    pub offered: f64,
    /// How far delays may be apart, as a share of A's queueing delay; `delay_ms` applies where it is larger.
    pub delay: f64,
    /// The same in milliseconds.
    pub delay_ms: f64,
    /// What is added to both ends of A's range of the share of lost symbols.
    pub loss: f64,
    /// By which share the mean length of loss runs may be longer (or, inversely, shorter).
    pub loss_runs: f64,
    /// What is added to both ends of A's range of the packets sent on a link, as a share of their mean.
    pub link_packets: f64,
    /// The same as a count; it applies where it is larger.
    pub link_packets_count: f64,
    /// How far the shares of flows may be apart beyond what drawing them explains.
    pub shares: f64,
    /// How far the shares of frames (or messages) on time may be apart.
    pub on_time: f64,
    /// How far the ratio of the times to complete a file may be from 1.
    pub complete: f64,
    /// Probability with which intervals hold.
    pub confidence: f64,
}

impl Default for Tolerances {
    fn default() -> Self {
        Tolerances {
            goodput: 0.03,
            offered: 0.01,
            delay: 0.1,
            delay_ms: 0.5,
            loss: 0.002,
            loss_runs: 0.25,
            link_packets: 0.01,
            link_packets_count: 50.0,
            shares: 0.002,
            on_time: 0.01,
            complete: 0.05,
            confidence: 0.95,
        }
    }
}

/// What a tolerance is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// A share, written in percent.
    Share,
    /// Milliseconds.
    Milliseconds,
    /// A number of packets.
    Packets,
}

impl Tolerances {
    /// Changes one tolerance. `value`: `5 %`, `0.05`, `2 ms`, `100`, as the key asks for.
    ///
    /// # Errors
    /// [`CompareError::Tolerance`] for a key that there is not, or a value that is no such figure.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), CompareError> {
        let wrong = |problem: String| CompareError::Tolerance { key: key.to_owned(), problem };
        let known = self.entries().map(|(name, ..)| name).join(", ");
        let (_, unit, place, _) = self
            .entries()
            .into_iter()
            .find(|(name, ..)| *name == key)
            .ok_or_else(|| wrong(format!("there is no such tolerance; there are {known}")))?;
        let text = value.trim();
        let (digits, scale, example) = match unit {
            Unit::Share => match text.strip_suffix('%') {
                Some(digits) => (digits, 0.01, "`5 %`"),
                None => (text, 1.0, "`5 %`"),
            },
            Unit::Milliseconds => (text.strip_suffix("ms").unwrap_or(text), 1.0, "`2 ms`"),
            Unit::Packets => (text, 1.0, "`100`"),
        };
        let number = digits.trim().parse::<f64>().ok().map(|number| number * scale);
        let allowed = |number: &f64| match key {
            "confidence" => (0.5..1.0).contains(number),
            _ if unit == Unit::Share => (0.0..1.0).contains(number),
            _ => number.is_finite() && *number >= 0.0,
        };
        *place = number
            .filter(allowed)
            .ok_or_else(|| wrong(format!("`{value}` is not possible; write it like {example}")))?;
        Ok(())
    }

    /// Returns every tolerance: key, unit, where it is kept, what it means.
    fn entries(&mut self) -> [(&'static str, Unit, &mut f64, &'static str); 12] {
        use Unit::{Milliseconds, Packets, Share};
        [
            (
                "goodput",
                Share,
                &mut self.goodput,
                "the interval of the ratio of mean goodputs lies this close to 1",
            ),
            ("offered", Share, &mut self.offered, "the ratio of offered rates lies this close to 1"),
            (
                "delay",
                Share,
                &mut self.delay,
                "least delay, p50 and p95 differ by at most this share of A's queueing delay, or by delay_ms",
            ),
            ("delay_ms", Milliseconds, &mut self.delay_ms, "the same in milliseconds, where that is more"),
            (
                "loss",
                Share,
                &mut self.loss,
                "B's median of lost symbols lies inside A's range, widened by this at both ends",
            ),
            (
                "loss_runs",
                Share,
                &mut self.loss_runs,
                "the mean length of loss runs is at most this much longer, or inversely shorter",
            ),
            (
                "link_packets",
                Share,
                &mut self.link_packets,
                "B's median of packets sent on a link lies inside A's range, widened by this share of it",
            ),
            (
                "link_packets_count",
                Packets,
                &mut self.link_packets_count,
                "the same as a count, where that is more",
            ),
            (
                "shares",
                Share,
                &mut self.shares,
                "shares of flows differ by at most this beyond their binomial interval",
            ),
            (
                "on_time",
                Share,
                &mut self.on_time,
                "shares of frames and messages on time differ by at most this",
            ),
            (
                "complete",
                Share,
                &mut self.complete,
                "the ratio of times to complete a file lies this close to 1",
            ),
            ("confidence", Share, &mut self.confidence, "probability with which intervals hold"),
        ]
    }

    /// Returns key, value as text, and meaning of each.
    pub(super) fn stated(mut self) -> Vec<(&'static str, String, &'static str)> {
        let entries = self.entries().map(|(key, unit, value, meaning)| (key, shown(unit, *value), meaning));
        entries.to_vec()
    }
}

fn shown(unit: Unit, value: f64) -> String {
    use crate::format::number;
    match unit {
        Unit::Share => format!("{} %", number(value * 100.0)),
        Unit::Milliseconds => format!("{} ms", number(value)),
        Unit::Packets => number(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Aim: every key can be set in the form in which it is shown; nonsense is refused and told what would be right.
    #[test]
    fn tolerances_are_set_by_name() {
        let mut tolerances = Tolerances::default();
        tolerances.set("goodput", "5 %").expect("valid");
        tolerances.set("delay_ms", "2 ms").expect("valid");
        tolerances.set("shares", "0.5%").expect("valid");
        tolerances.set("link_packets_count", "100").expect("valid");
        assert_eq!((tolerances.goodput, tolerances.delay_ms), (0.05, 2.0));
        assert!((tolerances.shares - 0.005).abs() < 1e-12);
        for (key, value, _) in Tolerances::default().stated() {
            tolerances.set(key, &value).unwrap_or_else(|error| panic!("{error}"));
        }
        assert_eq!(
            tolerances.stated().iter().map(|entry| &entry.1).collect::<Vec<_>>(),
            Tolerances::default().stated().iter().map(|entry| &entry.1).collect::<Vec<_>>()
        );
        let error = tolerances.set("godput", "1 %").expect_err("no such key").to_string();
        assert!(error.contains("godput") && error.contains("goodput, offered"), "{error}");
        for (key, value) in
            [("goodput", "-1 %"), ("goodput", "x"), ("confidence", "100 %"), ("delay_ms", "nan")]
        {
            let error = tolerances.set(key, value).expect_err("not possible").to_string();
            assert!(error.contains(key) && error.contains(value), "{error}");
        }
    }
}
