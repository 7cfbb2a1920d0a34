//! The listing itself: rules, leases, and the changes that come of them.

use super::limits::ListingLimits;
use super::list::{Change, Conference, List, Member, NumberedChange, Parting, ReplayError, Session};
use super::message::{Bounded, ListingAnswer, ListingError, ListingRequest};
use crate::ids::{ConferenceId, Incarnation, NodeId, SessionId};
use crate::time::{Duration, Instant};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What ends by itself: a member's lease, or (no node) a conference without members.
type Lease = (ConferenceId, Option<NodeId>);

/// A listing: see the [module](super) for how it is driven.
#[derive(Clone, Debug)]
pub struct Listing {
    limits: ListingLimits,
    list: List,
    /// What is listed, counted.
    entries: usize,
    /// When each lease ends, and the same by time.
    ends: BTreeMap<Lease, Instant>,
    by_time: BTreeSet<(Instant, Lease)>,
    /// The newest changes, for who watches.
    recent: VecDeque<NumberedChange>,
    /// Changes that nobody has polled yet.
    fresh: VecDeque<NumberedChange>,
}

impl Listing {
    /// Returns a listing of what `list` holds. Leases begin with [`Listing::begin_leases`].
    #[must_use]
    pub fn new(limits: ListingLimits, list: List) -> Self {
        let entries = list.conferences.values().map(Conference::entries).sum();
        Self {
            limits,
            list,
            entries,
            ends: BTreeMap::new(),
            by_time: BTreeSet::new(),
            recent: VecDeque::new(),
            fresh: VecDeque::new(),
        }
    }

    /// Takes a change in that a store kept.
    ///
    /// # Errors
    /// When the store's record cannot be what happened.
    pub fn replay(&mut self, numbered: &NumberedChange) -> Result<(), ReplayError> {
        self.apply(numbered)?;
        self.remember(numbered.clone());
        Ok(())
    }

    /// Applies a change and counts what is listed then.
    fn apply(&mut self, numbered: &NumberedChange) -> Result<(), ReplayError> {
        let conference = numbered.change.conference();
        let count = |list: &List| list.conferences.get(&conference).map_or(0, Conference::entries);
        let before = count(&self.list);
        self.list.apply(numbered)?;
        self.entries = self.entries - before + count(&self.list);
        Ok(())
    }

    /// Begins every lease at `now`: after a restart nobody knows who sent heartbeats meanwhile.
    pub fn begin_leases(&mut self, now: Instant) {
        self.ends.clear();
        self.by_time.clear();
        let mut leases: Vec<Lease> = Vec::new();
        for conference in self.list.conferences.values() {
            leases.extend(conference.members.keys().map(|node| (conference.conference, Some(*node))));
            if conference.members.is_empty() {
                leases.push((conference.conference, None));
            }
        }
        for lease in leases {
            self.begin(now, lease);
        }
    }

    /// Returns what is listed.
    #[must_use]
    pub fn list(&self) -> &List {
        &self.list
    }

    #[cfg(test)]
    pub(super) fn limits_mut(&mut self) -> &mut ListingLimits {
        &mut self.limits
    }

    /// Returns the bounds.
    #[must_use]
    pub fn limits(&self) -> &ListingLimits {
        &self.limits
    }

    /// Returns the next change that is to be kept, oldest first.
    pub fn poll_change(&mut self) -> Option<NumberedChange> {
        self.fresh.pop_front()
    }

    /// Returns when a lease ends next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Lets every lease end so much later: for so long whoever drives the listing could not hear.
    pub fn postpone(&mut self, span: Duration) {
        let leases = std::mem::take(&mut self.ends);
        self.by_time.clear();
        for (lease, at) in leases {
            // Past the end of time there is no lease that ends.
            if let Some(at) = at.checked_add(span) {
                self.ends.insert(lease, at);
                self.by_time.insert((at, lease));
            }
        }
    }

