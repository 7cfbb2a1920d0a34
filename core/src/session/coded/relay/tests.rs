//! What a relay owes, pays, joins and refuses.

use super::*;
use crate::coding::{Body, META_BYTES};
use crate::ids::{FlowId, SessionKey};
use crate::rng::Seed;
use crate::route::Route;
use crate::wire::packet::PacketFlags;
use crate::wire::routing;
use bytes::{Bytes, BytesMut};

const FROM: HopIndex = HopIndex(1);
const TO: HopIndex = HopIndex(2);
const LIMITS: RouteLimits = RouteLimits { copies_max: 4, bytes_max: 100 };

/// A relay, the numbers of the hop before it, and what it has sent.
struct Bench {
    recode: Recode,
    now: Instant,
    indices: std::collections::BTreeMap<u64, u16>,
    sequence: u32,
    /// The Pathlets and forms (whether as it is) of what went on.
    sent: Vec<(Vec<u8>, bool)>,
    /// Whether the next hop has packets waiting.
    is_busy: bool,
}

fn pathlet(route: &str) -> Vec<u8> {
    routing::encode(&Route::parse(route).expect("a route")).expect("a legal route")
}

fn header(symbol: u64) -> PacketHeader {
    PacketHeader {
        key: SessionKey::new(1, 2),
        epoch: Epoch(3),
        flow: FlowId(0),
        number: symbol,
        symbol,
        timestamp_ns: 0,
        flags: PacketFlags::CODED,
        object: 0,
        index: 0,
        count: 1,
    }
}

fn data(byte: u8) -> Coded {
    Coded { meta: [byte; META_BYTES], body: Body::Real(Bytes::from(vec![byte; 20])) }
}

impl Bench {
    fn new() -> Self {
        Self {
            recode: Recode::new(Seed(5).stream("recoding"), LIMITS),
            now: Instant::ZERO,
            indices: std::collections::BTreeMap::new(),
            sequence: 0,
            sent: Vec::new(),
            is_busy: false,
        }
    }

    /// So many packets of a generation are lost on the hop.
    fn lose(&mut self, first: u64, count: u16) {
        *self.indices.entry(first).or_default() += count;
        self.sequence += u32::from(count);
    }

    /// A packet comes: a symbol at an offset or a combination of a generation of `size` symbols, of which 0 says that it
    /// may be 8 and is open.
    fn come(
        &mut self,
        first: u64,
        size: u8,
        row: Result<u8, &[u8]>,
        routes: &[(&str, HopIndex)],
    ) -> Option<Pushed> {
        let index = self.indices.entry(first).or_default();
        let header = header(first + u64::from(row.unwrap_or(0)));
        let arrival = Arrival {
            previous: FROM,
            header: &header,
            first,
            size: if size == 0 { 8 } else { size },
            is_closed: size > 0,
            index: *index,
            sequence: self.sequence,
            joined: None,
        };
        *index += 1;
        self.sequence += 1;
        self.arrive(&arrival, row, routes)
    }

    fn arrive(
        &mut self,
        arrival: &Arrival<'_>,
        row: Result<u8, &[u8]>,
        routes: &[(&str, HopIndex)],
    ) -> Option<Pushed> {
        let pathlets: Vec<_> = routes.iter().map(|(route, hop)| (pathlet(route), *hop)).collect();
        let known = pathlets.iter().map(|(pathlet, hop)| (&**pathlet, *hop));
        let taken = self.recode.take(self.now, arrival, row, data(1), known)?;
        if taken.may_pay {
            let before = self.sent.len();
            self.pay(taken.at);
            // Only a symbol that is new can go on as it is.
            let is_news = row.is_ok() && taken.pushed == Pushed::Innovative;
            self.sent[before..].iter_mut().for_each(|(_, as_it_is)| *as_it_is &= is_news);
        }
        if let Some(before) = self.recode.indebted(taken.at) {
            let sent = self.sent.len();
            self.pay(before);
            self.sent[sent..].iter_mut().for_each(|(_, as_it_is)| *as_it_is = false);
        }
        Some(taken.pushed)
    }

