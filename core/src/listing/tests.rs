//! Listings: leases, ids, replay, bounds.

use super::*;
use crate::ids::{ConferenceId, Incarnation, NodeId, SessionId};
use crate::time::{Duration, Instant};
use proptest::prelude::*;

fn node(id: u32) -> NodeId {
    NodeId::new(id).expect("a legal id")
}

fn at(seconds: u64) -> Instant {
    Instant::from_nanos(seconds * 1_000_000_000)
}

fn member(id: u32, incarnation: u32) -> Member {
    Member {
        node: node(id),
        name: format!("n{id}"),
        addresses: Vec::new(),
        incarnation: Incarnation(incarnation),
    }
}

fn session(id: u32, source: u32, destinations: &[u32]) -> Session {
    Session {
        session: SessionId(id),
        name: String::new(),
        source: node(source),
        destinations: destinations.iter().map(|id| node(*id)).collect(),
        about: String::new(),
        ended: false,
    }
}

const C: ConferenceId = ConferenceId(1);

/// A listing with conference 1, members 1 to 3 (incarnation 1) and session 7 from 1 to 2 and 3, made at second 0.
fn peopled() -> Listing {
    let mut listing = Listing::new(ListingLimits::default(), List::default());
    let mut ask = |request| listing.handle(at(0), request).expect("nothing speaks against it");
    ask(ListingRequest::Create { name: "talk".to_owned() });
    for id in 1..=3 {
        ask(ListingRequest::Join { conference: C, member: member(id, 1) });
    }
    ask(ListingRequest::AddSession { conference: C, session: session(7, 1, &[3, 2]) });
    listing
}

/// Aim: a member that sends no heartbeat is gone exactly when its lease ends, and holds no session back any more; one
/// that does stays.
#[test]
fn a_lease_ends_unless_it_is_renewed() {
    let mut listing = peopled();
    let renew = |id| ListingRequest::Renew { conference: C, node: node(id), incarnation: Incarnation(1) };
    for id in [1, 2] {
        listing.handle(at(10), renew(id)).expect("it takes part");
    }
    assert_eq!(listing.poll_timeout(), Some(at(15)));
    listing.expire(Instant::from_nanos(14_999_999_999));
    assert_eq!(listing.list().conferences[&C].members.len(), 3);
    listing.expire(at(15));
    let conference = &listing.list().conferences[&C];
    assert_eq!(conference.members.keys().copied().collect::<Vec<_>>(), [node(1), node(2)]);
    assert_eq!(conference.sessions[&SessionId(7)].destinations, [node(2)]);
    let late = listing.handle(at(15), renew(3));
    assert_eq!(late, Err(ListingError::NoMember { conference: C, node: node(3) }));
    let gone = Change::MemberGone { conference: C, node: node(3), parting: Parting::Expired };
    assert!(std::iter::from_fn(|| listing.poll_change()).any(|numbered| numbered.change == gone));
}

/// Aim: a server that was away throws nobody out who could not renew meanwhile.
#[test]
fn leases_begin_anew_after_a_restart() {
    let mut again = Listing::new(ListingLimits::default(), peopled().list().clone());
    again.begin_leases(at(1_000));
    assert_eq!(again.poll_timeout(), Some(at(1_015)));
    again.expire(at(1_014));
    assert_eq!(again.list().conferences[&C].members.len(), 3);
}

/// Aim: ids of conferences and sessions are never given twice, whatever ended before.
#[test]
fn ids_are_never_given_twice() {
    let mut listing = peopled();
    listing
        .handle(at(1), ListingRequest::EndSession { conference: C, session: SessionId(7) })
        .expect("it goes on");
    let twice =
        listing.handle(at(1), ListingRequest::AddSession { conference: C, session: session(7, 2, &[1]) });
    assert_eq!(twice, Err(ListingError::SessionTaken { conference: C, session: SessionId(7) }));
    listing.handle(at(1), ListingRequest::End { conference: C }).expect("it is listed");
    let created = listing.handle(at(1), ListingRequest::Create { name: String::new() });
    let revision = listing.list().revision;
    assert_eq!(created, Ok(ListingAnswer::Created { revision, conference: ConferenceId(2) }));
    // With the conference its leases went, too: only the new one's is left.
    assert_eq!(listing.poll_timeout(), Some(at(3_601)));
}

