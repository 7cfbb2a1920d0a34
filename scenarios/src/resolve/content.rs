//! What sessions carry.

use super::links::unknown_trace;
use super::values::{as_rate, integer_or, rate, size, size_or, text, time, time_or};
use crate::data::traces;
use crate::parse::sink::Sink;
use crate::parse::tree::Tree;
use bellini_core::content::spec::{
    Content, FrameTrace, Period, Playout, PlayoutMode, SizeDistribution, TraceFrame,
};
use bellini_core::time::Duration;
use bellini_core::units::BitRate;
use std::sync::Arc;

/// The trace of video that names none.
const DEFAULT_TRACE: &str = "envivio-1080p";
/// The ladder of adaptive video that names none.
const DEFAULT_LADDER: &str = "envivio";

/// Reads a content; `None` when something in it is wrong, which is then noted.
pub(crate) fn content(tree: &Tree, sink: &mut Sink) -> Option<Content> {
    match text(tree, "kind")? {
        "constant" => Some(Content::Constant {
            rate: rate(tree, "rate")?,
            phase: time_or(tree, "phase", Duration::ZERO)?,
        }),
        "video" => {
            let trace = trace(tree.get("trace"), sink);
            Some(Content::Video { trace: trace?, rate: rate(tree, "rate")?, playout: playout(tree)? })
        }
        "adaptive" => adaptive(tree, sink),
        "messages" => {
            let size = tree.get("size").and_then(|tree| message_size(tree, sink));
            Some(Content::Messages {
                mean_interval: time(tree, "mean_interval")?,
                size: size?,
                deadline: time(tree, "deadline")?,
            })
        }
        "file" => {
            let bytes = size(tree, "bytes")?;
            let rate = match tree.get("rate") {
                Some(written) => Some(as_rate(written)?),
                None => None,
            };
            Some(Content::File { bytes, rate })
        }
        "on-off" => Some(Content::OnOff {
            rate: rate(tree, "rate")?,
            on: period(tree.get("on")?)?,
            off: period(tree.get("off")?)?,
        }),
        _ => None,
    }
}

/// Reads a length of time, fixed or exponential.
pub(crate) fn period(tree: &Tree) -> Option<Period> {
    match time(tree, "fixed") {
        Some(span) => Some(Period::Fixed(span)),
        None => time(tree, "exponential").map(Period::Exponential),
    }
}

fn adaptive(tree: &Tree, sink: &mut Sink) -> Option<Content> {
    let ladder = ladder(tree.get("ladder"), sink);
    let trace = trace(tree.get("trace"), sink);
    let (ladder, trace) = (ladder?, trace?);
    let initial = usize::try_from(integer_or(tree, "initial", 0)).ok()?;
    if let (true, Some(written)) = (initial >= ladder.len(), tree.get("initial")) {
        let message = format!("there is no level {initial}: the ladder has {}", ladder.len());
        sink.error("E0206", written.span, message, "counted from 0");
        return None;
    }
    let up_after = time_or(tree, "up_after", Duration::from_secs(5))?;
    Some(Content::Adaptive { trace, ladder, initial, up_after, playout: playout(tree)? })
}

fn ladder(tree: Option<&Tree>, sink: &mut Sink) -> Option<Vec<BitRate>> {
    let Some(tree) = tree else { return traces::ladder(DEFAULT_LADDER) };
    if let Some(name) = tree.text() {
        let found = traces::ladder(name);
        if found.is_none() {
            unknown_trace("ladder", tree, &traces::ladder_names(), sink);
        }
        return found;
    }
    let levels: Vec<BitRate> = tree.items().iter().map(as_rate).collect::<Option<_>>()?;
    for (i, pair) in levels.windows(2).enumerate() {
        if pair[0] >= pair[1] {
            let message = format!("the levels of a ladder ascend: {} is not above {}", pair[1], pair[0]);
            sink.error("E0206", tree.items()[i + 1].span, message, "not above the level before it");
            return None;
        }
    }
    Some(levels)
}

fn trace(tree: Option<&Tree>, sink: &mut Sink) -> Option<Arc<FrameTrace>> {
    let Some(tree) = tree else { return traces::frame_trace(DEFAULT_TRACE) };
    if let Some(name) = tree.text() {
        let found = traces::frame_trace(name);
        if found.is_none() {
            unknown_trace("frame trace", tree, &traces::frame_trace_names(), sink);
        }
        return found;
    }
    let sizes = tree.get("frame_bytes")?;
    let frame = |item: &Tree| Some(TraceFrame { bytes: u32::try_from(item.integer()?).ok()?, key: false });
    let mut frames: Vec<TraceFrame> = sizes.items().iter().map(frame).collect::<Option<_>>()?;
    match tree.get("key_frames") {
        None => frames.first_mut()?.key = true,
        Some(keys) => {
            for item in keys.items() {
                let position = item.integer()?;
                match usize::try_from(position).ok().and_then(|position| frames.get_mut(position)) {
                    Some(frame) => frame.key = true,
                    None => {
                        let message =
                            format!("there is no frame {position}: the trace has {}", sizes.items().len());
                        sink.error("E0206", item.span, message, "counted from 0");
                        return None;
                    }
                }
            }
        }
    }
    Some(Arc::new(FrameTrace {
        name: text(tree, "name").unwrap_or("inline").to_owned(),
        frame_interval: time(tree, "frame_interval")?,
        frames,
    }))
}

