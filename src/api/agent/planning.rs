//! Policies of this node's sessions: asked by the node, answered apart from it.

use super::super::options::Policy;
use super::super::slot::{Reply, lock};
use super::{Agent, Error, Order, Shared};
use bellini_core::ids::{NodeId, SessionKey};
use bellini_core::io::Install;
use bellini_core::listing::Member;
use bellini_live::console::Addresses;
use bellini_scenarios::conduct::{SessionPolicies, network_view};
use bellini_scenarios::policy::{FlowAssignment, NetworkView, PolicyError, Reason, Routing};
use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

/// Something that a session's policies are to do. It may take long: the driver has it done apart from packets.
pub(in super::super) struct Job {
    key: SessionKey,
    policies: Arc<Mutex<SessionPolicies>>,
    change: Change,
    replies: Vec<Reply<()>>,
}

/// What is to be done.
pub(in super::super) enum Change {
    /// Routes and shares are decided anew.
    Decide { destinations: Vec<NodeId>, reason: Reason, view: Arc<NetworkView> },
    /// Shares are set by hand.
    Shares(Vec<f64>),
    /// Another policy decides from now on.
    Routing(Policy<dyn Routing>),
    /// Another policy spreads packets from now on.
    Assignment(Policy<dyn FlowAssignment>),
}

/// What policies have decided, and for whom; `None`: nothing was to be.
type Decided = Option<Result<(Install, Vec<NodeId>), PolicyError>>;

impl Change {
    /// Makes it: the policies' own code runs here.
    fn make(self, policies: &mut SessionPolicies) -> Decided {
        match self {
            Self::Decide { destinations, reason, view } => {
                Some(policies.decide(&destinations, reason, &view).map(|install| (install, destinations)))
            }
            Self::Shares(shares) => Some(policies.set_shares(&shares).map(|install| {
                let destinations = policies.destinations().to_vec();
                (install, destinations)
            })),
            Self::Routing((routing, parameters)) => {
                policies.set_routing(routing, parameters);
                None
            }
            Self::Assignment((assignment, parameters)) => {
                policies.set_assignment(assignment, parameters);
                None
            }
        }
    }
}

/// Returns the words of a panic.
fn said_by(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a word")
}

impl Shared {
    /// Asks a session's policies, if the session is one of this node's programs.
    pub(super) fn ask_policies(
        &self,
        agent: &mut Agent,
        key: SessionKey,
        destinations: Vec<NodeId>,
        reason: Reason,
    ) {
        if destinations.is_empty() {
            return;
        }
        let view = agent.view(self);
        let Some(source) = agent.sources.get_mut(&key) else { return };
        let replies = if reason == Reason::Reload { source.take_reloads() } else { Vec::new() };
        if agent.stopped.is_some() {
            return;
        }
        let policies = Arc::clone(&source.policies);
        // A question that still waits is the same one; after what the program has changed meanwhile it is another.
        let waiting = agent.jobs.iter_mut().rfind(|job| job.key == key);
        if let Some(Job {
            change: Change::Decide { destinations: old, reason: why, view: seen },
            replies: all,
            ..
        }) = waiting
        {
            (*old, *seen) = (destinations, view);
            if *why != Reason::Reload {
                *why = reason;
            }
            all.extend(replies);
            return;
        }
        let change = Change::Decide { destinations, reason, view };
        agent.jobs.push_back(Job { key, policies, change, replies });
    }

    /// Has a session's policies changed by its program.
    pub(in super::super) fn change_policies(
        &self,
        key: SessionKey,
        change: Change,
        reply: Reply<()>,
    ) -> Result<(), Error> {
        let mut agent = self.lock();
        agent.check()?;
        if agent.jobs.len() >= super::CALLS_MAX {
            return Err(Error::Busy(super::CALLS_MAX));
        }
        let source = agent.sources.get(&key).ok_or(Error::NoSession(key))?;
        let policies = Arc::clone(&source.policies);
        agent.jobs.push_back(Job { key, policies, change, replies: vec![reply] });
        drop(agent);
        self.ring_clerks();
        Ok(())
    }

