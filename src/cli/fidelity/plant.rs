//! Errors that are planted on purpose, to see whether a comparison catches them.

use bellini_core::feeder::Scheduler;
use bellini_core::time::Duration;
use bellini_core::units::BitRate;
use bellini_scenarios::model::{Loss, Rate, Scenario};

/// Plants one error in a scenario.
pub(super) type Plant = fn(&mut Scenario);

/// The errors of a set of controls, each with its name.
pub(super) const PLANTS: [(&str, Plant); 5] = [
    ("link rate -5 %", rate_lower),
    ("buffer doubled", buffer_doubled),
    ("feeder turned FIFO", feeder_fifo),
    ("delay +3 ms", delay_longer),
    ("loss model swapped", loss_swapped),
];

/// Every rate is 5 % lower.
fn rate_lower(scenario: &mut Scenario) {
    let lower = |rate: BitRate| BitRate::from_bps(rate.as_bps() / 20 * 19).unwrap_or(rate);
    let rates = scenario
        .links
        .iter_mut()
        .map(|link| &mut link.rate)
        .chain(scenario.bottlenecks.iter_mut().map(|bottleneck| &mut bottleneck.rate));
    for rate in rates {
        match rate {
            Rate::Constant(rate) => *rate = lower(*rate),
            Rate::Trace(trace) => {
                trace.steps.iter_mut().for_each(|(_, rate)| *rate = rate.map(lower));
            }
            Rate::Unlimited | Rate::Shared(_) => {}
        }
    }
}

/// Every queue takes twice as many bytes.
fn buffer_doubled(scenario: &mut Scenario) {
    scenario.links.iter_mut().for_each(|link| link.queue.bytes *= 2);
    scenario.bottlenecks.iter_mut().for_each(|bottleneck| bottleneck.queue.bytes *= 2);
}

/// Every feeder is one queue for all conferences.
fn feeder_fifo(scenario: &mut Scenario) {
    scenario.nodes.iter_mut().for_each(|node| node.feeder.scheduler = Scheduler::Fifo);
}

/// Every link is 3 ms longer.
fn delay_longer(scenario: &mut Scenario) {
    scenario.links.iter_mut().for_each(|link| link.delay += Duration::from_millis(3));
}

/// Losses that came in runs come one by one, and the other way around, at the same mean.
fn loss_swapped(scenario: &mut Scenario) {
    for link in &mut scenario.links {
        link.loss = match &link.loss {
            Loss::GilbertElliott { good_to_bad, bad_to_good, loss_good, loss_bad } => {
                let bad = good_to_bad / (good_to_bad + bad_to_good);
                Loss::Bernoulli(loss_good * (1.0 - bad) + loss_bad * bad)
            }
            // Runs of four packets, on average.
            Loss::Bernoulli(p) if *p > 0.0 && *p < 0.5 => Loss::GilbertElliott {
                good_to_bad: 0.25 * p / (1.0 - p),
                bad_to_good: 0.25,
                loss_good: 0.0,
                loss_bad: 1.0,
            },
            other => other.clone(),
        };
    }
}
