//! Experiments whose reference is the kernel: its TCP in the lab beside the simulator's.

mod tcp;
mod tfrc;

use super::{Experiment, Findings, Setting};
use bellini_reports::Interval;
use bellini_reports::reproduce::{Curve, Input, Ratio, Shape};

pub(super) const EXPERIMENTS: &[Experiment] = &[
    Experiment {
        name: "tcp-kernel",
        about: "The kernel: goodput of simulated TCP and of the kernel's, over loss, round trip and buffer (needs the lab)",
        run: tcp::run,
    },
    Experiment {
        name: "tfrc-kernel",
        about: "The kernel: TFRC hops beside TCP connections, simulated and the kernel's (needs the lab)",
        run: tfrc::run,
    },
];

/// Wire bytes of a full segment, and what of them is payload: IP, TCP and timestamps take 52.
const SEGMENT_BYTES: (f64, f64) = (1_500.0, 1_448.0);

/// Seconds for which traffic goes on after the measuring window: a busy machine may look late, and what it looks at must
/// not have ended.
const AFTER_S: u64 = 2;

/// Returns the ends of an interval, where it has any.
fn ends(of: Option<Interval>) -> Option<(f64, f64)> {
    of.and_then(|it| it.half.map(|half| (it.mean - half, it.mean + half)))
}

fn ratio(of: Option<Interval>) -> Option<Ratio> {
    of.map(|it| Ratio { mean: it.mean, interval: ends(of) })
}

/// Writes a figure with its interval.
fn shown(of: Option<Interval>, decimals: usize) -> String {
    of.map_or_else(
        || "-".to_owned(),
        |it| match it.half {
            Some(half) => format!("{:.decimals$} +- {half:.decimals$}", it.mean),
            None => format!("{:.decimals$}", it.mean),
        },
    )
}

fn curve(name: &str, shape: Shape, points: Vec<(f64, f64)>) -> Curve {
    Curve { name: name.to_owned(), shape, points, beside: None }
}

fn input(name: &str, value: String, origin: &str) -> Input {
    Input::new(name, value, origin)
}
