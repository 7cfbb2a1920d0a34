//! Round trips between the paper's cities and regions, measured by others; `scenarios/data/SOURCES.md` says by whom.

use super::reference::records;
use crate::cli::exit::{self, Failure};
use bellini_core::rng::Stream;

const CITIES: &str = include_str!("../../../scenarios/data/paper-cities-rtt-ms.csv");
const AWS_2013: &str = include_str!("../../../scenarios/data/aws-2013-rtt-ms.csv");
/// Where the cities' figures are from, for inputs and scenarios.
pub(super) const CITIES_FROM: &str = "WonderProxy, A day in the life of the Internet, 2020-07-19/20, by way of \
                                      github.com/sm86/geo-latency-data 0ab28d0e";
/// Where the regions' figures are from.
pub(super) const AWS_FROM: &str = "Bailis et al., week of pings between EC2 regions, published 2013-05-17";
/// Error of an estimated round trip, leaving one server out at a time: median and 90th percentile in milliseconds.
pub(super) const ERROR_MS: (f64, f64) = (7.0, 28.0);
/// Round trip that a last mile adds at one end, in milliseconds: the servers stand in hosting centres.
pub(super) const LAST_MILE_MS: (f64, f64) = (5.0, 30.0);
/// Standard normal deviate of the 90th percentile.
const NORMAL_90: f64 = 1.281_551_6;

/// A round trip.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rtt {
    /// Its length in milliseconds.
    pub(super) ms: f64,
    /// Whether it was measured between these places; else estimated from servers near them.
    pub(super) is_measured: bool,
}

impl Rtt {
    /// Returns the round trip with an error drawn for it: none where it was measured; else of either sign, its size
    /// log-normal with the median and the 90th percentile of [`ERROR_MS`].
    pub(super) fn drawn(self, stream: &mut Stream) -> f64 {
        let (sign, deviate) = (if stream.chance(0.5) { 1.0 } else { -1.0 }, stream.normal());
        if self.is_measured {
            return self.ms;
        }
        let sigma = (ERROR_MS.1 / ERROR_MS.0).ln() / NORMAL_90;
        (self.ms + sign * ERROR_MS.0 * (sigma * deviate).exp()).max(1.0)
    }
}

/// Returns the round trip between a city and another city or region.
///
/// # Errors
/// The table has none: a defect.
pub(super) fn rtt(city: &str, other: &str) -> Result<Rtt, Failure> {
    let ends = |from: &str, to: &str| (from, to) == (city, other) || (to, from) == (city, other);
    let record = records(CITIES).find(|record| ends(record.text("src"), record.text("dst")));
    let record = record
        .ok_or_else(|| Failure::new(exit::FAILED, format!("no round trip between {city} and {other}")))?;
    Ok(Rtt { ms: record.number("rtt_ms")?, is_measured: record.text("kind") == "measured" })
}

/// Returns the regions that have a round trip to both cities, in alphabetical order.
pub(super) fn regions(a: &str, b: &str) -> Vec<&'static str> {
    let near = |city: &str| -> Vec<&'static str> {
        let rows = records(CITIES).filter(|record| record.text("src") == city);
        rows.map(|record| record.text("dst")).filter(|dst| dst.starts_with("aws:")).collect()
    };
    let far = near(b);
    let mut both: Vec<_> = near(a).into_iter().filter(|region| far.contains(region)).collect();
    both.sort_unstable();
    both
}

/// Returns the median round trip between two regions in 2013, in milliseconds.
///
/// # Errors
/// The table has none: a defect.
pub(super) fn backbone(from: &str, to: &str) -> Result<f64, Failure> {
    let row = records(AWS_2013).find(|record| record.text("src") == from);
    row.ok_or_else(|| Failure::new(exit::FAILED, format!("no region {from}")))?.number(to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::reproduce::bins;
    use bellini_core::rng::Seed;

    /// Aim: figures are found from both ends, and drawn errors have the median and the 90th percentile they are said
    /// to have.
    #[test]
    fn round_trips_and_their_errors() {
        let there = rtt("toronto", "beijing").expect("it is there");
        assert_eq!(
            (there, rtt("beijing", "toronto").ok()),
            (Rtt { ms: 244.0, is_measured: false }, Some(there))
        );
        assert!(rtt("toronto", "rome").is_err());
        assert_eq!(regions("seoul", "rio-de-janeiro").len(), 5);
        assert!(backbone("aws:us-east-1", "aws:us-west-2").is_ok_and(|ms| ms > 80.0 && ms < 82.0));
        let mut stream = Seed(1).stream("errors");
        let errors: Vec<_> = (0..20_000).map(|_| (there.drawn(&mut stream) - 244.0).abs()).collect();
        let at = |q| bins::quantile(&errors, q).unwrap_or(0.0);
        assert!((at(0.5) - 7.0).abs() < 0.3 && (at(0.9) - 28.0).abs() < 1.5, "{} {}", at(0.5), at(0.9));
        let sure = Rtt { is_measured: true, ..there };
        assert_eq!(sure.drawn(&mut stream).to_bits(), 244.0_f64.to_bits());
    }
}
