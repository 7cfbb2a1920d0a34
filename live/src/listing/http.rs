//! HTTP/1.1 around the keeper. Whoever connects costs a bounded amount of memory and time.

use super::keeper::{Keeper, KeeperGone, KeeperHandle};
use super::patient::Patient;
use super::routes::{Asked, HELP, Refusal, check_origin, read, write};
use super::store::{Store, StoreError};
use bellini_core::listing::{Listing, ListingRequest};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue, ORIGIN};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Connections at one time; more wait to be taken.
pub const CONNECTIONS_MAX: usize = 512;
/// Bytes of a request's body.
pub const BODY_BYTES_MAX: usize = 64 * 1_024;
/// How long a watcher waits for a change.
pub const WATCH_MAX: Duration = Duration::from_secs(25);
/// How long a request's head may take, and how long a connection may lie idle.
const HEAD_MAX: Duration = Duration::from_secs(30);
/// How long a request's body may take.
const BODY_MAX: Duration = Duration::from_secs(10);
/// How long a write may stand still because the other side does not read.
const WRITE_MAX: Duration = Duration::from_secs(30);
/// How long one connection may last, whatever it does; a client connects again.
const CONNECTION_MAX: Duration = Duration::from_secs(3_600);
/// How long connections may go on while the server ends.
const FAREWELL_MAX: Duration = Duration::from_secs(2);
/// Bytes that a request's head may have.
const HEAD_BYTES_MAX: usize = 16 * 1_024;

/// A listing server whose socket is open.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    keeper: Keeper,
    handle: KeeperHandle,
}

impl Server {
    /// Opens the socket and starts the keeper. Needs a runtime with time and sockets.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn bind(listen: SocketAddr, store: Store, listing: Listing) -> io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let (keeper, handle) = Keeper::start(store, listing)?;
        Ok(Self { listener, keeper, handle })
    }

    /// Returns where it listens.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop` is ready, then lets what is being answered be answered.
    ///
    /// # Errors
    /// When the store fails: what is in memory and on disk may differ then, and nothing more is answered.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<(), StoreError> {
        let Self { listener, keeper, handle } = self;
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let (farewell, ending) = watch::channel(false);
        let mut connections = JoinSet::new();
        // It ends before it is told only when its store fails.
        let failed = handle.ended();
        tokio::pin!(stop, failed);
        loop {
            tokio::select! {
                () = &mut stop => break,
                () = &mut failed => break,
                Some(_) = connections.join_next() => (),
                (socket, place) = accept(&listener, &places) => {
                    let (handle, ending) = (handle.clone(), ending.clone());
                    connections.spawn(async move {
                        let answers = service_fn(|request| answer(request, &handle, &ending));
                        let mut protocol = http1::Builder::new();
                        protocol.timer(TokioTimer::new()).header_read_timeout(HEAD_MAX).max_buf_size(HEAD_BYTES_MAX);
                        let socket = Patient::new(socket, WRITE_MAX);
                        let connection = protocol.serve_connection(TokioIo::new(socket), answers);
                        tokio::pin!(connection);
                        let mut end = ending.clone();
                        tokio::select! {
                            _ = timeout(CONNECTION_MAX, connection.as_mut()) => (),
                            () = ends(&mut end) => {
                                connection.as_mut().graceful_shutdown();
                                let _ = timeout(FAREWELL_MAX, connection).await;
                            }
                        }
                        drop(place);
                    });
                }
            }
        }
        drop(listener);
        farewell.send_replace(true);
        let _ = timeout(FAREWELL_MAX, async { while connections.join_next().await.is_some() {} }).await;
        connections.shutdown().await;
        drop(handle);
        keeper.join()
    }
}

/// Waits until the server ends.
async fn ends(ending: &mut watch::Receiver<bool>) {
    // A server that is gone without a word has ended, too.
    let _ = ending.wait_for(|ends| *ends).await;
}

/// Takes the next connection once there is a place for it.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (tokio::net::TcpStream, Option<tokio::sync::OwnedSemaphorePermit>) {
    // The semaphore is never closed.
    let place = Arc::clone(places).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((socket, _)) => return (socket, place),
            // Out of descriptors, or whoever called has hung up.
            Err(_) => sleep(Duration::from_millis(20)).await,
        }
    }
}

async fn answer(
    request: Request<Incoming>,
    keeper: &KeeperHandle,
    ending: &watch::Receiver<bool>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(match serve(request, keeper, ending).await {
        Ok(None) => respond(200, "text/plain; charset=utf-8", HELP.into()),
        Ok(Some((status, value))) => json_response(status, &value),
        Err(Refusal { status, error }) => json_response(status, &json!({ "error": error })),
    })
}

/// Answers one request; `None`: with the help.
async fn serve(
    request: Request<Incoming>,
    keeper: &KeeperHandle,
    ending: &watch::Receiver<bool>,
) -> Result<Option<(u16, Value)>, Refusal> {
    let (head, body) = request.into_parts();
    let header = |name: HeaderName| head.headers.get(name).map(HeaderValue::as_bytes);
    check_origin(header(ORIGIN), header(HOST))?;
    let body = timeout(BODY_MAX, Limited::new(body, BODY_BYTES_MAX).collect()).await;
    let body =
        body.map_err(|_| Refusal::new(408, format!("the body took more than {} s", BODY_MAX.as_secs())))?;
    let body = body.map_err(|error| {
        if error.is::<http_body_util::LengthLimitError>() {
            Refusal::new(413, format!("a body has at most {BODY_BYTES_MAX} bytes"))
        } else {
            Refusal::new(400, format!("the body cannot be read: {error}"))
        }
    })?;
    let uri = head.uri;
    let asked = match read(head.method.as_str(), uri.path(), uri.query(), &body.to_bytes())? {
        Asked::Help => return Ok(None),
        Asked::Listing(request) => request,
        Asked::Watch(since) => {
            let mut end = ending.clone();
            tokio::select! {
                changed = keeper.changed(since) => changed.map_err(gone)?,
                () = sleep(WATCH_MAX) => (),
                () = ends(&mut end) => (),
            }
            ListingRequest::Changes { since }
        }
    };
    Ok(Some(write(keeper.ask(asked).await.map_err(gone)?)))
}

fn gone(error: KeeperGone) -> Refusal {
    Refusal::new(503, error.to_string())
}

fn json_response(status: u16, value: &Value) -> Response<Full<Bytes>> {
    respond(status, "application/json", format!("{value}\n").into())
}

fn respond(status: u16, kind: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
