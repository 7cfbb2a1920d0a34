//! Table I of the paper: routing policies as RoutingInfo, what is printed beside what the core writes and reads.

mod overhead;
mod search;
mod trees;

use super::common::input;
use super::{Experiment, Findings, Setting};
use crate::cli::exit::{self, Failure};
use bellini_core::ids::NodeId;
use bellini_core::rng::Seed;
use bellini_core::route::{Branch, Route};
use bellini_core::wire::routing::{DEPTH_MAX, PathletView, branches, decode, encode, split_first};
use bellini_reports::reproduce::{Page, Row, TextTable};
use bellini_scenarios::parse::{LoadOptions, parse_str};
use search::{Convention, Layout, UNITS};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Nodes of the largest tree of the plot: more do not fit the core's header of a packet.
const NODES_MAX: u32 = 29;

pub(super) const EXPERIMENTS: &[Experiment] = &[Experiment {
    name: "table1",
    about: "the paper's Table I: routing policies as bytes, printed and ours",
    run: table1,
}];

/// A Pathlet as the table prints it: its length, its node, and whether the node has its highest bit raised.
type Field = (u32, u32, bool);

/// A row of the table.
struct Policy {
    category: &'static str,
    /// The route in the words of a scenario, from node 1, the source.
    route: &'static str,
    destinations: &'static [u32],
    /// What is printed, if the row survives.
    printed: Option<&'static [Field]>,
}

const POLICIES: [Policy; 6] = [
    Policy { category: "Direct", route: "1>2", destinations: &[2], printed: Some(&[(6, 2, true)]) },
    Policy {
        category: "Multi-hop",
        route: "1>2>3",
        destinations: &[3],
        printed: Some(&[(12, 2, false), (6, 3, false)]),
    },
    Policy {
        category: "Multicast",
        route: "1>{3,2>{4,5}}",
        destinations: &[2, 3, 4, 5],
        printed: Some(&[(6, 3, true), (18, 2, true), (6, 4, true), (6, 5, true)]),
    },
    Policy {
        category: "Multi-path, flow 1 (reconstructed)",
        route: "1>2",
        destinations: &[2],
        printed: None,
    },
    Policy {
        category: "Multi-path, flow 2 (reconstructed)",
        route: "1>3>2",
        destinations: &[2],
        printed: None,
    },
    Policy { category: "Redundant copies (ours)", route: "1>{2,3>2}", destinations: &[2], printed: None },
];

/// A policy as the core writes and reads it.
struct Coded {
    policy: &'static Policy,
    route: Route,
    bytes: Vec<u8>,
    /// Read out of the bytes by the core's parser, Pathlet by Pathlet.
    fields: Vec<Field>,
    /// The tree that the bytes say.
    read: Route,
}

