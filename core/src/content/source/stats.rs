//! What a source counts.

use super::super::digest::FileDigest;
use super::{SourceContext, Symbol};
use serde::{Deserialize, Serialize};

/// Counts of what a source made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceStats {
    /// Symbols yielded.
    pub symbols: u64,
    /// Payload bytes yielded.
    pub bytes: u64,
    /// Objects begun: frames, messages, files; for constant and on-off content symbols.
    pub objects: u64,
    /// Symbols whose timestamp lies in the measuring window.
    pub measured_symbols: u64,
    /// Payload bytes of those.
    pub measured_bytes: u64,
    /// Objects whose timestamp lies in the measuring window (a file's is that of its first symbol).
    pub measured_objects: u64,
    /// Current level of the ladder; `None` for content without one.
    pub level: Option<usize>,
    /// How often the level changed.
    pub level_changes: u64,
    /// What identifies the bytes of the file, once all of it was yielded.
    pub file_digest: Option<FileDigest>,
}

impl SourceStats {
    pub(super) fn count(&mut self, symbol: &Symbol, context: &SourceContext) {
        let measured = symbol.timestamp >= context.measure_from && symbol.timestamp < context.measure_to;
        let (len, begins) = (u64::from(symbol.len), u64::from(symbol.index == 0));
        self.symbols += 1;
        self.bytes += len;
        self.objects += begins;
        if measured {
            self.measured_symbols += 1;
            self.measured_bytes += len;
            self.measured_objects += begins;
        }
    }
}
