//! Three nodes in a row, joined by lossy datagrams and by pipes, are recorded; their logs are replayed, cut and damaged.

mod nodes;

use super::decode::Decoder;
use super::format::{BLOCK_HEAD_BYTES, HEADER_HEAD_BYTES, LogHeader, block_head, header_bytes, header_check};
use super::*;
use bellini_core::coding::{CodingSpec, Repair, Scheme};
use bellini_core::ids::Incarnation;
use bellini_core::io::{Command, Input, Received};
use bellini_core::time::{Duration, Instant};
use bytes::Bytes;
use nodes::*;

fn replayed(log: &[u8]) -> Result<Replayed, ReplayError> {
    replay(LogReader::new(log)?, &mut ())
}

fn identities(identities: bool) -> Option<RecordOptions> {
    Some(RecordOptions { identities, ..RecordOptions::default() })
}

/// Returns (position, length) of the bodies of a log's blocks.
fn bodies(log: &[u8]) -> Vec<(usize, usize)> {
    let mut at = HEADER_HEAD_BYTES + u32::from_le_bytes(log[12..16].try_into().unwrap()) as usize + 16;
    let mut found = Vec::new();
    while at < log.len() {
        let length = u32::from_le_bytes(log[at..at + 4].try_into().unwrap()) as usize;
        found.push((at + BLOCK_HEAD_BYTES, length));
        at += BLOCK_HEAD_BYTES + length;
    }
    found
}

/// Makes all checks of a changed log right again, behind another header if one is given.
fn mended(log: &[u8], header: Option<&LogHeader>) -> Vec<u8> {
    let found = bodies(log);
    let first = found[0].0 - BLOCK_HEAD_BYTES;
    let (mut out, mut check) = match header {
        Some(header) => header_bytes(header).unwrap(),
        None => (log[..first].to_vec(), header_check(&log[..first - 16])),
    };
    for (index, (at, length)) in found.into_iter().enumerate() {
        let body = &log[at..at + length];
        let (head, next) = block_head(&check, index as u32, body);
        out.extend_from_slice(&head);
        out.extend_from_slice(body);
        check = next;
    }
    out
}

/// Every node's log gives every output again, whether payload was left out or not.
#[test]
fn replay_is_byte_exact() {
    let mut lengths = [0, 0];
    for (whole, length) in lengths.iter_mut().enumerate() {
        let run = run(identities(whole == 0), None, true);
        for log in &run.logs {
            let log = log.log();
            let done = replayed(&log).unwrap();
            assert_eq!(done.ending, Ending::Complete);
            assert_eq!(done.progress.at, ms(801));
            assert!(done.progress.inputs > 80 && done.progress.transmits > 5, "{done:?}");
            *length += log.len();
        }
        let all: u64 = run.logs.iter().map(|log| replayed(&log.log()).unwrap().progress.refused).sum();
        assert!(all > 0, "the refused command is counted");
    }
    assert!(lengths[0] < lengths[1] * 3 / 4, "identities are shorter: {lengths:?}");
}

/// Aim: coded packets, those that a relay makes anew and what a destination decodes of them are replayed to the byte.
#[test]
fn coded_sessions_are_replayed() {
    let coding = |scheme| CodingSpec { scheme, repair: Repair::Fixed(0.5), recode: true, real_bytes: true };
    let latency = Duration::from_millis(200);
    for scheme in [
        Scheme::Generation { size: 8, systematic: true, latency: None },
        Scheme::Generation { size: 16, systematic: false, latency: Some(latency) },
        Scheme::Window { latency, size: 16 },
    ] {
        let run = run_coded(Some(coding(scheme)), identities(true), None, true);
        for log in &run.logs {
            let done = replayed(&log.log()).unwrap();
            assert_eq!(done.ending, Ending::Complete);
        }
        assert_eq!(run.recoded > 20, matches!(scheme, Scheme::Generation { .. }), "{}", run.recoded);
        let without = run_coded(Some(coding(scheme)), None, None, true);
        assert_eq!(without.seen, run.seen);
    }
}

