//! Checks of windows in time that sessions, cross traffic and measurements share.

use crate::parse::sink::Sink;
use crate::parse::tree::{Span, Tree};
use crate::units::format_time;
use bellini_core::time::Duration;

/// Notes a `stop` that is not after `start`, and a `start` that is not before the end of the run.
pub(crate) fn check_window(
    tree: &Tree,
    (start, stop): (Duration, Duration),
    duration: Duration,
    what: &str,
    sink: &mut Sink,
) {
    let opening = Span { end: tree.span.start + 1, ..tree.span };
    let place = |key: &str| tree.get(key).map(|tree| tree.span);
    let (from, to) = (place("start"), place("stop").or_else(|| place("end")));
    if start >= duration {
        let message = format!(
            "this {what} starts at {}, when the run of {} is over",
            format_time(start),
            format_time(duration)
        );
        sink.error("E0502", from.unwrap_or(opening), message, "starts too late");
    } else if stop <= start {
        let message = format!(
            "this {what} stops at {}, not after its start at {}",
            format_time(stop),
            format_time(start)
        );
        let error = sink.error("E0501", to.or(from).unwrap_or(opening), message, "stops here");
        if let (Some(from), Some(_)) = (from, to) {
            error.also(from, "starts here");
        }
    }
}
