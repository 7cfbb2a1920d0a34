//! Stream hops over byte pipes with limited room.

use super::harness::*;
use bellini_core::content::Content;
use bellini_core::content::spec::{FrameTrace, Playout, PlayoutMode, TraceFrame};
use bellini_core::ids::{Epoch, SessionKey};
use bellini_core::io::{Command, DrawMode, Event, HopKind, Input, MeasureWindow, SessionSpec};
use bellini_core::time::Duration;
use bellini_core::units::BitRate;
use std::sync::Arc;

/// Bytes of the largest frame here with its prefix: more than one frame never stands beyond the room.
const FRAME_BYTES: usize = 1_400;

/// Frames come whole out of a stream that is cut anywhere, on both of two hops in a row.
#[test]
fn a_stream_cut_anywhere_carries_every_packet() {
    let mut net = Net::new(3);
    net.session(1, &[3], HopKind::Stream, &["2>3d"]);
    net.run_until(ms(10_000));
    let symbols: Vec<u64> = net.delivered(3).iter().map(|(_, symbol, _)| *symbol).collect();
    assert_eq!(symbols, (0..100).collect::<Vec<_>>(), "all, in order");
    assert!(net.crossings.iter().filter(|sent| sent.is_packet).all(|sent| sent.kind == HopKind::Stream));
    for (ends, pipe) in &net.pipes {
        assert!(pipe.most_buffered < ROOM + FRAME_BYTES, "{ends:?} held {} bytes", pipe.most_buffered);
    }
    assert!(net.pipes[&(1, 2)].most_buffered > 0);
}

/// What a hop may not send waits in its feeder, never more than a frame beyond the room; another hop goes on.
#[test]
fn a_blocked_hop_stops_no_other() {
    let mut net = Net::new(3);
    let other = SessionKey::new(2, 1);
    net.session(1, &[2], HopKind::Stream, &["2d"]);
    net.join(other, 3);
    net.start_session(other, 1, &[3], HopKind::Stream, 0);
    net.install(other, 1, 1, &["3d"]);
    net.run_until(ms(300));
    net.pipes.get_mut(&(1, 2)).expect("it is open").is_stalled = true;
    let before = net.delivered(2).len();
    net.run_until(ms(3_000));
    assert_eq!(net.delivered(3).len(), 100, "the other session is complete");
    assert!(net.delivered(2).len() <= before + 20, "what was on its way");
    assert!(net.node(1).queued_packets() > 50);
    // The buffer is emptied again and again: the debt of a frame that overshot must not become room.
    net.pipes.get_mut(&(1, 2)).expect("it is open").is_stalled = false;
    net.run_until(ms(10_000));
    assert_eq!(net.delivered(2).len(), 100);
    let most = net.pipes[&(1, 2)].most_buffered;
    assert!((ROOM..ROOM + FRAME_BYTES).contains(&most), "{most} bytes");
}

/// A connection that is lost is opened anew; what waited goes over the next one.
#[test]
fn a_closed_stream_opens_anew() {
    let mut net = Net::new(2);
    net.session(1, &[2], HopKind::Stream, &["2d"]);
    net.run_until(ms(500));
    let before = net.delivered(2).len();
    for (node, peer) in [(1, 2), (2, 1)] {
        let (now, hop) = (net.now, hop(&mut net, node, peer, HopKind::Stream));
        net.node_mut(node).handle_input(now, Input::Closed { hop }).expect("the hop is there");
    }
    net.pipes.clear();
    // What was on its way when the connection went is gone: bytes of it would be those of no connection.
    net.forget_streams();
    net.run_until(ms(5_000));
    let after = net.delivered(2).len();
    assert!(before >= 30 && (90..=100).contains(&after), "{before} before, {after} in the end");
}

/// Video of 50 frames a second in groups of ten, at 1 Mbit/s or 250 kbit/s.
fn adaptive() -> Content {
    let frame = |i| TraceFrame { bytes: 100, key: i % 10 == 0 };
    let (frame_interval, frames) = (Duration::from_millis(20), (0..50).map(frame).collect());
    let trace = Arc::new(FrameTrace { name: "even".into(), frame_interval, frames });
    let ladder = [250_000, 1_000_000].into_iter().filter_map(BitRate::from_bps).collect();
    let playout = Playout { delay: Duration::from_millis(200), mode: PlayoutMode::Live };
    Content::Adaptive { trace, ladder, initial: 1, up_after: Duration::from_secs(2), playout }
}

/// Aim: a stream hop tells no rate; that packets pile up before it is enough. The level falls while nothing was
/// dropped yet, and rises after a quiet time. On a datagram hop that is held back in the same way (the control) it
/// stays, because nothing overflows.
#[test]
fn an_adaptive_source_backs_off_from_a_stream_that_stalls() {
    for (kind, falls) in [(HopKind::Stream, true), (HopKind::Datagram, false)] {
        let mut net = Net::new(2);
        net.command(
            1,
            Command::StartSession(Box::new(SessionSpec {
                delivery: bellini_core::io::Delivery::BestEffort,
                coding: None,
                seal: None,
                key: KEY,
                epoch: Epoch(0),
                destinations: vec![id(2)],
                content: adaptive(),
                symbol_bytes: SYMBOL_BYTES,
                hop_kind: kind,
                start: ms(100),
                stop: ms(9_000),
                measure: MeasureWindow { from: ms(0), to: ms(10_000) },
                draw: DrawMode::Stride,
                policy_period: None,
            })),
        );
        net.install(KEY, 1, 1, &["2d"]);
        net.run_until(ms(1_000));
        let stall = |net: &mut Net, is_stalled| match kind {
            HopKind::Stream => net.pipes.get_mut(&(1, 2)).expect("it is open").is_stalled = is_stalled,
            _ => {
                let (now, hop) = (net.now, hop(net, 1, 2, kind));
                let input = if is_stalled { Input::Blocked { hop } } else { Input::Room { hop, bytes: 1 } };
                net.node_mut(1).handle_input(now, input).expect("the hop is there");
            }
        };
        let level = |net: &Net| {
            let source = net.node(1).session(KEY).and_then(|entry| entry.source.as_ref());
            source.expect("it is the source").content_stats().level
        };
        assert_eq!(level(&net), Some(1));
        stall(&mut net, true);
        net.run_until(ms(1_700));
        assert_eq!(level(&net), Some(usize::from(!falls)), "{kind:?}");
        assert!(net.events.iter().all(|(_, _, event)| !matches!(event, Event::Overflow { .. })), "{kind:?}");
        stall(&mut net, false);
        net.run_until(ms(6_000));
        assert_eq!(level(&net), Some(1), "{kind:?}: the way is free again");
    }
}
