//! Reading a run directory back.

use super::{DelayRow, EventRow, RecordError, SCHEMA, Series, Summary, file};
use std::fs;
use std::path::{Path, PathBuf};

/// One run, as its directory tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Where it was read from.
    pub path: PathBuf,
    /// The resolved scenario; null when the file is missing.
    pub scenario: serde_json::Value,
    /// The figures.
    pub summary: Summary,
    /// Values in time.
    pub series: Series,
    /// What happened, in order of time.
    pub events: Vec<EventRow>,
    /// Delay distributions, in order of (session, destination, delay).
    pub delays: Vec<DelayRow>,
    /// Files of a run directory that were not there (an interrupted run may lack some).
    pub missing: Vec<&'static str>,
}

impl Run {
    /// Reads a run directory. `summary.json` must be there; what else is missing is listed in `missing`.
    ///
    /// # Errors
    /// [`RecordError::Missing`] without a summary, [`RecordError::Malformed`] with file and line where a file is not
    /// a record or has another schema, [`RecordError::NotADirectory`], [`RecordError::Io`].
    pub fn load(path: &Path) -> Result<Run, RecordError> {
        if !path.is_dir() {
            return Err(RecordError::NotADirectory { path: path.into() });
        }
        let summary = summary(&path.join(file::SUMMARY))?
            .ok_or(RecordError::Missing { path: path.into(), file: file::SUMMARY })?;
        let mut missing = Vec::new();
        let mut present = |name: &'static str| {
            let at = path.join(name);
            if at.exists() {
                return Some(at);
            }
            missing.push(name);
            None
        };
        let scenario = match present(file::SCENARIO) {
            Some(at) => parse(&at, &read(&at)?)?,
            None => serde_json::Value::Null,
        };
        let series = present(file::SERIES).map_or_else(|| Ok(Series::default()), |at| Series::read(&at))?;
        let events = present(file::EVENTS).map_or_else(|| Ok(Vec::new()), |at| EventRow::read_all(&at))?;
        let delays = present(file::DELAYS).map_or_else(|| Ok(Vec::new()), |at| DelayRow::read_all(&at))?;
        Ok(Run { path: path.into(), scenario, summary, series, events, delays, missing })
    }
}

/// Reads a summary; `None` when the file is not there.
fn summary(path: &Path) -> Result<Option<Summary>, RecordError> {
    if !path.exists() {
        return Ok(None);
    }
    let text = read(path)?;
    // The schema is looked at before anything else: a newer file must not fail on some unknown key.
    let value: serde_json::Value = parse(path, &text)?;
    let schema = value.get("schema").and_then(serde_json::Value::as_u64);
    if schema != Some(u64::from(SCHEMA)) {
        let problem = match schema {
            Some(schema) => format!("written in record schema {schema}; this version reads {SCHEMA}"),
            None => "has no `schema`: not a summary".to_owned(),
        };
        return Err(RecordError::Malformed { path: path.into(), line: None, problem });
    }
    parse(path, &text).map(Some)
}

fn read(path: &Path) -> Result<String, RecordError> {
    fs::read_to_string(path).map_err(RecordError::io("read", path))
}

fn parse<T: serde::de::DeserializeOwned>(path: &Path, text: &str) -> Result<T, RecordError> {
    serde_json::from_str(text).map_err(|error| RecordError::Malformed {
        path: path.into(),
        line: Some(error.line() as u64),
        problem: error.to_string(),
    })
}