fn table1(setting: &Setting<'_>) -> Result<Findings, Failure> {
    let coded = POLICIES.iter().map(code).collect::<Result<Vec<_>, _>>()?;
    let mut rows = printed_rows(&coded);
    let (searched, fits) = search_rows();
    rows.extend(searched);
    let trees = setting.seeds(10_000, 1_000);
    let broken = round_trips(trees)?;
    rows.push(Row {
        quantity: format!("random trees of {trees} that are not read as they were written"),
        ours: Some(broken as f64),
        band: Some((0.0, 0.0)),
        remark: format!("up to {NODES_MAX} nodes, up to {DEPTH_MAX} deep, seed 1"),
        ..Row::default()
    });
    let (overhead, plots) = overhead::of_trees()?;
    rows.extend(overhead);
    let all: Vec<u8> = coded.iter().flat_map(|it| it.bytes.clone()).collect();
    let digest = hex(&Sha256::digest(&all));
    let detail = json!({
        "digests": [digest],
        "policies": coded.iter().map(document).collect::<Vec<_>>(),
        "layouts": fits.iter().map(|it| json!({ "length_counts": it.convention.words(), "unit_bits": it.unit,
            "length_bytes": it.length, "id_bytes": it.id })).collect::<Vec<_>>(),
    });
    let page = Page {
        title: "Table I: routing policies represented by RoutingInfo".to_owned(),
        lead: "The routes of the paper's table, written as in a scenario, resolved by the scenario parser, encoded by the \
               core's encoder and read back by its parser, beside the numbers that the table prints. Which layouts of a \
               Pathlet could print these numbers is found by trying all."
            .to_owned(),
        reference: "paper".to_owned(),
        rows,
        tables: vec![table(&coded)],
        trees: coded.iter().map(|it| trees::drawing(it.policy.category, it.policy.route, &it.read)).collect(),
        plots,
        inputs: vec![
            input("printed rows", "Direct, Multi-hop, Multicast: 7 Pathlets", "reference: the paper, Table I"),
            input("multi-path row", "flows s>2d and s>3>2d", "assumed: the row is lost in the text that survives; two entries of a flow list, as section III.B says"),
            input("field widths", "2 B Length, 4 B Node ID", "derived: 6 B together is forced by the table, the split is not printed"),
            input("packet that overhead is a part of", "1,400 B", "assumed: what fits a path of 1,500 B with every header"),
        ],
        notes: vec![
            "A superscript 1 in the table is the highest bit of the Node ID: the next hop is a destination. In the multi-hop row it is missing at node 3, though the routing column marks that node as the destination: taken for lost in print, and counted as a difference below.".to_owned(),
            "The multi-path row cannot be compared: it is lost. Multi-path is several RoutingInfos, one for each flow, of which a packet carries one; copies of one packet on several paths are siblings within one RoutingInfo, which the table has no row for.".to_owned(),
            "Layouts that count words instead of bytes fit, too, with 12 or 24 bytes for each node; nothing that is printed speaks against them but their waste.".to_owned(),
            "Lengths are those of the RoutingInfo alone, at the source; a packet on its way carries the Pathlet of its next hop only.".to_owned(),
        ],
        ..Page::default()
    };
    Ok(Findings { page, seeds: 0, detail })
}

/// Writes a policy as a scenario, resolves it, and takes its route through the core's encoder and parser.
fn code(policy: &'static Policy) -> Result<Coded, Failure> {
    let pairs =
        (1..=5).flat_map(|a| (a + 1..=5).map(move |b| json!({ "between": [a, b], "delay": "10 ms" })));
    let scenario = json!({
        "bellini": 1, "duration": "1 s", "nodes": (1..=5).map(|id| json!({ "id": id })).collect::<Vec<_>>(),
        "links": pairs.collect::<Vec<_>>(),
        "conferences": [{ "id": 1, "sessions": [{ "id": 1, "source": 1, "destinations": policy.destinations,
            "content": { "kind": "constant", "rate": "1 Mbit/s" },
            "routing": { "policy": "static", "flows": [{ "route": policy.route, "share": 1 }] } }] }],
    });
    let loaded = parse_str("table1.json", &scenario.to_string(), &LoadOptions::default())
        .map_err(|refused| Failure::new(exit::SCENARIO, format!("{}:\n{refused}", policy.category)))?;
    let session = &loaded.scenario.conferences[0].sessions[0];
    let route = session.routing.flows[0].route.clone();
    let wrong = |fault| Failure::new(exit::FAILED, format!("{}: {fault}", policy.category));
    let bytes = encode(&route).map_err(wrong)?;
    let read = decode(&bytes).map_err(wrong)?;
    let mut fields = Vec::new();
    for (pathlet, _) in branches(&bytes).map_err(wrong)? {
        let (view, _) = split_first(pathlet)
            .map_err(|error| Failure::new(exit::FAILED, format!("{}: {error}", policy.category)))?;
        walk(pathlet.len(), &view, &mut fields);
    }
    Ok(Coded { policy, route, bytes, fields, read })
}

/// Appends the fields of a Pathlet and of those nested in it.
fn walk(length: usize, view: &PathletView<'_>, out: &mut Vec<Field>) {
    out.push((length as u32, view.node.get(), view.deliver));
    for (nested, _) in view.children() {
        if let Ok((view, _)) = split_first(nested) {
            walk(nested.len(), &view, out);
        }
    }
}