    /// Does a job.
    pub(in super::super) fn work(&self, job: Job) {
        let Job { key, policies, change, replies } = job;
        let is_asked = matches!(change, Change::Decide { .. });
        // A policy may be a program's own: when it panics, whoever waits is told, and others are still asked.
        let decided = catch_unwind(AssertUnwindSafe(|| change.make(&mut lock(&policies))));
        let decided = decided.unwrap_or_else(|panic| {
            Some(Err(PolicyError::Other(format!("it panicked: {}", said_by(panic.as_ref())))))
        });
        let mut agent = self.lock();
        agent.decided((key, is_asked), decided, replies);
        drop(agent);
        self.driver.ring_node();
    }
}

impl Agent {
    /// Takes in what policies have decided; `is_asked`: because they were asked, not told.
    fn decided(&mut self, (key, is_asked): (SessionKey, bool), decided: Decided, replies: Vec<Reply<()>>) {
        match decided {
            None => replies.into_iter().for_each(|reply| reply.give(Ok(()))),
            Some(Ok((install, destinations))) => {
                self.push_order(Order::Install { install, destinations, replies });
            }
            Some(Err(error)) => {
                if is_asked && let Some(source) = self.sources.get_mut(&key) {
                    source.problem = Some(Error::Policy(error.clone()));
                    source.waiting.wake();
                }
                replies.into_iter().for_each(|reply| reply.give(Err(Error::Policy(error.clone()))));
            }
        }
    }

    /// Returns the network as policies see it: the topology's own figures, less nodes that nobody knows where to find and
    /// neighbours that are down.
    fn view(&mut self, shared: &Shared) -> Arc<NetworkView> {
        let (known, down) = (&self.known, &self.down);
        let view = self.view.get_or_insert_with(|| {
            let nodes = &shared.scenario.nodes;
            let is_known =
                |id: NodeId| known.as_ref().is_none_or(|known| id == shared.id || known.contains(&id));
            let links = &shared.scenario.links;
            let is_up = |index: u32| {
                let link = &links[index as usize];
                link.from != shared.id || !down.contains(&link.to)
            };
            Arc::new(network_view(&shared.scenario, |index| is_known(nodes[index as usize].id), is_up))
        });
        Arc::clone(view)
    }

    /// A neighbour cannot be sent to, or can be again. The node asks for policies by itself then.
    pub(super) fn on_neighbour(&mut self, peer: NodeId, is_up: bool) {
        self.view = None;
        if is_up {
            self.down.remove(&peer);
        } else {
            self.down.insert(peer);
        }
    }

    /// From now on only nodes count as reachable whose addresses are told.
    pub(in super::super) fn reach_only_known(&mut self) {
        self.known.get_or_insert_default();
    }

    /// Takes in where nodes are. Sessions whose ways may be others now are decided again.
    pub(in super::super) fn meet(&mut self, shared: &Shared, peers: BTreeMap<NodeId, Addresses>) {
        let Some(known) = &mut self.known else { return };
        let before = known.len();
        known.extend(peers.keys());
        let is_more = known.len() > before;
        self.push_order(Order::Peers(peers));
        if is_more {
            self.view = None;
            let all: Vec<SessionKey> = self.sources.keys().copied().collect();
            for key in all {
                let destinations = self.sources[&key].destinations.clone();
                shared.ask_policies(self, key, destinations, Reason::Topology);
            }
        }
    }

    /// Takes in where members say that they are.
    pub(super) fn meet_members<'a>(&mut self, shared: &Shared, members: impl Iterator<Item = &'a Member>) {
        let others = members.filter(|member| member.node != shared.id);
        let places = others.filter_map(|member| match *member.addresses.as_slice() {
            [data, control, ..] => Some((member.node, Addresses { data, control })),
            _ => None,
        });
        let peers: BTreeMap<NodeId, Addresses> = places.collect();
        if !peers.is_empty() {
            self.meet(shared, peers);
        }
    }
}
