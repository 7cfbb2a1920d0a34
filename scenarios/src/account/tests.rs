//! The accountant against months worked out by hand.

use super::*;

/// Aim: ranks are those of the definition; 95 % of a month of 5-minute intervals is sample 8,208.
#[test]
fn ranks() {
    assert_eq!(Billing::default().intervals(), 8_640);
    assert_eq!((charged_rank(95.0, 8_640), free_intervals(95.0, 8_640)), (8_208, 432));
    assert_eq!((charged_rank(100.0, 8_640), free_intervals(100.0, 8_640)), (8_640, 0));
    // ceil(0.95 * 10) = 10: with so few intervals none is free.
    assert_eq!((charged_rank(95.0, 10), charged_rank(90.0, 10), charged_rank(50.0, 1)), (10, 9, 1));
}

/// Aim: a month of which every interval's volume is known: the 432 largest are free, and not one more.
#[test]
fn a_month_by_hand() {
    // Interval i carries i + 1, in an order that is not sorted: 4,099 has no common factor with 8,640.
    let month: Vec<f64> = (0..8_640_u64).map(|i| (i * 4_099 % 8_640 + 1) as f64).collect();
    assert_eq!(charged_volume(&month, 8_640, 95.0), 8_208.0);
    assert_eq!(charged_volume(&month, 8_640, 100.0), 8_640.0);
    let burst = |intervals: usize| {
        let mut month = vec![1.0; 8_640];
        month[100..100 + intervals].fill(50.0);
        charged_volume(&month, 8_640, 95.0)
    };
    assert_eq!((burst(432), burst(433)), (1.0, 50.0));
    // Intervals that are not known carried nothing.
    assert_eq!(charged_volume(&[7.0; 432], 8_640, 95.0), 0.0);
    assert_eq!(charged_volume(&[7.0; 433], 8_640, 95.0), 7.0);
}

/// Aim: both ways of billing for a month at a constant rate are the same money, and bursts are free by percentile only.
#[test]
fn both_ways_of_billing() {
    let billing = Billing::default();
    let traffic = |bursts: usize| {
        let mut mbps = vec![8.0; 8_640];
        mbps[..bursts].fill(80.0);
        // 8 Mbit/s are 10^6 bytes a second, 0.3 GB in five minutes.
        let bytes = mbps.iter().map(|rate| rate / 8.0 * 300e6).sum();
        LinkTraffic { ends: (1, 2), usd_per_gb: Some(0.1), bytes, mbps }
    };
    let flat = Statement::of(&billing, &[traffic(0)]);
    // 8,640 * 0.3 GB at 0.1.
    assert!((flat.traffic_usd.unwrap() - 259.2).abs() < 1e-6, "{flat:?}");
    assert!((flat.percentile_usd.unwrap() - 259.2).abs() < 1e-6, "{flat:?}");
    let bursty = Statement::of(&billing, &[traffic(432)]);
    assert!((bursty.percentile_usd.unwrap() - 259.2).abs() < 1e-6, "{bursty:?}");
    assert!((bursty.max_usd.unwrap() - 2_592.0).abs() < 1e-6, "{bursty:?}");
    // 432 intervals carry nine times 0.3 GB more.
    assert!((bursty.traffic_usd.unwrap() - 259.2 - 432.0 * 2.7 * 0.1).abs() < 1e-6, "{bursty:?}");
    let fixed = Statement::of(&Billing { usd_per_mbps: Some(2.0), ..billing }, &[traffic(433)]);
    assert_eq!(fixed.percentile_usd, Some(160.0));
}

/// Aim: of two directions the larger is charged, once, and links without a price stay out of the sum.
#[test]
fn directions() {
    let link =
        |ends, rate: f64, usd_per_gb| LinkTraffic { ends, usd_per_gb, bytes: 0.0, mbps: vec![rate; 4] };
    let links = [link((1, 2), 3.0, Some(1.0)), link((2, 1), 5.0, Some(1.0)), link((1, 3), 9.0, None)];
    let second =
        Billing { interval: Duration::from_secs(1), period: Duration::from_secs(4), ..Billing::default() };
    let each = Statement::of(&second, &links);
    // 8 Mbit/s at 1 USD/GB for 4 s are 0.004 USD.
    assert!((each.percentile_usd.unwrap() - 0.004).abs() < 1e-12, "{each:?}");
    let larger = Statement::of(&Billing { direction: Direction::Larger, ..second }, &links);
    assert!((larger.percentile_usd.unwrap() - 0.0025).abs() < 1e-12, "{larger:?}");
    assert_eq!((larger.lines[0].percentile_usd, larger.lines[2].percentile_usd), (Some(0.0), None));
    // Two periods are charged their mean.
    let two = LinkTraffic { mbps: [vec![1.0; 4], vec![3.0; 4]].concat(), ..link((1, 2), 0.0, Some(1.0)) };
    assert_eq!(Statement::of(&second, &[two]).lines[0].charged_mbps, 2.0);
}

/// Aim: samples are put into intervals by time, also where they reach over an edge, and no byte is lost.
#[test]
fn meters() {
    let mut meter = Meter::new(Duration::from_secs(10));
    for second in 0..4 {
        let from = f64::from(second) * 4.0;
        meter.add((from, from + 4.0), 4e6);
    }
    // 1 MB a second for 16 s: the third sample lies across the edge.
    assert_eq!((meter.mbps(), meter.total()), (vec![8.0, 8.0], 16e6));
    meter.add((16.0, 21.0), 5e6);
    // The third interval has only begun.
    assert_eq!((meter.mbps(), meter.total()), (vec![8.0, 8.0], 21e6));
    let mut short = Meter::new(Duration::from_secs(300));
    short.add((0.0, 2.0), 2e6);
    assert_eq!(short.mbps(), [8.0], "less than an interval is all there is");
}
