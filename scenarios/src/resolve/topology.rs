//! Links filled in from measured data.

use super::links::{Links, Properties, properties, unknown_trace};
use super::names::Names;
use super::values::flag_or;
use crate::data::{Dataset, dataset, dataset_names};
use crate::model::{Bottleneck, Node, Rate};
use crate::parse::sink::{Sink, listed};
use crate::parse::tree::{Json, Member, Tree};
use bellini_core::ids::NodeId;
use bellini_core::time::Duration;

/// Keys of `topology` that stand before those of `defaults.link`.
const LINK_KEYS: [&str; 4] = ["rate", "queue", "mtu", "loss"];
/// How many pairs without a measured delay are named.
const PAIRS_NAMED_MAX: usize = 5;

/// Adds a link for every ordered pair of nodes with regions that has none.
pub(crate) fn fill(
    root: &Tree,
    nodes: &[Node],
    names: &Names,
    bottlenecks: &[Bottleneck],
    links: &mut Links,
    sink: &mut Sink,
) {
    let Some(topology) = root.get("topology") else { return };
    let Some(named) = topology.get("dataset") else { return };
    let Some(data) = named.text().and_then(dataset) else {
        return unknown_trace("data set", named, dataset_names(), sink);
    };
    if !flag_or(topology, "mesh", true) {
        return;
    }
    let template = template(root, topology);
    let template = properties(&template, bottlenecks, sink).unwrap_or_default();
    let mut filler = Filler {
        data,
        take_rates: flag_or(topology, "rates", false),
        take_prices: flag_or(topology, "prices", true),
        template,
        links,
    };
    let placed = placed(root, nodes, data, sink);
    let mut unmeasured = Vec::new();
    for &(from, source) in &placed {
        for &(to, destination) in &placed {
            if from != to && !filler.add((from, source), (to, destination)) {
                unmeasured.push(format!("{} and {}", names.name(from), names.name(to)));
            }
        }
    }
    if !unmeasured.is_empty() {
        let message = format!("\"{}\" has no delay for {} pairs of nodes", data.name(), unmeasured.len());
        let shown =
            unmeasured.iter().take(PAIRS_NAMED_MAX).map(String::as_str).collect::<Vec<_>>().join("; ");
        sink.error("E0305", named.span, message, "not measured between all of them")
            .help(format!("for instance between {shown}"))
            .help("write these links out under \"links\"");
    }
}

/// What all filled links have: `topology`'s own keys, then the defaults of links.
fn template(root: &Tree, topology: &Tree) -> Tree {
    let own = topology.members().iter().filter(|member| LINK_KEYS.contains(&member.key.as_str()));
    let mut members: Vec<Member> = own.cloned().collect();
    let defaults = root.get("defaults").and_then(|defaults| defaults.get("link"));
    for member in defaults.map_or(&[][..], Tree::members) {
        let given = |key: &str| members.iter().any(|known| known.key == key);
        let excluded = match member.key.as_str() {
            "bottleneck" => given("rate") || given("queue"),
            "rate" | "queue" => given("bottleneck"),
            _ => false,
        };
        if !given(&member.key) && !excluded {
            members.push(member.clone());
        }
    }
    Tree { span: topology.span, value: Json::Object(members) }
}

/// Returns the nodes whose region the data set has; notes those that it has not.
fn placed<'n>(root: &Tree, nodes: &'n [Node], data: &Dataset, sink: &mut Sink) -> Vec<(NodeId, &'n str)> {
    let known = data.regions();
    let mut placed = Vec::new();
    for node in nodes {
        let Some(region) = node.region.as_deref() else { continue };
        if known.contains(&region) {
            placed.push((node.id, region));
            continue;
        }
        let trees = root.get("nodes").map_or(&[][..], Tree::items);
        let place = trees.iter().filter_map(|tree| tree.get("region"));
        for tree in place.filter(|tree| tree.text() == Some(region)) {
            let message = format!("\"{}\" has no delays of region \"{region}\"", data.name());
            let provider = region.split(':').next().unwrap_or_default();
            let alike = known.iter().copied().filter(|known| known.starts_with(provider));
            sink.error("E0305", tree.span, message, "not in the data set")
                .help(format!("it has: {}", listed(alike)));
        }
    }
    placed
}

struct Filler<'a> {
    data: &'static Dataset,
    take_rates: bool,
    take_prices: bool,
    template: Properties,
    links: &'a mut Links,
}

impl Filler<'_> {
    /// Adds one link unless there is one; `false`: the data set has no delay for it.
    fn add(&mut self, (from, source): (NodeId, &str), (to, destination): (NodeId, &str)) -> bool {
        if self.links.links.contains_key(&(from, to)) {
            return true;
        }
        let Some(rtt) = self.data.rtt(source, destination) else { return false };
        let mut provenance = vec![self.links.provenance_of(self.data.provenance_delays())];
        let mut properties = self.template.clone();
        if let (true, Some(rate)) = (self.take_rates, self.data.rate(source, destination)) {
            properties.rate = Rate::Constant(rate);
            let source = self.data.provenance_rates();
            provenance.extend(source.map(|source| self.links.provenance_of(source)));
        }
        let delay = Duration::from_nanos(rtt.as_nanos() / 2);
        let price = self.data.usd_per_gb(source, destination).filter(|_| self.take_prices);
        if price.is_some() {
            let source = self.data.provenance_prices();
            provenance.extend(source.map(|source| self.links.provenance_of(source)));
        }
        let mut link = properties.link(from, to, delay, provenance);
        link.usd_per_gb = price.or(link.usd_per_gb);
        self.links.links.insert((from, to), link);
        true
    }
}
