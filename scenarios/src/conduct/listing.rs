//! The listing of a run: what the node that holds it is given, who registers, and what a member's coming and going
//! means for sessions.
//!
//! What survives a crash of that node is its store. The conductor stands for it: it keeps each change that the node
//! tells of, and hands them back when the node starts again.

use super::conductor::{Conductor, record};
use super::error::ConductError;
use super::observer::Observer;
use super::testbed::Testbed;
use crate::graph::Graph;
use crate::model::{Listing, Scenario};
use crate::record::{EventRow, kind};
use bellini_core::ids::{ConferenceId, Incarnation, NodeId, SessionId, SessionKey};
use bellini_core::io::{Command, Registration};
use bellini_core::listing::{
    Change, Conference, HeldListing, List, ListingLimits, LostMember, Member, NumberedChange, Parting,
    Session,
};
use bellini_core::route::Route;
use bellini_core::time::Duration;
use bellini_core::wire::control::ControlBody;
use std::collections::BTreeMap;

/// The listing of a run, as it was kept last.
pub(super) struct RunListing {
    node: NodeId,
    lease: Duration,
    kept: List,
    lost: BTreeMap<(ConferenceId, NodeId), Vec<SessionId>>,
    /// Who registers, by conference that has not ended.
    members: BTreeMap<ConferenceId, Vec<NodeId>>,
    /// The way to the listing and back that each member knows.
    ways: BTreeMap<NodeId, (Route, Route)>,
}

impl RunListing {
    /// Lists what the scenario says; `None`: it has no listing. Members are listed with an incarnation that no process
    /// has, so that one that never comes is lost after its first lease.
    pub(super) fn new(scenario: &Scenario) -> Option<Self> {
        let listing = scenario.listing?;
        let mut kept = List::default();
        let mut members = BTreeMap::new();
        for conference in &scenario.conferences {
            let present = conference.members();
            let listed = |node: &NodeId| Member {
                node: *node,
                name: String::new(),
                addresses: Vec::new(),
                incarnation: Incarnation(0),
            };
            let sessions = conference.sessions.iter().map(|session| Session {
                session: session.id,
                name: session.name.clone(),
                source: session.source,
                destinations: session.destinations.clone(),
                about: String::new(),
                ended: false,
            });
            let entry = Conference {
                conference: conference.id,
                name: conference.name.clone(),
                members: present.iter().map(|node| (*node, listed(node))).collect(),
                sessions: sessions.map(|session| (session.session, session)).collect(),
            };
            kept.last_conference = kept.last_conference.max(conference.id);
            kept.conferences.insert(conference.id, entry);
            members.insert(conference.id, present);
        }
        let Listing { node, lease } = listing;
        Some(Self { node, lease, kept, lost: BTreeMap::new(), members, ways: BTreeMap::new() })
    }

    /// Whether a member is lost: its lease has ended, and it is not back.
    pub(super) fn is_lost(&self, conference: ConferenceId, node: NodeId) -> bool {
        self.lost.contains_key(&(conference, node))
    }

    fn held(&self) -> HeldListing {
        let lost = self.lost.iter().map(|((conference, node), sessions)| LostMember {
            conference: *conference,
            node: *node,
            sessions: sessions.clone(),
        });
        // Conferences end when they are ended, however long nobody has been there.
        let linger = Duration::from_nanos(u64::MAX);
        let limits = ListingLimits { lease: self.lease, linger, ..ListingLimits::default() };
        HeldListing { limits, list: self.kept.clone(), lost: lost.collect() }
    }

    fn received(&self, conference: ConferenceId, node: NodeId) -> Vec<SessionId> {
        let sessions = self.kept.conferences.get(&conference).map(|conference| conference.sessions.values());
        let own = sessions.into_iter().flatten().filter(|session| session.destinations.contains(&node));
        own.map(|session| session.session).collect()
    }
}

