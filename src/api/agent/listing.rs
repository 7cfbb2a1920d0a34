//! What this node knows of its conferences by the listing server's word: leases, changes, and what follows from them.

use super::super::error::Refusal;
use super::{AGAIN, Agent, CHANGES_MAX, Error, Letter, Membership, Shared, Sink, To};
use bellini_core::ids::{ConferenceId, NodeId, SessionKey};
use bellini_core::io::Command;
use bellini_core::listing::{
    Change, Conference, ListingAnswer, ListingRequest, Member, NumberedChange, Parting,
};
use bellini_core::time::{Duration, Instant};
use std::collections::VecDeque;

/// Conferences that a node takes part in, or did.
const CONFERENCES_MAX: usize = 256;

impl Shared {
    /// Returns this node as a member.
    pub(in super::super) fn member(&self) -> Member {
        let addresses = self.lock().addresses;
        let addresses = addresses.map(|addresses| vec![addresses.data, addresses.control]);
        Member {
            node: self.id,
            name: self.name.clone(),
            addresses: addresses.unwrap_or_default(),
            incarnation: self.incarnation,
        }
    }

    /// This node takes part in a conference from now on: what is listed of it, and for how long without a heartbeat.
    ///
    /// # Errors
    /// When it takes part in too many.
    pub(in super::super) fn enter(
        &self,
        conference: Conference,
        revision: u64,
        lease: Duration,
    ) -> Result<(), Error> {
        let now = self.driver.now();
        let mut agent = self.lock();
        if agent.membership(conference.conference).is_ok() {
            // Another task of the program was faster; what it waits for is kept.
            return Ok(());
        }
        if agent.conferences.len() >= CONFERENCES_MAX {
            // What is over has been kept for programs that had not heard of it.
            agent.conferences.retain(|_, membership| !membership.is_over);
        }
        if agent.conferences.len() >= CONFERENCES_MAX {
            return Err(Error::Busy(CONFERENCES_MAX));
        }
        agent.meet_members(self, conference.members.values());
        let id = conference.conference;
        // An earlier start of this node may have had no time to end its sessions.
        let own = conference.sessions.values().filter(|session| session.source == self.id && !session.ended);
        let stale = own.map(|session| SessionKey { conference: id, session: session.session });
        let stale: Vec<_> = stale.filter(|key| !agent.sources.contains_key(key)).collect();
        for key in stale {
            agent.push_letter(ListingRequest::EndSession { conference: id, session: key.session });
        }
        let membership = Membership {
            conference,
            revision,
            renew_at: Some(now + third(lease)),
            changes: VecDeque::new(),
            missed_changes: 0,
            waiting: super::Waiting::default(),
            is_over: false,
        };
        agent.conferences.insert(id, membership);
        let since = &mut agent.watch.0;
        *since = Some(since.map_or(revision, |since| since.min(revision)));
        drop(agent);
        self.ring();
        Ok(())
    }

    /// Sends the heartbeats that are due.
    pub(super) fn renew(&self, agent: &mut Agent, now: Instant) {
        for (id, membership) in agent.conferences.iter_mut().filter(|(_, membership)| !membership.is_over) {
            if membership.renew_at.is_some_and(|at| at <= now) {
                membership.renew_at = None;
                let request =
                    ListingRequest::Renew { conference: *id, node: self.id, incarnation: self.incarnation };
                agent.letters.push_back(Letter { request, to: To::Renew(*id) });
            }
        }
    }

    pub(super) fn on_renewed(&self, now: Instant, id: ConferenceId, answer: Result<ListingAnswer, Error>) {
        if self.lock().membership(id).is_err() {
            // It was left meanwhile.
            return;
        }
        let is_out = answer.as_ref().is_err_and(|error| error.is_refused(Refusal::NotThere));
        if is_out {
            // The lease ended, or the conference did: joining tells which.
            let request = ListingRequest::Join { conference: id, member: self.member() };
            self.lock().letters.push_back(Letter { request, to: To::Rejoin(id) });
        } else {
            self.on_lease(now, id, answer);
        }
        self.ring();
    }

    pub(super) fn on_rejoined(&self, now: Instant, id: ConferenceId, answer: Result<ListingAnswer, Error>) {
        if self.lock().membership(id).is_err() {
            // It was left meanwhile.
            return;
        }
        if answer.as_ref().is_err_and(|error| error.is_refused(Refusal::NotThere)) {
            self.lock().note_end(id);
        } else {
            let mut agent = self.lock();
            if answer.is_ok() {
                // It is no destination of anything any more.
                let sinks = agent.sinks.iter().filter(|(key, sink)| key.conference == id && !sink.is_closed);
                let sessions: Vec<_> = sinks.map(|(key, _)| key.session).collect();
                for session in sessions {
                    self.resubscribe(&mut agent, SessionKey { conference: id, session });
                }
            }
            drop(agent);
            self.on_lease(now, id, answer);
        }
        self.ring();
    }

