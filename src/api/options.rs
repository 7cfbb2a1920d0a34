//! What a session is to be.

use bellini_core::coding::CodingSpec;
use bellini_core::content::spec::{Content, Unit};
use bellini_core::ids::NodeId;
use bellini_core::io::DrawMode;
use bellini_core::route::Route;
use bellini_core::time::Duration;
use bellini_scenarios::model;
use bellini_scenarios::model::{Delivery, StaticFlow, Transport};
use bellini_scenarios::policy::{FlowAssignment, Routing};
use bellini_scenarios::registry::{Registry, RegistryError};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// Bytes of a program's datagrams or stream that wait in the core.
const APPLICATION_BYTES: u32 = 1 << 20;

/// How the routes of a session are decided.
pub enum Routes {
    /// By a policy of the registry, with its parameters.
    Policy(String, BTreeMap<String, Value>),
    /// Written out, with a share each.
    Written(Vec<(Route, f64)>),
    /// By a policy of the program's own.
    Own(Box<dyn Routing>),
}

/// How packets are spread over the routes.
pub enum Shares {
    /// By a policy of the registry, with its parameters.
    Policy(String, BTreeMap<String, Value>),
    /// By a policy of the program's own.
    Own(Box<dyn FlowAssignment>),
}

impl Routes {
    /// Returns the routes of a policy of the program's own.
    pub fn own(routing: impl Routing + 'static) -> Self {
        Self::Own(Box::new(routing))
    }

    /// Returns the shares that go with such routes unless a program chooses others.
    pub(super) fn usual_shares(&self) -> Shares {
        match self {
            Self::Written(_) => "static".into(),
            _ => "equal".into(),
        }
    }

    pub(super) fn policy(self, registry: &Registry) -> Result<Policy<dyn Routing>, RegistryError> {
        let (policy, flows, parameters) = match self {
            Self::Own(routing) => return Ok((routing, BTreeMap::new())),
            Self::Policy(policy, parameters) => (policy, Vec::new(), parameters),
            Self::Written(flows) => {
                let flow = |(route, share)| StaticFlow { route, share: Some(share), rate: None };
                ("static".to_owned(), flows.into_iter().map(flow).collect(), BTreeMap::new())
            }
        };
        let spec = model::Routing { policy, flows, parameters };
        Ok((registry.routing_for(&spec)?, spec.parameters))
    }
}

impl Shares {
    /// Returns the shares of a policy of the program's own.
    pub fn own(assignment: impl FlowAssignment + 'static) -> Self {
        Self::Own(Box::new(assignment))
    }

    pub(super) fn policy(self, registry: &Registry) -> Result<Policy<dyn FlowAssignment>, RegistryError> {
        match self {
            Self::Own(assignment) => Ok((assignment, BTreeMap::new())),
            Self::Policy(policy, parameters) => {
                let spec = model::Assignment { policy, parameters };
                Ok((registry.assignment_for(&spec)?, spec.parameters))
            }
        }
    }
}

/// A policy and its parameters.
pub(super) type Policy<T> = (Box<T>, BTreeMap<String, Value>);

impl From<&str> for Routes {
    fn from(policy: &str) -> Self {
        Self::Policy(policy.to_owned(), BTreeMap::new())
    }
}

impl From<Vec<(Route, f64)>> for Routes {
    fn from(flows: Vec<(Route, f64)>) -> Self {
        Self::Written(flows)
    }
}

impl From<&str> for Shares {
    fn from(policy: &str) -> Self {
        Self::Policy(policy.to_owned(), BTreeMap::new())
    }
}

impl fmt::Debug for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Policy(name, parameters) => f.debug_tuple("Policy").field(name).field(parameters).finish(),
            Self::Written(flows) => f.debug_tuple("Written").field(flows).finish(),
            Self::Own(_) => f.write_str("Own"),
        }
    }
}

impl fmt::Debug for Shares {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Policy(name, parameters) => f.debug_tuple("Policy").field(name).field(parameters).finish(),
            Self::Own(_) => f.write_str("Own"),
        }
    }
}

