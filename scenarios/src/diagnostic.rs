//! What is wrong with a scenario, and where: every error of a file at once, shown as rustc shows its own.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use core::fmt;
use serde_json::{Value, json};
use std::ops::Range;
use std::sync::Arc;

/// How many diagnostics are written out in full; the rest is only counted.
const SHOWN_MAX: usize = 50;

/// Whether a diagnostic stops the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing is started.
    Error,
    /// The scenario runs, but probably not as meant.
    Warning,
}

/// A text that diagnostics point into: the scenario file, or a `--set` flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// File name as the user gave it, or `--set`.
    pub name: String,
    /// Its whole text.
    pub text: String,
}

/// A marked piece of a source, with a word about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The text that the bytes are counted in.
    pub source: Arc<Source>,
    /// The marked bytes.
    pub bytes: Range<usize>,
    /// What is to say about them; may be empty.
    pub text: String,
}

/// One error or warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// Stable code, such as `E0207`; `docs/scenarios.md` lists them.
    pub code: &'static str,
    /// What is wrong, in one line.
    pub message: String,
    /// Where; the first one is the place itself, the others are places that it contradicts.
    pub labels: Vec<Label>,
    /// The same place as a path into the JSON: `conferences[0].sessions[0].stop`; may be empty.
    pub path: String,
    /// How to mend it.
    pub help: Vec<String>,
}

/// Everything that was found in one scenario: at least one error.
///
/// `Display` renders all of it without colour; see [`Diagnostics::render`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostics {
    /// Errors first, each kind in the order of the file.
    pub diagnostics: Vec<Diagnostic>,
}

impl Label {
    /// Returns line and column (in characters) of its first byte, both from 1.
    #[must_use]
    pub fn position(&self) -> (usize, usize) {
        let before = self.source.text.get(..self.bytes.start).unwrap_or(&self.source.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }
}

impl Diagnostic {
    /// Renders it with the lines of the file that it is about.
    ///
    /// `colour`: with ANSI escape sequences, for terminals.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let mut group = Group::with_title(level.primary_title(self.message.as_str()).id(self.code));
        let mut shown: Vec<&Arc<Source>> = Vec::new();
        for label in &self.labels {
            if shown.iter().any(|source| Arc::ptr_eq(source, &label.source)) {
                continue;
            }
            shown.push(&label.source);
            group = group.element(self.snippet(&label.source));
        }
        if !self.path.is_empty() {
            group = group.element(Level::NOTE.with_name("at").message(self.path.as_str()));
        }
        for help in &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        renderer.render(&[group])
    }

    fn snippet<'a>(&'a self, source: &'a Arc<Source>) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
        let mut snippet = Snippet::source(source.text.as_str()).path(source.name.as_str());
        for (i, label) in self.labels.iter().enumerate() {
            if Arc::ptr_eq(&label.source, source) {
                let kind = if i == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
                let mark = kind.span(label.bytes.clone());
                snippet = snippet.annotation(if label.text.is_empty() {
                    mark
                } else {
                    mark.label(label.text.as_str())
                });
            }
        }
        snippet
    }

    fn to_json(&self) -> Value {
        let place = |label: &Label| {
            let (line, column) = label.position();
            json!({
                "file": label.source.name, "line": line, "column": column,
                "start_byte": label.bytes.start, "end_byte": label.bytes.end, "text": label.text,
            })
        };
        json!({
            "severity": match self.severity { Severity::Error => "error", Severity::Warning => "warning" },
            "code": self.code,
            "message": self.message,
            "path": self.path,
            "places": self.labels.iter().map(place).collect::<Vec<_>>(),
            "help": self.help,
        })
    }
}

impl Diagnostics {
    /// Returns how many of them are errors.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.diagnostics.iter().filter(|d| d.severity == Severity::Error).count()
    }

    /// Returns how many of them are warnings.
    #[must_use]
    pub fn warnings(&self) -> usize {
        self.diagnostics.len() - self.errors()
    }

    /// Renders all of them, and a last line that counts them.
    ///
    /// `colour`: with ANSI escape sequences, for terminals.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let mut text = String::new();
        for diagnostic in self.diagnostics.iter().take(SHOWN_MAX) {
            text.push_str(&diagnostic.render(colour));
            text.push_str("\n\n");
        }
        if self.diagnostics.len() > SHOWN_MAX {
            text.push_str(&format!("... and {} more.\n\n", self.diagnostics.len() - SHOWN_MAX));
        }
        let plural = |n: usize| if n == 1 { "" } else { "s" };
        let (errors, warnings) = (self.errors(), self.warnings());
        text.push_str(&format!(
            "{errors} error{}, {warnings} warning{}; nothing was started.",
            plural(errors),
            plural(warnings)
        ));
        text
    }

    /// Returns all of them for programs: severity, code, message, path, places, help.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "errors": self.errors(),
            "warnings": self.warnings(),
            "diagnostics": self.diagnostics.iter().map(Diagnostic::to_json).collect::<Vec<_>>(),
        })
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Diagnostics {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_from_one() {
        let source = Arc::new(Source { name: "a.json".into(), text: "{\n \"ü\": 1\n}".into() });
        let at = source.text.find('1').unwrap();
        let label = Label { source, bytes: at..at + 1, text: String::new() };
        assert_eq!(label.position(), (2, 7));
    }
}
