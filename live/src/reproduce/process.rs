//! A node process that is conducted over its standard input and output.

use super::ReproduceError;
use crate::client::Client;
use crate::console::NodeSettings;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A running node process; killed when this is dropped.
#[derive(Debug)]
pub struct NodeProcess {
    child: Child,
    /// Its console.
    pub console: Client,
    settings: PathBuf,
}

impl NodeProcess {
    /// Starts `binary node` with these settings, which are written to a file in the system's directory for such.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn start(binary: &Path, settings: &NodeSettings) -> Result<Self, ReproduceError> {
        let node = settings.config.id.get();
        let place =
            std::env::temp_dir().join(format!("bellini-reproduce-{}-{node}.json", std::process::id()));
        let text = serde_json::to_vec(settings).map_err(std::io::Error::other)?;
        std::fs::write(&place, text)?;
        let child = Command::new(binary)
            .args(["node", "--console", "stdio", "--settings"])
            .arg(&place)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let started = child.and_then(|mut child| match (child.stdout.take(), child.stdin.take()) {
            (Some(answers), Some(orders)) => {
                Ok((child, Client::over(format!("node {node}"), answers, orders)))
            }
            _ => Err(std::io::Error::other("its standard streams are not there")),
        });
        match started {
            Ok((child, console)) => Ok(Self { child, console, settings: place }),
            Err(error) => {
                let _ = std::fs::remove_file(&place);
                Err(error.into())
            }
        }
    }

    /// Returns its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for NodeProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.settings);
    }
}
