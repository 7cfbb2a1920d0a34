//! The trees: what the configuration says, and what was recorded.

use super::{Configured, Run};
use bellini_core::ids::NodeId;
use bellini_reports::reproduce::{FlowTree, Role, TreeEdge, TreeNode};
use std::collections::BTreeMap;

/// Returns the nodes of a configuration that flows touch, with their places in the drawing.
fn nodes(
    configured: &Configured,
    names: impl Fn(u32) -> Vec<String>,
) -> (Vec<TreeNode>, BTreeMap<u32, usize>) {
    let places: BTreeMap<u32, usize> =
        configured.names.iter().enumerate().map(|(index, (id, _))| (*id, index)).collect();
    let node = |(id, name): &(u32, String)| {
        let role = if *id == configured.source {
            Role::Source
        } else if configured.destinations.contains(id) {
            Role::Destination
        } else {
            Role::Relay
        };
        let mut lines = vec![name.clone()];
        lines.extend(names(*id));
        TreeNode { mark: id.to_string(), names: lines, role }
    };
    (configured.names.iter().map(node).collect(), places)
}

/// Returns the edges of a flow's route, each with whether its sender sends the packet elsewhere, too, before.
fn edges(configured: &Configured, flow: usize) -> Vec<(u32, u32, bool)> {
    let mut found: Vec<(u32, u32, bool)> = Vec::new();
    if let Some(source) = NodeId::new(configured.source) {
        configured.flows[flow].0.for_each_edge(source, &mut |from, to| {
            let is_copy = found.iter().any(|edge| edge.0 == from.get());
            found.push((from.get(), to.get(), is_copy));
        });
    }
    found
}

/// Draws what the configuration says.
pub(super) fn configured(configured: &Configured) -> FlowTree {
    let (nodes, places) = nodes(configured, |_| Vec::new());
    let mut drawn = Vec::new();
    for (flow, (_, p, rate)) in configured.flows.iter().enumerate() {
        for (from, to, is_copy) in edges(configured, flow) {
            drawn.push(TreeEdge {
                from: places[&from],
                to: places[&to],
                flow,
                weight: *p,
                is_copy,
                label: vec![format!("p = {p:.3}"), rate.clone()],
            });
        }
    }
    FlowTree {
        title: "What the configuration says (reconstructed)".to_owned(),
        caption: "Routes and rates of the scenario, which the paper's Fig. 3(a) is lost for; p is the part of the session's \
                  packets that draws the flow."
            .to_owned(),
        nodes,
        edges: drawn,
        flows: legend(configured, |_| String::new()),
    }
}

/// Draws what was recorded in a run.
pub(super) fn recorded(configured: &Configured, mode: &str, run: &Run) -> FlowTree {
    let words = |id: u32| {
        let all = |of: fn(&super::tally::AtNode) -> u64| -> u64 {
            run.tally.nodes.iter().filter(|(key, _)| key.1 == id).map(|(_, at)| of(at)).sum()
        };
        let (came, went) = (all(|at| at.arrived), all(|at| at.sent));
        match (came, went) {
            (0, _) => vec![format!("{} packets, {went} sent", run.tally.draws.len())],
            (_, 0) => vec![format!("{came} arrived")],
            _ => vec![format!("{came} arrived, {went} sent")],
        }
    };
    let (nodes, places) = nodes(configured, words);
    let edges = run.tally.edges.iter().filter_map(|((flow, from, to), count)| {
        Some(TreeEdge {
            from: *places.get(from)?,
            to: *places.get(to)?,
            flow: *flow as usize,
            weight: count.sent as f64,
            is_copy: 2 * count.copies > count.sent,
            label: vec![
                format!("{} sent, {:.2} MB", count.sent, count.sent_bytes as f64 / 1e6),
                format!("{} arrived", count.arrived),
            ],
        })
    });
    let drawn = run.tally.drawn();
    FlowTree {
        title: format!("Recorded in the {mode}, seed {}", run.seed),
        caption: "Packets and bytes (with UDP and IP) that left a node over each edge, and those that reached the other end; \
                  edges are as wide as packets sent."
            .to_owned(),
        nodes,
        edges: edges.collect(),
        flows: legend(configured, |flow| {
            let count = drawn.get(&(flow as u32)).copied().unwrap_or(0);
            format!(": {count} of {} packets", run.tally.draws.len())
        }),
    }
}

fn legend(configured: &Configured, more: impl Fn(usize) -> String) -> Vec<String> {
    let flows = configured.flows.iter().enumerate();
    flows
        .map(|(i, (route, ..))| format!("flow {}, {}>{route}{}", i + 1, configured.source, more(i)))
        .collect()
}
