//! The node's side of its console: reads orders, says answers, and never makes the node wait.
//!
//! Each client has a thread that reads and one that writes, so that neither parsing nor a client that does not read
//! takes time from the data path. There are at most [`CLIENTS_MAX`] clients: the number of threads does not depend on
//! what the node carries.

use super::outbox::Outbox;
use super::{Answer, Order};
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use tokio::net::UnixListener;
use tokio::sync::mpsc;

/// Clients of one console at a time; further ones are told so and sent away.
pub const CLIENTS_MAX: usize = 8;
/// Longest line that a client may send, in bytes.
pub const LINE_BYTES_MAX: u64 = 16 << 20;
/// Orders that wait for the node; a client that sends more waits.
const ORDERS_MAX: usize = 256;
/// From a failed `accept` to the next one.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
/// How long the last lines may take when the node ends.
const GOODBYE: Duration = Duration::from_secs(1);

/// Where a node's console is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ConsolePlace {
    /// Nowhere: the node is told nothing but what its settings say.
    #[default]
    None,
    /// Its standard input and output. The end of its input ends the node.
    Stdio,
    /// A Unix socket at this path, which only the same user may open. Clients come and go.
    Socket(PathBuf),
}

/// Names a client for as long as the node runs.
pub(crate) type ClientId = u64;

/// Something that came in over the console.
#[derive(Debug)]
pub(crate) struct Call {
    /// Who said it.
    pub(crate) client: ClientId,
    /// What was said.
    pub(crate) heard: Heard,
}

/// What a client did.
#[derive(Debug)]
pub(crate) enum Heard {
    /// Gave an order.
    Order(Box<Order>),
    /// Said something that is no order: why, for people.
    Unreadable(String),
    /// Went away; `is_conductor`: and with it whoever started the node.
    Gone {
        /// Whether it was the standard input that ended.
        is_conductor: bool,
    },
}

/// The console of a running node.
#[derive(Debug)]
pub struct Console {
    calls: mpsc::Receiver<Call>,
    caller: mpsc::Sender<Call>,
    listener: Option<(UnixListener, PathBuf)>,
    clients: Vec<Client>,
    next_id: ClientId,
    /// The first line for each client.
    greeting: Option<Arc<Answer>>,
    /// Events and warnings that were dropped for clients which are gone.
    dropped_before: (u64, u64),
}

#[derive(Debug)]
struct Client {
    id: ClientId,
    outbox: Arc<Outbox>,
    /// Whether a thread writes its lines; inside a process the conductor takes them.
    has_writer: bool,
    /// Ends its threads, where it is a socket.
    socket: Option<UnixStream>,
}

/// The other side of a console inside the same process: for tests, and for programs that hold a node themselves.
#[derive(Debug)]
pub struct Conductor {
    caller: mpsc::Sender<Call>,
    outbox: Arc<Outbox>,
}

impl Console {
    /// Opens the console at `place`. Needs a runtime.
    ///
    /// # Errors
    /// When the socket cannot be bound, for instance because another node listens there.
    pub fn open(place: &ConsolePlace) -> io::Result<Self> {
        let mut console = Self::empty();
        match place {
            ConsolePlace::None => {}
            ConsolePlace::Stdio => console.attach(io::stdin(), io::stdout(), None)?,
            ConsolePlace::Socket(path) => console.listener = Some((listen(path)?, path.clone())),
        }
        Ok(console)
    }

    /// Returns a console and its other side, without any socket.
    #[must_use]
    pub fn channel() -> (Self, Conductor) {
        let mut console = Self::empty();
        let outbox = Arc::new(Outbox::default());
        console.clients.push(Client { id: 0, outbox: Arc::clone(&outbox), has_writer: false, socket: None });
        console.next_id = 1;
        let caller = console.caller.clone();
        (console, Conductor { caller, outbox })
    }

    fn empty() -> Self {
        let (caller, calls) = mpsc::channel(ORDERS_MAX);
        Self {
            calls,
            caller,
            listener: None,
            clients: Vec::new(),
            next_id: 0,
            greeting: None,
            dropped_before: (0, 0),
        }
    }

