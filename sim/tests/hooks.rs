//! Conference hooks hear of everything that they are promised.

use crate::common::{conference, flow, id, link, mbps, ms, node, path, scenario, session};
use bellini_core::content::spec::Content;
use bellini_core::ids::{NodeId, SessionKey};
use bellini_core::time::Duration;
use bellini_scenarios::model::{Churn, Membership};
use bellini_scenarios::policy::{ConferenceHook, DeliveryNotice, NodeReport, OverflowNotice};
use bellini_scenarios::registry::Registry;
use bellini_sim::{NoObserver, Simulation};
use std::sync::{Arc, Mutex};

#[derive(Default)]
struct Heard {
    joined: usize,
    left: usize,
    overflow: usize,
    delivered: usize,
    reports: usize,
    delays: Vec<Duration>,
}

struct Hook(Arc<Mutex<Heard>>);

impl ConferenceHook for Hook {
    fn joined(&mut self, _: Duration, _: SessionKey, _: NodeId) {
        self.0.lock().unwrap().joined += 1;
    }
    fn left(&mut self, _: Duration, _: SessionKey, _: NodeId) {
        self.0.lock().unwrap().left += 1;
    }
    fn overflow(&mut self, _: &OverflowNotice) {
        self.0.lock().unwrap().overflow += 1;
    }
    fn delivery(&mut self, notice: &DeliveryNotice) {
        let mut heard = self.0.lock().unwrap();
        heard.delivered += 1;
        heard.delays.push(notice.delay);
    }
    fn report(&mut self, _: &NodeReport) {
        self.0.lock().unwrap().reports += 1;
    }
}

/// A slow hop overflows, a destination joins and leaves, two nodes report once a second; the source's clock is
/// behind by two seconds, more than the time before the start.
#[test]
fn hooks_hear_of_everything() {
    let content = Content::Constant { rate: mbps(4), phase: Duration::ZERO };
    let flows = vec![flow(path(&[2]), 1.0)];
    let mut one = conference(1, vec![session(1, 1, &[2], content, flows)]);
    let change = |at, membership| Churn { at: ms(at), node: id(3), session: one.sessions[0].id, membership };
    one.churn = vec![change(1_000, Membership::Join), change(2_000, Membership::Leave)];
    let mut slow = node(1);
    slow.hop_rates = vec![(id(2), mbps(2))];
    slow.clock_offset_ns = -2_000_000_000;
    let links =
        [(1, 2), (2, 1), (1, 3), (3, 1)].map(|(from, to)| link(from, to, ms(10), Some(mbps(100)))).to_vec();
    let mut scenario = scenario(Duration::from_secs(4), vec![slow, node(2), node(3)], links, vec![one]);
    scenario.report_interval = Duration::from_secs(1);
    let heard = Arc::new(Mutex::new(Heard::default()));
    let shared = Arc::clone(&heard);
    let registry = Registry::builtin().conference(move || Box::new(Hook(Arc::clone(&shared))));
    let outcome = Simulation::new(&scenario, 1, &registry).unwrap().run(&mut NoObserver).unwrap();
    let heard = heard.lock().unwrap();
    let delivered: u64 =
        outcome.summary.sessions[0].destinations.iter().map(|found| found.delivered_packets).sum();
    assert!(delivered > 500, "{delivered}");
    assert_eq!(heard.delivered as u64, delivered);
    assert!(heard.delays.iter().all(|delay| *delay >= ms(10) && *delay < ms(2_000)));
    assert!(heard.overflow > 5 && heard.reports >= 3 * 6, "{} {}", heard.overflow, heard.reports);
    // Nobody routes to node 3 (the flow is static), so that its leave finds no way back: only the join is heard.
    assert_eq!((heard.joined, heard.left), (1, 0));
    let offered = outcome.summary.sessions[0].offered_mbps.unwrap();
    assert!((offered - 4.0).abs() < 0.01, "a clock far behind changes nothing: {offered}");
}
