//! The other side of the listing server: one request a connection, bounded in time and size.

use serde_json::Value;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
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
}

impl ListingClient {
    /// Returns a client of the server at `at`. Nothing is sent yet.
    #[must_use]
    pub fn new(at: SocketAddr) -> Self {
        Self { at }
    }

    /// Sends a request (`path` with its query) and returns what is answered, blocking.
    ///
    /// # Errors
    /// When the server cannot be reached, refuses, or answers something that is no JSON.
    pub fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, ListingClientError> {
        let at = self.at;
        let body = body.map(Value::to_string).unwrap_or_default();
        let (status, text) = exchange(at, method, path, body.as_bytes())
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

/// Sends one request of HTTP/1.1 on a connection of its own; returns status and body.
///
/// # Errors
/// When the connection fails, or what comes is not HTTP with a known length.
pub fn exchange(at: SocketAddr, method: &str, path: &str, body: &[u8]) -> io::Result<(u16, Vec<u8>)> {
    let mut socket = TcpStream::connect_timeout(&at, PATIENCE)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
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
