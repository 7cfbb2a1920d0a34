//! The data sets that `topology.dataset` names: delays, and where they were measured too, rates and prices.

use super::decimal::scaled;
use super::matrix::Matrix;
use crate::model::Provenance;
use bellini_core::time::Duration;
use bellini_core::units::BitRate;
use std::sync::OnceLock;

/// Measurements between regions of one campaign.
#[derive(Debug)]
pub struct Dataset {
    name: &'static str,
    delays: Matrix<Duration>,
    delays_source: &'static str,
    delays_date: &'static str,
    rates: Option<Matrix<BitRate>>,
    prices: Option<Matrix<f64>>,
}

const NAMES: [&str; 3] = ["aws-2013", "aws-2025", "clouds-2022"];

/// Returns the names of all data sets, sorted.
#[must_use]
pub fn dataset_names() -> &'static [&'static str] {
    &NAMES
}

/// Returns the data set of that name, parsed on first use.
#[must_use]
pub fn dataset(name: &str) -> Option<&'static Dataset> {
    static PARSED: [OnceLock<Dataset>; NAMES.len()] = [const { OnceLock::new() }; NAMES.len()];
    let index = NAMES.binary_search(&name).ok()?;
    Some(PARSED[index].get_or_init(|| match index {
        0 => aws_2013(),
        1 => aws_2025(),
        _ => clouds_2022(),
    }))
}

impl Dataset {
    /// Returns its name, as scenarios write it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the ids of the regions between which it has delays, sorted.
    #[must_use]
    pub fn regions(&self) -> &[&'static str] {
        self.delays.names()
    }

    /// Returns the round-trip time from `src` to `dst`, both region ids, exactly as measured: both ways together.
    ///
    /// `aws-2013` and `aws-2025` give the median; `clouds-2022` gives the mean of ten pings, as its source does.
    /// `None` when a region is not in the data set, and from a region to itself, which none of them measured.
    #[must_use]
    pub fn rtt(&self, src: &str, dst: &str) -> Option<Duration> {
        self.delays.value(src, dst)
    }

    /// Returns the measured throughput from `src` to `dst`, if this data set has rates.
    ///
    /// `clouds-2022`: what 64 parallel TCP connections sent between large machines, so mostly the machines'
    /// egress caps rather than the network's limit.
    #[must_use]
    pub fn rate(&self, src: &str, dst: &str) -> Option<BitRate> {
        self.rates.as_ref()?.value(src, dst)
    }

    /// Returns the list price of traffic from `src` to `dst` in USD per 10^9 bytes, if this data set has prices.
    #[must_use]
    pub fn usd_per_gb(&self, src: &str, dst: &str) -> Option<f64> {
        self.prices.as_ref()?.value(src, dst)
    }

    /// Returns where the delays come from.
    #[must_use]
    pub fn provenance_delays(&self) -> Provenance {
        self.provenance("delays", self.delays_source, self.delays_date)
    }

    /// Returns where the rates come from; `None`: it has none.
    #[must_use]
    pub fn provenance_rates(&self) -> Option<Provenance> {
        self.rates.as_ref()?;
        let source = "iperf3, 64 TCP connections for 5 s between m5.8xlarge, Standard_D32_v5 and n2-standard-32 \
            machines; skyplane-project/skyplane c7e56da0, skyplane/broadcast/profiles/whole_throughput_11_28.csv; \
            Jain et al., Skyplane, NSDI 2023";
        Some(self.provenance("rates", source, "2022-11-28"))
    }

    /// Returns where the prices come from; `None`: it has none.
    #[must_use]
    pub fn provenance_prices(&self) -> Option<Provenance> {
        self.prices.as_ref()?;
        let source = "list prices, below 10 TB a month, premium tier; skyplane-project/skyplane 4602d9ce, \
            skyplane/data/aws_transfer_costs.csv and the price rules of skyplane/compute";
        Some(self.provenance("prices", source, "2022-12"))
    }

    fn provenance(&self, gives: &str, source: &str, date: &str) -> Provenance {
        Provenance {
            dataset: self.name.to_owned(),
            gives: gives.to_owned(),
            source: source.to_owned(),
            date: date.to_owned(),
        }
    }
}

/// Round-trip times are written in milliseconds; the model counts nanoseconds.
fn milliseconds(cell: &str) -> Option<Duration> {
    scaled(cell, 6).map(Duration::from_nanos)
}

fn gigabits(cell: &str) -> Option<BitRate> {
    scaled(cell, 9).and_then(BitRate::from_bps)
}

fn aws_2013() -> Dataset {
    Dataset {
        name: NAMES[0],
        delays: Matrix::parse(include_str!("../../data/aws-2013-rtt-ms.csv"), milliseconds),
        delays_source: "median of one ping a second for a week between m1.small instances; P. Bailis, \
            pbailis/bailis.org-blog 8ab03c2d, post_data/2013-05-17/ping-pctiles.json; Bailis et al., Highly \
            Available Transactions, VLDB 2014",
        delays_date: "published 2013-05-17",
        rates: None,
        prices: None,
    }
}

fn aws_2025() -> Dataset {
    Dataset {
        name: NAMES[1],
        delays: Matrix::parse(include_str!("../../data/aws-2025-rtt-ms.csv"), milliseconds),
        delays_source: "median TCP connect time between functions, about 2 ms above a ping; api.cloudping.co as \
            copied in commonwarexyz/monorepo a9f5875d, examples/estimator/src/p50.json",
        delays_date: "2025-07-17, window not recorded",
        rates: None,
        prices: None,
    }
}

