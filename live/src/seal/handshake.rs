//! The handshake: TLS 1.3 over a connection to the peer's stream port, with both ends proving who they are.
//!
//! Inside TLS three messages follow, so that both ends know that the other one has the keys before they are used:
//!
//! 1. The dialler says who it is, as on a plain stream, and whether frames will follow or only keys are wanted.
//! 2. The acceptor takes the keys for receiving and says who it is.
//! 3. The dialler takes the keys for both directions and says so with one byte; the acceptor then sends under them.

use super::aead::Secret;
use super::identity::{Identity, fault_of, hash_of};
use super::trust::{KeyHash, Refusal};
use crate::net::{TcpOptions, TcpPipe};
use bellini_core::ids::NodeId;
use bellini_core::wire::preface::{PREFACE_BYTES, PREFACE_FLAGS_AT, PREFACE_KEYS_ONLY, Preface};
use rustls::pki_types::ServerName;
use rustls::{CommonState, Connection};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// How long a handshake may take from the first byte to the last.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// What the dialler says when it has the keys.
const AGREED: u8 = b'K';
/// Bytes and time spent on hearing a refused peer out, so that it still gets to read why.
const LAST_WORDS_BYTES: u64 = 16 * 1_024;
const LAST_WORDS: Duration = Duration::from_millis(200);
const EXPORTER: &[u8] = b"EXPORTER-bellini-hop";

/// Why there was no handshake.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeFault {
    /// The other end's key is not taken.
    #[error("{0}")]
    Refused(Refusal),
    /// The other end does not take ours, and why, if it says.
    #[error("it does not take our key{}", .0.map(|why| format!(" ({why})")).unwrap_or_default())]
    RefusedUs(Option<Refusal>),
    /// It does not speak TLS, or not as a node does.
    #[error("it does not seal its hops")]
    Unsealed,
    /// It names a node that it is not, or that is not known to be there.
    #[error("it is no peer, or not the one that should be there")]
    NotPeer,
    /// Too slow.
    #[error("no answer for {} s", HANDSHAKE_TIMEOUT.as_secs())]
    Slow,
    /// The network or the other host says no.
    #[error("{0}")]
    Network(io::Error),
}

/// Keys that a handshake yields, offered to the node before the other end hears that they will be taken.
pub(crate) struct Offer {
    /// Who is at the other end, by its key.
    pub(crate) preface: Preface,
    pub(crate) from: SocketAddr,
    pub(crate) is_dialler: bool,
    /// The key that the other end has shown.
    pub(crate) shown: KeyHash,
    /// Which keys these are, on the wire.
    pub(crate) keys: u16,
    pub(crate) secret: Secret,
    /// Answered once the keys are taken; dropped when the other end is not wanted.
    pub(crate) taken: oneshot::Sender<()>,
}

impl std::fmt::Debug for Offer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Offer({:?}, keys {:04x})", self.preface, self.keys)
    }
}

/// What a handshake made.
#[derive(Debug)]
pub(crate) struct Agreed {
    /// Who is at the other end.
    pub(crate) preface: Preface,
    /// Which keys both ends have now.
    pub(crate) keys: u16,
    /// The key that the other end has shown.
    pub(crate) shown: KeyHash,
    /// The connection, where frames are to follow.
    pub(crate) pipe: Option<TcpPipe>,
}

/// Where and as whom a node dials.
#[derive(Clone, Debug)]
pub(crate) struct Dial {
    pub(crate) to: SocketAddr,
    pub(crate) from: IpAddr,
    pub(crate) peer: NodeId,
    pub(crate) own: Preface,
    /// Whether frames are to follow.
    pub(crate) for_frames: bool,
}

/// Dials a peer and agrees on keys with it.
pub(crate) async fn dial(
    dial: &Dial,
    identity: &Identity,
    options: &TcpOptions,
    offer: impl FnOnce(Offer),
) -> Result<Agreed, HandshakeFault> {
    in_time(async {
        let stream =
            crate::net::dial::open(dial.to, Some(dial.from)).await.map_err(HandshakeFault::Network)?;
        let config = identity.dialling(dial.peer).map_err(|error| fault_of(&error))?;
        let name = ServerName::try_from("bellini").map_err(|_| HandshakeFault::Unsealed)?;
        let mut tls = TlsConnector::from(config).connect(name, stream).await.map_err(of_io)?;
        let mut hello = dial.own.emit();
        hello[PREFACE_FLAGS_AT] = if dial.for_frames { 0 } else { PREFACE_KEYS_ONLY };
        say(&mut tls, &hello).await?;
        let (preface, _) = hear(&mut tls).await?;
        if preface.node != dial.peer {
            return Err(HandshakeFault::NotPeer);
        }
        let made = made_of(tls.get_ref().1, |out| {
            tls.get_ref().1.export_keying_material(out, EXPORTER, None).map(|_| ())
        })?;
        let (keys, shown) = (made.keys, made.shown);
        put(offer, made, preface, dial.to, true).await?;
        say(&mut tls, &[AGREED]).await?;
        if !dial.for_frames {
            // What was said is on its way; the acceptor hangs up.
            let _ = tls.shutdown().await;
            return Ok(Agreed { preface, keys, shown, pipe: None });
        }
        let (stream, connection) = tls.into_inner();
        let pipe = sealed(stream, Connection::from(connection), options)?;
        Ok(Agreed { preface, keys, shown, pipe: Some(pipe) })
    })
    .await
}

