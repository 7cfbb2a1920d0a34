//! The kernel's own shaper between the nodes: an emulator that shares nothing with the simulator.
//!
//! A router namespace stands between the nodes. Each pair of nodes that has links gets two veth pairs, one from each
//! node to the router, and each direction's rate and queue are a token bucket (`tc tbf`) where the router sends to the
//! destination. It is not at the sending node: there, the kernel would tell its own sockets of a full queue, which no
//! wide-area network does. Nodes have the same addresses as with the emulator.
//!
//! A token bucket lets a packet go when its transmission would begin, a link delivers it when it ends: packets come
//! one transmission time earlier than in the model (`size / rate`), and after a pause small ones may come together, up
//! to one MTU. Queues hold the same bytes: those that wait, without the one being sent.

mod possible;
mod tools;

use super::netns::{Namespace, NetnsError};
use super::tun::ipv4;
use super::wan::{Wan, WanError};
use bellini_core::time::Duration;
use bellini_core::units::BitRate;
use bellini_scenarios::conduct::{Degrade, LinkFigures};
use bellini_scenarios::model::{Link, Rate, Scenario};
use std::fmt::Write as _;
use thiserror::Error;
use tools::{Counted, Tool};

/// Why the kernel's shaper cannot stand between the nodes.
#[derive(Debug, Error)]
pub enum ShaperError {
    /// The scenario asks for more than a token bucket.
    #[error("the kernel's shaper cannot play this scenario: {}", .0.join("; "))]
    Impossible(Vec<String>),
    /// A program of iproute2 is not there.
    #[error("{0} is not installed: the kernel's shaper is set up by iproute2 (apt-get install iproute2)")]
    Missing(&'static str),
    /// A program of iproute2 refused something.
    #[error("{tool}: {problem}")]
    Refused {
        /// Which program.
        tool: &'static str,
        /// What it said.
        problem: String,
    },
    /// No namespace, or nothing to be done in it.
    #[error(transparent)]
    Netns(#[from] NetnsError),
}

/// Bytes by which a bucket is larger than the largest packet.
const BURST_ROUNDING: u32 = 16;
/// Packets that may wait where the rate is not limited, and hence none does.
const UNLIMITED_PACKETS: u32 = 1_000_000;

/// One direction between two nodes.
#[derive(Debug)]
struct Direction {
    /// The router's interface towards the destination.
    interface: String,
    rate: Option<BitRate>,
    queue_bytes: u64,
    mtu: u32,
    /// Its ends, as indices of nodes.
    ends: [usize; 2],
    is_cut: bool,
    /// Whether the router drops everything now, because it is cut or one of its ends is down.
    is_blocked: bool,
    /// Factor on its rate.
    factor: f64,
    /// What queues that have been replaced had counted.
    past: LinkFigures,
}

/// The kernel's shaper, running. Dropping it takes the router away, and the interfaces with it.
#[derive(Debug)]
pub struct KernelWan {
    router: Namespace,
    directions: Vec<Direction>,
    is_down: Vec<bool>,
}

impl KernelWan {
    /// Checks that the shaper can play a scenario and that this machine has it: iproute2, and a kernel with token
    /// buckets. Tries one in a namespace, and leaves nothing.
    ///
    /// # Errors
    /// `Impossible` with everything of the scenario that it cannot play, others when the machine lacks something.
    pub fn check(scenario: &Scenario) -> Result<(), ShaperError> {
        possible::check(scenario)?;
        let trial = Namespace::new("a trial of the shaper")?;
        tools::batch(&trial, Tool::Ip, "link add a0 type veth peer name b0\n".to_owned())?;
        let bucket = "qdisc add dev a0 root tbf rate 1mbit burst 1600 limit 3000\n";
        tools::batch(&trial, Tool::Tc, bucket.to_owned())
    }

    /// Joins namespaces as the scenario's links do, all of them up; `namespaces` are those of the nodes, in order, and
    /// get the addresses that nodes have ([`ipv4`]).
    ///
    /// # Errors
    /// When the scenario asks for what the shaper cannot do, iproute2 is missing, or it refuses.
    pub fn start(scenario: &Scenario, namespaces: &[Namespace]) -> Result<Self, ShaperError> {
        possible::check(scenario)?;
        let router = Namespace::new("the router")?;
        router.run(|| std::fs::write("/proc/sys/net/ipv4/ip_forward", "1"))?.map_err(file_error)?;
        // A strict filter would take the way back by another interface for a forged address.
        for interface in ["all", "default"] {
            let file = format!("/proc/sys/net/ipv4/conf/{interface}/rp_filter");
            router.run(move || std::fs::write(file, "0"))?.map_err(file_error)?;
        }
        for namespace in namespaces.iter().chain([&router]) {
            // Nodes talk IPv4 here; with IPv6 the kernels would talk to each other over the links, unasked. A kernel
            // without it has no such file.
            let quiet = || std::fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
            let _ = namespace.run(quiet)?;
        }
        for (namespace, node) in namespaces.iter().zip(0..) {
            tools::batch(namespace, Tool::Ip, format!("addr add {}/32 dev lo\n", ipv4(node)))?;
        }
        let index = |link: &Link| {
            [link.from, link.to].map(|id| {
                scenario.nodes.binary_search_by_key(&id, |node| node.id).expect("links join known nodes")
            })
        };
        let mut wan = Self { router, directions: Vec::new(), is_down: vec![false; scenario.nodes.len()] };
        let mut joined: Vec<[usize; 2]> = Vec::new();
        for link in &scenario.links {
            let ends = index(link);
            let pair = [ends[0].min(ends[1]), ends[0].max(ends[1])];
            let number = match joined.iter().position(|known| *known == pair) {
                Some(number) => number,
                None => {
                    joined.push(pair);
                    wan.join(joined.len() - 1, pair, link.mtu, namespaces)?;
                    joined.len() - 1
                }
            };
            let direction = Direction {
                interface: side(number, usize::from(ends[1] == pair[1])),
                rate: if let Rate::Constant(rate) = link.rate { Some(rate) } else { None },
                queue_bytes: link.queue.bytes,
                mtu: link.mtu,
                ends,
                is_cut: false,
                is_blocked: false,
                factor: 1.0,
                past: LinkFigures::default(),
            };
            tools::batch(&wan.router, Tool::Tc, direction.queue_line())?;
            wan.directions.push(direction);
        }
        Ok(wan)
    }

    /// Makes the veth pairs between a pair of nodes and the router, and the routes through it.
    fn join(
        &mut self,
        number: usize,
        pair: [usize; 2],
        mtu: u32,
        namespaces: &[Namespace],
    ) -> Result<(), ShaperError> {
        // Neighbours are stated, not asked for: requests would take up the links.
        let address =
            |s: usize, end: u8| format!("02:77:{:02x}:{:02x}:{s:02x}:{end:02x}", number >> 8, number & 255);
        let far = format!("wan{number}");
        let mut at_router = String::new();
        for s in [0, 1] {
            let near = side(number, s);
            let (thread, table) = (namespaces[pair[s]].thread(), 1_000 + 2 * number + s);
            let other = side(number, 1 - s);
            let own = ipv4(pair[s] as u32);
            let (mac_near, mac_far) = (address(s, 0), address(s, 1));
            // Whatever a node hands over as one large packet is cut before the router's queues see it.
            let _ = write!(
                at_router,
                "link add {near} mtu {mtu} address {mac_near} type veth peer name {far} mtu {mtu} address {mac_far} \
                 netns {thread}\nlink set {near} up\n\
                 neigh add {own} lladdr {mac_far} dev {near} nud permanent\n\
                 rule add iif {other} lookup {table}\nroute add {own}/32 dev {near} table {table}\n",
            );
        }
        tools::batch(&self.router, Tool::Ip, at_router)?;
        for s in [0, 1] {
            let (own, peer) = (ipv4(pair[s] as u32), ipv4(pair[1 - s] as u32));
            let at_node = format!(
                "link set {far} gso_max_segs 1 up\nroute add {peer}/32 dev {far} src {own}\n\
                 neigh add {peer} lladdr {} dev {far} nud permanent\n",
                address(s, 0)
            );
            tools::batch(&namespaces[pair[s]], Tool::Ip, at_node)?;
        }
        Ok(())
    }

    fn direction(&mut self, link: u32) -> Result<&mut Direction, WanError> {
        self.directions.get_mut(link as usize).ok_or(WanError::NoLink(link))
    }

    /// Puts the queue of a direction in place that its state asks for.
    fn settle(&mut self, link: u32) -> Result<(), WanError> {
        let direction = &self.directions[link as usize];
        let blocked = direction.is_cut || direction.ends.iter().any(|end| self.is_down[*end]);
        if blocked != direction.is_blocked {
            // A queue that is replaced loses what waits in it, and its counters.
            let counted = self.counted(link)?;
            let direction = &mut self.directions[link as usize];
            direction.past = direction.figures(&counted);
            if !direction.is_blocked && counted.waiting_packets > 0 {
                *direction.past.dropped_other.entry("cut".to_owned()).or_default() += counted.waiting_packets;
            }
            direction.past.queue_bytes = 0;
            direction.is_blocked = blocked;
        }
        let line = self.directions[link as usize].queue_line();
        tools::batch(&self.router, Tool::Tc, line).map_err(|error| WanError::Impossible(error.to_string()))
    }

    fn counted(&self, link: u32) -> Result<Counted, WanError> {
        let interface = &self.directions[link as usize].interface;
        let all = tools::counted(&self.router).map_err(|error| WanError::Impossible(error.to_string()))?;
        all.into_iter()
            .find(|counted| counted.interface == *interface)
            .ok_or_else(|| WanError::Ended(format!("{interface} is gone")))
    }

    fn settle_node(&mut self, node: u32, is_down: bool) -> Result<(), WanError> {
        *self.is_down.get_mut(node as usize).ok_or(WanError::NoNode(node))? = is_down;
        let touches = |direction: &Direction| direction.ends.contains(&(node as usize));
        let links: Vec<u32> =
            (0..).zip(&self.directions).filter(|(_, direction)| touches(direction)).map(|(i, _)| i).collect();
        links.into_iter().try_for_each(|link| self.settle(link))
    }
}

impl Direction {
    /// Returns the line for `tc` that makes its queue what it should be; one of the same kind goes on with what it
    /// holds and has counted.
    fn queue_line(&self) -> String {
        // The link model counts IP packets, the kernel would count the Ethernet header too.
        let head = format!("qdisc replace dev {} root", self.interface);
        let bare = "stab overhead -14 linklayer ethernet";
        match self.rate {
            _ if self.is_blocked => format!("{head} handle 2: bfifo limit 1\n"),
            Some(rate) => format!(
                "{head} handle 1: {bare} tbf rate {}bit burst {} limit {}\n",
                (rate.as_bps() as f64 * self.factor).max(8.0) as u64,
                // tc rounds the bucket down; a packet that does not fit it would never pass.
                self.mtu + BURST_ROUNDING,
                self.queue_bytes
            ),
            None => format!("{head} handle 1: {bare} pfifo limit {UNLIMITED_PACKETS}\n"),
        }
    }

    /// Returns what its queues have counted so far.
    fn figures(&self, counted: &Counted) -> LinkFigures {
        let mut figures = self.past.clone();
        figures.sent_packets += counted.passed_packets + counted.dropped_packets + counted.waiting_packets;
        // The kernel does not say how large the dropped were: they count as packets of mean size.
        let passed = counted.passed_bytes + counted.waiting_bytes;
        let packets = counted.passed_packets + counted.waiting_packets;
        let dropped_bytes = (counted.dropped_packets * passed).checked_div(packets).unwrap_or(0);
        figures.sent_bytes += passed + dropped_bytes;
        if self.is_blocked {
            *figures.dropped_other.entry("down".to_owned()).or_default() += counted.dropped_packets;
        } else {
            figures.dropped_queue += counted.dropped_packets;
        }
        let busy = self.rate.map_or(Duration::ZERO, |rate| rate.transmit_time(counted.passed_bytes));
        figures.busy = Duration::from_nanos(figures.busy.as_nanos() + busy.as_nanos());
        figures.queue_bytes = counted.waiting_bytes;
        figures.queue_bytes_max = figures.queue_bytes_max.max(counted.waiting_bytes);
        figures
    }
}

impl Wan for KernelWan {
    fn cut(&mut self, link: u32) -> Result<(), WanError> {
        self.direction(link)?.is_cut = true;
        self.settle(link)
    }

    fn heal(&mut self, link: u32) -> Result<(), WanError> {
        let direction = self.direction(link)?;
        direction.is_cut = false;
        direction.factor = 1.0;
        self.settle(link)
    }

    fn degrade(&mut self, link: u32, degrade: Degrade) -> Result<(), WanError> {
        if degrade.extra_delay.is_some() || degrade.extra_loss.is_some() {
            return Err(WanError::Impossible("the kernel's shaper adds neither delay nor loss".to_owned()));
        }
        let direction = self.direction(link)?;
        direction.factor = degrade.rate_factor.unwrap_or(direction.factor);
        self.settle(link)
    }

    fn node_down(&mut self, node: u32) -> Result<(), WanError> {
        self.settle_node(node, true)
    }

    fn node_up(&mut self, node: u32) -> Result<(), WanError> {
        self.settle_node(node, false)
    }

    /// Kinds of hops stay empty: the kernel's queues do not tell them apart. The largest queue is the largest that was
    /// seen when figures were asked for.
    fn all_figures(&mut self) -> Result<Vec<LinkFigures>, WanError> {
        let all = tools::counted(&self.router).map_err(|error| WanError::Impossible(error.to_string()))?;
        let figures = self.directions.iter_mut().map(|direction| {
            let counted = all.iter().find(|counted| counted.interface == direction.interface);
            let figures = direction.figures(counted?);
            direction.past.queue_bytes_max = figures.queue_bytes_max;
            Some(figures)
        });
        figures.collect::<Option<_>>().ok_or_else(|| WanError::Ended("an interface is gone".to_owned()))
    }
}

/// The router's interface towards one of a pair of nodes.
fn side(number: usize, s: usize) -> String {
    format!("{}{number}", ["a", "b"][s])
}

fn file_error(source: std::io::Error) -> ShaperError {
    NetnsError::File { file: "/proc/sys/net/ipv4".to_owned(), source }.into()
}