    fn pay(&mut self, at: usize) {
        let busy = self.recode.busy(|_| self.is_busy);
        while let Some(payment) = self.recode.pay(self.now, at, busy) {
            let (size, _) = self.recode.size(at);
            let (recoder, stream) = self.recode.recoder(at);
            recoder.recode(stream, usize::from(size), &mut BytesMut::new());
            let pathlet = self.recode.pathlet(&payment).expect("a Pathlet").to_vec();
            self.sent.push((pathlet, payment.is_single));
        }
    }

    /// What was sent since it was asked last.
    fn sent(&mut self) -> Vec<(Vec<u8>, bool)> {
        core::mem::take(&mut self.sent)
    }
}

/// Aim: a symbol goes on as it is at once; what was lost before it is owed with the generation's first combination, or when
/// the next generation begins.
#[test]
fn what_is_lost_is_owed() {
    let mut bench = Bench::new();
    let way = [("5d", TO)];
    let forms =
        |bench: &mut Bench| bench.sent().into_iter().map(|(_, as_it_is)| as_it_is).collect::<Vec<_>>();
    bench.come(0, 0, Ok(0), &way);
    assert_eq!(forms(&mut bench), [true]);
    bench.lose(0, 3);
    bench.come(0, 0, Ok(4), &way);
    assert_eq!(forms(&mut bench), [true]);
    bench.come(0, 0, Err(&[1; 8]), &way);
    assert_eq!(forms(&mut bench), [false; 4]);
    bench.lose(0, 1);
    bench.come(0, 0, Ok(5), &way);
    assert_eq!(forms(&mut bench), [true]);
    // The last ones of a generation, told by the next one's first.
    bench.lose(0, 2);
    bench.come(8, 0, Ok(0), &way);
    assert_eq!(forms(&mut bench), [true, false, false, false]);
    // A jump that nobody believes.
    bench.lose(8, 65);
    bench.come(8, 0, Err(&[1; 8]), &way);
    assert_eq!(forms(&mut bench), [false]);
}

/// Aim: what was lost is made up for after a while if nothing else of the generation comes.
#[test]
fn losses_are_made_up_for_in_time() {
    let mut bench = Bench::new();
    bench.come(0, 0, Ok(0), &[("5d", TO)]);
    bench.lose(0, 3);
    bench.come(0, 0, Ok(4), &[("5d", TO)]);
    assert_eq!(bench.sent().len(), 2);
    assert_eq!(bench.recode.deadline(), Some(bench.now + LATE_WAIT));
    bench.now += LATE_WAIT;
    let at = bench.recode.overdue(bench.now).expect("its time is over");
    bench.pay(at);
    assert_eq!(bench.sent().len(), 3);
    assert_eq!(bench.recode.overdue(bench.now), None);
}

/// Aim: over 10,000 packets of which a fifth is lost, what goes on is what the node before sent, but for the end of the
/// last generation.
#[test]
fn as_many_go_on_as_were_sent() {
    let mut bench = Bench::new();
    let mut losses = Seed(11).stream("losses");
    let mut sent = 0;
    for number in 0..10_000_u64 {
        let (first, offset) = (number / 8 * 8, (number % 8) as u8);
        if losses.chance(0.2) {
            bench.lose(first, 1);
        } else {
            bench.come(first, 0, Ok(offset), &[("5d", TO)]);
        }
        while bench.recode.generations() > 4 {
            bench.recode.evict();
        }
        sent += bench.sent().len();
    }
    assert!((9_800..=10_000).contains(&sent), "{sent}");
}

/// Aim: a packet that tells nothing new waits for one that does, or for the full rank; then all of them are paid.
#[test]
fn dependent_packets_wait() {
    let mut bench = Bench::new();
    let way = [("5d", TO)];
    assert_eq!(bench.come(0, 3, Ok(0), &way), Some(Pushed::Innovative));
    assert_eq!(bench.come(0, 3, Err(&[7, 0, 0]), &way), Some(Pushed::Dependent));
    assert_eq!(bench.sent().len(), 1);
    bench.come(0, 3, Err(&[1, 2, 3]), &way);
    assert_eq!(bench.sent().len(), 2);
    bench.come(0, 3, Ok(2), &way);
    bench.come(0, 3, Ok(2), &way);
    assert_eq!(bench.sent().len(), 2, "the rank is full");
}

