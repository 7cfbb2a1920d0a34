//! What of a scenario a token bucket cannot play.

use super::ShaperError;
use bellini_scenarios::model::{FaultKind, Loss, QueueDiscipline, Rate, Scenario};

/// Most of such things that a message names.
const NAMED_MAX: usize = 8;

/// Checks that token buckets and their queues are all that the scenario asks for.
pub(super) fn check(scenario: &Scenario) -> Result<(), ShaperError> {
    let mut found = Vec::new();
    for link in &scenario.links {
        let name = format!("the link {}>{}", scenario.node_name(link.from), scenario.node_name(link.to));
        let mut cannot = |what: &str| found.push(format!("{name} has {what}"));
        if !link.delay.is_zero() {
            cannot("a delay");
        }
        if link.jitter.is_some() {
            cannot("jitter");
        }
        if link.loss != Loss::None {
            cannot("a loss model");
        }
        match link.rate {
            Rate::Unlimited | Rate::Constant(_) => {}
            Rate::Trace(_) => cannot("a rate that changes in time"),
            Rate::Shared(_) => cannot("a shared bottleneck"),
        }
        if link.queue.discipline != QueueDiscipline::DropTail {
            cannot("a queue that is not drop-tail");
        }
        let back = scenario.links.iter().find(|back| (back.from, back.to) == (link.to, link.from));
        if back.is_some_and(|back| back.mtu != link.mtu) {
            cannot("another MTU than the way back");
        }
    }
    for node in &scenario.nodes {
        if node.egress.is_some() || node.ingress.is_some() || !node.processing.is_zero() {
            found.push(format!("the node {} has a cap or a processing time", node.name));
        }
    }
    if !scenario.cross_traffic.is_empty() {
        found.push("there is cross traffic".to_owned());
    }
    let adds = |kind: &FaultKind| matches!(kind, FaultKind::Degrade { extra_delay, extra_loss, .. } if extra_delay.is_some() || extra_loss.is_some());
    if scenario.faults.iter().any(|fault| adds(&fault.kind)) {
        found.push("a fault adds delay or loss".to_owned());
    }
    if found.is_empty() {
        return Ok(());
    }
    let more = found.len().saturating_sub(NAMED_MAX);
    found.truncate(NAMED_MAX);
    if more > 0 {
        found.push(format!("and {more} more"));
    }
    Err(ShaperError::Impossible(found))
}
