//! Programs at a live node, in a process of their own.
//!
//! Beside the node's thread there are four: one for time, one for requests to the listing server, one that waits for its
//! changes, one for policies. All of them wait without looking. Policies decide outside the lock that these threads share with
//! the node's, which takes it for a moment whenever its core was drained.

use super::agent::{Driver, Shared};
use super::error::Refusal;
use super::executor::Executor;
use super::slot::lock;
use super::{Error, Node};
use bellini_core::ids::{Incarnation, NodeId};
use bellini_core::io::Event;
use bellini_core::listing::ListingRequest;
use bellini_core::rng::Seed;
use bellini_core::time::Instant;
use bellini_live::console::{Addresses, NodeSettings, Origin};
use bellini_live::lab::node_config;
use bellini_live::listing::{CancelRequest, ListingClient, ListingClientError};
use bellini_live::node::{Bell, ClockId, Embedded, Housing, NodeClock, NodeError, Resident, read_ns};
use bellini_live::seal::SealSettings;
use bellini_scenarios::model::Scenario;
use bellini_scenarios::registry::Registry;
use std::collections::BTreeMap;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// How long the listing server has to take a connection, a request and to answer.
const LISTING_PATIENCE: Duration = Duration::from_secs(5);
/// From a failed watch to the next one.
const WATCH_AGAIN: Duration = Duration::from_millis(500);
/// How long the farewell to the listing server may take when a node stops.
const FAREWELL: Duration = Duration::from_secs(1);

/// How often it asks sources for their time, so that delays between hosts are right.
const CLOCK_PROBES: bellini_core::time::Duration = bellini_core::time::Duration::from_secs(1);

/// Where a live node is, and whom it asks.
#[derive(Clone, Debug)]
pub struct LiveOptions {
    /// The listing server, as `http://ADDRESS:PORT`.
    pub listing: String,
    /// Where other nodes are, as far as that is known beforehand; members of conferences say where they are themselves.
    pub addresses: BTreeMap<NodeId, Addresses>,
    /// The address that the node's sockets are bound to. Anything but loopback needs keys, or `plaintext`.
    pub bind: IpAddr,
    /// UDP of datagram hops and TCP of stream hops; 0: any.
    pub port: u16,
    /// UDP of control hops; 0: any.
    pub control_port: u16,
    /// What it tells others of where it is, where that is not the bound address.
    pub advertise: Option<IpAddr>,
    /// Keys by which its hops are sealed.
    pub seal: Option<SealSettings>,
    /// Says that hops outside loopback are to be plain.
    pub plaintext: bool,
    /// Where all inputs of its core are recorded, for `bellini replay`.
    pub record: Option<PathBuf>,
    /// Which start of the node it is, higher at each; `None`: the seconds since 1970, one more where this process
    /// starts the node again within a second.
    pub incarnation: Option<u32>,
    /// Root seed of its random draws.
    pub seed: u64,
    /// The policies that sessions can name.
    pub registry: Registry,
}

impl LiveOptions {
    /// Returns options with every default: on loopback at any port, with the built-in policies.
    #[must_use]
    pub fn new(listing: &str) -> Self {
        Self {
            listing: listing.to_owned(),
            addresses: BTreeMap::new(),
            bind: Ipv4Addr::LOCALHOST.into(),
            port: 0,
            control_port: 0,
            advertise: None,
            seal: None,
            plaintext: false,
            record: None,
            incarnation: None,
            seed: 1,
            registry: Registry::builtin(),
        }
    }
}

/// A live node in this process. Dropped, it stops: it ends its sessions, leaves its conferences, sends what
/// its queues hold, and ends its threads. What programs have sent and the node has not yet taken is lost.
pub struct Live {
    shared: Arc<Shared>,
    executor: Executor,
    embedded: Option<Embedded>,
    threads: Vec<JoinHandle<()>>,
    cancels: [Arc<CancelRequest>; 2],
}

/// What a thread does.
type Body = Box<dyn FnOnce() + Send>;

/// The node's time, and its bell.
struct LiveDriver {
    clock: Mutex<NodeClock>,
    bell: Bell,
}

impl Driver for LiveDriver {
    fn now(&self) -> Instant {
        lock(&self.clock).now()
    }

    fn ring_node(&self) {
        self.bell.ring();
    }
}

/// The program's part that lives on the node's thread.
struct Inmate(Arc<Shared>);

/// Tells programs that the node has stopped, also when a thread of it ends by a panic: nobody would answer them.
struct StopsWithThread(Arc<Shared>);

impl Drop for StopsWithThread {
    fn drop(&mut self) {
        self.0.stop(Error::Stopped("one of its threads has ended".to_owned()));
    }
}

impl Resident for Inmate {
    fn turn(&mut self, node: &mut dyn Housing) -> bool {
        self.0.turn(node)
    }

    fn event(&mut self, _: Instant, event: &Event) {
        self.0.event(event);
    }

    fn drained(&mut self, now: Instant, node: &bellini_core::Node, seed: Seed) {
        self.0.drained(now, node, seed);
    }
}