    /// Says `answer` to everyone who is there, and to everyone who comes later, first of all.
    pub(crate) fn greet(&mut self, answer: Answer) {
        let answer = Arc::new(answer);
        self.greeting = Some(Arc::clone(&answer));
        self.clients.iter().for_each(|client| client.outbox.push(Arc::clone(&answer)));
    }

    /// Whether somebody listens.
    pub(crate) fn has_clients(&self) -> bool {
        !self.clients.is_empty()
    }

    /// Says `answer` to everyone.
    pub(crate) fn say(&self, answer: Answer) {
        if self.clients.is_empty() {
            return;
        }
        let answer = Arc::new(answer);
        self.clients.iter().for_each(|client| client.outbox.push(Arc::clone(&answer)));
    }

    /// Says `answer` to one client, if it is still there.
    pub(crate) fn answer(&self, client: ClientId, answer: Answer) {
        if let Some(client) = self.clients.iter().find(|known| known.id == client) {
            client.outbox.push(Arc::new(answer));
        }
    }

    /// Returns the events that clients did not get because they read too slowly.
    pub(crate) fn dropped_events(&self) -> u64 {
        self.dropped_before.0 + self.clients.iter().map(|client| client.outbox.dropped_events()).sum::<u64>()
    }

    /// Returns the warnings that clients did not get because they read too slowly.
    pub(crate) fn dropped_warnings(&self) -> u64 {
        self.dropped_before.1
            + self.clients.iter().map(|client| client.outbox.dropped_warnings()).sum::<u64>()
    }

    /// Waits for the next call. New clients are let in meanwhile.
    pub(crate) async fn next(&mut self) -> Call {
        loop {
            let accepted = match &self.listener {
                None => tokio::select! {
                    biased;
                    call = self.calls.recv() => return self.heard(call),
                },
                Some((listener, _)) => tokio::select! {
                    biased;
                    call = self.calls.recv() => return self.heard(call),
                    accepted = listener.accept() => accepted,
                },
            };
            match accepted {
                // A client that was gone before it was let in needs nothing.
                Ok((socket, _)) => {
                    if let Ok(socket) = socket.into_std() {
                        let _ = self.admit(socket);
                    }
                }
                // No descriptors left, most likely: to try again at once would take the processor from the data path.
                Err(_) => tokio::select! {
                    biased;
                    call = self.calls.recv() => return self.heard(call),
                    () = tokio::time::sleep(ACCEPT_AGAIN) => {}
                },
            }
        }
    }

    /// Returns the next call, if one waits.
    pub(crate) fn try_next(&mut self) -> Option<Call> {
        let call = self.calls.try_recv().ok()?;
        Some(self.heard(Some(call)))
    }

    fn heard(&mut self, call: Option<Call>) -> Call {
        let call = call.expect("the console itself holds a sender");
        if matches!(call.heard, Heard::Gone { .. }) {
            self.forget(call.client);
        }
        call
    }

