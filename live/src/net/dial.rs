//! Opening and accepting connections. Both take their time, but never more than they are given.

use super::tcp::{TcpOptions, TcpPipe, TcpSetupError};
use bellini_core::wire::WireError;
use bellini_core::wire::preface::{PREFACE_BYTES, Preface};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// Connections that the kernel holds until they are accepted.
const BACKLOG: u32 = 1_024;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The network or the other host says no.
    #[error("{at}: {cause}")]
    Io {
        /// The other end.
        at: SocketAddr,
        /// What the system says.
        cause: io::Error,
    },
    /// Too slow.
    #[error("{at}: nothing for {} ms", after.as_millis())]
    Timeout {
        /// The other end.
        at: SocketAddr,
        /// The time that it had.
        after: Duration,
    },
    /// Whoever connects is no node.
    #[error("{at} does not begin as a node does: {cause}")]
    Preface {
        /// The other end.
        at: SocketAddr,
        /// What is wrong.
        cause: WireError,
    },
    /// The socket cannot be set up as asked for.
    #[error("{at}: {cause}")]
    Setup {
        /// The other end.
        at: SocketAddr,
        /// Which option, and why.
        cause: TcpSetupError,
    },
}

/// Listens at `at`. Connections of an earlier start that are still closing do not stand in the way.
///
/// # Errors
/// When the address cannot be bound.
pub fn listen(at: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket_for(at)?;
    socket.set_reuseaddr(true)?;
    socket.bind(at)?;
    socket.listen(BACKLOG)
}

/// Connects to `to`, from the address `from` if it is given, and says who we are.
///
/// # Errors
/// When there is no connection within `timeout`, or an option is refused.
pub async fn connect(
    to: SocketAddr,
    from: Option<IpAddr>,
    timeout: Duration,
    preface: Preface,
    options: &TcpOptions,
) -> Result<TcpPipe, DialError> {
    let io = |cause| DialError::Io { at: to, cause };
    let dial = async {
        let mut stream = open(to, from).await?;
        stream.write_all(&preface.emit()).await?;
        stream.into_std()
    };
    let dialled = tokio::time::timeout(timeout, dial).await;
    let stream = dialled.map_err(|_| DialError::Timeout { at: to, after: timeout })?.map_err(io)?;
    TcpPipe::new(stream, options).map_err(|cause| DialError::Setup { at: to, cause })
}

/// Connects to `to`, from the address `from` if it is given, and says nothing.
pub(crate) async fn open(to: SocketAddr, from: Option<IpAddr>) -> io::Result<TcpStream> {
    let socket = socket_for(to)?;
    if let Some(from) = from.filter(|from| !from.is_unspecified()) {
        socket.bind(SocketAddr::new(from, 0))?;
    }
    socket.connect(to).await
}

/// Reads who connected on a connection that a listener accepted; frames that follow stay in it.
///
/// # Errors
/// When the preface is wrong or does not come within `timeout`, or an option is refused.
pub async fn accept(
    mut stream: TcpStream,
    timeout: Duration,
    options: &TcpOptions,
) -> Result<(Preface, TcpPipe), DialError> {
    let at = stream.peer_addr().map_err(|cause| DialError::Io { at: ([0, 0, 0, 0], 0).into(), cause })?;
    let mut bytes = [0; PREFACE_BYTES];
    let read = tokio::time::timeout(timeout, stream.read_exact(&mut bytes)).await;
    read.map_err(|_| DialError::Timeout { at, after: timeout })?
        .map_err(|cause| DialError::Io { at, cause })?;
    let preface = Preface::parse(&bytes).map_err(|cause| DialError::Preface { at, cause })?;
    let stream = stream.into_std().map_err(|cause| DialError::Io { at, cause })?;
    let pipe = TcpPipe::new(stream, options).map_err(|cause| DialError::Setup { at, cause })?;
    Ok((preface, pipe))
}

fn socket_for(at: SocketAddr) -> io::Result<TcpSocket> {
    if at.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }
}

#[cfg(test)]
mod tests {
    use super::super::tcp::Arrived;
    use super::*;
    use bellini_core::ids::{Incarnation, NodeId};
    use std::net::{Ipv4Addr, Ipv6Addr};

    const SECONDS: Duration = Duration::from_secs(10);

    fn run(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime starts").block_on(test);
    }

    fn preface() -> Preface {
        Preface { node: NodeId::new(7).expect("7 is a node id"), incarnation: Incarnation(3) }
    }

    /// The acceptor learns who connects, and what was sent right after that stays in the connection.
    #[test]
    fn the_acceptor_learns_who_connects() {
        run(async {
            for ip in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
                let Ok(listener) = listen(SocketAddr::new(ip, 0)) else {
                    println!("skipped in part: nothing listens at {ip}");
                    continue;
                };
                let to = listener.local_addr().expect("it is bound");
                let options = TcpOptions::default();
                let mut here = connect(to, Some(ip), SECONDS, preface(), &options).await.expect("it listens");
                here.queue(b"", b"first frame");
                here.flush().expect("it is open");
                let (stream, _) = listener.accept().await.expect("somebody connected");
                let (who, mut there) = accept(stream, SECONDS, &options).await.expect("a good preface");
                assert_eq!(who, preface());
                let mut got = Vec::new();
                while got.len() < 11 {
                    if let Arrived::Bytes(bytes) = there.receive().expect("it is open") {
                        got.extend_from_slice(&bytes);
                    }
                }
                assert_eq!(got, b"first frame");
            }
        });
    }

    /// Whoever says something else, or nothing, is sent away in time.
    #[test]
    fn strangers_are_refused() {
        run(async {
            let listener = listen((Ipv4Addr::LOCALHOST, 0).into()).expect("loopback has free ports");
            let to = listener.local_addr().expect("it is bound");
            let mut stranger = TcpStream::connect(to).await.expect("it listens");
            stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").await.expect("it is open");
            let (stream, _) = listener.accept().await.expect("somebody connected");
            let refused = accept(stream, SECONDS, &TcpOptions::default()).await;
            assert!(matches!(refused, Err(DialError::Preface { cause: WireError::BadField("magic"), .. })));
            let silent = TcpStream::connect(to).await.expect("it listens");
            let (stream, _) = listener.accept().await.expect("somebody connected");
            let refused = accept(stream, Duration::from_millis(50), &TcpOptions::default()).await;
            assert!(matches!(refused, Err(DialError::Timeout { .. })));
            drop(silent);
        });
    }

    #[test]
    fn a_closed_port_is_named() {
        run(async {
            let to = listen((Ipv4Addr::LOCALHOST, 0).into())
                .and_then(|listener| listener.local_addr())
                .expect("loopback has free ports");
            let refused = connect(to, None, SECONDS, preface(), &TcpOptions::default()).await;
            let told = refused.expect_err("nobody listens").to_string();
            assert!(told.starts_with(&to.to_string()), "{told}");
        });
    }
}
