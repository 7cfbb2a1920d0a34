//! Links, bottlenecks and cross traffic.

use super::names::Names;
use super::values::{as_rate, as_time, flag_or, integer_or, number_or, size, text, time, time_or};
use crate::data::traces;
use crate::model::{
    Bottleneck, Jitter, JitterModel, Link, Loss, Provenance, Queue, QueueDiscipline, Rate, RateTrace,
};
use crate::parse::sink::{Sink, listed, nearest};
use crate::parse::tree::{Json, Span, Tree};
use bellini_core::ids::NodeId;
use bellini_core::time::Duration;
use bellini_core::units::BitRate;
use std::collections::BTreeMap;

/// Smallest default queue, and the size of queues that are never used: 64 KiB.
pub(crate) const QUEUE_BYTES_LEAST: u64 = 64 << 10;

/// Largest IP packet on a link that says nothing about it, in bytes.
const MTU_DEFAULT: u32 = 1_500;

/// Links by their ends.
#[derive(Default)]
pub(crate) struct Links {
    pub(crate) links: BTreeMap<(NodeId, NodeId), Link>,
    /// Where each was written.
    pub(crate) spans: BTreeMap<(NodeId, NodeId), Span>,
    pub(crate) provenance: Vec<Provenance>,
}

impl Links {
    /// Returns the next hops of a node, in order.
    pub(crate) fn neighbours(&self, from: NodeId) -> Vec<NodeId> {
        let first = NodeId::new(1).expect("1 is a node id");
        let last = NodeId::new(NodeId::MAX).expect("the largest id is one");
        self.links.range((from, first)..=(from, last)).map(|((_, to), _)| *to).collect()
    }

    /// Returns the position of a source of figures, which is added when it is new.
    pub(crate) fn provenance_of(&mut self, provenance: Provenance) -> usize {
        let known = self.provenance.iter().position(|known| *known == provenance);
        known.unwrap_or_else(|| {
            self.provenance.push(provenance);
            self.provenance.len() - 1
        })
    }
}

/// Returns the default queue: what passes in 100 ms, at least 64 KiB.
pub(crate) fn default_queue_bytes(rate: Option<BitRate>) -> u64 {
    rate.map_or(0, |rate| rate.bytes_in(Duration::from_millis(100))).max(QUEUE_BYTES_LEAST)
}

/// Reads the links that are written out.
pub(crate) fn links(root: &Tree, names: &Names, bottlenecks: &[Bottleneck], sink: &mut Sink) -> Links {
    let mut all = Links { provenance: written_provenance(root), ..Links::default() };
    for tree in root.get("links").map_or(&[][..], Tree::items) {
        let ends = ends(tree, names, sink);
        let properties = properties(tree, bottlenecks, sink);
        let delay = time(tree, "delay");
        let provenance = provenance(tree, &mut all, sink);
        let Some(ends) = ends else { continue };
        // A link with a wrong figure is still a link: routes over it are not wrong.
        let (properties, delay) = (properties.unwrap_or_default(), delay.unwrap_or_default());
        for (from, to) in ends {
            let key = (from, to);
            if let Some(first) = all.spans.get(&key) {
                let message = format!("two links go from {} to {}", names.name(from), names.name(to));
                sink.error("E0602", place(tree), message, "again here").also(*first, "first here");
                continue;
            }
            all.spans.insert(key, place(tree));
            all.links.insert(key, properties.link(from, to, delay, provenance.clone()));
        }
    }
    all
}

fn place(tree: &Tree) -> Span {
    let ends = tree.get("between").or_else(|| tree.get("from"));
    ends.map_or(Span { end: tree.span.start + 1, ..tree.span }, |tree| tree.span)
}

/// Returns one or two (from, to) pairs.
fn ends(tree: &Tree, names: &Names, sink: &mut Sink) -> Option<Vec<(NodeId, NodeId)>> {
    let (a, b, both) = match (tree.get("between"), tree.get("from"), tree.get("to")) {
        (Some(pair), None, None) => {
            let [a, b] = pair.items() else { return None };
            (a, b, true)
        }
        (None, Some(a), Some(b)) => (a, b, false),
        (None, Some(from), None) => {
            sink.error("E0202", from.span, "`to` is missing in this link", "a link from here to nowhere")
                .help("add \"to\", or give both ends with \"between\": [1, 2]");
            return None;
        }
        (Some(between), _, Some(to)) => {
            sink.error("E0211", to.span, "`between` and `to` cannot be given together", "")
                .also(between.span, "given here");
            return None;
        }
        _ => return None,
    };
    let (from, to) = (names.find(a, sink), names.find(b, sink));
    let (from, to) = (from?, to?);
    if from == to {
        let message = format!("a link from {} to itself", names.name(from));
        sink.error("E0601", place(tree), message, "");
        return None;
    }
    Some(if both { vec![(from, to), (to, from)] } else { vec![(from, to)] })
}