/// Aim: a late word of an earlier start of a node neither renews nor ends the membership of a later one.
#[test]
fn earlier_incarnations_are_not_heard() {
    let mut listing = peopled();
    listing
        .handle(at(1), ListingRequest::Join { conference: C, member: member(2, 5) })
        .expect("a later start");
    let old = ListingError::OldIncarnation { node: node(2), known: Incarnation(5), given: Incarnation(1) };
    for request in [
        ListingRequest::Join { conference: C, member: member(2, 1) },
        ListingRequest::Renew { conference: C, node: node(2), incarnation: Incarnation(1) },
        ListingRequest::Leave { conference: C, node: node(2), incarnation: Incarnation(1) },
    ] {
        assert_eq!(listing.handle(at(2), request), Err(old.clone()));
    }
    assert_eq!(listing.list().conferences[&C].members[&node(2)].incarnation, Incarnation(5));
}

/// Aim: a conference that everybody left ends by itself, not before its time.
#[test]
fn an_empty_conference_lingers_and_ends() {
    let mut listing = peopled();
    listing.expire(at(15));
    assert_eq!(listing.poll_timeout(), Some(at(3_615)));
    listing
        .handle(at(3_000), ListingRequest::Join { conference: C, member: member(1, 2) })
        .expect("it is listed");
    listing.expire(at(3_014));
    assert_eq!(listing.poll_timeout(), Some(at(3_015)));
    listing.expire(at(10_000));
    assert!(listing.list().conferences.is_empty());
}

/// Aim: each bound refuses what is one too many and says which bound it was.
#[test]
fn bounds_are_kept() {
    let limits = ListingLimits {
        conferences_max: 1,
        members_max: 2,
        sessions_max: 1,
        name_bytes_max: 3,
        about_bytes_max: 5,
        addresses_max: 0,
        ..ListingLimits::default()
    };
    let mut listing = Listing::new(limits, List::default());
    let mut ask = |request| listing.handle(at(0), request);
    let create = || ListingRequest::Create { name: "abc".to_owned() };
    ask(create()).expect("the first");
    for id in [1, 2] {
        ask(ListingRequest::Join { conference: C, member: member(id, 1) }).expect("there is room");
    }
    ask(ListingRequest::AddSession { conference: C, session: session(1, 1, &[2]) }).expect("there is room");
    let mut placed = member(1, 1);
    placed.addresses.push("127.0.0.1:1".parse().expect("an address"));
    let told = Session { about: "six by".to_owned(), ..session(2, 1, &[2]) };
    let full = ListingLimits { sessions_max: 2, ..limits };
    let mut roomy = Listing::new(full, listing.list().clone());
    let too_long = roomy.handle(at(0), ListingRequest::AddSession { conference: C, session: told });
    assert_eq!(too_long, Err(ListingError::TooMany { what: Bounded::AboutBytes, max: 5 }));
    let mut ask = |request| listing.handle(at(0), request);
    for (request, what, max) in [
        (create(), Bounded::Conferences, 1),
        (ListingRequest::Create { name: "abcd".to_owned() }, Bounded::NameBytes, 3),
        (ListingRequest::Join { conference: C, member: member(3, 1) }, Bounded::Members, 2),
        (ListingRequest::Join { conference: C, member: placed }, Bounded::Addresses, 0),
        (ListingRequest::AddSession { conference: C, session: session(2, 1, &[2]) }, Bounded::Sessions, 1),
    ] {
        assert_eq!(ask(request), Err(ListingError::TooMany { what, max }));
    }
}

/// Aim: the bound on everything together refuses one too many of each kind, and what has ended makes room.
#[test]
fn all_entries_together_are_bounded() {
    // Conference, three members, a session with two destinations.
    let mut listing = peopled();
    assert_eq!(listing.entries(), 7);
    listing.limits_mut().entries_max = 7;
    let full = Err(ListingError::TooMany { what: Bounded::Entries, max: 7 });
    for request in [
        ListingRequest::Create { name: String::new() },
        ListingRequest::Join { conference: C, member: member(4, 1) },
        ListingRequest::AddSession { conference: C, session: session(8, 1, &[]) },
    ] {
        assert_eq!(listing.handle(at(1), request), full);
    }
    let leave = ListingRequest::LeaveSession { conference: C, session: SessionId(7), node: node(2) };
    listing.handle(at(1), leave).expect("it is one");
    listing.handle(at(1), ListingRequest::Join { conference: C, member: member(4, 1) }).expect("room");
    let join = ListingRequest::JoinSession { conference: C, session: SessionId(7), node: node(4) };
    assert_eq!(listing.handle(at(1), join), full);
    listing.handle(at(1), ListingRequest::End { conference: C }).expect("it is listed");
    assert_eq!(listing.entries(), 0);
}

