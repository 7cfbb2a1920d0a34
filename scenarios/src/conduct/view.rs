//! The network as policies see it: the scenario's own figures, less what is known to be down.

use super::testbed::Testbed;
use crate::model::{Loss, Rate, RateTrace, Scenario};
use crate::policy::{NetworkView, ViewLink, ViewNode};
use bellini_core::ids::NodeId;
use bellini_core::units::BitRate;

/// Builds the oracle's view of what is up.
pub(super) fn oracle_view(scenario: &Scenario, bed: &dyn Testbed) -> NetworkView {
    let up = (0..).zip(&scenario.nodes).filter(|(index, _)| bed.node_is_up(*index)).map(|(_, node)| node);
    let nodes: Vec<ViewNode> = up
        .map(|node| ViewNode { id: node.id, name: node.name.clone(), region: node.region.clone() })
        .collect();
    let node_up = |id: NodeId| nodes.binary_search_by_key(&id, |node| node.id).is_ok();
    let links = (0..)
        .zip(&scenario.links)
        .filter(|(index, link)| bed.link_is_up(*index) && node_up(link.from) && node_up(link.to))
        .map(|(_, link)| ViewLink {
            from: link.from,
            to: link.to,
            delay: link.delay,
            rate: mean_rate(&link.rate, scenario),
            loss: mean_loss(&link.loss),
            usd_per_gb: link.usd_per_gb,
            measured: None,
        })
        .collect();
    NetworkView { nodes, links }
}

/// Returns the mean rate of a serialiser, `None` when it is unlimited.
pub(super) fn mean_rate(rate: &Rate, scenario: &Scenario) -> Option<BitRate> {
    match rate {
        Rate::Unlimited => None,
        Rate::Constant(rate) => Some(*rate),
        Rate::Trace(RateTrace { steps, .. }) => {
            let total: u128 = steps.iter().map(|(span, _)| u128::from(span.as_nanos())).sum();
            let bits = |rate: &Option<BitRate>| u128::from(rate.map_or(0, BitRate::as_bps));
            let sum: u128 = steps.iter().map(|(span, rate)| u128::from(span.as_nanos()) * bits(rate)).sum();
            BitRate::from_bps((sum / total.max(1)) as u64)
        }
        Rate::Shared(index) => mean_rate(&scenario.bottlenecks[*index].rate, scenario),
    }
}

/// Returns the mean loss probability of a model.
fn mean_loss(loss: &Loss) -> f64 {
    match loss {
        Loss::None => 0.0,
        Loss::Bernoulli(p) => *p,
        Loss::GilbertElliott { good_to_bad, bad_to_good, loss_good, loss_bad } => {
            let bad = good_to_bad / (good_to_bad + bad_to_good);
            loss_good * (1.0 - bad) + loss_bad * bad
        }
        Loss::GilbertElliottTime { mean_good, mean_bad, loss_good, loss_bad } => {
            let bad = mean_bad.as_secs_f64() / (mean_good.as_secs_f64() + mean_bad.as_secs_f64());
            loss_good * (1.0 - bad) + loss_bad * bad
        }
        Loss::Trace(pattern) => {
            let lost = pattern.iter().filter(|lost| **lost).count();
            lost as f64 / pattern.len().max(1) as f64
        }
    }
}
