//! `series.csv`: values in time, one value a row.

use super::error::RecordError;
use super::round::six;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// What a row of `series.csv` speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// The whole run; the id is empty.
    Run,
    /// A session: `conference/session`.
    Session,
    /// A destination of a session: `conference/session@node`.
    Destination,
    /// A flow of a session: `conference/session#flow`.
    Flow,
    /// A link: `from>to`.
    Link,
    /// The feeder of `from` for its next hop `to`: `from>to`.
    Feeder,
    /// The hop of `from` to `to`: `from>to`.
    Hop,
    /// A node: its id.
    Node,
    /// A TCP connection of the cross traffic: `from>to#number`.
    Cross,
}

impl Scope {
    /// Returns the scope's word, as in the file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Run => "run",
            Scope::Session => "session",
            Scope::Destination => "destination",
            Scope::Flow => "flow",
            Scope::Link => "link",
            Scope::Feeder => "feeder",
            Scope::Hop => "hop",
            Scope::Node => "node",
            Scope::Cross => "cross",
        }
    }
}

/// One row of `series.csv`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeriesRow {
    /// End of the sample's interval, in seconds of scenario time.
    pub t_s: f64,
    /// What kind of thing.
    pub scope: Scope,
    /// Which one.
    pub id: String,
    /// Which of its metrics, a name in [`METRICS`](super::METRICS).
    pub metric: String,
    /// The value, in the metric's unit.
    pub value: f64,
}

impl SeriesRow {
    /// Returns the row as it is written: time and value rounded to six decimals.
    ///
    /// # Errors
    /// [`RecordError::Value`] when one of them is not finite.
    pub(super) fn rounded(
        t_s: f64,
        scope: Scope,
        id: &str,
        metric: &str,
        value: f64,
    ) -> Result<(f64, f64), RecordError> {
        if t_s.is_finite() && value.is_finite() {
            return Ok((six(t_s), six(value)));
        }
        let what = format!("{metric} of {} {id} at {t_s} s", scope.as_str());
        Err(RecordError::Value { what, problem: format!("{value} is not a finite number") })
    }
}

/// Which curve of a [`Series`].
pub type SeriesKey = (Scope, String, String);

/// The columns of `series.csv`.
const COLUMNS: [&str; 5] = ["t_s", "scope", "id", "metric", "value"];

/// Points of one metric of one thing in order of time: (seconds, value).
pub type Curve = Vec<(f64, f64)>;

/// All of `series.csv`, by (scope, id, metric).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    curves: BTreeMap<SeriesKey, Curve>,
}

impl Series {
    /// Reads `series.csv`.
    ///
    /// # Errors
    /// [`RecordError::Io`], or [`RecordError::Malformed`] with the line of the first bad row.
    pub fn read(path: &Path) -> Result<Series, RecordError> {
        let malformed = |error: csv::Error| {
            let line = error.position().map(csv::Position::line);
            RecordError::Malformed { path: path.into(), line, problem: error.to_string() }
        };
        let file = std::fs::File::open(path).map_err(RecordError::io("read", path))?;
        let mut reader = csv::Reader::from_reader(std::io::BufReader::new(file));
        let columns = reader.headers().map_err(malformed)?;
        if columns != COLUMNS.as_slice() {
            let problem = format!("the columns must be {}", COLUMNS.join(","));
            return Err(RecordError::Malformed { path: path.into(), line: Some(1), problem });
        }
        let mut series = Series::default();
        for row in reader.deserialize() {
            series.push(row.map_err(malformed)?);
        }
        Ok(series)
    }

    /// Adds a row.
    pub fn push(&mut self, row: SeriesRow) {
        self.curves.entry((row.scope, row.id, row.metric)).or_default().push((row.t_s, row.value));
    }

    /// Returns one curve, if it was recorded.
    #[must_use]
    pub fn curve(&self, scope: Scope, id: &str, metric: &str) -> Option<&Curve> {
        self.curves.get(&(scope, id.to_owned(), metric.to_owned()))
    }

    /// Returns all curves of a metric, in the order of their ids' text.
    pub fn of<'a>(&'a self, scope: Scope, metric: &'a str) -> impl Iterator<Item = (&'a str, &'a Curve)> {
        self.curves
            .iter()
            .filter(move |((s, _, m), _)| *s == scope && m == metric)
            .map(|((_, id, _), curve)| (id.as_str(), curve))
    }

    /// Whether nothing was recorded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.curves.is_empty()
    }
}
