//! Nodes and links as text.

use super::Object;
use crate::data::traces;
use crate::model::{
    Bottleneck, CrossPattern, CrossTraffic, JitterModel, Link, Loss, Node, Queue, QueueDiscipline, Rate,
    RateTrace, Scenario, Shaper,
};
use crate::units::{Quantity, format_rate, format_signed, format_time};
use bellini_core::congestion::Controller;
use bellini_core::feeder::Scheduler;
use serde_json::{Value, json};

pub(super) fn node(node: &Node) -> Value {
    let mut all = Object::default();
    all.put("id", node.id.get());
    all.put("name", node.name.as_str());
    all.put_some("region", node.region.as_deref());
    all.put_some("position", node.position.map(|(latitude, longitude)| json!([latitude, longitude])));
    all.put_some("egress", node.egress.map(shaper));
    all.put_some("ingress", node.ingress.map(shaper));
    all.time("processing", node.processing);
    all.put("receive_queue", node.receive_queue_packets);
    let offset = format_signed(Quantity::Time, node.clock_offset_ns);
    all.put(
        "clock",
        json!({ "offset": offset, "drift": format_signed(Quantity::Drift, node.clock_drift_ppb) }),
    );
    let mut feeder = Object::default();
    feeder.size("live", node.feeder.live_bytes_max);
    feeder.size("bulk", node.feeder.bulk_bytes_max);
    feeder.put(
        "scheduler",
        match node.feeder.scheduler {
            Scheduler::RoundRobin => "round-robin",
            Scheduler::DeficitWeighted => "deficit-weighted",
            Scheduler::StrictPriority => "strict-priority",
            Scheduler::Fifo => "fifo",
        },
    );
    feeder.size("quantum", u64::from(node.feeder.quantum_bytes));
    feeder.put("packets", node.feeder.packets_max);
    feeder.put("conferences", node.feeder.conferences_max);
    all.put("feeder", feeder.done());
    let mut congestion = Object::default();
    let controller = match node.congestion.controller {
        Controller::Tfrc => "tfrc",
        Controller::Bbr => "bbr",
    };
    congestion.put("controller", controller);
    congestion.time("credit", node.congestion.credit_max);
    congestion.put("discounting", node.congestion.discounting);
    congestion.put("damping", node.congestion.damping);
    congestion.put("reports", node.congestion.feedbacks_per_rtt);
    all.put("congestion", congestion.done());
    all.put("recoding", node.recoding);
    if !node.hop_rates.is_empty() {
        let mut rates = Object::default();
        for (hop, rate) in &node.hop_rates {
            rates.rate(&hop.to_string(), *rate);
        }
        all.put("rates", rates.done());
    }
    all.put_some("vm_usd_per_hour", node.vm_usd_per_hour);
    all.done()
}

fn shaper(shaper: Shaper) -> Value {
    let mut all = Object::default();
    all.rate("rate", shaper.rate);
    all.size("queue", shaper.queue_bytes);
    all.done()
}

pub(super) fn link(link: &Link, scenario: &Scenario) -> Value {
    let mut all = Object::default();
    all.put("from", link.from.get());
    all.put("to", link.to.get());
    all.time("delay", link.delay);
    if let Rate::Shared(position) = link.rate {
        all.put("bottleneck", scenario.bottlenecks[position].name.as_str());
    } else {
        all.put("rate", rate(&link.rate));
        all.put("queue", queue(link.queue));
    }
    if let Some(jitter) = link.jitter {
        let (name, span) = match jitter.model {
            JitterModel::Uniform(span) => ("uniform", span),
            JitterModel::Exponential(span) => ("exponential", span),
            JitterModel::HalfNormal(span) => ("half_normal", span),
        };
        all.put("jitter", json!({ name: format_time(span), "reorder": jitter.reorder }));
    }
    all.put("loss", loss(&link.loss));
    all.put("mtu", link.mtu);
    all.put_some("usd_per_gb", link.usd_per_gb);
    if !link.provenance.is_empty() {
        all.put("provenance", link.provenance.clone());
    }
    all.done()
}