/// Recording changes nothing of what nodes do.
#[test]
fn recording_changes_no_output() {
    let (without, with) = (run(None, None, true), run(identities(true), None, true));
    assert!(without.seen.len() > 400);
    assert_eq!(without.seen, with.seen);
    assert!(without.statuses.iter().all(Option::is_none));
}

/// No byte of a log can change without notice, wherever it is.
#[test]
fn every_flipped_byte_is_noticed() {
    let log = run(identities(true), None, true).logs[1].log();
    let mut places = SEED.stream("test:flips");
    for _ in 0..200 {
        let place = places.below(log.len() as u64) as usize;
        let mut flipped = log.clone();
        flipped[place] ^= 1 << places.below(8);
        match replayed(&flipped) {
            Err(ReplayError::Log(LogError::Malformed { position, .. })) => assert!(position <= place as u64),
            other => panic!("byte {place} of {}: {other:?}", log.len()),
        }
    }
}

/// A payload byte that changed behind right checks is found where it goes out again.
#[test]
fn other_outputs_are_found_where_they_come_out() {
    let mut log = run(identities(false), None, true).logs[1].log();
    let header = LogReader::new(&log[..]).unwrap().header().clone();
    let mut found = None;
    let mut now = header.start;
    'blocks: for (at, length) in bodies(&log) {
        let body = Bytes::copy_from_slice(&log[at..at + length]);
        let mut decoder = Decoder::new(SEED, &body, now);
        while let Some((time, record)) = decoder.next().unwrap() {
            now = time;
            if let Record::Input(Input::Frame { frame: Received::Datagram(bytes), .. }) = record
                && bytes.len() > 1_000
            {
                found = Some((at + decoder.position() - 1, time));
                break 'blocks;
            }
        }
    }
    let (place, time) = found.unwrap();
    log[place] ^= 1;
    match replayed(&mended(&log, None)) {
        Err(ReplayError::Difference(difference)) => {
            assert!(
                difference.progress.at >= time && difference.progress.compared_until < difference.progress.at
            );
            assert!(difference.what.contains("hash of the outputs"), "{difference}");
        }
        other => panic!("{other:?}"),
    }
}

/// Another configuration or seed does something else, and another version of Bellini is named.
#[test]
fn other_configurations_and_versions_are_told() {
    let log = run(identities(true), None, true).logs[0].log();
    let mut header = LogReader::new(&log[..]).unwrap().header().clone();
    assert!(replayed(&mended(&log, Some(&header))).is_ok(), "mending alone changes nothing");
    header.bellini = "0.0.0".to_owned();
    header.config.mtu = 1_400;
    let message = replayed(&mended(&log, Some(&header))).unwrap_err().to_string();
    assert!(message.contains("recorded by Bellini 0.0.0"), "{message}");
    header.config.incarnation = Incarnation(0);
    assert!(matches!(replayed(&mended(&log, Some(&header))), Err(ReplayError::Config(_))));
}

/// A log that ends anywhere replays up to its last whole block, and says that its end is missing.
#[test]
fn a_log_cut_anywhere_replays_its_prefix() {
    let log = run(identities(true), None, true).logs[0].log();
    let first = bodies(&log)[0].0 - BLOCK_HEAD_BYTES;
    let step = log.len() / 150 + 1;
    let mut most = 0;
    for length in (0..log.len()).step_by(step).chain(log.len() - 40..log.len()) {
        match replayed(&log[..length]) {
            Ok(done) => {
                assert!(length >= first && matches!(done.ending, Ending::Cut(_)), "{length}: {done:?}");
                assert_eq!(
                    done.bytes + if let Ending::Cut(rest) = done.ending { rest } else { 0 },
                    length as u64
                );
                assert!(done.progress.inputs >= most, "more of a log replays no less");
                most = done.progress.inputs;
            }
            Err(ReplayError::Log(LogError::Malformed { .. })) => assert!(length < first, "{length}"),
            other => panic!("{length}: {other:?}"),
        }
    }
}

