//! The resolved scenario as a scenario file again, with every default written out.
//!
//! Parsing what is written here gives the same [`Scenario`].

mod layout;
mod network;
mod traffic;

use crate::account::Billing;
use crate::model::{Fault, FaultKind, LinkSelector, Scenario, View};
use crate::resolve::FORMAT;
use crate::units::{format_rate, format_time};
use bellini_core::config::{FailoverConfig, ProbingConfig};
use bellini_core::ids::NodeId;
use bellini_core::time::Duration;
use bellini_core::units::BitRate;
use serde_json::{Map, Value, json};

/// Returns the scenario in its text form; keys are in the order in which people read them.
#[must_use]
pub fn to_value(scenario: &Scenario) -> Value {
    let list = |items: Vec<Value>| (!items.is_empty()).then_some(Value::Array(items));
    let mut all = Object::default();
    all.put("bellini", FORMAT);
    all.put("name", scenario.name.as_str());
    all.put("description", scenario.description.as_str());
    all.put("seed", scenario.seed);
    all.time("duration", scenario.duration);
    all.time("settle", scenario.settle);
    all.time("drain", scenario.drain);
    let (from, to) = (format_time(scenario.measure.from), format_time(scenario.measure.to));
    all.put("measure", json!({ "from": from, "to": to }));
    all.time("sample_interval", scenario.sample_interval);
    all.time("report_interval", scenario.report_interval);
    all.put(
        "view",
        match scenario.view {
            View::Oracle => "oracle",
            View::Measured => "measured",
        },
    );
    let mut planner = Object::default();
    planner.put_some("node", scenario.planner.node.map(NodeId::get));
    planner.time("time", scenario.planner.time);
    planner.time("period", scenario.planner.period);
    all.put("planner", planner.done());
    if let Some(given) = scenario.listing {
        let mut listing = Object::default();
        listing.put("node", given.node.get());
        listing.time("lease", given.lease);
        all.put("listing", listing.done());
    }
    all.put_some("seal", scenario.seal.then_some(true));
    all.put_some("failover", scenario.failover.map(failover));
    all.put_some("probing", scenario.probing.as_ref().map(probing));
    all.put_some("billing", scenario.billing.map(|it| billing(it, scenario)));
    all.put("nodes", scenario.nodes.iter().map(network::node).collect::<Vec<_>>());
    all.put_some("links", list(scenario.links.iter().map(|link| network::link(link, scenario)).collect()));
    all.put_some("bottlenecks", list(scenario.bottlenecks.iter().map(network::bottleneck).collect()));
    let cross = scenario.cross_traffic.iter().map(|cross| network::cross_traffic(cross, scenario));
    all.put_some("cross_traffic", list(cross.collect()));
    all.put_some("conferences", list(scenario.conferences.iter().map(traffic::conference).collect()));
    all.put_some("faults", list(scenario.faults.iter().map(|it| fault(it, scenario)).collect()));
    let provenance = scenario.provenance.iter().map(|entry| {
        json!({ "dataset": entry.dataset, "gives": entry.gives, "source": entry.source, "date": entry.date })
    });
    all.put_some("provenance", list(provenance.collect()));
    all.done()
}

/// Returns the scenario as the text of a file: [`to_value`], laid out for people.
#[must_use]
pub fn to_text(scenario: &Scenario) -> String {
    layout::lay_out(&to_value(scenario))
}

fn failover(failover: FailoverConfig) -> Value {
    let mut all = Object::default();
    all.time("keepalive", failover.keepalive);
    all.put("lost", failover.lost);
    all.done()
}

fn probing(probing: &ProbingConfig) -> Value {
    let mut all = Object::default();
    all.put("share", probing.share);
    all.put("train", probing.train);
    all.put("setup", probing.setup);
    all.time("interval", probing.interval);
    all.put("jitter", probing.jitter);
    all.time("timeout", probing.timeout);
    all.put("outage", probing.outage);
    all.put("loss", probing.loss);
    all.done()
}

fn billing(billing: Billing, scenario: &Scenario) -> Value {
    let mut all = Object::default();
    all.put("percentile", billing.percentile);
    all.time("interval", billing.interval);
    all.time("period", billing.period);
    all.put("direction", billing.direction.as_str());
    all.put_some("usd_per_mbps", billing.usd_per_mbps);
    all.put_some("vm_usd_per_hour", billing.vm_usd_per_hour);
    all.put_some("vm_source", scenario.vm_source.as_deref());
    all.done()
}

fn fault(fault: &Fault, scenario: &Scenario) -> Value {
    let links = |selector: &LinkSelector| {
        let LinkSelector::Links(positions) = selector;
        let ends =
            |position: &usize| (scenario.links[*position].from.get(), scenario.links[*position].to.get());
        let chosen: Vec<(u32, u32)> = positions.iter().map(ends).collect();
        let mut written = Vec::new();
        for &(from, to) in &chosen {
            let both = chosen.contains(&(to, from));
            if both && from < to {
                written.push(json!([from, to]));
            } else if !both {
                written.push(json!(format!("{from}>{to}")));
            }
        }
        Value::Array(written)
    };
    let ids = |nodes: &[NodeId]| nodes.iter().map(|node| node.get()).collect::<Vec<_>>();
    let mut all = Object::default();
    all.time("at", fault.at);
    match &fault.kind {
        FaultKind::Cut(selector) => all.put("cut", links(selector)),
        FaultKind::Heal(selector) => all.put("heal", links(selector)),
        FaultKind::Degrade { links: selector, rate_factor, extra_delay, extra_loss } => {
            let mut degrade = Object::default();
            degrade.put("links", links(selector));
            degrade.put_some("rate_factor", *rate_factor);
            degrade.put_some("extra_delay", extra_delay.map(format_time));
            degrade.put_some("extra_loss", *extra_loss);
            all.put("degrade", degrade.done());
        }
        FaultKind::Crash(node) => all.put("crash", node.get()),
        FaultKind::Restart(node) => all.put("restart", node.get()),
        FaultKind::Partition(left, right) => all.put("partition", json!([ids(left), ids(right)])),
    }
    all.done()
}

/// An object in the making, whose keys keep their order.
#[derive(Default)]
struct Object(Map<String, Value>);

impl Object {
    fn put(&mut self, key: &str, value: impl Into<Value>) {
        self.0.insert(key.to_owned(), value.into());
    }

    fn put_some(&mut self, key: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.put(key, value);
        }
    }

    fn time(&mut self, key: &str, span: Duration) {
        self.put(key, format_time(span));
    }

    fn rate(&mut self, key: &str, rate: BitRate) {
        self.put(key, format_rate(rate));
    }

    fn size(&mut self, key: &str, bytes: u64) {
        self.put(key, crate::units::Quantity::Size.format(bytes));
    }

    fn done(self) -> Value {
        Value::Object(self.0)
    }
}
