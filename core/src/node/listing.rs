//! The listing that a node holds: members register and renew their leases, and who does not is taken out of the
//! sessions of its conference, so that it holds nothing back.
//!
//! The sources of those sessions are told by the messages that they know from destinations, leave and join. Both go the
//! same way, so that they come in the order in which they were decided.

use crate::ids::{ConferenceId, Incarnation, NodeId, SessionId, SessionKey};
use crate::io::{Event, PolicyReason};
use crate::listing::{
    Change, HeldListing, List, Listing, ListingRequest, LostMember, Member, NumberedChange,
};
use crate::node::Node;
use crate::node::timers::Timer;
use crate::time::{Duration, Instant};
use crate::timer::TimerId;
use crate::wire::control::ControlBody;
use std::collections::BTreeMap;

/// Ways back and lost members that are kept, each.
const REMEMBERED_MAX: usize = 16_384;

/// Added to the first leases after a start: a hop that was given up while this node was down is tried again within four
/// seconds, and the answer takes a round trip.
const FIRST_LEASE_MORE: Duration = Duration::from_secs(5);

/// A listing, and what is needed to tell members.
#[derive(Debug)]
pub(super) struct NodeListing {
    pub(super) listing: Listing,
    /// The way back to each member, as it said last.
    ways: BTreeMap<NodeId, Vec<u8>>,
    /// Members whose lease has ended, with the sessions of which they were destinations.
    lost: BTreeMap<(ConferenceId, NodeId), Vec<SessionId>>,
    timer: Option<(TimerId, Instant)>,
}

impl Node {
    /// Holds a listing from now on, in place of one that it may hold; every lease begins anew.
    pub(super) fn hold_listing(&mut self, now: Instant, held: HeldListing) {
        if let Some((id, _)) = self.listing.take().and_then(|before| before.timer) {
            self.timers.cancel(id);
        }
        let lost = held.lost.into_iter().take(REMEMBERED_MAX);
        let lost = lost.map(|LostMember { conference, node, sessions }| ((conference, node), sessions));
        let mut listing = Listing::new(held.limits, held.list);
        listing.begin_leases(now.checked_add(FIRST_LEASE_MORE).unwrap_or(now));
        let mut held =
            Box::new(NodeListing { listing, ways: BTreeMap::new(), lost: lost.collect(), timer: None });
        self.settle_listing(now, &mut held);
        self.listing = Some(held);
    }

    /// A member says that it is there; `back`: the way to it, `None`: it is this node.
    pub(super) fn take_registration(
        &mut self,
        now: Instant,
        node: NodeId,
        (conference, incarnation): (ConferenceId, Incarnation),
        back: Option<Vec<u8>>,
    ) {
        let Some(mut held) = self.listing.take() else {
            self.stats.dropped_control += 1;
            return;
        };
        self.end_leases(now, &mut held);
        let listed = held.listing.list().conferences.get(&conference);
        let known = listed.and_then(|conference| conference.members.get(&node)).cloned();
        let (name, addresses) = known.map_or_else(Default::default, |known| (known.name, known.addresses));
        let member = Member { node, name, addresses, incarnation };
        let joined = held.listing.handle(now, ListingRequest::Join { conference, member });
        match back {
            Some(back) if joined.is_ok() => {
                if held.ways.len() < REMEMBERED_MAX || held.ways.contains_key(&node) {
                    held.ways.insert(node, back);
                } else {
                    self.stats.dropped_control += 1;
                }
            }
            _ => self.stats.dropped_control += u64::from(joined.is_err()),
        }
        self.settle_listing(now, &mut held);
        self.listing = Some(held);
    }

    /// Notes in the listing, if it is here, that a destination joins or leaves a session.
    pub(super) fn list_membership(
        &mut self,
        now: Instant,
        key: SessionKey,
        node: NodeId,
        reason: PolicyReason,
    ) {
        let Some(mut held) = self.listing.take() else { return };
        self.end_leases(now, &mut held);
        let SessionKey { conference, session } = key;
        let request = if reason == PolicyReason::Joined {
            ListingRequest::JoinSession { conference, session, node }
        } else {
            ListingRequest::LeaveSession { conference, session, node }
        };
        // Said twice, or by one that is lost: what is listed stays.
        let _ = held.listing.handle(now, request);
        self.settle_listing(now, &mut held);
        self.listing = Some(held);
    }

    /// A conference has ended: it is listed no more.
    pub(super) fn unlist(&mut self, now: Instant, conference: ConferenceId) {
        let Some(mut held) = self.listing.take() else { return };
        // Refused only when it is not listed.
        let _ = held.listing.handle(now, ListingRequest::End { conference });
        held.lost.retain(|(of, _), _| *of != conference);
        self.settle_listing(now, &mut held);
        self.listing = Some(held);
    }

