//! Reads what an application brings.

use super::Place;
use bytes::{Bytes, BytesMut};
use std::io;
use std::path::Path;
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::{TcpListener, UdpSocket, UnixDatagram, UnixListener};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinHandle;

/// Pieces that wait to be offered; a stream's application has to wait then, a datagram's kernel buffer fills.
const PIECES_MAX: usize = 64;
/// Bytes of a stream that are read at a time.
const PIECE_BYTES: usize = 32 << 10;
/// The largest datagram.
const DATAGRAM_BYTES: usize = 65_535;

/// What was read; the channel's end is the content's.
pub(super) type Pieces = Receiver<io::Result<Bytes>>;

/// Opens a place and reads from it in a task of its own. Needs a runtime.
///
/// # Errors
/// When it cannot be opened.
pub(super) fn open(place: &Place) -> io::Result<(Pieces, JoinHandle<()>)> {
    let (pieces, read) = channel(PIECES_MAX);
    let task = match place {
        Place::Udp(address) => {
            let socket = std::net::UdpSocket::bind(address)?;
            socket.set_nonblocking(true)?;
            let socket = UdpSocket::from_std(socket)?;
            tokio::spawn(async move {
                let mut buffer = vec![0; DATAGRAM_BYTES];
                loop {
                    let got = socket
                        .recv(&mut buffer)
                        .await
                        .map(|length| Bytes::copy_from_slice(&buffer[..length]));
                    if pieces.send(got).await.is_err() {
                        return;
                    }
                }
            })
        }
        Place::UnixDatagram(path) => {
            let socket = UnixDatagram::bind(fresh(path)?)?;
            tokio::spawn(async move {
                let mut buffer = vec![0; DATAGRAM_BYTES];
                loop {
                    let got = socket
                        .recv(&mut buffer)
                        .await
                        .map(|length| Bytes::copy_from_slice(&buffer[..length]));
                    if pieces.send(got).await.is_err() {
                        return;
                    }
                }
            })
        }
        Place::Tcp(address) => {
            let listener = std::net::TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            let listener = TcpListener::from_std(listener)?;
            tokio::spawn(async move {
                match listener.accept().await {
                    Ok((connection, _)) => read_all(connection, pieces).await,
                    Err(error) => _ = pieces.send(Err(error)).await,
                }
            })
        }
        Place::Unix(path) => {
            let listener = UnixListener::bind(fresh(path)?)?;
            tokio::spawn(async move {
                match listener.accept().await {
                    Ok((connection, _)) => read_all(connection, pieces).await,
                    Err(error) => _ = pieces.send(Err(error)).await,
                }
            })
        }
        Place::File(path) => {
            let file = File::from_std(std::fs::File::open(path)?);
            tokio::spawn(read_all(file, pieces))
        }
        Place::Standard => {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "a node's standard input is its console"));
        }
    };
    Ok((read, task))
}

/// Likewise, for the command that starts a run: standard input is its own.
///
/// # Errors
/// When it cannot be opened.
pub(super) fn open_any(place: &Place) -> io::Result<(Pieces, JoinHandle<()>)> {
    if *place != Place::Standard {
        return open(place);
    }
    let (pieces, read) = channel(PIECES_MAX);
    Ok((read, tokio::spawn(read_all(tokio::io::stdin(), pieces))))
}

/// Returns the path of a socket that is to be made: one that an earlier run has left is in the way.
fn fresh(path: &Path) -> io::Result<&Path> {
    use std::os::unix::fs::FileTypeExt;
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => std::fs::remove_file(path).map(|()| path),
        Ok(_) => Err(io::Error::new(io::ErrorKind::AlreadyExists, "something other than a socket is there")),
        Err(_) => Ok(path),
    }
}

async fn read_all(mut from: impl AsyncRead + Unpin, pieces: Sender<io::Result<Bytes>>) {
    loop {
        let mut buffer = BytesMut::with_capacity(PIECE_BYTES);
        let got = match from.read_buf(&mut buffer).await {
            Ok(0) => return,
            // Short pieces may wait in numbers: each keeps what it needs.
            Ok(got) if got < PIECE_BYTES / 4 => Ok(Bytes::copy_from_slice(&buffer)),
            Ok(_) => Ok(buffer.freeze()),
            Err(error) => Err(error),
        };
        let has_failed = got.is_err();
        if pieces.send(got).await.is_err() || has_failed {
            return;
        }
    }
}