    fn forget(&mut self, id: ClientId) {
        let Some(at) = self.clients.iter().position(|client| client.id == id) else { return };
        let client = self.clients.swap_remove(at);
        self.dropped_before.0 += client.outbox.dropped_events();
        self.dropped_before.1 += client.outbox.dropped_warnings();
        client.outbox.close();
        if let Some(socket) = client.socket {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    fn admit(&mut self, mut socket: UnixStream) -> io::Result<()> {
        socket.set_nonblocking(false)?;
        if self.clients.len() >= CLIENTS_MAX {
            let line = Answer::Warning(format!("this console has {CLIENTS_MAX} clients already"));
            return write_line(&mut socket, &line);
        }
        let (reader, writer) = (socket.try_clone()?, socket.try_clone()?);
        self.attach(reader, writer, Some(socket))
    }

    fn attach(
        &mut self,
        reader: impl Read + Send + 'static,
        writer: impl Write + Send + 'static,
        socket: Option<UnixStream>,
    ) -> io::Result<()> {
        let (id, outbox, caller) = (self.next_id, Arc::new(Outbox::default()), self.caller.clone());
        self.next_id += 1;
        let is_conductor = socket.is_none();
        if let Some(greeting) = &self.greeting {
            outbox.push(Arc::clone(greeting));
        }
        let lines = Arc::clone(&outbox);
        let on_failure = self.caller.clone();
        thread::Builder::new().name("console-out".into()).spawn(move || {
            if write_lines(writer, &lines).is_err() {
                let heard = Heard::Gone { is_conductor };
                let _ = on_failure.blocking_send(Call { client: id, heard });
            }
            lines.set_done();
        })?;
        let lines = Arc::clone(&outbox);
        thread::Builder::new().name("console-in".into()).spawn(move || {
            read_orders(reader, id, &lines, &caller);
            let _ = caller.blocking_send(Call { client: id, heard: Heard::Gone { is_conductor } });
        })?;
        self.clients.push(Client { id, outbox, has_writer: true, socket });
        Ok(())
    }

    /// Says the last line to everyone and sees it written, for at most a second.
    pub(crate) fn close(mut self) {
        self.say(Answer::Bye);
        self.calls.close();
        self.clients.iter().for_each(|client| client.outbox.close());
        for client in self.clients.drain(..) {
            if client.has_writer {
                client.outbox.wait_done(GOODBYE);
            }
            if let Some(socket) = &client.socket {
                let _ = socket.shutdown(Shutdown::Both);
            }
        }
        if let Some((_, path)) = self.listener.take() {
            let _ = fs::remove_file(path);
        }
    }
}

impl Conductor {
    /// Gives the node an order. Waits while too many wait already; false: the node has ended.
    pub fn order(&self, order: Order) -> bool {
        let heard = Heard::Order(Box::new(order));
        self.caller.blocking_send(Call { client: 0, heard }).is_ok()
    }

    /// Waits for what the node says, and returns all that has come; `None` once it has ended and said everything.
    #[must_use]
    pub fn answers(&self) -> Option<Vec<Arc<Answer>>> {
        self.outbox.take().map(Vec::from)
    }
}

/// Binds the console's socket, which only the same user may use. What an ended node left there is removed.
fn listen(path: &Path) -> io::Result<UnixListener> {
    let is_left_over = fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket())
        && UnixStream::connect(path).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
    if is_left_over {
        fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

fn write_line(out: &mut impl Write, answer: &Answer) -> io::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    out.write_all(&line)
}

fn write_lines(out: impl Write, outbox: &Outbox) -> io::Result<()> {
    let mut out = io::BufWriter::with_capacity(1 << 16, out);
    while let Some(lines) = outbox.take() {
        for answer in lines {
            write_line(&mut out, &answer)?;
        }
        out.flush()?;
    }
    Ok(())
}

fn read_orders(reader: impl Read, client: ClientId, outbox: &Outbox, caller: &mpsc::Sender<Call>) {
    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    while outbox.wait_for_room() {
        line.clear();
        let read = reader.by_ref().take(LINE_BYTES_MAX + 1).read_until(b'\n', &mut line);
        if !read.is_ok_and(|bytes| bytes > 0) {
            return;
        }
        let is_too_long = line.len() as u64 > LINE_BYTES_MAX;
        let text = line.trim_ascii();
        if text.is_empty() {
            continue;
        }
        let heard = if is_too_long {
            Heard::Unreadable(format!("a line of more than {LINE_BYTES_MAX} bytes"))
        } else {
            match serde_json::from_slice(text) {
                Ok(order) => Heard::Order(Box::new(order)),
                Err(error) => Heard::Unreadable(format!("not an order: {error}")),
            }
        };
        // Where a line that is too long ends is unknown: what follows cannot be understood.
        if caller.blocking_send(Call { client, heard }).is_err() || is_too_long {
            return;
        }
    }
}
