//! One node process of a lab: its standard streams, and what it says.

use crate::console::{Answer, NodeSettings, Order};
use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// Lines of a process's standard error that are kept, for the message when it dies.
const LAST_WORDS: usize = 20;

/// Something heard from a node process.
#[derive(Debug)]
pub(crate) struct Heard {
    /// Index of the node.
    pub(crate) node: u32,
    /// Which start of it spoke; what an earlier one said is stale.
    pub(crate) incarnation: u32,
    /// What it said.
    pub(crate) what: Saying,
}

/// What a process said.
#[derive(Debug)]
pub(crate) enum Saying {
    /// A line of the console.
    Answer(Box<Answer>),
    /// A line that is none.
    Garbled(String),
    /// Its standard output ended: it is dead or about to be.
    Ended,
}

/// A running node process.
#[derive(Debug)]
pub(crate) struct NodeProcess {
    child: Child,
    orders: ChildStdin,
    last_words: Arc<Mutex<VecDeque<String>>>,
    readers: Vec<JoinHandle<()>>,
    line: Vec<u8>,
}

impl NodeProcess {
    /// Takes charge of a process that was started with piped standard streams. What it says goes to `heard`, marked
    /// with `node` and `incarnation`.
    ///
    /// # Panics
    /// If one of the streams is not piped.
    pub(crate) fn new(mut child: Child, node: u32, incarnation: u32, heard: Sender<Heard>) -> Self {
        let orders = child.stdin.take().expect("standard input is piped");
        let answers = child.stdout.take().expect("standard output is piped");
        let errors = child.stderr.take().expect("standard error is piped");
        let last_words = Arc::new(Mutex::new(VecDeque::new()));
        let kept = Arc::clone(&last_words);
        let listener = std::thread::spawn(move || {
            let say = |what| heard.send(Heard { node, incarnation, what }).is_ok();
            for line in BufReader::with_capacity(1 << 16, answers).lines() {
                let Ok(line) = line else { break };
                let what = match serde_json::from_str(&line) {
                    Ok(answer) => Saying::Answer(Box::new(answer)),
                    Err(_) => Saying::Garbled(line),
                };
                if !say(what) {
                    return;
                }
            }
            say(Saying::Ended);
        });
        let keeper = std::thread::spawn(move || {
            for line in BufReader::new(errors).lines().map_while(Result::ok) {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                if kept.len() == LAST_WORDS {
                    kept.pop_front();
                }
                kept.push_back(line);
            }
        });
        Self { child, orders, last_words, readers: vec![listener, keeper], line: Vec::new() }
    }

    /// Gives the process an order.
    ///
    /// # Errors
    /// When it no longer reads.
    pub(crate) fn order(&mut self, order: &Order) -> io::Result<()> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, order)?;
        self.line.push(b'\n');
        self.orders.write_all(&self.line)?;
        self.orders.flush()
    }

    /// Returns what it wrote to standard error last, as one text.
    pub(crate) fn last_words(&self) -> String {
        let kept = self.last_words.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().cloned().collect::<Vec<_>>().join("\n")
    }

    /// Kills it with SIGKILL and waits until it is gone.
    pub(crate) fn kill(mut self) {
        // Both fail only when it is dead already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
    }
}

/// Writes the settings of a node process to a file.
///
/// # Errors
/// When the file cannot be written.
pub(crate) fn write_settings(path: &std::path::Path, settings: &NodeSettings) -> io::Result<()> {
    std::fs::write(path, serde_json::to_vec_pretty(settings)?)
}
