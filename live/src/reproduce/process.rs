//! A node process that is conducted over its standard input and output.

use super::ReproduceError;
use crate::console::{Answer, NodeSettings, Order};
use bellini_core::time::Instant;
use bellini_scenarios::conduct::ProcessFigures;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant as HostInstant};

/// How long a process has to answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// Answers that may wait to be read here; a process waits, or drops events, when there are more.
const ANSWERS_MAX: usize = 4_096;

/// Figures of a process, and when they were read on its clock.
#[derive(Debug)]
pub struct Look {
    /// When.
    pub at: Instant,
    /// What it counted.
    pub figures: Box<ProcessFigures>,
}

/// A running node process; killed when this is dropped.
#[derive(Debug)]
pub struct NodeProcess {
    node: u32,
    child: Child,
    orders: Option<ChildStdin>,
    answers: Receiver<Result<Answer, String>>,
    settings: PathBuf,
    next_look: u64,
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
        let mut child = match child {
            Ok(child) => child,
            Err(error) => {
                let _ = std::fs::remove_file(&place);
                return Err(error.into());
            }
        };
        let (sender, answers) = sync_channel(ANSWERS_MAX);
        if let Some(stdout) = child.stdout.take() {
            thread::spawn(move || read(BufReader::new(stdout), &sender));
        }
        let orders = child.stdin.take();
        Ok(Self { node, child, orders, answers, settings: place, next_look: 0 })
    }

    /// Returns its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Gives an order.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn order(&mut self, order: &Order) -> Result<(), ReproduceError> {
        let mut line = serde_json::to_vec(order).map_err(std::io::Error::other)?;
        line.push(b'\n');
        let sent = self.orders.as_mut().map(|orders| orders.write_all(&line).and_then(|()| orders.flush()));
        match sent {
            Some(Ok(())) => Ok(()),
            _ => Err(self.problem("it takes no orders any more")),
        }
    }

    /// Waits for the first answer that `pick` takes; refusals end the wait, all other answers are passed over.
    ///
    /// # Errors
    /// When a command was refused, or the answer does not come.
    pub fn wait<T>(&mut self, mut pick: impl FnMut(Answer) -> Option<T>) -> Result<T, ReproduceError> {
        let deadline = HostInstant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(HostInstant::now());
            match self.answers.recv_timeout(left) {
                Ok(Ok(Answer::Refused { problem, .. })) => {
                    return Err(self.problem(format!("it refused a command: {problem}")));
                }
                Ok(Ok(answer)) => {
                    if let Some(picked) = pick(answer) {
                        return Ok(picked);
                    }
                }
                Ok(Err(problem)) => return Err(self.problem(problem)),
                Err(RecvTimeoutError::Timeout) => {
                    return Err(self.problem(format!("no answer within {} s", PATIENCE.as_secs())));
                }
                Err(RecvTimeoutError::Disconnected) => return Err(self.problem("its process ended")),
            }
        }
    }

    /// Reads its figures; `full`: with times of single packets.
    ///
    /// # Errors
    /// As [`NodeProcess::wait`].
    pub fn look(&mut self, full: bool) -> Result<Look, ReproduceError> {
        self.next_look += 1;
        let wanted = self.next_look;
        self.order(&Order::Look { id: wanted, full, finish: false })?;
        self.wait(|answer| match answer {
            Answer::Figures { id, at, figures } if id == wanted => Some(Look { at, figures }),
            _ => None,
        })
    }

    pub(super) fn problem(&self, problem: impl Into<String>) -> ReproduceError {
        ReproduceError::Node { node: self.node, problem: problem.into() }
    }
}

impl Drop for NodeProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.settings);
    }
}

/// Hands on what a process says, until it says nothing more or nobody listens.
fn read(lines: impl BufRead, answers: &SyncSender<Result<Answer, String>>) {
    for line in lines.lines() {
        let answer = line.map_err(|error| error.to_string()).and_then(|line| {
            serde_json::from_str(&line).map_err(|error| format!("an answer cannot be read: {error}"))
        });
        let failed = answer.is_err();
        if answers.send(answer).is_err() || failed {
            return;
        }
    }
}