    /// A lease may have ended.
    pub(super) fn on_listing_timer(&mut self, now: Instant) {
        let Some(mut held) = self.listing.take() else { return };
        held.timer = None;
        self.end_leases(now, &mut held);
        self.settle_listing(now, &mut held);
        self.listing = Some(held);
    }

    /// Ends the leases that are over: their members are destinations no more.
    fn end_leases(&mut self, now: Instant, held: &mut NodeListing) {
        while let Some((conference, node)) = held.listing.due(now) {
            let sessions = node.map_or_else(Vec::new, |node| received(held.listing.list(), conference, node));
            held.listing.expire_next(now);
            let Some(node) = node else { continue };
            held.ways.remove(&node);
            for (session, source) in &sessions {
                let key = SessionKey { conference, session: *session };
                self.tell_source(now, &held.ways, *source, (key, node), PolicyReason::Left);
            }
            if held.lost.len() < REMEMBERED_MAX {
                let sessions = sessions.into_iter().map(|(session, _)| session).collect();
                held.lost.insert((conference, node), sessions);
            } else {
                self.stats.dropped_control += 1;
            }
        }
    }

    /// Says what has changed, takes those in again who are back, and sets the timer.
    fn settle_listing(&mut self, now: Instant, held: &mut NodeListing) {
        while let Some(NumberedChange { revision, change }) = held.listing.poll_change() {
            let joined = match &change {
                Change::MemberJoined { conference, member } => Some((*conference, member.node)),
                _ => None,
            };
            self.emit_event(Event::Listed { revision, change: Box::new(change) });
            if let Some((conference, node)) = joined
                && let Some(sessions) = held.lost.remove(&(conference, node))
            {
                self.take_in_again(now, held, (conference, node), sessions);
            }
        }
        let wanted = held.listing.poll_timeout();
        if held.timer.map(|(_, at)| at) != wanted {
            if let Some((id, _)) = held.timer.take() {
                self.timers.cancel(id);
            }
            held.timer = wanted.map(|at| (self.timers.set(at.max(now), Timer::Listing), at));
        }
    }

    /// A member that was lost is back: it is a destination again, and hears what it missed as a source.
    fn take_in_again(
        &mut self,
        now: Instant,
        held: &mut NodeListing,
        (conference, node): (ConferenceId, NodeId),
        sessions: Vec<SessionId>,
    ) {
        for session in sessions {
            let request = ListingRequest::JoinSession { conference, session, node };
            let source = held.listing.list().conferences.get(&conference);
            let source = source.and_then(|conference| conference.sessions.get(&session)).map(|it| it.source);
            // A session that has ended takes nobody in.
            if let (Some(source), Ok(_)) = (source, held.listing.handle(now, request)) {
                let key = SessionKey { conference, session };
                self.tell_source(now, &held.ways, source, (key, node), PolicyReason::Joined);
            }
        }
        let Some(listed) = held.listing.list().conferences.get(&conference) else { return };
        let own = listed.sessions.values().filter(|session| session.source == node && !session.ended);
        for session in own {
            let key = SessionKey { conference, session: session.session };
            for destination in &session.destinations {
                self.tell_source(now, &held.ways, node, (key, *destination), PolicyReason::Joined);
            }
            for ((of, lost), sessions) in &held.lost {
                if *of == conference && sessions.contains(&session.session) {
                    self.tell_source(now, &held.ways, node, (key, *lost), PolicyReason::Left);
                }
            }
        }
    }

    /// Tells a session's source of a destination. One whose way back is not known is told when it is back.
    fn tell_source(
        &mut self,
        now: Instant,
        ways: &BTreeMap<NodeId, Vec<u8>>,
        source: NodeId,
        (key, node): (SessionKey, NodeId),
        reason: PolicyReason,
    ) {
        if source == self.config.id {
            self.change_membership(now, key, node, reason);
            return;
        }
        let body = if reason == PolicyReason::Joined {
            ControlBody::Join { key, node }
        } else {
            ControlBody::Leave { key, node }
        };
        match ways.get(&source) {
            // What cannot be sent is counted there.
            Some(way) => {
                let _ = self.send_along(now, way, &body);
            }
            None => self.stats.dropped_control += 1,
        }
    }
}

/// Returns the sessions of a conference of which a node is a destination, with their sources.
fn received(list: &List, conference: ConferenceId, node: NodeId) -> Vec<(SessionId, NodeId)> {
    let sessions = list.conferences.get(&conference).map(|conference| conference.sessions.values());
    let own = sessions
        .into_iter()
        .flatten()
        .filter(|session| !session.ended && session.destinations.binary_search(&node).is_ok());
    own.map(|session| (session.session, session.source)).collect()
}