impl Conductor<'_> {
    /// Gives the listing to its node, and has every member register.
    pub(super) fn begin_listing(&mut self, bed: &mut dyn Testbed) {
        self.hold_listing(bed);
        self.renew_ways(bed, None);
    }

    /// A fault has changed the network: members learn the ways of now; a node that has started again registers anew.
    pub(super) fn listing_after_fault(&mut self, bed: &mut dyn Testbed, restarted: Option<NodeId>) {
        let Some(listing) = &self.listing else { return };
        if restarted == Some(listing.node) {
            self.hold_listing(bed);
        }
        self.renew_ways(bed, restarted);
    }

    fn hold_listing(&mut self, bed: &mut dyn Testbed) {
        let Some(listing) = &self.listing else { return };
        let held = Box::new(listing.held());
        let _ = bed.command(self.roster.node_index(listing.node), Command::HoldListing(held));
    }

    /// Tells each member its way to the listing and back, where that is another one than it knows, or it has just
    /// started. Where there is none, it goes on with what it knows.
    fn renew_ways(&mut self, bed: &mut dyn Testbed, restarted: Option<NodeId>) {
        if self.listing.is_none() {
            return;
        }
        let view = self.current_view(bed);
        let graph = Graph::new(&view);
        let Some(listing) = &mut self.listing else { return };
        let mut nodes: Vec<NodeId> = listing.members.values().flatten().copied().collect();
        nodes.sort_unstable();
        nodes.dedup();
        for node in nodes {
            let index = self.roster.node_index(node);
            let is_new = restarted == Some(node);
            if !bed.node_is_up(index) {
                continue;
            }
            let mut way = None;
            if node != listing.node {
                let path = |from, to| {
                    let path = graph.shortest_path(from, to, None)?;
                    Some(Route::path(path.nodes.get(1..)?))
                };
                let found = path(node, listing.node).zip(path(listing.node, node));
                let known = listing.ways.get(&node);
                let Some(chosen) = found.or_else(|| known.cloned()) else { continue };
                if known == Some(&chosen) && !is_new {
                    continue;
                }
                listing.ways.insert(node, chosen.clone());
                way = Some(chosen);
            } else if !is_new && restarted.is_some() {
                continue;
            }
            for (conference, members) in &listing.members {
                if members.binary_search(&node).is_ok() {
                    let every = Duration::from_nanos(listing.lease.as_nanos() / 3);
                    let registration = Registration { conference: *conference, way: way.clone(), every };
                    // Refused when the conference has ended there: it then is no member any more.
                    let _ = bed.command(index, Command::Register(registration));
                }
            }
        }
    }

    /// Takes a change of the listing in: keeps it, and does what it means for the run.
    pub(super) fn take_listed(
        &mut self,
        bed: &mut dyn Testbed,
        (revision, change): (u64, Change),
        observer: &mut dyn Observer,
    ) -> Result<(), ConductError> {
        let Some(listing) = &mut self.listing else { return Ok(()) };
        let mut happened = None;
        match &change {
            Change::MemberGone { conference, node, parting: Parting::Expired } => {
                let sessions = listing.received(*conference, *node);
                listing.lost.insert((*conference, *node), sessions.clone());
                happened = Some((*conference, *node, sessions, false));
            }
            Change::MemberJoined { conference, member } => {
                if let Some(sessions) = listing.lost.remove(&(*conference, member.node)) {
                    happened = Some((*conference, member.node, sessions, true));
                }
            }
            _ => {}
        }
        // Out of order only after the node had to drop events; what is kept then is what was known before.
        let _ = listing.kept.apply(&NumberedChange { revision, change });
        let Some((conference, node, sessions, is_back)) = happened else { return Ok(()) };
        let lease = listing.lease;
        for session in &sessions {
            let Some(session) = self.roster.find(SessionKey { conference, session: *session }) else {
                continue;
            };
            if !self.roster.sessions[session].tally.is_known {
                continue;
            }
            let made = self.roster.made(bed, session);
            if is_back {
                // Its source hears of it from the listing.
                self.take_in(bed, session, node, made);
            } else {
                self.roster.sessions[session].tally.leave(node, made);
            }
        }
        let (kind, text) = if is_back {
            (kind::MEMBER_BACK, format!("Node {node} is a member of conference {conference} again."))
        } else {
            let text = format!(
                "Node {node} was silent for {} s: it is no member of conference {conference} any more.",
                lease.as_secs_f64()
            );
            (kind::MEMBER_EXPIRED, text)
        };
        let mut row = EventRow::new(self.t_s(bed), kind, text);
        row.node = Some(node.get());
        row.conference = Some(conference.0);
        row.data.insert("sessions".into(), sessions.len().into());
        record(observer, row)
    }

    /// A destination tells the listing, too, that it joins or leaves.
    pub(super) fn tell_listing(&mut self, bed: &mut dyn Testbed, from: NodeId, body: ControlBody) {
        let Some(listing) = self.listing.as_ref().map(|listing| listing.node) else { return };
        if from != listing {
            self.send_control(bed, from, listing, body);
        }
    }

    /// A conference is ended by `creator`: the listing hears of it, and it is not given back again.
    pub(super) fn end_listed(&mut self, bed: &mut dyn Testbed, conference: ConferenceId, creator: NodeId) {
        let Some(listing) = &mut self.listing else { return };
        if bed.node_is_up(self.roster.node_index(creator)) {
            listing.members.remove(&conference);
            listing.lost.retain(|(of, _), _| *of != conference);
            self.tell_listing(bed, creator, ControlBody::ConferenceEnd { conference });
        }
    }
}
