//! Bytes of routing headers by the size of their trees, from the core's encoder.

use super::super::common::{axis, curve};
use super::{NODES_MAX, node, walk};
use crate::cli::exit::{self, Failure};
use bellini_core::ids::NodeId;
use bellini_core::route::{Branch, Route};
use bellini_core::wire::routing::{DEPTH_MAX, branches, encode, split_first};
use bellini_reports::reproduce::{Plot, Row, Shape};

/// Packet that overhead is a part of, in bytes.
const PACKET_BYTES: f64 = 1_400.0;

/// Returns the lengths of all Pathlets of a route, which are what packets carry hop by hop, and the whole.
fn lengths(route: &Route) -> Result<(Vec<f64>, f64), Failure> {
    let wrong = |fault| Failure::new(exit::FAILED, format!("{route}: {fault}"));
    let bytes = encode(route).map_err(wrong)?;
    let mut fields = Vec::new();
    for (pathlet, _) in branches(&bytes).map_err(wrong)? {
        if let Ok((view, _)) = split_first(pathlet) {
            walk(pathlet.len(), &view, &mut fields);
        }
    }
    Ok((fields.iter().map(|field| f64::from(field.0)).collect(), bytes.len() as f64))
}

/// Overhead of trees by their number of nodes, from the encoder: rows and plots.
pub(super) fn of_trees() -> Result<(Vec<Row>, Vec<Plot>), Failure> {
    let (mut whole, mut chain, mut star) = (Vec::new(), Vec::new(), Vec::new());
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    for count in 1..=NODES_MAX {
        let ids = (2..2 + count).map(node).collect::<Result<Vec<_>, _>>()?;
        let leaf = |id: &NodeId| Branch { node: *id, deliver: true, next: Vec::new() };
        let (each, total) = lengths(&Route { branches: ids.iter().map(leaf).collect() })?;
        whole.push((f64::from(count), total));
        star.push((f64::from(count), mean(&each)));
        if count as usize <= DEPTH_MAX {
            chain.push((f64::from(count), mean(&lengths(&Route::path(&ids))?.0)));
        }
    }
    let rows = [1, 2, 4, 8, 16]
        .into_iter()
        .filter_map(|count| whole.iter().find(|point| point.0 == f64::from(count)))
        .flat_map(|&(count, bytes)| {
            let closed = 6.0 * count;
            let row = |unit: &str, value: f64, expected: f64| Row {
                quantity: format!("RoutingInfo of {count} nodes, at the source"),
                unit: unit.to_owned(),
                ours: Some(value),
                band: Some((expected - 1e-9, expected + 1e-9)),
                remark: "band: six bytes a node".to_owned(),
                ..Row::default()
            };
            [
                row("B", bytes, closed),
                row("% of 1,400 B", bytes / PACKET_BYTES * 100.0, closed / PACKET_BYTES * 100.0),
            ]
        })
        .collect();
    let curves = |scale: f64| {
        let scaled = |points: &[(f64, f64)]| points.iter().map(|(x, y)| (*x, y * scale)).collect::<Vec<_>>();
        vec![
            curve("any tree, whole, at its source", Shape::DottedLine, scaled(&whole)),
            curve("a chain, mean over its hops", Shape::DottedLine, scaled(&chain)),
            curve("a star, in each packet", Shape::DottedLine, scaled(&star)),
        ]
    };
    let plot = |title: &str, caption: &str, y: (String, String), scale: f64| Plot {
        title: title.to_owned(),
        caption: caption.to_owned(),
        x: axis("nodes of the tree besides the source", ""),
        y,
        curves: curves(scale),
        ..Plot::default()
    };
    let plots = vec![
        plot(
            "Routing overhead in bytes",
            "Encoded by the core. A source holds the whole tree; what a packet carries is its next hop's Pathlet, which shrinks on the way. Chains end at 16 nodes, the deepest that is allowed.",
            axis("routing header", "B"),
            1.0,
        ),
        plot(
            "Routing overhead as part of a packet of 1,400 B",
            "The same in per cent of a packet of 1,400 B.",
            axis("routing header", "% of 1,400 B"),
            100.0 / PACKET_BYTES,
        ),
    ];
    Ok((rows, plots))
}