impl Live {
    /// Starts the node of `topology` that it calls so, in threads of this process. Policies see the topology's own figures,
    /// less nodes whose addresses nobody has told.
    ///
    /// # Errors
    /// When the topology has no such node, the options cannot work, or an address or a port cannot be had.
    pub fn start(topology: &Scenario, node: &str, options: &LiveOptions) -> Result<Self, Error> {
        let client: ListingClient = options.listing.parse().map_err(Error::Settings)?;
        let names = || topology.nodes.iter().map(|node| node.name.as_str()).collect::<Vec<_>>().join(", ");
        let spec = topology.nodes.iter().find(|spec| spec.name == node);
        let spec = spec.ok_or_else(|| Error::NoNode { name: node.to_owned(), known: names() })?;
        let seconds = (read_ns(ClockId::CLOCK_REALTIME) / 1_000_000_000).clamp(1, i64::from(u32::MAX)) as u32;
        let incarnation =
            Incarnation(options.incarnation.unwrap_or_else(|| next_incarnation(spec.id, seconds)));
        let mut config = node_config(topology, spec, Some(CLOCK_PROBES));
        config.incarnation = incarnation;
        let settings = NodeSettings {
            bind: options.bind,
            port: options.port,
            control_port: options.control_port,
            advertise: options.advertise,
            peers: options.addresses.clone(),
            seal: options.seal.clone(),
            plaintext: options.plaintext,
            record: options.record.clone(),
            ..NodeSettings::new(config, options.seed, Origin::today())
        };
        let bell = Bell::default();
        let driver = LiveDriver { clock: Mutex::new(NodeClock::start(&settings)), bell: bell.clone() };
        let executor = Executor::new();
        let shared = Arc::new(Shared::new(
            (spec.id, spec.name.clone(), incarnation),
            Arc::new(Scenario { conferences: Vec::new(), ..topology.clone() }),
            options.registry.clone(),
            Box::new(driver),
            Arc::clone(executor.ready()),
        ));
        {
            let mut agent = shared.lock();
            agent.reach_only_known();
            if !options.addresses.is_empty() {
                agent.meet(&shared, options.addresses.clone());
            }
        }
        let of_node = StopsWithThread(Arc::clone(&shared));
        let ended = move |result: Result<(), NodeError>| {
            let why = result.map_or_else(|error| error.to_string(), |()| "it was told to".to_owned());
            of_node.0.stop(Error::Stopped(why));
        };
        let inmate = Box::new(Inmate(Arc::clone(&shared)));
        let embedded = Embedded::start(settings, inmate, &bell, ended).map_err(|error| match error {
            NodeError::Settings(error) => Error::Settings(error.to_string()),
            error => Error::Environment(error.to_string()),
        })?;
        shared.lock().addresses = Some(embedded.addresses());
        let mut live = Self {
            shared,
            executor,
            embedded: Some(embedded),
            threads: Vec::new(),
            cancels: [Arc::default(), Arc::default()],
        };
        live.begin(client)?;
        Ok(live)
    }

    fn begin(&mut self, client: ListingClient) -> Result<(), Error> {
        let cancel = self.cancels.clone();
        let [requests, watch] = cancel;
        let shared = || Arc::clone(&self.shared);
        let (time, letters, watcher, policies) = (shared(), shared(), shared(), shared());
        let patient = client.patient(LISTING_PATIENCE);
        let bodies: [(&str, Body); 4] = [
            ("api-time", Box::new(move || keep_time(&time))),
            ("api-listing", Box::new(move || send_letters(&letters, &patient, &requests))),
            ("api-watch", Box::new(move || watch_listing(&watcher, &client, &watch))),
            ("api-policies", Box::new(move || decide(&policies))),
        ];
        for (name, body) in bodies {
            let guard = StopsWithThread(shared());
            let body = move || {
                let _guard = guard;
                body();
            };
            let thread = Builder::new().name(name.to_owned()).spawn(body);
            let thread = thread.map_err(|error| Error::Environment(format!("a thread: {error}")))?;
            self.threads.push(thread);
        }
        Ok(())
    }

    /// Returns the node, for programs that are run elsewhere.
    #[must_use]
    pub fn node(&self) -> Node {
        Node { shared: Arc::clone(&self.shared) }
    }

    /// Returns where other nodes reach it.
    #[must_use]
    pub fn addresses(&self) -> Option<Addresses> {
        self.embedded.as_ref().map(Embedded::addresses)
    }

    /// Runs a program on this thread until it ends.
    ///
    /// # Errors
    /// What the program ends with.
    pub fn run<T, F>(&mut self, program: impl FnOnce(Node) -> F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let ended = self.executor.ready().spawn(program(self.node()));
        self.executor.block_on(ended)?
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.say_farewell();
        let mut agent = self.shared.lock();
        if agent.check().is_ok() {
            agent.push_order(super::agent::Order::Stop);
            drop(agent);
            self.shared.ring();
        } else {
            drop(agent);
        }
        if let Some(embedded) = self.embedded.take() {
            embedded.join();
        }
        self.shared.stop(Error::Stopped("it was dropped".to_owned()));
        self.cancels.iter().for_each(|cancel| cancel.cancel());
        for thread in self.threads.drain(..) {
            // A panic there was reported there.
            let _ = thread.join();
        }
    }
}

