//! TCP as cross traffic of a lab: the kernel's own connections from node to node, over the emulated links.
//!
//! Sockets are made in the namespaces of the two ends and belong to the lab's process, not to the nodes': others'
//! traffic goes on when a node of ours dies. One thread writes to all of them as much as they take and empties all
//! sinks. Which connection is which the sink tells by the sender's port.

mod engine;

use super::error::LabError;
use super::netns::Namespace;
use super::pace::Clock;
use super::plan::CROSS_PORT;
use super::tun::ipv4;
use crate::net::{TcpSetupError, retransmitted_segments, set_congestion, try_congestion};
use bellini_core::time::Instant;
use bellini_scenarios::conduct::CrossFlowFigures;
use bellini_scenarios::model::{CrossFlow, Scenario, TcpRecovery};
use engine::Engine;
use nix::sys::eventfd::{EfdFlags, EventFd};
use socket2::{Domain, Socket, Type};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddrV4;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// Ports of the senders: this one for the first connection, and so on.
const SENDER_PORTS: u16 = 20_000;
/// Connections that may wait to be accepted; all of a scenario may come at once.
const BACKLOG: i32 = 256;
/// Bytes that a sender's kernel may hold unsent. It only has to outlast the time until the thread writes again; what
/// it holds at the stop is never sent.
const UNSENT_MAX: u32 = 256 * 1_024;
/// Bytes of IP and TCP headers without options.
const HEADER_BYTES: u32 = 40;

/// What the thread and whoever reads figures know of one connection.
#[derive(Debug, Default)]
struct FlowState {
    /// The sender's socket, from its making until its stop.
    sender: Mutex<Option<Socket>>,
    delivered_bytes: AtomicU64,
    /// Of a sender that has stopped.
    retransmitted: AtomicU64,
    /// What went wrong first.
    problem: Mutex<Option<String>>,
}

impl FlowState {
    fn sender(&self) -> MutexGuard<'_, Option<Socket>> {
        self.sender.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the connection at once: what its kernel still holds is not sent.
    fn stop(&self) {
        if let Some(socket) = self.sender().take() {
            self.retransmitted.store(retransmitted_segments(&socket).unwrap_or(0), Relaxed);
            // Closing with no time to linger resets the connection; when that is refused it is closed in order.
            let _ = socket.set_linger(Some(std::time::Duration::ZERO));
        }
    }

    fn fail(&self, problem: String) {
        self.stop();
        self.problem.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(problem);
    }

    fn figures(&self) -> CrossFlowFigures {
        let now = self.sender().as_ref().map(|socket| retransmitted_segments(socket).unwrap_or(0));
        CrossFlowFigures {
            delivered_bytes: self.delivered_bytes.load(Relaxed),
            retransmitted_segments: Some(now.unwrap_or_else(|| self.retransmitted.load(Relaxed))),
        }
    }
}

/// One connection as the thread deals with it.
#[derive(Clone, Copy, Debug)]
struct Route {
    flow: CrossFlow,
    to: SocketAddrV4,
}

/// The TCP connections of a scenario's cross traffic. Dropping it ends them.
#[derive(Debug)]
pub(super) struct CrossTcp {
    routes: Vec<Route>,
    names: Vec<String>,
    listeners: Option<Vec<Socket>>,
    states: Arc<[FlowState]>,
    running: Option<(Arc<EventFd>, JoinHandle<io::Result<()>>)>,
}

impl CrossTcp {
    /// Checks that the kernel has the congestion controls of a scenario, before anything is started. Whether it allows
    /// them is decided in the nodes' own namespaces.
    ///
    /// # Errors
    /// `Environment`, with those that it has; also when a connection is to recover in another way than the kernel's do.
    pub(super) fn check(scenario: &Scenario) -> Result<(), LabError> {
        check_recovery(scenario)?;
        let mut names: Vec<&str> =
            scenario.cross_flows().iter().map(|flow| flow.controller.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names.into_iter().try_for_each(check_congestion)
    }

    /// Makes the sockets of all connections in their namespaces, which are those of the scenario's nodes in order.
    /// Nothing is sent yet.
    ///
    /// # Errors
    /// `Environment` when a namespace does not allow a congestion control, or a socket is refused.
    pub(super) fn prepare(scenario: &Scenario, namespaces: &[Namespace]) -> Result<Self, LabError> {
        let environment = |error: &dyn std::fmt::Display| LabError::Environment(error.to_string());
        let index = |id| {
            scenario.nodes.binary_search_by_key(&id, |node| node.id).expect("links join known nodes") as u32
        };
        let flows = scenario.cross_flows();
        let mut listeners = BTreeMap::new();
        let (mut routes, mut names, mut states) = (Vec::new(), Vec::new(), Vec::new());
        for (number, flow) in flows.into_iter().enumerate() {
            let link = &scenario.links[flow.link];
            let (from, to) = (index(link.from), index(link.to));
            let mss = link.mtu.saturating_sub(HEADER_BYTES).max(1);
            let source = SocketAddrV4::new(ipv4(from), SENDER_PORTS + number as u16);
            let sink = SocketAddrV4::new(ipv4(to), CROSS_PORT);
            if let std::collections::btree_map::Entry::Vacant(place) = listeners.entry(to) {
                let made = namespaces[to as usize].run(move || listener(sink));
                place
                    .insert(made.map_err(|error| environment(&error))?.map_err(|error| environment(&error))?);
            }
            let made = namespaces[from as usize].run(move || sender(source, mss, flow.controller.as_str()));
            let socket = made
                .map_err(|error| environment(&error))?
                .map_err(|error| LabError::Environment(format!("cross traffic: {error}")))?;
            states.push(FlowState { sender: Mutex::new(Some(socket)), ..FlowState::default() });
            names.push(format!("cross traffic {}>{}#{}", link.from, link.to, flow.number));
            routes.push(Route { flow, to: sink });
        }
        let listeners = Some(listeners.into_values().collect());
        Ok(Self { routes, names, listeners, states: states.into(), running: None })
    }

    /// Lets the connections start and stop at their times; `zero` is scenario time zero on `clock`.
    ///
    /// # Errors
    /// `Environment` when the system has no thread or event queue left.
    pub(super) fn begin(&mut self, clock: Clock, zero: Instant) -> Result<(), LabError> {
        let Some(listeners) = self.listeners.take().filter(|_| !self.routes.is_empty()) else {
            return Ok(());
        };
        let start = || -> io::Result<_> {
            let wake = Arc::new(EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)?);
            let (routes, states) = (self.routes.clone(), Arc::clone(&self.states));
            let engine = Engine::new(clock, zero, routes, states, listeners, Arc::clone(&wake))?;
            let thread = std::thread::Builder::new().name("cross".to_owned()).spawn(move || engine.run())?;
            Ok((wake, thread))
        };
        let running = start()
            .map_err(|error| LabError::Environment(format!("cannot start the cross traffic: {error}")))?;
        self.running = Some(running);
        Ok(())
    }

