//! Writing a run directory.
//!
//! Each file is written under a temporary name (`.series.csv.part`) and renamed when it is complete, so a reader
//! never sees half a file. `summary.json` comes last: where it is, the run has ended.

use super::{DelayRow, EventRow, RecordError, Scope, SeriesRow, Summary, file};
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// What happens to a run directory that already holds something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overwrite {
    /// Nothing: creation fails.
    Refuse,
    /// The files of the earlier run are removed; files that no run writes stay.
    Replace,
}

/// A run directory that is being written.
#[derive(Debug)]
pub struct RunDirectory {
    path: PathBuf,
}

impl RunDirectory {
    /// Creates the directory at `path`, with its parents, or takes over an empty one.
    ///
    /// # Errors
    /// [`RecordError::NotEmpty`] when it holds something and `overwrite` is [`Overwrite::Refuse`],
    /// [`RecordError::NotADirectory`], [`RecordError::Io`].
    pub fn create(path: &Path, overwrite: Overwrite) -> Result<RunDirectory, RecordError> {
        if path.exists() && !path.is_dir() {
            return Err(RecordError::NotADirectory { path: path.into() });
        }
        fs::create_dir_all(path).map_err(RecordError::io("create", path))?;
        let mut entries = fs::read_dir(path).map_err(RecordError::io("read", path))?;
        if entries.next().is_some() {
            if overwrite == Overwrite::Refuse {
                return Err(RecordError::NotEmpty { path: path.into() });
            }
            // The summary goes first: a directory without one counts as not ended, whatever else is left in it.
            for name in
                [file::SUMMARY, file::SERIES, file::EVENTS, file::DELAYS, file::REPORT, file::SCENARIO]
            {
                for stale in [path.join(name), temporary(path, name)] {
                    if stale.exists() {
                        fs::remove_file(&stale).map_err(RecordError::io("remove", &stale))?;
                    }
                }
            }
            let plots = path.join(file::PLOTS);
            if plots.is_dir() {
                fs::remove_dir_all(&plots).map_err(RecordError::io("remove", &plots))?;
            }
        }
        Ok(RunDirectory { path: path.into() })
    }

    /// Returns where the directory is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes `scenario.json`: the resolved scenario's text.
    ///
    /// # Errors
    /// [`RecordError::Io`].
    pub fn write_scenario(&self, json: &str) -> Result<(), RecordError> {
        self.write(file::SCENARIO, json.as_bytes())
    }

    /// Writes `summary.json`. Write it last.
    ///
    /// # Errors
    /// [`RecordError::Value`] when a figure is not finite, [`RecordError::Io`].
    pub fn write_summary(&self, summary: &Summary) -> Result<(), RecordError> {
        self.write(file::SUMMARY, summary.to_json_pretty()?.as_bytes())
    }

    /// Writes `delays.csv`, in the order given.
    ///
    /// # Errors
    /// [`RecordError::Value`] when a row is no point of a distribution, [`RecordError::Io`].
    pub fn write_delays<'a>(&self, rows: impl IntoIterator<Item = &'a DelayRow>) -> Result<(), RecordError> {
        let mut part = Part::create(&self.path, file::DELAYS)?;
        part.line(format_args!("session,destination,delay_ms,cumulative"))?;
        for row in rows {
            let row = row.rounded()?;
            part.line(format_args!(
                "{},{},{},{}",
                row.session, row.destination, row.delay_ms, row.cumulative
            ))?;
        }
        part.finish()
    }

    /// Starts `series.csv`.
    ///
    /// # Errors
    /// [`RecordError::Io`].
    pub fn series(&self) -> Result<SeriesWriter, RecordError> {
        let mut part = Part::create(&self.path, file::SERIES)?;
        part.line(format_args!("t_s,scope,id,metric,value"))?;
        Ok(SeriesWriter { part })
    }

    /// Starts `events.jsonl`.
    ///
    /// # Errors
    /// [`RecordError::Io`].
    pub fn events(&self) -> Result<EventWriter, RecordError> {
        Ok(EventWriter { part: Part::create(&self.path, file::EVENTS)? })
    }

    fn write(&self, name: &'static str, bytes: &[u8]) -> Result<(), RecordError> {
        let mut part = Part::create(&self.path, name)?;
        part.out.write_all(bytes).map_err(RecordError::io("write", &part.path))?;
        part.finish()
    }
}

/// Writes `series.csv` row by row; memory does not grow with the rows.
#[derive(Debug)]
pub struct SeriesWriter {
    part: Part,
}

impl SeriesWriter {
    /// Appends a row. `t_s`: end of the sample's interval in seconds; `id`: as [`Scope`] describes; `metric`: a name
    /// in [`METRICS`](super::METRICS), without commas; `value`: in the metric's unit.
    ///
    /// # Errors
    /// [`RecordError::Value`] when `t_s` or `value` is not finite, [`RecordError::Io`].
    pub fn row(
        &mut self,
        t_s: f64,
        scope: Scope,
        id: &str,
        metric: &str,
        value: f64,
    ) -> Result<(), RecordError> {
        debug_assert!(!id.contains([',', '"', '\n']) && !metric.contains([',', '"', '\n']), "{id} {metric}");
        let (t_s, value) = SeriesRow::rounded(t_s, scope, id, metric, value)?;
        self.part.line(format_args!("{t_s},{},{id},{metric},{value}", scope.as_str()))
    }

    /// Ends the file and gives it its name.
    ///
    /// # Errors
    /// [`RecordError::Io`].
    pub fn finish(self) -> Result<(), RecordError> {
        self.part.finish()
    }
}

/// Writes `events.jsonl` line by line; memory does not grow with the lines.
#[derive(Debug)]
pub struct EventWriter {
    part: Part,
}

impl EventWriter {
    /// Appends an event.
    ///
    /// # Errors
    /// [`RecordError::Value`] when its time is not finite, [`RecordError::Io`].
    pub fn row(&mut self, event: &EventRow) -> Result<(), RecordError> {
        let json = serde_json::to_string(event).map_err(|error| RecordError::Value {
            what: format!("the event `{}`", event.text),
            problem: error.to_string(),
        })?;
        self.part.line(format_args!("{json}"))
    }

    /// Ends the file and gives it its name.
    ///
    /// # Errors
    /// [`RecordError::Io`].
    pub fn finish(self) -> Result<(), RecordError> {
        self.part.finish()
    }
}

/// A file under its temporary name.
#[derive(Debug)]
struct Part {
    out: BufWriter<File>,
    path: PathBuf,
    target: PathBuf,
}

impl Part {
    fn create(directory: &Path, name: &'static str) -> Result<Part, RecordError> {
        let path = temporary(directory, name);
        let out = File::create(&path).map_err(RecordError::io("create", &path))?;
        Ok(Part { out: BufWriter::with_capacity(1 << 16, out), path, target: directory.join(name) })
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) -> Result<(), RecordError> {
        writeln!(self.out, "{line}").map_err(RecordError::io("write", &self.path))
    }

    fn finish(mut self) -> Result<(), RecordError> {
        self.out.flush().map_err(RecordError::io("write", &self.path))?;
        drop(self.out);
        fs::rename(&self.path, &self.target).map_err(RecordError::io("rename", &self.path))
    }
}

fn temporary(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!(".{name}.part"))
}
