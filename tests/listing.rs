//! Tests of `bellini listing`: real processes on loopback, asked as `docs/listing.md` says.

use crate::harness::{BELLINI, Scratch, sources};
use bellini_live::listing::{ListingClient, exchange};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread;

/// A server that goes with the test.
struct Listing {
    child: Child,
    at: SocketAddr,
}

impl Listing {
    fn start(store: &Path) -> Self {
        let mut command = Command::new(BELLINI);
        command.args(["listing", "--listen", "127.0.0.1:0", "--store"]).arg(store);
        Self::of(command)
    }

    fn of(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let at = line.trim().strip_prefix("listening on http://").expect("it says where").parse().unwrap();
        Self { child, at }
    }

    #[track_caller]
    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        ListingClient::new(self.at).ask(method, path, Some(body)).expect("it is done")
    }

    /// Ends it by SIGTERM; it must end well.
    fn end(mut self) {
        let told = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(told.success());
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Listing {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Splits a line of `curl`, as the page writes them: method, path, body.
fn curl(line: &str) -> (String, String, String) {
    let (mut method, mut path, mut body) = ("GET".to_owned(), None, String::new());
    let mut words = words(line.strip_prefix("curl ").expect("a line of curl")).into_iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "-X" => method = words.next().expect("a method"),
            "-d" => body = words.next().expect("a body"),
            url => {
                path = Some(url.strip_prefix("http://127.0.0.1:7400").expect("the page's server").to_owned())
            }
        }
    }
    (method, path.expect("a URL"), body)
}

/// Words of a line for a shell: parted by spaces, single quotes hold them together.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (place, piece) in line.split('\'').enumerate() {
        if place % 2 == 1 {
            words.push(piece.to_owned());
        } else {
            words.extend(piece.split_whitespace().map(str::to_owned));
        }
    }
    words
}

/// Aim: every example of the page gives exactly the answer that the page shows.
#[test]
fn examples_of_the_page_are_true() {
    let page = fs::read_to_string(sources().join("docs/listing.md")).unwrap();
    let scratch = Scratch::new();
    let server = Listing::start(&scratch.join("listing.redb"));
    let mut lines = page.lines();
    let mut done = 0;
    while let Some(line) = lines.next() {
        if !line.starts_with("curl ") {
            continue;
        }
        let shown = lines.next().and_then(|line| line.strip_prefix("# ")).expect("the answer follows");
        let (method, path, body) = curl(line);
        let (_, answer) = exchange(server.at, &method, &path, body.as_bytes()).unwrap();
        let (shown, answer): (Value, Value) =
            (serde_json::from_str(shown).unwrap(), serde_json::from_slice(&answer).unwrap());
        assert_eq!(answer, shown, "{line}");
        done += 1;
    }
    assert!(done >= 12, "{done} examples");
    let help = exchange(server.at, "GET", "/", b"").unwrap();
    assert!(help.0 == 200 && help.1.starts_with(b"Bellini conference listing server"));
    server.end();
}

/// Aim: killed with -9 in the middle of writes, the server comes back with everything that it had acknowledged, and
/// gives no id a second time.
#[test]
fn what_was_acknowledged_outlives_a_kill() {
    let scratch = Scratch::new();
    let store = scratch.join("listing.redb");
    let mut acknowledged: Vec<u64> = Vec::new();
    for round in 0..3 {
        let mut server = Listing::start(&store);
        let at = server.at;
        let created = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for writer in 0..3 {
                let created = &created;
                scope.spawn(move || {
                    let name = json!({ "name": format!("{round}-{writer}") });
                    while let Ok(answer) = ListingClient::new(at).ask("POST", "/conferences", Some(&name)) {
                        created.lock().unwrap().push(answer["conference"].as_u64().unwrap());
                    }
                });
            }
            // The kill falls while writers write: after so many answers, however long they took.
            while created.lock().unwrap().len() < 20 + 7 * round {
                thread::yield_now();
            }
            server.child.kill().unwrap();
            server.child.wait().unwrap();
        });
        let created = created.into_inner().unwrap();
        let highest = acknowledged.iter().max().copied().unwrap_or(0);
        assert!(created.iter().all(|id| *id > highest), "an id of an earlier round was given again");
        acknowledged.extend(created);
    }
    let server = Listing::start(&store);
    let list = server.ask("GET", "/conferences", &Value::Null);
    let listed: Vec<u64> =
        list["conferences"].as_array().unwrap().iter().map(|c| c["conference"].as_u64().unwrap()).collect();
    acknowledged.sort_unstable();
    assert!(acknowledged.windows(2).all(|pair| pair[0] < pair[1]), "an id was given twice");
    assert!(acknowledged.iter().all(|id| listed.contains(id)), "something acknowledged is lost");
    let next = server.ask("POST", "/conferences", &json!({}))["conference"].as_u64().unwrap();
    assert!(next > *listed.last().unwrap());
    server.end();
}

