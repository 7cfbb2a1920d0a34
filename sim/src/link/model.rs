//! One direction of a link: queue, serialiser and wire.

use super::clock::RateClock;
use super::codel::CoDelServer;
use super::fifo::{Fifo, Load, Slot};
use super::red::Red;
use super::wire::Wire;
use super::{Admit, Backlog, DropCause, LinkSpec, LinkStats, LinkStreams, Polled};
use bellini_core::time::Instant;
use bellini_scenarios::conduct::Degrade;
use bellini_scenarios::model::{QueueDiscipline, Rate};

/// One direction of a link, or another queue with a rate (shared bottleneck, shaper).
///
/// `P` is the driver's handle of a packet, typically an index. Instants handed in must not go back.
///
/// ```
/// use bellini_core::{rng::Seed, time::{Duration, Instant}, units::BitRate};
/// use bellini_scenarios::model::{Queue, QueueDiscipline, Rate};
/// use bellini_sim::link::{LinkModel, LinkSpec, LinkStreams, Polled};
///
/// let rate = Rate::Constant(BitRate::from_bps(8_000_000).expect("not zero"));
/// let queue = Queue { bytes: 10_000, discipline: QueueDiscipline::DropTail };
/// let spec = LinkSpec { delay: Duration::from_millis(20), ..LinkSpec::serialiser(rate, queue) };
/// let mut link = LinkModel::new(&spec, LinkStreams::named(Seed(1), "example"));
/// let _ = link.admit(Instant::ZERO, 1_000, "packet");
/// let arrival = link.next_event().expect("one packet is inside");
/// assert_eq!(arrival, Instant::ZERO + Duration::from_millis(1 + 20));
/// assert_eq!(link.poll(arrival), Some(Polled::Arrived("packet")));
/// assert_eq!(link.poll(arrival), None);
/// ```
pub struct LinkModel<P> {
    server: Server<P>,
    wire: Wire<P>,
    mtu: u32,
    up: bool,
    stats: LinkStats,
    origin: Box<Origin>,
}

enum Server<P> {
    /// No queue and no rate: packets enter the wire at once.
    Unlimited,
    /// Ends of transmission known at admission.
    Fifo(Fifo),
    /// Decides at the start of transmission.
    CoDel(Box<CoDelServer<P>>),
}

/// What rare changes need.
struct Origin {
    rate: Rate,
    streams: LinkStreams,
    degraded: Degrade,
}

impl<P> LinkModel<P> {
    /// Returns a link that is up and empty.
    ///
    /// # Panics
    /// If no step of a rate trace has both a rate and a length.
    #[must_use]
    pub fn new(spec: &LinkSpec, streams: LinkStreams) -> Self {
        let clock = RateClock::new(&spec.rate, 1.0);
        let server = match (clock.mean_bps(), spec.queue.discipline) {
            (None, _) => Server::Unlimited,
            (Some(_), QueueDiscipline::DropTail) => Server::Fifo(Fifo::new(clock, spec.queue.bytes, None)),
            (Some(bps), QueueDiscipline::Red { min_bytes, max_bytes, max_probability, weight, wait }) => {
                let draws = streams.stream("red");
                let red = Red::new((min_bytes, max_bytes), max_probability, weight, wait, bps, draws);
                Server::Fifo(Fifo::new(clock, spec.queue.bytes, Some(Box::new(red))))
            }
            (Some(_), QueueDiscipline::CoDel { target, interval }) => {
                Server::CoDel(Box::new(CoDelServer::new(clock, spec.queue.bytes, target, interval, spec.mtu)))
            }
        };
        Self {
            server,
            wire: Wire::new(spec, &streams),
            mtu: spec.mtu,
            up: true,
            stats: LinkStats::default(),
            origin: Box::new(Origin { rate: spec.rate.clone(), streams, degraded: Degrade::default() }),
        }
    }

