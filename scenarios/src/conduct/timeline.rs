//! What happens at fixed times of a run: sessions, membership, the ends of conferences, faults, snapshots.

use super::roster::Roster;
use bellini_core::time::Instant;

/// One entry of the timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Happening {
    /// A session is announced: its nodes learn of it, policies are asked. (Index into the roster.)
    Announce(usize),
    /// A session's content starts; only recorded.
    Started(usize),
    /// A session's content stops; only recorded.
    Stopped(usize),
    /// A session has been over for so long that its nodes forget it.
    Retire(usize),
    /// A change of membership. (Conference, index into its churn.)
    Churn(usize, usize),
    /// A conference ends.
    End(usize),
    /// A fault, by index.
    Fault(usize),
    /// The measuring window begins.
    MeasureFrom,
    /// The measuring window ends.
    MeasureTo,
}

/// Returns the timeline, in order of time; entries of the same time in the order of the scenario.
pub(super) fn timeline(roster: &Roster<'_>) -> Vec<(Instant, Happening)> {
    let (scenario, zero) = (roster.scenario, roster.zero);
    let mut list = vec![
        (zero + scenario.measure.from, Happening::MeasureFrom),
        (zero + scenario.measure.to, Happening::MeasureTo),
    ];
    let mut number = 0;
    for (c, conference) in scenario.conferences.iter().enumerate() {
        for session in &conference.sessions {
            // Announced `settle` before its content, so that routes and hops are there when it starts.
            list.push((Instant::ZERO + session.start, Happening::Announce(number)));
            list.push((zero + session.start, Happening::Started(number)));
            if session.stop < scenario.duration {
                list.push((zero + session.stop, Happening::Stopped(number)));
                list.push((zero + session.stop + scenario.drain, Happening::Retire(number)));
            }
            number += 1;
        }
        for (i, churn) in conference.churn.iter().enumerate() {
            list.push((zero + churn.at, Happening::Churn(c, i)));
        }
        if let Some(end) = conference.end {
            list.push((zero + end, Happening::End(c)));
        }
    }
    for (i, fault) in scenario.faults.iter().enumerate() {
        list.push((zero + fault.at, Happening::Fault(i)));
    }
    list.sort_by_key(|(at, _)| *at);
    list
}
