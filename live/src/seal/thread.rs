//! A thread for handshakes: packets do not wait for signatures.

use std::io;
use std::thread::JoinHandle;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

/// Runs handshakes beside the node's own thread; what is under way ends when it is dropped.
#[derive(Debug)]
pub(crate) struct HandshakeThread {
    runtime: Handle,
    ending: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl HandshakeThread {
    /// Starts it.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (handle, (ending, ended)) = (runtime.handle().clone(), oneshot::channel());
        let run = move || {
            // Dropping the other end says it as well.
            let _ = runtime.block_on(ended);
        };
        let thread = std::thread::Builder::new().name("handshakes".to_owned()).spawn(run)?;
        Ok(Self { runtime: handle, ending: Some(ending), thread: Some(thread) })
    }

    /// Begins some work.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        self.runtime.spawn(work).abort_handle()
    }
}

impl Drop for HandshakeThread {
    fn drop(&mut self) {
        drop(self.ending.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;
    use std::thread::current;
    use std::time::Duration;

    /// Aim: work goes on while the thread that asked for it is busy, on another one; what is not done ends with it.
    #[test]
    fn work_runs_beside_and_ends_with_the_thread() {
        let handshakes = HandshakeThread::start().expect("there are threads");
        let (speak, heard) = channel();
        let speaker = speak.clone();
        handshakes.spawn(async move {
            let _ = speaker.send(current().id());
        });
        // Nothing here runs a runtime meanwhile.
        let there = heard.recv_timeout(Duration::from_secs(20)).expect("it runs");
        assert_ne!(there, current().id());
        handshakes.spawn(async move {
            std::future::pending::<()>().await;
            drop(speak);
        });
        drop(handshakes);
        assert!(heard.recv_timeout(Duration::from_secs(20)).is_err(), "nobody is left to speak");
    }
}
