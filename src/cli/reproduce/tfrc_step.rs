//! `tfrc-step`: loss rises from 1 % to 4 % and falls again; packets a second beside ns-2's.

use super::common::{PACKET_BYTES, SEEDS, SYMBOL_BYTES, axis, curve, greedy, input, row, wire_pps};
use super::reference;
use super::{Experiment, Findings, Setting, bins, parallel};
use crate::cli::exit::Failure;
use bellini_reports::reproduce::{Curve, Page, Plot, Row, Shape};
use bellini_scenarios::record::Scope;
use serde_json::{Value, json};

pub(super) const EXPERIMENTS: &[Experiment] = &[Experiment {
    name: "tfrc-step",
    about: "one TFRC flow while loss goes from 1 % to 4 % and back: settling, drawn over ns-2's",
    run,
}];

/// Seconds at which loss rises and falls, and the end.
const RISE: u64 = 60;
const FALL: u64 = 120;
const END: u64 = 180;
/// Loss at first and at last, and in between: one packet in so many.
const FEW: u64 = 100;
const MANY: u64 = 25;
/// Longest pattern of losses: more packets than are ever sent.
const PATTERN: u64 = 200_000;
/// With fewer seeds the mean of random losses is too rough to be judged.
const SEEDS_MIN: u64 = 20;
/// Seconds in which a rate counts as settled, before the rise and in between.
const BEFORE: (f64, f64) = (20.0, 60.0);
const BETWEEN: (f64, f64) = (70.0, 120.0);

fn scenario(loss: &Value, faults: &Value, duration: u64) -> Value {
    json!({
        "bellini": 1, "name": "tfrc-step", "duration": format!("{duration} s"), "sample_interval": "1 s",
        "nodes": [{ "id": 1 }, { "id": 2 }],
        "links": [
            { "from": 1, "to": 2, "delay": "50 ms", "rate": "100 Mbit/s", "loss": loss },
            { "from": 2, "to": 1, "delay": "50 ms", "rate": "100 Mbit/s" }
        ],
        "faults": faults,
        "conferences": [{ "id": 1, "sessions": [{
            "id": 1, "source": 1, "destinations": [2], "routing": "direct", "transport": "udp",
            "symbol_bytes": format!("{SYMBOL_BYTES} B"),
            "content": greedy()
        }] }]
    })
}

/// Returns packets sent in each second.
fn packets(setting: &Setting<'_>, scenario: &Value, seed: u64) -> Result<Vec<f64>, Failure> {
    let run = super::simulate(setting.registry, scenario, seed, &[(Scope::Link, "throughput_mbps")])?;
    let seconds = run.series("throughput_mbps", "1>2");
    // A link that nobody has used yet has no samples.
    let mut all = vec![0.0; (seconds.last().map_or(0.0, |last| last.0)).round() as usize];
    for (t, mbps) in seconds {
        if let Some(place) = all.get_mut((t.round() as usize).saturating_sub(1)) {
            *place = wire_pps(*mbps);
        }
    }
    Ok(all)
}

/// Every 100th packet is lost, from the rise on every 25th, from the fall on every 100th. A pattern of losses counts
/// packets and not seconds: how many were sent up to the rise is read from a run without it, and so on.
fn periodic(setting: &Setting<'_>) -> Result<Vec<f64>, Failure> {
    let mut pattern = String::new();
    for (until, one_in) in [(RISE, FEW), (FALL, MANY), (END, FEW)] {
        let known = pattern.len() as u64;
        let rest = (0..PATTERN - known).map(|i| if (i + 1) % one_in == 0 { '1' } else { '0' });
        pattern.extend(rest);
        let seconds = packets(setting, &scenario(&json!({ "trace": pattern }), &json!([]), until), 1)?;
        if until == END {
            return Ok(seconds);
        }
        pattern.truncate(seconds.iter().sum::<f64>().round() as usize);
    }
    Ok(Vec::new())
}

