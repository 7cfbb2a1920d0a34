//! Made-up runs for tests: plausible, with faults and drops, the same for the same seed. Not results of anything.

use bellini_scenarios::record::{
    DelayMs, DelayRow, DestinationSummary, Engine, EventRow, FlowSummary, LinkSummary, Mode, NodeSummary,
    Run, SCHEMA, Scope, SeriesRow, SessionSummary, Status, Summary, View, kind,
};

/// What to make.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    /// Sessions.
    pub(crate) sessions: u32,
    /// Destinations of each.
    pub(crate) destinations: u32,
    /// Whether nodes have positions.
    pub(crate) positions: bool,
}

/// A small repeatable source of numbers between 0 and 1 (SplitMix64); good enough to look real.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

const PLACES: [(&str, &str, f64, f64); 9] = [
    ("Virginia", "aws:us-east-1", 38.9, -77.4),
    ("Oregon", "aws:us-west-2", 45.8, -119.7),
    ("Ireland", "aws:eu-west-1", 53.3, -6.3),
    ("Tokyo", "aws:ap-northeast-1", 35.7, 139.7),
    ("Singapore", "aws:ap-southeast-1", 1.3, 103.8),
    ("Sydney", "aws:ap-southeast-2", -33.9, 151.2),
    ("S\u{e3}o Paulo", "aws:sa-east-1", -23.5, -46.6),
    ("California", "aws:us-west-1", 37.4, -121.9),
    ("user in Virginia", "aws:us-east-1", 38.9, -77.4),
];
const DURATION: f64 = 60.0;

/// Makes a run.
pub(crate) fn run(seed: u64, shape: Shape) -> Run {
    let mut noise = Noise(seed);
    let count = PLACES.len() as u32;
    let mut run = Run {
        path: format!("made-up-{seed}").into(),
        scenario: serde_json::json!({
            "name": "made-up",
            "description": "Several conferences over eight datacenters; the link from Virginia to Oregon is cut for ten seconds and Tokyo dies and returns. A made-up run for tests.",
        }),
        summary: Summary {
            schema: SCHEMA,
            scenario: "made-up".into(),
            mode: Mode::Sim,
            status: Status::Complete,
            seed,
            version: "0.1.0".into(),
            digest: Some("5f1d7a84db00d2fce00b31a7fc73224f".into()),
            duration_s: DURATION,
            measure_s: [5.0, DURATION],
            view: View::Oracle,
            notes: vec!["Delays come from measurements of 2013.".into()],
            lab: None,
            engine: Some(Engine {
                wall_s: 1.25,
                cpu_s: Some(1.2),
                events: Some(5_000_000),
                packet_hops: Some(1_234_567),
                packet_hops_per_s: Some(987_653.6),
                peak_rss_mib: Some(21.5),
            }),
            cost: None,
            sessions: Vec::new(),
            links: Vec::new(),
            nodes: Vec::new(),
            cross_flows: Vec::new(),
        },
        series: Default::default(),
        events: Vec::new(),
        delays: Vec::new(),
        missing: Vec::new(),
    };
    for session in 0..shape.sessions {
        add_session(&mut run, &mut noise, session, shape, count);
    }
    for from in 1..=count {
        for to in (1..=count).filter(|to| *to != from && (from + to) % 3 != 0) {
            add_link(&mut run, &mut noise, from, to);
        }
    }
    for (index, (name, region, lat, lon)) in PLACES.iter().enumerate() {
        run.summary.nodes.push(NodeSummary {
            id: index as u32 + 1,
            name: (*name).into(),
            forwarded_packets: (noise.next() * 1e5) as u64,
            delivered_packets: (noise.next() * 1e5) as u64,
            overflow_drops: if index % 3 == 0 { (noise.next() * 900.0) as u64 } else { 0 },
            drops: if index == 3 {
                [("overflow".into(), 400), ("crash".into(), 150)].into()
            } else {
                Default::default()
            },
            region: Some((*region).into()),
            position: shape.positions.then_some([*lat, *lon]),
            ..NodeSummary::default()
        });
    }
    add_events(&mut run);
    run
}

fn push(run: &mut Run, t_s: f64, scope: Scope, id: &str, metric: &str, value: f64) {
    run.series.push(SeriesRow { t_s, scope, id: id.into(), metric: metric.into(), value });
}