    /// Asks to be a destination again.
    fn resubscribe(&self, agent: &mut Agent, key: SessionKey) {
        let SessionKey { conference, session } = key;
        let request = ListingRequest::JoinSession { conference, session, node: self.id };
        agent.letters.push_back(Letter { request, to: To::Resubscribe(key) });
    }

    pub(super) fn on_resubscribed(
        &self,
        now: Instant,
        key: SessionKey,
        answer: &Result<ListingAnswer, Error>,
    ) {
        let mut agent = self.lock();
        let Some(sink) = agent.sinks.get_mut(&key).filter(|sink| !sink.is_closed) else { return };
        // Where the session or this node is not there (any more), a change or a heartbeat tells.
        let is_open = answer.as_ref().is_err_and(|error| !error.is_refused(Refusal::NotThere));
        sink.subscribe_at = is_open.then(|| now + AGAIN);
        drop(agent);
        self.ring_clerks();
    }

    /// Asks again to be a destination, where that is due.
    pub(super) fn resubscribe_due(&self, agent: &mut Agent, now: Instant) {
        let due = |sink: &Sink| !sink.is_closed && sink.subscribe_at.is_some_and(|at| at <= now);
        let due: Vec<_> = agent.sinks.iter().filter(|(_, sink)| due(sink)).map(|(key, _)| *key).collect();
        for key in due {
            if let Some(sink) = agent.sinks.get_mut(&key) {
                sink.subscribe_at = None;
            }
            self.resubscribe(agent, key);
        }
    }

    fn on_lease(&self, now: Instant, id: ConferenceId, answer: Result<ListingAnswer, Error>) {
        let mut agent = self.lock();
        let Some(membership) = agent.conferences.get_mut(&id) else { return };
        membership.renew_at = Some(match answer {
            Ok(ListingAnswer::Leased { lease, .. }) => now + third(lease),
            // The server may come back before the lease ends.
            _ => now + AGAIN,
        });
    }

    /// Takes in what has changed; whether it was an answer.
    pub(in super::super) fn watched(&self, now: Instant, answer: Result<ListingAnswer, Error>) -> bool {
        let mut agent = self.lock();
        let asked = agent.watch.1.take();
        let (revision, is_known) = match answer {
            Ok(ListingAnswer::Changes { revision, changes }) => {
                changes.iter().for_each(|change| self.on_change(&mut agent, now, asked, change));
                // What changed elsewhere has been heard too: nothing up to the answer's revision is lacking.
                for membership in agent.conferences.values_mut() {
                    if asked.is_some_and(|asked| membership.revision >= asked) {
                        membership.revision = membership.revision.max(revision);
                    }
                }
                (revision, true)
            }
            Ok(ListingAnswer::Conferences { revision, conferences }) => {
                self.on_list(&mut agent, now, revision, &conferences);
                (revision, true)
            }
            Ok(_) | Err(_) => (0, false),
        };
        // A conference that was entered meanwhile may lack what came before.
        if is_known && agent.watch.0 == asked {
            agent.watch.0 = agent.watch.0.map(|_| revision);
        }
        drop(agent);
        self.ring();
        is_known
    }

    fn on_change(&self, agent: &mut Agent, now: Instant, asked: Option<u64>, numbered: &NumberedChange) {
        let NumberedChange { revision, change } = numbered;
        let id = change.conference();
        let Some(membership) = agent.conferences.get_mut(&id).filter(|membership| !membership.is_over) else {
            return;
        };
        // It has heard that already, or lacks something before it.
        if membership.revision >= *revision || asked.is_none_or(|asked| membership.revision < asked) {
            return;
        }
        membership.revision = *revision;
        if *change != (Change::ConferenceEnded { conference: id }) {
            // What does not fit is of a server that began anew: the whole list will tell.
            let _ = membership.conference.apply(change);
        }
        membership.tell(change.clone());
        self.act_on(agent, now, change);
    }

