//! Recorded traces by name: video frame sizes, bitrate ladders, rates of access links.

use bellini_core::content::spec::{FrameTrace, TraceFrame};
use bellini_core::time::Duration;
use bellini_core::units::BitRate;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use crate::model::RateTrace;

const FRAME_TRACES: [&str; 1] = ["envivio-1080p"];

/// Returns the names of the frame traces, sorted.
#[must_use]
pub fn frame_trace_names() -> Vec<&'static str> {
    FRAME_TRACES.to_vec()
}

/// Returns the frame trace of that name; all callers share one copy.
///
/// `envivio-1080p`: 4,842 frames, 25 a second, a key frame every 50, mean 4.30 Mbit/s.
#[must_use]
pub fn frame_trace(name: &str) -> Option<Arc<FrameTrace>> {
    static PARSED: OnceLock<Arc<FrameTrace>> = OnceLock::new();
    (name == FRAME_TRACES[0]).then(|| Arc::clone(PARSED.get_or_init(|| Arc::new(envivio()))))
}

/// Returns the names of the bitrate ladders, sorted.
#[must_use]
pub fn ladder_names() -> Vec<&'static str> {
    ladders().keys().copied().collect()
}

/// Returns the ladder of that name: mean rates of its levels, ascending.
#[must_use]
pub fn ladder(name: &str) -> Option<Vec<BitRate>> {
    ladders().get(name).cloned()
}

/// Returns the names of the rate traces, sorted.
#[must_use]
pub fn rate_trace_names() -> Vec<&'static str> {
    rate_traces().keys().copied().collect()
}

/// Returns the rate trace of that name, such as `fcc-hd:hd_0000`.
#[must_use]
pub fn rate_trace(name: &str) -> Option<RateTrace> {
    rate_traces().get(name).cloned()
}

fn envivio() -> FrameTrace {
    let rows = rows::<(u32, u8)>(include_str!("../../data/envivio-1080p-frames.csv"));
    let frames = rows.map(|(bytes, key)| {
        assert!(bytes > 0, "no frame is empty");
        TraceFrame { bytes, key: key == 1 }
    });
    FrameTrace {
        name: "envivio-1080p (EnvivioDash3, DASH-IF, by way of Pensieve)".to_owned(),
        frame_interval: Duration::from_millis(40),
        frames: frames.collect(),
    }
}

fn ladders() -> &'static BTreeMap<&'static str, Vec<BitRate>> {
    static PARSED: OnceLock<BTreeMap<&'static str, Vec<BitRate>>> = OnceLock::new();
    PARSED.get_or_init(|| {
        let mut ladders = BTreeMap::<_, Vec<_>>::new();
        for (name, [kbps]) in named_rows(include_str!("../../data/ladders.csv")) {
            ladders.entry(name).or_default().push(kilobits(kbps).expect("no level has rate zero"));
        }
        ladders
    })
}

fn rate_traces() -> &'static BTreeMap<&'static str, RateTrace> {
    static PARSED: OnceLock<BTreeMap<&'static str, RateTrace>> = OnceLock::new();
    PARSED.get_or_init(|| {
        let mut traces = BTreeMap::<_, RateTrace>::new();
        for (name, [millis, kbps]) in named_rows(include_str!("../../data/rate-traces.csv")) {
            let trace =
                traces.entry(name).or_insert_with(|| RateTrace { name: name.to_owned(), steps: Vec::new() });
            trace.steps.push((Duration::from_millis(millis), kilobits(kbps)));
        }
        traces
    })
}

/// Returns the rate, or `None` for zero: an outage.
fn kilobits(kbps: u64) -> Option<BitRate> {
    BitRate::from_bps(kbps * 1_000)
}

/// Iterates over the rows of an embedded table, below its header line.
fn rows<T: serde::de::DeserializeOwned>(text: &'static str) -> impl Iterator<Item = T> {
    let reader = csv::Reader::from_reader(text.as_bytes());
    reader.into_deserialize().map(|row| row.expect("the embedded table is well-formed"))
}

/// Iterates over rows of a name and `N` numbers, below a header line; names are borrowed from the text.
fn named_rows<const N: usize>(text: &'static str) -> impl Iterator<Item = (&'static str, [u64; N])> {
    text.lines().skip(1).map(|line| {
        let mut fields = line.split(',');
        let name = fields.next().expect("splitting gives at least one field");
        let numbers = std::array::from_fn(|_| {
            let field = fields.next().expect("the embedded table has all its columns");
            field.parse().expect("the embedded table holds whole numbers")
        });
        (name, numbers)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_video_has_its_published_length_and_rate() {
        let video = frame_trace("envivio-1080p").unwrap();
        assert_eq!(video.frames.len(), 4_842);
        let bytes: u64 = video.frames.iter().map(|frame| u64::from(frame.bytes)).sum();
        let mbps = bytes as f64 * 8.0 / (video.frames.len() as f64 * 0.040) / 1e6;
        assert!((mbps - 4.30).abs() < 0.01, "{mbps}");
        assert!(video.frames.iter().step_by(50).all(|frame| frame.key));
        assert_eq!(video.frames.iter().filter(|frame| frame.key).count(), 97);
        assert!(Arc::ptr_eq(&video, &frame_trace("envivio-1080p").unwrap()));
        assert!(frame_trace("envivio").is_none());
    }

    #[test]
    fn ladders_ascend() {
        assert_eq!(ladder_names(), ["bbb", "envivio"]);
        let bps: Vec<_> = ladder("envivio").unwrap().iter().map(|rate| rate.as_bps() / 1_000).collect();
        assert_eq!(bps, [300, 750, 1_200, 1_850, 2_850, 4_300]);
        assert!(ladder("bbb").unwrap().is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn rate_traces_pass_something_and_keep_their_outages() {
        let names = rate_trace_names();
        assert_eq!(names.len(), 13);
        let mut outages = 0;
        for name in names {
            let trace = rate_trace(name).unwrap();
            assert_eq!(trace.name, name);
            assert!(trace.steps.iter().any(|(_, rate)| rate.is_some()), "{name}");
            assert!(trace.steps.iter().all(|(span, _)| !span.is_zero()), "{name}");
            outages += trace.steps.iter().filter(|(_, rate)| rate.is_none()).count();
        }
        assert!(outages > 0);
        let broadband = rate_trace("fcc-hd:hd_0000").unwrap();
        assert_eq!(broadband.steps.len(), 36);
        assert_eq!(broadband.steps[0], (Duration::from_secs(5), kilobits(1_363)));
    }
}
