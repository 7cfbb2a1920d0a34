//! The scenario as every mode runs it: parsed, resolved, checked. Plain data.
//!
//! [`Scenario`] holds typed values with every default filled in; the text form (units in strings, optional keys,
//! named regions, populations) is turned into it by the parser. All ids are valid, all references resolve.

mod fault;
mod session;
mod topology;

pub use fault::{Fault, FaultKind, LinkSelector};
pub use session::{
    Assignment, Churn, Conference, Delivery, FlowDraw, Membership, Routing, Session, StaticFlow, Transport,
};
pub use topology::{
    Bottleneck, CROSS_FLOWS_MAX, CrossFlow, CrossLoad, CrossPattern, CrossTraffic, Jitter, JitterModel, Link,
    Loss, Node, Provenance, Queue, QueueDiscipline, Rate, RateTrace, Shaper, TcpController, TcpRecovery,
};

use crate::account::Billing;
use bellini_core::config::{FailoverConfig, ProbingConfig};
use bellini_core::ids::NodeId;
use bellini_core::time::Duration;

/// A scenario, complete and checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// Short name: letters, digits, `-`, `_`; names the run directory.
    pub name: String,
    /// A paragraph for people.
    pub description: String,
    /// Root seed when the command line gives none.
    pub seed: u64,
    /// How long content is offered, from scenario time zero.
    pub duration: Duration,
    /// Time before scenario time zero in which nodes start and hops open.
    pub settle: Duration,
    /// Time after `duration` in which nothing new is offered and packets in flight may still arrive.
    pub drain: Duration,
    /// Symbols offered in this window of scenario time are the ones that summary.json judges.
    pub measure: Measure,
    /// Distance of the samples in series.csv.
    pub sample_interval: Duration,
    /// Distance of the reports to `Conference` hooks (30 s in the paper).
    pub report_interval: Duration,
    /// What policies see.
    pub view: View,
    /// Where and how fast policies decide.
    pub planner: Planner,
    /// Where the listing is held; `None`: members never expire.
    pub listing: Option<Listing>,
    /// Whether hops are sealed: each datagram is longer by what that takes.
    pub seal: bool,
    /// How nodes watch each other, so that sessions leave what has failed; `None`: they do not.
    pub failover: Option<FailoverConfig>,
    /// How nodes probe those that they have links to; `None`: they do not. Its peers are empty: see
    /// [`Scenario::probing_of`].
    pub probing: Option<ProbingConfig>,
    /// How traffic is charged; `None`: as by default, where a link has a price.
    pub billing: Option<Billing>,
    /// Where prices of machines come from, in words.
    pub vm_source: Option<String>,
    /// Nodes in order of their ids.
    pub nodes: Vec<Node>,
    /// Links, each in one direction, in order of (from, to).
    pub links: Vec<Link>,
    /// Bottlenecks shared by several links.
    pub bottlenecks: Vec<Bottleneck>,
    /// Traffic of others on our links.
    pub cross_traffic: Vec<CrossTraffic>,
    /// Conferences in order of their ids.
    pub conferences: Vec<Conference>,
    /// The fault timeline, in order of time.
    pub faults: Vec<Fault>,
    /// Where measured numbers come from (one entry a data set used).
    pub provenance: Vec<Provenance>,
}

impl Scenario {
    /// Returns the name of a node, or its number when there is no such node.
    #[must_use]
    pub fn node_name(&self, id: NodeId) -> String {
        let index = self.nodes.binary_search_by_key(&id, |node| node.id);
        index.map_or_else(|_| id.to_string(), |index| self.nodes[index].name.clone())
    }

    /// Returns how a node probes: its peers are those at the other ends of its links.
    #[must_use]
    pub fn probing_of(&self, node: NodeId) -> Option<ProbingConfig> {
        let probing = self.probing.clone()?;
        let peers = self.links.iter().filter(|link| link.from == node).map(|link| link.to);
        Some(ProbingConfig { peers: peers.collect(), ..probing })
    }

    /// Returns the TCP connections of the cross traffic, in order of the entries that they belong to.
    #[must_use]
    pub fn cross_flows(&self) -> Vec<CrossFlow> {
        let mut all: Vec<CrossFlow> = Vec::new();
        for (entry, cross) in self.cross_traffic.iter().enumerate() {
            let CrossPattern::Tcp { flows, controller, delayed_acks, recovery } = cross.pattern else {
                continue;
            };
            let before = all.iter().filter(|flow| flow.link == cross.link).count() as u32;
            all.extend((1..=flows).map(|number| CrossFlow {
                entry,
                link: cross.link,
                number: before + number,
                controller,
                delayed_acks,
                recovery,
                start: cross.start,
                stop: cross.stop,
            }));
        }
        all
    }
}

/// A window of scenario time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measure {
    /// Its first instant.
    pub from: Duration,
    /// Its end (excluded).
    pub to: Duration,
}

/// What the network looks like to policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// The scenario's own figures; for upper bounds.
    Oracle,
    /// What the running protocol measured.
    Measured,
}

/// Where and how fast policies decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Planner {
    /// The node that decides and sends its decisions as control messages; `None`: each session's source.
    pub node: Option<NodeId>,
    /// Time that one decision takes.
    pub time: Duration,
    /// Distance of the periodic pulls.
    pub period: Duration,
}

/// Where the listing of conferences is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The node that holds it.
    pub node: NodeId,
    /// How long a member stays without a heartbeat.
    pub lease: Duration,
}