/// Aim: a twin is owed nothing, one that comes late is owed as itself; packets that end here are not missed.
#[test]
fn twins_and_passers_by() {
    let mut bench = Bench::new();
    let way = [("5d", TO)];
    for offset in 0..4 {
        bench.come(0, 4, Ok(offset), &way);
    }
    assert_eq!(bench.sent().len(), 4);
    let head = header(2);
    let twin = Arrival {
        previous: FROM,
        header: &head,
        first: 0,
        size: 4,
        is_closed: true,
        index: 2,
        sequence: 2,
        joined: None,
    };
    assert_eq!(bench.arrive(&twin, Ok(2), &way), Some(Pushed::Dependent));
    assert_eq!(bench.sent().len(), 0);
    for number in 4..6 {
        bench.recode.pass(&Arrival { index: number, sequence: u32::from(number), ..twin });
        bench.lose(0, 1);
    }
    bench.come(0, 4, Ok(1), &way);
    assert_eq!(bench.sent().len(), 1);
}

/// Aim: Pathlets over one hop to different destinations are paid by one packet, in whichever order they come.
#[test]
fn flows_that_meet_share_packets() {
    let mut bench = Bench::new();
    for pair in 0..4_u8 {
        for (part, route) in ["5>7d", "5>6d"].into_iter().enumerate() {
            bench.come(0, 0, Ok(2 * pair + part as u8), &[(route, TO)]);
        }
    }
    let sent = bench.sent();
    // The first could not know.
    assert_eq!(sent[0], (pathlet("5>7d"), true));
    assert_eq!(sent.len(), 4);
    for (route, as_it_is) in &sent[1..] {
        assert!(*route == pathlet("5>{7d,6d}") && !as_it_is, "{route:?}");
    }
}

/// Aim: while its hop is busy, what waits to be joined goes on waiting, but not for ever.
#[test]
fn a_busy_hop_gives_more_time() {
    let mut bench = Bench { is_busy: true, ..Bench::new() };
    bench.come(0, 0, Ok(0), &[("5>7d", TO)]);
    bench.come(0, 0, Ok(1), &[("5>6d", TO)]);
    assert_eq!(bench.sent().len(), 1);
    let began = bench.now;
    let look = |bench: &mut Bench| {
        bench.now = bench.recode.deadline().expect("something waits");
        let at = bench.recode.overdue(bench.now).expect("it is looked at");
        bench.pay(at);
    };
    while bench.recode.deadline().is_some() {
        look(&mut bench);
    }
    assert_eq!(bench.sent(), [(pathlet("5>6d"), false)]);
    assert_eq!(bench.now.saturating_since(began), BUSY_WAIT);
    // Once it is idle, nothing waits any longer than otherwise.
    bench.come(0, 0, Ok(2), &[("5>7d", TO)]);
    bench.now += MERGE_WAIT;
    bench.is_busy = false;
    look(&mut bench);
    assert_eq!(bench.sent().len(), 1);
}

/// Aim: what waits to be joined goes alone when its time is over, and nothing waits for a Pathlet that is unseen for long.
#[test]
fn nothing_waits_for_ever() {
    let mut bench = Bench::new();
    bench.come(0, 0, Ok(0), &[("5>7d", TO)]);
    bench.come(0, 0, Ok(1), &[("5>6d", TO)]);
    assert_eq!(bench.sent().len(), 1);
    assert_eq!(bench.recode.deadline(), Some(bench.now + MERGE_WAIT));
    assert_eq!(bench.recode.overdue(bench.now), None);
    bench.now += MERGE_WAIT;
    let at = bench.recode.overdue(bench.now).expect("its time is over");
    bench.pay(at);
    assert_eq!(bench.sent(), [(pathlet("5>6d"), false)]);
    assert_eq!(bench.recode.deadline(), None);
    bench.now += Duration::from_secs(1);
    bench.come(0, 0, Ok(2), &[("5>6d", TO)]);
    assert_eq!(bench.sent(), [(pathlet("5>6d"), true)]);
}

