//! Ctrl-C: the first one ends the run and keeps what was recorded, the second one ends the process.

use super::exit;
use std::sync::atomic::{AtomicBool, Ordering};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Catches Ctrl-C from here on. Where that is not possible, Ctrl-C ends the process as usual.
pub(super) fn catch() {
    let _ = ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::SeqCst) {
            std::process::exit(i32::from(exit::INTERRUPTED));
        }
    });
}

/// Whether Ctrl-C was pressed.
pub(super) fn was_pressed() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}
