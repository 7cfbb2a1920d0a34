//! What the daemon does about sealing: keys at the start, frames that waited for keys, and keys that count no more.

use super::{Daemon, NodeError, SettingsError};
use crate::console::NodeSettings;
use crate::seal::aead::Purpose;
use crate::seal::identity::Identity;
use crate::seal::keys::KeyError;
use bellini_core::time::Instant;
use std::io;
use std::sync::Arc;

impl Daemon {
    /// Sends what waited for keys that are there now.
    pub(super) fn send_ready(&mut self, now: Instant) {
        let Some(sealing) = &mut self.sealing else { return };
        for (slot, purpose, frame) in sealing.take_ready() {
            let port = match purpose {
                Purpose::Data => &mut self.data,
                Purpose::Control => &mut self.control,
            };
            port.send_kept(now, slot, &frame, sealing);
        }
    }

    /// Looks whether keys still count, and says who was refused.
    pub(super) fn keep_seals(&mut self) -> io::Result<()> {
        let Some(sealing) = &mut self.sealing else { return Ok(()) };
        let now = self.clock.now();
        sealing.keep_house(now, |slot| self.engine.peers.get(slot).node);
        self.streams.close_refused(now, &mut self.engine, sealing)?;
        sealing.take_lines().into_iter().for_each(|line| self.warn(format!("sealing: {line}")));
        Ok(())
    }
}

/// Reads the keys that `settings` name.
pub(super) fn identity(settings: &NodeSettings) -> Result<Option<Arc<Identity>>, NodeError> {
    let Some(seal) = &settings.seal else { return Ok(None) };
    match Identity::load(seal, settings.config.id) {
        Ok(identity) => Ok(Some(Arc::new(identity))),
        Err(KeyError::File { path, cause }) => {
            Err(NodeError::Open { what: format!("seal: {}", path.display()), cause })
        }
        Err(error) => Err(NodeError::Settings(SettingsError::Seal(error.to_string()))),
    }
}
