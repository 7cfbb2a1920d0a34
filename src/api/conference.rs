//! A conference, as a member's program has it.

use super::agent::{Sink, Source};
use super::error::Refusal;
use super::node::strange;
use super::options::SessionOptions;
use super::session::Session;
use super::subscription::Subscription;
use super::{Error, Node};
use bellini_core::coding::CodingSpec;
use bellini_core::content::spec::{Content, Unit};
use bellini_core::header::SYMBOL_BYTES_MAX;
use bellini_core::ids::{ConferenceId, Epoch, NodeId, SessionId, SessionKey};
use bellini_core::io::{Command, Delivery, MeasureWindow, SessionSpec, SinkSpec};
use bellini_core::listing::{self, Change, ListingAnswer, ListingRequest, Member};
use bellini_core::time::Duration;
use bellini_scenarios::conduct::SessionPolicies;
use bellini_scenarios::model;
use bellini_scenarios::resolve::mean_rate;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::task::Poll;

/// How often a session id may be taken by somebody else before publishing gives up.
const IDS_TRIED: usize = 16;
/// How long content may be offered: sessions end when they are stopped.
const FOR_EVER: Duration = Duration::from_secs(10 * 365 * 86_400);

/// A conference that this node takes part in. Clones are the same; dropped, it is not left.
#[derive(Clone, Debug)]
pub struct Conference {
    node: Node,
    id: ConferenceId,
}

impl Conference {
    pub(super) fn new(node: Node, id: ConferenceId) -> Self {
        Self { node, id }
    }

    /// Returns its id, by which others join.
    #[must_use]
    pub fn id(&self) -> ConferenceId {
        self.id
    }

    /// Returns its members, by id, as far as this node has heard.
    #[must_use]
    pub fn members(&self) -> Vec<Member> {
        self.listed().map(|listed| listed.members.into_values().collect()).unwrap_or_default()
    }

    /// Returns its sessions, by id, those that have ended included, as far as this node has heard.
    #[must_use]
    pub fn sessions(&self) -> Vec<listing::Session> {
        self.listed().map(|listed| listed.sessions.into_values().collect()).unwrap_or_default()
    }

