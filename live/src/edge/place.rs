//! Where an application is, as text: `udp:127.0.0.1:5004`, `tcp:ADDRESS`, `unix:PATH`, `unixgram:PATH`, `file:PATH`, `-`.

use bellini_core::content::spec::Unit;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use thiserror::Error;

/// Where an application hands content over, or takes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Place {
    /// A UDP port: sources receive there, deliveries are sent there.
    Udp(SocketAddr),
    /// A TCP port: a source takes the first connection, deliveries connect.
    Tcp(SocketAddr),
    /// A Unix socket with a stream: likewise.
    Unix(PathBuf),
    /// A Unix socket with datagrams.
    UnixDatagram(PathBuf),
    /// A file, read from its beginning or written anew.
    File(PathBuf),
    /// Standard input or output of the command that starts the run.
    Standard,
}

/// Why a text is no place.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{text:?} is no place of an application: {problem}")]
pub struct PlaceError {
    text: String,
    problem: String,
}

impl Place {
    /// Returns how bytes belong together that an application brings there.
    #[must_use]
    pub fn unit(&self) -> Unit {
        match self {
            Self::Udp(_) | Self::UnixDatagram(_) => Unit::Datagrams,
            Self::Tcp(_) | Self::Unix(_) | Self::File(_) | Self::Standard => Unit::Stream,
        }
    }
}

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let error = |problem: &str| PlaceError { text: text.to_owned(), problem: problem.to_owned() };
        let address = |rest: &str| {
            rest.parse::<SocketAddr>()
                .map_err(|_| error("an address and a port belong there, as in 127.0.0.1:5004"))
        };
        let path = |rest: &str| match rest {
            "" => Err(error("a path belongs behind the colon")),
            path => Ok(PathBuf::from(path)),
        };
        if text == "-" {
            return Ok(Self::Standard);
        }
        match text.split_once(':') {
            Some(("udp", rest)) => address(rest).map(Self::Udp),
            Some(("tcp", rest)) => address(rest).map(Self::Tcp),
            Some(("unix", rest)) => path(rest).map(Self::Unix),
            Some(("unixgram", rest)) => path(rest).map(Self::UnixDatagram),
            Some(("file", rest)) => path(rest).map(Self::File),
            _ => Err(error(
                "it begins with udp:, tcp:, unix:, unixgram: or file:, or is - for standard input or output",
            )),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Udp(address) => write!(f, "udp:{address}"),
            Self::Tcp(address) => write!(f, "tcp:{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::UnixDatagram(path) => write!(f, "unixgram:{}", path.display()),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Standard => f.write_str("-"),
        }
    }
}

impl TryFrom<String> for Place {
    type Error = PlaceError;

    fn try_from(text: String) -> Result<Self, PlaceError> {
        text.parse()
    }
}

impl From<Place> for String {
    fn from(place: Place) -> Self {
        place.to_string()
    }
}