/// Agrees on keys with whoever connected.
pub(crate) async fn accept(
    stream: TcpStream,
    own: Preface,
    identity: &Identity,
    options: &TcpOptions,
    offer: impl FnOnce(Offer),
) -> Result<Agreed, HandshakeFault> {
    in_time(async {
        let from = stream.peer_addr().map_err(HandshakeFault::Network)?;
        let accepting = TlsAcceptor::from(identity.accepting()).accept(stream).into_fallible();
        let mut tls = match accepting.await {
            Ok(tls) => tls,
            Err((error, stream)) => {
                hear_out(stream).await;
                return Err(of_io(error));
            }
        };
        let (preface, flags) = hear(&mut tls).await?;
        let made = made_of(tls.get_ref().1, |out| {
            tls.get_ref().1.export_keying_material(out, EXPORTER, None).map(|_| ())
        })?;
        // Any trusted node got so far: the key says which one it is.
        identity.judge(preface.node, made.shown).map_err(HandshakeFault::Refused)?;
        let (keys, shown) = (made.keys, made.shown);
        put(offer, made, preface, from, false).await?;
        say(&mut tls, &own.emit()).await?;
        let mut agreed = [0];
        tls.read_exact(&mut agreed).await.map_err(of_io)?;
        if agreed != [AGREED] {
            return Err(HandshakeFault::Unsealed);
        }
        if flags & PREFACE_KEYS_ONLY != 0 {
            return Ok(Agreed { preface, keys, shown, pipe: None });
        }
        let (stream, connection) = tls.into_inner();
        let pipe = sealed(stream, Connection::from(connection), options)?;
        Ok(Agreed { preface, keys, shown, pipe: Some(pipe) })
    })
    .await
}

async fn in_time<T>(work: impl Future<Output = Result<T, HandshakeFault>>) -> Result<T, HandshakeFault> {
    tokio::time::timeout(HANDSHAKE_TIMEOUT, work).await.unwrap_or(Err(HandshakeFault::Slow))
}

struct Made {
    shown: KeyHash,
    keys: u16,
    secret: Secret,
}

/// Makes keys of a finished handshake.
fn made_of(
    state: &CommonState,
    export: impl FnOnce(&mut [u8]) -> Result<(), rustls::Error>,
) -> Result<Made, HandshakeFault> {
    let shown = state.peer_certificates().and_then(|chain| chain.first()).ok_or(HandshakeFault::Unsealed)?;
    let shown = hash_of(shown).map_err(|error| fault_of(&error))?;
    let mut bytes = [0; 32];
    export(&mut bytes).map_err(|error| fault_of(&error))?;
    let (secret, mut keys) = (Secret::new(bytes), [0; 2]);
    secret.derive(&[b"bellini name"], &mut keys);
    Ok(Made { shown, keys: u16::from_be_bytes(keys), secret })
}

/// Offers keys to the node, and waits until it has taken them.
async fn put(
    offer: impl FnOnce(Offer),
    made: Made,
    preface: Preface,
    from: SocketAddr,
    is_dialler: bool,
) -> Result<(), HandshakeFault> {
    let (taken, waiting) = oneshot::channel();
    let Made { shown, keys, secret } = made;
    offer(Offer { preface, from, is_dialler, shown, keys, secret, taken });
    waiting.await.map_err(|_| HandshakeFault::NotPeer)
}

async fn say(tls: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> Result<(), HandshakeFault> {
    tls.write_all(bytes).await.map_err(of_io)?;
    tls.flush().await.map_err(of_io)
}

async fn hear(tls: &mut (impl AsyncRead + Unpin)) -> Result<(Preface, u8), HandshakeFault> {
    let mut bytes = [0; PREFACE_BYTES];
    tls.read_exact(&mut bytes).await.map_err(of_io)?;
    let preface = Preface::parse(&bytes).map_err(|_| HandshakeFault::Unsealed)?;
    Ok((preface, bytes[PREFACE_FLAGS_AT]))
}

/// Reads and forgets what a refused peer still says: to hang up on unread bytes would take the alert from it.
async fn hear_out(mut stream: TcpStream) {
    let _ = stream.shutdown().await;
    let mut nowhere = tokio::io::sink();
    let mut rest = stream.take(LAST_WORDS_BYTES);
    let _ = tokio::time::timeout(LAST_WORDS, tokio::io::copy(&mut rest, &mut nowhere)).await;
}

fn sealed(
    stream: TcpStream,
    connection: Connection,
    options: &TcpOptions,
) -> Result<TcpPipe, HandshakeFault> {
    let stream = stream.into_std().map_err(HandshakeFault::Network)?;
    let pipe = TcpPipe::sealed(stream, connection, options);
    pipe.map_err(|error| HandshakeFault::Network(io::Error::other(error)))
}

fn of_io(error: io::Error) -> HandshakeFault {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(tls) => fault_of(tls),
        None => HandshakeFault::Network(error),
    }
}