/// What a session is to be: begin with [`SessionOptions::datagrams`], [`SessionOptions::stream`] or
/// [`SessionOptions::content`], and say what is not as usual.
#[derive(Debug)]
pub struct SessionOptions {
    pub(super) name: String,
    pub(super) content: Content,
    pub(super) destinations: Vec<NodeId>,
    pub(super) routes: Routes,
    pub(super) shares: Option<Shares>,
    pub(super) transport: Transport,
    pub(super) delivery: Delivery,
    pub(super) coding: Option<CodingSpec>,
    pub(super) symbol_bytes: u32,
    pub(super) draw: DrawMode,
    pub(super) settle: Duration,
    pub(super) policy_period: Option<Duration>,
}

impl SessionOptions {
    /// Datagrams of the program, called `name`: each arrives whole or not at all; when they come too fast, the oldest go.
    /// Best effort over `udp`, by shortest delay, in symbols of up to 1,200 bytes.
    #[must_use]
    pub fn datagrams(name: &str) -> Self {
        Self::content(name, Content::Application { unit: Unit::Datagrams, bytes_max: APPLICATION_BYTES })
    }

    /// A stream of bytes of the program with an end: reliable, else as [`SessionOptions::datagrams`].
    #[must_use]
    pub fn stream(name: &str) -> Self {
        let content = Content::Application { unit: Unit::Stream, bytes_max: APPLICATION_BYTES };
        Self::content(name, content).delivery(Delivery::Reliable)
    }

    /// Content that the node makes itself. Content with a recorded trace cannot be announced, and is refused when it is
    /// published.
    #[must_use]
    pub fn content(name: &str, content: Content) -> Self {
        Self {
            name: name.to_owned(),
            content,
            destinations: Vec::new(),
            routes: "shortest-delay".into(),
            shares: None,
            transport: Transport::Udp,
            delivery: Delivery::BestEffort,
            coding: None,
            symbol_bytes: 1_200,
            draw: DrawMode::Random,
            settle: Duration::from_secs(1),
            policy_period: None,
        }
    }

    /// Members that are destinations from the start on; others subscribe.
    #[must_use]
    pub fn destinations(mut self, nodes: &[NodeId]) -> Self {
        self.destinations = nodes.to_vec();
        self
    }

    /// How routes are decided: the name of a policy, routes with shares, or [`Routes::own`].
    #[must_use]
    pub fn routes(mut self, routes: impl Into<Routes>) -> Self {
        self.routes = routes.into();
        self
    }

    /// How packets are spread over them: the name of a policy, or [`Shares::own`]. Usually as written with the routes, else
    /// the same for each.
    #[must_use]
    pub fn shares(mut self, shares: impl Into<Shares>) -> Self {
        self.shares = Some(shares.into());
        self
    }

    /// How hops carry it.
    #[must_use]
    pub fn transport(mut self, transport: Transport) -> Self {
        self.transport = transport;
        self
    }

    /// What is promised.
    #[must_use]
    pub fn delivery(mut self, delivery: Delivery) -> Self {
        self.delivery = delivery;
        self
    }

    /// How its packets are coded.
    #[must_use]
    pub fn coding(mut self, coding: CodingSpec) -> Self {
        self.coding = Some(coding);
        self
    }

    /// Largest payload of one symbol, in bytes.
    #[must_use]
    pub fn symbol_bytes(mut self, bytes: u32) -> Self {
        self.symbol_bytes = bytes;
        self
    }

    /// How the flow of each packet is drawn.
    #[must_use]
    pub fn draw(mut self, draw: DrawMode) -> Self {
        self.draw = draw;
        self
    }

    /// From publishing to the first symbol: hops open meanwhile. Usually 1 s.
    #[must_use]
    pub fn settle(mut self, settle: Duration) -> Self {
        self.settle = settle;
        self
    }

    /// How often policies are asked again, besides on events and on reload. Usually never, or as often as the flow
    /// assignment wants.
    #[must_use]
    pub fn policy_period(mut self, period: Duration) -> Self {
        self.policy_period = Some(period);
        self
    }
}
