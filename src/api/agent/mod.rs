//! What a node's programs take part in, and what has to be done for them, whatever drives the node.
//!
//! An [`Agent`] does nothing by itself. Programs put what they want into it; its driver (the simulator, or threads
//! around a live node) gives the node its [`Order`]s, sends its [`Letter`]s to the listing server, works off its
//! [`Job`]s for policies, and brings back answers, events and the time. So what a program means is decided once for
//! both modes.

mod listing;
mod orders;
mod planning;
mod sessions;
mod timers;

use super::Error;
use super::executor::Ready;
use super::slot::{Answer, Guard, Reply, Waiting, slot};
use bellini_core::ids::{ConferenceId, Incarnation, NodeId, SessionKey};
use bellini_core::io::{Command, Install};
use bellini_core::listing::{Change, Conference, ListingAnswer, ListingRequest};
use bellini_core::time::{Duration, Instant};
use bellini_live::console::Addresses;
use bellini_scenarios::conduct::{HopFigures, SessionFigures};
use bellini_scenarios::model::Scenario;
use bellini_scenarios::policy::NetworkView;
use bellini_scenarios::registry::Registry;
pub(super) use planning::{Change as PolicyChange, Job};
pub use sessions::Delivered;
pub(super) use sessions::{End, Sink, Source};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Condvar, Mutex};
pub(super) use timers::{Sleep, Timers};

/// Calls of one kind that wait for an answer.
const CALLS_MAX: usize = 1_024;
/// Changes of a conference that wait for the program; the oldest go.
const CHANGES_MAX: usize = 1_024;
/// From a failed request of its own to the next one.
const AGAIN: Duration = Duration::from_secs(1);

/// What a node's driver is for the programs at it.
pub(super) trait Driver: Send + Sync {
    /// Returns the node's time.
    fn now(&self) -> Instant;
    /// There is something for the node.
    fn ring_node(&self);
    /// There is something for whoever sees to letters, policies and the time, where those are not threads that wait.
    fn ring_clerks(&self) {}
}

/// One node, as its programs share it.
pub(super) struct Shared {
    pub(super) id: NodeId,
    pub(super) name: String,
    pub(super) incarnation: Incarnation,
    /// The topology; its conferences count for nothing.
    pub(super) scenario: Arc<Scenario>,
    pub(super) registry: Registry,
    pub(super) driver: Box<dyn Driver>,
    pub(super) ready: Arc<Ready>,
    agent: Mutex<Agent>,
    /// Something changed that one of the driver's threads may wait for.
    changed: Condvar,
}

/// Everything that changes.
#[derive(Default)]
pub(super) struct Agent {
    /// Why the node does not run any more.
    stopped: Option<Error>,
    orders: VecDeque<Order>,
    letters: VecDeque<Letter>,
    jobs: VecDeque<Job>,
    pub(super) timers: Timers,
    pub(super) conferences: BTreeMap<ConferenceId, Membership>,
    pub(super) sources: BTreeMap<SessionKey, Source>,
    pub(super) sinks: BTreeMap<SessionKey, Sink>,
    /// The revision after which changes are wanted, and that of the question under way.
    watch: (Option<u64>, Option<u64>),
    /// Where this node can be reached.
    pub(super) addresses: Option<Addresses>,
    /// Nodes whose addresses are known; `None`: all of the topology can be reached.
    known: Option<BTreeSet<NodeId>>,
    /// Neighbours that cannot be sent to.
    down: BTreeSet<NodeId>,
    view: Option<Arc<NetworkView>>,
    delivered: Vec<sessions::Arrived>,
    /// A letter is with the listing server.
    pub(super) is_writing: bool,
}

/// Something for the node.
pub(super) enum Order {
    Command(Box<Command>, Option<Reply<()>>),
    Install { install: Install, destinations: Vec<NodeId>, replies: Vec<Reply<()>> },
    Reload(SessionKey, Reply<()>),
    Harvest(SessionKey, Reply<Option<SessionFigures>>),
    Hops(Reply<Vec<HopFigures>>),
    Peers(BTreeMap<NodeId, Addresses>),
    Stop,
}

/// Something for the listing server.
pub(super) struct Letter {
    pub(super) request: ListingRequest,
    pub(super) to: To,
}

/// Who waits for the listing server's answer.
pub(super) enum To {
    Call(Reply<ListingAnswer>),
    Renew(ConferenceId),
    Rejoin(ConferenceId),
    Resubscribe(SessionKey),
    Nobody,
}

/// A conference that this node takes part in, or did.
pub(super) struct Membership {
    /// As it is listed, as far as this node has heard.
    pub(super) conference: Conference,
    revision: u64,
    /// When the next heartbeat is due; `None`: one is under way.
    renew_at: Option<Instant>,
    pub(super) changes: VecDeque<Change>,
    pub(super) missed_changes: u64,
    pub(super) waiting: Waiting,
    /// It ended, or this node left.
    pub(super) is_over: bool,
}

impl Shared {
    pub(super) fn new(
        (id, name, incarnation): (NodeId, String, Incarnation),
        scenario: Arc<Scenario>,
        registry: Registry,
        driver: Box<dyn Driver>,
        ready: Arc<Ready>,
    ) -> Self {
        let (agent, changed) = (Mutex::default(), Condvar::new());
        Self { id, name, incarnation, scenario, registry, driver, ready, agent, changed }
    }

