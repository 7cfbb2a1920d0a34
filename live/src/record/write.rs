//! Writing a log beside the node: records are gathered in memory, a thread of its own checks and writes them.
//!
//! Memory is bounded. Where the disk is full, or too slow for what comes, recording stops, the node goes on, and the
//! log ends with a record that says so.

use super::format::{BLOCK_BYTES, BLOCK_BYTES_MAX, Check, Kind, block_head, put_bytes};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Records reach the file after at most this time, unless the disk is slow.
const FLUSH_INTERVAL: Duration = Duration::from_millis(100);

/// How a node is recorded.
#[derive(Clone, Copy, Debug)]
pub struct RecordOptions {
    /// Whether received payload that is the session's content is left out and made anew at replay: logs shrink to
    /// about a tenth, each received packet costs the generation of its payload.
    pub identities: bool,
    /// Bytes that may wait for the disk before recording stops. Default 32 MiB.
    pub waiting_bytes_max: usize,
}

impl Default for RecordOptions {
    fn default() -> Self {
        Self { identities: true, waiting_bytes_max: 32 * 1024 * 1024 }
    }
}

/// How recording goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordStatus {
    /// Bytes handed to the log so far, without its header.
    pub bytes: u64,
    /// Inputs since recording stopped: the log does not have them.
    pub missed_inputs: u64,
    /// Why recording stopped, for people; `None`: it did not.
    pub stopped: Option<String>,
}

/// Where a log goes.
pub trait LogSink: Write + Send {
    /// Cuts off everything behind the first `length` bytes: what was written last is not whole.
    ///
    /// # Errors
    /// When the medium cannot.
    fn cut(&mut self, length: u64) -> io::Result<()>;
}

/// A log in a file.
#[derive(Debug)]
pub struct FileSink(File);

impl FileSink {
    /// Makes the file, or empties it.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn create(path: &Path) -> io::Result<Self> {
        File::create(path).map(Self)
    }
}

impl Write for FileSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl LogSink for FileSink {
    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.0.set_len(length)?;
        self.0.seek(SeekFrom::Start(length)).map(drop)
    }
}

/// The node's end of a log.
#[derive(Debug)]
pub(super) struct LogWriter {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    waiting_bytes_max: usize,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The block that records are added to.
    filling: Vec<u8>,
    /// Blocks that are ready to be written.
    full: VecDeque<Vec<u8>>,
    /// Bytes of both.
    waiting_bytes: usize,
    /// A buffer to use again.
    spare: Vec<u8>,
    /// Nothing more comes; the thread writes what waits and ends.
    is_closing: bool,
    /// Why the thread gave up.
    failed: Option<String>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock; if something did, the bytes are still whole records.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LogWriter {
    /// Writes `header` at once and starts the thread.
    pub(super) fn start(
        mut sink: Box<dyn LogSink>,
        header: &[u8],
        check: Check,
        waiting_bytes_max: usize,
    ) -> io::Result<Self> {
        sink.write_all(header)?;
        sink.flush()?;
        let shared = Arc::new(Shared::default());
        let file = LogFile { sink, check, blocks: 0, length: header.len() as u64 };
        let theirs = Arc::clone(&shared);
        let thread =
            std::thread::Builder::new().name("recorder".to_owned()).spawn(move || file.run(&theirs))?;
        Ok(Self { shared, thread: Some(thread), waiting_bytes_max })
    }

    /// Takes whole records over. An error says why nothing more is recorded.
    pub(super) fn push(&self, records: &mut Vec<u8>) -> Result<(), String> {
        if records.is_empty() {
            return Ok(());
        }
        if records.len() > BLOCK_BYTES_MAX - BLOCK_BYTES {
            return Err(format!("{} bytes at once are more than a block holds", records.len()));
        }
        let mut state = self.shared.lock();
        if let Some(reason) = &state.failed {
            return Err(reason.clone());
        }
        if state.waiting_bytes + records.len() > self.waiting_bytes_max {
            let reason = format!("the disk is too slow: {} bytes wait to be written", state.waiting_bytes);
            return Err(reason);
        }
        let was_empty = state.filling.is_empty();
        state.waiting_bytes += records.len();
        state.filling.append(records);
        let is_full = state.filling.len() >= BLOCK_BYTES;
        if is_full {
            let spare = std::mem::take(&mut state.spare);
            let block = std::mem::replace(&mut state.filling, spare);
            state.full.push_back(block);
        }
        drop(state);
        if is_full || was_empty {
            self.shared.changed.notify_one();
        }
        Ok(())
    }

    /// Writes what waits, then a record that says why the log ends here.
    pub(super) fn stop(&self, reason: &str) {
        let mut state = self.shared.lock();
        if state.failed.is_none() {
            put_stopped(&mut state.filling, reason);
            state.is_closing = true;
            drop(state);
            self.shared.changed.notify_one();
        }
    }

    /// Leaves the thread to itself: it writes what waits and ends on its own.
    pub(super) fn abandon(mut self) {
        self.shared.lock().is_closing = true;
        self.shared.changed.notify_one();
        self.thread = None;
    }

    /// Writes what waits, and ends.
    ///
    /// An error says why the end of the log is missing.
    pub(super) fn close(&mut self) -> Result<(), String> {
        self.shared.lock().is_closing = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            return Err("the thread that writes the log panicked".to_owned());
        }
        self.shared.lock().failed.take().map_or(Ok(()), Err)
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        // Whoever wants to know about failures closes by hand.
        let _ = self.close();
    }
}

