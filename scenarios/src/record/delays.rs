//! `delays.csv`: delay distributions of every destination.

use super::error::RecordError;
use super::round::six;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// One point of a destination's delay distribution: `cumulative` of its delivered symbols took at most `delay_ms`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DelayRow {
    /// The session: `conference/session`.
    pub session: String,
    /// The destination.
    pub destination: u32,
    /// Upper edge of the histogram's bucket, in milliseconds.
    pub delay_ms: f64,
    /// Share of the delivered symbols of the measuring window, greater than 0 and at most 1, rising.
    pub cumulative: f64,
}

impl DelayRow {
    /// Returns the row with its floats rounded to six decimals.
    ///
    /// # Errors
    /// [`RecordError::Value`] when one is not finite or `cumulative` is not a share.
    pub(super) fn rounded(&self) -> Result<DelayRow, RecordError> {
        if self.delay_ms.is_finite() && (0.0..=1.0).contains(&self.cumulative) {
            let (delay_ms, cumulative) = (six(self.delay_ms), six(self.cumulative));
            return Ok(DelayRow { delay_ms, cumulative, ..self.clone() });
        }
        let what = format!("the delays of session {} at node {}", self.session, self.destination);
        Err(RecordError::Value { what, problem: format!("{} ms, share {}", self.delay_ms, self.cumulative) })
    }

    /// Reads `delays.csv`.
    ///
    /// # Errors
    /// [`RecordError::Io`], or [`RecordError::Malformed`] with the first bad line.
    pub(super) fn read_all(path: &Path) -> Result<Vec<DelayRow>, RecordError> {
        let file = std::fs::File::open(path).map_err(RecordError::io("read", path))?;
        let mut reader = csv::Reader::from_reader(std::io::BufReader::new(file));
        reader.deserialize().collect::<Result<_, _>>().map_err(|error: csv::Error| RecordError::Malformed {
            path: path.into(),
            line: error.position().map(csv::Position::line),
            problem: error.to_string(),
        })
    }
}
