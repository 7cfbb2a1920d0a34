//! Mean rates of content, for policies and checks.

use bellini_core::content::spec::{Content, Period, SizeDistribution};
use bellini_core::units::BitRate;

/// Returns the mean payload rate of content; `None` for a file that goes as fast as it can.
#[must_use]
pub fn mean_rate(content: &Content) -> Option<BitRate> {
    match content {
        Content::Constant { rate, .. } | Content::Video { rate, .. } => Some(*rate),
        Content::Adaptive { ladder, initial, .. } => ladder.get(*initial).copied(),
        Content::Messages { mean_interval, size, .. } => {
            // The cut at the largest size is left out: this is what policies plan with, not what is counted.
            let bytes = match size {
                SizeDistribution::Fixed(bytes) => *bytes as f64,
                SizeDistribution::Uniform { min, max } => (*min as f64 + *max as f64) / 2.0,
                SizeDistribution::Exponential { mean, .. } => *mean as f64,
                SizeDistribution::LogNormal { median, sigma, .. } => {
                    *median as f64 * libm::exp(sigma * sigma / 2.0)
                }
            };
            BitRate::from_bps((bytes * 8.0 / mean_interval.as_secs_f64()) as u64)
        }
        Content::File { rate, .. } => *rate,
        Content::OnOff { rate, on, off } => {
            let mean = |period: &Period| match period {
                Period::Fixed(span) | Period::Exponential(span) => span.as_secs_f64(),
            };
            let share = mean(on) / (mean(on) + mean(off));
            BitRate::from_bps((rate.as_bps() as f64 * share) as u64)
        }
    }
}
