//! The other side of a node's console: gives orders to a running node and waits for its answers.

use crate::console::{Answer, Order};
use bellini_core::time::Instant;
use bellini_scenarios::conduct::{ProcessFigures, SessionFigures};
use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant as HostInstant};
use thiserror::Error;

/// How long a node has to answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// Answers that may wait to be read here; after that the node drops events for this client.
const ANSWERS_MAX: usize = 4_096;

/// Why a node cannot be conducted.
#[derive(Debug, Error)]
#[error("{who}: {problem}")]
pub struct ClientError {
    /// Which node, as the client was named.
    pub who: String,
    /// What is wrong.
    pub problem: String,
}

/// Figures of a node, and when they were read on its clock.
#[derive(Debug)]
pub struct Look {
    /// When.
    pub at: Instant,
    /// What it counted.
    pub figures: Box<ProcessFigures>,
}

/// A connection to a node's console. A thread reads what the node says, and ends with the node or the client.
pub struct Client {
    who: String,
    orders: Box<dyn Write + Send>,
    answers: Receiver<Result<Answer, String>>,
    next_id: u64,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("who", &self.who).finish_non_exhaustive()
    }
}

impl Client {
    /// Conducts a node over two pipes. `who` names it in errors.
    pub fn over(
        who: String,
        answers: impl Read + Send + 'static,
        orders: impl Write + Send + 'static,
    ) -> Self {
        let (sender, received) = sync_channel(ANSWERS_MAX);
        thread::spawn(move || read(BufReader::new(answers), &sender));
        Self { who, orders: Box::new(orders), answers: received, next_id: 0 }
    }

    /// Connects to a console that is a Unix socket.
    ///
    /// # Errors
    /// When nobody listens there.
    pub fn connect(who: String, path: &Path) -> io::Result<Self> {
        let socket = UnixStream::connect(path)?;
        Ok(Self::over(who, socket.try_clone()?, socket))
    }

    /// Gives an order.
    ///
    /// # Errors
    /// When the node is gone.
    pub fn order(&mut self, order: &Order) -> Result<(), ClientError> {
        let line = serde_json::to_vec(order).map(|mut line| {
            line.push(b'\n');
            line
        });
        let sent = line.map_err(io::Error::other).and_then(|line| self.orders.write_all(&line));
        sent.and_then(|()| self.orders.flush())
            .map_err(|error| self.problem(format!("it takes no orders any more: {error}")))
    }

    /// Waits for the first answer that `pick` takes; a refusal ends the wait, all other answers are passed over.
    ///
    /// # Errors
    /// When a command was refused, or the answer does not come.
    pub fn wait<T>(&mut self, mut pick: impl FnMut(Answer) -> Option<T>) -> Result<T, ClientError> {
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
                Err(RecvTimeoutError::Disconnected) => return Err(self.problem("it is gone")),
            }
        }
    }

    /// Reads the node's figures; `full`: with everything.
    ///
    /// # Errors
    /// As [`Client::wait`].
    pub fn look(&mut self, full: bool) -> Result<Look, ClientError> {
        let wanted = self.id();
        self.order(&Order::Look { id: wanted, full, finish: false })?;
        self.wait(|answer| match answer {
            Answer::Figures { id, at, figures } if id == wanted => Some(Look { at, figures }),
            _ => None,
        })
    }

    /// Reads one session at the node; `None`: the node does not know it.
    ///
    /// # Errors
    /// As [`Client::wait`].
    pub fn harvest(
        &mut self,
        key: bellini_core::ids::SessionKey,
    ) -> Result<Option<Box<SessionFigures>>, ClientError> {
        let wanted = self.id();
        self.order(&Order::Harvest { id: wanted, key, finish: true })?;
        self.wait(|answer| match answer {
            Answer::Harvested { id, figures } if id == wanted => Some(figures),
            _ => None,
        })
    }

    /// Makes an error of this node.
    #[must_use]
    pub fn problem(&self, problem: impl Into<String>) -> ClientError {
        ClientError { who: self.who.clone(), problem: problem.into() }
    }

    fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }
}

/// Hands on what a node says, until it says nothing more or nobody listens.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn hearing(said: &'static str) -> Client {
        Client::over("node 1".to_owned(), said.as_bytes(), io::sink())
    }

    /// Aim: whatever a node says or fails to say ends the wait with its name and the reason.
    #[test]
    fn what_goes_wrong_is_said() {
        for (said, piece) in [
            ("", "it is gone"),
            ("\"bye\"\n", "it is gone"),
            ("{\"warning\": \"drops\"}\nnonsense\n", "cannot be read"),
            ("{\"refused\": {\"at\": 5, \"problem\": \"no such session\"}}\n", "no such session"),
        ] {
            let error = hearing(said).wait(|_| None::<()>).expect_err(said).to_string();
            assert!(error.starts_with("node 1: ") && error.contains(piece), "{error}");
        }
        let warned = hearing("\"bye\"\n{\"warning\": \"drops\"}\n").wait(|answer| match answer {
            Answer::Warning(text) => Some(text),
            _ => None,
        });
        assert_eq!(warned.expect("it was said"), "drops");
    }
}
