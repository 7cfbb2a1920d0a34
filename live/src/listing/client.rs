//! The other side of the listing server: one request a connection, bounded in time and size.

use super::form;
use bellini_core::listing::{ListingAnswer, ListingRequest};
use serde_json::Value;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs};
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;
use thiserror::Error;

/// Bytes of an answer.
const ANSWER_BYTES_MAX: u64 = 64 * 1_024 * 1_024;
/// How long a connection may take, and each read and write.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why a listing server did not do what it was asked.
#[derive(Debug, Error)]
pub enum ListingClientError {
    /// It cannot be reached, or broke off.
    #[error("listing server {at}: {cause}")]
    Unreachable {
        /// Where it should be.
        at: SocketAddr,
        /// What the system says.
        cause: io::Error,
    },
    /// What came is no answer of a listing server.
    #[error("listing server {at}: {problem}")]
    Strange {
        /// Where it is.
        at: SocketAddr,
        /// What is wrong with the answer.
        problem: String,
    },
    /// It refused.
    #[error("the listing server refused ({status}): {error}")]
    Refused {
        /// Of HTTP.
        status: u16,
        /// What it says.
        error: String,
    },
}

/// Asks one listing server.
#[derive(Clone, Copy, Debug)]
pub struct ListingClient {
    at: SocketAddr,
    patience: Duration,
}

impl ListingClient {
    /// Returns a client of the server at `at`. Nothing is sent yet.
    #[must_use]
    pub fn new(at: SocketAddr) -> Self {
        Self { at, patience: PATIENCE }
    }

    /// Returns the same client with another patience: how long connecting may take, and each read and write.
    #[must_use]
    pub fn patient(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Sends a request (`path` with its query) and returns what is answered, blocking.
    ///
    /// # Errors
    /// When the server cannot be reached, refuses, or answers something that is no JSON.
    pub fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, ListingClientError> {
        self.ask_over(self.connect(None)?, method, path, body)
    }

    /// Asks what a listing is asked, and returns its answer, blocking. [`ListingRequest::Changes`] waits for changes, for
    /// up to 25 s. `cancel` ends the wait from another thread.
    ///
    /// # Errors
    /// As [`ListingClient::ask`], and when the answer is none to this request; unreachable when it was cancelled.
    pub fn request(
        &self,
        request: &ListingRequest,
        cancel: Option<&CancelRequest>,
    ) -> Result<ListingAnswer, ListingClientError> {
        let (method, path, body) = form::write(request);
        let answer = self.ask_over(self.connect(cancel)?, method, &path, body.as_ref());
        if let Some(cancel) = cancel {
            cancel.let_go();
        }
        form::read(request, answer?).map_err(|error| ListingClientError::Strange {
            at: self.at,
            problem: format!("no answer to the request: {error}"),
        })
    }

    fn connect(&self, cancel: Option<&CancelRequest>) -> Result<TcpStream, ListingClientError> {
        let connected = connect(self.at, self.patience).and_then(|socket| {
            if let Some(cancel) = cancel {
                cancel.hold(socket.try_clone()?)?;
            }
            Ok(socket)
        });
        connected.map_err(|cause| ListingClientError::Unreachable { at: self.at, cause })
    }

    fn ask_over(
        &self,
        socket: TcpStream,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, ListingClientError> {
        let at = self.at;
        let body = body.map(Value::to_string).unwrap_or_default();
        let (status, text) = exchange_over(socket, at, method, path, body.as_bytes())
            .map_err(|cause| ListingClientError::Unreachable { at, cause })?;
        let value: Value = serde_json::from_slice(&text)
            .map_err(|error| ListingClientError::Strange { at, problem: format!("no JSON: {error}") })?;
        if (200..300).contains(&status) {
            return Ok(value);
        }
        let error = value["error"].as_str().unwrap_or("it does not say why").to_owned();
        Err(ListingClientError::Refused { status, error })
    }
}

/// Ends a [`ListingClient::request`] that waits in another thread, and all later ones.
#[derive(Debug, Default)]
pub struct CancelRequest {
    state: Mutex<Watching>,
}

#[derive(Debug, Default)]
struct Watching {
    is_cancelled: bool,
    socket: Option<TcpStream>,
}

impl CancelRequest {
    /// Ends the wait.
    pub fn cancel(&self) {
        let mut state = self.lock();
        state.is_cancelled = true;
        if let Some(socket) = state.socket.take() {
            // It may have ended by itself.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    fn hold(&self, socket: TcpStream) -> io::Result<()> {
        let mut state = self.lock();
        if state.is_cancelled {
            return Err(io::Error::new(io::ErrorKind::Interrupted, "nobody waits any more"));
        }
        state.socket = Some(socket);
        Ok(())
    }

    fn let_go(&self) {
        self.lock().socket = None;
    }

    fn lock(&self) -> MutexGuard<'_, Watching> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl FromStr for ListingClient {
    type Err = String;

    /// Reads `http://ADDRESS:PORT`, as the server says where it listens; a name is looked up.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            |problem: String| format!("listing server `{text}`: {problem}; http://ADDRESS:PORT is right");
        let place = text.strip_prefix("http://").unwrap_or(text).trim_end_matches('/');
        let mut found = place.to_socket_addrs().map_err(|error| wrong(error.to_string()))?;
        found.next().map(Self::new).ok_or_else(|| wrong("no such host".to_owned()))
    }
}

/// Sends one request of HTTP/1.1 on a connection of its own; returns status and body.
///
/// # Errors
/// When the connection fails, or what comes is not HTTP with a known length.
pub fn exchange(at: SocketAddr, method: &str, path: &str, body: &[u8]) -> io::Result<(u16, Vec<u8>)> {
    exchange_over(connect(at, PATIENCE)?, at, method, path, body)
}

fn connect(at: SocketAddr, patience: Duration) -> io::Result<TcpStream> {
    let socket = TcpStream::connect_timeout(&at, patience)?;
    socket.set_read_timeout(Some(patience))?;
    socket.set_write_timeout(Some(patience))?;
    Ok(socket)
}

fn exchange_over(
    mut socket: TcpStream,
    at: SocketAddr,
    method: &str,
    path: &str,
    body: &[u8],
) -> io::Result<(u16, Vec<u8>)> {
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {at}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    socket.write_all(&[head.as_bytes(), body].concat())?;
    let mut answer = Vec::new();
    socket.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
    split(&answer)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the answer is no whole answer of HTTP"))
}

fn split(answer: &[u8]) -> Option<(u16, Vec<u8>)> {
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let length = lines.filter_map(|line| line.split_once(':'));
    let mut length = length.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length: usize = length.next()?.1.trim().parse().ok()?;
    let body = &answer[end + 4..];
    (body.len() == length).then(|| (status, body.to_vec()))
}
