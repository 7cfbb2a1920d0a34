//! The network that a plan looks at: links by their ends, what limits them, paths in words.

use crate::conduct::network_view;
use crate::model::{Link, Rate, Scenario};
use crate::policy::NetworkView;
use bellini_core::ids::NodeId;
use bellini_core::units::BitRate;
use std::collections::BTreeMap;

/// A scenario's links by their ends, with the figures that policies see.
pub(super) struct Network<'a> {
    pub(super) scenario: &'a Scenario,
    /// Every link and node, all up.
    pub(super) view: NetworkView,
    by_ends: BTreeMap<(NodeId, NodeId), usize>,
}

impl<'a> Network<'a> {
    pub(super) fn new(scenario: &'a Scenario) -> Self {
        let ends = scenario.links.iter().enumerate().map(|(index, link)| ((link.from, link.to), index));
        Self { scenario, view: network_view(scenario, |_| true, |_| true), by_ends: ends.collect() }
    }

    /// Returns the index of a link in the scenario and in the view.
    pub(super) fn index(&self, from: NodeId, to: NodeId) -> Option<usize> {
        self.by_ends.get(&(from, to)).copied()
    }

    pub(super) fn link(&self, index: usize) -> &'a Link {
        &self.scenario.links[index]
    }

    /// Returns the mean rate of a link's own or shared serialiser.
    pub(super) fn rate(&self, index: usize) -> Option<BitRate> {
        crate::conduct::mean_link_rate(&self.link(index).rate, self.scenario)
    }

    /// Returns the shared bottleneck that serialises a link's packets, if one does.
    pub(super) fn bottleneck(&self, index: usize) -> Option<usize> {
        match self.link(index).rate {
            Rate::Shared(bottleneck) => Some(bottleneck),
            _ => None,
        }
    }

    /// Returns a link in words.
    pub(super) fn link_name(&self, index: usize) -> String {
        let link = self.link(index);
        format!("{} > {}", self.name(link.from), self.name(link.to))
    }

    pub(super) fn name(&self, node: NodeId) -> String {
        self.scenario.node_name(node)
    }

    /// Returns a path in words.
    pub(super) fn path_name(&self, nodes: &[NodeId]) -> String {
        nodes.iter().map(|node| self.name(*node)).collect::<Vec<_>>().join(" > ")
    }
}
