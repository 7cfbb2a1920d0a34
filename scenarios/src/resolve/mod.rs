//! From a checked tree to the model: names become ids, defaults become values, and what contradicts itself is
//! noted.

mod billing;
mod churn;
mod coding;
mod content;
mod cross;
mod faults;
mod flows;
mod links;
mod listing;
mod names;
mod nodes;
mod policies;
mod population;
mod reach;
mod routes;
mod sessions;
mod times;
mod topology;
mod values;

pub(crate) use coding::added_bytes;
pub use content::mean_rate;

use crate::model::{Link, Measure, Node, Planner, Scenario, View};
use crate::parse::LoadOptions;
use crate::parse::sink::Sink;
use crate::parse::tree::{Span, Tree};
use crate::units::format_time;
use bellini_core::config::{FailoverConfig, ProbingConfig};
use bellini_core::ids::NodeId;
use bellini_core::time::Duration;
use links::Links;
use names::Names;
use values::{flag_or, integer_or, number_or, text, time, time_or};

/// Version of the text form.
pub(crate) const FORMAT: u64 = 1;

/// The network that sessions run over, and how long.
pub(crate) struct Network<'a> {
    pub(crate) names: &'a Names,
    pub(crate) nodes: &'a [Node],
    pub(crate) links: &'a Links,
    pub(crate) duration: Duration,
}

/// Resolves a scenario; `None` only when too little is right. Errors are in `sink` either way.
pub(crate) fn scenario(root: &Tree, stem: &str, options: &LoadOptions, sink: &mut Sink) -> Option<Scenario> {
    check_format(root, sink);
    let names = Names::read(root, sink);
    let bottlenecks = links::bottlenecks(root, sink);
    let mut nodes = nodes::nodes(root, &names, sink);
    let mut links = links::links(root, &names, &bottlenecks, sink);
    topology::fill(root, &nodes, &names, &bottlenecks, &mut links, sink);
    nodes::hop_rates(root, &mut nodes, &names, &|node| links.neighbours(node), sink);
    let view = view(root);
    let listing = listing::listing(root, &names, sink);
    let planner = planner(root, &names, listing.map(|listing| listing.node), sink);
    // A run without its duration cannot be judged any further in time; any will do to look at the rest.
    let given = time(root, "duration").filter(|duration| !duration.is_zero());
    let duration = given.unwrap_or(Duration::from_secs(366 * 24 * 3_600));
    let drain = time_or(root, "drain", Duration::from_secs(1)).unwrap_or_default();
    let measure = measure(root, duration, sink);
    let order: Vec<(NodeId, NodeId)> = links.links.keys().copied().collect();
    let position = |from, to| order.binary_search(&(from, to)).ok();
    let cross_traffic = cross::cross_traffic(root, &names, &position, duration, sink);
    let parts = faults::Parts { names: &names, position: &position, end: duration + drain };
    let faults = faults::faults(root, &parts, sink);
    let network = Network { names: &names, nodes: &nodes, links: &links, duration };
    let policies = policies::Policies::new(&options.policies, &names);
    let seed = options.seed.unwrap_or_else(|| integer_or(root, "seed", 1));
    let mut reach = reach::Reach::default();
    let mut conferences = sessions::conferences(root, &network, &policies, &mut reach, sink);
    population::expand(root, &network, &policies, seed, (&mut reach, &mut conferences), sink);
    conferences.sort_by_key(|conference| conference.id);
    if let Some(listing) = listing {
        listing::check(root, listing, &conferences, (&network, &mut reach), sink);
    }
    let duration = given?;
    let sample_interval = time_or(root, "sample_interval", default_sample_interval(duration))?;
    if duration.as_nanos() / sample_interval.as_nanos().max(1) > SAMPLES_MAX
        && let Some(given) = root.get("sample_interval")
    {
        let least = Duration::from_nanos(duration.as_nanos().div_ceil(SAMPLES_MAX));
        let message =
            format!("`sample_interval` makes more than {SAMPLES_MAX} samples of a run of {duration}");
        sink.error("E0206", given.span, message, "too short").help(format!("at least {least} for this run"));
    }
    Some(Scenario {
        name: text(root, "name").map_or_else(|| name_from(stem), str::to_owned),
        description: text(root, "description").unwrap_or_default().to_owned(),
        seed,
        duration,
        settle: time_or(root, "settle", Duration::from_secs(1))?,
        drain,
        measure: measure?,
        sample_interval,
        report_interval: time_or(root, "report_interval", Duration::from_secs(30))?,
        view,
        planner,
        listing,
        seal: flag_or(root, "seal", false),
        failover: failover(root, sink),
        probing: probing(root, sink),
        billing: billing::billing(root, sample_interval, sink),
        bottlenecks,
        cross_traffic,
        conferences,
        faults,
        provenance: links.provenance,
        links: links.links.into_values().collect::<Vec<Link>>(),
        nodes,
    })
}