fn clouds_2022() -> Dataset {
    Dataset {
        name: NAMES[2],
        delays: Matrix::parse(include_str!("../../data/clouds-2022-rtt-ms.csv"), milliseconds),
        delays_source: "mean of ten pings between machines, values that contradict physics repaired from the \
            reverse direction (see scenarios/data/SOURCES.md); skyplane-project/skyplane 0f1c893b, \
            profiles/latency.csv; Jain et al., Skyplane, NSDI 2023",
        delays_date: "2022-04-16",
        rates: Some(Matrix::parse(include_str!("../../data/clouds-2022-rate-gbps.csv"), gigabits)),
        prices: Some(Matrix::parse(include_str!("../../data/clouds-2022-usd-per-gb.csv"), |cell| {
            cell.parse().ok().filter(|price: &f64| price.is_finite() && *price >= 0.0)
        })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::region;

    /// Ordered pairs of different regions that have a value.
    fn pairs<T>(names: &[&str], value: impl Fn(&str, &str) -> Option<T>) -> usize {
        names
            .iter()
            .flat_map(|a| names.iter().map(move |b| (a, b)))
            .filter(|(a, b)| value(a, b).is_some())
            .count()
    }

    #[test]
    fn every_data_set_is_a_full_matrix_of_known_regions() {
        for (name, regions) in [("aws-2013", 8), ("aws-2025", 33), ("clouds-2022", 69)] {
            let set = dataset(name).unwrap();
            assert_eq!(set.name(), name);
            assert_eq!(set.regions().len(), regions);
            assert_eq!(pairs(set.regions(), |a, b| set.rtt(a, b)), regions * (regions - 1), "{name}");
            for id in set.regions() {
                assert!(region(id).is_some(), "{id} has no position");
            }
        }
        assert_eq!(dataset_names().len(), 3);
        assert!(dataset("aws-1999").is_none());
    }

    #[test]
    fn known_pairs() {
        let old = dataset("aws-2013").unwrap();
        assert_eq!(old.rtt("aws:us-east-1", "aws:ap-northeast-1"), Some(Duration::from_millis(203)));
        assert_eq!(old.rtt("aws:us-east-1", "aws:us-west-1"), Some(Duration::from_micros(83_800)));
        assert_eq!(old.rtt("aws:us-east-1", "aws:us-east-1"), None);
        assert_eq!(old.rate("aws:us-east-1", "aws:us-west-1"), None);
        let new = dataset("aws-2025").unwrap();
        assert_eq!(new.rtt("aws:af-south-1", "aws:ap-east-1"), Some(Duration::from_micros(347_552)));
        let clouds = dataset("clouds-2022").unwrap();
        let (from, to) = ("aws:af-south-1", "aws:ap-east-1");
        assert_eq!(clouds.rtt(from, to), Some(Duration::from_micros(248_780)));
        assert_eq!(clouds.rate(from, to), BitRate::from_bps(4_432_700_000));
        assert_eq!(clouds.usd_per_gb(from, to), Some(0.147));
        assert_eq!(clouds.usd_per_gb("aws:us-east-1", "aws:ap-east-1"), Some(0.02));
    }

    #[test]
    fn rates_and_prices_cover_what_was_measured_and_no_more() {
        let clouds = dataset("clouds-2022").unwrap();
        let names = clouds.rates.as_ref().unwrap().names();
        assert_eq!(pairs(names, |a, b| clouds.rate(a, b)), 71 * 70);
        let names = clouds.prices.as_ref().unwrap().names();
        assert_eq!(pairs(names, |a, b| clouds.usd_per_gb(a, b)), 79 * 78);
        assert!(clouds.provenance_rates().is_some() && clouds.provenance_prices().is_some());
        for name in ["aws-2013", "aws-2025"] {
            let set = dataset(name).unwrap();
            assert!(set.provenance_rates().is_none() && set.provenance_prices().is_none());
        }
    }

    #[test]
    fn nothing_is_faster_than_light_in_fibre_along_the_great_circle() {
        // Aim: catch swapped columns and wrong units. Positions are those of cities, so a tenth and 2 ms are
        // forgiven.
        for name in dataset_names() {
            let set = dataset(name).unwrap();
            for a in set.regions() {
                for b in set.regions().iter().filter(|b| *b != a) {
                    let bound_ms = 2.0 * kilometres(region(a).unwrap(), region(b).unwrap()) / 200.0;
                    let measured_ms = set.rtt(a, b).unwrap().as_millis_f64();
                    assert!(
                        measured_ms > 0.9 * bound_ms - 2.0,
                        "{name} {a} {b}: {measured_ms} below {bound_ms}"
                    );
                    assert!(measured_ms < 700.0, "{name} {a} {b}: {measured_ms}");
                }
            }
        }
    }

    fn kilometres(a: &crate::data::Region, b: &crate::data::Region) -> f64 {
        let radians = |(latitude, longitude): (f64, f64)| (latitude.to_radians(), longitude.to_radians());
        let ((lat_a, lon_a), (lat_b, lon_b)) =
            (radians((a.latitude, a.longitude)), radians((b.latitude, b.longitude)));
        let half = |angle: f64| libm::pow(libm::sin(angle / 2.0), 2.0);
        let h = half(lat_b - lat_a) + libm::cos(lat_a) * libm::cos(lat_b) * half(lon_b - lon_a);
        2.0 * 6371.0 * libm::asin(libm::sqrt(h))
    }
}