fn add_session(run: &mut Run, noise: &mut Noise, index: u32, shape: Shape, nodes: u32) {
    let (conference, session) = (index / 10 + 1, index % 10 + 1);
    let source = index % nodes + 1;
    let id = format!("{conference}/{session}");
    let rate = 2.0 + f64::from(index % 4) * 2.5;
    let mut destinations = Vec::new();
    for step in 1..=shape.destinations {
        let node = (source + step - 1) % nodes + 1;
        let base = 20.0 + 35.0 * f64::from((source * 7 + node * 3) % 8);
        let hit = node == 4;
        for sample in 1..=120 {
            let t = f64::from(sample) * 0.5;
            let dip = if (20.0..30.0).contains(&t) && hit { 0.35 } else { 1.0 };
            let goodput = rate * dip * (0.97 + 0.03 * noise.next());
            push(run, t, Scope::Destination, &format!("{id}@{node}"), "goodput_mbps", goodput);
            let delay = base + 4.0 * noise.next() + if dip < 1.0 { 60.0 } else { 0.0 };
            push(run, t, Scope::Destination, &format!("{id}@{node}"), "delay_mean_ms", delay);
        }
        for point in 1..=60 {
            let share = f64::from(point) / 60.0;
            let delay_ms = base + 12.0 * share * share / (1.03 - share) + 2.0 * noise.next() * share;
            run.delays.push(DelayRow { session: id.clone(), destination: node, delay_ms, cumulative: share });
        }
        let sent = (rate * 5729.0) as u64;
        let lost = (sent as f64 * if hit { 0.11 } else { 0.002 } * noise.next()) as u64;
        let video = index.is_multiple_of(2);
        destinations.push(DestinationSummary {
            node,
            sent_packets: sent,
            delivered_packets: sent - lost - 3,
            lost_packets: lost,
            in_flight_packets: 3,
            goodput_mbps: Some(rate * (sent - lost) as f64 / sent as f64),
            delay_ms: Some(DelayMs {
                mean: base + 6.0,
                min: base,
                p50: base + 5.0,
                p95: base + 40.0,
                p99: base + 90.0,
                max: base + 160.0,
            }),
            base_delay_ms: Some(base),
            delay_error_ms: None,
            frames_sent: video.then_some(1320),
            frames_complete: video.then_some(1300),
            frames_on_time: video.then_some(1280 - lost / 20),
            stall_s: video.then_some(1.6),
            startup_ms: video.then_some(240.0),
            ..DestinationSummary::default()
        });
    }
    for sample in 1..=120 {
        push(run, f64::from(sample) * 0.5, Scope::Session, &id, "offered_mbps", rate);
        if index == 0 {
            let level = if (40..80).contains(&sample) { 1.2 } else { 2.85 };
            push(run, f64::from(sample) * 0.5, Scope::Session, &id, "level_mbps", level);
        }
    }
    run.summary.sessions.push(SessionSummary {
        conference,
        session,
        name: format!("talk {}", index + 1),
        source,
        content: if index.is_multiple_of(2) { "video" } else { "constant" }.into(),
        transport: "udp-unpaced".into(),
        coding: None,
        delivery: "best-effort".into(),
        repeated_packets: None,
        repair_packets: None,
        offered_mbps: Some(rate),
        destinations,
        flows: vec![
            FlowSummary { route: format!("{source}>{}", source % nodes + 1), share: 0.6, packets: 6012 },
            FlowSummary { route: format!("{source}>2>{}", source % nodes + 1), share: 0.4, packets: 3988 },
        ],
    });
}

fn add_link(run: &mut Run, noise: &mut Noise, from: u32, to: u32) {
    let id = format!("{from}>{to}");
    let load = ((from * 5 + to * 11) % 10) as f64 / 10.0;
    let (mut lost, mut full) = (0, 0);
    for sample in 1..=120 {
        let t = f64::from(sample) * 0.5;
        let cut = (20.0..30.0).contains(&t) && (from, to) == (1, 3);
        let busy = if cut { 0.0 } else { (load * (0.8 + 0.3 * noise.next())).min(1.0) };
        push(run, t, Scope::Link, &id, "utilisation", busy);
        push(run, t, Scope::Link, &id, "throughput_mbps", busy * 50.0);
        if from == 1 {
            push(run, t, Scope::Hop, &id, "hop_sent_mbps", busy * 49.0);
            push(run, t, Scope::Hop, &id, "hop_allowed_mbps", 50.0 - 20.0 * noise.next());
        }
        let queue = if busy > 0.9 { 200_000.0 * noise.next() } else { 0.0 };
        push(run, t, Scope::Feeder, &id, "queued_bytes", queue);
        let drops = if queue > 150_000.0 { (queue / 4000.0).floor() } else { 0.0 };
        push(run, t, Scope::Feeder, &id, "dropped_packets", drops);
        push(run, t, Scope::Link, &id, "dropped_queue", (drops / 3.0).floor());
        let random = (busy * 4.0 * noise.next()).floor();
        push(run, t, Scope::Link, &id, "dropped_loss", random);
        push(run, t, Scope::Link, &id, "dropped_other", if cut { 40.0 } else { 0.0 });
        lost += random as u64;
        full += (drops / 3.0) as u64;
    }
    run.summary.links.push(LinkSummary {
        from,
        to,
        transport: "udp-unpaced".into(),
        sent_packets: (load * 3e5) as u64,
        sent_bytes: (load * 3.6e8) as u64,
        dropped_queue: full,
        dropped_loss: lost,
        dropped_other: if (from, to) == (1, 3) { [("cut".into(), 800)].into() } else { Default::default() },
        utilisation: Some(load),
        mean_mbps: Some(load * 50.0),
        cost_usd: Some(load * 0.03),
        queue_peak_bytes: Some(200_000),
        cross_bytes: None,
        capacity_mbps: Some(50.0),
        base_delay_ms: Some(30.0),
    });
}

fn add_events(run: &mut Run) {
    let mut fault = |t: f64, short: &str, text: &str| {
        let mut event = EventRow::new(t, kind::FAULT, text);
        event.data.insert("fault".into(), short.into());
        run.events.push(event);
    };
    fault(20.0, "cut 1>3", "The link from Virginia to Ireland is cut.");
    fault(21.5, "crash Tokyo", "Tokyo dies with all it holds in memory.");
    fault(22.0, "degrade 5>6", "The link from Singapore to Sydney loses 5 % more.");
    fault(30.0, "heal 1>3", "The link from Virginia to Ireland works again.");
    fault(58.5, "restart Tokyo", "Tokyo starts again.");
    let mut overflow =
        EventRow::new(24.5, kind::OVERFLOW, "The feeder of Virginia for Oregon is full: 12 packets dropped.");
    overflow.node = Some(1);
    overflow.conference = Some(1);
    overflow.session = Some(1);
    run.events.push(overflow);
    run.events.sort_by(|a, b| a.t_s.total_cmp(&b.t_s));
}