fn playout(tree: &Tree) -> Option<Playout> {
    let default = Playout { delay: Duration::from_millis(200), mode: PlayoutMode::Live };
    let Some(tree) = tree.get("playout") else { return Some(default) };
    let mode = if text(tree, "mode") == Some("stream") { PlayoutMode::Stream } else { PlayoutMode::Live };
    Some(Playout { delay: time_or(tree, "delay", default.delay)?, mode })
}

fn message_size(tree: &Tree, sink: &mut Sink) -> Option<SizeDistribution> {
    let ordered = |inner: &Tree, low: &str, least: u64, max: u64, sink: &mut Sink| {
        let ok = least <= max;
        if let (false, Some(written)) = (ok, inner.get("max")) {
            let message = format!("`max` must not be below `{low}`");
            let error = sink.error("E0206", written.span, message, "too small");
            if let Some(low_tree) = inner.get(low) {
                error.also(low_tree.span, format!("`{low}`"));
            }
        }
        ok.then_some(())
    };
    if let Some(bytes) = size(tree, "fixed") {
        return Some(SizeDistribution::Fixed(bytes));
    }
    if let Some(inner) = tree.get("uniform") {
        let (min, max) = (size(inner, "min")?, size(inner, "max")?);
        ordered(inner, "min", min, max, sink)?;
        return Some(SizeDistribution::Uniform { min, max });
    }
    if let Some(inner) = tree.get("exponential") {
        let mean = size(inner, "mean")?;
        let max = size_or(inner, "max", mean.saturating_mul(20))?;
        ordered(inner, "mean", mean, max, sink)?;
        return Some(SizeDistribution::Exponential { mean, max });
    }
    let inner = tree.get("log_normal")?;
    let median = size(inner, "median")?;
    let max = size_or(inner, "max", median.saturating_mul(100))?;
    ordered(inner, "median", median, max, sink)?;
    Some(SizeDistribution::LogNormal { median, sigma: inner.get("sigma")?.number()?, max })
}

/// Returns the mean payload rate of a content, for policies that ask how much a session will send.
///
/// Adaptive video counts with the level that it starts at, messages with the mean size before the cut (exponential
/// sizes: after it), on-off sources with their share of on time. `None` for a file that is sent as fast as it goes.
#[must_use]
pub fn mean_rate(content: &Content) -> Option<BitRate> {
    match content {
        Content::Constant { rate, .. } | Content::Video { rate, .. } => Some(*rate),
        Content::Adaptive { ladder, initial, .. } => ladder.get(*initial).copied(),
        Content::File { rate, .. } => *rate,
        Content::Application { .. } => None,
        Content::Messages { mean_interval, size, .. } => {
            BitRate::from_bps((mean_bytes(*size) * 8.0 / mean_interval.as_secs_f64()) as u64)
        }
        Content::OnOff { rate, on, off } => {
            let mean = |period: &Period| match period {
                Period::Fixed(span) | Period::Exponential(span) => span.as_nanos(),
            };
            let (on, off) = (u128::from(mean(on)), u128::from(mean(off)));
            BitRate::from_bps((u128::from(rate.as_bps()) * on / (on + off).max(1)) as u64)
        }
    }
}

fn mean_bytes(size: SizeDistribution) -> f64 {
    match size {
        SizeDistribution::Fixed(bytes) => bytes as f64,
        SizeDistribution::Uniform { min, max } => (min as f64 + max as f64) / 2.0,
        // The mean of min(X, m) for exponential X of mean u is u (1 - e^(-m/u)).
        SizeDistribution::Exponential { mean, max } => {
            mean as f64 * -libm::expm1(-(max as f64) / mean as f64)
        }
        SizeDistribution::LogNormal { median, sigma, max } => {
            (median as f64 * libm::exp(sigma * sigma / 2.0)).min(max as f64)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_rates_by_hand() {
        let mbit = |n: u64| BitRate::from_bps(n * 1_000_000);
        let second = Duration::from_secs(1);
        let messages = |size| Content::Messages { mean_interval: second, size, deadline: second };
        assert_eq!(mean_rate(&messages(SizeDistribution::Fixed(125_000))), mbit(1));
        assert_eq!(mean_rate(&messages(SizeDistribution::Uniform { min: 1, max: 249_999 })), mbit(1));
        let on_off = Content::OnOff {
            rate: mbit(4).unwrap(),
            on: Period::Fixed(second),
            off: Period::Exponential(Duration::from_secs(3)),
        };
        assert_eq!(mean_rate(&on_off), mbit(1));
        assert_eq!(mean_rate(&Content::File { bytes: 1, rate: None }), None);
    }
}
