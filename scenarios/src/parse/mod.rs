//! Reading scenario files: text -> tree with places -> structural check -> resolved [`Scenario`].
//!
//! Every step goes on after an error as far as it makes sense, so that all that is wrong is shown at once.

mod defaults;
mod overrides;
pub(crate) mod sink;
mod syntax;
pub(crate) mod tree;

use crate::diagnostic::{Diagnostic, Diagnostics, Source};
use crate::model::Scenario;
use crate::resolve;
use crate::schema::check::{Completeness, check_object};
use crate::schema::scenario::SCENARIO;
use sink::Sink;
use std::io::Read;
use std::path::Path;
use tree::{Json, Span};

/// Largest scenario file, in bytes: ten thousand nodes with a million links fit.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// What the command line adds to a scenario file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadOptions {
    /// Root seed in place of the file's.
    pub seed: Option<u64>,
    /// `--set key=value`: a path (`conferences[0].sessions[0].stop`) and its value, JSON or bare text.
    pub set: Vec<(String, String)>,
    /// Names of routing policies and flow assignments that the program has besides the built-in ones.
    pub policies: Vec<String>,
}

/// A scenario that may run, and what is odd about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// The scenario, resolved and checked.
    pub scenario: Scenario,
    /// What was probably not meant.
    pub warnings: Vec<Diagnostic>,
}

/// Reads a scenario from a file.
///
/// # Errors
/// When the file cannot be read, or anything in it is wrong; all of it at once.
pub fn load(path: &Path, options: &LoadOptions) -> Result<Loaded, Diagnostics> {
    parse_str(&path.display().to_string(), &read(path)?, options)
}

/// Reads the text of a scenario file, for [`parse_str`]: one reading serves several seeds.
///
/// # Errors
/// When the file cannot be read, is too large or is not UTF-8.
pub fn read(path: &Path) -> Result<String, Diagnostics> {
    let name = path.display().to_string();
    let unreadable = |problem: String| {
        let mut sink = Sink::new(Source { name: name.clone(), text: String::new() });
        let here = Span { source: 0, start: 0, end: 0 };
        sink.error("E0101", here, format!("cannot read {name}: {problem}"), "");
        let mut diagnostics = sink.close(None);
        for diagnostic in &mut diagnostics {
            diagnostic.labels.clear();
            let folder = std::env::current_dir().map(|folder| folder.display().to_string());
            if let (true, Ok(folder)) = (path.is_relative(), folder) {
                diagnostic.help.push(format!("relative to {folder}"));
            }
        }
        Diagnostics { diagnostics }
    };
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(|error| unreadable(error.to_string()))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(unreadable(format!("it is larger than {} MiB", FILE_BYTES_MAX >> 20)));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = 1 + error.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count();
        unreadable(format!("line {line} is not UTF-8 (byte {at})"))
    })
}

/// Reads a scenario from text; `file_name` is what errors call it, and gives the scenario's name if it has none.
///
/// # Errors
/// When anything in it is wrong; all of it at once.
pub fn parse_str(file_name: &str, text: &str, options: &LoadOptions) -> Result<Loaded, Diagnostics> {
    // Editors of other systems begin files with a byte order mark; it means nothing in UTF-8.
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let mut sink = Sink::new(Source { name: file_name.to_owned(), text: text.to_owned() });
    let Some(mut root) = syntax::parse(text, 0, &mut sink) else {
        return Err(Diagnostics { diagnostics: sink.close(None) });
    };
    if !matches!(root.value, Json::Object(_)) {
        let opening = Span { end: root.span.start + 1, ..root.span };
        sink.error("E0107", opening, format!("a scenario is a JSON object, not {}", root.kind()), "");
        return Err(Diagnostics { diagnostics: sink.close(Some(&root)) });
    }
    overrides::apply(&mut root, &options.set, &mut sink);
    let written = root.clone();
    defaults::merge(&mut root);
    check_object(&root, &SCENARIO, &[], Completeness::Whole, &mut sink);
    let stem =
        Path::new(file_name).file_stem().map_or("scenario", |stem| stem.to_str().unwrap_or("scenario"));
    let scenario = resolve::scenario(&root, stem, options, &mut sink);
    let failed = sink.failed();
    let diagnostics = sink.close(Some(&written));
    match scenario {
        Some(scenario) if !failed => Ok(Loaded { scenario, warnings: diagnostics }),
        _ => Err(Diagnostics { diagnostics }),
    }
}