/// A node that goes without ending its log leaves everything up to then.
#[test]
fn a_log_without_an_end_says_so() {
    for log in &run(identities(true), None, false).logs {
        let done = replayed(&log.log()).unwrap();
        assert_eq!((done.ending, done.progress.at), (Ending::Cut(0), ms(800)));
    }
}

/// A full disk ends the recording, not the node; the log ends validly.
#[test]
fn a_full_disk_stops_recording_only() {
    let without = run(None, None, true);
    let run = run(identities(true), Some(90_000), true);
    assert_eq!(run.seen, without.seen);
    let mut stopped = 0;
    for (log, status) in run.logs.iter().zip(&run.statuses) {
        let log = log.log();
        assert!(log.len() <= 90_000);
        let done = replayed(&log).unwrap();
        if let Some(reason) = &status.as_ref().unwrap().stopped {
            stopped += 1;
            assert!(reason.contains("cannot be written"), "{reason}");
            assert!(matches!(done.ending, Ending::Stopped(_) | Ending::Cut(0)), "{done:?}");
        }
    }
    assert!(stopped > 0);
}

/// What waits for the disk is bounded: too much ends the recording, and inputs from then on are counted.
#[test]
fn a_slow_disk_stops_recording_only() {
    let options = RecordOptions { waiting_bytes_max: 100, ..RecordOptions::default() };
    let run = run(Some(options), None, true);
    // The thread that writes goes on by itself where recording stopped: the log may be a moment behind.
    for status in &run.statuses {
        let status = status.as_ref().unwrap();
        assert!(
            status.stopped.as_ref().unwrap().contains("too slow") && status.missed_inputs > 0,
            "{status:?}"
        );
    }
    for log in &run.logs {
        let done = replayed(&log.log()).unwrap();
        assert!(matches!(done.ending, Ending::Stopped(_) | Ending::Cut(_)), "{done:?}");
    }
}

/// Whatever the bytes of a block are, decoding ends without a panic.
#[test]
fn damaged_blocks_decode_or_are_refused() {
    let log = run(identities(true), None, true).logs[1].log();
    let (at, length) = bodies(&log)[0];
    let mut places = SEED.stream("test:bodies");
    let mut refused = 0;
    for _ in 0..300 {
        let mut body = log[at..at + length].to_vec();
        for _ in 0..3 {
            let place = places.below(length as u64) as usize;
            body[place] = places.next_u64() as u8;
        }
        let body = Bytes::from(body);
        let mut decoder = Decoder::new(SEED, &body, Instant::ZERO);
        while let Some(record) = decoder.next().transpose() {
            if record.is_err() {
                refused += 1;
                break;
            }
        }
    }
    assert!(refused > 0);
}

/// Aim: a command that hands a listing over is read back: the form of logs names no fields, so that none may be left out.
#[test]
fn a_listing_is_read_back() {
    use bellini_core::listing::{Conference, HeldListing, List, Session};
    let session = Session {
        session: bellini_core::ids::SessionId(7),
        name: String::new(),
        source: id(0),
        destinations: vec![id(1)],
        about: String::new(),
        ended: false,
    };
    let conference = Conference {
        conference: bellini_core::ids::ConferenceId(1),
        name: "talk".to_owned(),
        members: Default::default(),
        sessions: [(session.session, session)].into(),
    };
    let list = List { conferences: [(conference.conference, conference)].into(), ..List::default() };
    let limits = bellini_core::listing::ListingLimits::default();
    let held = HeldListing { limits, list, lost: Vec::new() };
    let written = postcard::to_allocvec(&Command::HoldListing(Box::new(held.clone()))).unwrap();
    let Ok(Command::HoldListing(read)) = postcard::from_bytes(&written) else { panic!("another command") };
    assert_eq!(read.list, held.list);
}
