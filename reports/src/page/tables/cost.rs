//! What links cost, in every way of billing.

use super::{Cell, Table, columns, cut};
use crate::figure::Material;

/// Returns the links that cost something; without rows where nothing is charged.
pub(super) fn cost(material: &Material<'_>) -> Table {
    let links = material.first.cost.iter().flat_map(|cost| &cost.links);
    let mut rows: Vec<_> = links
        .map(|link| {
            vec![
                Cell::text(material.pair(&format!("{}>{}", link.from, link.to))),
                Cell::number(Some(link.charged_mbps), 3),
                Cell::number(Some(link.max_mbps), 3),
                Cell::number(link.traffic_usd, 6),
                Cell::number(link.percentile_usd, 4),
                Cell::number(link.max_usd, 4),
            ]
        })
        .collect();
    let rest = cut(&mut rows, "the first");
    let names = [
        ("link", ""),
        ("charged", "Mbit/s"),
        ("maximum", "Mbit/s"),
        ("by volume", "USD"),
        ("percentile", "USD a period"),
        ("maximum charged", "USD a period"),
    ];
    Table {
        caption: "What links cost (of the first seed)".to_owned(),
        columns: columns(&names, 1),
        rows,
        rest,
    }
}
