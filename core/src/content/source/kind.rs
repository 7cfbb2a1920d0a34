//! The kinds of content behind a source: when the next object of each is due, and how large it is.

use super::super::adaptive::Adaptive;
use super::super::application::Application;
use super::super::file::FileSource;
use super::super::messages::Messages;
use super::super::onoff::OnOff;
use super::super::pacing::Pacer;
use super::super::video::Video;
use crate::time::Instant;

#[derive(Debug)]
pub(super) enum Kind {
    Constant(Pacer),
    Video(Video),
    /// In a box: it is twice as large as the others.
    Adaptive(Box<Adaptive>),
    Messages(Messages),
    File(FileSource),
    OnOff(OnOff),
    Application(Box<Application>),
}

/// When the next object of a generator is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::content) enum Due {
    /// At this instant, in the past or the future.
    At(Instant),
    /// Not before this instant; ask again then.
    NotBefore(Instant),
    /// There is no further one within representable time.
    Never,
}

impl Kind {
    pub(super) fn due(&mut self, now: Instant) -> Due {
        match self {
            Self::Constant(pacer) => pacer.due(),
            Self::Video(video) => video.due(),
            Self::Adaptive(adaptive) => adaptive.due(),
            Self::Messages(messages) => messages.due(),
            Self::OnOff(onoff) => onoff.due(now),
            // They say themselves what is due.
            Self::File(_) | Self::Application(_) => Due::Never,
        }
    }

    /// Moves past the object that is due at `at` and returns its bytes, at least 1.
    pub(super) fn take(&mut self, at: Instant, symbol_bytes: u64) -> u64 {
        match self {
            Self::Constant(pacer) => {
                pacer.advance();
                symbol_bytes
            }
            Self::Video(video) => video.take(),
            Self::Adaptive(adaptive) => adaptive.take(at),
            Self::Messages(messages) => messages.take(symbol_bytes),
            Self::OnOff(onoff) => {
                onoff.take();
                symbol_bytes
            }
            Self::File(_) | Self::Application(_) => unreachable!("they cut their own symbols"),
        }
    }

    pub(super) fn level(&self) -> Option<usize> {
        if let Self::Adaptive(adaptive) = self { Some(adaptive.level()) } else { None }
    }

    pub(super) fn level_changes(&self) -> u64 {
        if let Self::Adaptive(adaptive) = self { adaptive.level_changes() } else { 0 }
    }
}
