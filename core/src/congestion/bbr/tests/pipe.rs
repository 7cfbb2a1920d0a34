//! An ideal path for tests: flows through one bottleneck of some rate with a drop-tail queue and random loss, and a
//! receiver for each that reports totals.

use crate::congestion::bbr::BbrSender;
use crate::congestion::{Allowance, CongestionConfig, CongestionControl, Feedback, SentFrame};
use crate::rng::{Seed, Stream};
use crate::time::{Duration, Instant};
use crate::units::BitRate;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// Bytes of every frame.
pub(super) const FRAME: u32 = 1_400;
/// Width of a bin of [`Flow::delivered`].
pub(super) const BIN: Duration = Duration::from_millis(100);

/// The bottleneck and what lies around it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Path {
    pub(super) mbps: f64,
    pub(super) one_way: Duration,
    pub(super) buffer: u64,
    pub(super) loss: f64,
}

impl Path {
    /// Bytes of a bandwidth-delay product.
    pub(super) fn bdp(&self) -> f64 {
        self.mbps * 1e6 / 8.0 * 2.0 * self.one_way.as_secs_f64()
    }
}

/// What the application has to send.
#[derive(Clone, Copy, Debug)]
pub(super) enum Load {
    Greedy,
    /// A frame every so often.
    Every(Duration),
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
struct Frame {
    flow: usize,
    number: u64,
    stamp: u32,
    rtt: Option<Duration>,
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Wake(usize),
    Packet(usize),
    Timeout(usize),
    Served,
    Arrived(Frame),
    ReportDue(usize),
    Report(usize, Feedback),
}

/// The stub of a receiver.
#[derive(Debug, Default)]
struct Receiver {
    totals: Option<Feedback>,
    stamp: u32,
    newest_at: Instant,
    rtt: Duration,
    is_armed: bool,
    reported_frames: u64,
}

#[derive(Debug)]
pub(super) struct Flow {
    pub(super) sender: BbrSender,
    receiver: Receiver,
    load: Load,
    waiting: u64,
    number: u64,
    wake: Option<Instant>,
    timeout: Option<Instant>,
    /// Bytes that arrived, by bins.
    pub(super) delivered: Vec<u64>,
    pub(super) sent: u64,
}

impl Flow {
    /// Mbit/s that arrived from `from` to `to` seconds.
    pub(super) fn mbps(&self, from: f64, to: f64) -> f64 {
        let (first, last) = ((from * 10.0) as usize, (to * 10.0) as usize);
        let bytes: u64 = self.delivered.iter().take(last).skip(first).sum();
        bytes as f64 * 8e-6 / (to - from)
    }
}

struct Queued(Reverse<(Instant, u64)>, Event);

impl PartialEq for Queued {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl Eq for Queued {}
impl PartialOrd for Queued {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Queued {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

/// The event loop.
pub(super) struct Pipe {
    pub(super) now: Instant,
    pub(super) path: Path,
    /// Neither frames nor reports get through.
    pub(super) is_dead: bool,
    pub(super) flows: Vec<Flow>,
    pub(super) drops: u64,
    config: CongestionConfig,
    /// Number of the first connection.
    salt: u64,
    events: BinaryHeap<Queued>,
    count: u64,
    queue: VecDeque<Frame>,
    /// Sum and number of queue lengths in bytes, one at every frame that came.
    queue_sum: (f64, u64),
    loss: Stream,
}

impl Pipe {
    pub(super) fn new(path: Path) -> Self {
        let config = CongestionConfig { feedbacks_per_rtt: 4, ..CongestionConfig::default() };
        Self {
            now: Instant::ZERO,
            path,
            is_dead: false,
            flows: Vec::new(),
            drops: 0,
            config,
            salt: 0,
            events: BinaryHeap::new(),
            count: 0,
            queue: VecDeque::new(),
            queue_sum: (0.0, 0),
            loss: Seed(4).stream("loss"),
        }
    }

    pub(super) fn with_reports(mut self, feedbacks_per_rtt: u8) -> Self {
        self.config.feedbacks_per_rtt = feedbacks_per_rtt;
        self
    }

    pub(super) fn with_salt(mut self, salt: u64) -> Self {
        self.salt = salt;
        self
    }

    /// Opens a flow now; its hello measured the round trip of the empty path.
    pub(super) fn open(&mut self, load: Load) -> usize {
        let flow = self.flows.len();
        let mut sender = BbrSender::new(self.config, self.salt + flow as u64);
        let rtt = Duration::from_nanos(2 * self.path.one_way.as_nanos());
        sender.on_open(self.now, Some(rtt));
        self.flows.push(Flow {
            sender,
            receiver: Receiver::default(),
            load: Load::Nothing,
            waiting: 0,
            number: 0,
            wake: None,
            timeout: None,
            delivered: Vec::new(),
            sent: 0,
        });
        self.set_load(flow, load);
        flow
    }

    pub(super) fn set_load(&mut self, flow: usize, load: Load) {
        self.flows[flow].load = load;
        self.flows[flow].waiting = 0;
        let event = if matches!(load, Load::Every(_)) { Event::Packet(flow) } else { Event::Wake(flow) };
        self.at(self.now, event);
    }

    /// Mean queue in bytes since the last call.
    pub(super) fn take_mean_queue(&mut self) -> f64 {
        let (sum, count) = core::mem::take(&mut self.queue_sum);
        sum / count.max(1) as f64
    }

    fn at(&mut self, at: Instant, event: Event) {
        self.count += 1;
        self.events.push(Queued(Reverse((at, self.count)), event));
    }