    /// Offers a packet of `wire_bytes` bytes (the IP packet) at `now`.
    #[inline]
    pub fn admit(&mut self, now: Instant, wire_bytes: u32, packet: P) -> Admit<P> {
        if !self.up || wire_bytes > self.mtu {
            let cause = if self.up { DropCause::Mtu } else { DropCause::Down };
            return self.refuse(packet, cause);
        }
        let enter = match &mut self.server {
            Server::Unlimited => now.as_nanos(),
            Server::Fifo(fifo) => match fifo.admit(now.as_nanos(), wire_bytes, &mut self.stats) {
                Ok(end) => end,
                Err(cause) => return self.refuse(packet, cause),
            },
            Server::CoDel(_) => return self.admit_codel(now, wire_bytes, packet),
        };
        self.stats.admitted_packets += 1;
        self.stats.admitted_bytes += u64::from(wire_bytes);
        let (load, travel) =
            if self.wire.loses(enter) { (Load::Lost, 0) } else { (Load::Carried, self.wire.travel()) };
        if let Server::Fifo(fifo) = &mut self.server {
            fifo.push(Slot { end: enter, travel, bytes: wire_bytes, load });
        }
        if load == Load::Lost {
            self.stats.dropped.count(DropCause::Loss);
            return Admit::Lost { packet, cause: DropCause::Loss };
        }
        self.wire.launch(enter.saturating_add(travel), wire_bytes, packet);
        Admit::Accepted
    }

    /// Offers a packet of cross traffic: it takes up queue and rate and vanishes at the end of its transmission.
    pub fn admit_cross(&mut self, now: Instant, wire_bytes: u32) {
        let admitted = self.up
            && wire_bytes <= self.mtu
            && match &mut self.server {
                Server::Unlimited => true,
                Server::Fifo(fifo) => match fifo.admit(now.as_nanos(), wire_bytes, &mut self.stats) {
                    Ok(end) => {
                        fifo.push(Slot { end, travel: 0, bytes: wire_bytes, load: Load::Cross });
                        true
                    }
                    Err(_) => false,
                },
                Server::CoDel(server) => {
                    server.admit(now.as_nanos(), wire_bytes, None, &mut self.wire, &mut self.stats).is_ok()
                }
            };
        let cross = &mut self.stats.cross;
        if admitted {
            cross.admitted_packets += 1;
            cross.admitted_bytes += u64::from(wire_bytes);
        } else {
            cross.refused_packets += 1;
        }
    }

    /// Returns the earliest instant at which `poll` has something to do; any `&mut self` call may change it.
    #[must_use]
    #[inline]
    pub fn next_event(&self) -> Option<Instant> {
        let arrival = self.wire.next_arrival();
        let next = match &self.server {
            Server::CoDel(server) => server.next_event().into_iter().chain(arrival).min(),
            Server::Unlimited | Server::Fifo(_) => arrival,
        };
        next.map(Instant::from_nanos)
    }

    /// Takes the next packet that has come out by `now`; call until `None`.
    #[inline]
    pub fn poll(&mut self, now: Instant) -> Option<Polled<P>> {
        if let Server::CoDel(server) = &mut self.server {
            server.advance(now.as_nanos(), &mut self.wire, &mut self.stats);
            if let Some((packet, cause)) = server.poll_dropped() {
                self.stats.dropped.count(cause);
                return Some(Polled::Dropped { packet, cause });
            }
        }
        let (packet, bytes) = self.wire.poll(now.as_nanos())?;
        self.stats.delivered_packets += 1;
        self.stats.delivered_bytes += u64::from(bytes);
        Some(Polled::Arrived(packet))
    }

    /// Cuts the link: all packets in it are handed to `drop`, and none is admitted until it is healed.
    pub fn cut(&mut self, now: Instant, drop: &mut dyn FnMut(P, DropCause)) {
        self.up = false;
        self.clear(now, DropCause::Cut, drop);
    }

    /// Hands all packets inside to `drop`, with `cause` unless they had been dropped already; the link stays up.
    pub fn clear(&mut self, now: Instant, cause: DropCause, drop: &mut dyn FnMut(P, DropCause)) {
        self.advance(now);
        let Self { server, wire, stats, .. } = self;
        let mut dropped = stats.dropped;
        let mut counted = |packet, cause| {
            dropped.count(cause);
            drop(packet, cause);
        };
        wire.clear(&mut |packet| counted(packet, cause));
        stats.cross.dropped_packets += match server {
            Server::Unlimited => 0,
            Server::Fifo(fifo) => fifo.clear(now.as_nanos(), stats),
            Server::CoDel(server) => server.clear(now.as_nanos(), cause, &mut counted, stats),
        };
        stats.dropped = dropped;
    }