impl Live {
    /// Leaves all conferences, and gives the listing server a moment to hear of it.
    fn say_farewell(&self) {
        let mut agent = self.shared.lock();
        let open = agent.conferences.iter().filter(|(_, membership)| !membership.is_over);
        let open: Vec<_> = open.map(|(id, _)| *id).collect();
        for conference in open {
            agent.leave(conference);
            for session in agent.own_sessions(conference) {
                agent.push_letter(ListingRequest::EndSession { conference, session });
            }
            agent.push_letter(ListingRequest::Leave {
                conference,
                node: self.shared.id,
                incarnation: self.shared.incarnation,
            });
        }
        drop(agent);
        self.shared.ring();
        let end = std::time::Instant::now() + FAREWELL;
        let mut agent = self.shared.lock();
        while agent.has_letters() && agent.check().is_ok() {
            let left = end.saturating_duration_since(std::time::Instant::now());
            if left.is_zero() {
                return;
            }
            agent = self.shared.wait(agent, Some(left));
        }
    }
}

/// Returns the seconds, or more where this process has started the node within the same second before.
fn next_incarnation(node: NodeId, seconds: u32) -> u32 {
    static LAST: Mutex<BTreeMap<NodeId, u32>> = Mutex::new(BTreeMap::new());
    let mut last = lock(&LAST);
    let last = last.entry(node).or_default();
    *last = seconds.max(last.saturating_add(1));
    *last
}

/// Does what is due by time.
fn keep_time(shared: &Shared) {
    let mut agent = shared.lock();
    while agent.check().is_ok() {
        let now = shared.driver.now();
        match agent.poll_timeout() {
            Some(at) if at <= now => {
                drop(agent);
                shared.timeout(now);
                agent = shared.lock();
            }
            next => {
                let left = next.map(|at| Duration::from_nanos(at.saturating_since(now).as_nanos()));
                agent = shared.wait(agent, left);
            }
        }
    }
}

/// Sends letters to the listing server, one after the other.
fn send_letters(shared: &Shared, client: &ListingClient, cancel: &CancelRequest) {
    let mut agent = shared.lock();
    while agent.check().is_ok() {
        let Some(letter) = agent.poll_letter() else {
            agent = shared.wait(agent, None);
            continue;
        };
        agent.is_writing = true;
        drop(agent);
        let answer = client.request(&letter.request, Some(cancel)).map_err(refused);
        shared.answered(shared.driver.now(), letter.to, answer);
        agent = shared.lock();
        agent.is_writing = false;
        shared.ring();
    }
}

/// Waits for changes of what is listed.
fn watch_listing(shared: &Shared, client: &ListingClient, cancel: &CancelRequest) {
    let mut agent = shared.lock();
    while agent.check().is_ok() {
        let Some(since) = agent.poll_watch() else {
            agent = shared.wait(agent, None);
            continue;
        };
        drop(agent);
        let answer = client.request(&ListingRequest::Changes { since }, Some(cancel)).map_err(refused);
        let has_failed = !shared.watched(shared.driver.now(), answer);
        agent = shared.lock();
        if has_failed {
            let end = std::time::Instant::now() + WATCH_AGAIN;
            while agent.check().is_ok() {
                let left = end.saturating_duration_since(std::time::Instant::now());
                if left.is_zero() {
                    break;
                }
                agent = shared.wait(agent, Some(left));
            }
        }
    }
}

/// Has policies decide.
fn decide(shared: &Shared) {
    let mut agent = shared.lock();
    while agent.check().is_ok() {
        match agent.poll_job() {
            Some(job) => {
                drop(agent);
                shared.work(job);
                agent = shared.lock();
            }
            None => agent = shared.wait(agent, None),
        }
    }
}

fn refused(error: ListingClientError) -> Error {
    match error {
        ListingClientError::Refused { status, error } => Error::Refused {
            refusal: match status {
                404 => Refusal::NotThere,
                409 => Refusal::Conflict,
                422 => Refusal::Full,
                400..500 => Refusal::Wrong,
                _ => return Error::Listing(format!("the listing server failed ({status}): {error}")),
            },
            text: error,
        },
        error => Error::Listing(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Aim: two starts of a node within a second are told apart, and other nodes keep to the time.
    #[test]
    fn starts_in_a_second_differ() {
        let node = |id| NodeId::try_from(id).expect("a legal id");
        let starts = [(1, 100), (1, 100), (2, 100), (1, 101), (1, 200)];
        let given = starts.map(|(id, seconds)| next_incarnation(node(id), seconds));
        assert_eq!(given, [100, 101, 100, 102, 200]);
    }
}