/// Aim: leases that are postponed end so much later, and in the same order.
#[test]
fn leases_can_be_postponed() {
    let mut listing = peopled();
    let renew = ListingRequest::Renew { conference: C, node: node(2), incarnation: Incarnation(1) };
    listing.handle(at(5), renew).expect("it takes part");
    listing.postpone(Duration::from_secs(30));
    listing.expire(at(44));
    assert_eq!(listing.list().conferences[&C].members.len(), 3);
    listing.expire(at(45));
    assert_eq!(listing.list().conferences[&C].members.keys().copied().collect::<Vec<_>>(), [node(2)]);
    assert_eq!(listing.poll_timeout(), Some(at(50)));
}

/// Aim: who watches gets exactly what came after, and the whole list where that is not known any more.
#[test]
fn watchers_get_changes_or_the_list() {
    let mut listing =
        Listing::new(ListingLimits { recent_max: 2, ..ListingLimits::default() }, List::default());
    for _ in 0..4 {
        listing.handle(at(0), ListingRequest::Create { name: String::new() }).expect("there is room");
    }
    let mut since = |since| listing.handle(at(0), ListingRequest::Changes { since }).expect("always");
    let ListingAnswer::Changes { changes, revision: 4 } = since(3) else { panic!("one change") };
    assert_eq!(changes.iter().map(|change| change.revision).collect::<Vec<_>>(), [4]);
    assert!(matches!(since(4), ListingAnswer::Changes { changes, .. } if changes.is_empty()));
    assert!(matches!(since(2), ListingAnswer::Changes { changes, .. } if changes.len() == 2));
    for lost in [0, 1, 5, u64::MAX] {
        assert!(
            matches!(since(lost), ListingAnswer::Conferences { conferences, .. } if conferences.len() == 4)
        );
    }
}

fn request() -> impl Strategy<Value = ListingRequest> {
    let (c, n, s, i) = (|| (1u32..4).prop_map(ConferenceId), || 1u32..5, || 1u32..4, || 1u32..3);
    prop_oneof![
        Just(ListingRequest::Create { name: "x".to_owned() }),
        (c(), n(), i())
            .prop_map(|(conference, n, i)| ListingRequest::Join { conference, member: member(n, i) }),
        (c(), n(), i()).prop_map(|(conference, n, i)| ListingRequest::Renew {
            conference,
            node: node(n),
            incarnation: Incarnation(i)
        }),
        (c(), n(), i()).prop_map(|(conference, n, i)| ListingRequest::Leave {
            conference,
            node: node(n),
            incarnation: Incarnation(i)
        }),
        (c(), s(), n(), prop::collection::vec(n(), 0..3)).prop_map(
            |(conference, s, source, destinations)| {
                ListingRequest::AddSession { conference, session: session(s, source, &destinations) }
            }
        ),
        (c(), s(), n()).prop_map(|(conference, s, n)| ListingRequest::JoinSession {
            conference,
            session: SessionId(s),
            node: node(n)
        }),
        (c(), s(), n()).prop_map(|(conference, s, n)| ListingRequest::LeaveSession {
            conference,
            session: SessionId(s),
            node: node(n)
        }),
        (c(), s())
            .prop_map(|(conference, s)| ListingRequest::EndSession { conference, session: SessionId(s) }),
        c().prop_map(|conference| ListingRequest::End { conference }),
    ]
}

proptest! {
    /// Aim: whatever is asked and whenever, replaying the changes gives the same list, every member has exactly one
    /// lease that ends, changes are numbered without a gap, and a refusal changes nothing.
    #[test]
    fn replay_gives_the_same_list(asked in prop::collection::vec((0u64..2_000, request()), 0..120)) {
        let limits = ListingLimits { linger: Duration::from_millis(60_000), ..ListingLimits::default() };
        let mut listing = Listing::new(limits, List::default());
        let (mut kept, mut now) = (List::default(), 0);
        for (pause, request) in asked {
            now += pause * 5;
            let time = Instant::from_nanos(now * 1_000_000);
            listing.expire(time);
            let before = listing.list().clone();
            if listing.handle(time, request).is_err() {
                prop_assert_eq!(&before, listing.list());
            }
            while let Some(change) = listing.poll_change() {
                kept.apply(&change).map_err(|error| TestCaseError::fail(format!("{error}: {change:?}")))?;
            }
            prop_assert_eq!(&kept, listing.list());
            let lasting = listing.list().conferences.values();
            let leases: usize = lasting.map(|conference| conference.members.len().max(1)).sum();
            prop_assert_eq!(listing.leases(), leases);
            let entries: usize = listing.list().conferences.values().map(Conference::entries).sum();
            prop_assert_eq!(listing.entries(), entries);
            prop_assert!(listing.poll_timeout().is_none_or(|end| end > time));
        }
    }
}