/// Aim: each wrong request gets its status and a sentence as JSON, and the server goes on.
#[test]
fn wrong_requests_are_told_what_is_wrong() {
    let scratch = Scratch::new();
    let server = Listing::start(&scratch.join("listing.redb"));
    let long = vec![b' '; 65 * 1_024];
    for (method, path, body, status, piece) in [
        ("GET", "/nothing", &b""[..], 404, "GET / lists"),
        ("PATCH", "/conferences", b"", 405, "GET, POST"),
        ("POST", "/conferences", b"{", 400, "the body"),
        ("POST", "/conferences", b"{\"nam\": \"x\"}", 400, "unknown field"),
        ("POST", "/conferences", &long, 413, "at most 65536 bytes"),
        ("GET", "/conferences/x", b"", 400, "no number that fits"),
        ("GET", "/conferences/9", b"", 404, "no conference 9"),
        ("GET", "/conferences?since=1", b"", 400, "watch"),
        ("POST", "/conferences/1/members", b"{\"node\": 0}", 400, "a node id is 1 to"),
    ] {
        let (found, answer) = exchange(server.at, method, path, body).unwrap();
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        let error = answer["error"].as_str().unwrap_or_default();
        assert!(found == status && error.contains(piece), "{method} {path}: {found} {answer}");
    }
    let mut page = TcpStream::connect(server.at).unwrap();
    let head = format!(
        "GET /conferences HTTP/1.1\r\nhost: {}\r\norigin: http://x.example\r\nconnection: close",
        server.at
    );
    page.write_all(format!("{head}\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    page.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("web pages of other hosts"), "{answer}");
    // Bytes that are no HTTP end their connection, and nothing else.
    let mut stranger = TcpStream::connect(server.at).unwrap();
    stranger.write_all(&[0xFF; 64]).unwrap();
    let _ = stranger.read_to_end(&mut Vec::new());
    assert_eq!(server.ask("GET", "/conferences", &Value::Null)["revision"], 0);
    server.end();
}

/// Aim: a server whose store fails ends at once, with the exit code of its surroundings, however long a client holds its
/// connection; and what it had acknowledged is there.
#[test]
fn a_failed_store_ends_the_server() {
    let scratch = Scratch::new();
    let store = scratch.join("listing.redb");
    Listing::start(&store).end();
    // The file may not grow by more than 64 KiB.
    let blocks = fs::metadata(&store).unwrap().len().div_ceil(512) + 128;
    let mut command = Command::new("sh");
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
    command.args(["-c", &script, BELLINI, "listing", "--listen", "127.0.0.1:0", "--store"]).arg(&store);
    let mut server = Listing::of(command);
    let mut socket = TcpStream::connect(server.at).unwrap();
    let body = format!("{{\"name\": \"{}\"}}", "x".repeat(120));
    let request = format!(
        "POST /conferences HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\n\r\n{body}",
        server.at,
        body.len()
    );
    let (mut created, mut failed) = (0, 0);
    let mut answer = [0; 1_024];
    while socket.write_all(request.as_bytes()).is_ok() {
        match socket.read(&mut answer) {
            Ok(length) if answer[..length].starts_with(b"HTTP/1.1 201") => created += 1,
            Ok(length) if length > 0 => failed += 1,
            _ => break,
        }
        assert!(created < 4_096 && failed < 1_000, "{created} created, {failed} refused, and it goes on");
    }
    assert_eq!(server.child.wait().unwrap().code(), Some(6));
    let again = Listing::start(&store);
    let listed = again.ask("GET", "/conferences", &Value::Null)["conferences"].as_array().unwrap().len();
    assert!((created..=created + 1).contains(&listed), "{created} acknowledged, {listed} listed");
    again.end();
}

/// Aim: a watcher that waits is woken by the next change, and gets it.
#[test]
fn watchers_wait_for_a_change() {
    let scratch = Scratch::new();
    let server = Listing::start(&scratch.join("listing.redb"));
    let at = server.at;
    let watcher =
        thread::spawn(move || ListingClient::new(at).ask("GET", "/conferences?watch=0", None).unwrap());
    server.ask("POST", "/conferences", &json!({ "name": "talk" }));
    let seen = watcher.join().unwrap();
    assert_eq!(seen["changes"][0]["conference-created"], json!({ "conference": 1, "name": "talk" }));
    server.end();
}

/// Aim: a file that is no store, or that another server has open, is refused before anything listens.
#[test]
fn stores_that_cannot_be_used_are_refused() {
    let scratch = Scratch::new();
    scratch.write("text", "this is no store, and has never been one\n".repeat(200));
    let refuse = |store: &str| {
        let done = scratch.run(&["listing", "--listen", "127.0.0.1:0", "--store", store]);
        done.expect(6).says(&[store, "help:"]);
    };
    refuse("text");
    let server = Listing::start(&scratch.join("listing.redb"));
    refuse("listing.redb");
    server.end();
}
