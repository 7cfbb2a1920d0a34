//! A node that holds the listing: registrations, leases, and what sources are told.

use super::harness::*;
use bellini_core::ids::{ConferenceId, Incarnation, NodeId};
use bellini_core::io::{Command, CommandError, Event, HopKind, InputError, Registration};
use bellini_core::listing::{
    Change, Conference, HeldListing, List, ListingLimits, Member, NumberedChange, Session,
};
use bellini_core::route::Route;
use bellini_core::time::Duration;
use bellini_core::wire::control::ControlBody;

const C: ConferenceId = ConferenceId(1);

/// Node 4 is told to hold a listing of [`KEY`] from node 1 to nodes 2 and 3, with leases of 3 s.
fn held() -> HeldListing {
    let member = |node: u32| Member {
        node: id(node),
        name: format!("n{node}"),
        addresses: Vec::new(),
        incarnation: Incarnation(0),
    };
    let session = Session {
        session: KEY.session,
        name: String::new(),
        source: id(1),
        destinations: vec![id(2), id(3)],
        about: String::new(),
        ended: false,
    };
    let conference = Conference {
        conference: C,
        name: String::new(),
        members: (1..=3).map(|node| (id(node), member(node))).collect(),
        sessions: [(KEY.session, session)].into(),
    };
    let list = List { revision: 0, last_conference: C, conferences: [(C, conference)].into() };
    let limits = ListingLimits { lease: Duration::from_secs(3), ..ListingLimits::default() };
    HeldListing { limits, list, lost: Vec::new() }
}

fn registration(way: Option<(&str, &str)>) -> Registration {
    let route = |text: &str| Route::parse(text).expect("a route");
    let way = way.map(|(there, back)| (route(there), route(back)));
    Registration { conference: C, way, every: Duration::from_secs(1) }
}

fn register(net: &mut Net, node: u32) {
    let back = format!("{node}d");
    net.command(node, Command::Register(registration(Some(("4d", &back)))));
}

/// Node 1 sends to 2 and 3, all of them register at 4.
fn listed() -> Net {
    let mut net = Net::new(4);
    net.command(4, Command::HoldListing(Box::new(held())));
    (1..=3).for_each(|node| register(&mut net, node));
    net.session(1, &[2, 3], HopKind::Datagram, &["2d", "3d"]);
    net
}

fn left(net: &Net) -> Vec<NodeId> {
    let said = net.picked(1, |event| match event {
        Event::Left { node, .. } => Some(*node),
        _ => None,
    });
    said.into_iter().map(|(_, node)| node).collect()
}

fn destinations(net: &Net) -> Vec<NodeId> {
    net.node(4).listing().expect("it holds one").list().conferences[&C].sessions[&KEY.session]
        .destinations
        .clone()
}

/// Aim: who sends heartbeats stays, who is silent for a lease is no destination any more, there and at the source; a
/// later start of it is a destination again.
#[test]
fn silent_members_leave_and_come_back() {
    let mut net = listed();
    net.run_until(ms(4_500));
    net.crash(3);
    net.run_until(ms(6_900));
    assert_eq!((left(&net), destinations(&net)), (vec![], vec![id(2), id(3)]));
    net.run_until(ms(7_600));
    assert_eq!((left(&net), destinations(&net)), (vec![id(3)], vec![id(2)]));
    net.start(3);
    net.join(KEY, 3);
    register(&mut net, 3);
    net.run_until(ms(9_000));
    assert_eq!((left(&net), destinations(&net)), (vec![id(3)], vec![id(2), id(3)]));
    let joined = net.picked(1, |event| matches!(event, Event::Joined { .. }).then_some(()));
    assert_eq!(joined.len(), 1);
    assert_eq!(
        net.node(4).listing().expect("it holds one").list().conferences[&C].members[&id(2)].name,
        "n2"
    );
}

/// Aim: who never comes is lost like who goes, after the first lease, which is five seconds longer.
#[test]
fn who_never_registers_is_lost() {
    let mut net = Net::new(4);
    net.command(4, Command::HoldListing(Box::new(held())));
    (1..=2).for_each(|node| register(&mut net, node));
    net.session(1, &[2, 3], HopKind::Datagram, &["2d", "3d"]);
    net.run_until(ms(7_990));
    assert_eq!(left(&net), []);
    net.run_until(ms(8_020));
    assert_eq!((left(&net), destinations(&net)), (vec![id(3)], vec![id(2)]));
}