    pub(super) fn run_until(&mut self, secs: f64) {
        let end = Instant::ZERO + Duration::from_secs_f64(secs);
        while self.events.peek().is_some_and(|next| next.0.0.0 <= end) {
            let Queued(Reverse((at, _)), event) = self.events.pop().expect("peeked");
            self.now = at;
            self.handle(event);
        }
        self.now = end;
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Wake(flow) => {
                if self.flows[flow].wake.is_some_and(|at| at <= self.now) {
                    self.flows[flow].wake = None;
                }
                self.poll(flow);
            }
            Event::Packet(flow) => {
                if let Load::Every(gap) = self.flows[flow].load {
                    self.flows[flow].waiting += 1;
                    self.at(self.now + gap, Event::Packet(flow));
                    self.poll(flow);
                }
            }
            Event::Timeout(flow) => {
                self.flows[flow].timeout = None;
                self.flows[flow].sender.on_timeout(self.now);
                self.poll(flow);
            }
            Event::Served => self.served(),
            Event::Arrived(frame) => self.arrived(frame),
            Event::ReportDue(flow) => self.report(flow),
            Event::Report(flow, report) => {
                self.flows[flow].sender.on_feedback(self.now, &report);
                self.poll(flow);
            }
        }
    }

    /// Lets a sender send what it may.
    fn poll(&mut self, flow: usize) {
        loop {
            let this = &mut self.flows[flow];
            if matches!(this.load, Load::Nothing) || matches!(this.load, Load::Every(_)) && this.waiting == 0
            {
                break;
            }
            match this.sender.allowance(self.now) {
                Allowance::Now => {}
                Allowance::At(at) => {
                    assert!(at > self.now);
                    if this.wake.is_none_or(|wake| at < wake) {
                        this.wake = Some(at);
                        self.at(at, Event::Wake(flow));
                    }
                    break;
                }
                Allowance::Blocked => {
                    assert!(this.sender.deadline().is_some(), "blocked for ever");
                    break;
                }
            }
            let frame = Frame {
                flow,
                number: this.number,
                stamp: (self.now.as_nanos() / 1_000) as u32,
                rtt: this.sender.rtt(),
            };
            this.sender.on_sent(self.now, SentFrame { number: this.number, bytes: FRAME });
            this.number += 1;
            this.sent += u64::from(FRAME);
            this.waiting = this.waiting.saturating_sub(1);
            self.enqueue(frame);
        }
        let this = &mut self.flows[flow];
        if let Some(at) = this.sender.deadline() {
            let at = at.max(self.now);
            if this.timeout.is_none_or(|armed| at < armed) {
                this.timeout = Some(at);
                self.at(at, Event::Timeout(flow));
            }
        }
    }

    fn enqueue(&mut self, frame: Frame) {
        let queued = (self.queue.len() as u64) * u64::from(FRAME);
        self.queue_sum.0 += queued as f64;
        self.queue_sum.1 += 1;
        if self.is_dead || self.loss.chance(self.path.loss) || queued + u64::from(FRAME) > self.path.buffer {
            self.drops += 1;
            return;
        }
        self.queue.push_back(frame);
        if self.queue.len() == 1 {
            self.serve();
        }
    }

    fn serve(&mut self) {
        let rate = BitRate::from_bps((self.path.mbps * 1e6) as u64).expect("a path has a rate");
        self.at(self.now + rate.transmit_time(u64::from(FRAME)), Event::Served);
    }

    fn served(&mut self) {
        let frame = self.queue.pop_front().expect("something was served");
        self.at(self.now + self.path.one_way, Event::Arrived(frame));
        if !self.queue.is_empty() {
            self.serve();
        }
    }

    fn arrived(&mut self, frame: Frame) {
        let bin = (self.now.as_nanos() / BIN.as_nanos()) as usize;
        let this = &mut self.flows[frame.flow];
        this.delivered.resize(this.delivered.len().max(bin + 1), 0);
        this.delivered[bin] += u64::from(FRAME);
        let receiver = &mut this.receiver;
        let totals = receiver.totals.get_or_insert(Feedback {
            echo_us: 0,
            held_us: 0,
            received_bytes_per_s: 0,
            loss_event_rate: 0.0,
            highest: 0,
            frames: 0,
            bytes: 0,
            lost: 0,
        });
        totals.highest = frame.number;
        totals.frames += 1;
        totals.bytes += u64::from(FRAME);
        totals.lost = frame.number + 1 - totals.frames;
        receiver.stamp = frame.stamp;
        receiver.newest_at = self.now;
        receiver.rtt = frame.rtt.unwrap_or(Duration::from_millis(200));
        if totals.frames == 1 {
            self.report(frame.flow);
        } else if !receiver.is_armed {
            receiver.is_armed = true;
            let wait = receiver.rtt.as_nanos() / u64::from(self.config.feedbacks_per_rtt);
            self.at(self.now + Duration::from_nanos(wait), Event::ReportDue(frame.flow));
        }
    }

    fn report(&mut self, flow: usize) {
        let receiver = &mut self.flows[flow].receiver;
        receiver.is_armed = false;
        let Some(mut report) = receiver.totals else { return };
        if report.frames == receiver.reported_frames {
            return;
        }
        receiver.reported_frames = report.frames;
        report.echo_us = receiver.stamp;
        report.held_us = (self.now.saturating_since(receiver.newest_at).as_nanos() / 1_000) as u32;
        if !self.is_dead {
            self.at(self.now + self.path.one_way, Event::Report(flow, report));
        }
    }
}
