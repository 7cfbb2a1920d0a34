//! Queueing theory: mean waits, and RED in a link.

use super::*;

#[test]
fn mean_wait_of_m_d_1() {
    // Pollaczek and Khinchine for deterministic service D: W = rho D / (2 (1 - rho)). Poisson arrivals; waits are
    // correlated, so the deviation of the mean comes from 100 batches, each far longer than the correlation time
    // (about 2 / (1 - rho)^2 services). z = 4.5.
    for (rho, n) in [(0.5, 1_000_000), (0.8, 1_000_000), (0.95, 4_000_000)] {
        // 1,000 bytes at 8 Mbit/s take 1 ms; the handle of a packet is its admission.
        let service = 1_000_000_u64;
        let mut link = link::<u64>(&LinkSpec::serialiser(bps(8 * MEGABIT), tail(u64::MAX)));
        let mut draws = Seed(21).stream("arrivals");
        let (mut now, mut waits) = (0.0, Vec::with_capacity(n));
        while waits.len() < n {
            now += draws.exponential(service as f64 / rho);
            let at = now as u64;
            while let Some(end) = link.next_event().filter(|&end| end <= ns(at)) {
                let Some(Polled::Arrived(admitted)) = link.poll(end) else { panic!("nothing is dropped") };
                waits.push((end.as_nanos() - admitted - service) as f64);
            }
            assert_eq!(link.admit(ns(at), 1_000, at), Admit::Accepted);
        }
        let means: Vec<f64> =
            waits[..n].chunks(n / 100).map(|batch| batch.iter().sum::<f64>() / batch.len() as f64).collect();
        let mean = means.iter().sum::<f64>() / 100.0;
        let variance = means.iter().map(|batch| libm::pow(batch - mean, 2.0)).sum::<f64>() / 99.0;
        let expected = rho * service as f64 / (2.0 * (1.0 - rho));
        let slack = 4.5 * (variance / 100.0).sqrt();
        assert!((mean - expected).abs() < slack, "rho {rho}: {mean} against {expected} +- {slack}");
        // Sharp enough to tell M/D/1 from M/M/1, whose wait is twice as long.
        assert!(slack < 0.25 * expected, "rho {rho}: slack {slack}");
    }
}

#[test]
fn red_holds_the_queue_of_an_overload_where_its_drop_rate_balances() {
    // Constant overload by a quarter: RED must drop 1/5 of the packets. With drops spaced uniformly over 1 to
    // 1/p - 1 the drop rate is 2p, so that p = 0.1 at balance, which is at min + (max - min) p / max_p bytes.
    let discipline = QueueDiscipline::Red {
        min_bytes: 20_000,
        max_bytes: 100_000,
        max_probability: 0.2,
        weight: 0.002,
        wait: false,
    };
    let queue = Queue { bytes: 1_000_000, discipline };
    let mut link = link::<u64>(&spec(bps(8 * MEGABIT), queue));
    let n = 1_000_000_u64;
    let (mut occupancy, mut dropped, warm) = (0.0, 0.0, n / 10);
    for k in 0..n {
        let now = ns(k * 800_000);
        while link.poll(now).is_some() {}
        let admit = link.admit(now, 1_000, k);
        if k >= warm {
            dropped += if admit == Admit::Accepted { 0.0 } else { 1.0 };
            occupancy += (link.backlog(now).bytes.saturating_sub(1_000)) as f64;
        }
    }
    let counted = (n - warm) as f64;
    // Conservation fixes the rate; the queue can move by a part of its length in between.
    assert!((dropped / counted - 0.2).abs() < 1e-3, "{}", dropped / counted);
    let mean = occupancy / counted;
    assert!((mean - 60_000.0).abs() < 1_500.0, "{mean}");
    assert_eq!(link.stats(FOREVER).refused.get(DropCause::Queue), 0);
}
