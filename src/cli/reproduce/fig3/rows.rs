//! Rows of the page: parts of packets, and sums that must come out.

use super::tally::{expected, wilson};
use super::{Configured, Mode, Run};
use bellini_reports::reproduce::Row;

fn digests(mode: &Mode) -> Vec<String> {
    mode.runs.iter().map(|run| run.digest.clone()).collect()
}

fn seeds(mode: &Mode) -> Vec<u64> {
    mode.runs.iter().map(|run| run.seed).collect()
}

/// Rows on what part of packets each flow got.
pub(super) fn shares(configured: &Configured, mode: &Mode) -> Vec<Row> {
    let n: u64 = mode.runs.iter().map(|run| run.tally.draws.len() as u64).sum();
    let drawn = |run: &Run, flow: usize| run.tally.drawn().get(&(flow as u32)).copied().unwrap_or(0);
    let mut rows = Vec::new();
    for (flow, (route, p, _)) in configured.flows.iter().enumerate() {
        let k: u64 = mode.runs.iter().map(|run| drawn(run, flow)).sum();
        rows.push(Row {
            quantity: format!(
                "{}: part of packets that drew flow {} ({}>{route})",
                mode.name,
                flow + 1,
                configured.source
            ),
            reference: Some(*p),
            ours: (n > 0).then(|| k as f64 / n as f64),
            interval: wilson(k, n),
            band: Some(expected(*p, n)),
            remark: format!("{k} of {n} packets, interval binomial; band: where 99.9 % of honest draws lie"),
            digests: digests(mode),
            seeds: seeds(mode),
            ..Row::default()
        });
    }
    if mode.runs.len() > 1
        && let Some((_, p, _)) = configured.flows.first()
    {
        let holds = |run: &&Run| {
            let n = run.tally.draws.len() as u64;
            wilson(drawn(run, 0), n).is_some_and(|(low, high)| (low..=high).contains(p))
        };
        let inside = mode.runs.iter().filter(holds).count() as f64;
        rows.push(Row {
            quantity: format!(
                "{}: seeds whose own 95 % interval holds the configured part of flow 1",
                mode.name
            ),
            unit: "% of seeds".to_owned(),
            reference: Some(95.0),
            ours: Some(inside / mode.runs.len() as f64 * 100.0),
            interval: wilson(inside as u64, mode.runs.len() as u64)
                .map(|(low, high)| (low * 100.0, high * 100.0)),
            remark: "reference: what a 95 % interval means".to_owned(),
            digests: digests(mode),
            seeds: seeds(mode),
            ..Row::default()
        });
    }
    rows
}

/// Rows on packets that must add up, over all runs of a mode.
pub(super) fn conserved(configured: &Configured, mode: &Mode) -> Vec<Row> {
    let zero = |quantity: String, ours: f64, remark: String| Row {
        quantity: format!("{}: {quantity}", mode.name),
        unit: "packets".to_owned(),
        reference: Some(0.0),
        ours: Some(ours),
        band: Some((0.0, 0.0)),
        remark,
        digests: digests(mode),
        seeds: seeds(mode),
        ..Row::default()
    };
    let sum = |of: &dyn Fn(&Run) -> i64| mode.runs.iter().map(of).sum::<i64>() as f64;
    let mut rows = vec![zero(
        "arrived over an edge without having been sent on it".to_owned(),
        sum(&|run| run.tally.unsent as i64),
        format!(
            "of {} that arrived",
            sum(&|run| run.tally.edges.values().map(|edge| edge.arrived as i64).sum())
        ),
    )];
    for (flow, (route, ..)) in configured.flows.iter().enumerate() {
        let key = (flow as u32, configured.source);
        let at = |run: &Run| run.tally.nodes.get(&key).copied().unwrap_or_default();
        let copies = route.branches.len() as i64;
        rows.push(zero(
            format!("source, flow {}: sent, less {copies} for each packet of the flow", flow + 1),
            sum(&|run| at(run).sent as i64 - copies * at(run).emissions as i64),
            format!("{} sent", sum(&|run| at(run).sent as i64)),
        ));
    }
    let mut relays: Vec<(u32, u32)> =
        mode.runs.iter().flat_map(|run| run.tally.relays(configured.source).map(|it| it.0)).collect();
    relays.sort_unstable();
    relays.dedup();
    for (flow, node) in relays {
        let at = |run: &Run| run.tally.nodes.get(&(flow, node)).copied().unwrap_or_default();
        rows.push(zero(
            format!(
                "relay {node} ({}), flow {}: sent, less what the packets that arrived asked for",
                configured.name(node),
                flow + 1
            ),
            sum(&|run| at(run).sent as i64 - at(run).owed as i64),
            format!(
                "{} arrived, {} sent",
                sum(&|run| at(run).arrived as i64),
                sum(&|run| at(run).sent as i64)
            ),
        ));
    }
    for &node in &configured.destinations {
        let seen = |run: &Run| run.tally.symbols.get(&node).copied().unwrap_or(0) as i64;
        let told = |run: &Run| {
            let sessions = run.summary.sessions.iter().flat_map(|session| &session.destinations);
            sessions.filter(|it| it.node == node).map(|it| it.delivered_packets as i64).sum::<i64>()
        };
        rows.push(zero(
            format!(
                "destination {node} ({}): recorded symbols, less those that the node says it delivered",
                configured.name(node)
            ),
            sum(&|run| seen(run) - told(run)),
            format!("{} recorded, each symbol once", sum(&seen)),
        ));
    }
    rows
}

/// Whether simulator and lab drew the same flow for the same packet.
pub(super) fn same_draws(sim: &Run, lab: &Run) -> Row {
    let pairs: Vec<bool> = sim
        .tally
        .draws
        .iter()
        .filter_map(|(number, flow)| Some(lab.tally.draws.get(number)? == flow))
        .collect();
    let same = pairs.iter().filter(|same| **same).count() as f64;
    Row {
        quantity: "packets that drew the same flow in the simulator and in the lab".to_owned(),
        unit: "%".to_owned(),
        ours: (!pairs.is_empty()).then(|| same / pairs.len() as f64 * 100.0),
        band: Some((100.0, 100.0)),
        remark: format!("of {} packets that both sent; seed 1, and the same core", pairs.len()),
        digests: vec![sim.digest.clone(), lab.digest.clone()],
        seeds: vec![1],
        ..Row::default()
    }
}
