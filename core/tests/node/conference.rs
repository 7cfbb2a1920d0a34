//! The end of a conference.

use super::harness::*;
use bellini_core::io::{Command, Event, HopKind};
use bellini_core::stats::Drop;
use bellini_core::units::BitRate;

fn slow(config: &mut bellini_core::config::NodeConfig) {
    config.pacing.default_rate = BitRate::from_bps(200_000);
}

/// Queues go at once at every node on the route, and packets that come later are refused, at the sink too.
#[test]
fn the_end_of_a_conference_empties_queues_everywhere() {
    let mut net = Net::with(3, |config| {
        if config.id == id(2) {
            slow(config);
        }
    });
    net.session(1, &[3], HopKind::Datagram, &["2>3d"]);
    net.run_until(ms(605));
    assert!(net.node(2).queued_packets() > 20);
    let late: Vec<Crossing> = net.crossings.iter().filter(|sent| sent.is_packet).cloned().collect();
    net.command(1, Command::EndConference(KEY.conference));
    assert_eq!(net.node(1).queued_packets(), 0);
    net.run_until(ms(614));
    assert!(net.node(2).queued_packets() > 20, "it cannot know yet");
    net.run_until(ms(615));
    assert_eq!(net.node(2).queued_packets(), 0, "one delay later");
    net.run_until(ms(625));
    for node in 1..=3 {
        let ended = net.picked(node, |event| match event {
            Event::ConferenceEnded { conference, dropped_packets } => Some((*conference, *dropped_packets)),
            _ => None,
        });
        assert_eq!(ended.len(), 1, "node {node} heard once");
        assert_eq!(ended[0].1.0, KEY.conference);
        assert_eq!(ended[0].1.1 > 0, node == 2, "node {node}");
    }
    let (sent, delivered) = (net.node(1).stats().originated_packets, net.delivered(3).len());
    net.run_until(ms(3_000));
    assert_eq!(net.node(1).stats().originated_packets, sent, "the source has stopped");

    // Copies that were delayed somewhere.
    let refused = |net: &Net, node| net.node(node).stats().dropped_packets[Drop::ConferenceEnded as usize];
    let before = [refused(&net, 2), refused(&net, 3)];
    for crossing in &late {
        net.arrive(crossing);
    }
    let to = |node| late.iter().filter(|sent| sent.to == node).count() as u64;
    assert_eq!([refused(&net, 2), refused(&net, 3)], [before[0] + to(2), before[1] + to(3)]);
    assert_eq!(net.delivered(3).len(), delivered);
    assert!(net.try_command(1, Command::StopSession(KEY)).is_ok(), "the source's counters are still there");
}