fn written_provenance(root: &Tree) -> Vec<Provenance> {
    let entry = |tree: &Tree| {
        let text = |key| Some(text(tree, key)?.to_owned());
        Some(Provenance {
            dataset: text("dataset")?,
            gives: text("gives")?,
            source: text("source")?,
            date: text("date")?,
        })
    };
    root.get("provenance").map_or(&[][..], Tree::items).iter().filter_map(entry).collect()
}

fn provenance(tree: &Tree, all: &mut Links, sink: &mut Sink) -> Vec<usize> {
    let mut positions = Vec::new();
    for item in tree.get("provenance").map_or(&[][..], Tree::items) {
        let Some(position) = item.integer() else { continue };
        let count = all.provenance.len();
        match usize::try_from(position) {
            Ok(position) if position < count => positions.push(position),
            _ => {
                let message = format!("there is no provenance {position}: the file gives {count}");
                sink.error("E0304", item.span, message, "counted from 0");
            }
        }
    }
    if let Some(source) = text(tree, "source") {
        positions.push(all.provenance_of(Provenance {
            dataset: "scenario".to_owned(),
            gives: "link figures".to_owned(),
            source: source.to_owned(),
            date: text(tree, "date").unwrap_or("not given").to_owned(),
        }));
    } else if let Some(date) = tree.get("date") {
        sink.error("E0202", date.span, "a `date` without a `source` says little", "")
            .help("add \"source\": who measured it, and where it is published");
    }
    positions
}

/// What a link is besides its ends and its delay.
#[derive(Clone)]
pub(crate) struct Properties {
    pub(crate) rate: Rate,
    /// As written; without it, the queue follows the rate.
    pub(crate) queue: Option<(Option<u64>, QueueDiscipline)>,
    jitter: Option<Jitter>,
    pub(crate) loss: Loss,
    pub(crate) mtu: u32,
    usd_per_gb: Option<f64>,
}

impl Default for Properties {
    fn default() -> Self {
        Self {
            rate: Rate::Unlimited,
            queue: None,
            jitter: None,
            loss: Loss::None,
            mtu: MTU_DEFAULT,
            usd_per_gb: None,
        }
    }
}

impl Properties {
    /// Returns the link with these properties.
    pub(crate) fn link(&self, from: NodeId, to: NodeId, delay: Duration, provenance: Vec<usize>) -> Link {
        Link {
            from,
            to,
            delay,
            rate: self.rate.clone(),
            queue: finished_queue(self.queue, &self.rate),
            jitter: self.jitter,
            loss: self.loss.clone(),
            mtu: self.mtu,
            usd_per_gb: self.usd_per_gb,
            provenance,
        }
    }
}

fn finished_queue(written: Option<(Option<u64>, QueueDiscipline)>, rate: &Rate) -> Queue {
    let typical = match rate {
        Rate::Constant(rate) => Some(*rate),
        Rate::Trace(trace) => mean_of_trace(trace),
        Rate::Unlimited | Rate::Shared(_) => None,
    };
    let (bytes, discipline) = written.unwrap_or((None, QueueDiscipline::DropTail));
    Queue { bytes: bytes.unwrap_or_else(|| default_queue_bytes(typical)), discipline }
}

fn mean_of_trace(trace: &RateTrace) -> Option<BitRate> {
    let weigh = |(span, rate): &(Duration, Option<BitRate>)| {
        u128::from(span.as_nanos()) * u128::from(rate.map_or(0, BitRate::as_bps))
    };
    let bits: u128 = trace.steps.iter().map(weigh).sum();
    let span: u128 = trace.steps.iter().map(|step| u128::from(step.0.as_nanos())).sum();
    BitRate::from_bps(u64::try_from(bits / span.max(1)).unwrap_or(u64::MAX))
}

