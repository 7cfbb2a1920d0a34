//! Where everything that is wrong is collected.

use super::tree::{Span, Tree};
use crate::diagnostic::{Diagnostic, Label, Severity, Source};
use std::sync::Arc;

/// Collects diagnostics; places become line and path when it is closed.
pub(crate) struct Sink {
    sources: Vec<Arc<Source>>,
    found: Vec<Found>,
}

/// A diagnostic in the making.
pub(crate) struct Found {
    severity: Severity,
    code: &'static str,
    message: String,
    labels: Vec<(Span, String)>,
    help: Vec<String>,
}

impl Sink {
    pub(crate) fn new(file: Source) -> Self {
        Self { sources: vec![Arc::new(file)], found: Vec::new() }
    }

    /// Adds a source and returns its number.
    pub(crate) fn add_source(&mut self, source: Source) -> usize {
        self.sources.push(Arc::new(source));
        self.sources.len() - 1
    }

    /// Notes an error at `span`; `label` says in few words what is there, and may be empty.
    pub(crate) fn error(
        &mut self,
        code: &'static str,
        span: Span,
        message: impl Into<String>,
        label: impl Into<String>,
    ) -> &mut Found {
        self.push(Severity::Error, code, span, message.into(), label.into())
    }

    /// Notes a warning at `span`.
    pub(crate) fn warning(
        &mut self,
        code: &'static str,
        span: Span,
        message: impl Into<String>,
        label: impl Into<String>,
    ) -> &mut Found {
        self.push(Severity::Warning, code, span, message.into(), label.into())
    }

    fn push(
        &mut self,
        severity: Severity,
        code: &'static str,
        span: Span,
        message: String,
        label: String,
    ) -> &mut Found {
        let labels = vec![(span, label)];
        self.found.push(Found { severity, code, message, labels, help: Vec::new() });
        self.found.last_mut().expect("one was just pushed")
    }

    /// Whether an error was noted.
    pub(crate) fn failed(&self) -> bool {
        self.found.iter().any(|found| found.severity == Severity::Error)
    }

    /// Returns how many errors and warnings were noted.
    pub(crate) fn count(&self) -> usize {
        self.found.len()
    }

    /// Returns everything, errors first, in the order of the file, each once.
    pub(crate) fn close(self, root: Option<&Tree>) -> Vec<Diagnostic> {
        let mut found = self.found;
        found.sort_by_key(|found| (found.severity, found.labels[0].0));
        found.dedup_by(|a, b| a.code == b.code && a.labels[0].0 == b.labels[0].0 && a.message == b.message);
        let sources = self.sources;
        let finish = |found: Found| Diagnostic {
            severity: found.severity,
            code: found.code,
            path: path(&sources, root, found.labels[0].0),
            message: found.message,
            labels: found.labels.into_iter().map(|(span, text)| label(&sources, span, text)).collect(),
            help: found.help,
        };
        found.into_iter().map(finish).collect()
    }
}

impl Found {
    /// Adds a line that says how to mend it.
    pub(crate) fn help(&mut self, text: impl Into<String>) -> &mut Self {
        self.help.push(text.into());
        self
    }

    /// Adds another place that has to do with it.
    pub(crate) fn also(&mut self, span: Span, text: impl Into<String>) -> &mut Self {
        self.labels.push((span, text.into()));
        self
    }
}

/// What a flag sets is not where its text stands: its path is the flag's own.
fn path(sources: &[Arc<Source>], root: Option<&Tree>, span: Span) -> String {
    match (span.source, root) {
        (0, Some(root)) => root.path_to(span),
        (0, None) => String::new(),
        (flag, _) => sources[flag].text.split('=').next().unwrap_or_default().to_owned(),
    }
}

fn label(sources: &[Arc<Source>], span: Span, text: String) -> Label {
    let source = Arc::clone(&sources[span.source]);
    let end = span.end.min(source.text.len());
    Label { bytes: span.start.min(end)..end, source, text }
}

/// Returns the name among `known` that is most like `name`, if one is like it at all.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    let letters = lower.chars().count();
    let mut best: Option<(f64, &str)> = None;
    for candidate in known {
        let other = candidate.to_lowercase();
        let likeness = strsim::jaro_winkler(&lower, &other);
        // One slip in four letters is a typo; one in two is another word.
        let typo = strsim::osa_distance(&lower, &other) <= letters.div_ceil(4).min(letters / 2);
        if (likeness > 0.87 || typo) && best.is_none_or(|(top, _)| likeness > top) {
            best = Some((likeness, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Returns the names for a help line, cut when they are many.
pub(crate) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 12;
    let mut names: Vec<&str> = names.into_iter().collect();
    let more = names.len().saturating_sub(SHOWN);
    names.truncate(SHOWN);
    let mut text = names.join(", ");
    if more > 0 {
        text.push_str(&format!(", and {more} more"));
    }
    text
}