/// Aim: what may not be joined goes at once: over other hops, to the same destination, or beyond what a packet may say.
#[test]
fn what_may_not_be_joined_goes_alone() {
    let long = "5>6>7>8>9>10>11>12>13d";
    for (one, other, hop) in [
        ("5>7d", "8>6d", HopIndex(3)),
        ("5>7d", "5>6>7d", TO),
        (long, "5>16>17>18>19>20>21>22>23>24d", TO),
        ("5>{6d,7d}", "5>{8d,9d,10d}", TO),
    ] {
        let mut bench = Bench::new();
        bench.come(0, 0, Ok(0), &[(one, TO)]);
        bench.come(0, 0, Ok(1), &[(other, hop)]);
        bench.come(0, 0, Ok(2), &[(one, TO), (other, hop)]);
        let ways: Vec<_> = bench.sent().into_iter().map(|(way, _)| way).collect();
        assert_eq!(ways, [one, other, one, other].map(pathlet), "{one} {other}");
        assert_eq!(bench.recode.deadline(), None);
    }
}

/// Aim: a symbol goes as it is at most once over a hop; what else is owed there is combined.
#[test]
fn no_symbol_goes_twice_over_a_hop() {
    let mut bench = Bench::new();
    bench.come(0, 0, Ok(0), &[("5>7d", TO), ("8>7d", HopIndex(3)), ("5>6>7d", TO)]);
    let forms: Vec<bool> = bench.sent().into_iter().map(|(_, as_it_is)| as_it_is).collect();
    assert_eq!(forms, [true, true, false]);
}

/// Aim: what contradicts the generation's size is refused, what was combined before its end was known is not; whatever
/// comes, combining works.
#[test]
fn sizes_that_contradict_are_refused() {
    let mut bench = Bench::new();
    let way = [("5d", TO)];
    assert_eq!(bench.come(0, 0, Ok(3), &way), Some(Pushed::Innovative));
    assert_eq!(bench.come(0, 3, Ok(0), &way), None, "there is a symbol behind its end");
    assert_eq!(bench.come(0, 5, Ok(0), &way), Some(Pushed::Innovative));
    assert_eq!(bench.come(0, 6, Ok(1), &way), None, "the first word stands");
    assert_eq!(bench.come(0, 0, Ok(5), &way), None);
    assert_eq!(bench.come(0, 0, Ok(2), &way), Some(Pushed::Innovative), "from before the end");
    assert_eq!(bench.come(0, 0, Err(&[1, 2, 3, 4, 5, 0, 0, 0]), &way), Some(Pushed::Innovative));
    assert_eq!(bench.come(0, 0, Err(&[1, 2, 3, 4, 5, 6, 0, 0]), &way), None);
    assert_eq!(bench.come(0, 5, Ok(1), &way), Some(Pushed::Innovative));
    assert_eq!(bench.sent().len(), 5, "what is refused is owed to nobody, nor missed");
}

/// Aim: what is described and what is real are not mixed.
#[test]
fn foreign_bodies_are_refused() {
    let mut bench = Bench::new();
    bench.come(0, 0, Ok(0), &[("5d", TO)]);
    let head = header(1);
    let arrival = Arrival {
        previous: FROM,
        header: &head,
        first: 0,
        size: 8,
        is_closed: false,
        index: 1,
        sequence: 1,
        joined: None,
    };
    let described = Coded { meta: [2; META_BYTES], body: Body::Described(u32::MAX) };
    let way = pathlet("5d");
    let known = [(&*way, TO)].into_iter();
    assert_eq!(bench.recode.take(bench.now, &arrival, Ok(1), described, known), None);
    assert_eq!(bench.recode.generations(), 1);
}

/// Aim: a new epoch begins with nothing; what is left of the old one is refused.
#[test]
fn epochs_turn() {
    let mut bench = Bench::new();
    bench.come(0, 0, Ok(0), &[("5d", TO)]);
    let mut head = header(8);
    head.epoch = Epoch(4);
    let arrival = Arrival {
        previous: FROM,
        header: &head,
        first: 8,
        size: 8,
        is_closed: false,
        index: 60,
        sequence: 0,
        joined: None,
    };
    assert_eq!(bench.arrive(&arrival, Ok(0), &[("5d", TO)]), Some(Pushed::Innovative));
    assert_eq!(bench.recode.generations(), 1);
    assert_eq!(bench.sent().len(), 2, "no losses between epochs");
    assert_eq!(bench.come(0, 0, Ok(1), &[("5d", TO)]), None);
}
