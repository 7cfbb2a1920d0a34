//! The loop that lets a run happen on real processes: what the lab and real hosts have in common.

mod past;

pub(crate) use past::Past;

use bellini_core::io::Event;
use bellini_core::time::{Duration, Instant};
use bellini_scenarios::conduct::{ConductError, Conductor, Duty, Observer, Progress, Testbed, TestbedError};
use bellini_scenarios::record::{EventRow, Status};

/// Longest time without a look at the observer.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// An event of a node.
#[derive(Debug)]
pub(crate) struct Said {
    /// Index of the node.
    pub(crate) node: u32,
    /// When, in true time.
    pub(crate) at: Instant,
    /// What it said.
    pub(crate) event: Event,
}

/// A testbed of processes that say something at any time.
pub(crate) trait Hears: Testbed {
    /// Returns the next event of a node, waiting for one until true time `until` at most.
    ///
    /// # Errors
    /// When the run cannot go on.
    fn next_event(&mut self, until: Instant) -> Result<Option<Said>, TestbedError>;

    /// Returns what happened to the testbed itself since the last call, for the event log.
    fn news(&mut self) -> Vec<EventRow> {
        Vec::new()
    }
}

/// Lets a run happen until its end, or until the observer stops it.
///
/// # Errors
/// When the testbed cannot go on or the observer fails.
pub(crate) fn play<B: Hears>(
    conductor: &mut Conductor<'_>,
    bed: &mut B,
    observer: &mut dyn Observer,
) -> Result<Status, ConductError> {
    let end = conductor.end();
    conductor.begin(bed);
    loop {
        let now = bed.now();
        if now >= end {
            break;
        }
        if conductor.progress(bed, observer)? == Progress::Stop {
            return Ok(Status::Interrupted);
        }
        match conductor.next_deadline() {
            Some((at, duty)) if at <= now => conductor.act(duty, bed, observer)?,
            next => {
                let until = next.map_or(end, |(at, _)| at).min(end).min(now + LOOK_EVERY);
                if let Some(Said { node, at, event }) = bed.next_event(until)? {
                    conductor.handle_event(bed, node, at, event, observer)?;
                }
            }
        }
        report(bed, observer)?;
    }
    // What is due at the very end, and what nodes said before it.
    for duty in Duty::ALL {
        conductor.act(duty, bed, observer)?;
    }
    while let Some(Said { node, at, event }) = bed.next_event(end)? {
        conductor.handle_event(bed, node, at, event, observer)?;
    }
    report(bed, observer)?;
    conductor.progress(bed, observer)?;
    Ok(Status::Complete)
}

/// Puts what happened to the testbed itself into the event log.
fn report<B: Hears>(bed: &mut B, observer: &mut dyn Observer) -> Result<(), ConductError> {
    bed.news().into_iter().try_for_each(|row| observer.event(row).map_err(ConductError::Observer))
}