    pub(super) fn lock(&self) -> Guard<'_, Agent> {
        Guard::new(&self.agent)
    }

    /// Whether nobody holds the lock.
    #[cfg(test)]
    pub(super) fn is_free(&self) -> bool {
        self.agent.try_lock().is_ok()
    }

    /// Waits until something has changed; with `longest`, no longer than that. It may return for nothing.
    pub(super) fn wait<'a>(
        &'a self,
        agent: Guard<'a, Agent>,
        longest: Option<std::time::Duration>,
    ) -> Guard<'a, Agent> {
        let waited = agent.wait(|agent| match longest {
            None => self.changed.wait(agent).unwrap_or_else(|poisoned| poisoned.into_inner()),
            Some(longest) => {
                let waited = self.changed.wait_timeout(agent, longest);
                waited.unwrap_or_else(|poisoned| poisoned.into_inner()).0
            }
        });
        waited.unwrap_or_else(|agent| {
            drop(agent);
            self.lock()
        })
    }

    /// There may be something to do for everybody.
    pub(super) fn ring(&self) {
        self.ring_clerks();
        self.driver.ring_node();
    }

    /// There is something to do that is not the node's.
    pub(super) fn ring_clerks(&self) {
        self.changed.notify_all();
        self.driver.ring_clerks();
    }

    /// Gives the node an order that is answered.
    pub(super) fn order<T>(&self, order: impl FnOnce(Reply<T>) -> Order) -> Result<Answer<T>, Error> {
        let mut agent = self.lock();
        agent.check()?;
        if agent.orders.len() >= CALLS_MAX {
            return Err(Error::Busy(CALLS_MAX));
        }
        let (reply, answer) = slot();
        agent.orders.push_back(order(reply));
        drop(agent);
        self.driver.ring_node();
        Ok(answer)
    }

    /// Gives the node a command.
    pub(super) async fn command(&self, command: Command) -> Result<(), Error> {
        self.order(|reply| Order::Command(Box::new(command), Some(reply)))?.await
    }

    /// Asks the listing server.
    pub(super) async fn ask(&self, request: ListingRequest) -> Result<ListingAnswer, Error> {
        let answer = {
            let mut agent = self.lock();
            agent.check()?;
            if agent.letters.len() >= CALLS_MAX {
                return Err(Error::Busy(CALLS_MAX));
            }
            let (reply, answer) = slot();
            agent.letters.push_back(Letter { request, to: To::Call(reply) });
            answer
        };
        self.ring_clerks();
        answer.await
    }

    /// The node does not run any more: whoever waits is told.
    pub(super) fn stop(&self, why: Error) {
        let mut agent = self.lock();
        agent.stopped.get_or_insert(why);
        // Replies that are dropped answer.
        let (orders, letters) = (std::mem::take(&mut agent.orders), std::mem::take(&mut agent.letters));
        let jobs = std::mem::take(&mut agent.jobs);
        let reloads: Vec<_> = agent.sources.values_mut().flat_map(Source::take_reloads).collect();
        agent.timers.wake_all();
        agent.conferences.values_mut().for_each(|membership| membership.waiting.wake());
        agent.sources.values_mut().for_each(|source| source.waiting.wake());
        agent.sinks.values_mut().for_each(|sink| sink.waiting.wake());
        drop(agent);
        drop((orders, letters, jobs, reloads));
        self.ring();
    }
}

impl Agent {
    /// # Errors
    /// When the node does not run any more.
    pub(super) fn check(&self) -> Result<(), Error> {
        self.stopped.clone().map_or(Ok(()), Err)
    }

    /// Adds an order. Where the node does not run any more it is dropped: its replies say so.
    pub(super) fn push_order(&mut self, order: Order) {
        if self.stopped.is_none() {
            self.orders.push_back(order);
        }
    }

    /// Adds a command that nobody waits for.
    pub(super) fn push_command(&mut self, command: Command) {
        self.push_order(Order::Command(Box::new(command), None));
    }

    pub(super) fn push_letter(&mut self, request: ListingRequest) {
        self.letters.push_back(Letter { request, to: To::Nobody });
    }

    /// Returns the next letter, if one is to be sent.
    pub(super) fn poll_letter(&mut self) -> Option<Letter> {
        loop {
            let letter = self.letters.pop_front()?;
            // Who does not wait any more may not have meant it.
            if !matches!(&letter.to, To::Call(reply) if reply.is_unwanted()) {
                return Some(letter);
            }
        }
    }

    /// Returns how many questions to policies and changes of them wait.
    #[cfg(test)]
    pub(super) fn jobs(&self) -> usize {
        self.jobs.len()
    }

    pub(super) fn poll_job(&mut self) -> Option<Job> {
        self.jobs.pop_front()
    }

    /// Whether letters wait, or one is with the listing server.
    pub(super) fn has_letters(&self) -> bool {
        self.is_writing || !self.letters.is_empty()
    }

    /// Returns a conference that this node takes part in.
    ///
    /// # Errors
    /// When it does not (any more).
    pub(super) fn membership(&mut self, id: ConferenceId) -> Result<&mut Membership, Error> {
        self.check()?;
        let membership = self.conferences.get_mut(&id).filter(|membership| !membership.is_over);
        membership.ok_or(Error::NoConference(id))
    }
}
