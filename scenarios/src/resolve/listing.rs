//! Where the listing of a run is held.

use super::Network;
use super::names::Names;
use super::reach::Reach;
use super::routes::DEPTH_MAX;
use super::values::time_or;
use crate::model::{Conference, Listing};
use crate::parse::sink::Sink;
use crate::parse::tree::Tree;
use crate::units::format_time;
use bellini_core::ids::NodeId;
use bellini_core::listing::ListingLimits;
use bellini_core::time::Duration;

const LEASE_MIN: Duration = Duration::from_secs(1);
const LEASE_MAX: Duration = Duration::from_secs(3_600);

/// Reads the key `listing`; `None`: it is not there, or its node is none.
pub(crate) fn listing(root: &Tree, names: &Names, sink: &mut Sink) -> Option<Listing> {
    let tree = root.get("listing")?;
    let lease = time_or(tree, "lease", ListingLimits::default().lease);
    if let (Some(lease), Some(written)) = (lease, tree.get("lease"))
        && !lease.is_zero()
        && !(LEASE_MIN..=LEASE_MAX).contains(&lease)
    {
        let message = format!("a lease of {} is out of range", format_time(lease));
        sink.error("E0206", written.span, message, "1 s to 1 h")
            .help("members send a heartbeat three times a lease, over paths that may take a second");
    }
    Some(Listing { node: names.find_at(tree, "node", sink)?, lease: lease? })
}

/// Notes conferences that the listing cannot hold, and members that it cannot hear or answer.
pub(crate) fn check(
    root: &Tree,
    listing: Listing,
    conferences: &[Conference],
    (network, reach): (&Network<'_>, &mut Reach),
    sink: &mut Sink,
) {
    let Some(place) = root.get("listing").and_then(|tree| tree.get("node")).map(|tree| tree.span) else {
        return;
    };
    let limits = ListingLimits::default();
    let mut bound = |what: &str, count: usize, max: usize| {
        if count > max {
            let message = format!("{count} {what}, where a listing holds {max}");
            sink.error("E0206", place, message, "too many for a listing");
        }
    };
    bound("conferences", conferences.len(), limits.conferences_max);
    let mut entries = conferences.len();
    let mut members: Vec<NodeId> = Vec::new();
    for conference in conferences {
        let present = conference.members();
        let whose = |what: &str| format!("{what} of conference {}", conference.id);
        bound(&whose("members"), present.len(), limits.members_max);
        bound(&whose("sessions"), conference.sessions.len(), limits.sessions_max);
        let sessions = conference.sessions.iter().map(|session| 1 + session.destinations.len());
        entries += present.len() + conference.churn.len() + sessions.sum::<usize>();
        members.extend(present);
    }
    bound("conferences, members, sessions and destinations", entries, limits.entries_max);
    members.sort_unstable();
    members.dedup();
    for node in members.into_iter().filter(|node| *node != listing.node) {
        for (from, to) in [(node, listing.node), (listing.node, node)] {
            if reach.depth(from, to, network).is_none_or(|hops| hops > DEPTH_MAX) {
                let (from, to) = (network.names.name(from), network.names.name(to));
                let message = format!("no path of at most {DEPTH_MAX} hops leads from {from} to {to}");
                sink.error("E0411", place, message, "members and the listing have to reach each other");
            }
        }
    }
}