fn check_format(root: &Tree, sink: &mut Sink) {
    let Some(written) = root.get("bellini") else { return };
    if let Some(version) = written.integer().filter(|version| *version != FORMAT) {
        let message = format!("this is format version {version}; this program reads version {FORMAT}");
        sink.error("E0209", written.span, message, "").help("write \"bellini\": 1");
    }
}

fn view(root: &Tree) -> View {
    match root.get("view").and_then(Tree::text) {
        Some("measured") => View::Measured,
        // Other words were refused already.
        _ => View::Oracle,
    }
}

/// `listing`: who decides where no node is named.
fn planner(root: &Tree, names: &Names, listing: Option<NodeId>, sink: &mut Sink) -> Planner {
    let default = Planner { node: listing, time: Duration::ZERO, period: Duration::from_secs(30) };
    let Some(tree) = root.get("planner") else { return default };
    Planner {
        node: names.find_at(tree, "node", sink).or(default.node),
        time: time_or(tree, "time", default.time).unwrap_or(default.time),
        period: time_or(tree, "period", default.period).unwrap_or(default.period),
    }
}

fn failover(root: &Tree, sink: &mut Sink) -> Option<FailoverConfig> {
    let tree = root.get("failover")?;
    let default = FailoverConfig::default();
    let keepalive = time_or(tree, "keepalive", default.keepalive)?;
    if let Some(given) = tree.get("keepalive")
        && !(KEEPALIVE_MIN..=KEEPALIVE_MAX).contains(&keepalive)
    {
        let message = format!("keepalives every {} are not possible", format_time(keepalive));
        sink.error("E0206", given.span, message, "5 ms to 10 s").help("the default is 75 ms");
    }
    let lost = integer_or(tree, "lost", u64::from(default.lost));
    Some(FailoverConfig { keepalive, lost: u32::try_from(lost).unwrap_or(default.lost) })
}

fn probing(root: &Tree, sink: &mut Sink) -> Option<ProbingConfig> {
    let tree = root.get("probing")?;
    let usual = ProbingConfig::default();
    let interval = time_or(tree, "interval", usual.interval)?;
    let timeout = time_or(tree, "timeout", usual.timeout)?;
    for (key, time) in [("interval", interval), ("timeout", timeout)] {
        if let Some(given) = tree.get(key).filter(|_| time < PROBING_MIN) {
            let message = format!("`{key}` of probes cannot be {}", format_time(time));
            sink.error("E0206", given.span, message, "at least 10 ms");
        }
    }
    Some(ProbingConfig {
        share: number_or(tree, "share", usual.share),
        train: integer_or(tree, "train", u64::from(usual.train)) as u8,
        interval,
        jitter: number_or(tree, "jitter", usual.jitter),
        timeout,
        outage: integer_or(tree, "outage", u64::from(usual.outage)) as u32,
        loss: number_or(tree, "loss", usual.loss),
        ..usual
    })
}

/// Probes that come more often are a load of their own.
const PROBING_MIN: Duration = Duration::from_millis(10);

/// Keepalives that come more often are a load of their own; later ones find nothing in time.
const KEEPALIVE_MIN: Duration = Duration::from_millis(5);
const KEEPALIVE_MAX: Duration = Duration::from_secs(10);

fn measure(root: &Tree, duration: Duration, sink: &mut Sink) -> Option<Measure> {
    let whole = Measure { from: Duration::ZERO, to: duration };
    let Some(tree) = root.get("measure") else { return Some(whole) };
    let measure = Measure { from: time_or(tree, "from", whole.from)?, to: time_or(tree, "to", whole.to)? };
    let opening = Span { end: tree.span.start + 1, ..tree.span };
    let place = |key: &str| tree.get(key).map_or(opening, |tree| tree.span);
    if measure.to > duration {
        let message =
            format!("the window ends at {}, the run at {}", format_time(measure.to), format_time(duration));
        sink.error("E0503", place("to"), message, "after the end of the run");
    } else if measure.from >= measure.to {
        let message =
            format!("the window from {} to {} is empty", format_time(measure.from), format_time(measure.to));
        sink.error("E0503", place("from"), message, "not before its end");
    }
    Some(measure)
}

/// Most samples of a run: series.csv has some rows for each thing at each of them.
const SAMPLES_MAX: u64 = 100_000;

/// A hundredth of the duration in whole milliseconds, 10 ms to 10 s.
fn default_sample_interval(duration: Duration) -> Duration {
    Duration::from_millis((duration.as_nanos() / 100 + 500_000) / 1_000_000)
        .clamp(Duration::from_millis(10), Duration::from_secs(10))
}

/// Makes a name of a file's: what a name cannot have becomes `-`.
fn name_from(stem: &str) -> String {
    let kept = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' };
    let name: String = stem.chars().map(kept).take(60).collect();
    if name.is_empty() || name.bytes().all(|byte| byte.is_ascii_digit()) || name.starts_with('.') {
        return format!("scenario-{}", name.trim_start_matches('.'));
    }
    name
}
