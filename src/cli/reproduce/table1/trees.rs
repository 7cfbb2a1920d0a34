//! Trees of routes, as text and as drawings.

use bellini_core::route::{Branch, Route};
use bellini_reports::reproduce::{FlowTree, Role, TreeEdge, TreeNode};

/// Returns a route as a tree of text, a node a line.
pub(super) fn text(route: &Route) -> String {
    fn walk(branches: &[Branch], indent: &str, out: &mut String) {
        for (i, branch) in branches.iter().enumerate() {
            let is_last = i + 1 == branches.len();
            let (joint, below) = if is_last { ("`- ", "   ") } else { ("|- ", "|  ") };
            let words = if branch.deliver { ", destination" } else { "" };
            out.push_str(&format!("\n{indent}{joint}{}{words}", branch.node));
            walk(&branch.next, &format!("{indent}{below}"), out);
        }
    }
    let mut out = String::from("s");
    walk(&route.branches, "", &mut out);
    out
}

/// Returns a drawing of a route. A node that stands on two branches is one in the drawing.
pub(super) fn drawing(category: &str, words: &str, route: &Route) -> FlowTree {
    let mut nodes = vec![TreeNode { mark: "s".to_owned(), names: Vec::new(), role: Role::Source }];
    let mut edges = Vec::new();
    grow(&route.branches, 0, &mut nodes, &mut edges);
    FlowTree {
        title: format!("{category}: {words}"),
        caption: "What the core's parser reads out of the bytes; at each edge what the packet carries on it. A node that is a \
                  destination passes packets on, too, where an edge leaves it."
            .to_owned(),
        nodes,
        edges,
        flows: Vec::new(),
    }
}

/// Adds branches below the node at `from`; returns the bytes of their Pathlets.
fn grow(branches: &[Branch], from: usize, nodes: &mut Vec<TreeNode>, edges: &mut Vec<TreeEdge>) -> usize {
    let mut bytes = 0;
    for (i, branch) in branches.iter().enumerate() {
        let mark = branch.node.to_string();
        let to = nodes.iter().position(|node| node.mark == mark).unwrap_or_else(|| {
            let role = if branch.deliver { Role::Destination } else { Role::Relay };
            nodes.push(TreeNode { mark, names: Vec::new(), role });
            nodes.len() - 1
        });
        let at = edges.len();
        edges.push(TreeEdge { from, to, weight: 1.0, is_copy: i > 0, ..TreeEdge::default() });
        let length = 6 + grow(&branch.next, to, nodes, edges);
        let mark = if branch.deliver { "\u{b9}" } else { "" };
        edges[at].label = vec![format!("{length} {mark}{}", branch.node)];
        bytes += length;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Aim: the multicast row's tree has the four edges and labels that the table's numbers say.
    #[test]
    fn the_multicast_row_drawn() {
        let route = Route::parse("{3d,2d>{4d,5d}}").expect("a route");
        assert_eq!(
            text(&route),
            "s\n|- 3, destination\n`- 2, destination\n   |- 4, destination\n   `- 5, destination"
        );
        let drawn = drawing("Multicast", "", &route);
        let labels: Vec<_> = drawn.edges.iter().map(|edge| edge.label[0].as_str()).collect();
        assert_eq!(labels, ["6 \u{b9}3", "18 \u{b9}2", "6 \u{b9}4", "6 \u{b9}5"]);
        assert_eq!(
            drawn.edges.iter().map(|edge| edge.is_copy).collect::<Vec<_>>(),
            [false, true, false, true]
        );
    }
}