    /// Makes the link work as the scenario describes it: ends a cut and a degradation.
    pub fn heal(&mut self, now: Instant) {
        self.up = true;
        self.origin.degraded = Degrade::default();
        self.apply_degraded(now);
    }

    /// Makes the link worse from `now` until healed. The rate counts for what has not been sent yet, the delay for
    /// what has not entered the wire, the loss for what is admitted from now on.
    pub fn degrade(&mut self, now: Instant, degrade: Degrade) {
        let degraded = &mut self.origin.degraded;
        degraded.rate_factor = degrade.rate_factor.or(degraded.rate_factor);
        degraded.extra_delay = degrade.extra_delay.or(degraded.extra_delay);
        degraded.extra_loss = degrade.extra_loss.or(degraded.extra_loss);
        self.apply_degraded(now);
    }

    /// Whether the link is not cut.
    #[must_use]
    pub const fn is_up(&self) -> bool {
        self.up
    }

    /// Returns what waits or is being serialised at `now`.
    pub fn backlog(&mut self, now: Instant) -> Backlog {
        self.advance(now);
        let (packets, bytes) = match &self.server {
            Server::Unlimited => (0, 0),
            Server::Fifo(fifo) => fifo.backlog(),
            Server::CoDel(server) => server.backlog(),
        };
        Backlog { packets, bytes }
    }

    /// Returns how many packets are inside: admitted, and neither polled nor lost. Not cross traffic.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        let mut before_wire = 0;
        if let Server::CoDel(server) = &self.server {
            server.for_each(&mut |_| before_wire += 1);
        }
        before_wire + self.wire.len()
    }

    /// Returns the counters as of `now`.
    pub fn stats(&mut self, now: Instant) -> &LinkStats {
        self.advance(now);
        &self.stats
    }

    /// Calls `f` with each packet inside, in no stated order.
    pub fn for_each_packet(&self, f: &mut dyn FnMut(&P)) {
        if let Server::CoDel(server) = &self.server {
            server.for_each(f);
        }
        self.wire.for_each(f);
    }

    #[cold]
    fn refuse(&mut self, packet: P, cause: DropCause) -> Admit<P> {
        self.stats.refused.count(cause);
        Admit::Dropped { packet, cause }
    }

    fn admit_codel(&mut self, now: Instant, wire_bytes: u32, packet: P) -> Admit<P> {
        let Server::CoDel(server) = &mut self.server else {
            unreachable!("called for CoDel only");
        };
        match server.admit(now.as_nanos(), wire_bytes, Some(packet), &mut self.wire, &mut self.stats) {
            Ok(()) => {
                self.stats.admitted_packets += 1;
                self.stats.admitted_bytes += u64::from(wire_bytes);
                Admit::Accepted
            }
            Err(packet) => {
                let packet = packet.expect("the server hands back what it was given");
                self.refuse(packet, DropCause::Queue)
            }
        }
    }

    /// Brings transmissions and counters up to `now`.
    fn advance(&mut self, now: Instant) {
        match &mut self.server {
            Server::Unlimited => {}
            Server::Fifo(fifo) => fifo.account(now.as_nanos(), &mut self.stats),
            Server::CoDel(server) => {
                server.advance(now.as_nanos(), &mut self.wire, &mut self.stats);
                server.account(now.as_nanos(), &mut self.stats);
            }
        }
    }

    fn apply_degraded(&mut self, now: Instant) {
        self.advance(now);
        let Origin { rate, streams, degraded } = &*self.origin;
        let clock = RateClock::new(rate, degraded.rate_factor.unwrap_or(1.0));
        let before = self.wire.extra_delay();
        let extra_delay = degraded.extra_delay.unwrap_or_default();
        self.wire.degrade(extra_delay, degraded.extra_loss.unwrap_or(0.0), streams);
        match &mut self.server {
            Server::Unlimited => {}
            Server::Fifo(fifo) => {
                let travel =
                    |travel: u64| (travel.saturating_sub(before)).saturating_add(extra_delay.as_nanos());
                let arrivals = fifo.retime(now.as_nanos(), clock, travel, &mut self.stats);
                self.wire.retime(&arrivals);
            }
            Server::CoDel(server) => server.retime(now.as_nanos(), clock),
        }
    }
}
