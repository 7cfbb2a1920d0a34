//! Why a path is taken or not, as far as the policy's rule and the path's figures tell.

use super::Alternative;
use super::demands::delay_bound;
use super::network::Network;
use crate::model::Session;
use serde_json::Value;

/// Delays and prices that differ by less are the same.
const SAME: f64 = 0.0005;

/// Says why a path of a session is taken or not; `all` are in order of their delays.
pub(super) fn why(network: &Network<'_>, session: &Session, all: &[Alternative], at: usize) -> String {
    let this = &all[at];
    let policy = session.routing.policy.as_str();
    let sees_delays = matches!(policy, "shortest-delay" | "k-shortest");
    if this.share > 0.0 {
        let least = all.iter().map(|it| it.propagation_ms).fold(f64::INFINITY, f64::min);
        return match at {
            0 => "taken; the fastest".to_owned(),
            _ if sees_delays && this.propagation_ms <= least => {
                "taken; the fastest by propagation, which is what the policy sees".to_owned()
            }
            _ => format!("taken; {:.1} ms slower than the fastest", this.delay_ms - all[0].delay_ms),
        };
    }
    let relays = this.nodes.len().saturating_sub(2);
    let parameter = |name: &str| session.routing.parameters.get(name).and_then(Value::as_u64);
    if let Some(bound) = delay_bound(session).filter(|bound| this.delay_ms > bound.as_millis_f64()) {
        return format!("takes longer than the {:.1} ms that are allowed", bound.as_millis_f64());
    }
    if policy == "direct" && relays > 0 {
        return "not a direct link".to_owned();
    }
    if policy == "ron" && relays > 1 {
        return "more than one node in between".to_owned();
    }
    if let Some(most) = parameter("max_relays").filter(|most| relays as u64 > *most) {
        return format!("{relays} relays, and `max_relays` is {most}");
    }
    let taken: Vec<&Alternative> = all.iter().filter(|it| it.share > 0.0).collect();
    let Some(fastest) = taken.first() else { return "no path is taken".to_owned() };
    let slowest = taken.iter().map(|it| it.propagation_ms).fold(0.0, f64::max);
    let ids = this.nodes.iter().skip(1).take(relays);
    let datacenter = ids.filter_map(|id| network.scenario.nodes.iter().find(|node| node.id.get() == *id));
    let by_datacenter = datacenter.filter(|node| node.region.is_some()).count();
    match policy {
        "static" => "not written in the scenario".to_owned(),
        "shortest-delay" => by_propagation(this, fastest),
        "k-shortest" if this.propagation_ms > slowest + SAME => {
            format!("slower than the {} that `k` allows", parameter("k").unwrap_or(2))
        }
        "multicast-tree" => "would use links that the tree does not need".to_owned(),
        "steiner-price" if this.usd_per_payload_gb.is_none() => "no price is known of it".to_owned(),
        "p2p-mesh" if by_datacenter > 0 => "goes by a datacenter".to_owned(),
        "star" if by_datacenter != 1 => "does not go by one datacenter".to_owned(),
        _ => compared(this, fastest),
    }
}

/// Compares what `shortest-delay` sees.
fn by_propagation(this: &Alternative, taken: &Alternative) -> String {
    let more = this.propagation_ms - taken.propagation_ms;
    if more > SAME {
        let than = if more < 0.05 { format!("{:.0} us", more * 1e3) } else { format!("{more:.1} ms") };
        return format!("{than} more propagation than on the one taken");
    }
    if more < -SAME {
        return format!(
            "{:.1} ms less propagation: the policy saw another network (faults, measurements)",
            -more
        );
    }
    "as fast by propagation; fewer hops, then smaller ids, go first".to_owned()
}

/// Compares a path with the fastest one taken in everything that a policy may look at.
fn compared(this: &Alternative, taken: &Alternative) -> String {
    let behind = this.delay_ms - taken.delay_ms;
    let word = if behind < 0.0 { "faster" } else { "slower" };
    let mut text = format!("than the fastest taken: {:.1} ms {word}", behind.abs());
    if let (Some(this), Some(taken)) = (this.usd_per_payload_gb, taken.usd_per_payload_gb) {
        text += if this > taken + SAME {
            ", dearer"
        } else if this < taken - SAME {
            ", cheaper"
        } else {
            ", as dear"
        };
    }
    if this.loss > taken.loss + SAME {
        text += ", more loss";
    }
    text
}
