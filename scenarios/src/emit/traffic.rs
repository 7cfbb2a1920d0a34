//! Conferences and sessions as text.

use super::Object;
use crate::data::traces;
use crate::model::{Conference, FlowDraw, Membership, Session, StaticFlow};
use crate::units::{format_rate, format_time};
use bellini_core::coding::{CodingSpec, Repair, Scheme};
use bellini_core::content::spec::{Content, FrameTrace, Period, Playout, PlayoutMode, SizeDistribution};
use bellini_core::ids::NodeId;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) fn conference(conference: &Conference) -> Value {
    let mut all = Object::default();
    all.put("id", conference.id.0);
    all.put("name", conference.name.as_str());
    all.put("weight", conference.weight);
    all.put("priority", conference.priority);
    all.time("start", conference.start);
    all.put_some("end", conference.end.map(format_time));
    if !conference.churn.is_empty() {
        let churn = conference.churn.iter().map(|churn| {
            let change = match churn.membership {
                Membership::Join => "join",
                Membership::Leave => "leave",
            };
            let at = format_time(churn.at);
            json!({ "at": at, "node": churn.node.get(), "session": churn.session.0, "change": change })
        });
        all.put("churn", churn.collect::<Vec<_>>());
    }
    all.put("sessions", conference.sessions.iter().map(session).collect::<Vec<_>>());
    all.done()
}

fn session(session: &Session) -> Value {
    let mut all = Object::default();
    all.put("id", session.id.0);
    all.put("name", session.name.as_str());
    all.put("source", session.source.get());
    all.put("destinations", session.destinations.iter().map(|node| node.get()).collect::<Vec<_>>());
    all.put("transport", session.transport.word());
    all.put("delivery", session.delivery.word());
    all.put_some("coding", session.coding.as_ref().map(coding));
    all.put_some("sealed", session.sealed.then_some(true));
    all.put("content", content(&session.content));
    all.size("symbol_bytes", u64::from(session.symbol_bytes));
    all.time("start", session.start);
    all.time("stop", session.stop);
    let mut routing = policy(&session.routing.policy, &session.routing.parameters);
    if !session.routing.flows.is_empty() {
        let flows = session.routing.flows.iter().map(|it| flow(it, session.source)).collect::<Vec<_>>();
        routing = json!({ "policy": session.routing.policy, "flows": flows });
    }
    all.put("routing", routing);
    all.put("assignment", policy(&session.assignment.policy, &session.assignment.parameters));
    all.put(
        "draw",
        match session.draw {
            FlowDraw::Random => "random",
            FlowDraw::Stride => "stride",
        },
    );
    all.done()
}

fn coding(coding: &CodingSpec) -> Value {
    let mut all = Object::default();
    match coding.scheme {
        Scheme::Generation { size, systematic, latency } => {
            all.put("scheme", "generation");
            all.put("generation", size);
            all.put("systematic", systematic);
            all.put_some("latency", latency.map(format_time));
        }
        Scheme::Window { latency, size } => {
            all.put("scheme", "window");
            all.put("window", size);
            all.time("latency", latency);
        }
    }
    match coding.repair {
        Repair::Fixed(share) => all.put("repair", share),
        Repair::Adaptive { max } => {
            all.put("repair", "adaptive");
            all.put("repair_max", max);
        }
    }
    all.put("recode", coding.recode);
    all.put("real_bytes", coding.real_bytes);
    all.done()
}

fn policy(name: &str, parameters: &BTreeMap<String, Value>) -> Value {
    if parameters.is_empty() {
        return Value::from(name);
    }
    let mut all = Object::default();
    all.put("policy", name);
    for (key, value) in parameters {
        all.put(key, value.clone());
    }
    all.done()
}

fn flow(flow: &StaticFlow, source: NodeId) -> Value {
    let mut all = Object::default();
    all.put("route", format!("{source}>{}", flow.route));
    all.put_some("share", flow.share);
    all.put_some("rate", flow.rate.map(format_rate));
    all.done()
}

fn content(content: &Content) -> Value {
    let mut all = Object::default();
    match content {
        Content::Constant { rate, phase } => {
            all.put("kind", "constant");
            all.rate("rate", *rate);
            all.time("phase", *phase);
        }
        Content::Video { trace, rate, playout } => {
            all.put("kind", "video");
            all.rate("rate", *rate);
            all.put("trace", frame_trace(trace));
            all.put("playout", played(*playout));
        }
        Content::Adaptive { trace, ladder, initial, up_after, playout } => {
            all.put("kind", "adaptive");
            all.put("ladder", ladder.iter().map(|rate| format_rate(*rate)).collect::<Vec<_>>());
            all.put("initial", *initial);
            all.time("up_after", *up_after);
            all.put("trace", frame_trace(trace));
            all.put("playout", played(*playout));
        }
        Content::Messages { mean_interval, size, deadline } => {
            all.put("kind", "messages");
            all.time("mean_interval", *mean_interval);
            all.put("size", message_size(*size));
            all.time("deadline", *deadline);
        }
        Content::File { bytes, rate } => {
            all.put("kind", "file");
            all.size("bytes", *bytes);
            all.put_some("rate", rate.map(format_rate));
        }
        Content::OnOff { rate, on, off } => {
            all.put("kind", "on-off");
            all.rate("rate", *rate);
            all.put("on", period(*on));
            all.put("off", period(*off));
        }
        // No scenario says so: applications are attached when a run starts.
        Content::Application { .. } => all.put("kind", "application"),
    }
    all.done()
}

/// An embedded trace is said by its name, frames of the user's own in full.
fn frame_trace(trace: &Arc<FrameTrace>) -> Value {
    let same = |name: &str| traces::frame_trace(name).is_some_and(|known| known == *trace);
    if let Some(name) = traces::frame_trace_names().into_iter().find(|name| same(name)) {
        return Value::from(name);
    }
    let mut all = Object::default();
    all.put("name", trace.name.as_str());
    all.time("frame_interval", trace.frame_interval);
    all.put("frame_bytes", trace.frames.iter().map(|frame| frame.bytes).collect::<Vec<_>>());
    let keys = trace.frames.iter().enumerate().filter(|(_, frame)| frame.key).map(|(i, _)| i);
    all.put("key_frames", keys.collect::<Vec<_>>());
    all.done()
}

fn played(playout: Playout) -> Value {
    let mode = match playout.mode {
        PlayoutMode::Live => "live",
        PlayoutMode::Stream => "stream",
    };
    json!({ "delay": format_time(playout.delay), "mode": mode })
}

fn message_size(size: SizeDistribution) -> Value {
    let mut all = Object::default();
    match size {
        SizeDistribution::Fixed(bytes) => {
            all.size("fixed", bytes);
            all.done()
        }
        SizeDistribution::Uniform { min, max } => {
            all.size("min", min);
            all.size("max", max);
            json!({ "uniform": all.done() })
        }
        SizeDistribution::Exponential { mean, max } => {
            all.size("mean", mean);
            all.size("max", max);
            json!({ "exponential": all.done() })
        }
        SizeDistribution::LogNormal { median, sigma, max } => {
            all.size("median", median);
            all.put("sigma", sigma);
            all.size("max", max);
            json!({ "log_normal": all.done() })
        }
    }
}

fn period(period: Period) -> Value {
    match period {
        Period::Fixed(span) => json!({ "fixed": format_time(span) }),
        Period::Exponential(mean) => json!({ "exponential": format_time(mean) }),
    }
}