/// Reads what a link is besides its ends and its delay.
pub(crate) fn properties(tree: &Tree, bottlenecks: &[Bottleneck], sink: &mut Sink) -> Option<Properties> {
    let queue = tree.get("queue").map(|tree| queue(tree, sink));
    let jitter = tree.get("jitter").map(jitter);
    let loss = tree.get("loss").map_or(Some(Loss::None), |tree| loss(tree, sink));
    let own_rate = tree.get("rate").map_or(Some(Rate::Unlimited), |tree| link_rate(tree, sink));
    let rate = match tree.get("bottleneck") {
        Some(name) => shared(name, tree, bottlenecks, sink),
        None => own_rate,
    };
    Some(Properties {
        rate: rate?,
        queue: flatten(queue)?,
        jitter: flatten(jitter)?,
        loss: loss?,
        mtu: u32::try_from(integer_or(tree, "mtu", u64::from(MTU_DEFAULT))).ok()?,
        usd_per_gb: tree.get("usd_per_gb").and_then(Tree::number),
    })
}

/// An absent key is fine, a wrong one is not.
fn flatten<T>(value: Option<Option<T>>) -> Option<Option<T>> {
    match value {
        None => Some(None),
        Some(inner) => inner.map(Some),
    }
}

fn shared(name: &Tree, tree: &Tree, bottlenecks: &[Bottleneck], sink: &mut Sink) -> Option<Rate> {
    for key in ["rate", "queue"] {
        if let Some(member) = tree.member(key) {
            sink.error(
                "E0211",
                member.key_span,
                format!("`bottleneck` and `{key}` cannot be given together"),
                "",
            )
            .also(name.span, "this bottleneck queues and serialises the link's packets");
        }
    }
    let wanted = name.text()?;
    let found = bottlenecks.iter().position(|bottleneck| bottleneck.name == wanted);
    if found.is_none() {
        let known = || bottlenecks.iter().map(|bottleneck| bottleneck.name.as_str());
        let error = sink.error("E0303", name.span, format!("there is no bottleneck \"{wanted}\""), "");
        if let Some(meant) = nearest(wanted, known()) {
            error.help(format!("did you mean \"{meant}\"?"));
        }
        error.help(format!("bottlenecks: {}", listed(known())));
    }
    found.map(Rate::Shared)
}

/// Reads the rate of a serialiser.
pub(crate) fn link_rate(tree: &Tree, sink: &mut Sink) -> Option<Rate> {
    match &tree.value {
        Json::Text(word) if word == "unlimited" => Some(Rate::Unlimited),
        Json::Text(_) => as_rate(tree).map(Rate::Constant),
        Json::Object(_) => rate_trace(tree, sink).map(Rate::Trace),
        _ => None,
    }
}

fn rate_trace(tree: &Tree, sink: &mut Sink) -> Option<RateTrace> {
    if let Some(named) = tree.get("trace") {
        let name = named.text()?;
        let found = traces::rate_trace(name);
        if found.is_none() {
            unknown_trace("rate trace", named, &traces::rate_trace_names(), sink);
        }
        return found;
    }
    let steps = tree.get("steps")?;
    let step = |item: &Tree| {
        let [span, rate] = item.items() else { return None };
        let bits = rate.text().and_then(|text| crate::units::parse_rate(text).ok())?;
        Some((as_time(span)?, bits))
    };
    let list: Vec<_> = steps.items().iter().map(step).collect::<Option<_>>()?;
    if !list.is_empty() && list.iter().all(|(_, rate)| rate.is_none()) {
        sink.error("E0210", steps.span, "all steps of this rate are zero", "nothing would ever pass");
        return None;
    }
    Some(RateTrace { name: text(tree, "name").unwrap_or("steps").to_owned(), steps: list })
}

/// Notes a name that no embedded trace has.
pub(crate) fn unknown_trace(what: &str, tree: &Tree, known: &[&str], sink: &mut Sink) {
    let Some(name) = tree.text() else { return };
    let error = sink.error("E0304", tree.span, format!("there is no {what} \"{name}\""), "unknown name");
    if let Some(meant) = nearest(name, known.iter().copied()) {
        error.help(format!("did you mean \"{meant}\"?"));
    }
    error.help(format!("known: {}", listed(known.iter().copied())));
}

fn queue(tree: &Tree, sink: &mut Sink) -> Option<(Option<u64>, QueueDiscipline)> {
    if tree.text().is_some() {
        let bytes = crate::units::Quantity::Size.parse(tree.text()?).ok().filter(|bytes| *bytes > 0)?;
        return Some((Some(bytes), QueueDiscipline::DropTail));
    }
    let bytes = tree.get("bytes").map(|_| size(tree, "bytes"));
    let discipline =
        tree.get("discipline").map_or(Some(QueueDiscipline::DropTail), |tree| discipline(tree, sink));
    Some((flatten(bytes)?, discipline?))
}