/// Independent losses of the same rates.
fn random(setting: &Setting<'_>, seeds: u64) -> Result<Vec<Vec<f64>>, Failure> {
    let (few, many) = (1.0 / FEW as f64, 1.0 / MANY as f64);
    // Both losses are independent: (1 - few) (1 - extra) = 1 - many.
    let extra = 1.0 - (1.0 - many) / (1.0 - few);
    let faults = json!([
        { "at": format!("{RISE} s"), "degrade": { "links": ["1>2"], "extra_loss": extra } },
        { "at": format!("{FALL} s"), "heal": ["1>2"] }
    ]);
    let scenario = scenario(&json!(few), &faults, END);
    let jobs: Vec<_> = (1..=seeds).collect();
    parallel::each("tfrc-step", &jobs, |seed| packets(setting, &scenario, *seed))
}

/// What is read out of a curve of packets a second.
struct Response {
    before: f64,
    between: f64,
    /// Seconds until within 10 % of the level in between, from the rise on.
    down: Option<usize>,
    /// Seconds until within 10 % of the level before, from the fall on.
    up: Option<usize>,
    /// Least second between rise and fall over the level there, 1 when nothing is below.
    least: f64,
    /// Greatest second after the fall over the level before.
    most: f64,
}

impl Response {
    fn of(seconds: &[f64]) -> Self {
        let part = |from: usize, to: usize| {
            seconds.get(from.min(seconds.len())..to.min(seconds.len())).unwrap_or(&[])
        };
        let level = |(from, to): (f64, f64)| bins::mean(part(from as usize, to as usize)).unwrap_or(0.0);
        let (before, between) = (level(BEFORE), level(BETWEEN));
        let after = part(FALL as usize, END as usize);
        let amid = part(RISE as usize, FALL as usize);
        Self {
            before,
            between,
            down: bins::settling(amid, between, 0.1),
            up: bins::settling(after, before, 0.1),
            least: amid.iter().copied().fold(f64::INFINITY, f64::min) / between,
            most: after.iter().copied().fold(0.0, f64::max) / before,
        }
    }
}

fn run(setting: &Setting<'_>) -> Result<Findings, Failure> {
    let seeds = setting.seeds(40, 3);
    let theirs = column("periodic_pps")?;
    let their_mean = column("random_mean_pps")?;
    let ours = periodic(setting)?;
    let all = random(setting, seeds)?;
    let our_mean = bins::mean_series(&all);
    let mut rows = compare("periodic", &Response::of(&theirs), &[Response::of(&ours)], &Response::of(&ours));
    let each: Vec<_> = all.iter().map(|seconds| Response::of(seconds)).collect();
    let mut random = compare("random", &Response::of(&their_mean), &each, &Response::of(&our_mean));
    if seeds < SEEDS_MIN {
        random.iter_mut().for_each(|row| row.band = None);
    }
    rows.extend(random);
    let place =
        |seconds: &[f64]| -> Vec<(f64, f64)> { (1..).map(f64::from).zip(seconds.iter().copied()).collect() };
    let quarter = |q: f64| -> Vec<f64> {
        let at = |i: usize| bins::quantile(&all.iter().map(|seconds| seconds[i]).collect::<Vec<_>>(), q);
        (0..our_mean.len()).filter_map(at).collect()
    };
    let plot = |title: &str, caption: &str, curves: Vec<Curve>| Plot {
        title: title.to_owned(),
        caption: caption.to_owned(),
        x: axis("time", "s"),
        y: axis("packets sent in the second", ""),
        y_range: Some((0.0, 250.0)),
        curves,
    };
    let beside = |curve: Curve, at| Curve { beside: Some(at), ..curve };
    let line = |name: &str, seconds: &[f64]| curve(name, Shape::Line, place(seconds));
    let plots = vec![
        plot(
            "Periodic loss: packets a second",
            "Every 100th packet is lost, between 60 and 120 s every 25th.",
            vec![line("ours", &ours), line("ns-2", &theirs)],
        ),
        plot(
            "Random loss: mean of all seeds",
            "Each packet is lost with 1 %, between 60 and 120 s with 4 %.",
            vec![line("ours", &our_mean), line("ns-2", &their_mean)],
        ),
        plot(
            "Random loss: quartiles over seeds",
            "In a quarter of the runs a second is below the lower curve, in a quarter above the upper one.",
            vec![
                line("ours, lower quartile", &quarter(0.25)),
                beside(line("ns-2, lower quartile", &column("random_p25_pps")?), 0),
                line("ours, upper quartile", &quarter(0.75)),
                beside(line("ns-2, upper quartile", &column("random_p75_pps")?), 2),
            ],
        ),
    ];
    let page = Page {
        title: "TFRC while loss rises and falls".to_owned(),
        reference: "ns-2".to_owned(),
        lead: format!(
            "One TFRC hop that always has something to send, round trip 100 ms. Loss is 1 %, from {RISE} to {FALL} s it is \
             4 %: once periodic, once independent, there the mean of {seeds} seeds. RFC 5348's equation gives 112.3 and \
             44.4 packets/s."
        ),
        rows,
        plots,
        inputs: vec![
            input("packet on the wire", format!("{PACKET_BYTES} B, of which {SYMBOL_BYTES} B payload"), "reference: ns-2's scripts of these runs"),
            input("content", "a file without end, pulled by its hop", "assumed: always something to send, as ns-2's FTP source"),
            input("seeds", format!("1 to {seeds}"), SEEDS),
        ],
        notes: vec![
            "Levels are means from 20 to 60 s and from 70 to 120 s; a curve has settled in the first second that is within 10 % of the level it goes to, both for ns-2 and for us.".to_owned(),
            "The start differs: our hops open by a hello exchange that measures the round trip, so the first second already has four packets a round trip; ns-2's begins with one packet a second.".to_owned(),
            "Losses follow a pattern of packets; where it changes was read from a run that ends there.".to_owned(),
        ],
        ..Page::default()
    };
    Ok(Findings { page, seeds, detail: json!({ "periodic": ours, "random_mean": our_mean }) })
}