    /// Returns how much is listed: conferences, members, sessions and destinations.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.entries
    }

    /// Returns how many leases there are: a member's, or an empty conference's.
    #[must_use]
    pub fn leases(&self) -> usize {
        self.ends.len()
    }

    /// Ends the leases whose time has come, in order of time.
    pub fn expire(&mut self, now: Instant) {
        while self.expire_next(now) {}
    }

    /// Returns the first lease that has ended by `now`: of a member, or (no node) of a conference without members.
    #[must_use]
    pub fn due(&self, now: Instant) -> Option<(ConferenceId, Option<NodeId>)> {
        self.by_time.first().filter(|(at, _)| *at <= now).map(|(_, lease)| *lease)
    }

    /// Ends the first lease that has ended by `now`, for those who look at the list before each; returns whether there
    /// was one.
    pub fn expire_next(&mut self, now: Instant) -> bool {
        let Some((at, (conference, node))) = self.by_time.first().copied().filter(|(at, _)| *at <= now)
        else {
            return false;
        };
        self.end_lease((conference, node));
        match node {
            Some(node) => self.part(at, conference, node, Parting::Expired),
            None => self.change(Change::ConferenceEnded { conference }),
        }
        true
    }

    /// Answers a request at `now`. Leases that have ended by then have ended before it.
    ///
    /// # Errors
    /// When it is refused; what is listed has not changed then, but by leases.
    pub fn handle(&mut self, now: Instant, request: ListingRequest) -> Result<ListingAnswer, ListingError> {
        self.expire(now);
        match request {
            ListingRequest::List => {
                let conferences = self.list.conferences.values().cloned().collect();
                return Ok(ListingAnswer::Conferences { revision: self.list.revision, conferences });
            }
            ListingRequest::Show { conference } => {
                let conference = Box::new(self.known(conference)?.clone());
                return Ok(ListingAnswer::Conference { revision: self.list.revision, conference });
            }
            ListingRequest::Changes { since } => return Ok(self.changes(since)),
            ListingRequest::Create { name } => return self.create(now, name),
            ListingRequest::Join { conference, member } => return self.join(now, conference, member),
            ListingRequest::Renew { conference, node, incarnation } => {
                self.present(conference, node, incarnation)?;
                self.begin(now, (conference, Some(node)));
                return Ok(self.leased());
            }
            ListingRequest::Leave { conference, node, incarnation } => {
                self.present(conference, node, incarnation)?;
                self.end_lease((conference, Some(node)));
                self.part(now, conference, node, Parting::Left);
            }
            ListingRequest::AddSession { conference, session } => self.add_session(conference, session)?,
            ListingRequest::JoinSession { conference, session, node } => {
                let entry = self.going_on(conference, session)?;
                let (source, is_there) = (entry.source, entry.destinations.binary_search(&node).is_ok());
                if source == node {
                    return Err(ListingError::OwnDestination { session, node });
                }
                self.member(conference, node)?;
                // Asked twice is done once: an answer may have been lost.
                if !is_there {
                    self.check_room(1)?;
                    self.change(Change::DestinationJoined { conference, session, node });
                }
            }
            ListingRequest::LeaveSession { conference, session, node } => {
                if self.going_on(conference, session)?.destinations.binary_search(&node).is_err() {
                    return Err(ListingError::NoDestination { conference, session, node });
                }
                self.change(Change::DestinationLeft { conference, session, node });
            }
            ListingRequest::EndSession { conference, session } => {
                self.going_on(conference, session)?;
                self.change(Change::SessionEnded { conference, session });
            }
            ListingRequest::End { conference } => {
                let members: Vec<NodeId> = self.known(conference)?.members.keys().copied().collect();
                for node in members {
                    self.end_lease((conference, Some(node)));
                }
                self.end_lease((conference, None));
                self.change(Change::ConferenceEnded { conference });
            }
        }
        Ok(ListingAnswer::Done { revision: self.list.revision })
    }

    /// What has changed since a revision, or the whole list where that is too long ago, or of another store.
    fn changes(&self, since: u64) -> ListingAnswer {
        let revision = self.list.revision;
        let oldest = self.recent.front().map_or(revision + 1, |change| change.revision);
        if since > revision || since + 1 < oldest {
            let conferences = self.list.conferences.values().cloned().collect();
            return ListingAnswer::Conferences { revision, conferences };
        }
        let changes = self.recent.iter().filter(|change| change.revision > since).cloned().collect();
        ListingAnswer::Changes { revision, changes }
    }

    fn create(&mut self, now: Instant, name: String) -> Result<ListingAnswer, ListingError> {
        self.check_name(&name)?;
        let max = self.limits.conferences_max;
        let full = ListingError::TooMany { what: Bounded::Conferences, max };
        if self.list.conferences.len() >= max {
            return Err(full);
        }
        self.check_room(1)?;
        let conference = ConferenceId(self.list.last_conference.0.checked_add(1).ok_or(full)?);
        self.change(Change::ConferenceCreated { conference, name });
        self.begin(now, (conference, None));
        Ok(ListingAnswer::Created { revision: self.list.revision, conference })
    }

    fn join(
        &mut self,
        now: Instant,
        conference: ConferenceId,
        member: Member,
    ) -> Result<ListingAnswer, ListingError> {
        self.check_name(&member.name)?;
        check(Bounded::Addresses, member.addresses.len(), self.limits.addresses_max)?;
        let members = &self.known(conference)?.members;
        match members.get(&member.node) {
            Some(known) if member.incarnation < known.incarnation => {
                let (known, given) = (known.incarnation, member.incarnation);
                return Err(ListingError::OldIncarnation { node: member.node, known, given });
            }
            Some(_) => (),
            None => {
                check(Bounded::Members, members.len() + 1, self.limits.members_max)?;
                self.check_room(1)?;
            }
        }
        let node = member.node;
        // The same word twice changes nothing but the lease.
        if members.get(&node) != Some(&member) {
            self.change(Change::MemberJoined { conference, member });
        }
        self.end_lease((conference, None));
        self.begin(now, (conference, Some(node)));
        Ok(self.leased())
    }

    fn add_session(&mut self, conference: ConferenceId, mut session: Session) -> Result<(), ListingError> {
        self.check_name(&session.name)?;
        let sessions = &self.known(conference)?.sessions;
        if sessions.contains_key(&session.session) {
            return Err(ListingError::SessionTaken { conference, session: session.session });
        }
        check(Bounded::Sessions, sessions.len() + 1, self.limits.sessions_max)?;
        check(Bounded::Members, session.destinations.len(), self.limits.members_max)?;
        check(Bounded::AboutBytes, session.about.len(), self.limits.about_bytes_max)?;
        self.check_room(session.entries())?;
        session.destinations.sort_unstable();
        if session.ended || session.destinations.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(ListingError::BadSession);
        }
        if session.destinations.contains(&session.source) {
            return Err(ListingError::OwnDestination { session: session.session, node: session.source });
        }
        for node in session.destinations.iter().chain([&session.source]) {
            self.member(conference, *node)?;
        }
        self.change(Change::SessionAdded { conference, session });
        Ok(())
    }

    /// A member is gone; a conference without members lingers from `at` on.
    fn part(&mut self, at: Instant, conference: ConferenceId, node: NodeId, parting: Parting) {
        self.change(Change::MemberGone { conference, node, parting });
        if self.known(conference).is_ok_and(|conference| conference.members.is_empty()) {
            self.begin(at, (conference, None));
        }
    }

    fn begin(&mut self, now: Instant, lease: Lease) {
        self.end_lease(lease);
        let span = if lease.1.is_some() { self.limits.lease } else { self.limits.linger };
        // Past the end of time there is no lease that ends.
        if let Some(at) = now.checked_add(span) {
            self.ends.insert(lease, at);
            self.by_time.insert((at, lease));
        }
    }

    fn end_lease(&mut self, lease: Lease) {
        if let Some(at) = self.ends.remove(&lease) {
            self.by_time.remove(&(at, lease));
        }
    }

    fn change(&mut self, change: Change) {
        let numbered = NumberedChange { revision: self.list.revision + 1, change };
        let taken = self.apply(&numbered);
        assert!(taken.is_ok(), "a change was made that does not fit the list: {numbered:?}");
        self.fresh.push_back(numbered.clone());
        self.remember(numbered);
    }

    fn remember(&mut self, numbered: NumberedChange) {
        self.recent.push_back(numbered);
        if self.recent.len() > self.limits.recent_max {
            self.recent.pop_front();
        }
    }

    fn leased(&self) -> ListingAnswer {
        ListingAnswer::Leased { revision: self.list.revision, lease: self.limits.lease }
    }

    fn known(&self, conference: ConferenceId) -> Result<&Conference, ListingError> {
        self.list.conferences.get(&conference).ok_or(ListingError::NoConference { conference })
    }

    fn member(&self, conference: ConferenceId, node: NodeId) -> Result<&Member, ListingError> {
        self.known(conference)?.members.get(&node).ok_or(ListingError::NoMember { conference, node })
    }

    fn present(
        &self,
        conference: ConferenceId,
        node: NodeId,
        given: Incarnation,
    ) -> Result<(), ListingError> {
        let known = self.member(conference, node)?.incarnation;
        if known == given { Ok(()) } else { Err(ListingError::OldIncarnation { node, known, given }) }
    }

    fn going_on(&self, conference: ConferenceId, session: SessionId) -> Result<&Session, ListingError> {
        let entry = self.known(conference)?.sessions.get(&session).filter(|entry| !entry.ended);
        entry.ok_or(ListingError::NoSession { conference, session })
    }

    fn check_room(&self, more: usize) -> Result<(), ListingError> {
        check(Bounded::Entries, self.entries + more, self.limits.entries_max)
    }

    fn check_name(&self, name: &str) -> Result<(), ListingError> {
        check(Bounded::NameBytes, name.len(), self.limits.name_bytes_max)
    }
}

fn check(what: Bounded, count: usize, max: usize) -> Result<(), ListingError> {
    if count > max { Err(ListingError::TooMany { what, max }) } else { Ok(()) }
}