    /// Takes the whole list in: this node was too far behind to hear of each change.
    fn on_list(&self, agent: &mut Agent, now: Instant, revision: u64, list: &[Conference]) {
        let ids: Vec<ConferenceId> = agent.conferences.keys().copied().collect();
        for id in ids {
            let Ok(membership) = agent.membership(id) else { continue };
            let changes = match list.iter().find(|conference| conference.conference == id) {
                Some(new) => {
                    let changes = differences(&membership.conference, new);
                    membership.conference = new.clone();
                    changes
                }
                None => vec![Change::ConferenceEnded { conference: id }],
            };
            membership.revision = revision;
            for change in changes {
                if let Ok(membership) = agent.membership(id) {
                    membership.tell(change.clone());
                }
                self.act_on(agent, now, &change);
            }
        }
    }

    /// Does what follows from a change.
    fn act_on(&self, agent: &mut Agent, now: Instant, change: &Change) {
        let conference = change.conference();
        let key = |session| SessionKey { conference, session };
        match change {
            Change::ConferenceCreated { .. } | Change::SessionAdded { .. } => {}
            Change::ConferenceEnded { .. } => {
                agent.push_command(Command::EndConference(conference));
                agent.end_conference(conference);
            }
            Change::MemberJoined { member, .. } => {
                agent.meet_source(now, conference, member);
                agent.meet_members(self, std::iter::once(member));
            }
            Change::MemberGone { node, .. } => {
                agent.expect_source(now, conference, *node);
                let own: Vec<SessionKey> = agent.sources.keys().copied().collect();
                for key in own.into_iter().filter(|key| key.conference == conference) {
                    agent.dismiss(key, *node);
                }
            }
            Change::DestinationJoined { session, node, .. } => agent.admit(key(*session), *node),
            Change::DestinationLeft { session, node, .. } => agent.dismiss(key(*session), *node),
            Change::SessionEnded { session, .. } => agent.expect_end(now, key(*session)),
        }
    }
}

impl Membership {
    fn tell(&mut self, change: Change) {
        if self.changes.len() >= CHANGES_MAX {
            self.changes.pop_front();
            self.missed_changes += 1;
        }
        self.changes.push_back(change);
        self.waiting.wake();
    }
}

impl Agent {
    /// Returns the revision after which changes are to be asked for, if a question is due.
    pub(in super::super) fn poll_watch(&mut self) -> Option<u64> {
        let (wanted, asked) = self.watch;
        let wanted = wanted.filter(|_| asked.is_none() && self.stopped.is_none())?;
        self.watch.1 = Some(wanted);
        Some(wanted)
    }

    /// The source here takes a destination in.
    pub(in super::super) fn admit(&mut self, key: SessionKey, node: NodeId) {
        if self.sources.contains_key(&key) {
            self.push_command(Command::Admit { key, node });
        }
    }

    fn dismiss(&mut self, key: SessionKey, node: NodeId) {
        if self.sources.contains_key(&key) {
            self.push_command(Command::Dismiss { key, node });
        }
    }

    /// The listing server knows the conference no more.
    fn note_end(&mut self, id: ConferenceId) {
        if let Ok(membership) = self.membership(id) {
            membership.tell(Change::ConferenceEnded { conference: id });
            self.push_command(Command::EndConference(id));
            self.end_conference(id);
        }
    }

    /// Nothing is watched for conferences that are over.
    pub(super) fn watch_no_more(&mut self) {
        if self.conferences.values().all(|membership| membership.is_over) {
            self.watch.0 = None;
        }
    }
}

/// Heartbeats are sent three times a lease.
fn third(lease: Duration) -> Duration {
    Duration::from_nanos(lease.as_nanos() / 3)
}

/// Returns changes that lead from what was known of a conference to what is listed now.
fn differences(old: &Conference, new: &Conference) -> Vec<Change> {
    let conference = new.conference;
    let mut changes = Vec::new();
    for node in old.members.keys().filter(|node| !new.members.contains_key(*node)) {
        changes.push(Change::MemberGone { conference, node: *node, parting: Parting::Left });
    }
    for (node, member) in &new.members {
        if old.members.get(node) != Some(member) {
            changes.push(Change::MemberJoined { conference, member: member.clone() });
        }
    }
    for (id, session) in &new.sessions {
        let Some(known) = old.sessions.get(id) else {
            changes.push(Change::SessionAdded { conference, session: session.clone() });
            continue;
        };
        let session_id = *id;
        for node in known.destinations.iter().filter(|node| !session.destinations.contains(node)) {
            changes.push(Change::DestinationLeft { conference, session: session_id, node: *node });
        }
        for node in session.destinations.iter().filter(|node| !known.destinations.contains(node)) {
            changes.push(Change::DestinationJoined { conference, session: session_id, node: *node });
        }
        if session.ended && !known.ended {
            changes.push(Change::SessionEnded { conference, session: session_id });
        }
    }
    changes
}