/// Rows that compare numbers with those printed.
fn printed_rows(coded: &[Coded]) -> Vec<Row> {
    let exactly = |value: f64| Some((value, value));
    let mut rows = Vec::new();
    for it in coded {
        let name = it.policy.category;
        let total = it.bytes.len() as f64;
        match it.policy.printed {
            Some(printed) => {
                let pairs = || printed.iter().zip(&it.fields);
                let numbers =
                    pairs().map(|(a, b)| u32::from(a.0 == b.0) + u32::from(a.1 == b.1)).sum::<u32>();
                let marks = pairs().filter(|(a, b)| a.2 != b.2).count();
                let wanted = 2.0 * printed.len() as f64;
                rows.push(Row {
                    quantity: format!("{name}: numbers equal to those printed, in their order"),
                    reference: Some(wanted),
                    ours: Some(if printed.len() == it.fields.len() { f64::from(numbers) } else { 0.0 }),
                    band: exactly(wanted),
                    remark: format!("printed {}, ours {}", line(printed), line(&it.fields)),
                    ..Row::default()
                });
                rows.push(Row {
                    quantity: format!("{name}: marks of destinations unlike those printed"),
                    ours: Some(marks as f64),
                    remark: if marks == 0 {
                        String::new()
                    } else {
                        "the superscript at node 3 is not in print, though the routing column marks it"
                            .to_owned()
                    },
                    ..Row::default()
                });
                // No total is printed: it is the sum of the top level.
                let top = if name == "Multicast" { 24.0 } else { f64::from(printed[0].0) };
                rows.push(Row {
                    quantity: format!("{name}: bytes of the RoutingInfo"),
                    unit: "B".to_owned(),
                    reference: Some(top),
                    ours: Some(total),
                    band: exactly(top),
                    remark: "the paper's: sum of the printed lengths of the top level".to_owned(),
                    ..Row::default()
                });
            }
            None => {
                let expected = 6.0 * it.fields.len() as f64;
                rows.push(Row {
                    quantity: format!("{name}: bytes of the RoutingInfo"),
                    unit: "B".to_owned(),
                    ours: Some(total),
                    band: exactly(expected),
                    remark: "nothing is printed; band: six bytes a node".to_owned(),
                    ..Row::default()
                });
            }
        }
    }
    let same = coded.iter().filter(|it| it.read == it.route).count() as f64;
    rows.push(Row {
        quantity: format!("rows of {} that are read back as they were written", coded.len()),
        ours: Some(same),
        band: exactly(coded.len() as f64),
        remark: "routing tree, destinations included".to_owned(),
        ..Row::default()
    });
    rows
}

/// Tries all layouts; rows, and the layouts that fit.
fn search_rows() -> (Vec<Row>, Vec<Layout>) {
    let printed: Vec<(Route, Vec<u32>)> =
        [("2d", &POLICIES[0]), ("2>3d", &POLICIES[1]), ("{3d,2d>{4d,5d}}", &POLICIES[2])]
            .into_iter()
            .filter_map(|(text, policy)| {
                Some((Route::parse(text).ok()?, policy.printed?.iter().map(|field| field.0).collect()))
            })
            .collect();
    let fits = |layout: &Layout| {
        printed.iter().all(|(route, lengths)| layout.lengths(route).as_ref() == Some(lengths))
    };
    let mut rows = Vec::new();
    let mut all = Vec::new();
    for (unit, words) in UNITS {
        let tried = Layout::all(unit).count();
        let found: Vec<Layout> = Layout::all(unit).filter(fits).collect();
        let usable: Vec<&Layout> = found.iter().filter(|it| it.length > 0).collect();
        let whole = usable.iter().filter(|it| it.convention == Convention::Whole).count();
        let is_bytes = unit == 8;
        let splits: Vec<String> = usable.iter().map(|it| format!("{}+{}", it.length, it.id)).collect();
        rows.push(Row {
            quantity: format!(
                "layouts of {tried} with a Length field in {words} that print the table's numbers"
            ),
            ours: Some(usable.len() as f64),
            band: is_bytes.then_some((5.0, 5.0)),
            remark: if usable.is_empty() {
                "none".to_owned()
            } else {
                format!("Length + Node ID in bytes: {}", splits.join(", "))
            },
            ..Row::default()
        });
        if is_bytes {
            rows.push(Row {
                quantity: "of those: in which Length counts anything but the whole Pathlet".to_owned(),
                ours: Some((usable.len() - whole) as f64),
                band: Some((0.0, 0.0)),
                remark: "so Length covers itself, the Node ID and what is nested, and both fields have 6 bytes together".to_owned(),
                ..Row::default()
            });
            rows.push(Row {
                quantity: "layouts that would fit if Length had no bytes".to_owned(),
                ours: Some((found.len() - usable.len()) as f64),
                remark: "arithmetic only: a field without bytes says nothing".to_owned(),
                ..Row::default()
            });
        }
        all.extend(found);
    }
    (rows, all)
}

