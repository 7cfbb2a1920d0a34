//! What coding came to: one row a destination of a coded session, and what relays made anew.

use super::{Cell, Table, columns, cut, seeds};
use crate::figure::Material;

/// Returns the destinations of coded sessions; without rows where nothing is coded.
pub(super) fn coding(material: &Material<'_>) -> Table {
    let coded = material
        .destinations()
        .filter_map(|(session, d)| session.coding.as_ref().map(|how| (session, d, how)));
    let mut rows: Vec<_> = coded
        .map(|(session, d, how)| {
            vec![
                Cell::text(format!("{} {}", session.id(), session.name)),
                Cell::text(material.node(d.node)),
                Cell::text(how),
                Cell::text(session.delivery.clone()),
                Cell::maybe(session.repair_packets),
                Cell::count(d.delivered_packets),
                Cell::share(d.lost_packets, d.sent_packets),
                Cell::maybe(d.recovered_symbols),
                Cell::maybe(d.dependent_packets),
                Cell::maybe(d.corrupt_packets),
            ]
        })
        .collect();
    let rest = cut(&mut rows, "the first");
    let names = [
        ("session", ""),
        ("to", ""),
        ("coding", ""),
        ("delivery", ""),
        ("repairs sent", "packets"),
        ("delivered", "symbols"),
        ("lost", ""),
        ("recovered", "symbols"),
        ("nothing new", "packets"),
        ("damaged", "packets"),
    ];
    Table { caption: format!("Coding{}", seeds(material)), columns: columns(&names, 4), rows, rest }
}
