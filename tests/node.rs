//! Tests of `bellini node`: real processes, conducted as `docs/node.md` says.

use crate::harness::{BELLINI, Done, Scratch, sources};
use bellini_core::content::Content;
use bellini_core::ids::{Epoch, Incarnation, NodeId, SessionKey};
use bellini_core::io::{
    Command as CoreCommand, DrawMode, Event, HopKind, Install, MeasureWindow, PolicyReason, SessionSpec,
    SinkSpec,
};
use bellini_core::time::{Duration as Span, Instant};
use bellini_core::units::BitRate;
use bellini_live::console::{Addresses, Answer, NodeSettings, Order};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant as WallInstant};

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(10);

/// A node process with its console on pipes.
struct Process {
    child: Child,
    orders: Option<ChildStdin>,
    answers: Receiver<String>,
    addresses: Addresses,
}

impl Process {
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(BELLINI);
        command.args(["node", "--console", "stdio", "--die-with-parent"]).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (sender, answers) = channel();
        thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let first: String = answers.recv_timeout(PATIENCE).expect("it says that it is ready");
        let Answer::Ready { addresses, .. } = serde_json::from_str(&first).unwrap() else {
            panic!("{first}")
        };
        let orders = child.stdin.take();
        Self { child, orders, answers, addresses }
    }

    fn order(&mut self, order: &Order) {
        let line = serde_json::to_string(order).unwrap();
        writeln!(self.orders.as_mut().unwrap(), "{line}").unwrap();
    }

    #[track_caller]
    fn wait<T>(&self, mut pick: impl FnMut(Answer) -> Option<T>) -> T {
        loop {
            let line = self.answers.recv_timeout(PATIENCE).expect("an answer");
            let answer: Answer = serde_json::from_str(&line).unwrap();
            assert!(!matches!(answer, Answer::Refused { .. }), "{line}");
            if let Some(found) = pick(answer) {
                return found;
            }
        }
    }

    fn delivered(&mut self, key: SessionKey) -> u64 {
        self.order(&Order::Look { id: 1, full: false, finish: false });
        let figures = self.wait(|answer| match answer {
            Answer::Figures { figures, .. } => Some(figures),
            _ => None,
        });
        let sinks = figures.counts.iter().filter(|counts| counts.key == key).filter_map(|counts| counts.sink);
        sinks.map(|sink| sink.delivered_packets).sum()
    }

    fn threads(&self) -> usize {
        fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap().count()
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    #[track_caller]
    fn ends(mut self) -> ExitStatus {
        let end = WallInstant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(WallInstant::now() < end, "it does not end");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn id(id: u32) -> NodeId {
    NodeId::new(id).unwrap()
}

/// Starts two nodes that know each other.
fn pair() -> [Process; 2] {
    let mut nodes = ["1", "2"].map(|id| Process::start(&["--id", id]));
    let addresses = [nodes[0].addresses, nodes[1].addresses];
    nodes[0].order(&Order::Peers(BTreeMap::from([(id(2), addresses[1])])));
    nodes[1].order(&Order::Peers(BTreeMap::from([(id(1), addresses[0])])));
    nodes
}

/// Has node 1 send to node 2 for `millis`, a symbol of 1,000 bytes each 1 ms.
fn session(nodes: &mut [Process; 2], key: SessionKey, kind: HopKind, millis: u64) {
    nodes[0].order(&Order::Look { id: 9, full: false, finish: false });
    let now = nodes[0].wait(|answer| match answer {
        Answer::Figures { at, .. } => Some(at),
        _ => None,
    });
    let start: Instant = now + Span::from_millis(200);
    let stop = start + Span::from_millis(millis);
    let measure = MeasureWindow { from: start, to: stop };
    let content = Content::Constant { rate: BitRate::from_bps(8_000_000).unwrap(), phase: Span::ZERO };
    nodes[1].order(&Order::Command(Box::new(CoreCommand::JoinSession(Box::new(SinkSpec {
        key,
        source: id(1),
        content: content.clone(),
        symbol_bytes: 1_000,
        delivery: bellini_core::io::Delivery::BestEffort,
        coding: None,
        seal: None,
        start,
        stop,
        measure,
        deliver_events: false,
    })))));
    nodes[0].order(&Order::Command(Box::new(CoreCommand::StartSession(Box::new(SessionSpec {
        key,
        epoch: Epoch(0),
        destinations: vec![id(2)],
        content,
        symbol_bytes: 1_000,
        delivery: bellini_core::io::Delivery::BestEffort,
        coding: None,
        seal: None,
        hop_kind: kind,
        start,
        stop,
        measure,
        draw: DrawMode::Random,
        policy_period: None,
    })))));
    let flows = vec![("2d".parse().unwrap(), 1.0)];
    let install = Install { key, planner: Incarnation(1), version: 1, flows };
    nodes[0].order(&Order::Command(Box::new(CoreCommand::Install(install))));
}

/// Waits until so many symbols have arrived.
#[track_caller]
fn wait_delivered(node: &mut Process, key: SessionKey, symbols: u64) {
    let end = WallInstant::now() + PATIENCE;
    loop {
        let delivered = node.delivered(key);
        if delivered >= symbols {
            return;
        }
        assert!(WallInstant::now() < end, "{delivered} of {symbols}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Both kinds of hops carry a whole session between processes; SIGHUP asks for policies, SIGTERM ends politely.
#[test]
fn two_processes_exchange_sessions_and_heed_signals() {
    let mut nodes = pair();
    for (number, kind) in [(1, HopKind::Datagram), (2, HopKind::Stream)] {
        let key = SessionKey::new(1, number);
        session(&mut nodes, key, kind, 100);
        wait_delivered(&mut nodes[1], key, 100);
    }
    // One that is still going on when the signals come.
    let key = SessionKey::new(1, 3);
    session(&mut nodes, key, HopKind::Stream, 60_000);
    wait_delivered(&mut nodes[1], key, 10);
    nodes[0].signal("HUP");
    nodes[0].wait(|answer| match answer {
        Answer::Event {
            event: Event::PolicyWanted { key: asked, reason: PolicyReason::Reload, .. }, ..
        } => (asked == key).then_some(()),
        _ => None,
    });
    for node in nodes {
        node.signal("TERM");
        node.wait(|answer| matches!(answer, Answer::Bye).then_some(()));
        assert_eq!(node.ends().code(), Some(0));
    }
}

/// The end of its standard input is the end of a node: nobody is left who could stop it.
#[test]
fn a_node_whose_conductor_is_gone_ends() {
    let mut node = Process::start(&["--id", "1"]);
    node.orders = None;
    assert_eq!(node.ends().code(), Some(0));
}

/// The threads of a process do not depend on what it carries.
#[test]
fn one_session_and_two_hundred_have_the_same_threads() {
    let mut nodes = pair();
    session(&mut nodes, SessionKey::new(1, 1), HopKind::Datagram, 20);
    wait_delivered(&mut nodes[1], SessionKey::new(1, 1), 20);
    let before = [nodes[0].threads(), nodes[1].threads()];
    for number in 2..=200 {
        session(&mut nodes, SessionKey::new(1, number), HopKind::Datagram, 20);
    }
    wait_delivered(&mut nodes[1], SessionKey::new(1, 200), 1);
    assert_eq!([nodes[0].threads(), nodes[1].threads()], before);
    assert!(before[0] <= 4, "{before:?}");
}

/// What a node recorded while it talked to another replays byte for byte.
#[test]
fn what_was_recorded_replays() {
    let scratch = Scratch::new();
    let log = scratch.join("two.log");
    let mut nodes =
        [Process::start(&["--id", "1"]), Process::start(&["--id", "2", "--record", log.to_str().unwrap()])];
    let addresses = [nodes[0].addresses, nodes[1].addresses];
    nodes[0].order(&Order::Peers(BTreeMap::from([(id(2), addresses[1])])));
    nodes[1].order(&Order::Peers(BTreeMap::from([(id(1), addresses[0])])));
    for (number, kind) in [(1, HopKind::Datagram), (2, HopKind::Stream)] {
        let key = SessionKey::new(1, number);
        session(&mut nodes, key, kind, 50);
        wait_delivered(&mut nodes[1], key, 50);
    }
    let [_one, mut two] = nodes;
    two.order(&Order::Stop);
    assert_eq!(two.ends().code(), Some(0));
    scratch.run(&["replay", "two.log"]).expect(0);
}

/// Several clients at a Unix socket; the socket goes with the node.
#[test]
fn clients_come_and_go_at_a_socket() {
    let scratch = Scratch::new();
    let path = scratch.join("console.sock");
    let mut command = scratch.command(BELLINI);
    let mut child = command.args(["node", "--id", "4", "--console", path.to_str().unwrap()]).spawn().unwrap();
    let end = WallInstant::now() + PATIENCE;
    let connect = || loop {
        if let Ok(socket) = UnixStream::connect(&path) {
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            return BufReader::new(socket);
        }
        assert!(WallInstant::now() < end, "nobody listens");
        thread::sleep(Duration::from_millis(5));
    };
    let line = |client: &mut BufReader<UnixStream>| {
        let mut line = String::new();
        client.read_line(&mut line).unwrap();
        serde_json::from_str::<Value>(&line).unwrap()
    };
    let (mut one, mut two) = (connect(), connect());
    assert_eq!(line(&mut one)["ready"]["node"], 4);
    assert_eq!(line(&mut two)["ready"]["node"], 4);
    one.get_mut().write_all(b"nonsense\n").unwrap();
    let refused = line(&mut one)["refused"]["problem"].to_string();
    assert!(refused.contains("not an order"), "{refused}");
    drop(one);
    two.get_mut().write_all(b"\"stop\"\n").unwrap();
    assert_eq!(line(&mut two), "bye");
    assert!(child.wait().unwrap().success());
    assert!(!path.exists());
}

/// The example of docs/node.md, line by line: what follows `>` is said to the node, what follows `<` must begin so.
#[test]
fn the_documented_console_is_the_real_one() {
    let page = fs::read_to_string(sources().join("docs/node.md")).unwrap();
    let example = page.split("```console\n").nth(1).expect("an example").split("```").next().unwrap();
    let mut node = Process::start(&["--id", "1"]);
    let mut lines = 0;
    for line in example.lines() {
        if let Some(order) = line.strip_prefix("> ") {
            writeln!(node.orders.as_mut().unwrap(), "{order}").unwrap();
        } else if let Some(expected) = line.strip_prefix("< ") {
            let expected = expected.split("...").next().unwrap();
            if expected.starts_with("{\"ready\"") {
                continue;
            }
            loop {
                let said = node.answers.recv_timeout(PATIENCE).expect(expected);
                if said.starts_with(expected) {
                    break;
                }
                assert!(said.starts_with("{\"event\"") || said.starts_with("{\"warning\""), "{said}");
            }
        }
        lines += 1;
    }
    assert!(lines >= 6, "{example}");
    assert_eq!(node.ends().code(), Some(0));
}

/// The session by hand of docs/node.md, its times moved to now: every packet arrives.
#[test]
fn the_documented_session_by_hand_is_carried() {
    let page = fs::read_to_string(sources().join("docs/node.md")).unwrap();
    let example = page.split("```by-hand\n").nth(1).expect("an example").split("```").next().unwrap();
    let mut nodes = pair();
    let mut ahead = 0;
    for line in example.lines() {
        let number: usize = line[..1].parse().unwrap();
        let node = &mut nodes[number - 1];
        if let Some(expected) = line[1..].strip_prefix("< ") {
            let begin = expected.split("...").next().unwrap();
            let said = loop {
                let said = node.answers.recv_timeout(PATIENCE).expect(expected);
                if said.starts_with(begin) {
                    break said;
                }
                assert!(said.starts_with("{\"event\""), "{said}");
            };
            if let Ok(Answer::Figures { at, .. }) = serde_json::from_str(&said) {
                ahead = at.as_nanos() - 60_000_000_000;
            }
            continue;
        }
        let text = line[1..].strip_prefix("> ").expect("an order or an answer");
        let moved = ["61000000000", "61500000000"].iter().fold(text.to_owned(), |text, time| {
            text.replace(time, &(time.parse::<u64>().unwrap() + ahead).to_string())
        });
        // Where the nodes of this test are, they know already.
        match serde_json::from_str(&moved).unwrap() {
            Order::Peers(peers) => assert_eq!(peers.len(), 1),
            order => node.order(&order),
        }
    }
    wait_delivered(&mut nodes[1], SessionKey::new(1, 1), 500);
}

/// The settings file of docs/node.md can work.
#[test]
fn the_documented_settings_are_legal() {
    let page = fs::read_to_string(sources().join("docs/node.md")).unwrap();
    let example = page.split("```json\n").nth(1).expect("an example").split("```").next().unwrap();
    let settings: NodeSettings = serde_json::from_str(example).unwrap();
    settings.check().unwrap();
    assert_eq!((settings.port, settings.peers.len(), settings.config.pacing.rates.len()), (7000, 1, 1));
}

/// What cannot work is refused before anything starts, with what, where and what would be right.
#[test]
fn bad_flags_are_refused() {
    let scratch = Scratch::new();
    scratch.write("odd.json", "{\"seed\": 1}");
    let run = |arguments: &[&str]| -> Done { scratch.run(&[&["node"], arguments].concat()) };
    run(&[]).expect(2).says(&["--id"]);
    run(&["--id", "0"]).expect(2).says(&["a node id is a number from 1"]);
    run(&["--id", "1", "--peer", "2=nowhere"]).expect(2).says(&["ID=ADDRESS:PORT"]);
    run(&["--id", "1", "--peer", "1=127.0.0.1:7000"]).expect(2).says(&["node 1 is this node itself"]);
    run(&["--id", "1", "--port", "7", "--control-port", "7"]).expect(2).says(&["both 7"]);
    run(&["--id", "1", "--clock-offset", "40"]).expect(2).says(&["40 ms"]);
    run(&["--settings", "none.json"]).expect(6).says(&["none.json"]);
    run(&["--settings", "odd.json"]).expect(2).says(&["odd.json", "missing field"]);
    run(&["--id", "1", "--bind", "192.0.2.1"]).expect(2).says(&["outside loopback", "--keys", "--plaintext"]);
    run(&["--id", "1", "--bind", "192.0.2.1", "--plaintext"]).expect(6).says(&["192.0.2.1"]);
    run(&["--id", "1", "--tcp-congestion", "nonsense"]).expect(6).says(&[
        "\"nonsense\"",
        "available: ",
        "reno",
    ]);
    run(&["--id", "1", "--record", "no/such/place"]).expect(6).says(&["no/such/place"]);
}
