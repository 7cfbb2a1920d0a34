//! What is recorded of a session, at its source.

use super::{Metric, Recorded, entry};
use crate::record::Scope;

/// The metrics, in the order of the table.
pub(super) const SESSION: &[Metric] = &[
    entry(
        Scope::Session,
        "offered_mbps",
        Recorded::Both,
        "Mbit/s",
        "Payload that the source offered, each symbol once; in the summary over the measuring window",
        "the session was not active in the window",
    ),
    entry(
        Scope::Session,
        "level_mbps",
        Recorded::Series,
        "Mbit/s",
        "Rate of the ladder's level that the source is at, at the end of the interval",
        "the content is not adaptive",
    ),
    entry(
        Scope::Session,
        "repeated_packets",
        Recorded::Summary,
        "packets",
        "Packets of the whole run whose symbol had been sent before: repeats of lost ones, and tries of flows that seemed dead",
        "the session is best-effort",
    ),
    entry(
        Scope::Session,
        "repair_packets",
        Recorded::Summary,
        "packets",
        "Combinations that the source sent in the whole run",
        "the session is not coded",
    ),
];