pub(super) fn bottleneck(bottleneck: &Bottleneck) -> Value {
    let mut all = Object::default();
    all.put("name", bottleneck.name.as_str());
    all.put("rate", rate(&bottleneck.rate));
    all.put("queue", queue(bottleneck.queue));
    all.done()
}

fn rate(rate: &Rate) -> Value {
    match rate {
        Rate::Constant(rate) => Value::String(format_rate(*rate)),
        Rate::Trace(trace) => rate_trace(trace),
        Rate::Unlimited | Rate::Shared(_) => Value::from("unlimited"),
    }
}

/// An embedded trace is said by its name, steps of the user's own in full.
fn rate_trace(trace: &RateTrace) -> Value {
    if traces::rate_trace(&trace.name).as_ref() == Some(trace) {
        return json!({ "trace": trace.name });
    }
    let steps = trace.steps.iter().map(|(span, rate)| {
        let rate = rate.map_or_else(|| "0 bit/s".to_owned(), format_rate);
        json!([format_time(*span), rate])
    });
    json!({ "name": trace.name, "steps": steps.collect::<Vec<_>>() })
}

fn queue(queue: Queue) -> Value {
    let bytes = Quantity::Size.format(queue.bytes);
    match queue.discipline {
        QueueDiscipline::DropTail => Value::String(bytes),
        QueueDiscipline::Red { min_bytes, max_bytes, max_probability, weight, wait } => {
            let mut red = Object::default();
            red.size("min", min_bytes);
            red.size("max", max_bytes);
            red.put("max_probability", max_probability);
            red.put("weight", weight);
            red.put("wait", wait);
            json!({ "bytes": bytes, "discipline": { "red": red.done() } })
        }
        QueueDiscipline::CoDel { target, interval } => {
            let codel = json!({ "target": format_time(target), "interval": format_time(interval) });
            json!({ "bytes": bytes, "discipline": { "codel": codel } })
        }
    }
}

fn loss(loss: &Loss) -> Value {
    match loss {
        Loss::None => json!(0),
        Loss::Bernoulli(p) => json!(p),
        Loss::GilbertElliott { good_to_bad, bad_to_good, loss_good, loss_bad } => {
            json!({ "gilbert_elliott": {
            "good_to_bad": good_to_bad, "bad_to_good": bad_to_good, "loss_good": loss_good, "loss_bad": loss_bad,
        } })
        }
        Loss::GilbertElliottTime { mean_good, mean_bad, loss_good, loss_bad } => {
            let (mean_good, mean_bad) = (format_time(*mean_good), format_time(*mean_bad));
            json!({ "gilbert_elliott_time": {
                "mean_good": mean_good, "mean_bad": mean_bad, "loss_good": loss_good, "loss_bad": loss_bad,
            } })
        }
        Loss::Trace(pattern) => {
            let written: String = pattern.iter().map(|lost| if *lost { '1' } else { '0' }).collect();
            json!({ "trace": written })
        }
    }
}

pub(super) fn cross_traffic(cross: &CrossTraffic, scenario: &Scenario) -> Value {
    let link = &scenario.links[cross.link];
    let mut all = Object::default();
    all.put("from", link.from.get());
    all.put("to", link.to.get());
    all.put(
        "pattern",
        match cross.pattern {
            CrossPattern::Constant(_) => json!("constant"),
            CrossPattern::Poisson(_) => json!("poisson"),
            CrossPattern::OnOff { mean_on, mean_off, .. } => {
                json!({ "on_off": { "on": format_time(mean_on), "off": format_time(mean_off) } })
            }
            CrossPattern::Tcp { .. } => json!("tcp"),
        },
    );
    if let CrossPattern::Tcp { flows, controller, delayed_acks, recovery } = cross.pattern {
        all.put("flows", flows);
        all.put("controller", controller.as_str());
        all.put("delayed_acks", delayed_acks);
        all.put("recovery", recovery.as_str());
    }
    if let Some(load) = cross.pattern.load() {
        all.rate("rate", load.rate);
        all.size("packet", u64::from(load.packet_bytes));
    }
    all.time("start", cross.start);
    all.time("stop", cross.stop);
    all.done()
}
