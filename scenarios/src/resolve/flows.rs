//! Flows written out in a session: their routes, and shares that add up.

use super::routes::{Setting, route};
use super::sessions::Common;
use super::values::as_rate;
use crate::model::{Assignment, StaticFlow};
use crate::parse::sink::Sink;
use crate::parse::tree::{Span, Tree};
use std::collections::BTreeMap;

/// Shares may miss 1 by this much: they are written in decimal.
const SHARES_TOLERANCE: f64 = 1e-6;

/// Reads the flows of a session whose routes are written out.
pub(crate) fn flows(
    routing: &Tree,
    session: &str,
    setting: &Setting<'_>,
    sink: &mut Sink,
) -> Option<Vec<StaticFlow>> {
    let trees = routing.get("flows")?.items();
    let routes: Vec<_> =
        trees.iter().map(|tree| tree.get("route").and_then(|tree| route(tree, setting, sink))).collect();
    let shares = shares(trees, session, sink);
    let rates: Vec<_> = trees.iter().map(|tree| tree.get("rate").and_then(as_rate)).collect();
    for (key, other) in [("share", "rate"), ("rate", "share")] {
        let with = trees.iter().position(|tree| tree.get(key).is_some());
        let Some(first) = with else { continue };
        for tree in trees {
            if let (Some(other_tree), Some(_)) = (tree.get(other), tree.get(key)) {
                sink.error("E0211", other_tree.span, "a flow has either a share or a rate", "");
            }
            if tree.get(key).is_none() {
                let message = format!("all flows of session \"{session}\" give a {key}, or none does");
                let opening = Span { end: tree.span.start + 1, ..tree.span };
                sink.error("E0413", opening, message, format!("no `{key}` here"))
                    .also(trees[first].get(key).map_or(trees[first].span, |tree| tree.span), "given here");
            }
        }
        break;
    }
    let flow = |((route, share), rate)| Some(StaticFlow { route: route?, share, rate });
    routes.into_iter().zip(shares?).zip(rates).map(flow).collect()
}

/// Reads the shares of the flows, `rest` worked out, and notes those that do not add up.
fn shares(trees: &[Tree], session: &str, sink: &mut Sink) -> Option<Vec<Option<f64>>> {
    let written: Vec<Option<&Tree>> = trees.iter().map(|tree| tree.get("share")).collect();
    let is_rest = |tree: &Tree| tree.text() == Some("rest");
    let numbers: Vec<f64> = written.iter().flatten().filter_map(|tree| tree.number()).collect();
    let rests: Vec<&Tree> = written.iter().flatten().copied().filter(|tree| is_rest(tree)).collect();
    let given = written.iter().flatten().count();
    if numbers.len() + rests.len() < given || given < trees.len() {
        // Something is not a share, or missing: that is noted elsewhere, and sums mean nothing.
        return (given == 0).then(|| vec![None; trees.len()]);
    }
    let sum: f64 = numbers.iter().sum();
    let text = numbers.iter().map(|share| short(*share)).collect::<Vec<_>>().join(" + ");
    if let [first, second, ..] = rests[..] {
        sink.error("E0207", second.span, "only one flow may take the rest", "again here")
            .also(first.span, "first here");
        return None;
    }
    let fits = if rests.is_empty() { (sum - 1.0).abs() <= SHARES_TOLERANCE } else { sum < 1.0 };
    if !fits {
        let last = written.iter().flatten().last()?;
        let others = sum - last.number().unwrap_or(0.0);
        let rule = if rests.is_empty() { "they must add up to 1" } else { "nothing is left for `rest`" };
        let message = format!("flow shares of session \"{session}\" add up to {}, {rule}", short(sum));
        let error = sink.error("E0207", last.span, message, format!("shares: {text}"));
        if rests.is_empty() && others < 1.0 {
            error.help(format!("use {}, or \"share\": \"rest\"", short(1.0 - others)));
        }
        return None;
    }
    let value = |tree: &&Tree| if is_rest(tree) { Some(1.0 - sum) } else { tree.number() };
    Some(written.iter().map(|tree| tree.as_ref().and_then(value)).collect())
}

/// Writes a share with two to six decimals.
fn short(share: f64) -> String {
    let text = format!("{share:.6}");
    let kept = text.trim_end_matches('0').len().max(text.find('.').map_or(0, |dot| dot + 3));
    text[..kept].to_owned()
}

/// Returns how packets are spread: as written, or by what the flows say.
pub(crate) fn assignment(
    tree: &Tree,
    common: &Common,
    flows: &[StaticFlow],
    sink: &mut Sink,
) -> Option<Assignment> {
    let spread = !flows.is_empty() && flows.iter().all(|flow| flow.share.is_some() || flow.rate.is_some())
        || common.routing.gives_shares();
    let Some(written) = &common.assignment else {
        let policy = if spread { "static" } else { "equal" };
        return Some(Assignment { policy: policy.to_owned(), parameters: BTreeMap::new() });
    };
    if written.policy == "static" && !spread {
        let place = tree.get("assignment").map_or(tree.span, |tree| tree.span);
        sink.error("E0413", place, "assignment `static` needs flows with shares or rates", "").help(
            "write them with the flows of \"routing\": {\"policy\": \"static\", ...}, or use \"equal\"",
        );
        return None;
    }
    Some(Assignment { policy: written.policy.clone(), parameters: written.parameters.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_written_as_people_write_them() {
        assert_eq!([0.3, 1.1, 0.333_333_333, 0.125].map(short), ["0.30", "1.10", "0.333333", "0.125"]);
    }
}