    /// Returns what every connection did so far, in the order of [`Scenario::cross_flows`].
    pub(super) fn figures(&self) -> Vec<CrossFlowFigures> {
        self.states.iter().map(FlowState::figures).collect()
    }

    /// Returns what went wrong, one sentence a connection.
    pub(super) fn problems(&self) -> Vec<String> {
        let problem =
            |state: &FlowState| state.problem.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let all = self.names.iter().zip(self.states.iter());
        all.filter_map(|(name, state)| Some(format!("{name}: {}", problem(state)?))).collect()
    }
}

impl Drop for CrossTcp {
    fn drop(&mut self) {
        if let Some((wake, thread)) = self.running.take() {
            // A full counter wakes as well; a thread that has ended by itself is joined at once.
            let _ = wake.write(1);
            let _ = thread.join();
        }
        self.states.iter().for_each(FlowState::stop);
    }
}

/// Refuses connections that are to find losses by duplicate acknowledgements: a kernel can be told not to use RACK, but
/// only a whole namespace, ours in it, and it would still undo what was no loss.
fn check_recovery(scenario: &Scenario) -> Result<(), LabError> {
    let flows = scenario.cross_flows();
    let Some(flow) = flows.iter().find(|flow| flow.recovery != TcpRecovery::Rack) else { return Ok(()) };
    let link = &scenario.links[flow.link];
    Err(LabError::Environment(format!(
        "cross traffic {}>{}#{} asks for \"recovery\": \"{}\", but the kernel's TCP recovers by RACK; use \"rack\" in a lab, \
         or run the scenario in the simulator",
        link.from,
        link.to,
        flow.number,
        flow.recovery.as_str()
    )))
}

/// Whether the kernel knows a congestion control; a refusal of rights is left to the namespaces, where the lab has
/// more of them.
pub(super) fn check_congestion(name: &str) -> Result<(), LabError> {
    match try_congestion(name) {
        Err(TcpSetupError::Congestion { cause, .. }) if cause.kind() != io::ErrorKind::NotFound => Ok(()),
        tried => tried.map_err(|error| LabError::Environment(error.to_string())),
    }
}

/// Makes a sink's listening socket in the calling thread's namespace.
fn listener(address: SocketAddrV4) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket)
}

/// Makes a sender's socket in the calling thread's namespace; `mss`: most bytes of a segment, options included, that
/// the link's MTU leaves room for.
fn sender(address: SocketAddrV4, mss: u32, controller: &str) -> Result<Socket, TcpSetupError> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    set_congestion(&socket, controller)?;
    socket.set_tcp_mss(mss)?;
    socket.set_tcp_notsent_lowat(UNSENT_MAX)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bellini_scenarios::parse::{LoadOptions, parse_str};

    /// Aim: what the kernel cannot do is refused before anything starts, with the connection and what would do.
    #[test]
    fn recovery_by_duplicates_is_refused() {
        let scenario = |recovery: &str| {
            let text = format!(
                r#"{{"bellini": 1, "name": "crossed", "duration": "1 s", "nodes": [{{"id": 1}}, {{"id": 2}}],
                "links": [{{"between": [1, 2], "delay": "5 ms"}}],
                "cross_traffic": [{{"from": 1, "to": 2, "pattern": "tcp", "controller": "reno", "recovery": "{recovery}"}}],
                "conferences": [{{"id": 1, "sessions": [{{"id": 1, "source": 1, "destinations": [2], "routing": "direct",
                "content": {{"kind": "constant", "rate": "480 kbit/s"}}}}]}}]}}"#
            );
            parse_str("crossed.json", &text, &LoadOptions::default()).expect("it is right").scenario
        };
        let told = CrossTcp::check(&scenario("dupack")).expect_err("no kernel does").to_string();
        assert!(told.contains("1>2#1") && told.contains("RACK") && told.contains("\"rack\""), "{told}");
        assert!(check_recovery(&scenario("rack")).is_ok());
    }
}
