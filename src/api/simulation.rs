//! Programs in the simulator: their nodes, the network between them and the listing server, in virtual time.

use super::agent::{Driver, Shared};
use super::executor::Executor;
use super::post::{Mail, Post};
use super::slot::Answer;
use super::{Error, Node};
use bellini_core::ids::{Incarnation, NodeId};
use bellini_core::io::{Command, CommandError};
use bellini_core::rng::Seed;
use bellini_core::time::{Duration, Instant};
use bellini_live::console::Addresses;
use bellini_live::node::Housing;
use bellini_scenarios::model::Scenario;
use bellini_scenarios::registry::Registry;
use bellini_sim::world::World;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

/// Steps of programs at one instant; who takes more waits for nothing.
const POLLS_MAX: u64 = 1_000_000;

/// A run of programs in virtual time. The same topology, programs and seed give the same run, on any machine.
///
/// Conferences, faults and the duration of the scenario count for nothing: what happens is up to the programs. The
/// listing server is at a node of the topology; what is asked of it takes the time of the fastest way there and back.
/// Policies are asked with the view `oracle`, and decide in the scenario's planning time.
pub struct Simulation<'a> {
    scenario: &'a Scenario,
    world: World<'a>,
    executor: Executor,
    seed: Seed,
    nodes: Vec<SimulatedNode>,
    post: Post<'a>,
    programs: Vec<(String, Option<Ending>)>,
    planning: Duration,
}

/// What a program will end with.
type Ending = Answer<Result<(), Error>>;

struct SimulatedNode {
    shared: Arc<Shared>,
    driver: Arc<Ticker>,
}

/// A node's clock, and whether something is to be done for it.
#[derive(Default)]
struct Ticker {
    now: AtomicU64,
    is_rung: AtomicBool,
}

impl Driver for Arc<Ticker> {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.now.load(Ordering::Relaxed))
    }

    fn ring_node(&self) {
        self.is_rung.store(true, Ordering::Relaxed);
    }

    fn ring_clerks(&self) {
        self.ring_node();
    }
}

impl<'a> Simulation<'a> {
    /// Prepares a run over the topology of a scenario, with the built-in policies; the listing server is at the node with
    /// the lowest id. Nothing has happened yet.
    ///
    /// # Errors
    /// When a node's configuration cannot work.
    pub fn new(scenario: &'a Scenario, seed: u64) -> Result<Self, Error> {
        Self::with(scenario, seed, Registry::builtin(), None)
    }

    /// Prepares a run with the policies of `registry` and the listing server at the node that the topology calls so.
    ///
    /// # Errors
    /// When there is no such node, or a node's configuration cannot work.
    pub fn with(
        scenario: &'a Scenario,
        seed: u64,
        registry: Registry,
        listing_at: Option<&str>,
    ) -> Result<Self, Error> {
        let failed = |error: bellini_sim::SimError| Error::Settings(error.to_string());
        let mut world = World::new(scenario, Seed(seed)).map_err(failed)?;
        world.allow_streams();
        let executor = Executor::new();
        let topology = Arc::new(Scenario { conferences: Vec::new(), ..scenario.clone() });
        let nodes = scenario.nodes.iter().zip(&world.nodes).map(|(node, process)| {
            let driver = Arc::new(Ticker::default());
            driver.now.store(process.clock.local(world.now).as_nanos(), Ordering::Relaxed);
            let shared = Arc::new(Shared::new(
                (node.id, node.name.clone(), Incarnation(process.incarnation)),
                Arc::clone(&topology),
                registry.clone(),
                Box::new(Arc::clone(&driver)),
                Arc::clone(executor.ready()),
            ));
            SimulatedNode { shared, driver }
        });
        let nodes: Vec<SimulatedNode> = nodes.collect();
        let first =
            nodes.first().ok_or_else(|| Error::Settings("a topology has at least one node".to_owned()))?;
        let at = match listing_at {
            None => first.shared.id,
            Some(name) => Node { shared: Arc::clone(&first.shared) }.named(name)?,
        };
        let post = Post::new(scenario, at);
        let planning = scenario.planner.time;
        Ok(Self { scenario, world, executor, seed: Seed(seed), nodes, post, programs: Vec::new(), planning })
    }