/// Returns a column of the reference, second by second.
fn column(name: &str) -> Result<Vec<f64>, Failure> {
    reference::records(reference::STEP).map(|record| record.number(name)).collect()
}

/// Returns the rows of one kind of loss: levels as means of `each` run, the rest from `ours`, the curve that is drawn.
fn compare(kind: &str, theirs: &Response, each: &[Response], ours: &Response) -> Vec<Row> {
    let levels = |pick: fn(&Response) -> f64| each.iter().map(pick).collect::<Vec<_>>();
    let around = |value: f64, part: f64| Some((value * (1.0 - part), value * (1.0 + part)));
    let within = |seconds: Option<usize>| seconds.map(|it| ((it as f64 - 2.0).max(1.0), it as f64 + 2.0));
    let single = |quantity: String, unit: &str, theirs: Option<f64>, ours: Option<f64>, band| Row {
        quantity,
        unit: unit.to_owned(),
        reference: theirs,
        ours,
        band,
        ..Row::default()
    };
    let seconds = |it: Option<usize>| it.map(|seconds| seconds as f64);
    vec![
        Row {
            band: around(theirs.before, 0.1),
            ..row(format!("{kind}: before"), "packets/s", Some(theirs.before), &levels(|it| it.before))
        },
        single(
            format!("{kind}: settled after the rise"),
            "s",
            seconds(theirs.down),
            seconds(ours.down),
            within(theirs.down),
        ),
        Row {
            band: around(theirs.between, 0.1),
            ..row(format!("{kind}: in between"), "packets/s", Some(theirs.between), &levels(|it| it.between))
        },
        single(
            format!("{kind}: settled after the fall"),
            "s",
            seconds(theirs.up),
            seconds(ours.up),
            within(theirs.up),
        ),
        single(
            format!("{kind}: least second over the level in between"),
            "",
            Some(theirs.least),
            Some(ours.least),
            None,
        ),
        single(
            format!("{kind}: most after the fall over the level before"),
            "",
            Some(theirs.most),
            Some(ours.most),
            None,
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Aim: the reference's own words on the periodic curve come out: 112 before, 3 s down, 44.4, 7 s up.
    #[test]
    fn the_reference_reads_as_it_says() {
        let response = Response::of(&column("periodic_pps").expect("numbers"));
        assert!((response.before - 112.25).abs() < 0.3, "{}", response.before);
        assert!((response.between - 44.4).abs() < 0.3, "{}", response.between);
        assert_eq!((response.down, response.up), (Some(3), Some(7)));
    }
}
