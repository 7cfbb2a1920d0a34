//! Hops under congestion control: what they put on the wire, and who hears of it.

use super::harness::*;
use bellini_core::congestion::{CongestionConfig, Controller};
use bellini_core::ids::SessionKey;
use bellini_core::io::{FrameFault, HopKind, Input, InputError, Received};
use bellini_core::time::Duration;
use bellini_core::wire::FrameKind;
use bellini_core::wire::frame::{FRAME_HEADER_BYTES, FrameFlags, FrameHeader, find_parts};

/// Data frames from one node to another: whether they carry a packet, and whether a report.
fn parts(net: &Net, from: u32, to: u32) -> Vec<(bool, bool)> {
    let sent = net.crossings.iter().filter(|sent| sent.kind == HopKind::Paced);
    let sent = sent.filter(|sent| (sent.from, sent.to) == (from, to));
    let mut all = Vec::new();
    for crossing in sent {
        let (header, rest) = FrameHeader::parse(&crossing.bytes).expect("a frame");
        assert!(header.flags.is_paced(), "every frame of a paced hop says so");
        if header.kind == FrameKind::Data {
            let parts = find_parts(rest, 0).expect("chunks");
            all.push((parts.packet.is_some(), parts.feedback.is_some()));
        }
    }
    all
}

/// Aim: packets arrive whole through a relay; reports come back about once a round trip, in frames of their own since
/// nothing else goes that way; they tell the sender the round trip and that the application limits the rate.
#[test]
fn reports_come_back_once_a_round_trip() {
    for controller in [Controller::Tfrc, Controller::Bbr] {
        let mut net = match controller {
            Controller::Tfrc => Net::new(3),
            Controller::Bbr => {
                Net::with(3, |config| config.congestion = CongestionConfig::of(Controller::Bbr))
            }
        };
        net.session(1, &[3], HopKind::Paced, &["2>3d"]);
        net.run_until(ms(3_000));
        assert_eq!(net.delivered(3).len(), 100, "{controller:?}");
        assert!(parts(&net, 1, 2).iter().all(|parts| *parts == (true, false)));
        let back = parts(&net, 2, 1);
        assert!(back.iter().all(|parts| *parts == (false, true)));
        // A second of packets every 10 ms, round trips of 20 ms; with four reports a round trip each packet has one.
        let wanted = if controller == Controller::Tfrc { 40..=55 } else { 90..=101 };
        assert!(wanted.contains(&back.len()), "{controller:?}: {} reports", back.len());
        let hop = hop(&mut net, 1, 2, HopKind::Paced);
        let figures = net.node(1).hops()[hop.0 as usize].control_figures().expect("a paced hop");
        assert_eq!(figures.rtt, Some(DELAY.saturating_mul(2)));
        assert!(figures.is_data_limited);
        assert_eq!((figures.lost_frames, figures.loss_event_rate), (0, 0.0));
    }
}

/// Aim: where packets wait on both sides, reports ride in front of them, but for the first, which have to hurry.
#[test]
fn reports_ride_on_packets() {
    let mut net = Net::new(2);
    let back = SessionKey::new(2, 1);
    for (key, from, to) in [(KEY, 1, 2), (back, 2, 1)] {
        net.start_file(key, from, &[to], HopKind::Paced, 4_000_000);
        net.install(key, from, 1, &[if to == 2 { "2d" } else { "1d" }]);
    }
    net.run_until(ms(600));
    for (from, to) in [(1, 2), (2, 1)] {
        let all = parts(&net, from, to);
        let riding = all.iter().filter(|parts| **parts == (true, true)).count();
        let alone = all.iter().filter(|parts| **parts == (false, true)).count();
        assert!(riding >= 15, "{from}>{to}: {riding} riding, {alone} alone, in 25 round trips");
        assert!(alone <= 12, "{from}>{to}: {riding} riding, {alone} alone, in 25 round trips");
    }
}

/// Aim: packets that leave no room for a report in their frames do not keep reports back, however close they go.
#[test]
fn reports_go_alone_where_packets_fill_their_frames() {
    // 1,200 bytes of payload with headers just fit; 59 bytes more do not.
    let mut net = Net::with(2, |config| config.mtu = 1_330);
    let back = SessionKey::new(2, 1);
    for (key, from, to) in [(KEY, 1, 2), (back, 2, 1)] {
        net.start_file(key, from, &[to], HopKind::Paced, 4_000_000);
        net.install(key, from, 1, &[if to == 2 { "2d" } else { "1d" }]);
    }
    net.run_until(ms(1_000));
    for (from, to) in [(1, 2), (2, 1)] {
        let all = parts(&net, from, to);
        let count = |wanted| all.iter().filter(|parts| **parts == wanted).count();
        let (riding, alone, packets) = (count((true, true)), count((false, true)), count((true, false)));
        // The last symbol of a file is shorter.
        assert!(riding <= 1, "{from}>{to}: {riding} riding");
        assert!(alone >= 8, "{from}>{to}: {alone} alone");
        assert!(
            packets > 2_000,
            "{from}>{to}: {packets} packets, which reports let grow from 4 a round trip"
        );
    }
}

/// Aim: a frame on the wrong kind of hop is refused by cause, whatever it says, and so is a report that is none.
#[test]
fn what_does_not_belong_is_refused() {
    let mut net = Net::new(2);
    net.session(1, &[2], HopKind::Paced, &["2d"]);
    net.run_until(ms(500));
    let crossing = net.crossings.iter().rev().find(|sent| sent.is_packet).expect("packets went").clone();
    let plain = hop(&mut net, 2, 1, HopKind::Datagram);
    let now = net.now;
    let refused = net
        .node_mut(2)
        .handle_input(now, Input::Frame { hop: plain, frame: Received::Datagram(crossing.bytes.clone()) });
    assert_eq!(refused, Err(InputError::Frame(FrameFault::WrongHop)));
    let paced = hop(&mut net, 2, 1, HopKind::Paced);
    let (header, _) = FrameHeader::parse(&crossing.bytes).expect("a frame");
    assert_eq!(header.flags, FrameFlags::PACED);
    let mut bytes = vec![0; FRAME_HEADER_BYTES];
    header.emit(&mut bytes);
    bytes.extend_from_slice(&[2, 0, 3, 1, 2, 3]);
    let refused = net
        .node_mut(2)
        .handle_input(now, Input::Frame { hop: paced, frame: Received::Datagram(bytes.into()) });
    assert!(matches!(refused, Err(InputError::Frame(FrameFault::Wire(_)))), "{refused:?}");
}

/// Aim: a source that wants more than the path gives waits for the hop, and what it gets grows with the reports
/// (slow start), from one window of four small frames a round trip.
#[test]
fn the_rate_begins_with_a_window_and_grows() {
    let mut net = Net::new(2);
    net.join(KEY, 2);
    net.start_file(KEY, 1, &[2], HopKind::Paced, 4_000_000);
    net.install(KEY, 1, 1, &["2d"]);
    net.run_until(ms(100) + DELAY.saturating_mul(2));
    let first = net.packets(1, 2);
    assert!((3..=9).contains(&first), "{first} packets in the first round trip");
    net.run_until(ms(100) + Duration::from_millis(400));
    let later = net.packets(1, 2);
    assert!(later > 20 * first, "{later} packets in 20 round trips");
}