/// Returns how many of `count` random trees are not read as they were written.
fn round_trips(count: u64) -> Result<u64, Failure> {
    let mut stream = Seed(1).stream("table1:trees");
    let mut broken = 0;
    for _ in 0..count {
        let nodes = 1 + stream.below(u64::from(NODES_MAX)) as u32;
        let mut left: Vec<u32> = (2..2 + nodes).rev().collect();
        let mut route = Route { branches: Vec::new() };
        while let Some(id) = left.pop() {
            // Each node goes below a random one, or to the top.
            let mut at = &mut route.branches;
            let mut depth = 0;
            while depth + 1 < DEPTH_MAX && !at.is_empty() && stream.below(3) > 0 {
                let pick = stream.below(at.len() as u64) as usize;
                at = &mut at[pick].next;
                depth += 1;
            }
            at.push(Branch { node: node(id)?, deliver: true, next: Vec::new() });
        }
        let read = encode(&route).ok().and_then(|bytes| decode(&bytes).ok());
        broken += u64::from(read.as_ref() != Some(&route));
    }
    Ok(broken)
}

fn node(id: u32) -> Result<NodeId, Failure> {
    NodeId::new(id).ok_or_else(|| Failure::new(exit::FAILED, format!("{id} is no node id")))
}

/// Returns fields in the way that the table prints them.
fn line(fields: &[Field]) -> String {
    let one = |&(length, id, mark): &Field| format!("{length} {}{id}", if mark { "\u{b9}" } else { "" });
    fields.iter().map(one).collect::<Vec<_>>().join(" ")
}

fn table(coded: &[Coded]) -> TextTable {
    let row = |it: &Coded| {
        let printed = it.policy.printed.map_or_else(|| "(not in the text that survives)".to_owned(), line);
        vec![
            it.policy.category.to_owned(),
            it.policy.route.to_owned(),
            printed,
            line(&it.fields),
            pathlets(&it.bytes),
            trees::text(&it.read),
        ]
    };
    TextTable {
        title: "Byte strings side by side".to_owned(),
        caption: "Length and Node ID of each Pathlet in the order of the bytes, \u{b9} for the highest bit, then our bytes in \
                  hexadecimal, a Pathlet's header a line, and the tree that the core's parser reads out of them. Node 1 is the source s."
            .to_owned(),
        head: ["routing", "as a scenario says it", "the paper prints", "ours", "our bytes", "read back"].map(str::to_owned).to_vec(),
        rows: coded.iter().map(row).collect(),
    }
}

fn pathlets(bytes: &[u8]) -> String {
    let one = |chunk: &[u8]| format!("{} {}", hex(&chunk[..2]), hex(&chunk[2..]));
    bytes.chunks_exact(6).map(one).collect::<Vec<_>>().join("\n")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn document(it: &Coded) -> Value {
    json!({
        "category": it.policy.category, "route": it.policy.route, "printed": it.policy.printed.map(line),
        "ours": line(&it.fields), "bytes": hex(&it.bytes), "read_back": it.read.to_string(),
    })
}
