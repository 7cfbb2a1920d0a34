//! Hands what arrives to an application.

use super::Place;
use bytes::Bytes;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;
use tokio::fs::File;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket, UnixDatagram, UnixStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

/// Bytes that may wait for an application.
const WAITING_BYTES_MAX: usize = 64 << 20;
/// Distance of attempts to reach an application that is not there yet.
const RETRY: Duration = Duration::from_millis(100);

/// The way to an application. What arrives while it is not there yet waits.
#[derive(Debug)]
pub(super) struct Delivery {
    queue: Option<UnboundedSender<Bytes>>,
    waiting: Arc<AtomicUsize>,
    /// Datagrams that nobody was there for.
    pub(super) dropped: Arc<AtomicU64>,
    task: Option<JoinHandle<io::Result<()>>>,
}

impl Delivery {
    /// Opens the way to a place. Needs a runtime.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(super) fn open(place: &Place) -> io::Result<Self> {
        let (queue, queued) = unbounded_channel();
        let (waiting, dropped) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicU64::new(0)));
        let source = Queue { queued, waiting: Arc::clone(&waiting) };
        let lost = Arc::clone(&dropped);
        let task = match place.clone() {
            Place::Udp(address) => {
                let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
                let socket = std::net::UdpSocket::bind(any)?;
                socket.set_nonblocking(true)?;
                let socket = UdpSocket::from_std(socket)?;
                tokio::spawn(async move {
                    let mut source = source;
                    while let Some(datagram) = source.next().await {
                        // Nobody may be listening: that is how datagrams are.
                        if socket.send_to(&datagram, address).await.is_err() {
                            lost.fetch_add(1, Relaxed);
                        }
                    }
                    Ok(())
                })
            }
            Place::UnixDatagram(path) => {
                let socket = UnixDatagram::unbound()?;
                tokio::spawn(async move {
                    let mut source = source;
                    while let Some(datagram) = source.next().await {
                        if socket.send_to(&datagram, &path).await.is_err() {
                            lost.fetch_add(1, Relaxed);
                        }
                    }
                    Ok(())
                })
            }
            Place::Tcp(address) => tokio::spawn(async move {
                let to = retry(|| TcpStream::connect(address)).await?;
                to.set_nodelay(true)?;
                write_all(to, source).await
            }),
            Place::Unix(path) => tokio::spawn(async move {
                let to = retry(|| UnixStream::connect(path.clone())).await?;
                write_all(to, source).await
            }),
            Place::File(path) => {
                let file = File::from_std(std::fs::File::create(path)?);
                tokio::spawn(write_all(file, source))
            }
            Place::Standard => {
                return Err(io::Error::new(
                    io::ErrorKind::Unsupported,
                    "a node's standard output is its console",
                ));
            }
        };
        Ok(Self { queue: Some(queue), waiting, dropped, task: Some(task) })
    }

    /// Likewise, for the command that starts a run: standard output is its own.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(super) fn open_any(place: &Place) -> io::Result<Self> {
        if *place != Place::Standard {
            return Self::open(place);
        }
        let (queue, queued) = unbounded_channel();
        let (waiting, dropped) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicU64::new(0)));
        let source = Queue { queued, waiting: Arc::clone(&waiting) };
        let task = Some(tokio::spawn(write_all(tokio::io::stdout(), source)));
        Ok(Self { queue: Some(queue), waiting, dropped, task })
    }

    /// Whether another piece may wait without being too much.
    pub(super) fn has_room(&self) -> bool {
        self.waiting.load(Relaxed) < WAITING_BYTES_MAX / 64
    }

    /// Hands bytes over; `false`: the application takes them too slowly, or has gone.
    pub(super) fn give(&mut self, bytes: Bytes) -> bool {
        let length = bytes.len();
        let Some(queue) = &self.queue else { return false };
        if self.waiting.load(Relaxed) + length > WAITING_BYTES_MAX {
            return false;
        }
        self.waiting.fetch_add(length, Relaxed);
        queue.send(bytes).is_ok()
    }

    /// There is no more: the application sees the end when it has taken everything.
    pub(super) fn end(&mut self) {
        self.queue = None;
    }

    /// Waits until the application has everything, and says what went wrong.
    pub(super) async fn finish(mut self, within: Duration) -> Option<String> {
        self.end();
        let task = self.task.take()?;
        match tokio::time::timeout(within, task).await {
            Ok(Ok(Ok(()))) => None,
            Ok(Ok(Err(error))) => Some(error.to_string()),
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some(format!("{} bytes were not taken", self.waiting.load(Relaxed))),
        }
    }
}

struct Queue {
    queued: UnboundedReceiver<Bytes>,
    waiting: Arc<AtomicUsize>,
}

impl Queue {
    async fn next(&mut self) -> Option<Bytes> {
        let bytes = self.queued.recv().await?;
        self.waiting.fetch_sub(bytes.len(), Relaxed);
        Some(bytes)
    }
}

/// Tries until it works; an application may be started later.
async fn retry<T, F: Future<Output = io::Result<T>>>(mut attempt: impl FnMut() -> F) -> io::Result<T> {
    loop {
        match attempt().await {
            Err(error)
                if matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound) =>
            {
                tokio::time::sleep(RETRY).await;
            }
            done => return done,
        }
    }
}

async fn write_all(mut to: impl AsyncWrite + Unpin, mut source: Queue) -> io::Result<()> {
    while let Some(bytes) = source.next().await {
        to.write_all(&bytes).await?;
    }
    to.flush().await?;
    to.shutdown().await
}
