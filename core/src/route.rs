//! A route: the tree along which a packet travels from its source to destinations.
//!
//! This is the form that policies and scenario files speak. On the wire it is a RoutingInfo
//! (the routing header). Written as text, a node that delivers the packet carries a `d`, `>` goes one hop on,
//! and braces hold branches: `3>{2d,4d}`, `2d`, `3d>{5d,6>7d}`. Siblings that reach the same destination are
//! redundant copies; the sink removes the duplicates.

use crate::ids::NodeId;
use core::fmt;
use serde::{Deserialize, Serialize};

mod text;

pub use text::{RouteTextError, RouteTextFault};

/// The tree from a session's source (which is not part of it) to destinations.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Route {
    /// What the source does: one copy of the packet for each branch.
    pub branches: Vec<Branch>,
}

/// One next hop, and what it does with the packet.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Branch {
    /// The next hop.
    pub node: NodeId,
    /// Whether this next hop is a destination and delivers the packet.
    pub deliver: bool,
    /// The copies that it sends on.
    pub next: Vec<Branch>,
}

impl Route {
    /// Returns the route that visits `path` in order and delivers at its last node only.
    #[must_use]
    pub fn path(path: &[NodeId]) -> Self {
        let mut branches = Vec::new();
        for (i, &node) in path.iter().enumerate().rev() {
            branches = vec![Branch { node, deliver: i + 1 == path.len(), next: branches }];
        }
        Self { branches }
    }

    /// Calls `visit(from, to)` for each edge of the tree, parents before children; `source` is the root.
    pub fn for_each_edge(&self, source: NodeId, visit: &mut dyn FnMut(NodeId, NodeId)) {
        fn walk(from: NodeId, branches: &[Branch], visit: &mut dyn FnMut(NodeId, NodeId)) {
            for branch in branches {
                visit(from, branch.node);
                walk(branch.node, &branch.next, visit);
            }
        }
        walk(source, &self.branches, visit);
    }

    /// Returns the destinations that the route reaches, sorted, each once.
    #[must_use]
    pub fn destinations(&self) -> Vec<NodeId> {
        fn walk(branches: &[Branch], found: &mut Vec<NodeId>) {
            for branch in branches {
                if branch.deliver {
                    found.push(branch.node);
                }
                walk(&branch.next, found);
            }
        }
        let mut found = Vec::new();
        walk(&self.branches, &mut found);
        found.sort_unstable();
        found.dedup();
        found
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_branches(f, &self.branches)
    }
}

fn write_branches(f: &mut fmt::Formatter<'_>, branches: &[Branch]) -> fmt::Result {
    if let [only] = branches {
        return write_branch(f, only);
    }
    f.write_str("{")?;
    for (i, branch) in branches.iter().enumerate() {
        if i > 0 {
            f.write_str(",")?;
        }
        write_branch(f, branch)?;
    }
    f.write_str("}")
}

fn write_branch(f: &mut fmt::Formatter<'_>, branch: &Branch) -> fmt::Result {
    write!(f, "{}{}", branch.node, if branch.deliver { "d" } else { "" })?;
    if branch.next.is_empty() {
        return Ok(());
    }
    f.write_str(">")?;
    write_branches(f, &branch.next)
}