fn put_stopped(out: &mut Vec<u8>, reason: &str) {
    out.push(Kind::Stopped as u8);
    put_bytes(out, reason.as_bytes());
}

/// The thread's end of a log.
struct LogFile {
    sink: Box<dyn LogSink>,
    /// The check of the last block.
    check: Check,
    blocks: u32,
    /// Bytes up to the end of the last whole block.
    length: u64,
}

impl LogFile {
    fn run(mut self, shared: &Shared) {
        while let Some(mut block) = next_block(shared) {
            if let Err(error) = self.write(&block) {
                let reason = format!("the log cannot be written: {error}");
                self.end_stopped(&reason);
                let mut state = shared.lock();
                state.failed = Some(reason);
                state.full.clear();
                state.filling = Vec::new();
                return;
            }
            let mut state = shared.lock();
            state.waiting_bytes = state.waiting_bytes.saturating_sub(block.len());
            block.clear();
            state.spare = block;
        }
    }

    fn write(&mut self, body: &[u8]) -> io::Result<()> {
        let (head, check) = block_head(&self.check, self.blocks, body);
        self.sink.write_all(&head)?;
        self.sink.write_all(body)?;
        self.sink.flush()?;
        self.check = check;
        self.blocks += 1;
        self.length += (head.len() + body.len()) as u64;
        Ok(())
    }

    /// Cuts off a block that is there in part only: that makes the room for the record which says so.
    fn end_stopped(&mut self, reason: &str) {
        let mut body = Vec::new();
        put_stopped(&mut body, reason);
        if self.sink.cut(self.length).is_ok() && self.write(&body).is_err() {
            // Without that record the log still ends with a whole block.
            let _ = self.sink.cut(self.length);
        }
    }
}

/// Waits for a block that is full or old enough; `None`: the log is closed and written.
fn next_block(shared: &Shared) -> Option<Vec<u8>> {
    let mut state = shared.lock();
    loop {
        if let Some(block) = state.full.pop_front() {
            return Some(block);
        }
        if state.is_closing {
            return (!state.filling.is_empty()).then(|| std::mem::take(&mut state.filling));
        }
        if state.filling.is_empty() {
            state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            continue;
        }
        let waited = shared.changed.wait_timeout(state, FLUSH_INTERVAL);
        let (next, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        state = next;
        if timeout.timed_out() && state.full.is_empty() && !state.filling.is_empty() {
            let spare = std::mem::take(&mut state.spare);
            return Some(std::mem::replace(&mut state.filling, spare));
        }
    }
}