    /// Starts a program at the node that the topology calls so.
    ///
    /// # Errors
    /// When there is no such node.
    pub fn spawn<F>(&mut self, node: &str, program: impl FnOnce(Node) -> F) -> Result<(), Error>
    where
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        let node = self.node(node)?;
        let name = node.name().to_owned();
        let ended = self.executor.ready().spawn(program(node));
        self.programs.push((name, Some(ended)));
        Ok(())
    }

    /// Returns the node that the topology calls so.
    ///
    /// # Errors
    /// When there is none.
    pub fn node(&self, name: &str) -> Result<Node, Error> {
        let first = Node { shared: Arc::clone(&self.nodes[0].shared) };
        let index = self.world.index_of(first.named(name)?);
        Ok(Node { shared: Arc::clone(&self.nodes[index as usize].shared) })
    }

    /// Lets time pass until every program has ended, or until `until` at most. It may be called again with a later time.
    ///
    /// # Errors
    /// The first error that a program ends with; when programs wait for nothing; or when packets do not add up, which is
    /// a bug of Bellini's.
    pub fn run(&mut self, until: Instant) -> Result<(), Error> {
        loop {
            self.settle()?;
            if self.take_ended()? {
                break;
            }
            let own = self.next_of_programs();
            let of_world = self.world.network.agenda.peek_time();
            let next = [own, of_world].into_iter().flatten().min();
            if next.is_none_or(|at| at > until) {
                self.set_time(until);
                break;
            }
            // What the network does at an instant comes before what programs do at it.
            if of_world.is_some() && of_world <= own.or(of_world) {
                self.world.step(until);
            } else if let Some(at) = own {
                self.world.now = self.world.now.max(at);
            }
            self.set_time(self.world.now);
            self.fire();
        }
        self.world.check_ledger().map_err(|error| Error::Other(error.to_string()))
    }

    /// Whether every program has ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.programs.iter().all(|(_, ended)| ended.is_none())
    }

    /// Returns at which nodes programs have not ended.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> Vec<&str> {
        let waiting = self.programs.iter().filter(|(_, ended)| ended.is_some());
        waiting.map(|(node, _)| node.as_str()).collect()
    }

    /// Returns the true time.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.world.now
    }

    /// Returns a hash over what every node and link did: the same for the same run.
    #[must_use]
    pub fn digest(&self) -> String {
        self.world.digest()
    }

    /// Cuts the link from one node to another, or heals it; the link back is another one.
    ///
    /// # Errors
    /// When there is no such node or link.
    pub fn set_link(&mut self, from: &str, to: &str, is_up: bool) -> Result<(), Error> {
        let ends = (self.node(from)?.id(), self.node(to)?.id());
        let found = (0..).zip(&self.scenario.links).find(|(_, link)| (link.from, link.to) == ends);
        let (index, _) = found.ok_or_else(|| Error::other(format!("no link leads from {from} to {to}")))?;
        match is_up {
            true => self.world.network.heal(self.world.now, index),
            false => self.world.network.cut(self.world.now, index),
        }
        Ok(())
    }

    /// Lets everything happen that happens now.
    fn settle(&mut self) -> Result<(), Error> {
        let mut polls = 0;
        loop {
            let ran = self.executor.run_ready(POLLS_MAX);
            polls += ran;
            if polls >= POLLS_MAX {
                return Err(Error::Stuck { at: self.world.now.to_string(), polls });
            }
            let mut is_quiet = ran == 0;
            for index in 0..self.nodes.len() {
                let node = &self.nodes[index];
                if node.driver.is_rung.swap(false, Ordering::Relaxed) {
                    is_quiet = false;
                    self.serve(index as u32);
                }
            }
            is_quiet &= !self.hear();
            if is_quiet {
                return Ok(());
            }
        }
    }

    /// Does what programs at a node want done.
    fn serve(&mut self, index: u32) {
        let shared = Arc::clone(&self.nodes[index as usize].shared);
        while shared.turn(&mut House { world: &mut self.world, index }) {}
        let mut agent = shared.lock();
        let links = &self.world.network.links;
        let is_up = |link: u32| links[link as usize].model.is_up();
        while let Some(letter) = agent.poll_letter() {
            self.post.send(self.world.now, shared.id, letter, &is_up);
        }
        if let Some(since) = agent.poll_watch() {
            self.post.watch(self.world.now, shared.id, since, &is_up);
        }
        while let Some(job) = agent.poll_job() {
            self.post.put(self.world.now + self.planning, Mail::Job(shared.id, job));
        }
    }

    /// Tells programs what nodes have said; whether they have said something.
    fn hear(&mut self) -> bool {
        let mut heard = Vec::new();
        while let Some((index, event)) = self.world.events.pop_front() {
            self.nodes[index as usize].shared.event(&event);
            if heard.last() != Some(&index) {
                heard.push(index);
            }
        }
        for index in &heard {
            let node = &self.nodes[*index as usize];
            let process = &self.world.nodes[*index as usize];
            if let Some(core) = &process.process {
                node.shared.drained(process.clock.local(self.world.now), core, self.seed);
            }
        }
        !heard.is_empty()
    }

    /// Does what is due by time.
    fn fire(&mut self) {
        let now = self.world.now;
        for node in &self.nodes {
            let local = node.driver.now();
            if node.shared.lock().poll_timeout().is_some_and(|at| at <= local) {
                node.shared.timeout(local);
            }
            if node.shared.wants_room() {
                node.driver.ring_node();
            }
        }
        loop {
            let links = &self.world.network.links;
            let Some(mail) = self.post.poll(now, &|link| links[link as usize].model.is_up()) else { break };
            match mail {
                Mail::Answer(to, waits, answer) => {
                    let shared = self.shared(to);
                    let local = shared.driver.now();
                    match waits {
                        Some(waits) => shared.answered(local, waits, answer),
                        None => _ = shared.watched(local, answer),
                    }
                }
                Mail::Job(at, job) => self.shared(at).work(job),
                Mail::Request(..) | Mail::Watch(..) | Mail::Patience(..) => {}
            }
        }
    }

    fn shared(&self, id: NodeId) -> Arc<Shared> {
        Arc::clone(&self.nodes[self.world.index_of(id) as usize].shared)
    }

    /// Returns when something is due that is not the network's, in true time.
    fn next_of_programs(&self) -> Option<Instant> {
        let timers = self.nodes.iter().zip(&self.world.nodes).filter_map(|(node, process)| {
            let at = node.shared.lock().poll_timeout()?;
            Some(process.clock.true_time(at).max(self.world.now))
        });
        timers.chain(self.post.next()).min()
    }

    fn set_time(&mut self, at: Instant) {
        self.world.now = self.world.now.max(at);
        for (node, process) in self.nodes.iter().zip(&self.world.nodes) {
            node.driver.now.store(process.clock.local(self.world.now).as_nanos(), Ordering::Relaxed);
        }
    }

    /// Looks which programs have ended; whether all have.
    fn take_ended(&mut self) -> Result<bool, Error> {
        for (node, program) in &mut self.programs {
            let Some(answer) = program else { continue };
            let polled = Pin::new(answer).poll(&mut Context::from_waker(Waker::noop()));
            let Poll::Ready(ended) = polled else { continue };
            *program = None;
            if let Err(error) = ended.and_then(|ended| ended) {
                return Err(Error::Program { node: node.clone(), error: Box::new(error) });
            }
        }
        Ok(self.has_ended())
    }
}

impl Drop for Simulation<'_> {
    fn drop(&mut self) {
        for node in &self.nodes {
            node.shared.stop(Error::Stopped("the simulation is over".to_owned()));
        }
    }
}

/// A node of the world, as programs may use it.
struct House<'w, 'a> {
    world: &'w mut World<'a>,
    index: u32,
}

impl Housing for House<'_, '_> {
    fn now(&self) -> Instant {
        self.world.nodes[self.index as usize].clock.local(self.world.now)
    }

    fn node(&self) -> &bellini_core::Node {
        let process = self.world.nodes[self.index as usize].process.as_ref();
        process.expect("nothing crashes nodes of a simulation of programs")
    }

    fn command(&mut self, command: Command) -> Result<(), CommandError> {
        self.world.give(self.index, command)
    }

    /// Everybody knows where everybody is: there are no addresses.
    fn peers(&mut self, _: &BTreeMap<NodeId, Addresses>) -> Result<(), String> {
        Ok(())
    }

    /// Nodes of the simulator end with it.
    fn stop(&mut self) {}
}
