//! Cross traffic.

use super::names::Names;
use super::values::{flag_or, integer_or, rate, size_or, text, time, time_or};
use crate::model::{CROSS_FLOWS_MAX, CrossLoad, CrossPattern, CrossTraffic, TcpController, TcpRecovery};
use crate::parse::sink::Sink;
use crate::parse::tree::{Span, Tree};
use bellini_core::ids::NodeId;
use bellini_core::time::Duration;

/// Reads the cross traffic; `position` finds links by their ends.
pub(crate) fn cross_traffic(
    root: &Tree,
    names: &Names,
    position: &dyn Fn(NodeId, NodeId) -> Option<usize>,
    duration: Duration,
    sink: &mut Sink,
) -> Vec<CrossTraffic> {
    let mut all = Vec::new();
    let mut flows = 0_u32;
    for tree in root.get("cross_traffic").map_or(&[][..], Tree::items) {
        let (from, to) = (names.find_at(tree, "from", sink), names.find_at(tree, "to", sink));
        let start = time_or(tree, "start", Duration::ZERO);
        let stop = time_or(tree, "stop", duration);
        let (Some(from), Some(to), Some(start), Some(stop)) = (from, to, start, stop) else { continue };
        super::times::check_window(tree, (start, stop), duration, "cross traffic", sink);
        let Some(link) = position(from, to) else {
            let message = format!("there is no link from {} to {}", names.name(from), names.name(to));
            sink.error("E0402", tree.get("from").map_or(tree.span, |tree| tree.span), message, "");
            continue;
        };
        if !check_cross_keys(tree, sink) {
            continue;
        }
        let ends = (names.name(from), names.name(to));
        if text(tree, "pattern") == Some("tcp") && position(to, from).is_none() {
            let message = format!(
                "there is no link from {} to {}: TCP needs it for its acknowledgements",
                ends.1, ends.0
            );
            sink.error("E0402", tree.get("to").map_or(tree.span, |tree| tree.span), message, "no link back");
            continue;
        }
        let Some(pattern) = cross_pattern(tree) else { continue };
        if let CrossPattern::Tcp { flows: more, .. } = pattern {
            flows += more;
            if flows > CROSS_FLOWS_MAX {
                let message = format!("more than {CROSS_FLOWS_MAX} TCP connections of cross traffic");
                sink.error("E0206", tree.get("flows").map_or(tree.span, |tree| tree.span), message, "");
                return all;
            }
        }
        all.push(CrossTraffic { link, pattern, start, stop });
    }
    all
}

/// Notes keys of cross traffic that its pattern does not go with, and a rate that is missing.
fn check_cross_keys(tree: &Tree, sink: &mut Sink) -> bool {
    let Some(pattern) = tree.member("pattern") else { return false };
    let is_tcp = pattern.value.text() == Some("tcp");
    let (unfit, why): (&[&str], _) = if is_tcp {
        (&["rate", "packet"], "TCP finds its rate by itself and fills packets up to the MTU; remove the key")
    } else {
        (&["flows", "controller", "delayed_acks", "recovery"], "the key is for \"pattern\": \"tcp\"")
    };
    let before = sink.count();
    for member in unfit.iter().filter_map(|key| tree.member(key)) {
        let message = format!("`{}` does not go with this pattern of cross traffic", member.key);
        sink.error("E0211", member.key_span, message, "").also(pattern.value.span, "the pattern").help(why);
    }
    if !is_tcp && tree.get("rate").is_none() {
        let opening = Span { end: tree.span.start + 1, ..tree.span };
        sink.error(
            "E0202",
            opening,
            "`rate` is missing in this cross traffic",
            "this cross traffic has no `rate`",
        )
        .help("add \"rate\": \"10 Mbit/s\"");
    }
    sink.count() == before
}

fn cross_pattern(tree: &Tree) -> Option<CrossPattern> {
    let pattern = tree.get("pattern")?;
    if pattern.text() == Some("tcp") {
        let controller = match text(tree, "controller") {
            None | Some("cubic") => TcpController::Cubic,
            Some("reno") => TcpController::Reno,
            Some(_) => return None,
        };
        let recovery = match text(tree, "recovery") {
            None | Some("rack") => TcpRecovery::Rack,
            Some("dupack") => TcpRecovery::DupAck,
            Some(_) => return None,
        };
        let flows = u32::try_from(integer_or(tree, "flows", 1)).ok()?;
        return Some(CrossPattern::Tcp {
            flows,
            controller,
            delayed_acks: flag_or(tree, "delayed_acks", true),
            recovery,
        });
    }
    let packet_bytes = u32::try_from(size_or(tree, "packet", 1_000)?).ok()?;
    let load = CrossLoad { rate: rate(tree, "rate")?, packet_bytes };
    Some(match (pattern.text(), pattern.get("on_off")) {
        (Some("poisson"), _) => CrossPattern::Poisson(load),
        (Some(_), _) => CrossPattern::Constant(load),
        (None, means) => {
            let means = means?;
            CrossPattern::OnOff { load, mean_on: time(means, "on")?, mean_off: time(means, "off")? }
        }
    })
}
