//! What happens at fixed times of a run: sessions, membership, the ends of conferences, faults, snapshots.

use bellini_core::time::Instant;
use bellini_scenarios::model::Scenario;

/// One entry of the timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Happening {
    /// A session is announced: its nodes learn of it, policies are asked. (Conference, session by index.)
    Announce(usize, usize),
    /// A session's content starts or stops; only recorded.
    Started(usize, usize),
    /// A session's content stops; only recorded.
    Stopped(usize, usize),
    /// A session has been over for so long that its nodes forget it.
    Retire(usize, usize),
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
pub(crate) fn timeline(scenario: &Scenario, zero: Instant) -> Vec<(Instant, Happening)> {
    let mut list = vec![
        (zero + scenario.measure.from, Happening::MeasureFrom),
        (zero + scenario.measure.to, Happening::MeasureTo),
    ];
    for (c, conference) in scenario.conferences.iter().enumerate() {
        for (s, session) in conference.sessions.iter().enumerate() {
            // Announced `settle` before its content, so that routes and hops are there when it starts.
            list.push((Instant::ZERO + session.start, Happening::Announce(c, s)));
            list.push((zero + session.start, Happening::Started(c, s)));
            if session.stop < scenario.duration {
                list.push((zero + session.stop, Happening::Stopped(c, s)));
                list.push((zero + session.stop + scenario.drain, Happening::Retire(c, s)));
            }
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