    /// Whether it has ended, or this node has left it.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.node.shared.lock().membership(self.id).is_err()
    }

    fn listed(&self) -> Option<listing::Conference> {
        let agent = self.node.shared.lock();
        agent.conferences.get(&self.id).map(|membership| membership.conference.clone())
    }

    /// Waits for the next change: members and sessions come and go. `None`: it is over. Up to 1,024 changes wait; beyond,
    /// the oldest go.
    ///
    /// # Errors
    /// When the node does not run any more.
    pub async fn next_change(&self) -> Result<Option<Change>, Error> {
        poll_fn(|context| {
            let mut agent = self.node.shared.lock();
            let stopped = agent.check();
            let Some(membership) = agent.conferences.get_mut(&self.id) else {
                return Poll::Ready(Ok(None));
            };
            if let Some(change) = membership.changes.pop_front() {
                return Poll::Ready(Ok(Some(change)));
            }
            if membership.is_over {
                return Poll::Ready(Ok(None));
            }
            membership.waiting.add(context);
            stopped.map_or_else(|error| Poll::Ready(Err(error)), |()| Poll::Pending)
        })
        .await
    }

    /// Waits until a session with this name goes on, and returns its id. Changes are left to [`Conference::next_change`].
    ///
    /// # Errors
    /// When the conference is over, or the node does not run any more.
    pub async fn session_named(&self, name: &str) -> Result<SessionId, Error> {
        poll_fn(|context| {
            let mut agent = self.node.shared.lock();
            let membership = match agent.membership(self.id) {
                Ok(membership) => membership,
                Err(error) => return Poll::Ready(Err(error)),
            };
            let sessions = membership.conference.sessions.values();
            let found = sessions.filter(|session| !session.ended).find(|session| session.name == name);
            if let Some(found) = found {
                return Poll::Ready(Ok(found.session));
            }
            membership.waiting.add(context);
            Poll::Pending
        })
        .await
    }

    /// Adds a session with its source here. Its policies are asked at once if it has destinations, and whenever some come or
    /// go.
    ///
    /// # Errors
    /// When the listing server or the node refuses, or a policy's name is not known.
    pub async fn publish(&self, options: SessionOptions) -> Result<Session, Error> {
        let shared = &self.node.shared;
        let SessionOptions { name, content, mut destinations, routes, shares, delivery, coding, .. } =
            options;
        destinations.sort_unstable();
        let unit = match &content {
            Content::Application { unit, .. } => Some(*unit),
            _ => None,
        };
        let has_own_shares = shares.is_some();
        let shares = shares.unwrap_or_else(|| routes.usual_shares());
        let (routing, assignment) = (routes.policy(&shared.registry)?, shares.policy(&shared.registry)?);
        let start = self.node.now() + options.settle;
        let (measure, delivery) =
            (MeasureWindow { from: start, to: start + FOR_EVER }, delivery.of_session());
        let coding =
            coding.map(|coding| CodingSpec { real_bytes: coding.real_bytes || unit.is_some(), ..coding });
        let mut announced = SinkSpec {
            key: SessionKey { conference: self.id, session: SessionId(0) },
            source: shared.id,
            content,
            symbol_bytes: options.symbol_bytes,
            delivery,
            coding,
            // No key reaches members but by the listing server, which is not to have one.
            seal: None,
            start,
            stop: start + FOR_EVER,
            measure,
            deliver_events: true,
        };
        if let Some(problem) = fault(&announced) {
            return Err(Error::Announcement { key: announced.key, problem });
        }
        let key = self.announce(&name, &destinations, &mut announced).await?;
        let mut undone = Undone(Some(self.node.clone()), key);

        let mut policies = SessionPolicies::new(
            &shared.registry,
            key,
            shared.id,
            mean_rate(&announced.content),
            (
                &named_routing("direct"),
                &model::Assignment { policy: "equal".to_owned(), parameters: BTreeMap::new() },
            ),
        )?;
        policies = policies.with_backups(shared.scenario.failover.is_some()).with_coding(coding.is_some());
        policies.set_routing(routing.0, routing.1);
        policies.set_assignment(assignment.0, assignment.1);
        let spec = SessionSpec {
            key,
            epoch: Epoch(0),
            destinations: destinations.clone(),
            content: announced.content,
            symbol_bytes: options.symbol_bytes,
            hop_kind: options.transport.hop_kind(),
            delivery,
            coding,
            seal: None,
            start,
            stop: start + FOR_EVER,
            measure,
            draw: options.draw,
            policy_period: options.policy_period.or_else(|| policies.period()),
        };
        let mut source = Source::new(policies, unit, options.symbol_bytes, destinations.clone());
        source.has_own_shares = has_own_shares;
        self.start(key, source, spec, &destinations)?.await?;
        undone.0 = None;
        Ok(Session::new(self.node.clone(), key))
    }

    /// Registers a session under an id that nobody else has taken.
    async fn announce(
        &self,
        name: &str,
        destinations: &[NodeId],
        announced: &mut SinkSpec,
    ) -> Result<SessionKey, Error> {
        let shared = &self.node.shared;
        let mut tried = 0;
        loop {
            let session = {
                let mut agent = shared.lock();
                let sessions = &agent.membership(self.id)?.conference.sessions;
                let mut free = (1..=u32::MAX).map(SessionId).filter(|id| !sessions.contains_key(id));
                // Another member may be about to take the lowest one.
                free.nth(tried).ok_or(Error::NoIds(self.id))?
            };
            announced.key.session = session;
            let about = serde_json::to_string(&announced)
                .map_err(|error| Error::Announcement { key: announced.key, problem: error.to_string() })?;
            let listed = listing::Session {
                session,
                name: name.to_owned(),
                source: shared.id,
                destinations: destinations.to_vec(),
                about,
                ended: false,
            };
            let request = ListingRequest::AddSession { conference: self.id, session: listed };
            match shared.ask(request).await {
                Ok(_) => return Ok(announced.key),
                Err(error) if error.is_refused(Refusal::Conflict) && tried < IDS_TRIED => tried += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Starts a source, with all destinations that are listed by now.
    fn start(
        &self,
        key: SessionKey,
        source: Source,
        spec: SessionSpec,
        destinations: &[NodeId],
    ) -> Result<super::slot::Answer<()>, Error> {
        let shared = &self.node.shared;
        shared.lock().sources.insert(key, source);
        let started = shared.order(|reply| {
            super::agent::Order::Command(Box::new(Command::StartSession(Box::new(spec))), Some(reply))
        })?;
        let mut agent = shared.lock();
        let listed = agent.membership(self.id)?.conference.sessions.get(&key.session);
        let late: Vec<NodeId> = listed.map(|session| session.destinations.clone()).unwrap_or_default();
        for node in late.into_iter().filter(|node| !destinations.contains(node)) {
            agent.admit(key, node);
        }
        drop(agent);
        shared.ring();
        Ok(started)
    }

    /// Becomes a destination of a session. What arrives is had from the subscription. Who is one already gets the
    /// subscription that there is.
    ///
    /// # Errors
    /// When it is not listed, has ended, cannot be understood, or the listing server or the node refuses.
    pub async fn subscribe(&self, session: SessionId) -> Result<Subscription, Error> {
        let shared = &self.node.shared;
        let key = SessionKey { conference: self.id, session };
        let (listed, source) = {
            let mut agent = shared.lock();
            let conference = &agent.membership(self.id)?.conference;
            let found = conference.sessions.get(&session).filter(|session| !session.ended);
            let found = found.cloned().ok_or(Error::NoSession(key))?;
            // Whose source is gone brings nothing any more.
            let source = conference.members.get(&found.source).ok_or(Error::NoSession(key))?;
            (found, (source.node, source.incarnation))
        };
        let bad = |problem: String| Error::Announcement { key, problem };
        let spec: SinkSpec = serde_json::from_str(&listed.about)
            .map_err(|error| bad(format!("what is said of it is no announcement of a session: {error}")))?;
        if spec.source == shared.id {
            return Err(bad("this node is its source".to_owned()));
        }
        if spec.key != key || spec.source != listed.source {
            return Err(bad("what is said of it is of another session".to_owned()));
        }
        if let Some(problem) = fault(&spec) {
            return Err(bad(problem));
        }
        let unit = match &spec.content {
            Content::Application { unit, .. } => Some(*unit),
            _ => None,
        };
        let is_whole = unit == Some(Unit::Stream) && spec.delivery == Delivery::Reliable;
        let spec = Box::new(SinkSpec { deliver_events: true, ..spec });
        {
            let mut agent = shared.lock();
            match agent.sinks.get(&key) {
                Some(sink) if !sink.is_closed => return Ok(Subscription::new(self.node.clone(), key)),
                // It was left, and is begun anew.
                Some(_) => agent.push_command(Command::ForgetSession(key)),
                None => {}
            }
            agent.sinks.insert(key, Sink::new(unit, source, is_whole));
        }
        let joined = match shared.command(Command::JoinSession(spec)).await {
            Ok(()) => {
                let request = ListingRequest::JoinSession { conference: self.id, session, node: shared.id };
                shared.ask(request).await
            }
            Err(error) => Err(error),
        };
        match joined {
            Ok(ListingAnswer::Done { .. }) => Ok(Subscription::new(self.node.clone(), key)),
            refused => {
                let mut agent = shared.lock();
                if let Some(mut sink) = agent.sinks.remove(&key) {
                    sink.close();
                }
                agent.push_command(Command::ForgetSession(key));
                drop(agent);
                shared.ring();
                Err(refused.map_or_else(|error| error, |other| strange(&other)))
            }
        }
    }

    /// Leaves: this node's sessions stop, and it receives nothing more.
    ///
    /// # Errors
    /// When the listing server does not answer: the lease then ends by itself.
    pub async fn leave(&self) -> Result<(), Error> {
        let shared = &self.node.shared;
        let own = {
            let mut agent = shared.lock();
            agent.membership(self.id)?;
            agent.leave(self.id);
            agent.own_sessions(self.id)
        };
        shared.ring();
        for session in own {
            self.node.ask_gently(ListingRequest::EndSession { conference: self.id, session }).await?;
        }
        let (node, incarnation) = (shared.id, shared.incarnation);
        self.node.ask_gently(ListingRequest::Leave { conference: self.id, node, incarnation }).await
    }

    /// Ends it for everyone: its queues are removed at every node that its packets touched.
    ///
    /// # Errors
    /// When the listing server does not answer or refuses.
    pub async fn end(&self) -> Result<(), Error> {
        let shared = &self.node.shared;
        shared.lock().membership(self.id)?;
        self.node.ask_gently(ListingRequest::End { conference: self.id }).await?;
        let ended = shared.command(Command::EndConference(self.id)).await;
        shared.lock().end_conference(self.id);
        ended
    }
}

/// A session that is listed and does not go on yet: whatever keeps it from that, nothing of it is left.
struct Undone(Option<Node>, SessionKey);

impl Drop for Undone {
    fn drop(&mut self) {
        let Some(Node { shared }) = self.0.take() else { return };
        let (key, SessionKey { conference, session }) = (self.1, self.1);
        let mut agent = shared.lock();
        if agent.check().is_err() {
            return;
        }
        agent.sources.remove(&key);
        agent.push_command(Command::StopSession(key));
        agent.push_command(Command::ForgetSession(key));
        agent.push_letter(ListingRequest::EndSession { conference, session });
        drop(agent);
        shared.ring();
    }
}

fn named_routing(policy: &str) -> model::Routing {
    model::Routing { policy: policy.to_owned(), flows: Vec::new(), parameters: BTreeMap::new() }
}

/// Returns what is wrong with what a destination is told of a session: whoever can reach the listing server may have written
/// it.
fn fault(spec: &SinkSpec) -> Option<String> {
    let is_plain = match &spec.content {
        Content::Application { .. } | Content::Constant { .. } => true,
        Content::File { bytes, .. } => *bytes > 0,
        _ => false,
    };
    if !is_plain {
        return Some(
            "content can be datagrams, a stream, a file or a constant rate: others are not announced"
                .to_owned(),
        );
    }
    if !(1..=SYMBOL_BYTES_MAX).contains(&spec.symbol_bytes) {
        let bytes = spec.symbol_bytes;
        return Some(format!("symbols of {bytes} bytes: a symbol has 1 to {SYMBOL_BYTES_MAX} bytes"));
    }
    // A key that the listing server knows is none.
    if spec.seal.is_some() {
        return Some("it is said to be sealed from end to end, which programs cannot open".to_owned());
    }
    if spec.start > spec.stop {
        return Some("it ends before it starts".to_owned());
    }
    let coding = spec.coding?;
    coding
        .fault(spec.delivery == Delivery::Reliable, spec.symbol_bytes)
        .map(|fault| format!("coding: {fault}"))
}
