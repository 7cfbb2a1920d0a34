//! A session's flow list at its source: per flow the route's routing header, encoded once.

use crate::flow::draw::FlowDraw;
use crate::header::PATHLET_BYTES_MAX;
use crate::ids::{HopIndex, NodeId};
use crate::io::{CommandError, DrawMode};
use crate::rng::Stream;
use crate::route::Route;
use crate::wire::{RouteFault, routing};

/// Shares that differ by less are the same.
const SAME_SHARE: f64 = 1e-12;

/// The flows of one session, and the draw between them.
#[derive(Clone, Debug)]
pub struct FlowList {
    flows: Vec<Flow>,
    draw: FlowDraw,
    mode: DrawMode,
}

/// One flow: a route with its encoded header, its share, and what went over it.
#[derive(Clone, Debug)]
pub struct Flow {
    /// The tree.
    pub route: Route,
    /// Its share of the session's packets now; all shares add up to 1.
    pub share: f64,
    /// Its share as it was decided, while every hop is up; 0 for a backup.
    pub decided: f64,
    /// One entry for each next hop of the source.
    pub branches: Vec<FlowBranch>,
    /// Packets sent on it.
    pub packets: u64,
}

/// What one next hop of the source gets.
#[derive(Clone, Debug)]
pub struct FlowBranch {
    /// The next hop.
    pub node: NodeId,
    /// The hop to it, in the source's table.
    pub hop: HopIndex,
    /// Its Pathlet, ready to be stamped into packets.
    pub pathlet: Box<[u8]>,
}

impl FlowList {
    /// Encodes `flows` (route and share) for the session's source `source`. `hop` gives the hop to a next hop.
    ///
    /// # Errors
    /// When a route breaks a rule of the wire format or of `limits`, or the shares cannot be drawn from.
    pub fn new(
        source: NodeId,
        flows: &[(Route, f64)],
        mode: DrawMode,
        limits: routing::RouteLimits,
        mut hop: impl FnMut(NodeId) -> HopIndex,
    ) -> Result<Self, CommandError> {
        if flows.is_empty() {
            return Err(CommandError::NoFlows);
        }
        let shares: Vec<f64> = flows.iter().map(|(_, share)| *share).collect();
        let draw = FlowDraw::new(&shares, mode).map_err(|_| CommandError::BadShares)?;
        let sum: f64 = shares.iter().sum();
        let mut list = Vec::with_capacity(flows.len());
        for (route, share) in flows {
            let info = routing::encode(route).map_err(CommandError::BadRoute)?;
            routing::validate(&info, source, limits).map_err(CommandError::BadRoute)?;
            let mut branches = Vec::with_capacity(route.branches.len());
            for (pathlet, node) in routing::branches(&info).map_err(CommandError::BadRoute)? {
                if pathlet.len() > PATHLET_BYTES_MAX {
                    return Err(CommandError::BadRoute(RouteFault::TooLarge));
                }
                branches.push(FlowBranch { node, hop: hop(node), pathlet: pathlet.into() });
            }
            let share = share / sum;
            list.push(Flow { route: route.clone(), share, decided: share, branches, packets: 0 });
        }
        Ok(Self { flows: list, draw, mode })
    }

    /// Changes the shares to `shares` (one for each flow, as far as they can be drawn from); routes stay. Returns whether
    /// that changed anything.
    pub fn reshare(&mut self, shares: &[f64]) -> bool {
        let sum: f64 = shares.iter().sum();
        let is_same =
            self.flows.iter().zip(shares).all(|(flow, share)| (flow.share - share / sum).abs() < SAME_SHARE);
        if shares.len() != self.flows.len() || is_same {
            return false;
        }
        let Ok(draw) = FlowDraw::new(shares, self.mode) else { return false };
        self.draw = draw;
        for (flow, share) in self.flows.iter_mut().zip(shares) {
            flow.share = share / sum;
        }
        true
    }

    /// Draws the flow of the next packet.
    #[inline]
    pub fn draw(&mut self, stream: &mut Stream) -> usize {
        self.draw.draw(stream)
    }

    /// Returns the flows, in the order in which they were installed.
    #[must_use]
    pub fn flows(&self) -> &[Flow] {
        &self.flows
    }

    /// Whether `other` was decided to send the same shares over the same routes.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.flows.len() == other.flows.len()
            && self.flows.iter().zip(&other.flows).all(|(own, other)| {
                own.route == other.route && own.decided.to_bits() == other.decided.to_bits()
            })
    }

    /// Returns flow `index`, to count packets on it.
    #[inline]
    pub(crate) fn flow_mut(&mut self, index: usize) -> &mut Flow {
        &mut self.flows[index]
    }
}