/// Aim: what the node tells of changes, applied to what it was given, is what it lists; a node that is given that goes on
/// from there, its leases begin anew, and who was lost is taken in again.
#[test]
fn a_listing_is_restored_from_what_was_told() {
    let mut net = listed();
    net.run_until(ms(1_000));
    net.crash(3);
    net.run_until(ms(6_000));
    let mut kept = held();
    for (_, (revision, change)) in net.picked(4, |event| match event {
        Event::Listed { revision, change } => Some((*revision, Change::clone(change))),
        _ => None,
    }) {
        kept.list.apply(&NumberedChange { revision, change }).expect("in order");
    }
    assert_eq!(&kept.list, net.node(4).listing().expect("it holds one").list());
    assert!(!kept.list.conferences[&C].members.contains_key(&id(3)));
    kept.lost.push(bellini_core::listing::LostMember {
        conference: C,
        node: id(3),
        sessions: vec![KEY.session],
    });
    net.crash(4);
    net.run_until(ms(8_000));
    net.start(4);
    net.command(4, Command::HoldListing(Box::new(kept)));
    net.run_until(ms(20_000));
    assert_eq!(destinations(&net), [id(2)], "nobody else was lost");
    net.start(3);
    net.join(KEY, 3);
    register(&mut net, 3);
    net.run_until(ms(21_000));
    assert_eq!(destinations(&net), [id(2), id(3)]);
}

/// Aim: a source that was lost itself hears, when it is back, who left and who came meanwhile.
#[test]
fn a_source_that_comes_back_hears_what_it_missed() {
    let mut net = listed();
    net.run_until(ms(2_500));
    // Both ends of the source's hop to the listing lose everything from now on, because the listing's node is another
    // start of it that knows nothing of the hop; the source is told nothing until it registers.
    let source =
        net.node(1).session(KEY).and_then(|entry| entry.source.as_ref()).map(|it| it.destinations.clone());
    assert_eq!(source, Some(vec![id(2), id(3)]));
    let mut given = held();
    let conference = given.list.conferences.get_mut(&C).expect("it is listed");
    conference.members.remove(&id(1));
    conference.members.remove(&id(3));
    conference.sessions.get_mut(&KEY.session).expect("it is listed").destinations = vec![id(2)];
    given.lost = [(1, vec![]), (3, vec![KEY.session])]
        .map(|(node, sessions)| bellini_core::listing::LostMember { conference: C, node: id(node), sessions })
        .to_vec();
    net.crash(3);
    net.crash(4);
    net.start(4);
    net.command(4, Command::HoldListing(Box::new(given)));
    net.run_until(ms(5_000));
    assert_eq!(left(&net), [id(3)]);
}

/// Aim: joining and leaving a session is listed when the listing hears of it, and the end of a conference ends all of it:
/// no heartbeat, no lease, nothing listed.
#[test]
fn memberships_and_ends_are_listed() {
    let mut net = listed();
    let send = |net: &mut Net, body| {
        let route = Route::parse("4d").expect("a route");
        net.command(2, Command::SendControl { route, body });
    };
    net.run_until(ms(1_000));
    send(&mut net, ControlBody::Leave { key: KEY, node: id(2) });
    net.run_until(ms(2_000));
    assert_eq!(destinations(&net), [id(3)]);
    send(&mut net, ControlBody::Join { key: KEY, node: id(2) });
    net.run_until(ms(3_000));
    assert_eq!(destinations(&net), [id(2), id(3)]);
    send(&mut net, ControlBody::ConferenceEnd { conference: C });
    net.command(1, Command::EndConference(C));
    net.run_until(ms(4_000));
    let listing = net.node(4).listing().expect("it holds one");
    assert!(listing.list().conferences.is_empty());
    assert_eq!(listing.leases(), 0);
    let sent = net.crossings.len();
    net.run_until(ms(12_000));
    let more = net.crossings.len() - sent;
    assert!(more < 20, "{more} frames after the end");
}

/// Aim: registrations that cannot be are refused by the command; one for a node without a listing, of an earlier start, or
/// for a conference that is not listed, is counted and changes nothing.
#[test]
fn what_cannot_be_registered() {
    let mut net = Net::new(4);
    let refused = |net: &mut Net, registration| match net.try_command(2, Command::Register(registration)) {
        Err(InputError::Command(error)) => error,
        other => panic!("{other:?}"),
    };
    let none = Registration { every: Duration::ZERO, ..registration(Some(("4d", "2d"))) };
    assert_eq!(refused(&mut net, none), CommandError::NoHeartbeat);
    let two = registration(Some(("{3d,4d}", "2d")));
    assert!(matches!(refused(&mut net, two), CommandError::BadRoute(_)));
    net.command(2, Command::Register(registration(Some(("4d", "2d")))));
    net.run_until(ms(500));
    assert_eq!(net.node(4).stats().dropped_control, 1, "no listing there");
    let mut given = held();
    given
        .list
        .conferences
        .get_mut(&C)
        .expect("listed")
        .members
        .get_mut(&id(2))
        .expect("listed")
        .incarnation = Incarnation(9);
    net.command(4, Command::HoldListing(Box::new(given)));
    net.run_until(ms(1_500));
    assert_eq!(net.node(4).stats().dropped_control, 2, "an earlier start");
    let other = Registration { conference: ConferenceId(8), ..registration(Some(("4d", "2d"))) };
    net.command(2, Command::Register(other));
    net.run_until(ms(1_900));
    assert_eq!(net.node(4).stats().dropped_control, 3, "not listed");
}