fn discipline(tree: &Tree, sink: &mut Sink) -> Option<QueueDiscipline> {
    if tree.text() == Some("drop-tail") {
        return Some(QueueDiscipline::DropTail);
    }
    if let Some(codel) = tree.get("codel") {
        return Some(QueueDiscipline::CoDel {
            target: time_or(codel, "target", Duration::from_millis(5))?,
            interval: time_or(codel, "interval", Duration::from_millis(100))?,
        });
    }
    let red = tree.get("red")?;
    let (min_bytes, max_bytes) = (size(red, "min")?, size(red, "max")?);
    if min_bytes >= max_bytes {
        let (min, max) = (red.get("min")?.span, red.get("max")?.span);
        sink.error("E0603", max, "RED's `max` must be above its `min`", "not above").also(min, "`min`");
        return None;
    }
    Some(QueueDiscipline::Red {
        min_bytes,
        max_bytes,
        max_probability: number_or(red, "max_probability", 0.1),
        wait: flag_or(red, "wait", false),
        weight: number_or(red, "weight", 0.002),
    })
}

fn jitter(tree: &Tree) -> Option<Jitter> {
    let model = if let Some(span) = time(tree, "uniform") {
        JitterModel::Uniform(span)
    } else if let Some(span) = time(tree, "exponential") {
        JitterModel::Exponential(span)
    } else {
        JitterModel::HalfNormal(time(tree, "half_normal")?)
    };
    Some(Jitter { model, reorder: flag_or(tree, "reorder", false) })
}

fn loss(tree: &Tree, sink: &mut Sink) -> Option<Loss> {
    let independent = |p: f64| if p == 0.0 { Loss::None } else { Loss::Bernoulli(p) };
    if let Some(p) = tree.number() {
        return Some(independent(p));
    }
    if let Some(p) = tree.get("bernoulli") {
        return p.number().map(independent);
    }
    if let Some(model) = tree.get("gilbert_elliott") {
        return Some(Loss::GilbertElliott {
            good_to_bad: model.get("good_to_bad")?.number()?,
            bad_to_good: model.get("bad_to_good")?.number()?,
            loss_good: number_or(model, "loss_good", 0.0),
            loss_bad: number_or(model, "loss_bad", 1.0),
        });
    }
    if let Some(model) = tree.get("gilbert_elliott_time") {
        return Some(Loss::GilbertElliottTime {
            mean_good: time(model, "mean_good")?,
            mean_bad: time(model, "mean_bad")?,
            loss_good: number_or(model, "loss_good", 0.0),
            loss_bad: number_or(model, "loss_bad", 1.0),
        });
    }
    let pattern = tree.get("trace")?;
    let written = pattern.text()?;
    if written.is_empty() || !written.bytes().all(|byte| matches!(byte, b'0' | b'1')) {
        sink.error("E0206", pattern.span, "a loss trace is made of `0` (passes) and `1` (lost)", "");
        return None;
    }
    Some(Loss::Trace(written.bytes().map(|byte| byte == b'1').collect()))
}

/// Reads the bottlenecks.
pub(crate) fn bottlenecks(root: &Tree, sink: &mut Sink) -> Vec<Bottleneck> {
    let mut all: Vec<Bottleneck> = Vec::new();
    let mut spans: Vec<Span> = Vec::new();
    for tree in root.get("bottlenecks").map_or(&[][..], Tree::items) {
        let Some(named) = tree.get("name") else { continue };
        let Some(name) = named.text() else { continue };
        if let Some(first) = all.iter().position(|known| known.name == name) {
            sink.error(
                "E0307",
                named.span,
                format!("two bottlenecks have the name \"{name}\""),
                "again here",
            )
            .also(spans[first], "first here");
            continue;
        }
        let rate = tree.get("rate").and_then(|tree| link_rate(tree, sink));
        let queue = flatten(tree.get("queue").map(|tree| queue(tree, sink)));
        // A broken one is kept under its name: links that say it are not wrong.
        let rate = rate.unwrap_or(Rate::Unlimited);
        let queue = finished_queue(queue.flatten(), &rate);
        spans.push(named.span);
        all.push(Bottleneck { name: name.to_owned(), rate, queue });
    }
    all
}
